//! Alerts in words: who it is about, what was seen, since when. Nothing here allocates.

use super::program::{Rule, Sight, Test};
use super::rule::Missing;
use super::wording::{Bounded, Duration, Quantity, Shown};
use crate::alerts::{Alert, AlertState};
use crate::sampling::frame::{Entity, Tick};
use crate::sampling::metrics::{MetricId, Scope};
use crate::sampling::roster::Roster;
use crate::sampling::vm::VmIdentity;
use arrayvec::ArrayString;
use std::fmt::Write;

/// Who an alert is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject {
    pub(super) entity: Entity,
    pub(super) vm: VmIdentity,
    /// Which part of the VM, or which device of the host: "vCPU 3", "CPU 7", "eth0".
    pub(super) part: ArrayString<64>,
}

impl Subject {
    pub(super) fn new(entity: Entity, roster: &Roster) -> Self {
        let vm = roster.vm_of(entity).map_or_else(VmIdentity::default, |(_, identity)| *identity);
        Self { entity, vm, part: part(entity, roster) }
    }

    /// The subject when the VM has left the roster already.
    pub(super) fn of_vm(entity: Entity, vm: &VmIdentity, roster: &Roster) -> Self {
        Self { entity, vm: *vm, part: part(entity, roster) }
    }

    fn name(&self) -> ArrayString<64> {
        if self.vm.name.is_empty() { self.part } else { self.vm.name }
    }
}

pub(super) fn part(entity: Entity, roster: &Roster) -> ArrayString<64> {
    let mut text = Bounded::new();
    let row = entity.row;
    let ordinal = roster.ordinal_of(entity).or_else(|| roster.number_of(entity)).unwrap_or(row);
    let device = roster.device_of(entity);
    // A bounded text takes everything.
    let _ = match entity.scope {
        Scope::Host | Scope::Vm | Scope::Agent => Ok(()),
        Scope::Vcpu => write!(text, "vCPU {ordinal}"),
        Scope::VmNet => write!(text, "interface {ordinal}"),
        Scope::VmDisk => write!(text, "disk {ordinal}"),
        Scope::Cpu => write!(text, "CPU {ordinal}"),
        Scope::Node => write!(text, "node {ordinal}"),
        Scope::Block | Scope::Net if device.is_some() => text.write_str(device.unwrap_or_default()),
        Scope::Block => write!(text, "block device {row}"),
        Scope::Net => write!(text, "network device {row}"),
    };
    text.into_inner()
}

/// The weightiest of several signs that are told together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sign {
    pub(super) summary: ArrayString<64>,
    pub(super) quantity: Quantity,
    pub(super) metric: MetricId,
    pub(super) part: ArrayString<64>,
    /// How many signs there are.
    pub(super) signs: u32,
    /// The sign is seen on so many of so many.
    pub(super) shown_by: Option<(u32, u32)>,
}

/// Why an alert is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Because {
    /// It was seen to be over.
    Over,
    /// What it was about is no longer there.
    Gone,
    /// The rule was changed or removed.
    Rules,
}

/// The alert of a condition that began.
pub(super) fn fires(rule: &Rule, subject: &Subject, since_ns: u64, sight: &Sight, tick: Tick) -> Alert {
    let mut message = begin(subject);
    let shown = |value| Shown { value, quantity: rule.quantity, help: rule.metric.metric().help };
    let held = Duration(rule.series_at_ns(subject.entity).saturating_sub(since_ns));
    let summary = &rule.summary;
    let observed = shown(sight.observed);
    let _ = match &rule.test {
        Test::Threshold { .. } | Test::Baseline(_) => {
            let _ = write!(message, "{summary} {observed}");
            if held.0 > 0 {
                let _ = write!(message, " for {held}");
            }
            let word = if matches!(rule.test, Test::Baseline(_)) { "usual" } else { "limit" };
            limits(&mut message, word, sight, shown)
        }
        Test::Change { span, .. } => {
            let sign = if sight.observed < 0.0 { "" } else { "+" };
            let window = Duration(span.within_ns);
            if span.relative {
                write!(message, "{summary} {sign}{:.1} % within {window}", sight.observed * 100.0)
            } else {
                let _ = write!(message, "{summary} {sign}{observed} within {window}");
                limits(&mut message, "limit", sight, shown)
            }
        }
        Test::Absence(Missing::Movement) => write!(message, "{summary} has not moved for {held}"),
        Test::Absence(Missing::Value) => {
            write!(message, "{summary} cannot be read for {held}: {}", sight.availability.name())
        }
        Test::State { .. } if held.0 > 0 => write!(message, "{summary} is {observed} for {held}"),
        Test::State { .. } => write!(message, "{summary} is {observed}"),
        Test::Exhaustion(prospect) => {
            let (left, earliest, latest) = (sight.observed, sight.expected_min, sight.expected_max);
            let time = |seconds| Shown { value: seconds, quantity: Quantity::Seconds, help: "" };
            let (now, level) = (shown(sight.present), shown(prospect.level));
            write!(
                message,
                "{summary} {now}, {level} in {} ({} to {})",
                time(left),
                time(earliest),
                time(latest)
            )
        }
        Test::Standstill(_) => {
            let usual = Shown { value: sight.expected_max, quantity: Quantity::Seconds, help: "" };
            write!(message, "{summary} has not moved for {held} (usual {usual} at most)")
        }
        Test::Gone(_) | Test::Unusual(_) => Ok(()),
        Test::UnusualTogether => unusual(&mut message, sight, &held),
    };
    Alert {
        metric: sight.sign.map_or(rule.metric, |sign| sign.metric),
        state: AlertState::Firing,
        message: message.into_inner(),
        observed: sight.observed,
        expected_min: sight.expected_min,
        expected_max: sight.expected_max,
        tail_probability: sight.tail_probability,
        signs: sight.sign.map_or(1, |sign| sign.signs),
        ..blank(rule, subject, since_ns, tick)
    }
}

/// "unusual: vCPU 3 run time 97 % of the time (usual 2 % to 11 %) for 40 s, with 4 more signs".
fn unusual(message: &mut Bounded<192>, sight: &Sight, held: &Duration) -> std::fmt::Result {
    let Some(sign) = sight.sign else { return Ok(()) };
    let shown = |value| Shown { value, quantity: sign.quantity, help: sign.metric.metric().help };
    message.write_str("unusual: ")?;
    if let Some((by, of)) = sign.shown_by {
        write!(message, "on {by} of {of}, ")?;
    }
    if !sign.part.is_empty() {
        write!(message, "{} ", sign.part)?;
    }
    write!(message, "{} {}", sign.summary, shown(sight.observed))?;
    limits(message, "usual", sight, shown)?;
    if held.0 > 0 {
        write!(message, " for {held}")?;
    }
    match sign.signs {
        0 | 1 => Ok(()),
        2 => message.write_str(", with 1 more sign"),
        signs => write!(message, ", with {} more signs", signs - 1),
    }
}

/// The alert of a condition that ended.
pub(super) fn resolves(
    rule: &Rule,
    subject: &Subject,
    since_ns: u64,
    because: Because,
    sight: Option<&Sight>,
    tick: Tick,
) -> Alert {
    let mut message = begin(subject);
    let summary = &rule.summary;
    let held = Duration(tick.mono_ns.saturating_sub(since_ns));
    let _ = match (because, sight) {
        (Because::Over, Some(_)) if matches!(rule.test, Test::UnusualTogether) => {
            write!(message, "as usual again after {held}")
        }
        (Because::Over, Some(sight)) => {
            let observed =
                Shown { value: sight.observed, quantity: rule.quantity, help: rule.metric.metric().help };
            match &rule.test {
                Test::Absence(Missing::Movement) | Test::Standstill(_) => {
                    write!(message, "{summary} moves again after {held}")
                }
                Test::Exhaustion(_) => {
                    let now = Shown { value: sight.present, ..observed };
                    write!(message, "{summary} {now}, no longer about to be used up, after {held}")
                }
                Test::Absence(Missing::Value) => write!(message, "{summary} can be read again after {held}"),
                Test::Change { .. } => write!(message, "{summary} steady again after {held}"),
                _ => write!(message, "{summary} is back to {observed} after {held}"),
            }
        }
        (Because::Over, None) => write!(message, "{summary} is over after {held}"),
        (Because::Gone, _) => write!(message, "{summary} ended with what it was about, after {held}"),
        (Because::Rules, _) => write!(message, "{summary} is no longer watched: the rules were changed"),
    };
    Alert {
        state: AlertState::Resolved,
        message: message.into_inner(),
        observed: sight.map_or(0.0, |sight| sight.observed),
        expected_min: sight.map_or(f64::NEG_INFINITY, |sight| sight.expected_min),
        expected_max: sight.map_or(f64::INFINITY, |sight| sight.expected_max),
        ..blank(rule, subject, since_ns, tick)
    }
}

/// An alert without words.
pub(super) fn blank(rule: &Rule, subject: &Subject, since_ns: u64, tick: Tick) -> Alert {
    let series = series(rule, subject.about());
    Alert {
        id: alert_id(series, since_ns),
        series,
        is_repeat: false,
        sequence: 0,
        state: AlertState::Firing,
        severity: rule.severity,
        rule: rule.name,
        entity: subject.entity,
        subject: subject.name(),
        uuid: subject.vm.uuid,
        tenant: subject.vm.tenant,
        metric: rule.metric,
        observed: 0.0,
        expected_min: f64::NEG_INFINITY,
        expected_max: f64::INFINITY,
        tail_probability: 1.0,
        signs: 1,
        since_mono_ns: since_ns,
        at_wall_ns: tick.wall_ns,
        tick: tick.number,
        message: ArrayString::new_const(),
    }
}

/// "web-1 vCPU 3: "
pub(super) fn begin(subject: &Subject) -> Bounded<192> {
    let mut message = Bounded::new();
    let (vm, part) = (&subject.vm.name, &subject.part);
    let _ = match (vm.is_empty(), part.is_empty()) {
        (true, true) => Ok(()),
        (true, false) => write!(message, "{part}: "),
        (false, true) => write!(message, "{vm}: "),
        (false, false) => write!(message, "{vm} {part}: "),
    };
    message
}

fn limits(
    message: &mut Bounded<192>,
    word: &str,
    sight: &Sight,
    shown: impl Fn(f64) -> Shown,
) -> std::fmt::Result {
    // "43 % of the time (limit 20 %)": the unit need not be said twice.
    let shown = |value| {
        let shown = shown(value);
        let short = if shown.quantity == Quantity::ShareOfTime { Quantity::Share } else { shown.quantity };
        Shown { quantity: short, ..shown }
    };
    match (sight.expected_min.is_finite(), sight.expected_max.is_finite()) {
        (true, true) => {
            write!(message, " ({word} {} to {})", shown(sight.expected_min), shown(sight.expected_max))
        }
        (true, false) => write!(message, " ({word} {} at least)", shown(sight.expected_min)),
        (false, true) => write!(message, " ({word} {})", shown(sight.expected_max)),
        (false, false) => Ok(()),
    }
}

pub(super) const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, 64 bits: names a condition, guards nothing.
pub(super) fn fnv1a(bytes: &[u8], from: u64) -> u64 {
    bytes.iter().fold(from, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The same for the firing and the resolving, whichever process tells them.
pub(super) fn alert_id(series: u64, since_ns: u64) -> u64 {
    fnv1a(&since_ns.to_le_bytes(), series)
}

/// Names a rule on what it is about, in every process alike.
pub(super) fn series(rule: &Rule, about: u64) -> u64 {
    fnv1a(rule.name.as_bytes(), about)
}
