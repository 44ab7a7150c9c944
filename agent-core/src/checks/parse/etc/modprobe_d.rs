//! How modules may be loaded: modprobe.d(5).

use super::kernel_cmdline::{Cmdline, same_name};
use super::text::{self, Origin, keep, logical, note};
use std::sync::Arc;

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `alias PATTERN MODULE`: another name.
    Alias,
    /// `blacklist MODULE`: the module's own aliases count for nothing. Who names the module still loads it.
    Blacklist,
    /// `install PATTERN COMMAND`: run instead of loading.
    Install,
    /// `options MODULE PARAMETER=VALUE...`.
    Options,
    /// `remove PATTERN COMMAND`: run instead of unloading.
    Remove,
    /// `softdep MODULE pre: ... post: ...`, also `weakdep`.
    Softdep,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub command: Command,
    /// The module, alias or pattern it is about, as written.
    pub module: String,
    /// The rest of the line.
    pub rest: String,
    /// Where it stands.
    pub origin: Origin,
}

/// Every file together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modprobe {
    /// The lines in the order in which they are read.
    pub entries: Vec<Entry>,
    /// Files that are not read: another of their name masks them, or their name does not end in `.conf`.
    pub ignored: Vec<String>,
    /// Lines that are skipped.
    pub mistakes: Vec<(Origin, String)>,
}

/// Whether a module can be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// A command that does nothing runs instead of loading it, whoever asks through modprobe(8).
    Install(Origin),
    /// Only its aliases are off: the kernel does not load it on its own, root does.
    Blacklist(Origin),
    /// Something else runs instead of loading it, and may load it.
    Replaced(Origin),
    /// Nothing is in the way.
    No,
}

impl Modprobe {
    /// Reads files as one configuration. `files` are paths and texts, directories in their order of precedence:
    /// `/etc/modprobe.d`, `/run/modprobe.d`, `/usr/local/lib/modprobe.d`, `/usr/lib/modprobe.d`, `/lib/modprobe.d`.
    /// Of files of one name the first masks the others; what is left is read by file name.
    #[must_use]
    pub fn merge(files: &[(&str, &str)]) -> Self {
        let (read, ignored) = text::drop_ins(files);
        let mut all = Self::default();
        all.ignored.extend(ignored.into_iter().filter_map(|index| Some(files.get(index)?.0.to_owned())));
        for (path, text) in read.into_iter().filter_map(|index| files.get(index)) {
            all.read(&Arc::from(*path), text);
        }
        all
    }

    fn read(&mut self, path: &Arc<str>, text: &str) {
        for (line, content) in logical(text, "") {
            let origin = Origin { file: Arc::clone(path), line };
            let content = content.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let (word, rest) = split(content);
            let (module, rest) = split(rest);
            let command = match word {
                "alias" => Command::Alias,
                "blacklist" => Command::Blacklist,
                "install" => Command::Install,
                "options" => Command::Options,
                "remove" => Command::Remove,
                "softdep" | "weakdep" => Command::Softdep,
                // Known, and without a meaning today.
                "config" | "include" => continue,
                _ => {
                    note(&mut self.mistakes, origin, "not a command");
                    continue;
                }
            };
            if module.is_empty() || (rest.is_empty() && command != Command::Blacklist) {
                note(&mut self.mistakes, origin, "a command without what it is about");
                continue;
            }
            let entry =
                Entry { command, module: module.to_owned(), rest: rest.to_owned(), origin: origin.clone() };
            keep(&mut self.entries, entry, &mut self.mistakes, origin);
        }
    }

    fn of(&self, command: Command, module: &str) -> impl DoubleEndedIterator<Item = &Entry> {
        let patterns = command == Command::Install;
        let plain = module.replace('-', "_");
        self.entries.iter().filter(move |entry| {
            entry.command == command
                && (same_name(&entry.module, module)
                    || patterns && text::glob(&entry.module.replace('-', "_"), &plain, None))
        })
    }

    /// Whether a module is blocked, by name (`-` and `_` are the same). Of several `install` lines the first counts,
    /// as it does for modprobe(8). `modprobe.blacklist=` of the kernel's command line is a blacklist too, and not
    /// looked at here.
    #[must_use]
    pub fn blocked(&self, module: &str) -> Blocked {
        if let Some(entry) = self.of(Command::Install, module).next() {
            let origin = entry.origin.clone();
            return if does_nothing(&entry.rest) {
                Blocked::Install(origin)
            } else {
                Blocked::Replaced(origin)
            };
        }
        match self.of(Command::Blacklist, module).next() {
            Some(entry) => Blocked::Blacklist(entry.origin.clone()),
            None => Blocked::No,
        }
    }

    /// The value that a module's parameter gets when it is loaded, and where that stands: the last, since the kernel
    /// is handed all of them in order. A parameter without `=` has an empty value. `None`: not set here; the kernel's
    /// command line (`MODULE.PARAMETER=`) may set it.
    #[must_use]
    pub fn option(&self, module: &str, parameter: &str) -> Option<(String, Origin)> {
        self.of(Command::Options, module).rev().find_map(|entry| {
            let options = Cmdline::parse(&entry.rest);
            let value = options.values(parameter).last()?;
            Some((value.unwrap_or_default().to_owned(), entry.origin.clone()))
        })
    }
}

fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(|char: char| char.is_ascii_whitespace()).unwrap_or((text, ""));
    (word, rest.trim_ascii_start())
}

/// Whether a shell command is one that does nothing, and nothing else.
fn does_nothing(command: &str) -> bool {
    // Without a space before it, a `#` is part of a word.
    let code = command.split_once(" #").map_or(command, |(code, _)| code);
    let (program, rest) = split(code.trim());
    let name =
        ["/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/"].iter().find_map(|folder| program.strip_prefix(folder));
    matches!(name.unwrap_or(program), "true" | "false" | ":" | "nologin")
        && !rest.contains([';', '&', '|', '`', '$', '(', '<', '>', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Modprobe {
        Modprobe::merge(&[("/etc/modprobe.d/a.conf", text)])
    }

    #[test]
    fn blocks_are_told_apart() {
        let config = read(
            "install dccp /bin/false\r\ninstall sctp /bin/true # never\nblacklist firewire-core\n\
             install rds /sbin/modprobe --ignore-install rds\ninstall tipc /bin/true; modprobe -i tipc\n\
             install usb-* \\\n  :\n# install udf /bin/true\nblacklist dccp\nblacklist",
        );
        let at = |line| Origin { file: Arc::from("/etc/modprobe.d/a.conf"), line };
        let expected = [
            ("dccp", Blocked::Install(at(1))),
            ("sctp", Blocked::Install(at(2))),
            ("firewire_core", Blocked::Blacklist(at(3))),
            ("rds", Blocked::Replaced(at(4))),
            ("tipc", Blocked::Replaced(at(5))),
            ("usb_storage", Blocked::Install(at(6))),
            ("udf", Blocked::No),
        ];
        for (module, blocked) in expected {
            assert_eq!(config.blocked(module), blocked, "{module}");
        }
        assert_eq!(config.mistakes.len(), 1);
        assert_eq!(config.mistakes[0].0, at(10));
    }

    #[test]
    fn options_add_up_in_the_order_of_files() {
        let config = Modprobe::merge(&[
            ("/etc/modprobe.d/z.conf", "options kvm-intel nested=0"),
            (
                "/etc/modprobe.d/kvm.conf",
                "options kvm_intel nested=1 ept=1\noptions vfio_iommu_type1 allow\n",
            ),
            ("/lib/modprobe.d/kvm.conf", "options kvm_intel ept=0\n"),
        ]);
        let (value, origin) = config.option("kvm_intel", "nested").unwrap();
        assert_eq!((value.as_str(), origin.to_string().as_str()), ("0", "/etc/modprobe.d/z.conf:1"));
        assert_eq!(config.option("kvm-intel", "ept").map(|(value, _)| value).as_deref(), Some("1"));
        assert_eq!(config.option("vfio-iommu-type1", "allow").map(|(value, _)| value).as_deref(), Some(""));
        assert_eq!(config.option("kvm", "nested"), None);
        assert_eq!(config.ignored, ["/lib/modprobe.d/kvm.conf"]);
    }

    #[test]
    fn the_first_install_counts() {
        let config = read("install a /sbin/x\ninstall a /bin/true\ninstall b /bin/true#x\n");
        assert!(matches!(config.blocked("a"), Blocked::Replaced(_)));
        assert!(matches!(config.blocked("b"), Blocked::Replaced(_)));
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "((install|options|blacklist)? ?.{0,12}\n?){0,8}", module in ".{0,8}") {
            let config = read(&text);
            let _ = (config.blocked(&module), config.option(&module, &module));
        }

        #[test]
        fn a_blocked_module_stays_so_in_any_spelling(module in "[a-z][a-z_-]{0,9}") {
            let config = read(&format!("install {module} /bin/false\n"));
            prop_assert!(matches!(config.blocked(&module.replace('-', "_")), Blocked::Install(_)));
        }
    }
}
