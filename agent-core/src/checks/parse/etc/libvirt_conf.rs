//! libvirt's own configuration: `qemu.conf`, `libvirtd.conf`, `virtqemud.conf` and their like. `xl.cfg` has the same
//! form.

use super::text::{Mistake, keep, note};

/// Items kept of one list; more are a mistake.
const ITEMS_MAX: usize = 4_096;

/// What a setting is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text in single, double or three double quotes; there are no escapes.
    Text(String),
    /// A whole number.
    Number(i64),
    /// `[...]` of texts and numbers; a list within a list is a mistake.
    List(Vec<Value>),
}

impl Value {
    /// The text of a text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number of a number.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// The texts of a list; a text alone is a list of one, as it is to libvirt.
    #[must_use]
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::List(items) => items.iter().filter_map(Self::text).collect(),
            Self::Number(_) => Vec::new(),
        }
    }
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// The line it begins in, counted from 1.
    pub line: usize,
}

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LibvirtConf {
    /// The settings in order.
    pub settings: Vec<Setting>,
    /// What libvirt would refuse. It then refuses the file as a whole, and a daemon does not start; what is read
    /// here goes on in the next line.
    pub mistakes: Vec<Mistake>,
}

impl LibvirtConf {
    /// Reads a file's text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        let mut cursor = Cursor { rest: text, line: 1 };
        loop {
            cursor.skip_blank();
            if cursor.rest.is_empty() {
                return conf;
            }
            let line = cursor.line;
            match cursor.setting() {
                Ok((name, value)) => {
                    let setting = Setting { name: name.to_owned(), value, line };
                    keep(&mut conf.settings, setting, &mut conf.mistakes, line);
                }
                Err(why) => {
                    note(&mut conf.mistakes, cursor.line, why);
                    cursor.skip_line();
                }
            }
        }
    }

    /// A setting by its name: the first, as it is to libvirt.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.name == name)
    }
}

struct Cursor<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Cursor<'t> {
    /// Takes so many bytes, which end at a character's end.
    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.line += taken.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'t str {
        self.take(self.rest.find(|char| !fits(char)).unwrap_or(self.rest.len()))
    }

    fn skip_line(&mut self) {
        self.take_while(|char| char != '\n');
    }

    /// Blanks, line ends and comments.
    fn skip_blank(&mut self) {
        loop {
            self.take_while(|char| char.is_ascii_whitespace());
            if !self.rest.starts_with('#') {
                return;
            }
            self.skip_line();
        }
    }

    fn skip_spaces(&mut self) {
        self.take_while(|char| matches!(char, ' ' | '\t' | '\r'));
    }

    /// `NAME = VALUE`, with nothing behind it in its line but a comment.
    fn setting(&mut self) -> Result<(&'t str, Value), &'static str> {
        let name = self.take_while(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.'));
        if !name.starts_with(|char: char| char.is_ascii_alphabetic()) {
            return Err("not a setting's name");
        }
        self.skip_spaces();
        if !self.rest.starts_with('=') {
            return Err("a setting without a =");
        }
        self.take(1);
        self.skip_spaces();
        let value = if self.rest.starts_with('[') { self.list()? } else { self.single()? };
        self.skip_spaces();
        if self.rest.is_empty() || self.rest.starts_with(['\n', '#']) {
            Ok((name, value))
        } else {
            Err("something behind the value")
        }
    }

    fn list(&mut self) -> Result<Value, &'static str> {
        self.take(1);
        let mut items = Vec::new();
        loop {
            self.skip_blank();
            if self.rest.starts_with(']') {
                break;
            }
            if items.len() >= ITEMS_MAX {
                return Err("a list too long");
            }
            items.push(self.single()?);
            self.skip_blank();
            if self.rest.starts_with(',') {
                self.take(1);
            } else if !self.rest.starts_with(']') {
                return Err("a list that does not end");
            }
        }
        self.take(1);
        Ok(Value::List(items))
    }

    /// A text or a number.
    fn single(&mut self) -> Result<Value, &'static str> {
        for quote in ["\"\"\"", "\"", "'"] {
            if let Some(inner) = self.rest.strip_prefix(quote) {
                let end = inner.find(quote).ok_or("a quote that does not end")?;
                let text = inner.get(..end).unwrap_or_default();
                if quote.len() == 1 && text.contains('\n') {
                    return Err("a quote that does not end");
                }
                self.take(end + 2 * quote.len());
                return Ok(Value::Text(text.to_owned()));
            }
        }
        let number = self.take_while(|char| char.is_ascii_digit() || matches!(char, '-' | '+'));
        number.parse().map(Value::Number).map_err(|_| "neither a text nor a number")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn settings_are_read() {
        let conf = LibvirtConf::parse(
            "# user = \"root\"\nuser = \"libvirt-qemu\" # behind\r\ngroup='+0'\nseccomp_sandbox=1\n\
             cgroup_device_acl = [\n  \"/dev/null\", # x ]\n  \"/dev/kvm\",\n]\nnamespaces = [ ]\n\
             security_driver = \"none\"\nlong = \"\"\"a\n\"b\"\n\"\"\"\nuser = \"root\"\nmax = -1",
        );
        assert_eq!(conf.mistakes, []);
        let user = conf.get("user").unwrap();
        assert_eq!((user.value.text(), user.line), (Some("libvirt-qemu"), 2));
        assert_eq!(conf.get("group").unwrap().value.text(), Some("+0"));
        assert_eq!(conf.get("seccomp_sandbox").unwrap().value.number(), Some(1));
        let acl = conf.get("cgroup_device_acl").unwrap();
        assert_eq!((acl.value.texts(), acl.line), (vec!["/dev/null", "/dev/kvm"], 5));
        assert_eq!(conf.get("namespaces").unwrap().value, Value::List(Vec::new()));
        assert_eq!(conf.get("security_driver").unwrap().value.texts(), ["none"]);
        assert_eq!(conf.get("long").unwrap().value.text(), Some("a\n\"b\"\n"));
        assert_eq!(conf.get("max").map(|max| (max.line, max.value.number())), Some((15, Some(-1))));
    }

    #[test]
    fn mistakes_are_named_and_the_next_line_is_read() {
        let text = "a = \"x\nb 1\nc = yes\nd = 1 2\ne = [ [\"x\"] ]\n= 1\nf = 99999999999999999999\ng = 1\nh = [ 1\n";
        let conf = LibvirtConf::parse(text);
        let lines: Vec<_> = conf.mistakes.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 5, 6, 7, 10]);
        assert_eq!(conf.settings.iter().map(|setting| setting.name.as_str()).collect::<Vec<_>>(), ["g"]);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "([a-b]?=?['\"\\[\\],#1 ]{0,6}\n?){0,10}|.{0,60}") {
            let conf = LibvirtConf::parse(&text);
            prop_assert!(conf.settings.len() <= text.len());
        }

        #[test]
        fn what_is_written_is_read(name in "[a-z_]{1,12}", items in prop::collection::vec("[a-z/ #=]{0,8}", 0..5)) {
            let name = format!("x{name}");
            let list: Vec<_> = items.iter().map(|item| format!("\"{item}\"")).collect();
            let conf = LibvirtConf::parse(&format!("{name} = [\n{}\n]\n", list.join(",\n")));
            prop_assert_eq!(conf.get(&name).unwrap().value.texts(), items);
        }
    }
}
