//! What is wanted of files with a line, or a column, for each CPU or device.

use super::{ColumnWant, Scale};
use crate::sampling::metrics::{MetricId, block, cpu, host, net};

const fn column(column: u32, metric: MetricId, scale: Scale) -> ColumnWant {
    ColumnWant { column, metric, host: None, scale }
}

const fn summed(column: u32, metric: MetricId, host: MetricId, scale: Scale) -> ColumnWant {
    ColumnWant { column, metric, host: Some(host), scale }
}

/// The `cpuN` lines of `/proc/stat`.
pub(super) const STAT_CPU: &[ColumnWant] = &[
    column(0, cpu::USER, Scale::Tick),
    column(1, cpu::NICE, Scale::Tick),
    column(2, cpu::SYSTEM, Scale::Tick),
    column(3, cpu::IDLE, Scale::Tick),
    column(4, cpu::IOWAIT, Scale::Tick),
    column(5, cpu::IRQ, Scale::Tick),
    column(6, cpu::SOFTIRQ, Scale::Tick),
    column(7, cpu::STEAL, Scale::Tick),
    column(8, cpu::GUEST, Scale::Tick),
    column(9, cpu::GUEST_NICE, Scale::Tick),
];

/// The `cpuN` lines of `/proc/schedstat`, version 15 and later: times are in nanoseconds.
pub(super) const SCHEDSTAT: &[ColumnWant] = &[
    summed(6, cpu::RUN, host::RUN, Scale::One),
    summed(7, cpu::RUN_DELAY, host::RUN_DELAY, Scale::One),
    summed(8, cpu::TIMESLICES, host::TIMESLICES, Scale::One),
];

/// `/proc/diskstats`, after the name. See `Documentation/admin-guide/iostats.rst`.
pub(super) const DISKSTATS: &[ColumnWant] = &[
    column(0, block::READS, Scale::One),
    column(1, block::READS_MERGED, Scale::One),
    column(2, block::READ, Scale::Sector),
    column(3, block::READ_TIME, Scale::Milli),
    column(4, block::WRITES, Scale::One),
    column(5, block::WRITES_MERGED, Scale::One),
    column(6, block::WRITTEN, Scale::Sector),
    column(7, block::WRITE_TIME, Scale::Milli),
    column(8, block::IN_FLIGHT, Scale::One),
    column(9, block::IO_TIME, Scale::Milli),
    column(10, block::IO_WEIGHTED_TIME, Scale::Milli),
    column(11, block::DISCARDS, Scale::One),
    column(12, block::DISCARDS_MERGED, Scale::One),
    column(13, block::DISCARDED, Scale::Sector),
    column(14, block::DISCARD_TIME, Scale::Milli),
    column(15, block::FLUSHES, Scale::One),
    column(16, block::FLUSH_TIME, Scale::Milli),
];

/// `/proc/net/dev`, after the name. See `proc_pid_net(5)`.
pub(super) const NET_DEV: &[ColumnWant] = &[
    column(0, net::RECEIVE, Scale::One),
    column(1, net::RECEIVE_PACKETS, Scale::One),
    column(2, net::RECEIVE_ERRORS, Scale::One),
    column(3, net::RECEIVE_DROPS, Scale::One),
    column(4, net::RECEIVE_FIFO_ERRORS, Scale::One),
    column(5, net::RECEIVE_FRAME_ERRORS, Scale::One),
    column(6, net::RECEIVE_COMPRESSED, Scale::One),
    column(7, net::RECEIVE_MULTICAST, Scale::One),
    column(8, net::TRANSMIT, Scale::One),
    column(9, net::TRANSMIT_PACKETS, Scale::One),
    column(10, net::TRANSMIT_ERRORS, Scale::One),
    column(11, net::TRANSMIT_DROPS, Scale::One),
    column(12, net::TRANSMIT_FIFO_ERRORS, Scale::One),
    column(13, net::TRANSMIT_COLLISIONS, Scale::One),
    column(14, net::TRANSMIT_CARRIER_ERRORS, Scale::One),
    column(15, net::TRANSMIT_COMPRESSED, Scale::One),
];

/// `/proc/net/softnet_stat`: `net/core/net-procfs.c`.
pub(super) const SOFTNET: &[ColumnWant] = &[
    column(0, cpu::SOFTNET_PROCESSED, Scale::One),
    column(1, cpu::SOFTNET_DROPPED, Scale::One),
    column(2, cpu::SOFTNET_SQUEEZED, Scale::One),
];

/// A line of `/proc/interrupts` or `/proc/softirqs`: its name, the metric of each CPU, and the host's for their sum.
pub(in crate::sampling::host) type LineWant = (&'static str, Option<MetricId>, Option<MetricId>);

/// `/proc/interrupts`. Numbered lines are counted as devices.
pub(in crate::sampling::host) const COLUMNS_INTERRUPTS: &[LineWant] = &[
    ("LOC", Some(cpu::INTERRUPTS_TIMER), None),
    ("RES", Some(cpu::INTERRUPTS_RESCHEDULE), None),
    ("CAL", Some(cpu::INTERRUPTS_CALL), None),
    ("TLB", Some(cpu::INTERRUPTS_TLB_SHOOTDOWN), None),
    ("NMI", Some(cpu::INTERRUPTS_NMI), None),
    ("PMI", Some(cpu::INTERRUPTS_PERF), None),
    ("IWI", Some(cpu::INTERRUPTS_IRQ_WORK), None),
    ("SPU", Some(cpu::INTERRUPTS_SPURIOUS), Some(host::INTERRUPTS_SPURIOUS)),
    ("TRM", Some(cpu::INTERRUPTS_THERMAL), None),
    ("THR", Some(cpu::INTERRUPTS_THRESHOLD), None),
    ("DFR", Some(cpu::INTERRUPTS_DEFERRED_ERROR), None),
    ("MCE", Some(cpu::INTERRUPTS_MACHINE_CHECK), Some(host::MACHINE_CHECKS)),
    ("MCP", Some(cpu::INTERRUPTS_MACHINE_CHECK_POLL), Some(host::MACHINE_CHECK_POLLS)),
    ("HYP", Some(cpu::INTERRUPTS_HYPERVISOR), None),
    ("PIN", Some(cpu::INTERRUPTS_POSTED), None),
    ("NPI", Some(cpu::INTERRUPTS_POSTED_NESTED), None),
    ("PIW", Some(cpu::INTERRUPTS_POSTED_WAKEUP), None),
    ("ERR", None, Some(host::INTERRUPTS_ERRORS)),
    ("MIS", None, Some(host::INTERRUPTS_MISROUTED)),
];

/// `/proc/softirqs`.
pub(in crate::sampling::host) const COLUMNS_SOFTIRQS: &[LineWant] = &[
    ("HI", Some(cpu::SOFTIRQS_HI), None),
    ("TIMER", Some(cpu::SOFTIRQS_TIMER), None),
    ("NET_TX", Some(cpu::SOFTIRQS_NET_TX), None),
    ("NET_RX", Some(cpu::SOFTIRQS_NET_RX), None),
    ("BLOCK", Some(cpu::SOFTIRQS_BLOCK), None),
    ("IRQ_POLL", Some(cpu::SOFTIRQS_IRQ_POLL), None),
    ("TASKLET", Some(cpu::SOFTIRQS_TASKLET), None),
    ("SCHED", Some(cpu::SOFTIRQS_SCHED), None),
    ("HRTIMER", Some(cpu::SOFTIRQS_HRTIMER), None),
    ("RCU", Some(cpu::SOFTIRQS_RCU), None),
    // Before 3.16 the line had another name.
    ("BLOCK_IOPOLL", Some(cpu::SOFTIRQS_IRQ_POLL), None),
];
