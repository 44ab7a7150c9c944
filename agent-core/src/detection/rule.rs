//! What a rule looks like in TOML. The language is described in `docs/rules.md`.

use crate::alerts::Severity;
use crate::sampling::metrics::Scope;
use serde::{Deserialize, Serialize};

/// One rule of detection. Which keys a rule may have depends on its [`RuleKind`]; a key of another kind is refused.
///
/// Levels are in the exported unit: seconds, bytes, ratios; a rate is per second, so that the rate of a counter of
/// seconds is a share of the time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Its name, unique among all rules: lower case, digits and dashes, at most 48 bytes.
    pub name: String,
    /// How it judges.
    #[serde(default)]
    pub kind: RuleKind,
    /// How bad it is when it fires.
    #[serde(default)]
    pub severity: Severity,
    /// A few words for what it looks at, such as "vCPU wait": the beginning of its messages.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// Why it is there, and where its levels come from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The metric it looks at, such as `vcpu_wait_seconds`. Not for `gone` and `unusual-together`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub metric: String,
    /// Metrics of the same scope that are added to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plus: Vec<String>,
    /// Metrics of the same scope whose sum it is divided by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<String>,
    /// Whether it looks at values or rates: the default is the rate of a counter and the value of a gauge.
    #[serde(default, rename = "of", skip_serializing_if = "Option::is_none")]
    pub of: Option<Of>,
    /// `threshold`, `change`: fires above this. `exhaustion`: used up when it has risen to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// `threshold`, `change`: fires below this. `exhaustion`: used up when it has fallen to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// `threshold`: resolves only beyond this level, on the good side of `above` or `below`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear: Option<f64>,
    /// `state`: fires on these stored values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub is: Vec<i64>,
    /// `state`: fires on any other than these stored values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub is_not: Vec<i64>,
    /// `absence`: what must be absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// `change`, `gone` with `times`: the window, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_s: Option<f64>,
    /// `change`: levels are shares of the value at the window's begin, not differences.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub relative: bool,
    /// `baseline`, `unusual`: which deviation counts; the default is `above`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// `baseline`: how many robust standard deviations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sigmas: Option<f64>,
    /// `baseline`, `unusual`: a deviation smaller than this does not count, in the metric's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_change: Option<f64>,
    /// `baseline`: a deviation smaller than this share of the baseline does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ratio: Option<f64>,
    /// `baseline`: samples for so long are only learned from, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up_s: Option<f64>,
    /// `baseline`: after so long, half of the baseline is made of newer samples; in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_life_s: Option<f64>,
    /// `exhaustion`: the time over which a trend is looked for, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_s: Option<f64>,
    /// `exhaustion`: what will be used up later than this is not told, in seconds. `standstill`: what stands still for
    /// so long after it was told did stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_s: Option<f64>,
    /// `standstill`: how sure, in powers of ten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspicion: Option<f64>,
    /// `gone`: so many times within `within_s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// `unusual`: means over so many seconds are judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_s: Option<f64>,
    /// `unusual-together`: whose signs are taken together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
    /// The condition must have held for so long, in seconds; 0 fires at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_s: Option<f64>,
    /// The condition must have been over for so long, in seconds; 0 resolves at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_for_s: Option<f64>,
    /// The rule holds only while this does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_if: Option<GuardConfig>,
}

/// A condition that must hold besides: on a metric of the same scope, of the VM that the row belongs to, or of the
/// host. While it cannot be read, the rule neither fires nor resolves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardConfig {
    /// The metric.
    pub metric: String,
    /// Holds above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// Holds below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// Holds on these stored values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub is: Vec<i64>,
}

/// How a rule judges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum RuleKind {
    /// A level is passed.
    #[default]
    Threshold = 1,
    /// The value changes by so much within a window.
    Change = 2,
    /// What moved moves no more, or what was read can be read no more.
    Absence = 3,
    /// The value is, or is not, one of some.
    State = 4,
    /// The value is far from what is usual for this very row.
    Baseline = 5,
    /// A VM's process is gone.
    Gone = 6,
    /// A sign: what is unusual for this very row, weighed together with the others. Not told by itself.
    Unusual = 7,
    /// All signs about one VM, or about the host, taken together.
    UnusualTogether = 8,
    /// A resource will be used up.
    Exhaustion = 9,
    /// A counter that should move has stopped.
    Standstill = 10,
}

impl RuleKind {
    /// Every kind, in the order of its number.
    pub const ALL: [Self; 10] = [
        Self::Threshold,
        Self::Change,
        Self::Absence,
        Self::State,
        Self::Baseline,
        Self::Gone,
        Self::Unusual,
        Self::UnusualTogether,
        Self::Exhaustion,
        Self::Standstill,
    ];

    /// The lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Threshold => "threshold",
            Self::Change => "change",
            Self::Absence => "absence",
            Self::State => "state",
            Self::Baseline => "baseline",
            Self::Gone => "gone",
            Self::Unusual => "unusual",
            Self::UnusualTogether => "unusual-together",
            Self::Exhaustion => "exhaustion",
            Self::Standstill => "standstill",
        }
    }
}

/// Whether values or rates are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Of {
    /// The value itself.
    Value,
    /// Its growth per second, between two readings of its source.
    Rate,
}

/// Whose signs an `unusual-together` rule takes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// Those of each VM, its vCPUs, interfaces and disks.
    Vm,
    /// Those of the host, and what most of its VMs show at once.
    Host,
}

/// What an `absence` rule misses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// It can be read, and moved once, but stands still.
    #[default]
    Movement,
    /// It could be read once, but no longer.
    Value,
}

/// Which deviation from a baseline counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Above it.
    #[default]
    Above,
    /// Below it.
    Below,
    /// Either.
    Both,
}

/// A rule that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The rule's name.
    pub rule: String,
    /// The key that is wrong, if it is one.
    pub key: Option<&'static str>,
    /// Whether it is the name in `rules_off` that is wrong.
    pub off: bool,
    /// What is wrong, and the cure.
    pub message: String,
}

impl std::fmt::Display for RuleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = if self.off { "rules_off" } else { "rule" };
        write!(f, "{what} {:?}: ", self.rule)?;
        f.write_str(&self.message)
    }
}

impl std::error::Error for RuleError {}

/// A rule, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// Its name.
    pub name: String,
    /// How bad it is when it fires.
    pub severity: Severity,
    /// What it watches.
    pub scope: Scope,
    /// How it judges.
    pub kind: RuleKind,
    /// The metric it looks at; empty for `gone` and `unusual-together`.
    pub metric: String,
    /// Why it is there.
    pub description: String,
    /// Whether it is in force, or switched off.
    pub enabled: bool,
    /// Whether it is shipped, and not configured.
    pub shipped: bool,
}
