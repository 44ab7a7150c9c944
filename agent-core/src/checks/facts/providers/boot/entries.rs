//! What may be booted next: the entries of the boot loader, each with the command line it passes.

use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::grub::{Boot, GrubCfg, loader_entry};
use crate::checks::parse::etc::kernel_cmdline::Cmdline;
use std::sync::Arc;

/// What may be booted next.
pub(in super::super) struct Next {
    /// What reads it.
    pub(super) loader: &'static str,
    /// Every entry but those for recovery.
    pub(super) entries: Vec<Entry>,
}

/// One entry.
pub(super) struct Entry {
    /// Its command line.
    pub(super) cmdline: Cmdline,
    /// `path:line`.
    pub(super) source: String,
    /// A variable of the loader that stands in it and whose value is not known.
    pub(super) open: Option<String>,
}

impl Next {
    /// The value of a parameter on which all entries agree, and where the first sets it.
    pub(in super::super) fn sole(&self, name: &str) -> Option<(String, String)> {
        let value = |entry: &Entry| entry.cmdline.last(name).map(str::to_owned);
        let first = self.entries.first()?;
        let wanted = value(first)?;
        let agree = self.entries.iter().all(|entry| value(entry).as_ref() == Some(&wanted));
        agree.then(|| (wanted, first.source.clone()))
    }
}

const GRUB: [&str; 2] = ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"];
const GRUB_BYTES_MAX: usize = 4 << 20;
const LOADER: [&str; 3] = ["/boot/loader/entries", "/efi/loader/entries", "/boot/efi/loader/entries"];

/// What may be booted next, read once a round.
///
/// # Errors
/// `Absent` when no boot loader that is known here is configured.
pub(in super::super) fn next(gather: &Gather) -> Result<Arc<Next>, Unavailable> {
    let next = gather.memo("boot entries", |gather| read(gather).map(Arc::new));
    (*next).clone()
}

fn read(gather: &Gather) -> Result<Next, Unavailable> {
    let mut entries = Vec::new();
    let mut loader = "";
    if let Some((path, grub)) = grub(gather)? {
        loader = "grub";
        let variables = variables(gather, path);
        entries.extend(grub.boots.iter().filter_map(|boot| entry(boot, path, &variables)));
    }
    for folder in LOADER {
        let names = match gather.list(folder) {
            Ok(names) => names,
            Err(Unavailable::Absent) => continue,
            Err(why) => return Err(why),
        };
        let variables = variables(gather, "/boot/grub2/grub.cfg");
        // The newest sorts last, and is booted by default.
        for name in names.iter().rev().filter(|name| name.strip_suffix(".conf").is_some()) {
            let path = format!("{folder}/{name}");
            let text = gather.text(&path)?;
            entries.extend(loader_entry(&text).and_then(|boot| entry(&boot, &path, &variables)));
            loader = if loader.is_empty() { "loader entries" } else { loader };
        }
    }
    if entries.is_empty() {
        // What unified kernels and new loader entries are made from: kernel-install(8).
        const KERNEL: &str = "/etc/kernel/cmdline";
        match gather.text(KERNEL) {
            Ok(text) => {
                let cmdline = text.trim().to_owned();
                let boot = Boot { title: "".into(), kernel: String::new(), cmdline, line: 1 };
                entries.extend(entry(&boot, KERNEL, &[]));
                loader = "kernel-install";
            }
            Err(Unavailable::Absent) => return Err(Unavailable::Absent),
            Err(why) => return Err(why),
        }
    }
    Ok(Next { loader, entries })
}

fn grub(gather: &Gather) -> Result<Option<(&'static str, Arc<GrubCfg>)>, Unavailable> {
    for path in GRUB {
        match gather
            .document(path, GRUB_BYTES_MAX, |bytes| Ok(GrubCfg::parse(&String::from_utf8_lossy(bytes))))
        {
            Ok(grub) => return Ok(Some((path, grub))),
            Err(Unavailable::Absent) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(None)
}

/// What `grubenv` beside a `grub.cfg` sets: lines of `name=value`, filled up with `#`.
fn variables(gather: &Gather, grub: &str) -> Vec<(String, String)> {
    let path = format!("{}/grubenv", grub.rsplit_once('/').map_or("", |(folder, _)| folder));
    let Ok(text) = gather.text(&path) else { return Vec::new() };
    let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// None for an entry for recovery, which asks for a password and starts no VM.
fn entry(boot: &Boot, path: &str, variables: &[(String, String)]) -> Option<Entry> {
    let mut open = None;
    let mut words = Vec::new();
    for word in boot.cmdline.split(' ') {
        let Some(name) = word.strip_prefix('$') else {
            words.push(word);
            continue;
        };
        let name = name.trim_start_matches('{').trim_end_matches('}');
        match variables.iter().find(|(known, _)| known == name) {
            Some((_, value)) => words.push(value),
            // Fedora's, empty unless tuned sets it.
            None if name == "tuned_params" || name == "tuned_initrd" => {}
            None => open = open.or_else(|| Some(word.to_owned())),
        }
    }
    let cmdline = Cmdline::parse(&words.join(" "));
    let recovers = ["single", "recovery", "rescue", "emergency"].iter().any(|word| cmdline.has(word))
        || boot.title.contains("(recovery mode)")
        || boot.title.contains("rescue");
    (!recovers).then(|| Entry { cmdline, source: format!("{path}:{}", boot.line), open })
}

pub(super) fn grub_password(gather: &Gather, _: &str) -> Found {
    match grub(gather) {
        Ok(Some((path, grub))) => {
            let (word, line) = match (grub.clear_password_line, grub.password_line, grub.superusers_line) {
                (Some(line), ..) => ("clear", Some(line)),
                (None, Some(line), Some(_)) => ("yes", Some(line)),
                _ => ("no", None),
            };
            let source = line.map_or_else(|| path.to_owned(), |line| format!("{path}:{line}"));
            Found::value(word, source)
        }
        Ok(None) => Found::unavailable(Unavailable::Absent, GRUB[0]),
        Err(why) => Found::unavailable(why, GRUB[0]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::kernel::tests::host;
    use super::*;

    #[test]
    fn variables_are_looked_up_and_unknown_ones_are_not_guessed() {
        let entry = |options: &str| format!("title Fedora\nlinux /vmlinuz-6.9\noptions {options}\n");
        let (_folder, gather) = host(&[
            ("/boot/loader/entries/a-6.8.conf", &entry("$kernelopts $tuned_params")),
            (
                "/boot/loader/entries/a-0-rescue.conf",
                "title Fedora rescue\nlinux /vmlinuz-0-rescue\noptions mds=off\n",
            ),
            ("/boot/loader/entries/a-6.9.conf", &entry("root=/dev/a mitigations=off $extra")),
            (
                "/boot/grub2/grubenv",
                "# GRUB Environment Block\nkernelopts=root=/dev/a mitigations=auto\n######",
            ),
        ]);
        let next = next(&gather).expect("entries");
        assert_eq!(next.loader, "loader entries");
        let seen: Vec<_> =
            next.entries.iter().map(|e| (e.cmdline.last("mitigations"), e.open.as_deref())).collect();
        assert_eq!(
            seen,
            [(Some("off"), Some("$extra")), (Some("auto"), None)],
            "the newest first, no rescue"
        );
        assert_eq!(next.sole("mitigations"), None);
        assert_eq!(next.sole("root").map(|(value, _)| value).as_deref(), Some("/dev/a"));
    }

    #[test]
    fn a_password_needs_a_user() {
        let (_folder, gather) = host(&[(
            "/boot/grub/grub.cfg",
            "set superusers=\"root\"\npassword_pbkdf2 root grub.pbkdf2.sha512.1.AA.BB\n",
        )]);
        let found = grub_password(&gather, "");
        assert_eq!((found.value, &*found.source), (Ok("yes".into()), "/boot/grub/grub.cfg:2"));
        let (_folder, gather) =
            host(&[("/boot/grub2/grub.cfg", "password_pbkdf2 root grub.pbkdf2.sha512.1.A\n")]);
        assert_eq!(grub_password(&gather, "").value, Ok("no".into()));
        let (_folder, gather) = host(&[("/boot/x", "")]);
        assert_eq!(grub_password(&gather, "").value, Err(Unavailable::Absent));
    }
}
