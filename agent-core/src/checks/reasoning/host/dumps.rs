//! Where a core dump goes: a VMM's holds its guest's memory.

use crate::checks::case::Case;
use crate::checks::declared::Truth;
use crate::checks::fact::Unavailable;

pub(super) fn now(case: &Case<'_>) -> Result<Truth, Truth> {
    target(case, "sysctl:kernel.core_pattern")
}

pub(super) fn next(case: &Case<'_>) -> Result<Truth, Truth> {
    target(case, "sysctl.d:kernel.core_pattern")
}

fn target(case: &Case<'_>, key: &str) -> Result<Truth, Truth> {
    let pattern = case.value(key)?.to_string();
    let pattern = pattern.trim();
    if let Some(command) = pattern.strip_prefix('|') {
        return piped(case, key, command);
    }
    if pattern.is_empty() {
        // core(5): nothing is written, unless core_uses_pid makes a name of it.
        return Ok(Truth::of(case.value("sysctl:kernel.core_uses_pid")?.int() == Some(0), || {
            "an empty pattern and core_uses_pid=1 make files named .PID".to_owned()
        }));
    }
    if !pattern.starts_with('/') {
        return Ok(Truth::Fails(format!(
            "{key} is \"{pattern}\": dumps go to the folder that a VMM works in"
        )));
    }
    let folder = match pattern.rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => folder,
        _ => "/",
    };
    if folder.contains('%') {
        let why = format!("the folder of \"{pattern}\" depends on the process");
        return Err(Truth::Unknown(key.to_owned(), Unavailable::NotExposed(why)));
    }
    let open = format!("path.group-others:{folder}");
    let bits = case.value(&open)?.int();
    Ok(Truth::of(bits == Some(0), || format!("{key} is \"{pattern}\", and {folder} is open to others")))
}

fn piped(case: &Case<'_>, key: &str, command: &str) -> Result<Truth, Truth> {
    let program = command.split_ascii_whitespace().next().unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    if matches!(name, "false" | "true") {
        return Ok(Truth::Holds);
    }
    if name != "systemd-coredump" {
        let why = format!("{program} gets dumps, and what it does with them is not known");
        return Err(Truth::Unknown(key.to_owned(), Unavailable::NotExposed(why)));
    }
    // Defaults of coredump.conf(5): it keeps them.
    let storage = case.optional("coredump.conf:Storage")?.map(|value| value.to_string());
    let size = case.optional("coredump.conf:ProcessSizeMax")?.map(|value| value.to_string());
    let kept = storage.as_deref() != Some("none") && size.as_deref() != Some("0");
    Ok(Truth::of(!kept, || {
        "systemd-coredump keeps dumps: neither Storage=none nor ProcessSizeMax=0".to_owned()
    }))
}
