//! What a login has to pass: a file of `/etc/pam.d` (pam.d(5)).

use super::text::{Mistake, keep, logical, note};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `auth`, `account`, `password` or `session`, in lower case; `@include` has its own form and is in
    /// [`Pam::includes`].
    pub group: String,
    /// `required`, `sufficient`, ..., or `[...]` as written; `include` and `substack` name a service.
    pub control: String,
    /// The module's file as written, such as `pam_faillock.so`, or the service of an `include`.
    pub module: String,
    /// The module's arguments; one in brackets is without them.
    pub arguments: Vec<String>,
    /// A `-` in front: a module that is missing is no matter.
    pub optional: bool,
    /// The line it begins in, counted from 1.
    pub line: usize,
}

impl Entry {
    /// The module's name without its folder.
    #[must_use]
    pub fn name(&self) -> &str {
        self.module.rsplit('/').next().unwrap_or_default()
    }

    /// What follows `NAME=` in the arguments, or nothing for a plain `NAME`. The last counts.
    #[must_use]
    pub fn argument(&self, name: &str) -> Option<&str> {
        self.arguments.iter().rev().find_map(|argument| {
            let rest = argument.strip_prefix(name)?;
            if rest.is_empty() { Some("") } else { rest.strip_prefix('=') }
        })
    }
}

/// One service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pam {
    /// Its lines in order.
    pub entries: Vec<Entry>,
    /// Services whose lines stand here (`@include`), and the line; an `include` control is among the entries.
    pub includes: Vec<(String, usize)>,
    /// Lines that are none. PAM then refuses the service.
    pub mistakes: Vec<Mistake>,
}

impl Pam {
    /// Reads a file's text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut pam = Self::default();
        for (line, content) in logical(text, " ") {
            let content = content.split('#').next().unwrap_or_default().trim();
            if content.is_empty() {
                continue;
            }
            if let Some(service) = content.strip_prefix("@include") {
                keep(&mut pam.includes, (service.trim().to_owned(), line), &mut pam.mistakes, line);
                continue;
            }
            match entry(line, content) {
                Ok(entry) => keep(&mut pam.entries, entry, &mut pam.mistakes, line),
                Err(why) => note(&mut pam.mistakes, line, why),
            }
        }
        pam
    }

    /// The lines of a module, by its name without a folder.
    pub fn module(&self, name: &str) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.name() == name)
    }
}

fn entry(line: usize, content: &str) -> Result<Entry, &'static str> {
    let words = words(content)?;
    let mut words = words.into_iter();
    let group = words.next().unwrap_or_default().to_ascii_lowercase();
    let (group, optional) =
        group.strip_prefix('-').map_or((group.clone(), false), |bare| (bare.to_owned(), true));
    if !matches!(group.as_str(), "auth" | "account" | "password" | "session") {
        return Err("not a management group");
    }
    let control = words.next().ok_or("no control")?;
    let module = words.next().ok_or("no module")?;
    let bare = |word: String| match word.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) => inner.to_owned(),
        None => word,
    };
    Ok(Entry { group, control, module, arguments: words.map(bare).collect(), optional, line })
}

/// Words, of which one that begins with `[` goes on to `]`; `\]` is a bracket within.
fn words(content: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut rest = content.trim_start();
    while !rest.is_empty() {
        let end = if rest.starts_with('[') {
            let mut before = ' ';
            let end = rest.find(|char| {
                let closes = char == ']' && before != '\\';
                before = char;
                closes
            });
            end.ok_or("a bracket that does not end")? + 1
        } else {
            rest.find(|char: char| char.is_ascii_whitespace()).unwrap_or(rest.len())
        };
        let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        words.push(word.replace("\\]", "]"));
        rest = after.trim_start();
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_read() {
        let pam = Pam::parse(
            "# auth x\nauth required pam_faillock.so preauth silent deny=5 \\\n  unlock_time=900\r\n\
             auth [success=1 default=ignore] pam_unix.so nullok # try\n@include common-account\n\
             -Session optional /lib/security/pam_systemd.so [a b\\]] \nauth include system-auth\nbad required x.so\n\
             auth required\nauth [x y.so",
        );
        let faillock = pam.module("pam_faillock.so").next().unwrap();
        assert_eq!(
            (faillock.argument("deny"), faillock.argument("silent"), faillock.line),
            (Some("5"), Some(""), 2)
        );
        assert_eq!((faillock.argument("unlock_time"), faillock.argument("den")), (Some("900"), None));
        assert_eq!(
            (pam.entries[1].control.as_str(), pam.entries[1].arguments.len()),
            ("[success=1 default=ignore]", 1)
        );
        let systemd = &pam.entries[2];
        assert_eq!(
            (systemd.optional, systemd.group.as_str(), systemd.name()),
            (true, "session", "pam_systemd.so")
        );
        assert_eq!(systemd.arguments, ["a b]"]);
        assert_eq!(
            (pam.entries[3].control.as_str(), pam.entries[3].module.as_str()),
            ("include", "system-auth")
        );
        assert_eq!(pam.includes, [("common-account".to_owned(), 5)]);
        assert_eq!(pam.mistakes.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [8, 9, 10]);
    }

    proptest! {
            #[test]
            fn any_text_comes_back(text in "((auth)?[ a#=\\-\\[\\]\\\\@]{0,16}\n?){0,8}|.{0,60}", name in "[a=]{0,3}") {
                let pam = Pam::parse(&text);
                for entry in &pam.entries {
     let _ = (entry.argument(&name), entry.name());
    }
            }

            #[test]
            fn arguments_come_through(deny in 0u32..100) {
                let pam = Pam::parse(&format!("auth\trequired\tpam_faillock.so\tdeny=1 deny={deny}"));
                let deny = deny.to_string();
                prop_assert_eq!(pam.entries[0].argument("deny"), Some(deny.as_str()));
            }
        }
}
