//! The deserialiser's words, said so that the cure is plain.

use super::Config;

/// A TOML syntax error, in words.
pub(super) fn not_toml(message: &str) -> String {
    format!("this is not TOML: {message}")
}

/// What the deserialiser says, in words; `path` is the dotted path of what it points at.
pub(super) fn in_words(message: &str, path: Option<&str>) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field") {
        return unknown_key(&quoted, path);
    }
    if message.starts_with("unknown variant") {
        return unknown_choice(&quoted, path);
    }
    let path = path.map_or_else(String::new, |path| format!("`{path}`: "));
    if message.starts_with("missing field") {
        return format!("{path}the key `{}` is missing", quoted.first().unwrap_or(&"?"));
    }
    for wrong in ["invalid type: ", "invalid value: "] {
        if let Some((found, expected)) =
            message.strip_prefix(wrong).and_then(|rest| rest.split_once(", expected "))
        {
            return format!("{path}{} is expected here, not {found}", expected_in_words(expected));
        }
    }
    format!("{path}{message}")
}

/// The line of a byte of a text, counted from 1.
pub(crate) fn line_of(text: &str, byte: usize) -> usize {
    memchr::memchr_iter(b'\n', &text.as_bytes()[..byte.min(text.len())]).count() + 1
}

/// The deserialiser's words about a file that is not the configuration, with a suggestion where a key is nearly one
/// that is known.
pub(crate) fn in_short(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field")
        && let Some((key, known)) = quoted.split_first()
        && let Some(like) = nearest(key, known.iter().copied())
    {
        return format!("unknown key `{key}`; did you mean `{like}`?");
    }
    message.to_owned()
}

fn unknown_key(quoted: &[&str], path: Option<&str>) -> String {
    let (key, known) = quoted.split_first().unwrap_or((&"?", &[]));
    let mut message = format!("unknown key `{key}`");
    if let Some(like) = nearest(key, known.iter().copied()) {
        return format!("{message}; did you mean `{like}`?");
    }
    let here = path.and_then(|path| path.rsplit_once('.')).map_or("", |(section, _)| section);
    if let Some(section) = sections_with(key).into_iter().find(|section| section != here) {
        let place =
            if section.is_empty() { "above all sections".to_owned() } else { format!("in [{section}]") };
        return format!("{message}; it belongs {place}");
    }
    if known.is_empty() {
        message.push_str("; nothing can be set here");
    } else {
        message.push_str("; known here: ");
        message.push_str(&known.join(", "));
    }
    message
}

fn unknown_choice(quoted: &[&str], path: Option<&str>) -> String {
    let (found, known) = quoted.split_first().unwrap_or((&"?", &[]));
    let path = path.map_or_else(String::new, |path| format!("`{path}`: "));
    let suggestion = nearest(found, known.iter().copied())
        .map_or_else(String::new, |like| format!("; did you mean \"{like}\"?"));
    format!("{path}\"{found}\" is not one of {}{suggestion}", known.join(", "))
}

fn expected_in_words(expected: &str) -> String {
    let range = |max: u64| format!("a whole number from 0 to {max}");
    match expected {
        "u8" => range(u64::from(u8::MAX)),
        "u16" => range(u64::from(u16::MAX)),
        "u32" => range(u64::from(u32::MAX)),
        "u64" | "usize" | "i64" | "i32" => "a whole number".to_owned(),
        "f64" | "f32" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" | "path string" => "a string in quotes".to_owned(),
        "a sequence" => "an array: [ ... ]".to_owned(),
        other => match other.strip_prefix("struct ") {
            Some(_) => "a table: a [section] or { ... }".to_owned(),
            None => other.to_owned(),
        },
    }
}

/// The most similar of the known words, if one is similar enough to be meant.
pub(crate) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let tolerated = (word.chars().count() / 3).max(1);
    known
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The sections that have a key of this name; the empty one is the top.
fn sections_with(key: &str) -> Vec<String> {
    fn walk(table: &toml::Table, at: &str, key: &str, found: &mut Vec<String>) {
        if table.contains_key(key) {
            found.push(at.to_owned());
        }
        for (name, value) in table {
            if let toml::Value::Table(inner) = value {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                walk(inner, &at, key, found);
            }
        }
    }
    let mut found = Vec::new();
    if let Ok(defaults) = toml::Table::try_from(Config::default()) {
        walk(&defaults, "", key, &mut found);
    }
    found
}
