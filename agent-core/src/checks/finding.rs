//! What a rule found on one subject: a verdict for each facet, with what it stands on.

use super::declared::rule::{Facet, Severity};
use super::fact::{Fact, Unavailable};
use super::vm::Vm;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// What a rule came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Verdict {
    /// The rule makes no sense here.
    NotApplicable = 1,
    /// It is as it should be.
    Pass = 2,
    /// It could not be read; the reason says why.
    Unknown = 3,
    /// The rule itself is broken.
    Error = 4,
    /// It is not as it should be.
    Fail = 5,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 5] = [Self::NotApplicable, Self::Pass, Self::Unknown, Self::Error, Self::Fail];

    /// The lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotApplicable => "not-applicable",
            Self::Pass => "pass",
            Self::Unknown => "unknown",
            Self::Error => "error",
            Self::Fail => "fail",
        }
    }
}

/// What was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The host.
    Host,
    /// A VM.
    Vm(Arc<Vm>),
}

impl Subject {
    /// The VM, if it is one.
    #[must_use]
    pub fn vm(&self) -> Option<&Arc<Vm>> {
        match self {
            Self::Host => None,
            Self::Vm(vm) => Some(vm),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Vm(vm) => write!(f, "{vm}"),
        }
    }
}

/// The verdict of one facet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which facet.
    pub facet: Facet,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in a few words with the values; empty when it passes.
    pub reason: Box<str>,
    /// Why it is unknown, as one word (see [`Unavailable::name`]); empty otherwise.
    pub unknown_why: &'static str,
    /// The facts it stands on, in the order they were looked at.
    pub evidence: Box<[Arc<Fact>]>,
}

/// An overlay by somebody who answers for it. It never hides the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waived {
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Until when, `YYYY-MM-DD`.
    pub expires: String,
}

/// What a rule found on one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name.
    pub rule: Arc<str>,
    /// How bad it is when it fails.
    pub severity: Severity,
    /// What was looked at.
    pub subject: Subject,
    /// A verdict for each facet; empty when the rule does not apply or is broken.
    pub outcomes: Box<[Outcome]>,
    /// Why it does not apply, cannot be said to, or is broken.
    pub note: Box<str>,
    /// The worst verdict of the facets.
    pub verdict: Verdict,
    /// Who lets it pass, and until when.
    pub waived: Option<Box<Waived>>,
    /// When it was first seen, in nanoseconds since the epoch.
    pub first_seen_ns: i64,
    /// When its verdict or what it stands on last changed.
    pub changed_at_ns: i64,
    /// What it was before that: the verdict, and what was observed. `None` when it never changed.
    pub changed_from: Option<Box<(Verdict, String)>>,
    /// How often its verdict has changed.
    pub flaps: u32,
}

impl Finding {
    /// What was observed, as one line: what a waiver is pinned to, and what a drift shows.
    #[must_use]
    pub fn observed(&self) -> String {
        let mut shown: Vec<String> = Vec::new();
        for fact in self.outcomes.iter().flat_map(|outcome| &*outcome.evidence) {
            let one = format!("{}={}", fact.key, fact.shown());
            if !shown.contains(&one) {
                shown.push(one);
            }
        }
        shown.join("; ")
    }

    /// Why, over all facets that have the worst verdict.
    #[must_use]
    pub fn reason(&self) -> String {
        let mut reasons: Vec<&str> = Vec::new();
        for outcome in self.outcomes.iter().filter(|outcome| outcome.verdict == self.verdict) {
            // Both facets often fail for the same reason.
            if !outcome.reason.is_empty() && !reasons.contains(&&*outcome.reason) {
                reasons.push(&outcome.reason);
            }
        }
        if reasons.is_empty() { self.note.to_string() } else { reasons.join("; ") }
    }

    /// The names of the facts it stands on, as other tools' verdicts are compared by.
    pub fn fact_keys(&self) -> impl Iterator<Item = &str> {
        self.outcomes.iter().flat_map(|outcome| &*outcome.evidence).map(|fact| &*fact.key)
    }

    /// Whether somebody should act: it fails or is broken, and nobody lets it pass.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.verdict, Verdict::Fail | Verdict::Error) && self.waived.is_none()
    }

    /// Whether it says the same as another on the same subject.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.verdict == other.verdict
            && self.note == other.note
            && self.outcomes.len() == other.outcomes.len()
            && self.outcomes.iter().zip(&*other.outcomes).all(|(a, b)| {
                a.verdict == b.verdict
                    && a.reason == b.reason
                    && a.evidence.len() == b.evidence.len()
                    && a.evidence
                        .iter()
                        .zip(&*b.evidence)
                        .all(|(a, b)| Arc::ptr_eq(a, b) || (a.key == b.key && a.same(b)))
            })
    }
}

/// Why it is not known, as a text.
#[must_use]
pub fn unknown(key: &str, why: &Unavailable) -> String {
    format!("{key}: {why}")
}
