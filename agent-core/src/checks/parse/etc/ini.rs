//! Sections of `Key=Value`: systemd's units and `*.conf` with their drop-ins (systemd.syntax(7)), and repositories
//! of yum and dnf (dnf.conf(5)).

use super::text::{Origin, keep, note};
use std::sync::Arc;

/// One assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The section it is in; empty before the first.
    pub section: Arc<str>,
    /// Its key.
    pub key: String,
    /// Its value without blanks around it; quotes stay.
    pub value: String,
    /// The line it begins in.
    pub origin: Origin,
}

/// Files read one after the other, as a unit and its drop-ins are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ini {
    /// Every assignment in order.
    pub entries: Vec<Entry>,
    /// Lines that are skipped.
    pub mistakes: Vec<(Origin, String)>,
}

/// How a line goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// After a backslash at its end, comments in between being skipped.
    Systemd,
    /// In lines that begin with a blank.
    Repository,
}

impl Ini {
    /// Reads one file alone.
    #[must_use]
    pub fn parse(path: &str, text: &str, style: Style) -> Self {
        let mut ini = Self::default();
        ini.add(path, text, style);
        ini
    }

    /// Reads one more file. The caller gives them in the order in which they count: a unit before its drop-ins, those
    /// by file name.
    pub fn add(&mut self, path: &str, text: &str, style: Style) {
        let file: Arc<str> = Arc::from(path);
        let mut section: Arc<str> = Arc::from("");
        // An assignment whose value may go on.
        let mut open: Option<(usize, String)> = None;
        for (line, raw) in (1..).zip(text.lines()) {
            let content = raw.trim();
            // In a value that goes on with a backslash, an empty line is a part of it that ends it.
            let goes_on = style == Style::Systemd && open.is_some();
            if content.starts_with(['#', ';']) || content.is_empty() && !goes_on {
                continue;
            }
            if style == Style::Repository && raw.starts_with([' ', '\t']) && open.is_some() {
                if let Some((_, text)) = &mut open {
                    text.push(' ');
                    text.push_str(content);
                }
                continue;
            }
            let (first, mut text) = match open.take() {
                Some((first, text)) if goes_on => (first, text),
                Some((first, text)) => {
                    self.line(&file, &mut section, first, &text);
                    (line, String::new())
                }
                None => (line, String::new()),
            };
            let backslashes = content.bytes().rev().take_while(|byte| *byte == b'\\').count();
            if style == Style::Systemd && backslashes % 2 == 1 {
                text.push_str(content.strip_suffix('\\').unwrap_or(content));
                text.push(' ');
                open = Some((first, text));
            } else {
                text.push_str(content);
                match style {
                    Style::Systemd => self.line(&file, &mut section, first, &text),
                    Style::Repository => open = Some((first, text)),
                }
            }
        }
        if let Some((first, text)) = open {
            self.line(&file, &mut section, first, &text);
        }
    }

    fn line(&mut self, file: &Arc<str>, section: &mut Arc<str>, line: usize, text: &str) {
        let origin = Origin { file: Arc::clone(file), line };
        let text = text.trim();
        if let Some(inner) = text.strip_prefix('[') {
            match inner.strip_suffix(']') {
                Some(name) => *section = Arc::from(name),
                None => note(&mut self.mistakes, origin, "a section's name that does not end"),
            }
        } else if let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.trim().is_empty()) {
            let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
            let entry = Entry { section: Arc::clone(section), key, value, origin: origin.clone() };
            keep(&mut self.entries, entry, &mut self.mistakes, origin);
        } else {
            note(&mut self.mistakes, origin, "not an assignment");
        }
    }

    fn all(&self, section: &str, key: &str) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| &*entry.section == section && entry.key == key)
    }

    /// The assignments of a key that add up, as for systemd's lists: those after the last empty one, which resets.
    #[must_use]
    pub fn values(&self, section: &str, key: &str) -> Vec<&Entry> {
        let mut values: Vec<_> =
            self.all(section, key).rev().take_while(|entry| !entry.value.is_empty()).collect();
        values.reverse();
        values
    }

    /// The last assignment of a key, which counts where values do not add up. An empty value means the default.
    #[must_use]
    pub fn last(&self, section: &str, key: &str) -> Option<&Entry> {
        self.all(section, key).next_back()
    }

    /// The names of all sections that have an entry, in order; one may come again.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        let mut last = None;
        self.entries
            .iter()
            .map(|entry| &*entry.section)
            .filter(move |section| last.replace(*section) != Some(*section))
    }
}

/// A boolean as systemd and dnf read it.
#[must_use]
pub fn boolean(value: &str) -> Option<bool> {
    let value = value.to_ascii_lowercase();
    match value.as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" | "enabled" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" | "disabled" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_unit_and_its_drop_in_are_one() {
        let mut unit = Ini::parse(
            "/lib/systemd/system/a.service",
            "[Unit]\r\nDescription=A\r\n[Service]\nExecStart=/bin/a \\\n# comment\n  --b \\\n\nUser=a\n\
             CapabilityBoundingSet=CAP_KILL\nCapabilityBoundingSet=CAP_CHOWN\nbroken\nReadWritePaths=/a\\\\\nX=1 \\",
            Style::Systemd,
        );
        unit.add(
            "/etc/systemd/system/a.service.d/x.conf",
            "[Service]\nCapabilityBoundingSet=\nUser=root",
            Style::Systemd,
        );
        assert_eq!(unit.last("Service", "ExecStart").unwrap().value, "/bin/a  --b");
        assert_eq!(unit.last("Service", "ExecStart").unwrap().origin.line, 4);
        let user = unit.last("Service", "User").unwrap();
        assert_eq!((user.value.as_str(), user.origin.to_string().as_str()), {
            ("root", "/etc/systemd/system/a.service.d/x.conf:3")
        });
        assert!(unit.values("Service", "CapabilityBoundingSet").is_empty());
        assert_eq!(unit.last("Service", "ReadWritePaths").unwrap().value, "/a\\\\");
        assert_eq!(unit.last("Service", "X").unwrap().value, "1");
        assert_eq!(unit.last("Unit", "User"), None);
        assert_eq!(unit.mistakes.iter().map(|(origin, _)| origin.line).collect::<Vec<_>>(), [11]);
        assert_eq!(unit.sections().collect::<Vec<_>>(), ["Unit", "Service"]);
    }

    #[test]
    fn values_add_up_after_a_reset() {
        let ini = Ini::parse("/a", "[S]\nK=1\nK=\nK=2\nK = 3\n", Style::Systemd);
        let values: Vec<_> = ini.values("S", "K").iter().map(|entry| entry.value.as_str()).collect();
        assert_eq!(values, ["2", "3"]);
    }

    #[test]
    fn repositories_go_on_with_blanks() {
        let text = "[base]\nname=Base \\\nbaseurl=https://a/\n  https://b/\n# no\ngpgcheck=0\n\n[next]\ngpgcheck = True\n[x\n";
        let repo = Ini::parse("/etc/yum.repos.d/a.repo", text, Style::Repository);
        assert_eq!(repo.last("base", "baseurl").unwrap().value, "https://a/ https://b/");
        assert_eq!(repo.last("base", "name").unwrap().value, "Base \\");
        let check = |section| boolean(&repo.last(section, "gpgcheck").unwrap().value);
        assert_eq!((check("base"), check("next")), (Some(false), Some(true)));
        assert_eq!((repo.mistakes.len(), boolean("maybe")), (1, None));
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "([ \\[]?[ab]?=?[\\\\\\]#;]{0,3}\n?){0,10}|.{0,60}") {
            for style in [Style::Systemd, Style::Repository] {
                let ini = Ini::parse("/a", &text, style);
                prop_assert!(ini.entries.len() <= text.len());
            }
        }

        #[test]
        fn the_last_file_wins(values in prop::collection::vec("[a-z0-9]{1,6}", 1..6)) {
            let mut ini = Ini::default();
            for (number, value) in values.iter().enumerate() {
                ini.add(&format!("/{number}"), &format!("[S]\nK={value}"), Style::Systemd);
            }
            let last = ini.last("S", "K").unwrap();
            prop_assert_eq!(&last.value, values.last().unwrap());
            prop_assert_eq!(ini.values("S", "K").len(), values.len());
        }
    }
}
