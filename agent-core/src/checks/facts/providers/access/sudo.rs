//! Who may become root without being asked: sudo's rules, in the order in which sudo reads its files.

use super::texts::texts;
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::sudoers::Sudoers;
use std::sync::Arc;

const PATH: &str = "/etc/sudoers";
const FILES_MAX: usize = 128;

type Files = Result<Vec<(String, Sudoers)>, Unavailable>;

/// `sudo.present`
pub(super) fn present(gather: &Gather, _: &str) -> Found {
    const PROGRAM: &str = "/usr/bin/sudo";
    match gather.meta(PROGRAM) {
        Ok(_) => Found::value(true, PROGRAM),
        Err(Unavailable::Absent) => Found::value(false, PROGRAM),
        Err(why) => Found::unavailable(why, PROGRAM),
    }
}

/// `sudo:FLAG`
pub(super) fn flag(gather: &Gather, name: &str) -> Found {
    told(gather, |files| {
        let last = files.iter().rev().find_map(|(path, one)| Some((path, one.flag(name)?)));
        match last {
            Some((path, (on, line))) => Found::value(if on { "on" } else { "off" }, format!("{path}:{line}")),
            None => Found::unavailable(Unavailable::Absent, PATH),
        }
    })
}

/// `sudo.nopasswd`
pub(super) fn no_password(gather: &Gather, _: &str) -> Found {
    told(gather, |files| {
        let aliases: Vec<_> = files.iter().flat_map(|(_, one)| &one.aliases).collect();
        let mut found = Vec::new();
        for (path, one) in files {
            for rule in &one.rules {
                let open = rule.commands.iter().filter(|c| c.no_password && !c.command.starts_with('!'));
                for allowed in open {
                    let alias =
                        aliases.iter().find(|a| a.kind.starts_with("Cm") && a.name == allowed.command);
                    let commands =
                        alias.map_or_else(|| allowed.command.clone(), |alias| alias.items.join(", "));
                    found.push(format!("{}: {commands} ({path}:{})", rule.users.join(", "), rule.line));
                }
            }
        }
        Found::value(Value::List(found), PATH)
    })
}

/// `sudo.unauthenticated`
pub(super) fn unauthenticated(gather: &Gather, _: &str) -> Found {
    told(gather, |files| {
        let off = files.iter().flat_map(|(path, one)| {
            let settings =
                one.settings.iter().filter(|setting| setting.name == "authenticate" && setting.negated);
            settings.map(move |setting| {
                format!("Defaults{} !authenticate ({path}:{})", setting.scope, setting.line)
            })
        });
        Found::value(off.collect::<Vec<_>>(), PATH)
    })
}

fn told(gather: &Gather, tell: impl Fn(&[(String, Sudoers)]) -> Found) -> Found {
    match &*files(gather) {
        Ok(files) => tell(files),
        Err(why) => Found::unavailable(why.clone(), PATH),
    }
}

fn files(gather: &Gather) -> Arc<Files> {
    gather.memo("sudoers", |gather| {
        let mut found = Vec::new();
        add(gather, PATH, &gather.text(PATH)?, &mut found)?;
        for (path, one) in &found {
            if let Some((line, why)) = one.mistakes.first() {
                return Err(Unavailable::Malformed(format!(
                    "{path}:{line}: {why}; what it allows is not known"
                )));
            }
        }
        Ok(found)
    })
}

fn add(
    gather: &Gather,
    path: &str,
    text: &str,
    found: &mut Vec<(String, Sudoers)>,
) -> Result<(), Unavailable> {
    if found.len() >= FILES_MAX {
        return Err(Unavailable::TooMuch(format!("more than {FILES_MAX} files")));
    }
    let one = Sudoers::parse(text);
    let includes = one.includes.clone();
    // A file comes before those it includes, which is not where they stand; for what is told here the order of
    // Defaults matters alone, and distributions include at the end.
    found.push((path.to_owned(), one));
    for include in includes {
        let full =
            if include.path.starts_with('/') { include.path } else { format!("/etc/{}", include.path) };
        if full.contains('%') {
            return Err(Unavailable::NotExposed(format!(
                "{full}: names with the host's in them are not followed"
            )));
        }
        if include.folder {
            for (path, text) in texts(gather, &full, "")? {
                let name = path.rsplit('/').next().unwrap_or_default();
                if !name.contains('.') && !name.ends_with('~') {
                    add(gather, &path, &text, found)?;
                }
            }
        } else if !found.iter().any(|(known, _)| *known == full) {
            add(gather, &full, &gather.text(&full)?, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    #[test]
    fn rules_of_all_files_are_told_and_names_with_dots_are_passed_over() {
        let tree = Tree::new(&[
            (
                "etc/sudoers",
                "Defaults use_pty\nCmnd_Alias VMS = /usr/bin/virsh, /usr/bin/qemu-img\nroot ALL=(ALL) ALL\n@includedir /etc/sudoers.d\n",
            ),
            (
                "etc/sudoers.d/90-cloud",
                "anna ALL=(ALL) NOPASSWD:ALL\n%ops ALL=NOPASSWD: VMS, PASSWD: /bin/ls\nDefaults:bob !authenticate\n",
            ),
            ("etc/sudoers.d/old.bak", "eve ALL=NOPASSWD: ALL\n"),
            ("etc/sudoers.d/older~", "eve ALL=NOPASSWD: ALL\n"),
        ]);
        assert_eq!(
            tree.told(no_password, ""),
            "anna: ALL (/etc/sudoers.d/90-cloud:1), %ops: /usr/bin/virsh, /usr/bin/qemu-img (/etc/sudoers.d/90-cloud:2)"
        );
        assert_eq!(tree.told(flag, "use_pty"), "on");
        assert_eq!(tree.told(flag, "requiretty"), "!absent");
        assert_eq!(tree.told(unauthenticated, ""), "Defaults:bob !authenticate (/etc/sudoers.d/90-cloud:3)");
    }

    #[test]
    fn a_line_that_is_not_understood_leaves_everything_open() {
        let tree = Tree::new(&[("etc/sudoers", "root ALL=(ALL) ALL\nthis is no rule\n")]);
        assert_eq!(tree.told(no_password, ""), "!malformed");
        let tree = Tree::new(&[("etc/sudoers", "@include /etc/sudoers\nroot ALL=(ALL) ALL\n")]);
        assert_eq!(tree.told(no_password, ""), "none", "one that includes itself ends");
        assert_eq!(Tree::new(&[]).told(no_password, ""), "!absent");
    }
}
