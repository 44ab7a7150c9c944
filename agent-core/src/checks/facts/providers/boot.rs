//! How the host was started, and how it will be: the kernel's command line, Secure Boot, what was measured.

mod entries;
mod trust;

use super::{Provider, Read, Refresh};
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::kernel_cmdline::{Cmdline, Parameter};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) use entries::next;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "cmdline",
        help: "the last value of a parameter that the running kernel was started with; `set` when it has none",
        read: Read::Host(cmdline),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "cmdline.all",
        help: "every value of a parameter that the running kernel was started with, in order",
        read: Read::Host(cmdline_all),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "boot-cmdline",
        help: "what the next boot passes for a parameter: one value for each entry that says something else, \
               `(not set)` for those without it",
        read: Read::Host(boot_cmdline),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "boot.loader",
        help: "where the next boot's command line comes from",
        read: Read::Host(loader),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "boot.differences",
        help: "parameters that the running kernel was started with and the next would not be, or the other way round",
        read: Read::Host(differences),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "grub.password",
        help: "whether changing a menu entry asks for a password: yes, no, or clear when it stands there in clear",
        read: Read::Host(entries::grub_password),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "boot.firmware",
        help: "uefi, or other where the kernel was started without UEFI",
        read: Read::Host(trust::firmware),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "efi.variable",
        help: "a global variable of the firmware that holds one byte, such as SecureBoot",
        read: Read::Host(trust::efi_variable),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "tpm.pcr",
        help: "a register of the TPM's SHA-256 bank by number, in lower case",
        read: Read::Host(trust::pcr),
        refresh: Refresh::Seconds(300),
    },
    Provider {
        name: "tpm.event-log",
        help: "whether the firmware's log of what it measured has anything in it",
        read: Read::Host(trust::event_log),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "ima.measures",
        help: "whether IMA measured more than the boot itself",
        read: Read::Host(trust::ima_measures),
        refresh: Refresh::Seconds(300),
    },
];

const CMDLINE: &str = "/proc/cmdline";

fn running(gather: &Gather) -> Result<Arc<Cmdline>, Unavailable> {
    let line = gather.document(CMDLINE, 64 << 10, |bytes| {
        let cmdline = Cmdline::parse(&String::from_utf8_lossy(bytes));
        if cmdline.broken {
            return Err(Unavailable::Malformed(
                "a quote that does not end, or too many parameters".to_owned(),
            ));
        }
        Ok(cmdline)
    });
    line.map_err(|why| match why {
        // A parameter may be absent; the line is there on every host.
        Unavailable::Absent => Unavailable::NotExposed(format!("{CMDLINE} is not there")),
        why => why,
    })
}

fn cmdline(gather: &Gather, name: &str) -> Found {
    Found::either(running(gather).and_then(|line| last(&line, name).ok_or(Unavailable::Absent)), CMDLINE)
}

fn cmdline_all(gather: &Gather, name: &str) -> Found {
    let values = running(gather).and_then(|line| {
        let values: Vec<String> = line.values(name).map(|value| value.unwrap_or(SET).to_owned()).collect();
        if values.is_empty() { Err(Unavailable::Absent) } else { Ok(values) }
    });
    Found::either(values, CMDLINE)
}

/// What stands for the value of a parameter without one.
const SET: &str = "set";

fn last(line: &Cmdline, name: &str) -> Option<String> {
    line.values(name).last().map(|value| value.unwrap_or(SET).to_owned())
}

fn boot_cmdline(gather: &Gather, name: &str) -> Found {
    let next = match next(gather) {
        Ok(next) => next,
        Err(why) => return Found::unavailable(unknown(why), "the boot loader's configuration"),
    };
    let mut values: Vec<String> = Vec::new();
    let mut source = String::new();
    for entry in &next.entries {
        let value = match last(&entry.cmdline, name) {
            Some(value) => value,
            None => match &entry.open {
                // A variable of the loader may stand for anything.
                Some(variable) => {
                    let why = format!("the loader's variable {variable} is not known");
                    return Found::unavailable(Unavailable::NotExposed(why), &*entry.source);
                }
                None => UNSET.to_owned(),
            },
        };
        if source.is_empty() || (value != UNSET && !values.contains(&value)) {
            source.clone_from(&entry.source);
        }
        if !values.contains(&value) {
            values.push(value);
        }
    }
    if values.iter().all(|value| value == UNSET) {
        return Found::unavailable(Unavailable::Absent, source);
    }
    match <[String; 1]>::try_from(values) {
        Ok([value]) => Found::value(value, source),
        Err(values) => Found::value(values, source),
    }
}

const UNSET: &str = "(not set)";

/// Without a loader's configuration nothing is known; a parameter that is absent from one is something else.
fn unknown(why: Unavailable) -> Unavailable {
    match why {
        Unavailable::Absent => Unavailable::NotExposed(
            "no boot loader's configuration is here, so the next boot is not known".to_owned(),
        ),
        why => why,
    }
}

fn loader(gather: &Gather, _: &str) -> Found {
    match next(gather) {
        Ok(next) => {
            let source = next.entries.first().map_or("", |entry| &entry.source);
            Found::value(next.loader, source)
        }
        Err(why) => Found::unavailable(why, "/boot"),
    }
}

/// Parameters that say which kernel and root it is, and nothing of how it behaves.
const IDENTITY: [&str; 8] = ["BOOT_IMAGE", "root", "initrd", "resume", "rootflags", "rootfstype", "ro", "rw"];

fn differences(gather: &Gather, _: &str) -> Found {
    let (running, next) = match (running(gather), next(gather)) {
        (Ok(running), Ok(next)) => (running, next),
        (Err(why), _) => return Found::unavailable(why, CMDLINE),
        (_, Err(why)) => return Found::unavailable(unknown(why), "/boot"),
    };
    let Some(first) = next.entries.first() else { return Found::unavailable(Unavailable::Absent, "/boot") };
    if let Some(variable) = &first.open {
        let why = format!("the loader's variable {variable} is not known");
        return Found::unavailable(Unavailable::NotExposed(why), &*first.source);
    }
    // The names alone: what a parameter is set to may be nobody's business.
    let set = |line: &Cmdline| -> BTreeSet<(String, Option<String>)> {
        let ours = |parameter: &&Parameter| !IDENTITY.contains(&parameter.name.as_str());
        line.parameters.iter().filter(ours).map(|p| (p.name.replace('-', "_"), p.value.clone())).collect()
    };
    let (now, then) = (set(&running), set(&first.cmdline));
    let lost = now.difference(&then).map(|(name, _)| format!("{name}: only now"));
    let new = then.difference(&now).map(|(name, _)| format!("{name}: only next"));
    Found::value(Value::List(lost.chain(new).collect()), &*first.source)
}

#[cfg(test)]
mod tests {
    use super::super::kernel::tests::host;
    use super::*;

    #[test]
    fn the_last_value_counts_and_init_s_are_not_the_kernel_s() {
        let (_folder, gather) =
            host(&[("/proc/cmdline", "quiet mds=full mds=off -- nokaslr mitigations=off\n")]);
        assert_eq!(cmdline(&gather, "mds").value, Ok(Value::from("off")));
        assert_eq!(cmdline_all(&gather, "mds").value.expect("two").to_string(), "full, off");
        assert_eq!(cmdline(&gather, "quiet").value, Ok(Value::from("set")));
        assert_eq!(cmdline(&gather, "nokaslr").value, Err(Unavailable::Absent));
        let (_folder, none) = host(&[("/etc/x", "")]);
        assert!(matches!(cmdline(&none, "mds").value, Err(Unavailable::NotExposed(_))), "not recorded");
    }

    #[test]
    fn every_entry_that_may_be_booted_counts_but_not_recovery() {
        let grub = "menuentry 'Debian' {\n linux /vmlinuz-6.1 root=/dev/a ro quiet lockdown=integrity\n}\n\
                    menuentry 'Debian (recovery mode)' {\n linux /vmlinuz-6.1 root=/dev/a ro single dis_ucode_ldr\n}\n\
                    menuentry 'Debian 6.0' {\n linux /vmlinuz-6.0 root=/dev/a ro quiet\n}\n";
        let (_folder, gather) = host(&[
            ("/boot/grub/grub.cfg", grub),
            ("/proc/cmdline", "BOOT_IMAGE=/vmlinuz-6.1 root=/dev/a ro quiet lockdown=none mds=off\n"),
        ]);
        assert_eq!(boot_cmdline(&gather, "dis_ucode_ldr").value, Err(Unavailable::Absent));
        let lockdown = boot_cmdline(&gather, "lockdown");
        assert_eq!(lockdown.value.expect("two").to_string(), "integrity, (not set)");
        assert_eq!(boot_cmdline(&gather, "quiet").value, Ok(Value::from("set")));
        let found = differences(&gather, "").value.expect("a list").to_string();
        assert_eq!(found, "lockdown: only now, mds: only now, lockdown: only next");
    }

    #[test]
    fn without_a_loader_the_next_boot_is_not_known() {
        let (_folder, gather) = host(&[("/boot/vmlinuz", ""), ("/proc/cmdline", "quiet\n")]);
        assert!(matches!(boot_cmdline(&gather, "mds").value, Err(Unavailable::NotExposed(_))));
        assert_eq!(loader(&gather, "").value, Err(Unavailable::Absent));
        assert!(matches!(differences(&gather, "").value, Err(Unavailable::NotExposed(_))));
    }
}
