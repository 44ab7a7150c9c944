//! All patterns of closed incidents, host-wide and of each tenant.

use super::incident::Incident;
use super::sessions::{Session, Sessions};
use super::{bursts, pairs, periods};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What is looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Incidents of one VM that follow each other within this time belong together.
    pub gap_ns: u64,
    /// The fewest times something must have happened.
    pub support_min: usize,
    /// The least dependence of two causes on each other: of the sessions with either, the share that has both.
    pub dependence_min: f64,
    /// The share of the candidates that may be expected to be chance.
    pub false_discovery_rate: f64,
    /// How long after its last occurrence a candidate is worth keeping.
    pub keep_ns: u64,
    /// Counter-examples that are told.
    pub examples_max: usize,
}

impl Default for Settings {
    /// Ten minutes; 3 times; 0.6; 5 %; 180 days; 5.
    fn default() -> Self {
        const DAY_NS: u64 = 86_400_000_000_000;
        Self {
            gap_ns: 600_000_000_000,
            support_min: 3,
            dependence_min: 0.6,
            false_discovery_rate: 0.05,
            keep_ns: 180 * DAY_NS,
            examples_max: 5,
        }
    }
}

/// Whose incidents a pattern is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// All of the host's.
    Host,
    /// One tenant's.
    Tenant(String),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Pattern {
    /// Causes that come together on a VM.
    Chain {
        /// In the order in which they mostly come.
        causes: Vec<String>,
        /// How often they came in this order.
        in_order: usize,
        /// The time from the first to the last, half of the times.
        lag_median_ns: u64,
        /// The same, nine times of ten.
        lag_most_ns: u64,
    },
    /// A cause that comes in bursts.
    Burst {
        /// The cause.
        cause: String,
        /// The most within one window.
        most: usize,
        /// The window.
        window_ns: u64,
        /// How many bursts there were.
        bursts: usize,
    },
    /// A cause that comes by the clock.
    Period {
        /// The cause.
        cause: String,
        /// How often.
        period_ns: u64,
        /// When within the period, counted from the epoch.
        phase_ns: u64,
    },
}

/// A rule that a person may accept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Whose incidents it is of.
    pub scope: Scope,
    /// What it says.
    pub pattern: Pattern,
    /// How often it was so.
    pub support: usize,
    /// How often it might have been: sessions in which a chain began, incidents of the cause.
    pub tried: usize,
    /// How strong it is, from 0 to 1: the least dependence within a chain, the share of incidents in bursts, how well the
    /// times agree.
    pub dependence: f64,
    /// How likely it is by chance, before it is taken into account how many patterns were tried.
    pub p: f64,
    /// When it was not so, the latest first.
    pub counter_examples_ns: Vec<u64>,
    /// When it was so last.
    pub last_ns: u64,
    /// When it is forgotten, unless it is seen again.
    pub expires_ns: u64,
}

/// Finds the patterns of incidents that were closed as true positives. Of all candidates that come back, a share of
/// [`Settings::false_discovery_rate`] is expected to be chance at most, if incidents are independent otherwise: a time in
/// which everything fails at once makes everything depend on everything.
#[must_use]
pub fn mine(incidents: &[Incident], settings: &Settings) -> Vec<Candidate> {
    let sessions = Sessions::of(incidents, settings.gap_ns);
    let mut groups: BTreeMap<Scope, Vec<&Session>> = BTreeMap::new();
    for session in &sessions.all {
        let tenant = sessions.tenants[session.tenant];
        groups.entry(Scope::Host).or_default().push(session);
        // The host's own incidents are no tenant's.
        if !tenant.is_empty() && sessions.tenants.len() > 1 {
            groups.entry(Scope::Tenant(tenant.to_owned())).or_default().push(session);
        }
    }
    // Three kinds of patterns, the host and its tenants: each family of tests has its share of the rate.
    let families = if groups.len() > 1 { groups.len() * 2 } else { 1 };
    let mut found = Vec::new();
    for (scope, of) in &groups {
        // Half of it for the host, the other half for all tenants.
        let share = match scope {
            Scope::Host if families > 1 => 0.5,
            Scope::Host => 1.0,
            Scope::Tenant(_) => 1.0 / super::stats::as_f64(families),
        };
        let rate = settings.false_discovery_rate * share / 3.0;
        let mut times: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for (at_ns, cause) in of.iter().flat_map(|session| &session.events) {
            times.entry(sessions.causes[*cause]).or_default().push(*at_ns);
        }
        for times in times.values_mut() {
            times.sort_unstable();
        }
        let first = times.values().filter_map(|times| times.first()).min().copied().unwrap_or(0);
        let last = times.values().filter_map(|times| times.last()).max().copied().unwrap_or(0);
        found.extend(pairs::chains(&sessions, of, scope, settings, rate));
        found.extend(bursts::bursts(&times, last - first, scope, settings, rate));
        found.extend(periods::periods(&times, scope, settings, rate));
    }
    found
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("the host"),
            Self::Tenant(tenant) => write!(f, "tenant {tenant}"),
        }
    }
}

impl fmt::Display for Candidate {
    /// One sentence that a person can judge by.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = |ns: u64| ns.div_ceil(60_000_000_000);
        write!(f, "On {}, ", self.scope)?;
        match &self.pattern {
            Pattern::Chain { causes, in_order, lag_most_ns, .. } => write!(
                f,
                "{} come together within {} min: {} of {} times ({in_order} in this order)",
                causes.join(", then "),
                minutes(*lag_most_ns),
                self.support,
                self.tried
            ),
            Pattern::Burst { cause, most, window_ns, bursts } => write!(
                f,
                "{cause} comes in bursts: up to {most} within {} min, {bursts} bursts, {} of {} incidents in them",
                minutes(*window_ns),
                self.support,
                self.tried
            ),
            Pattern::Period { cause, period_ns, phase_ns } => write!(
                f,
                "{cause} comes every {} min, {} min after the full period: {} of {} times",
                minutes(*period_ns),
                phase_ns / 60_000_000_000,
                self.support,
                self.tried
            ),
        }
    }
}
