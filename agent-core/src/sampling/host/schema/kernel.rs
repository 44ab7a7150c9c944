//! What is wanted of `stat`, `loadavg` and `pressure/*`.

use super::{Scale, Want, want};
use crate::sampling::metrics::host;

/// `/proc/stat`, the lines of the host as a whole. See `proc_stat(5)`.
pub(in crate::sampling::host) const STAT: &[Want] = &[
    want("cpu 0", host::CPU_USER, Scale::Tick),
    want("cpu 1", host::CPU_NICE, Scale::Tick),
    want("cpu 2", host::CPU_SYSTEM, Scale::Tick),
    want("cpu 3", host::CPU_IDLE, Scale::Tick),
    want("cpu 4", host::CPU_IOWAIT, Scale::Tick),
    want("cpu 5", host::CPU_IRQ, Scale::Tick),
    want("cpu 6", host::CPU_SOFTIRQ, Scale::Tick),
    want("cpu 7", host::CPU_STEAL, Scale::Tick),
    want("cpu 8", host::CPU_GUEST, Scale::Tick),
    want("cpu 9", host::CPU_GUEST_NICE, Scale::Tick),
    want("intr 0", host::INTERRUPTS, Scale::One),
    want("ctxt 0", host::CONTEXT_SWITCHES, Scale::One),
    want("processes 0", host::FORKS, Scale::One),
    want("procs_running 0", host::PROCESSES_RUNNING, Scale::One),
    want("procs_blocked 0", host::PROCESSES_BLOCKED, Scale::One),
    want("btime 0", host::BOOT_TIME, Scale::Seconds),
    want("softirq 0", host::SOFTIRQS, Scale::One),
    want("softirq 1", host::SOFTIRQS_HI, Scale::One),
    want("softirq 2", host::SOFTIRQS_TIMER, Scale::One),
    want("softirq 3", host::SOFTIRQS_NET_TX, Scale::One),
    want("softirq 4", host::SOFTIRQS_NET_RX, Scale::One),
    want("softirq 5", host::SOFTIRQS_BLOCK, Scale::One),
    want("softirq 6", host::SOFTIRQS_IRQ_POLL, Scale::One),
    want("softirq 7", host::SOFTIRQS_TASKLET, Scale::One),
    want("softirq 8", host::SOFTIRQS_SCHED, Scale::One),
    want("softirq 9", host::SOFTIRQS_HRTIMER, Scale::One),
    want("softirq 10", host::SOFTIRQS_RCU, Scale::One),
];

/// `/proc/loadavg`.
pub(in crate::sampling::host) const LOADAVG: &[Want] = &[
    want("0", host::LOAD_1M, Scale::Centi),
    want("1", host::LOAD_5M, Scale::Centi),
    want("2", host::LOAD_15M, Scale::Centi),
    want("3", host::THREADS_RUNNABLE, Scale::One),
    want("4", host::THREADS, Scale::One),
    want("5", host::LAST_PID, Scale::One),
];

/// `/proc/pressure/cpu`. See `Documentation/accounting/psi.rst`.
pub(in crate::sampling::host) const PRESSURE_CPU: &[Want] = &[
    want("some avg10", host::PRESSURE_CPU_SOME_10S, Scale::CentiPercent),
    want("some avg60", host::PRESSURE_CPU_SOME_60S, Scale::CentiPercent),
    want("some avg300", host::PRESSURE_CPU_SOME_300S, Scale::CentiPercent),
    want("some total", host::PRESSURE_CPU_SOME, Scale::Micro),
    want("full avg10", host::PRESSURE_CPU_FULL_10S, Scale::CentiPercent),
    want("full avg60", host::PRESSURE_CPU_FULL_60S, Scale::CentiPercent),
    want("full avg300", host::PRESSURE_CPU_FULL_300S, Scale::CentiPercent),
    want("full total", host::PRESSURE_CPU_FULL, Scale::Micro),
];

/// `/proc/pressure/memory`. See `Documentation/accounting/psi.rst`.
pub(in crate::sampling::host) const PRESSURE_MEMORY: &[Want] = &[
    want("some avg10", host::PRESSURE_MEMORY_SOME_10S, Scale::CentiPercent),
    want("some avg60", host::PRESSURE_MEMORY_SOME_60S, Scale::CentiPercent),
    want("some avg300", host::PRESSURE_MEMORY_SOME_300S, Scale::CentiPercent),
    want("some total", host::PRESSURE_MEMORY_SOME, Scale::Micro),
    want("full avg10", host::PRESSURE_MEMORY_FULL_10S, Scale::CentiPercent),
    want("full avg60", host::PRESSURE_MEMORY_FULL_60S, Scale::CentiPercent),
    want("full avg300", host::PRESSURE_MEMORY_FULL_300S, Scale::CentiPercent),
    want("full total", host::PRESSURE_MEMORY_FULL, Scale::Micro),
];

/// `/proc/pressure/io`. See `Documentation/accounting/psi.rst`.
pub(in crate::sampling::host) const PRESSURE_IO: &[Want] = &[
    want("some avg10", host::PRESSURE_IO_SOME_10S, Scale::CentiPercent),
    want("some avg60", host::PRESSURE_IO_SOME_60S, Scale::CentiPercent),
    want("some avg300", host::PRESSURE_IO_SOME_300S, Scale::CentiPercent),
    want("some total", host::PRESSURE_IO_SOME, Scale::Micro),
    want("full avg10", host::PRESSURE_IO_FULL_10S, Scale::CentiPercent),
    want("full avg60", host::PRESSURE_IO_FULL_60S, Scale::CentiPercent),
    want("full avg300", host::PRESSURE_IO_FULL_300S, Scale::CentiPercent),
    want("full total", host::PRESSURE_IO_FULL, Scale::Micro),
];

/// `/proc/pressure/irq`. See `Documentation/accounting/psi.rst`.
pub(in crate::sampling::host) const PRESSURE_IRQ: &[Want] = &[
    want("full avg10", host::PRESSURE_IRQ_FULL_10S, Scale::CentiPercent),
    want("full avg60", host::PRESSURE_IRQ_FULL_60S, Scale::CentiPercent),
    want("full avg300", host::PRESSURE_IRQ_FULL_300S, Scale::CentiPercent),
    want("full total", host::PRESSURE_IRQ_FULL, Scale::Micro),
];
