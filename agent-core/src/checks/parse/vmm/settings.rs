//! One option's value, whether QEMU was given a list or JSON: pairs, nested ones with dots in their keys.

use crate::sampling::discovery::identify::options::Options;
use serde_json::Value;

/// A nested key longer than this is not QEMU's; what is under it is not looked at.
const KEY_BYTES_MAX: usize = 256;

/// Pairs of keys and values. Of equal keys the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pairs: Vec<(String, String)>,
    first: Option<String>,
}

impl Settings {
    /// Takes a value apart. Never fails: JSON that is none is a list of one.
    pub(super) fn parse(text: &str) -> Self {
        match text.starts_with('{').then(|| serde_json::from_str(text)) {
            Some(Ok(json)) => Self::of_json(&json),
            _ => Self::of_list(text),
        }
    }

    pub(super) fn of_json(json: &Value) -> Self {
        let mut settings = Self::default();
        settings.flatten("", json);
        settings
    }

    fn of_list(text: &str) -> Self {
        let mut settings = Self::default();
        for (index, (key, value)) in Options::parse(text).entries().enumerate() {
            match key {
                Some(key) => settings.pairs.push((key.to_owned(), value.to_owned())),
                None if index == 0 => settings.first = Some(value.to_owned()),
                // A word alone switches on; `nowait` and the like switch off, and are found by `flag`.
                None => settings.pairs.push((value.to_owned(), "on".to_owned())),
            }
        }
        settings
    }

    /// As deep as the JSON reader lets anything be (128).
    fn flatten(&mut self, key: &str, value: &Value) {
        let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
        if key.len() > KEY_BYTES_MAX {
            return;
        }
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    if name.len() <= KEY_BYTES_MAX {
                        self.flatten(&below(name), value);
                    }
                }
            }
            Value::Array(array) => {
                for (index, value) in array.iter().enumerate() {
                    self.flatten(&below(&index.to_string()), value);
                }
            }
            Value::String(text) => self.pairs.push((key.to_owned(), text.clone())),
            Value::Bool(on) => self.pairs.push((key.to_owned(), if *on { "on" } else { "off" }.to_owned())),
            Value::Number(number) => self.pairs.push((key.to_owned(), number.to_string())),
            Value::Null => self.pairs.push((key.to_owned(), String::new())),
        }
    }

    /// All pairs, in order.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The value of a key.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// A copy of the value of a key.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.value(key).map(str::to_owned)
    }

    /// The first value, when it stands without a key.
    pub(super) fn first(&self) -> Option<&str> {
        self.first.as_deref()
    }

    /// The value of a key that may be left out in front.
    pub(super) fn leading(&self, key: &str) -> Option<&str> {
        self.value(key).or_else(|| self.first()).filter(|value| !value.is_empty())
    }

    /// A switch: `key`, `key=on`, `nokey`; `None` when it is not there or is neither.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.pairs.iter().rev().find_map(|(name, value)| {
            if name == key { switch(value) } else { (name.strip_prefix("no") == Some(key)).then_some(false) }
        })
    }
}

/// `on` or `off`, in the words that QEMU takes.
pub(super) fn switch(word: &str) -> Option<bool> {
    match word {
        "on" | "yes" | "true" | "y" => Some(true),
        "off" | "no" | "false" | "n" => Some(false),
        _ => None,
    }
}

/// A number, decimal or behind `0x`.
pub(super) fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// A size with an optional suffix, in bytes; `unit` is what a number alone counts.
pub(super) fn size(text: &str, unit: u64) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match text[end..].to_ascii_uppercase().as_str() {
        "" => unit,
        "B" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        "P" => 1 << 50,
        "E" => 1 << 60,
        _ => return None,
    };
    text[..end].parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_and_json_say_the_same() {
        let list = Settings::parse("driver=qcow2,file.filename=/a,,b,readonly,nowait");
        let json = Settings::parse(r#"{"driver":"qcow2","file":{"filename":"/a,b"},"readonly":true}"#);
        for settings in [&list, &json] {
            assert_eq!(settings.value("driver"), Some("qcow2"));
            assert_eq!(settings.value("file.filename"), Some("/a,b"));
            assert_eq!(settings.flag("readonly"), Some(true));
        }
        assert_eq!(list.flag("wait"), Some(false));
        assert_eq!(json.flag("wait"), None);
        assert_eq!(Settings::parse("{broken").first(), Some("{broken"));
        let nested = Settings::parse(r#"{"a":[{"b":1},null]}"#);
        assert_eq!(nested.pairs().collect::<Vec<_>>(), [("a.0.b", "1"), ("a.1", "")]);
    }

    #[test]
    fn sizes() {
        assert_eq!(size("4096", 1 << 20), Some(4 << 30));
        assert_eq!(size("4G", 1), Some(4 << 30));
        assert_eq!(size("2k", 1), Some(2048));
        assert_eq!((size("99999999999E", 1), size("1.5G", 1), size("", 1)), (None, None, None));
        assert_eq!((number("0x30000"), number("7"), number("-1")), (Some(0x30000), Some(7), None));
    }

    #[test]
    fn long_keys_do_not_multiply() {
        let long = format!(r#"{{"{}":[{}1]}}"#, "k".repeat(10_000), "1,".repeat(10_000));
        assert_eq!(Settings::parse(&long).pairs().count(), 0);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in ".{0,80}") {
            let _ = (Settings::parse(&text), number(&text), size(&text, 1 << 20));
            let _ = Settings::parse(&format!("{{{text}"));
        }
    }
}
