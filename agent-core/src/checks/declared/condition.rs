//! The language of conditions: a closed set of comparisons of facts, combined by all, any and not.
//!
//! ```toml
//! runtime = { fact = "sysctl:kernel.kptr_restrict", in = [1, 2], absent = "fail" }
//! when = { all = [{ fact = "vms.tenants", ge = 2 }, { fact = "smt:active", eq = 1 }] }
//! runtime = { code = "shared-writable-image" }
//! ```
//! A fact that is a list or a map is compared item by item, and every item must agree; over none at all, which can
//! mean that nothing was seen, a comparison is unknown and not true. `has`, `lacks`, `within` and `empty` look at the
//! list as a whole.

use super::comparison::{Comparison, Operand};
use super::truth::Truth;
use crate::checks::case::Case;
use crate::checks::fact::{Fact, Unavailable};
use serde::Deserialize;
use std::fmt;

/// One condition.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "Written")]
pub struct Condition {
    /// All of these must hold.
    pub all: Box<[Condition]>,
    /// One of these must hold.
    pub any: Box<[Condition]>,
    /// This must not hold.
    pub not: Option<Box<Condition>>,
    /// A compiled-in reasoning that must hold.
    pub code: Option<Box<str>>,
    /// The fact that is compared.
    pub fact: Option<Box<str>>,
    /// What it means that the fact is absent; unknown unless said otherwise.
    pub absent: Absent,
    /// How it is compared: all of these must hold.
    pub comparisons: Box<[Comparison]>,
}

/// A condition as it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Written {
    all: Vec<Condition>,
    any: Vec<Condition>,
    not: Option<Box<Condition>>,
    code: Option<Box<str>>,
    fact: Option<Box<str>>,
    absent: Absent,
    eq: Option<Operand>,
    ne: Option<Operand>,
    #[serde(rename = "in")]
    one_of: Vec<Operand>,
    not_in: Vec<Operand>,
    ge: Option<i64>,
    le: Option<i64>,
    bits_clear: Option<i64>,
    contains: Option<Box<str>>,
    contains_not: Vec<Box<str>>,
    like: Vec<Box<str>>,
    unlike: Vec<Box<str>>,
    has: Vec<Box<str>>,
    lacks: Vec<Box<str>>,
    within: Vec<Box<str>>,
    empty: Option<bool>,
    present: Option<bool>,
}

impl From<Written> for Condition {
    fn from(written: Written) -> Self {
        use Comparison as C;
        fn several<T>(items: Vec<T>, comparison: fn(Box<[T]>) -> C) -> Option<C> {
            (!items.is_empty()).then(|| comparison(items.into()))
        }
        let comparisons = [
            written.eq.map(C::Eq),
            written.ne.map(C::Ne),
            several(written.one_of, C::In),
            several(written.not_in, C::NotIn),
            written.ge.map(C::Ge),
            written.le.map(C::Le),
            written.bits_clear.map(C::BitsClear),
            written.contains.map(C::Contains),
            several(written.contains_not, C::ContainsNot),
            several(written.like, C::Like),
            several(written.unlike, C::Unlike),
            several(written.has, C::Has),
            several(written.lacks, C::Lacks),
            several(written.within, C::Within),
            written.empty.map(C::Empty),
            written.present.map(C::Present),
        ];
        Self {
            all: written.all.into(),
            any: written.any.into(),
            not: written.not,
            code: written.code,
            fact: written.fact,
            absent: written.absent,
            comparisons: comparisons.into_iter().flatten().collect(),
        }
    }
}

/// What it means that a fact is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Absent {
    /// It is not known whether the condition holds.
    #[default]
    Unknown,
    /// The condition holds: what is not there can do no harm.
    Pass,
    /// The condition fails: what protects is not there.
    Fail,
    /// The condition makes no sense.
    NotApplicable,
}

impl Condition {
    /// Judges it for one case.
    #[must_use]
    pub fn judge(&self, case: &Case<'_>) -> Truth {
        let mut parts = Vec::new();
        if !self.all.is_empty() {
            parts.push(Truth::all(self.all.iter().map(|part| part.judge(case))));
        }
        if !self.any.is_empty() {
            parts.push(Truth::any(self.any.iter().map(|part| part.judge(case))));
        }
        if let Some(part) = &self.not {
            parts.push(part.judge(case).not(|| format!("{part}, and must not")));
        }
        if let Some(name) = &self.code {
            parts.push(case.reason(name));
        }
        if let Some(key) = &self.fact {
            parts.push(self.compare(&case.fact(key)));
        }
        Truth::all(parts)
    }

    /// Every fact it names, in the order they are written.
    #[must_use]
    pub fn facts(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.walk(&mut |part| found.extend(part.fact.as_deref()));
        found
    }

    /// Every reasoning it names.
    #[must_use]
    pub fn codes(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.walk(&mut |part| found.extend(part.code.as_deref()));
        found
    }

    fn walk<'c>(&'c self, visit: &mut dyn FnMut(&'c Self)) {
        visit(self);
        for part in self.all.iter().chain(&self.any).chain(self.not.as_deref()) {
            part.walk(visit);
        }
    }

    /// What is wrong with how it is written, if something is.
    #[must_use]
    pub fn mistake(&self) -> Option<String> {
        let comparisons = self.comparisons.len();
        let mut mistake = None;
        if self.fact.is_some() && comparisons == 0 {
            mistake =
                Some("`fact` needs a comparison: eq, in, ge, le, like, has, lacks, present, ...".to_owned());
        }
        if self.fact.is_none() && comparisons > 0 {
            mistake = Some("a comparison needs the `fact` it looks at".to_owned());
        }
        if self.fact.is_none()
            && self.code.is_none()
            && self.all.is_empty()
            && self.any.is_empty()
            && self.not.is_none()
        {
            mistake = Some("a condition needs `fact`, `code`, `all`, `any` or `not`".to_owned());
        }
        let parts = self.all.iter().chain(&self.any).chain(self.not.as_deref());
        mistake.or_else(|| parts.into_iter().find_map(Self::mistake))
    }

    fn compare(&self, fact: &Fact) -> Truth {
        let key = &fact.key;
        let presence = self.comparisons.iter().find_map(|comparison| match comparison {
            Comparison::Present(wanted) => Some(*wanted),
            _ => None,
        });
        let value = match (&fact.value, presence) {
            (Err(Unavailable::Absent), Some(wanted)) => {
                return Truth::of(!wanted, || format!("{key} is not there"));
            }
            (Err(Unavailable::Absent), None) => {
                return match self.absent {
                    Absent::Unknown => Truth::Unknown(key.to_string(), Unavailable::Absent),
                    Absent::Pass => Truth::Holds,
                    Absent::Fail => Truth::Fails(format!("{key} is not there")),
                    Absent::NotApplicable => Truth::NotApplicable(format!("{key} is not there")),
                };
            }
            (Err(why), _) => return Truth::Unknown(key.to_string(), why.clone()),
            (Ok(_), Some(false)) => return Truth::Fails(format!("{key} is there: {}", fact.shown())),
            (Ok(value), _) => value,
        };
        Truth::all(self.comparisons.iter().map(|comparison| comparison.holds(key, value)))
    }
}

impl fmt::Display for Condition {
    /// As a person would say it: `sysctl:kernel.kptr_restrict is one of 1, 2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        let joined = |conditions: &[Self], word: &str| {
            let shown: Vec<String> = conditions.iter().map(ToString::to_string).collect();
            if shown.len() > 1 { format!("({})", shown.join(word)) } else { shown.concat() }
        };
        if !self.all.is_empty() {
            parts.push(joined(&self.all, " and "));
        }
        if !self.any.is_empty() {
            parts.push(joined(&self.any, " or "));
        }
        if let Some(part) = &self.not {
            parts.push(format!("not ({part})"));
        }
        if let Some(name) = &self.code {
            parts.push(name.replace('-', " "));
        }
        if let Some(key) = &self.fact {
            let comparisons: Vec<String> = self.comparisons.iter().map(ToString::to_string).collect();
            let absent = match self.absent {
                Absent::Pass => ", or is not there",
                _ => "",
            };
            parts.push(format!("{key} {}{absent}", comparisons.join(" and ")));
        }
        f.write_str(&parts.join(" and "))
    }
}
