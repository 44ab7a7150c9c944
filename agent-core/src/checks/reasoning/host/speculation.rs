//! Flaws of the processor, as a host of VMs has to see them: who can attack whom, and on which thread.

use crate::checks::case::Case;
use crate::checks::declared::Truth;
use crate::checks::fact::Unavailable;
use crate::checks::parse::etc::kernel_cmdline::{AttackVector, Cmdline};
use std::collections::HashMap;

/// Vectors between a guest and anything else.
const GUEST: [AttackVector; 3] =
    [AttackVector::GuestHost, AttackVector::GuestGuest, AttackVector::CrossThread];
/// Vectors between users of the host; a VMM that a guest took over is one.
const USER: [AttackVector; 2] = [AttackVector::UserKernel, AttackVector::UserUser];

pub(super) fn guest_now(case: &Case<'_>) -> Result<Truth, Truth> {
    now(case, &GUEST)
}

pub(super) fn guest_next(case: &Case<'_>) -> Result<Truth, Truth> {
    next(case, &GUEST)
}

pub(super) fn user_now(case: &Case<'_>) -> Result<Truth, Truth> {
    now(case, &USER)
}

pub(super) fn user_next(case: &Case<'_>) -> Result<Truth, Truth> {
    next(case, &USER)
}

fn now(case: &Case<'_>, vectors: &[AttackVector]) -> Result<Truth, Truth> {
    const KEY: &str = "cmdline:mitigations";
    let built = case.fact("kconfig:CONFIG_CPU_MITIGATIONS");
    if matches!(&built.value, Ok(value) if value.text() == Some("n")) {
        return Ok(Truth::Fails("the kernel is built without mitigations".to_owned()));
    }
    // The last value alone is what others compare; a vector that an earlier one dropped stays dropped.
    let _ = case.optional(KEY)?;
    let Some(values) = case.optional("cmdline.all:mitigations")? else { return Ok(Truth::Holds) };
    let line: Vec<String> = values.items().iter().map(|value| format!("mitigations={value}")).collect();
    let dropped = dropped(case, &line.join(" "), vectors)?;
    if dropped.is_empty() {
        return Ok(Truth::Holds);
    }
    let told = format!("mitigations={} drops {}", values.items().join(" mitigations="), words(&dropped));
    if !Cmdline::parse(&line.join(" ")).mitigations().off && !knows_vectors(case)? {
        let why =
            format!("{told}, which a kernel before 6.17 does not know: it refuses the value as a whole");
        return Ok(Truth::Unknown(KEY.to_owned(), Unavailable::NotExposed(why)));
    }
    Ok(Truth::Fails(told))
}

fn next(case: &Case<'_>, vectors: &[AttackVector]) -> Result<Truth, Truth> {
    let Some(values) = case.optional("boot-cmdline:mitigations")? else { return Ok(Truth::Holds) };
    // One value for each entry of the boot loader.
    for value in values.items() {
        let dropped = dropped(case, &format!("mitigations={value}"), vectors)?;
        if !dropped.is_empty() && value != "(not set)" {
            return Ok(Truth::Fails(format!("mitigations={value} drops {}", words(&dropped))));
        }
    }
    Ok(Truth::Holds)
}

fn dropped(case: &Case<'_>, line: &str, vectors: &[AttackVector]) -> Result<Vec<AttackVector>, Truth> {
    let mut dropped = Cmdline::parse(line).mitigations().dropped;
    dropped.retain(|vector| vectors.contains(vector));
    // Where cores have one thread there is none to attack from.
    if dropped == [AttackVector::CrossThread] && !smt_active(case)? {
        dropped.clear();
    }
    Ok(dropped)
}

fn words(vectors: &[AttackVector]) -> String {
    vectors.iter().map(|vector| vector.option().trim_start_matches("no_")).collect::<Vec<_>>().join(", ")
}

const SMT: &str = "file:/sys/devices/system/cpu/smt/active";

fn smt_active(case: &Case<'_>) -> Result<bool, Truth> {
    Ok(case.value(SMT)?.int() != Some(0))
}

/// Attack vectors came with Linux 6.17.
fn knows_vectors(case: &Case<'_>) -> Result<bool, Truth> {
    const KEY: &str = "kernel.release";
    let release = case.value(KEY)?;
    let release = release.to_string();
    let mut parts = release.split(['.', '-', '+']).map(|part| part.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(major), Some(minor)) => Ok((major, minor) >= (6, 17)),
        _ => Err(Truth::Unknown(
            KEY.to_owned(),
            Unavailable::Malformed(format!("\"{release}\" is no release")),
        )),
    }
}

/// Flaws that have a rule of their own.
const OWN: [&str; 19] = [
    "gather_data_sampling",
    "ghostwrite",
    "indirect_target_selection",
    "itlb_multihit",
    "l1tf",
    "mds",
    "meltdown",
    "mmio_stale_data",
    "old_microcode",
    "reg_file_data_sampling",
    "retbleed",
    "spec_rstack_overflow",
    "spec_store_bypass",
    "spectre_v1",
    "spectre_v2",
    "srbds",
    "tsa",
    "tsx_async_abort",
    "vmscape",
];

const ALL: &str = "cpu-vuln:*";

/// Flaws that became known after this version was made are judged by the kernel's words alone.
pub(super) fn others(case: &Case<'_>) -> Result<Truth, Truth> {
    let all = flaws(case)?;
    let judged = all.iter().filter(|(name, _)| !OWN.contains(&name.as_str())).map(|(name, text)| {
        if text.starts_with("Unknown") {
            let why = format!("the kernel says \"{text}\"");
            return Truth::Unknown(format!("cpu-vuln:{name}"), Unavailable::NotExposed(why));
        }
        let good = text.starts_with("Not affected") || text.starts_with("Mitigation:");
        Truth::of(good && !text.contains("Vulnerable"), || format!("{name}: {text}"))
    });
    Ok(Truth::all(judged))
}

fn flaws(case: &Case<'_>) -> Result<Vec<(String, String)>, Truth> {
    let all = case.value(ALL)?;
    let map = all.map().filter(|map| !map.is_empty()).map(<[_]>::to_vec);
    map.ok_or_else(|| Truth::Unknown(ALL.to_owned(), Unavailable::Malformed("no list of flaws".to_owned())))
}

/// Mitigations that clear what a thread left behind do nothing about the other thread of the core.
pub(super) fn siblings(case: &Case<'_>) -> Result<Truth, Truth> {
    let flaws = flaws(case)?;
    let named = |words: &str| -> Vec<&str> {
        flaws.iter().filter(|(_, text)| text.contains(words)).map(|(name, _)| name.as_str()).collect()
    };
    let exposed = named("SMT vulnerable");
    let unclear = named("SMT Host state unknown");
    if exposed.is_empty() && unclear.is_empty() {
        return Ok(Truth::Holds);
    }
    if !exposed.is_empty() && smt_active(case)? {
        return Ok(match every_vm_has_its_cores(case)? {
            Truth::Fails(why) => {
                Truth::Fails(format!("{} between threads of a core, and {why}", exposed.join(", ")))
            }
            other => other,
        });
    }
    if unclear.is_empty() {
        return Ok(Truth::Holds);
    }
    // This host is a guest itself, and its own host does not tell.
    let why = format!("{}: the kernel says \"SMT Host state unknown\"", unclear.join(", "));
    Err(Truth::Unknown(ALL.to_owned(), Unavailable::NotExposed(why)))
}

/// Core scheduling: every VM has a cookie, and no two VMs of different tenants have the same.
pub(super) fn every_vm_has_its_cores(case: &Case<'_>) -> Result<Truth, Truth> {
    const COOKIE: &str = "vm.core-cookie";
    let built = case.fact("kconfig:CONFIG_SCHED_CORE");
    if matches!(&built.value, Ok(value) if value.text() == Some("n")) {
        return Ok(Truth::Fails("this kernel has no core scheduling".to_owned()));
    }
    let mut owners: HashMap<String, (String, String)> = HashMap::new();
    for (vm, fact) in case.each_other(COOKIE) {
        let cookie = match &fact.value {
            Ok(cookie) => cookie.to_string(),
            Err(why) => return Err(Truth::Unknown(format!("{COOKIE} of {vm}"), why.clone())),
        };
        if cookie == "none" {
            return Ok(Truth::Fails(format!("{vm} has no core-scheduling cookie")));
        }
        if cookie == "mixed" {
            return Ok(Truth::Fails(format!("{vm} has different core-scheduling cookies for its vCPUs")));
        }
        let known = owners.entry(cookie).or_insert_with(|| (vm.tenant.clone(), vm.to_string()));
        let strangers = known.0 != vm.tenant || vm.tenant.is_empty();
        if known.1 != vm.to_string() && strangers {
            return Ok(Truth::Fails(format!("{vm} and {} share a core-scheduling cookie", known.1)));
        }
    }
    Ok(Truth::Holds)
}
