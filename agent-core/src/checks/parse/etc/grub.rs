//! What the next boot passes to the kernel: `grub.cfg`, loader entries, and the defaults that `grub.cfg` is made
//! from.

use super::shell;
use super::text::{Mistake, keep, logical, note, shell_words};
use std::sync::Arc;

/// One entry's command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// The menu entry's or loader entry's title; empty where there is none.
    pub title: Arc<str>,
    /// The kernel's file.
    pub kernel: String,
    /// The command line, as the kernel would get it. Variables of the loader (`$kernelopts`, `$root`) stay as they
    /// are.
    pub cmdline: String,
    /// The line of it, counted from 1.
    pub line: usize,
}

/// What `grub.cfg` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrubCfg {
    /// Every `linux` line, in order; also of entries in submenus.
    pub boots: Vec<Boot>,
    /// The line of the first `password_pbkdf2`: changing an entry asks for a password, if `superusers` is set too.
    /// Neither user nor hash is kept.
    pub password_line: Option<usize>,
    /// The line of a `password`, which stands there in clear.
    pub clear_password_line: Option<usize>,
    /// The line of the first `set superusers=`.
    pub superusers_line: Option<usize>,
    /// Lines with quotes that do not end within them.
    pub mistakes: Vec<Mistake>,
}

impl GrubCfg {
    /// Reads the text of a `grub.cfg`. Conditions are not evaluated: what stands in any branch is found. `blscfg`
    /// takes entries from files, see [`loader_entry`].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut cfg = Self::default();
        let mut title: Arc<str> = Arc::from("");
        for (line, content) in logical(text, "") {
            let content = content.trim();
            let command = content.split_ascii_whitespace().next().unwrap_or_default();
            match command {
                "menuentry" | "linux" | "linux16" | "linuxefi" => {}
                "password_pbkdf2" => {
                    cfg.password_line.get_or_insert(line);
                    continue;
                }
                "password" => {
                    cfg.clear_password_line.get_or_insert(line);
                    continue;
                }
                _ => {
                    if content
                        .strip_prefix("set ")
                        .is_some_and(|rest| rest.trim_start().starts_with("superusers="))
                    {
                        cfg.superusers_line.get_or_insert(line);
                    }
                    continue;
                }
            }
            let Ok(words) = shell_words(content) else {
                note(&mut cfg.mistakes, line, "a quote that does not end");
                continue;
            };
            if command == "menuentry" {
                title = Arc::from(words.get(1).map_or("", String::as_str));
            } else if let [_, kernel, arguments @ ..] = words.as_slice() {
                let cmdline = arguments.iter().map(|word| requoted(word)).collect::<Vec<_>>().join(" ");
                let boot = Boot { title: Arc::clone(&title), kernel: kernel.clone(), cmdline, line };
                keep(&mut cfg.boots, boot, &mut cfg.mistakes, line);
            } else {
                note(&mut cfg.mistakes, line, "no kernel");
            }
        }
        cfg
    }
}

/// A word that holds blanks reaches the kernel in quotes.
fn requoted(word: &str) -> String {
    match word.split_once('=') {
        Some((name, value)) if word.contains([' ', '\t']) => format!("{name}=\"{value}\""),
        None if word.contains([' ', '\t']) => format!("\"{word}\""),
        _ => word.to_owned(),
    }
}

/// A file of `/boot/loader/entries` (the Boot Loader Specification, type 1). Lines `options` add up. Without a `linux`
/// line, as for an EFI program, it is `None`.
#[must_use]
pub fn loader_entry(text: &str) -> Option<Boot> {
    let mut boot = Boot { title: Arc::from(""), kernel: String::new(), cmdline: String::new(), line: 0 };
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        let (key, value) = content.split_once([' ', '\t']).unwrap_or((content, ""));
        let value = value.trim();
        match key {
            "title" => boot.title = Arc::from(value),
            "linux" => value.clone_into(&mut boot.kernel),
            "options" => {
                if boot.line == 0 {
                    boot.line = line;
                } else {
                    boot.cmdline.push(' ');
                }
                boot.cmdline.push_str(value);
            }
            _ => {}
        }
    }
    (!boot.kernel.is_empty()).then_some(boot)
}

/// What `/etc/default/grub` and `/etc/default/grub.d/*.cfg` say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// `GRUB_CMDLINE_LINUX`, for every entry.
    pub linux: Option<(String, usize)>,
    /// `GRUB_CMDLINE_LINUX_DEFAULT`, for every entry but those for recovery.
    pub linux_default: Option<(String, usize)>,
    /// Lines that are no plain assignment.
    pub mistakes: Vec<Mistake>,
}

/// Reads one file. A value that holds `$GRUB_CMDLINE_LINUX` builds on that of the files before, which is left to the
/// caller: nothing is expanded.
#[must_use]
pub fn defaults(text: &str) -> Defaults {
    let (found, mistakes) = shell::parse(text);
    Defaults {
        linux: shell::last(&found, "GRUB_CMDLINE_LINUX"),
        linux_default: shell::last(&found, "GRUB_CMDLINE_LINUX_DEFAULT"),
        mistakes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kernels_of_a_menu_are_found() {
        let cfg = GrubCfg::parse(
            "set superusers=\"root\"\npassword_pbkdf2 root grub.pbkdf2.sha512.10000.SECRET\n\
             menuentry 'Debian \"12\"' --class debian {\r\n\tinsmod gzio\n\
             \tlinux\t/vmlinuz-6.1 root=UUID=1 ro  mitigations=auto,nosmt dyndbg=\"file a +p\"\n\tinitrd /i\n}\n\
             submenu 'More' {\n\tmenuentry 'old' {\n\t\tlinuxefi /vmlinuz-5 $kernelopts \\\n quiet\n\t}\n}\nlinux\nlinux 'x",
        );
        assert_eq!(cfg.boots.len(), 2);
        assert_eq!((&*cfg.boots[0].title, cfg.boots[0].kernel.as_str()), ("Debian \"12\"", "/vmlinuz-6.1"));
        assert_eq!(cfg.boots[0].cmdline, "root=UUID=1 ro mitigations=auto,nosmt dyndbg=\"file a +p\"");
        assert_eq!((cfg.boots[1].cmdline.as_str(), cfg.boots[1].line), ("$kernelopts quiet", 10));
        assert_eq!(
            (cfg.superusers_line, cfg.password_line, cfg.clear_password_line),
            (Some(1), Some(2), None)
        );
        assert_eq!(cfg.mistakes.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [14, 15]);
        assert!(!format!("{cfg:?}").contains("SECRET"));
    }

    #[test]
    fn entries_and_defaults_are_read() {
        let boot =
            loader_entry("# c\ntitle A b\nlinux /vmlinuz\noptions root=x ro\noptions quiet\n").unwrap();
        assert_eq!((boot.cmdline.as_str(), boot.line, &*boot.title), ("root=x ro quiet", 4, "A b"));
        assert_eq!(loader_entry("title x\nefi /shell.efi"), None);
        let defaults = defaults(
            "GRUB_DEFAULT=0\nGRUB_DISTRIBUTOR=`lsb_release -i -s`\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n\
             GRUB_CMDLINE_LINUX=\"lockdown=integrity\"\nGRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX x=1\"",
        );
        assert_eq!(defaults.linux, Some(("$GRUB_CMDLINE_LINUX x=1".to_owned(), 5)));
        assert_eq!(defaults.linux_default, Some(("quiet".to_owned(), 3)));
        assert_eq!(defaults.mistakes, []);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "((linux|menuentry|options)?[ '\"a=\\\\]{0,8}\n?){0,8}|.{0,60}") {
            let _ = (GrubCfg::parse(&text), loader_entry(&text), defaults(&text));
        }

        #[test]
        fn the_command_line_comes_through(words in prop::collection::vec("[a-z_]{1,6}(=[a-z0-9,]{1,6})?", 0..6)) {
            let line = words.join(" ");
            let cfg = GrubCfg::parse(&format!("linux /k {line}\n"));
            prop_assert_eq!(&cfg.boots[0].cmdline, &line);
            prop_assert_eq!(loader_entry(&format!("linux /k\noptions {line}")).unwrap().cmdline, line);
        }
    }
}
