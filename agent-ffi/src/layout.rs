//! Where every field of every public struct is. From this come `include/bartizan.layout`, the INIT macros of the header
//! and the C assertions; and here it is proved that no struct has padding, so that no stray bytes leave the library.

use crate::alerts::{btz_accounting, btz_alert, btz_cost};
use crate::catalogue::btz_metric;
use crate::checks::findings::btz_finding;
use crate::checks::rules::btz_check;
use crate::checks::waive::btz_waiver;
use crate::checks::work::btz_check_state;
use crate::entities::{btz_part, btz_source, btz_vm};
use crate::error::btz_error;
use crate::ledger::options::btz_ledger_options;
use crate::ledger::records::btz_record;
use crate::ledger::state::btz_ledger_status;
use crate::ledger::verify::btz_ledger_report;
use crate::options::btz_options;
use crate::rules::btz_rule;
use crate::values::{btz_point, btz_query, btz_tick, btz_value};

/// A struct of the ABI.
pub struct Layout {
    /// Its name in C.
    pub name: &'static str,
    /// Its size in bytes.
    pub size: usize,
    /// Its alignment in bytes.
    pub align: usize,
    /// Its fields, in order.
    pub fields: &'static [Field],
}

/// A field of a struct.
pub struct Field {
    /// Its name in C.
    pub name: &'static str,
    /// Its offset in bytes.
    pub offset: usize,
    /// Its size in bytes.
    pub size: usize,
    /// Whether it is an array.
    pub array: bool,
}

trait Shape {
    const ARRAY: bool = false;
}
impl Shape for u8 {}
impl Shape for u32 {}
impl Shape for i32 {}
impl Shape for u64 {}
impl Shape for i64 {}
impl Shape for f64 {}
impl Shape for usize {}
impl<T> Shape for *const T {}
impl<T, const N: usize> Shape for [T; N] {
    const ARRAY: bool = true;
}

const fn size_of_field<T, F>(_: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

const fn is_array<T, F: Shape>(_: fn(&T) -> &F) -> bool {
    F::ARRAY
}

/// The fields follow each other without a gap, and nothing is left at the end.
const fn proved(layout: Layout) -> Layout {
    let mut end = 0;
    let mut at = 0;
    while at < layout.fields.len() {
        assert!(layout.fields[at].offset == end, "a gap before a field, or a field that is not listed");
        end += layout.fields[at].size;
        at += 1;
    }
    assert!(end == layout.size, "padding at the end, or a field that is not listed");
    layout
}

macro_rules! layout {
    ($name:ident { $($field:ident),* $(,)? }) => {
        proved(Layout {
            name: stringify!($name),
            size: size_of::<$name>(),
            align: align_of::<$name>(),
            fields: &[$(
                Field {
                    name: stringify!($field),
                    offset: std::mem::offset_of!($name, $field),
                    size: size_of_field(|value: &$name| &value.$field),
                    array: is_array(|value: &$name| &value.$field),
                },
            )*],
        })
    };
}

/// Every public struct. Fields may only ever be added at an end, and a struct's first size stays in `size::sized!`.
pub const LAYOUTS: &[Layout] = &[
    layout!(btz_error { struct_size, code, message }),
    layout!(btz_options {
        struct_size,
        vms,
        vcpus,
        vm_nics,
        vm_disks,
        cpus,
        nodes,
        block_devices,
        net_devices,
        alerts,
        history_ticks,
        interval_ms,
        slow_every_ticks,
        monitor_every_ticks,
        descriptors_max,
        perf_events,
        thread_tier,
        kvm_tier,
        full_scan_s,
        without_kvm,
        cpu_permille,
        alerts_per_rule_per_minute_max,
        checks,
        checks_sweep_s,
        checks_slice_ms,
        series,
        false_alarms_per_host_week_permille,
    }),
    layout!(btz_metric {
        struct_size,
        id,
        scope,
        kind,
        unit,
        source,
        reserved,
        scale,
        name,
        exported_unit,
        since,
        help
    }),
    layout!(btz_vm {
        struct_size,
        vmm,
        entity,
        pid,
        flags,
        start_ticks,
        vcpus,
        nics,
        disks,
        other_threads,
        uuid,
        name,
        tenant,
        cgroup,
        monitor,
    }),
    layout!(btz_part { struct_size, scope, entity, index, tid, name, path }),
    layout!(btz_source { struct_size, source, availability, reserved, name, tier, reason }),
    layout!(btz_tick { struct_size, reserved, number, mono_ns, wall_ns }),
    layout!(btz_query { entity, metric, reserved }),
    layout!(btz_value { struct_size, availability, kind, unit, source, raw, scaled, read_at_ns, age_ns }),
    layout!(btz_point { struct_size, availability, tick, mono_ns, wall_ns, raw, scaled }),
    layout!(btz_alert {
        struct_size,
        state,
        severity,
        metric,
        id,
        sequence,
        tick,
        entity,
        since_mono_ns,
        at_wall_ns,
        observed,
        expected_min,
        expected_max,
        uuid,
        rule,
        subject,
        tenant,
        message,
        tail_probability,
        signs,
        reserved,
    }),
    layout!(btz_accounting { struct_size, reserved, produced, delivered, suppressed, dropped, in_flight }),
    layout!(btz_rule {
        struct_size,
        kind,
        severity,
        scope,
        metric,
        enabled,
        shipped,
        reserved,
        name,
        description,
    }),
    layout!(btz_cost {
        struct_size,
        degradation,
        ticks,
        ticks_missed,
        sampler_cpu_ns,
        planner_cpu_ns,
        cpu_ppm,
        memory_reserved_bytes,
        descriptors,
        vms_refused,
        checks_cpu_ns,
    }),
    layout!(btz_check { struct_size, severity, scope, facets, id, group, title }),
    layout!(btz_finding {
        struct_size,
        verdict,
        severity,
        scope,
        flags,
        change,
        sequence,
        entity,
        pid,
        flaps,
        start_ticks,
        first_seen_wall_ns,
        changed_wall_ns,
        runtime,
        persisted,
        before,
        reserved,
        uuid,
        rule,
        subject,
        tenant,
        owner,
        expires,
        reason,
    }),
    layout!(btz_check_state {
        struct_size,
        enabled,
        sweeps,
        swept_wall_ns,
        cpu_ns,
        facts,
        watched,
        passed,
        failed,
        unknown,
        errors,
        not_applicable,
        waived,
    }),
    layout!(btz_waiver {
        struct_size,
        reserved,
        rule,
        rule_length,
        subject,
        subject_length,
        observed,
        observed_length,
        owner,
        owner_length,
        reason,
        reason_length,
        expires,
        expires_length,
        ticket,
        ticket_length,
    }),
    layout!(btz_ledger_options {
        struct_size,
        driven,
        origin,
        origin_length,
        witnesses,
        witnesses_length,
        bytes_max,
        age_s_max,
        checkpoint_interval_ms,
        segment_bytes,
        queue_bytes,
        reserve_bytes,
    }),
    layout!(btz_ledger_status {
        struct_size,
        disk,
        disk_error,
        run,
        last_run,
        closed,
        torn_bytes,
        appended,
        refused,
        left_early,
        next,
        durable,
        failures,
        queued_bytes,
        first,
        bytes,
        tree_size,
        covered,
        cosigned,
        checkpoints,
        checkpoint_wall_ns,
        pruned,
    }),
    layout!(btz_record {
        struct_size,
        kind,
        sequence,
        wall_ns,
        mono_ns,
        run,
        reserved,
        payload_offset,
        payload_length,
        tenant,
    }),
    layout!(btz_ledger_report {
        struct_size,
        outcome,
        first,
        next,
        unsigned_records,
        torn_bytes,
        logs,
        leaves,
        signed_leaves,
        bad_sequence,
        bad_offset,
        origin,
        key,
        bad_path,
        what,
    }),
];
