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

use super::truth::Truth;
use crate::checks::case::Case;
use crate::checks::fact::{Fact, Unavailable, Value, number};
use crate::checks::pattern::like;
use serde::Deserialize;
use std::fmt;

/// One condition, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Condition {
    /// All of these must hold.
    pub all: Vec<Condition>,
    /// One of these must hold.
    pub any: Vec<Condition>,
    /// This must not hold.
    pub not: Option<Box<Condition>>,
    /// A compiled-in reasoning that must hold.
    pub code: Option<String>,
    /// The fact that is compared.
    pub fact: Option<String>,
    /// What it means that the fact is absent; unknown unless said otherwise.
    pub absent: Absent,
    /// Equal to this.
    pub eq: Option<Operand>,
    /// Other than this.
    pub ne: Option<Operand>,
    /// One of these.
    #[serde(rename = "in")]
    pub one_of: Vec<Operand>,
    /// None of these.
    pub not_in: Vec<Operand>,
    /// At least this number.
    pub ge: Option<i64>,
    /// At most this number.
    pub le: Option<i64>,
    /// A number in which none of these bits is set.
    pub bits_clear: Option<i64>,
    /// Contains this text.
    pub contains: Option<String>,
    /// Does not contain this text.
    pub contains_not: Vec<String>,
    /// Like one of these patterns, in which `*` stands for anything.
    pub like: Vec<String>,
    /// Like none of these patterns.
    pub unlike: Vec<String>,
    /// A list that has all of these items.
    pub has: Vec<String>,
    /// A list that has none of these items (patterns with `*`).
    pub lacks: Vec<String>,
    /// A list that has no other items than these (patterns with `*`).
    pub within: Vec<String>,
    /// A list, map or text that is, or is not, empty.
    pub empty: Option<bool>,
    /// The fact is there, or is absent.
    pub present: Option<bool>,
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

/// A number or a text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Operand {
    /// Compared as a number.
    Int(i64),
    /// Compared as a text, upper and lower case apart.
    Text(String),
}

impl Operand {
    fn matches(&self, item: &str) -> bool {
        match self {
            Self::Int(wanted) => number(item) == Some(*wanted),
            Self::Text(wanted) => wanted == item.trim(),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "\"{text}\""),
        }
    }
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
        let comparisons = self.comparisons().len();
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
        let value = match (&fact.value, self.present) {
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
        Truth::all(self.comparisons().into_iter().map(|comparison| comparison.holds(key, value)))
    }

    fn comparisons(&self) -> Vec<Comparison<'_>> {
        use Comparison as C;
        let mut found = Vec::new();
        found.extend(self.eq.as_ref().map(C::Eq));
        found.extend(self.ne.as_ref().map(C::Ne));
        found.extend((!self.one_of.is_empty()).then_some(C::In(&self.one_of)));
        found.extend((!self.not_in.is_empty()).then_some(C::NotIn(&self.not_in)));
        found.extend(self.ge.map(C::Ge));
        found.extend(self.le.map(C::Le));
        found.extend(self.bits_clear.map(C::BitsClear));
        found.extend(self.contains.as_deref().map(C::Contains));
        found.extend((!self.contains_not.is_empty()).then_some(C::ContainsNot(&self.contains_not)));
        found.extend((!self.like.is_empty()).then_some(C::Like(&self.like)));
        found.extend((!self.unlike.is_empty()).then_some(C::Unlike(&self.unlike)));
        found.extend((!self.has.is_empty()).then_some(C::Has(&self.has)));
        found.extend((!self.lacks.is_empty()).then_some(C::Lacks(&self.lacks)));
        found.extend((!self.within.is_empty()).then_some(C::Within(&self.within)));
        found.extend(self.empty.map(C::Empty));
        found.extend(self.present.map(C::Present));
        found
    }
}

/// One comparison of one value.
enum Comparison<'c> {
    Eq(&'c Operand),
    Ne(&'c Operand),
    In(&'c [Operand]),
    NotIn(&'c [Operand]),
    Ge(i64),
    Le(i64),
    BitsClear(i64),
    Contains(&'c str),
    ContainsNot(&'c [String]),
    Like(&'c [String]),
    Unlike(&'c [String]),
    Has(&'c [String]),
    Lacks(&'c [String]),
    Within(&'c [String]),
    Empty(bool),
    Present(bool),
}

impl Comparison<'_> {
    fn holds(&self, key: &str, value: &Value) -> Truth {
        let whole = |holds: bool| Truth::of(holds, || format!("{key} is {value}"));
        match self {
            Self::Has(wanted) => {
                let items = value.items();
                let missing: Vec<&str> = wanted
                    .iter()
                    .map(String::as_str)
                    .filter(|item| !items.iter().any(|i| i == item))
                    .collect();
                Truth::of(missing.is_empty(), || format!("{key} lacks {}", missing.join(", ")))
            }
            Self::Lacks(patterns) => named(key, "has", value, |item| patterns.iter().any(|p| like(p, item))),
            Self::Within(patterns) => {
                named(key, "has", value, |item| !patterns.iter().any(|p| like(p, item)))
            }
            Self::Empty(wanted) => whole(value.is_empty() == *wanted),
            Self::Present(_) => Truth::Holds,
            _ => self.each(key, value),
        }
    }

    /// Every item must agree.
    fn each(&self, key: &str, value: &Value) -> Truth {
        let items = value.items();
        if items.is_empty() {
            let why = "there is nothing to compare".to_owned();
            return Truth::Unknown(key.to_owned(), Unavailable::NotExposed(why));
        }
        let mut wrong = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match self.agrees(item.trim()) {
                Some(true) => {}
                Some(false) => wrong.push(match value.map() {
                    Some(map) => format!("{}={item}", map[index].0),
                    None => item.to_string(),
                }),
                None => {
                    let why = format!("\"{item}\" is no number");
                    return Truth::Unknown(key.to_owned(), Unavailable::Malformed(why));
                }
            }
        }
        Truth::of(wrong.is_empty(), || format!("{key} is {}", Value::List(wrong)))
    }

    /// `None` when a number is wanted and the item is none.
    fn agrees(&self, item: &str) -> Option<bool> {
        Some(match self {
            Self::Eq(wanted) => wanted.matches(item),
            Self::Ne(wanted) => !wanted.matches(item),
            Self::In(wanted) => wanted.iter().any(|wanted| wanted.matches(item)),
            Self::NotIn(wanted) => !wanted.iter().any(|wanted| wanted.matches(item)),
            Self::Ge(least) => number(item)? >= *least,
            Self::Le(most) => number(item)? <= *most,
            Self::BitsClear(bits) => number(item)? & bits == 0,
            Self::Contains(text) => item.contains(text),
            Self::ContainsNot(texts) => !texts.iter().any(|text| item.contains(text.as_str())),
            Self::Like(patterns) => patterns.iter().any(|pattern| like(pattern, item)),
            Self::Unlike(patterns) => !patterns.iter().any(|pattern| like(pattern, item)),
            Self::Has(_) | Self::Lacks(_) | Self::Within(_) | Self::Empty(_) | Self::Present(_) => true,
        })
    }
}

/// The items that are wrong, by name where they have one.
fn named(key: &str, verb: &str, value: &Value, wrong: impl Fn(&str) -> bool) -> Truth {
    let found: Vec<String> = match value {
        Value::Map(map) => {
            map.iter().filter(|(_, item)| wrong(item)).map(|(name, item)| format!("{name}={item}")).collect()
        }
        other => other.items().iter().filter(|item| wrong(item)).map(ToString::to_string).collect(),
    };
    Truth::of(found.is_empty(), || format!("{key} {verb} {}", Value::List(found)))
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
            let comparisons: Vec<String> = self.comparisons().iter().map(ToString::to_string).collect();
            let absent = match self.absent {
                Absent::Pass => ", or is not there",
                _ => "",
            };
            parts.push(format!("{key} {}{absent}", comparisons.join(" and ")));
        }
        f.write_str(&parts.join(" and "))
    }
}

impl fmt::Display for Comparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T: fmt::Display>(items: &[T]) -> String {
            items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        match self {
            Self::Eq(wanted) => write!(f, "is {wanted}"),
            Self::Ne(wanted) => write!(f, "is not {wanted}"),
            Self::In(wanted) => write!(f, "is one of {}", list(wanted)),
            Self::NotIn(wanted) => write!(f, "is none of {}", list(wanted)),
            Self::Ge(least) => write!(f, "is at least {least}"),
            Self::Le(most) => write!(f, "is at most {most}"),
            Self::BitsClear(bits) => write!(f, "has none of the bits 0x{bits:x}"),
            Self::Contains(text) => write!(f, "contains \"{text}\""),
            Self::ContainsNot(texts) => write!(f, "contains none of {}", list(texts)),
            Self::Like(patterns) => write!(f, "is like {}", list(patterns)),
            Self::Unlike(patterns) => write!(f, "is not like {}", list(patterns)),
            Self::Has(wanted) => write!(f, "has {}", list(wanted)),
            Self::Lacks(patterns) => write!(f, "has none of {}", list(patterns)),
            Self::Within(patterns) => write!(f, "has only {}", list(patterns)),
            Self::Empty(true) => f.write_str("is empty"),
            Self::Empty(false) => f.write_str("is not empty"),
            Self::Present(true) => f.write_str("is there"),
            Self::Present(false) => f.write_str("is not there"),
        }
    }
}
