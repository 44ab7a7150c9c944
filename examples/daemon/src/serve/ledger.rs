//! The families about the ledger.

use super::openmetrics::{FamilyKind, Format, write_family, write_value};
use bartizan_core::ledger::{Health, Status};
use bartizan_core::sampling::metrics::Unit;
use std::fmt::Write as _;

/// How a ledger is, as text.
#[must_use]
pub fn families(format: Format, status: &Status) -> String {
    let mut out = String::new();
    let name = write_family(
        &mut out,
        format,
        "bartizan_ledger_disk_state",
        FamilyKind::Gauge,
        "",
        "How the disk of the ledger is: 1 for the state it is in.",
    );
    for health in Health::ALL {
        let is_in = u8::from(health == status.health);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name}{{state=\"{}\"}} {is_in}", health.name());
    }
    let counters = [
        ("appended_records", status.appended, "Records that got a number in this run."),
        (
            "durable_records",
            status.appended.saturating_sub(status.waiting()),
            "Records of this run that would survive a loss of power.",
        ),
        (
            "refused_records",
            status.refused,
            "Records that were refused, and are lost, because too much waited for the disk; recorded as a loss.",
        ),
        (
            "left_early",
            status.left_early,
            "Alerts and findings that were told before they were durable, because the disk took too long.",
        ),
        ("write_failures", status.failures, "Attempts to write that failed."),
        ("checkpoints", status.checkpoints, "Checkpoints that were signed in this run."),
        ("pruned_records", status.pruned, "Records that were removed in this run, because they were old."),
    ];
    for (name, value, help) in counters {
        let name =
            write_family(&mut out, format, &format!("bartizan_ledger_{name}"), FamilyKind::Counter, "", help);
        let _ = writeln!(out, "{name} {value}");
    }
    let gauges = [
        ("waiting_records", "", status.waiting(), "Records that wait for the disk."),
        ("queued_bytes", "bytes", status.queued_bytes as u64, "Bytes that wait for the disk."),
        ("size_bytes", "bytes", status.bytes, "Bytes of the trail's files."),
        ("first_record", "", status.first, "The number of the first record that is still there."),
        ("next_record", "", status.next, "The number of the next record."),
        ("tree_leaves", "", status.tree_size, "Leaves of the host's log."),
        (
            "unsigned_records",
            "",
            status.next.saturating_sub(status.signed.max(status.first)),
            "Records that no checkpoint of this run covers yet.",
        ),
    ];
    for (name, unit, value, help) in gauges {
        let name =
            write_family(&mut out, format, &format!("bartizan_ledger_{name}"), FamilyKind::Gauge, unit, help);
        let _ = writeln!(out, "{name} {value}");
    }
    if status.checkpoint_wall_ns != 0 {
        let name = write_family(
            &mut out,
            format,
            "bartizan_ledger_checkpoint_timestamp_seconds",
            FamilyKind::Gauge,
            "seconds",
            "When the last checkpoint was signed, as Unix time.",
        );
        let _ = write!(out, "{name} ");
        write_value(&mut out, status.checkpoint_wall_ns, Unit::Nanoseconds);
        out.push('\n');
    }
    out
}
