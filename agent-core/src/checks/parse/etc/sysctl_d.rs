//! What sysctls are set to at boot: sysctl.d(5), as systemd-sysctl(8) reads it.

use super::text::{self, Mistake, Origin, keep, note};
use std::collections::HashMap;
use std::sync::Arc;

/// One line that sets something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path below `/proc/sys`, such as `net/ipv4/conf/eth0.1/rp_filter`; a pattern when it holds `*`, `?` or
    /// `[`.
    pub key: String,
    /// What is written; `None` for a line `-KEY`, which keeps patterns from setting the key.
    pub value: Option<String>,
    /// A `-` before the key: a failure to set it is not reported.
    pub ignores_failure: bool,
    /// The line, counted from 1.
    pub line: usize,
}

/// One file's lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SysctlFile {
    /// Its entries in order.
    pub entries: Vec<Entry>,
    /// Lines that are no assignment; systemd-sysctl skips them.
    pub mistakes: Vec<Mistake>,
}

impl SysctlFile {
    /// Reads a file's text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut file = Self::default();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.trim();
            if content.is_empty() || content.starts_with(['#', ';']) {
                continue;
            }
            let (key, value) = match content.split_once('=') {
                Some((key, value)) => (key.trim(), Some(value.trim().to_owned())),
                None => (content, None),
            };
            let (key, ignores_failure) = match key.strip_prefix('-') {
                Some(key) => (key.trim_start(), true),
                None => (key, false),
            };
            let key = normalised(key);
            if key.is_empty() || (value.is_none() && !ignores_failure) {
                note(&mut file.mistakes, line, "not an assignment");
                continue;
            }
            keep(&mut file.entries, Entry { key, value, ignores_failure, line }, &mut file.mistakes, line);
        }
        file
    }
}

/// A key as a path below `/proc/sys`. When its first separator is a dot, dots become slashes and slashes dots;
/// otherwise it is a path already (sysctl.d(5)).
#[must_use]
pub fn normalised(key: &str) -> String {
    let swapped = key.chars().find(|char| matches!(char, '.' | '/')) == Some('.');
    let key: String = key
        .chars()
        .map(|char| match char {
            '.' if swapped => '/',
            '/' if swapped => '.',
            char => char,
        })
        .collect();
    let parts: Vec<_> = key.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let path = parts.join("/");
    path.strip_prefix("proc/sys/").map(str::to_owned).unwrap_or(path)
}

/// One assignment, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// What is written; `None` where a line `-KEY` keeps patterns away and nothing is written.
    pub value: Option<String>,
    /// Where.
    pub origin: Origin,
    /// The pattern that fits the key, where it is not named itself.
    pub pattern: Option<String>,
}

/// What becomes of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The assignment that counts.
    pub winner: Assignment,
    /// Those that do not, in the order in which they were read.
    pub overridden: Vec<Assignment>,
}

/// The files of all directories together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    named: HashMap<String, Vec<Assignment>>,
    patterns: Vec<(String, Assignment)>,
    /// Files that are not read: another of their name masks them, or their name does not end in `.conf`.
    pub ignored: Vec<String>,
    /// Lines that are skipped.
    pub mistakes: Vec<(Origin, String)>,
}

/// Reads files as one configuration.
///
/// `files` are paths and texts, directories in their order of precedence: `/etc/sysctl.d`, `/run/sysctl.d`,
/// `/usr/local/lib/sysctl.d`, `/usr/lib/sysctl.d`, `/lib/sysctl.d`. Of files of one name the first masks the others
/// (also an empty one, as a link to `/dev/null` is); what is left is read by file name, and the last value wins.
/// `/etc/sysctl.conf` is read only where a link in one of the directories leads to it (Debian's `99-sysctl.conf`),
/// and then belongs here under the link's path. `sysctl --system` of procps differs: it reads `/etc/sysctl.conf` in
/// any case, and last.
#[must_use]
pub fn merge(files: &[(&str, &str)]) -> Merged {
    let (read, ignored) = text::drop_ins(files);
    let path_of = |index: usize| files.get(index).map_or("", |(path, _)| *path);
    let mut merged = Merged {
        ignored: ignored.into_iter().map(|index| path_of(index).to_owned()).collect(),
        ..Merged::default()
    };
    for index in read {
        let Some((path, text)) = files.get(index) else { continue };
        let path: Arc<str> = Arc::from(*path);
        let origin = |line| Origin { file: Arc::clone(&path), line };
        let file = SysctlFile::parse(text);
        for (line, why) in file.mistakes {
            note(&mut merged.mistakes, origin(line), &why);
        }
        for entry in file.entries {
            let mut assignment = Assignment { value: entry.value, origin: origin(entry.line), pattern: None };
            if entry.key.contains(['*', '?', '[']) {
                assignment.pattern = Some(entry.key.clone());
                merged.patterns.push((entry.key, assignment));
            } else {
                merged.named.entry(entry.key).or_default().push(assignment);
            }
        }
    }
    merged
}

impl Merged {
    /// What becomes of a key, in either notation; `None` when nothing sets it. A line that names the key wins over
    /// every pattern that fits it; among equals, the last.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<Setting> {
        let key = normalised(key);
        let fits = self.patterns.iter().filter(|(pattern, _)| text::glob(pattern, &key, Some('/')));
        let mut all: Vec<_> = fits.map(|(_, assignment)| assignment.clone()).collect();
        all.extend(self.named.get(&key).into_iter().flatten().cloned());
        let winner = all.pop()?;
        Some(Setting { winner, overridden: all })
    }

    /// Every key that is named, without order; patterns are not.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.named.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_paths() {
        let expected = [
            ("kernel.kptr_restrict", "kernel/kptr_restrict"),
            ("net.ipv4.conf.enp3s0/200.forwarding", "net/ipv4/conf/enp3s0.200/forwarding"),
            ("net/ipv4/conf/enp3s0.200/forwarding", "net/ipv4/conf/enp3s0.200/forwarding"),
            ("/proc/sys//vm/swappiness", "vm/swappiness"),
            ("", ""),
        ];
        for (key, path) in expected {
            assert_eq!(normalised(key), path);
            assert_eq!(normalised(path), path);
        }
    }

    #[test]
    fn a_file_is_read() {
        let file = SysctlFile::parse(
            "# comment\r\n; too\r\nkernel.dmesg_restrict = 1 \r\n-net.ipv4.conf.*.rp_filter=2\n\
             -net.ipv4.conf.all.rp_filter\nno assignment\n=1\nkernel.core_pattern=|/bin/x %p = 1",
        );
        let entries: Vec<_> =
            file.entries.iter().map(|e| (e.line, e.key.as_str(), e.value.as_deref())).collect();
        assert_eq!(
            entries,
            [
                (3, "kernel/dmesg_restrict", Some("1")),
                (4, "net/ipv4/conf/*/rp_filter", Some("2")),
                (5, "net/ipv4/conf/all/rp_filter", None),
                (8, "kernel/core_pattern", Some("|/bin/x %p = 1")),
            ]
        );
        assert_eq!(file.mistakes.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [6, 7]);
    }

    #[test]
    fn precedence_is_by_file_name_and_names_mask() {
        let merged = merge(&[
            ("/etc/sysctl.d/50-a.conf", "kernel.a=etc\nnet.ipv4.conf.*.rp_filter=0"),
            ("/etc/sysctl.d/99-sysctl.conf", "kernel/b=last\n"),
            ("/etc/sysctl.d/README", "kernel.c=1"),
            ("/run/sysctl.d/60-b.conf", "kernel.a=run\nkernel.b=run\nnet.ipv4.conf.all.rp_filter=1\nbroken"),
            ("/usr/lib/sysctl.d/50-a.conf", "kernel.a=masked"),
            ("/usr/lib/sysctl.d/70-c.conf", "net.ipv4.conf.*.rp_filter=2"),
        ]);
        let a = merged.setting("kernel.a").unwrap();
        assert_eq!((a.winner.value.as_deref(), a.overridden.len()), (Some("run"), 1));
        assert_eq!(a.winner.origin.to_string(), "/run/sysctl.d/60-b.conf:1");
        assert_eq!(merged.setting("kernel.b").unwrap().winner.value.as_deref(), Some("last"));
        let named = merged.setting("net.ipv4.conf.all.rp_filter").unwrap();
        assert_eq!((named.winner.value.as_deref(), named.overridden.len()), (Some("1"), 2));
        let fits = merged.setting("net/ipv4/conf/eth0.1/rp_filter").unwrap();
        assert_eq!(fits.winner.value.as_deref(), Some("2"));
        assert_eq!(fits.winner.pattern.as_deref(), Some("net/ipv4/conf/*/rp_filter"));
        assert_eq!(merged.setting("kernel.c"), None);
        assert_eq!(merged.ignored, ["/etc/sysctl.d/README", "/usr/lib/sysctl.d/50-a.conf"]);
        assert_eq!(merged.mistakes[0].0.to_string(), "/run/sysctl.d/60-b.conf:4");
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "([a-c*.=\\-#/]{0,12}\n?){0,8}|.{0,60}", key in ".{0,20}") {
            let _ = merge(&[("/a.conf", &text)]).setting(&key);
            prop_assert_eq!(normalised(&normalised(&key.replace('.', ""))), normalised(&key.replace('.', "")));
        }

        #[test]
        fn the_last_by_file_name_wins(names in prop::collection::vec("[a-d]{1,2}", 1..8)) {
            let texts: Vec<_> = (0..names.len()).map(|index| format!("kernel.x = {index}\n")).collect();
            let paths: Vec<_> = names.iter().enumerate().map(|(i, name)| format!("/{i}/{name}.conf")).collect();
            let files: Vec<_> = paths.iter().zip(&texts).map(|(p, t)| (p.as_str(), t.as_str())).collect();
            let last = names.iter().max().unwrap();
            let winner = names.iter().position(|name| name == last).unwrap();
            let setting = merge(&files).setting("kernel.x").unwrap();
            prop_assert_eq!(setting.winner.value, Some(winner.to_string()));
            prop_assert_eq!(&*setting.winner.origin.file, paths[winner].as_str());
        }
    }
}
