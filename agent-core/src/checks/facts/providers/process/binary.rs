//! The program that runs a VM: which it is, who could put another in its place, and how it was built.

use super::super::packages::{md5_of, of_rpm};
use super::namespaces::behind;
use super::of_process;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::host::Meta;
use crate::checks::parse::files::elf::{self, Hardening, Relro};
use crate::checks::vm::Vm;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

/// More than any VMM's program takes.
const PROGRAM_BYTES_MAX: u64 = 256 << 20;
const INFO: &str = "/var/lib/dpkg/info";
const SUMS_BYTES_MAX: u64 = 16 << 20;
/// Names in the environment that make the loader take in other code.
const LOADER: [&str; 3] = ["LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH"];

/// A VM's program.
pub(super) struct Program {
    /// Its path, as the process's own mounts have it.
    path: String,
    /// Whether the path leads to it no more: it was deleted, or replaced by another.
    gone: bool,
    /// The file that runs; `None` when that cannot be told.
    meta: Option<Meta>,
    /// Whether the path leads to that very file on the host.
    on_host: bool,
}

/// A VM's program. Read once a round.
pub(super) fn program(gather: &Gather, vm: &Arc<Vm>) -> Arc<Result<Program, Unavailable>> {
    gather.memo(&vm.proc("exe"), |gather| {
        let link = of_process(gather, vm, gather.host().link(&vm.proc("exe")))?;
        let (path, gone) = match link.strip_suffix(" (deleted)") {
            Some(path) => (path.to_owned(), true),
            None => (link, false),
        };
        gather.note(&path);
        let there = gather.host().meta(&path).ok();
        let meta = if gather.host().is_live() {
            of_process(gather, vm, behind(gather, vm.proc("").trim_end_matches('/'), "exe")).ok()
        } else {
            there.filter(|_| !gone)
        };
        let same = |(a, b): (Meta, Meta)| a.identity == b.identity;
        let on_host = !gone && meta.zip(there).is_some_and(same);
        Ok(Program { path, gone, meta, on_host })
    })
}

pub(super) fn path(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    told(gather, vm, |program| Ok(program.path.clone()))
}

/// Every VM's program.
pub(super) fn programs(gather: &Gather, _: &str) -> Found {
    let mut paths = Vec::new();
    for vm in gather.vms() {
        match &*program(gather, vm) {
            Ok(program) => paths.push(program.path.clone()),
            Err(Unavailable::Gone) => {}
            Err(why) => return Found::unavailable(why.clone(), vm.proc("exe")),
        }
    }
    paths.sort();
    paths.dedup();
    Found::value(paths, "/proc/*/exe")
}

/// `current`, or `gone` when the program that runs is not the one that a restart would run.
pub(super) fn state(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    told(gather, vm, |program| Ok(if program.gone { "gone" } else { "current" }.to_owned()))
}

pub(super) fn owner(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    told(gather, vm, |program| Ok(program.meta.ok_or_else(unseen)?.uid.to_string()))
}

pub(super) fn mode(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    match &*program(gather, vm) {
        Ok(Program { meta: Some(meta), path, .. }) => {
            Found::value(i64::from(meta.permissions()), path).with_raw(&format!("{:04o}", meta.permissions()))
        }
        Ok(_) => Found::unavailable(unseen(), vm.proc("exe")),
        Err(why) => Found::unavailable(why.clone(), vm.proc("exe")),
    }
}

/// Folders on the way to the program in which somebody other than root could put another in its place.
pub(super) fn parents(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    match &*program(gather, vm) {
        Ok(program) if program.on_host => Found::either(open_folders(gather, &program.path), &program.path),
        Ok(program) => Found::unavailable(off_host(), &program.path),
        Err(why) => Found::unavailable(why.clone(), vm.proc("exe")),
    }
}

/// Folders above a path that root does not own, or that others may write; a sticky folder protects what root owns.
pub(super) fn open_folders(gather: &Gather, path: &str) -> Result<Vec<String>, Unavailable> {
    let mut open = Vec::new();
    let mut rest = path;
    while let Some((folder, _)) = rest.rsplit_once('/') {
        rest = folder;
        let folder = if folder.is_empty() { "/" } else { folder };
        let meta = gather.meta(folder)?;
        let sticky = meta.mode & 0o1000 != 0;
        if meta.uid != 0 || (meta.mode & 0o022 != 0 && !sticky) {
            open.push(format!("{folder} (owner {}, {:04o})", meta.uid, meta.permissions()));
        }
    }
    Ok(open)
}

/// `intact`, `changed`, or not to be told: compared with what the package that brought it says.
pub(super) fn package(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let program = program(gather, vm);
    let program = match &*program {
        Ok(program) => program,
        Err(why) => return Found::unavailable(why.clone(), vm.proc("exe")),
    };
    if !program.on_host {
        return Found::unavailable(off_host(), &program.path);
    }
    let listed = gather.memo(&program.path, |gather| Listed(listed(gather, &program.path)));
    let (package, wanted) = match &listed.0 {
        Ok(Some(listed)) => listed,
        Ok(None) => {
            let why = "no package of a name like its own brought it here".to_owned();
            return Found::unavailable(Unavailable::NotExposed(why), INFO);
        }
        Err(why) => return Found::unavailable(why.clone(), INFO),
    };
    let source = format!("{INFO}/{package}.md5sums");
    // A program that nobody touched since its package was unpacked need not be read: no system call sets this time.
    let list = gather.meta(&format!("{INFO}/{package}.list"));
    if let (Ok(list), Some(meta)) = (list, program.meta)
        && gather.host().is_live()
        && meta.ctime_ns <= list.ctime_ns
    {
        return Found::value("intact", source)
            .with_raw(&format!("{} did not change since {package} was unpacked", program.path));
    }
    if program.meta.is_some_and(|meta| meta.size > PROGRAM_BYTES_MAX) {
        let why = format!("{} is larger than {PROGRAM_BYTES_MAX} bytes", program.path);
        return Found::unavailable(Unavailable::TooMuch(why), &program.path);
    }
    let digest = gather.looked_through(&program.path, |file| {
        md5_of(file).map(Sum).map_err(|error| Unavailable::Failed(format!("{}: {error}", program.path)))
    });
    match digest {
        Ok(digest) => {
            let raw = format!("{package}: md5 {wanted}; the file: {}", digest.0);
            Found::value(if digest.0 == *wanted { "intact" } else { "changed" }, source).with_raw(&raw)
        }
        Err(why) => Found::unavailable(why, &program.path),
    }
}

struct Sum(String);

/// The package that lists a program, and the sum it should have: looked for once for all VMs that run it.
struct Listed(Result<Option<(String, String)>, Unavailable>);

/// The package that lists a program, and the sum that it should have. Packages are looked at whose name has the first
/// word of the program's in it, since reading the lists of all would cost more than all other checks.
fn listed(gather: &Gather, path: &str) -> Result<Option<(String, String)>, Unavailable> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let word = name.split(['-', '_', '.']).next().unwrap_or(name);
    let lists = match gather.names(INFO, ".md5sums") {
        Ok(lists) => lists,
        Err(Unavailable::Absent) => {
            let why = Unavailable::NotExposed("this host has no dpkg database".to_owned());
            return Err(of_rpm(gather).unwrap_or(why));
        }
        Err(why) => return Err(why),
    };
    // Before /usr was merged, `/usr/bin` and `/bin` were two places, and lists may still say either.
    let inside = path.trim_start_matches('/');
    let inside = [inside, inside.strip_prefix("usr/").unwrap_or(inside)];
    for package in lists.iter().filter(|package| package.contains(word)) {
        let list = format!("{INFO}/{package}.md5sums");
        gather.note(&list);
        let (file, _) = gather.host().open_file(&list)?;
        let sum = sum_of(file, inside).map_err(|error| Unavailable::Failed(format!("{list}: {error}")))?;
        if let Some(sum) = sum {
            return Ok(Some((package.to_string(), sum)));
        }
    }
    Ok(None)
}

/// The sum of a file in a list of sums, of which a line is in memory at a time: some packages have megabytes of them.
fn sum_of(list: File, wanted: [&str; 2]) -> std::io::Result<Option<String>> {
    let mut lines = BufReader::new(list.take(SUMS_BYTES_MAX));
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let text = std::str::from_utf8(line.trim_ascii_end()).unwrap_or_default();
        if let Some((sum, file)) = text.split_once("  ")
            && wanted.contains(&file)
        {
            return Ok(Some(sum.to_owned()));
        }
        line.clear();
    }
    if lines.get_ref().limit() == 0 {
        return Err(std::io::Error::other(format!("is longer than {SUMS_BYTES_MAX} bytes")));
    }
    Ok(None)
}

/// How the program was built: `:pie`, `:relro`, `:nx`, `:canary` or `:fortify`.
pub(super) fn built(gather: &Gather, vm: &Arc<Vm>, what: &str) -> Found {
    let program = program(gather, vm);
    let program = match &*program {
        Ok(program) => program,
        Err(why) => return Found::unavailable(why.clone(), vm.proc("exe")),
    };
    if !program.on_host {
        return Found::unavailable(off_host(), &program.path);
    }
    let built = gather.looked_through::<Hardening>(&program.path, |file| {
        elf::parse_from(&file).map_err(|error| Unavailable::Malformed(error.to_string()))
    });
    let built = match built {
        Ok(built) => built,
        Err(why) => return Found::unavailable(why, &program.path),
    };
    let yes = |holds: bool| Ok(if holds { "yes" } else { "no" });
    let seen = |holds: Option<bool>| {
        holds.map(|holds| if holds { "yes" } else { "no" }).ok_or_else(|| {
            Unavailable::NotExposed("the program lists no functions that it takes from libraries".to_owned())
        })
    };
    let value = match what {
        "pie" => yes(built.position_independent),
        "nx" => yes(built.stack_not_executable && !built.writable_code),
        "relro" => Ok(match built.relro {
            Relro::None => "none",
            Relro::Partial => "partial",
            Relro::Full => "full",
        }),
        "canary" => seen(built.stack_protector),
        "fortify" => seen(built.fortify),
        other => Err(Unavailable::NotExposed(format!("nothing is named {other:?}"))),
    };
    Found::either(value, &program.path)
}

/// Which of the loader's variables are set. Their values are not told.
pub(super) fn loader(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let source = vm.proc("environ");
    let content = of_process(gather, vm, gather.host().read(&source, 1 << 20));
    let names = content.map(|content| {
        let names = content.bytes.split(|byte| *byte == 0).filter_map(|variable| {
            let name = variable.split(|byte| *byte == b'=').next()?;
            LOADER.into_iter().find(|known| known.as_bytes() == name).map(str::to_owned)
        });
        names.collect::<Vec<_>>()
    });
    Found::either(names, source)
}

fn told(gather: &Gather, vm: &Arc<Vm>, tell: impl Fn(&Program) -> Result<String, Unavailable>) -> Found {
    let value = program(gather, vm).as_ref().as_ref().map_err(Clone::clone).and_then(tell);
    Found::either(value, vm.proc("exe"))
}

fn unseen() -> Unavailable {
    Unavailable::NotExposed("the file that runs is not recorded".to_owned())
}

fn off_host() -> Unavailable {
    Unavailable::NotExposed("its path does not lead to the file that runs: deleted, or in a jail".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fact::Value;
    use crate::checks::facts::providers::process::tests::{Recorded, vm};

    fn host(exe: &str) -> Recorded {
        let host = Recorded::new();
        host.process(100).link("proc/100/exe", exe).file("usr/bin/qemu-x", "program");
        host
    }

    #[test]
    fn a_program_is_compared_with_what_its_package_says() {
        let host = host("/usr/bin/qemu-x");
        let sums =
            |sum: &str| format!("00000000000000000000000000000000  usr/bin/other\n{sum}  bin/qemu-x\n");
        host.file("var/lib/dpkg/info/bash.md5sums", sums("11111111111111111111111111111111"));
        assert!(matches!(package(&host.gather(&[]), &vm(100), "").value, Err(Unavailable::NotExposed(_))));
        // md5("program")
        host.file("var/lib/dpkg/info/pve-qemu:amd64.md5sums", sums("a9c449d4fa44e9e5a41c574ae55ce4d9"));
        assert_eq!(package(&host.gather(&[]), &vm(100), "").value, Ok("intact".into()));
        host.file("usr/bin/qemu-x", "another");
        assert_eq!(package(&host.gather(&[]), &vm(100), "").value, Ok("changed".into()));
    }

    #[test]
    fn a_replaced_program_is_not_taken_for_the_one_that_runs() {
        let host = host("/usr/bin/qemu-x (deleted)");
        let gather = host.gather(&[]);
        assert_eq!(path(&gather, &vm(100), "").value, Ok("/usr/bin/qemu-x".into()));
        assert_eq!(state(&gather, &vm(100), "").value, Ok("gone".into()));
        assert!(package(&gather, &vm(100), "").value.is_err());
        assert!(mode(&gather, &vm(100), "").value.is_err());
    }

    #[test]
    fn a_folder_that_others_may_write_is_named() {
        let host = host("/usr/bin/qemu-x");
        host.mode("usr", 0o777);
        let open = open_folders(&host.gather(&[]), "/usr/bin/qemu-x").expect("folders");
        assert!(open.iter().any(|folder| folder.starts_with("/usr (")), "{open:?}");
        assert!(!open.iter().any(|folder| folder.starts_with("/usr/bin (owner 0")), "{open:?}");
    }

    #[test]
    fn values_of_the_environment_are_not_told() {
        let host = host("/usr/bin/qemu-x");
        host.file("proc/100/environ", "TOKEN=secret\0LD_PRELOAD=/tmp/secret.so\0NOT_LD_AUDIT=1\0");
        let found = loader(&host.gather(&[]), &vm(100), "");
        assert_eq!(found.value, Ok(Value::List(vec!["LD_PRELOAD".to_owned()])));
        assert!(found.raw.is_empty());
    }

    #[test]
    fn a_process_that_ended_says_nothing() {
        let host = Recorded::new();
        assert_eq!(path(&host.gather(&[]), &vm(100), "").value, Err(Unavailable::Gone));
    }
}
