//! One TOML text: parsed with the place of everything, so that a mistake can be pointed at.

use super::error::ConfigError;
use super::wording::{in_words, not_toml};
use super::{Config, MISTAKES_MAX};
use serde::Deserialize;
use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Tables within tables, beyond which a text is refused rather than followed.
const DEPTH_MAX: usize = 16;

/// A text that is TOML.
pub(super) struct Document<'a> {
    text: &'a str,
    file: Option<&'a Path>,
    root: Spanned<DeTable<'a>>,
}

impl<'a> Document<'a> {
    /// Parses a text. Nothing is said yet about what the keys mean.
    pub(super) fn parse(text: &'a str, file: Option<&'a Path>) -> Result<Self, ConfigError> {
        let document = |root| Self { text, file, root };
        let root = DeTable::parse(text).map_err(|error| {
            let nowhere = document(Spanned::new(0..0, DeTable::new()));
            nowhere.mistake(error.span(), not_toml(error.message()))
        })?;
        let document = document(root);
        match too_deep(document.root.get_ref().values(), DEPTH_MAX) {
            Some(span) => {
                Err(document
                    .mistake(Some(span), format!("more than {DEPTH_MAX} levels of tables and arrays")))
            }
            None => Ok(document),
        }
    }

    /// Every key that the configuration does not know, and every value of a wrong type.
    ///
    /// The deserialiser stops at the first mistake; what it stumbled over is taken out and it is asked again.
    pub(super) fn mistakes(&self) -> Vec<ConfigError> {
        let mut root = self.root.clone();
        let mut mistakes = Vec::new();
        while mistakes.len() < MISTAKES_MAX {
            let Err(error) = Config::deserialize(toml::de::Deserializer::from(root.clone())) else { break };
            let span = error.span();
            let path = span.as_ref().and_then(|span| self.path_to(span));
            mistakes.push(self.mistake(span.clone(), in_words(error.message(), path.as_deref())));
            if !span.is_some_and(|span| remove(root.get_mut(), &span)) {
                break;
            }
        }
        mistakes.sort_by_key(|mistake| mistake.position);
        mistakes
    }

    /// The plain table, to be merged with others.
    pub(super) fn table(&self) -> Result<toml::Table, ConfigError> {
        toml::Table::deserialize(toml::de::Deserializer::from(self.root.clone()))
            .map_err(|error| self.mistake(error.span(), error.message()))
    }

    /// A mistake at a place, or in the text as a whole.
    pub(super) fn mistake(&self, span: Option<Range<usize>>, message: impl Into<String>) -> ConfigError {
        ConfigError {
            file: self.file.map(Path::to_path_buf),
            position: span.map(|span| position(self.text, span.start)),
            message: message.into(),
            others: Vec::new(),
        }
    }

    /// Where the value at a path is. A path's item is a key, the number of an array's item, the `name` of a table in
    /// an array, or a string in an array.
    pub(super) fn locate(&self, path: &[&str]) -> Option<Range<usize>> {
        let (first, rest) = path.split_first()?;
        let mut value = self.root.get_ref().get(*first)?;
        for item in rest {
            value = match value.get_ref() {
                DeValue::Table(table) => table.get(*item)?,
                DeValue::Array(array) => array
                    .iter()
                    .find(|value| name_of(value.get_ref()) == Some(item))
                    .or_else(|| array.get(item.parse::<usize>().ok()?))?,
                _ => return None,
            };
        }
        Some(value.span())
    }

    /// The rules' names, and where they stand.
    pub(super) fn rule_names(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        let rules = self.root.get_ref().get("rules").and_then(|rules| rules.get_ref().as_array());
        rules.into_iter().flatten().filter_map(|rule| {
            let name = rule.get_ref().as_table()?.get("name")?;
            Some((name.get_ref().as_str()?, name.span()))
        })
    }

    /// The dotted path to the table or value that a span lies in: the inverse of [`Document::locate`].
    fn path_to(&self, span: &Range<usize>) -> Option<String> {
        fn within(table: &DeTable<'_>, span: &Range<usize>) -> Option<String> {
            table.iter().find_map(|(key, value)| {
                if key.span() == *span {
                    return Some(key.get_ref().to_string());
                }
                let below = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
                    DeValue::Table(table) => within(table, span),
                    _ => (value.span() == *span).then(String::new),
                };
                let rest = match value.get_ref() {
                    DeValue::Array(array) => array.iter().find_map(below),
                    _ => below(value),
                };
                let rest = rest.or_else(|| (value.span() == *span).then(String::new))?;
                Some(if rest.is_empty() {
                    key.get_ref().to_string()
                } else {
                    format!("{}.{rest}", key.get_ref())
                })
            })
        }
        within(self.root.get_ref(), span)
    }
}

/// The `name` of a table, or the string that the value is.
fn name_of<'v>(value: &'v DeValue<'_>) -> Option<&'v str> {
    match value {
        DeValue::Table(table) => table.get("name")?.get_ref().as_str(),
        value => value.as_str(),
    }
}

fn too_deep<'v, 'a: 'v>(
    values: impl Iterator<Item = &'v Spanned<DeValue<'a>>>,
    depth: usize,
) -> Option<Range<usize>> {
    for value in values {
        if depth == 0 {
            return Some(value.span());
        }
        let found = match value.get_ref() {
            DeValue::Table(table) => too_deep(table.values(), depth - 1),
            DeValue::Array(array) => too_deep(array.iter(), depth - 1),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Takes out what a mistake points at. An item of an array goes as a whole: what is left of it would only cause
/// mistakes that follow from the first.
fn remove(table: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    let mut found: Option<Cow<'_, str>> = None;
    for (key, value) in table.iter_mut() {
        if key.span() == *span || value.span() == *span {
            found = Some(key.get_ref().clone());
            break;
        }
        let removed = match value.get_mut() {
            DeValue::Table(inner) => remove(inner, span),
            DeValue::Array(array) => {
                let before = array.len();
                let items = std::mem::replace(array, DeArray::new());
                *array = items.into_iter().filter(|item| !contains(item, span)).collect();
                array.len() < before
            }
            _ => false,
        };
        if removed {
            return true;
        }
    }
    found.is_some_and(|key| table.remove(key.as_ref()).is_some())
}

fn contains(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    value.span() == *span
        || match value.get_ref() {
            DeValue::Table(table) => {
                table.iter().any(|(key, value)| key.span() == *span || contains(value, span))
            }
            DeValue::Array(array) => array.iter().any(|value| contains(value, span)),
            _ => false,
        }
}

/// Line and column of a byte, counted from 1.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let mut byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    let before = &text[..byte];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
