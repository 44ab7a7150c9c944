//! QEMU's option lists: `driver=qcow2,file.filename=/a,,b,ro`. A comma inside a value is doubled; the first value may
//! stand without a key. (qemu(1), "Device URL Syntax" and `util/qemu-option.c`; the others borrowed a part of it.)

/// A list, taken apart. The order is kept: the last of equal keys counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    entries: Vec<(Option<String>, String)>,
}

impl Options {
    /// Takes a list apart. Never fails: what has no key is a value or a flag.
    pub(crate) fn parse(text: &str) -> Self {
        let mut entries = Vec::new();
        let mut entry = String::new();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            if character != ',' {
                entry.push(character);
            } else if characters.peek() == Some(&',') {
                characters.next();
                entry.push(',');
            } else {
                entries.push(split(&std::mem::take(&mut entry)));
            }
        }
        entries.push(split(&entry));
        Self { entries }
    }

    /// All of it in order: a key, unless it was left out, and its value.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        self.entries.iter().map(|(key, value)| (key.as_deref(), value.as_str()))
    }

    /// The value of a key.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        let found = self.entries.iter().rev().find(|(name, _)| name.as_deref() == Some(key));
        found.map(|(_, value)| value.as_str())
    }

    /// The first value, when it stands without a key.
    pub(crate) fn first(&self) -> Option<&str> {
        self.entries.first().filter(|(key, _)| key.is_none()).map(|(_, value)| value.as_str())
    }

    /// The value of a key that may be left out in front.
    pub(crate) fn leading(&self, key: &str) -> Option<&str> {
        self.value(key).or_else(|| self.first()).filter(|value| !value.is_empty())
    }
}

fn split(entry: &str) -> (Option<String>, String) {
    match entry.split_once('=') {
        Some((key, value)) => (Some(key.to_owned()), value.to_owned()),
        None => (None, entry.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_flags_and_doubled_commas() {
        let options = Options::parse("guest=a,,b,debug-threads=on,flag,x=1,x=2");
        assert_eq!(options.value("guest"), Some("a,b"));
        assert_eq!(options.value("debug-threads"), Some("on"));
        assert_eq!(options.value("x"), Some("2"));
        assert_eq!(options.value("flag"), None);
        assert_eq!(options.first(), None);
        assert_eq!(Options::parse("plain,process=q").leading("guest"), Some("plain"));
        assert_eq!(Options::parse("").leading("guest"), None);
        assert_eq!(Options::parse("a=b=c").value("a"), Some("b=c"));
    }

    proptest! {
        #[test]
        fn an_escaped_value_comes_back_whole(value in "[^=]{0,30}", other in "[a-z]{1,5}") {
            let text = format!("key={},{other}=1", value.replace(',', ",,"));
            let options = Options::parse(&text);
            prop_assert_eq!(options.value("key"), Some(value.as_str()));
        }
    }
}
