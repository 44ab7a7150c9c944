//! One rule's declaration.

use super::condition::Condition;
use crate::checks::pattern::like;
use serde::{Deserialize, Deserializer, Serialize};
use std::sync::Arc;

/// One rule. Its conditions compare facts; `when` decides whether it applies at all.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// Its stable name, `group.what`: lower case, digits and dashes. Every finding of it has it.
    #[serde(deserialize_with = "shared")]
    pub id: Arc<str>,
    /// What is right, in a few words.
    pub title: Box<str>,
    /// How bad it is when it is not.
    pub severity: Severity,
    /// What it looks at.
    #[serde(default)]
    pub scope: Scope,
    /// Patterns of the facts it is about, where it also looks at others to judge them; all of them when empty. Other
    /// tools' verdicts are compared by these.
    #[serde(default)]
    pub about: Box<[Box<str>]>,
    /// It applies only where this holds.
    pub when: Option<Condition>,
    /// What the running kernel or process must do.
    pub runtime: Option<Condition>,
    /// What must be so after the next boot or start.
    pub persisted: Option<Condition>,
    /// What is expected, for conditions that are code.
    #[serde(default)]
    pub expected: Box<str>,
    /// Why it matters.
    pub rationale: Box<str>,
    /// How it is put right.
    pub remediation: Box<str>,
    /// Where it comes from: standards, benchmarks, manuals; X.1601's clause.
    #[serde(default)]
    pub references: Box<[Box<str>]>,
}

/// How bad it is when a rule fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Severity {
    /// Worth knowing.
    Info = 1,
    /// One barrier of several is thinner than it should be.
    Low = 2,
    /// A barrier is missing that others still back up.
    Medium = 3,
    /// A guest or a user is one flaw away from the host or from another guest.
    High = 4,
    /// The isolation that was promised is not there.
    Critical = 5,
}

impl Severity {
    /// Every severity, the mildest first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Scope {
    /// The host, once.
    #[default]
    Host = 1,
    /// Each VM by itself.
    Vm = 2,
    /// Each VM beside all others: what two of them must not share.
    Vms = 3,
}

impl Scope {
    /// The lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Vm => "vm",
            Self::Vms => "vms",
        }
    }
}

/// What a verdict speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Facet {
    /// What the running kernel or process does.
    Runtime = 0,
    /// What will be after the next boot or start.
    Persisted = 1,
}

impl Facet {
    /// The lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Persisted => "persisted",
        }
    }
}

impl Rule {
    /// The part of the name before the dot.
    #[must_use]
    pub fn group(&self) -> &str {
        self.id.split_once('.').map_or(&*self.id, |(group, _)| group)
    }

    /// Its conditions, each with the facet it speaks of.
    pub fn facets(&self) -> impl Iterator<Item = (Facet, &Condition)> {
        let runtime = self.runtime.iter().map(|condition| (Facet::Runtime, condition));
        runtime.chain(self.persisted.iter().map(|condition| (Facet::Persisted, condition)))
    }

    /// Every condition it has.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.when.iter().chain(&self.runtime).chain(&self.persisted)
    }

    /// What is expected of a facet, in words.
    #[must_use]
    pub fn expectation(&self, facet: Facet) -> String {
        let condition = match facet {
            Facet::Runtime => &self.runtime,
            Facet::Persisted => &self.persisted,
        };
        match condition {
            Some(condition) if self.expected.is_empty() => condition.to_string(),
            Some(_) => self.expected.to_string(),
            None => String::new(),
        }
    }

    /// Whether it is about a fact that it looked at.
    #[must_use]
    pub fn is_about(&self, key: &str) -> bool {
        self.about.is_empty() || self.about.iter().any(|pattern| like(pattern, key))
    }

    /// What is wrong with the declaration: the key, and what about it.
    #[must_use]
    pub fn mistake(&self, codes: &dyn Fn(&str) -> bool) -> Option<(&'static str, String)> {
        let word = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if self.id.len() > 48 || self.id.split('.').count() != 2 || !self.id.split('.').all(word) {
            return Some((
                "id",
                format!(
                    "{:?} is not group.name in lower case, digits and dashes, of at most 48 bytes",
                    self.id
                ),
            ));
        }
        if self.runtime.is_none() && self.persisted.is_none() {
            return Some(("runtime", "a rule needs `runtime` or `persisted`: what is expected".to_owned()));
        }
        for (key, text) in
            [("title", &self.title), ("rationale", &self.rationale), ("remediation", &self.remediation)]
        {
            if text.trim().is_empty() {
                return Some((key, format!("`{key}` is empty")));
            }
        }
        for (key, condition) in
            [("when", &self.when), ("runtime", &self.runtime), ("persisted", &self.persisted)]
        {
            let Some(condition) = condition else { continue };
            if let Some(mistake) = condition.mistake() {
                return Some((key, mistake));
            }
            for code in condition.codes() {
                if !codes(code) {
                    return Some((key, format!("there is no reasoning named {code:?} in this version")));
                }
                if key != "when" && self.expected.is_empty() {
                    return Some((
                        "expected",
                        "a rule judged by code needs `expected`: what is right, in words".to_owned(),
                    ));
                }
            }
            if self.scope == Scope::Host && condition.facts().iter().any(|fact| fact.starts_with("vm.")) {
                return Some((key, "facts of a VM (`vm.`) need scope = \"vm\" or \"vms\"".to_owned()));
            }
        }
        None
    }
}

fn shared<'de, D: Deserializer<'de>>(text: D) -> Result<Arc<str>, D::Error> {
    String::deserialize(text).map(Arc::from)
}
