//! Whether what happens on the host is recorded, where the records go, and whether their times can be trusted.

mod integrity;
mod kernel;
mod logs;
mod rules;
mod time;

use super::{Provider, Read, Refresh};

const fn host(
    name: &'static str,
    help: &'static str,
    read: fn(&super::Gather, &str) -> super::Found,
) -> Provider {
    Provider { name, help, read: Read::Host(read), refresh: Refresh::Paths }
}

const fn asked(
    name: &'static str,
    help: &'static str,
    seconds: u32,
    read: fn(&super::Gather, &str) -> super::Found,
) -> Provider {
    Provider { name, help, read: Read::Host(read), refresh: Refresh::Seconds(seconds) }
}

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[
    asked(
        "audit.enabled",
        "the kernel's auditing: 0 off, 1 on, 2 on and locked until the next boot",
        60,
        kernel::enabled,
    ),
    asked("audit.daemon", "whether a living daemon takes the kernel's records", 60, kernel::daemon),
    asked("audit.lost", "whether the kernel lost records since the boot", 60, kernel::lost),
    asked(
        "audit.backlog-high",
        "whether more than 80 % of the room for waiting records is taken",
        60,
        kernel::backlog_high,
    ),
    asked("audit.watches", "paths that the kernel's rules watch", 300, kernel::watches),
    asked(
        "audit.syscalls",
        "system calls that the kernel's rules record, of those that matter here",
        300,
        kernel::syscalls,
    ),
    host("auditd.watches", "paths that the rules on disk watch", rules::watches),
    host("auditd.syscalls", "system calls that the rules on disk record", rules::syscalls),
    host("auditd.locked", "whether the rules on disk lock themselves (-e 2)", rules::locked),
    host("log.remote", "where logs go, and how: clear, encrypted or authenticated, by place", logs::remote),
    host(
        "fim.active",
        "what watches over the integrity of files on a schedule or by the kernel",
        integrity::active,
    ),
    asked("clock.synchronised", "whether something disciplines the kernel's clock", 60, time::synchronised),
    asked(
        "clock.error-below",
        "whether the clock is known to be right to so many milliseconds",
        60,
        time::error_below,
    ),
    host("time.daemons", "time daemons that start with the host", time::daemons),
    host("time.daemon-count", "how many time daemons start with the host", time::daemon_count),
    host("time.sources", "where they take the time from: nts, key or plain, by name", time::sources),
    host("time.serves", "networks that they give the time to", time::serves),
];
