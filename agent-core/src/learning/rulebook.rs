//! Candidates that a person accepted: what they warn of, how often that came true, and when they are retired.

use super::incident::Incident;
use super::mine::{Candidate, Pattern, Scope};
use super::stats::as_f64;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Rules that are kept.
const RULES_MAX: usize = 1_024;
/// Warnings of one rule that are waiting to come true or not.
const PENDING_MAX: usize = 256;
/// The quantile of the normal distribution for a one-sided 95 %.
const Z95: f64 = 1.645;

/// How a rule stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleState {
    /// It warns.
    Active,
    /// Its warnings did not come true often enough.
    Retired {
        /// When.
        at_ns: u64,
    },
    /// It has not been seen for too long.
    Expired {
        /// When.
        at_ns: u64,
    },
}

/// What is recorded of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The rule.
    pub candidate: Candidate,
    /// Who accepted it.
    pub accepted_by: String,
    /// When.
    pub accepted_ns: u64,
    /// How it stands.
    pub state: RuleState,
    /// Warnings that came true.
    pub hits: usize,
    /// Warnings that did not.
    pub misses: usize,
    /// Warnings that nothing can be said of, because too many were waiting.
    pub unjudged: usize,
}

/// An early warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The rule.
    pub rule: u64,
    /// On which VM.
    pub vm: String,
    /// What is expected.
    pub expects: String,
    /// By when, if it comes.
    pub by_ns: u64,
}

/// Accepted rules at work.
#[derive(Clone, Debug, Default)]
pub struct RuleBook {
    rules: BTreeMap<u64, (Record, VecDeque<Pending>)>,
    last: u64,
    precision_min: f64,
}

#[derive(Clone, Debug)]
struct Pending {
    vm: String,
    by_ns: u64,
}

impl Record {
    /// The share of judged warnings that came true; `None` before the first was judged.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        let judged = self.hits + self.misses;
        (judged > 0).then(|| as_f64(self.hits) / as_f64(judged))
    }

    /// What the true precision is at most, with 95 % confidence (Wilson's interval).
    #[must_use]
    pub fn precision_at_most(&self) -> f64 {
        let n = as_f64(self.hits + self.misses);
        if n <= 0.0 {
            return 1.0;
        }
        let (share, square) = (as_f64(self.hits) / n, Z95 * Z95);
        let middle = share + square / (2.0 * n);
        let half = Z95 * (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
        ((middle + half) / (1.0 + square / n)).min(1.0)
    }
}

impl RuleBook {
    /// A book that retires a rule when it is certain to 95 % that fewer than this share of its warnings come true.
    #[must_use]
    pub fn new(precision_min: f64) -> Self {
        Self { precision_min, ..Self::default() }
    }

    /// A person accepts a candidate. Its number; `None` when it cannot warn of anything (only chains can), has
    /// expired, or there are 1,024 rules already.
    pub fn accept(&mut self, candidate: Candidate, by: &str, now_ns: u64) -> Option<u64> {
        let warns = matches!(&candidate.pattern, Pattern::Chain { causes, .. } if causes.len() > 1);
        if !warns || candidate.expires_ns <= now_ns || self.rules.len() >= RULES_MAX || by.is_empty() {
            return None;
        }
        self.last += 1;
        let record = Record {
            candidate,
            accepted_by: by.to_owned(),
            accepted_ns: now_ns,
            state: RuleState::Active,
            hits: 0,
            misses: 0,
            unjudged: 0,
        };
        self.rules.insert(self.last, (record, VecDeque::new()));
        Some(self.last)
    }

    /// A person takes a rule back.
    pub fn withdraw(&mut self, rule: u64) -> Option<Record> {
        self.rules.remove(&rule).map(|(record, _)| record)
    }

    /// Every rule, by number.
    pub fn rules(&self) -> impl Iterator<Item = (u64, &Record)> {
        self.rules.iter().map(|(number, (record, _))| (*number, record))
    }

    /// Takes an incident in as it is opened: what it is a sign of, by the rules that are active. Incidents come in the
    /// order of their times.
    pub fn observe(&mut self, incident: &Incident) -> Vec<Warning> {
        self.advance(incident.opened_ns);
        let mut warnings = Vec::new();
        for (number, (record, pending)) in &mut self.rules {
            if record.state != RuleState::Active || !covers(&record.candidate.scope, incident) {
                continue;
            }
            let Pattern::Chain { causes, lag_most_ns, .. } = &record.candidate.pattern else { continue };
            let (Some(first), Some(last)) = (causes.first(), causes.last()) else { continue };
            if *last == incident.cause {
                let before = pending.len();
                pending.retain(|waiting| waiting.vm != incident.vm);
                record.hits += before - pending.len();
            }
            let waits = pending.iter().any(|waiting| waiting.vm == incident.vm);
            if *first == incident.cause && !waits {
                // Twice as long as nine of ten took.
                let by_ns = incident.opened_ns.saturating_add(lag_most_ns.saturating_mul(2).max(1));
                if pending.len() >= PENDING_MAX {
                    pending.pop_front();
                    record.unjudged += 1;
                }
                pending.push_back(Pending { vm: incident.vm.clone(), by_ns });
                warnings.push(Warning {
                    rule: *number,
                    vm: incident.vm.clone(),
                    expects: last.clone(),
                    by_ns,
                });
            }
        }
        warnings
    }

    /// Judges warnings whose time is over, and retires rules.
    pub fn advance(&mut self, now_ns: u64) {
        for (record, pending) in self.rules.values_mut() {
            let before = pending.len();
            pending.retain(|waiting| waiting.by_ns >= now_ns);
            record.misses += before - pending.len();
            if record.state != RuleState::Active {
                continue;
            }
            if record.precision_at_most() < self.precision_min {
                record.state = RuleState::Retired { at_ns: now_ns };
            } else if record.candidate.expires_ns <= now_ns && record.hits == 0 {
                record.state = RuleState::Expired { at_ns: now_ns };
            }
        }
    }
}

fn covers(scope: &Scope, incident: &Incident) -> bool {
    match scope {
        Scope::Host => true,
        Scope::Tenant(tenant) => *tenant == incident.tenant,
    }
}
