//! A fact: something read once from the host, with where it was read and whether it could be.

use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// Bytes of the raw text that are kept as evidence.
pub const RAW_BYTES_MAX: usize = 512;
/// Items of a list or map that are kept; what is beyond makes the fact [`Unavailable::TooMuch`].
pub const ITEMS_MAX: usize = 16_384;

/// What a fact says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A text, its surrounding white space taken off.
    Text(String),
    /// Several texts, in a fixed order.
    List(Vec<String>),
    /// Several named texts, by name: one for each file, interface or thread that a fact covers.
    Map(Vec<(String, String)>),
}

/// Why a fact is not known. None of these is ever taken for a good value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "why", content = "detail")]
pub enum Unavailable {
    /// The place exists, and what was looked for is not in it, or the place itself does not exist.
    Absent,
    /// It may not be read; the text says what would open it.
    Denied(String),
    /// This kernel or this program does not tell it.
    NotExposed(String),
    /// The VM ended while it was looked at.
    Gone,
    /// What was read makes no sense.
    Malformed(String),
    /// There is more than this agent is willing to read.
    TooMuch(String),
    /// Only declared by somebody, and not to be verified.
    DeclaredOnly(String),
    /// Anything else that went wrong while reading.
    Failed(String),
}

/// One fact. What it says is one step away, since VMs that are alike say the same: it is kept once for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its name, such as `sysctl:kernel.kptr_restrict` or `vm.seccomp`.
    pub key: Arc<str>,
    /// Where it was read: a path, `path:line`, or the name of a kernel interface.
    pub source: Arc<str>,
    /// What it says.
    pub said: Arc<Said>,
    /// When it was read, in nanoseconds since the epoch.
    pub read_at_ns: i64,
}

/// What a fact says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The value, or why there is none.
    pub value: Result<Value, Unavailable>,
    /// What was read, bounded and with secrets taken out. Empty when the value says it all.
    pub raw: Box<str>,
}

impl std::ops::Deref for Fact {
    type Target = Said;

    fn deref(&self) -> &Said {
        &self.said
    }
}

/// What a provider found, before it becomes a [`Fact`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it says.
    pub value: Result<Value, Unavailable>,
    /// Where it was read.
    pub source: String,
    /// What was read there.
    pub raw: String,
}

impl Found {
    /// A value and where it was read.
    pub fn value(value: impl Into<Value>, source: impl Into<String>) -> Self {
        Self { value: Ok(value.into()), source: source.into(), raw: String::new() }
    }

    /// Something that could not be read, and where.
    pub fn unavailable(why: Unavailable, source: impl Into<String>) -> Self {
        Self { value: Err(why), source: source.into(), raw: String::new() }
    }

    /// A value or why there is none, and where.
    pub fn either(value: Result<impl Into<Value>, Unavailable>, source: impl Into<String>) -> Self {
        Self { value: value.map(Into::into), source: source.into(), raw: String::new() }
    }

    /// With what was read as evidence, cut to [`RAW_BYTES_MAX`]. Whoever calls this has taken secrets out.
    #[must_use]
    pub fn with_raw(mut self, raw: &str) -> Self {
        raw.trim_end().clone_into(&mut self.raw);
        if self.raw.len() > RAW_BYTES_MAX {
            let mut end = RAW_BYTES_MAX;
            while !self.raw.is_char_boundary(end) {
                end -= 1;
            }
            self.raw.truncate(end);
            self.raw.push_str(" [cut]");
        }
        self
    }
}

impl Found {
    /// What it says, and where it was read, without room to grow.
    #[must_use]
    pub fn into_said(self) -> (Said, String) {
        let value = self.value.map(Value::compact);
        (Said { value, raw: self.raw.into_boxed_str() }, self.source)
    }
}

impl Fact {
    /// The value as one line.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.value {
            Ok(value) => value.to_string(),
            Err(why) => why.to_string(),
        }
    }

    /// Whether it says the same as another reading of the same fact.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        (Arc::ptr_eq(&self.said, &other.said) || self.value == other.value) && self.source == other.source
    }
}

impl Value {
    /// The same, without room to grow.
    fn compact(self) -> Self {
        match self {
            Self::Int(number) => Self::Int(number),
            Self::Text(mut text) => {
                text.shrink_to_fit();
                Self::Text(text)
            }
            Self::List(mut list) => {
                list.iter_mut().for_each(String::shrink_to_fit);
                list.shrink_to_fit();
                Self::List(list)
            }
            Self::Map(mut map) => {
                for (name, item) in &mut map {
                    name.shrink_to_fit();
                    item.shrink_to_fit();
                }
                map.shrink_to_fit();
                Self::Map(map)
            }
        }
    }

    /// The texts that a condition looks at one by one.
    #[must_use]
    pub fn items(&self) -> Vec<std::borrow::Cow<'_, str>> {
        use std::borrow::Cow::{Borrowed, Owned};
        match self {
            Self::Int(number) => vec![Owned(number.to_string())],
            Self::Text(text) => vec![Borrowed(text.as_str())],
            Self::List(list) => list.iter().map(|item| Borrowed(item.as_str())).collect(),
            Self::Map(map) => map.iter().map(|(_, item)| Borrowed(item.as_str())).collect(),
        }
    }

    /// Whether it is a list or map without items, or an empty text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Int(_) => false,
            Self::Text(text) => text.is_empty(),
            Self::List(list) => list.is_empty(),
            Self::Map(map) => map.is_empty(),
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The list, if it is one.
    #[must_use]
    pub fn list(&self) -> Option<&[String]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The map, if it is one.
    #[must_use]
    pub fn map(&self) -> Option<&[(String, String)]> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The number: an integer, or a text that is one (decimal, or hexadecimal after `0x`).
    #[must_use]
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Text(text) => number(text),
            _ => None,
        }
    }
}

/// A whole number in decimal, or in hexadecimal after `0x`.
#[must_use]
pub fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.trim().to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Vec<String>> for Value {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}

impl From<Vec<(String, String)>> for Value {
    fn from(map: Vec<(String, String)>) -> Self {
        Self::Map(map)
    }
}

impl From<bool> for Value {
    /// `yes` or `no`.
    fn from(holds: bool) -> Self {
        Self::Text(if holds { "yes" } else { "no" }.to_owned())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Items shown of a long list.
        const SHOWN_MAX: usize = 12;
        let rest = |f: &mut fmt::Formatter<'_>, length: usize| match length.saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        };
        match self {
            Self::Int(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::List(list) if list.is_empty() => f.write_str("none"),
            Self::Map(map) if map.is_empty() => f.write_str("none"),
            Self::List(list) => {
                f.write_str(&list.iter().take(SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join(", "))?;
                rest(f, list.len())
            }
            Self::Map(map) => {
                let shown: Vec<_> =
                    map.iter().take(SHOWN_MAX).map(|(name, item)| format!("{name}={item}")).collect();
                f.write_str(&shown.join(", "))?;
                rest(f, map.len())
            }
        }
    }
}

impl Unavailable {
    /// The lower-case word: `absent`, `denied`, `not-exposed`, `gone`, `malformed`, `too-much`, `declared-only`,
    /// `failed`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Denied(_) => "denied",
            Self::NotExposed(_) => "not-exposed",
            Self::Gone => "gone",
            Self::Malformed(_) => "malformed",
            Self::TooMuch(_) => "too-much",
            Self::DeclaredOnly(_) => "declared-only",
            Self::Failed(_) => "failed",
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("not there"),
            Self::Denied(cure) => write!(f, "may not be read: {cure}"),
            Self::NotExposed(what) => write!(f, "not told by this host: {what}"),
            Self::Gone => f.write_str("the VM ended meanwhile"),
            Self::Malformed(what) => write!(f, "makes no sense: {what}"),
            Self::TooMuch(what) => write!(f, "more than this agent reads: {what}"),
            Self::DeclaredOnly(what) => write!(f, "declared, not verified: {what}"),
            Self::Failed(what) => write!(f, "could not be read: {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_the_kernel_writes_them() {
        assert_eq!(number(" 42\n"), Some(42));
        assert_eq!(number("0x1f"), Some(31));
        assert_eq!(number("-1"), Some(-1));
        assert_eq!(number("1 2"), None);
        assert_eq!(number(""), None);
    }

    #[test]
    fn long_values_are_cut_where_they_are_shown_and_say_so() {
        let list = Value::List((0..20).map(|n| n.to_string()).collect());
        assert!(list.to_string().ends_with("11 and 8 more"), "{list}");
        let raw = Found::value("x", "p").with_raw(&"é".repeat(400)).raw;
        assert!(raw.ends_with("[cut]") && raw.len() < 600);
    }
}
