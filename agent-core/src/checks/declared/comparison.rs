//! How a fact's value is compared: the closed set of comparisons of the language of conditions.

use super::truth::Truth;
use crate::checks::fact::{Unavailable, Value, number};
use crate::checks::pattern::like;
use serde::Deserialize;
use std::fmt;

/// One comparison of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal to this.
    Eq(Operand),
    /// Other than this.
    Ne(Operand),
    /// One of these.
    In(Box<[Operand]>),
    /// None of these.
    NotIn(Box<[Operand]>),
    /// At least this number.
    Ge(i64),
    /// At most this number.
    Le(i64),
    /// A number in which none of these bits is set.
    BitsClear(i64),
    /// Contains this text.
    Contains(Box<str>),
    /// Contains none of these texts.
    ContainsNot(Box<[Box<str>]>),
    /// Like one of these patterns, in which `*` stands for anything.
    Like(Box<[Box<str>]>),
    /// Like none of these patterns.
    Unlike(Box<[Box<str>]>),
    /// A list that has all of these items.
    Has(Box<[Box<str>]>),
    /// A list that has none of these items (patterns with `*`).
    Lacks(Box<[Box<str>]>),
    /// A list that has no other items than these (patterns with `*`).
    Within(Box<[Box<str>]>),
    /// A list, map or text that is, or is not, empty.
    Empty(bool),
    /// The fact is there, or is absent.
    Present(bool),
}

/// A number or a text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Operand {
    /// Compared as a number.
    Int(i64),
    /// Compared as a text, upper and lower case apart.
    Text(Box<str>),
}

impl Operand {
    fn matches(&self, item: &str) -> bool {
        match self {
            Self::Int(wanted) => number(item) == Some(*wanted),
            Self::Text(wanted) => **wanted == *item.trim(),
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

impl Comparison {
    /// Whether it holds for a fact's value.
    pub(super) fn holds(&self, key: &str, value: &Value) -> Truth {
        let whole = |holds: bool| Truth::of(holds, || format!("{key} is {value}"));
        match self {
            Self::Has(wanted) => {
                let items = value.items();
                let missing: Vec<&str> = wanted
                    .iter()
                    .map(|item| &**item)
                    .filter(|item| !items.iter().any(|known| known == item))
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
            Self::Contains(text) => item.contains(&**text),
            Self::ContainsNot(texts) => !texts.iter().any(|text| item.contains(&**text)),
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

impl fmt::Display for Comparison {
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
