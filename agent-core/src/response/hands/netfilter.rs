//! Cutting a VM's network: two chains for each tap in one table of our own, `netdev bartizan_cut`, that drop whatever
//! comes out of the guest (hook `ingress`) and whatever would go into it (hook `egress`, Linux 5.16).
//!
//! nft(8), "NETDEV ADDRESS FAMILY". They stand before bridges, routes and every other table, so nothing in those has to
//! be changed or even known. The table has no owner: it stays when the agent dies. A foreign `flush ruleset` takes it
//! away, and a tap that is made anew has no chain; so that a cut is in force is looked at again and again.

use super::super::action::{Target, Undo};
use super::command::finish;
use super::{Deadline, Hands, Standing, Trouble, Undone};
use std::fmt::Write;
use std::os::unix::fs::MetadataExt;

const TABLE: &str = "netdev bartizan_cut";
/// Before every other chain of these hooks.
const PRIORITY: &str = "-500";
const HOOKS: [&str; 2] = ["ingress", "egress"];
/// Linux allows names of 15 bytes.
const NAME_BYTES_MAX: usize = 15;

/// Which taps would be cut: those that are not yet.
pub(super) fn plan(hands: &Hands, target: &Target, deadline: Deadline) -> Result<Undo, Trouble> {
    if target.taps.is_empty() {
        return Err(Trouble::Refused("the VM has no tap that is known".to_owned()));
    }
    if let Some(odd) = target.taps.iter().find(|tap| !is_plain(tap)) {
        return Err(Trouble::Refused(format!("`{odd}` is no name that a tap can have")));
    }
    let there = listed(hands, target, deadline)?;
    let missing: Vec<String> = target
        .taps
        .iter()
        .filter(|tap| !chains(tap).iter().all(|chain| there.contains(chain)))
        .cloned()
        .collect();
    Ok(if missing.is_empty() { Undo::Nothing } else { Undo::Reconnect(missing) })
}

/// Adds the chains, all at once or none.
pub(super) fn cut(
    hands: &Hands,
    target: &Target,
    taps: &[String],
    deadline: Deadline,
) -> Result<(), Trouble> {
    let mut script = format!("add table {TABLE}\n");
    for chain in taps.iter().flat_map(|tap| chains(tap)) {
        // A chain of this name may still be there for a device that is gone: it would not be hooked again.
        let _ = writeln!(script, "add chain {TABLE} {}\ndelete chain {TABLE} {0}", chain.name);
        let _ = writeln!(script, "add chain {TABLE} {} {{ {} }}", chain.name, chain.hook);
    }
    nft(hands, target, &["-f", "-"], &script, deadline).map(drop)
}

/// Whether every chain is there, hooked to its device, and drops.
pub(super) fn verify(hands: &Hands, target: &Target, taps: &[String], deadline: Deadline) -> Standing {
    let there = match listed(hands, target, deadline) {
        Ok(there) => there,
        Err(trouble) => return Standing::Unknown(trouble.to_string()),
    };
    match taps.iter().flat_map(|tap| chains(tap)).find(|chain| !there.contains(chain)) {
        Some(chain) => Standing::NotInForce(format!("the chain {} is not there", chain.name)),
        None => {
            Standing::InForce(format!("{} drop{}", taps.join(", "), if taps.len() == 1 { "s" } else { "" }))
        }
    }
}

/// Removes the chains, and the table with the last of them.
pub(super) fn reconnect(
    hands: &Hands,
    target: &Target,
    taps: &[String],
    deadline: Deadline,
) -> Result<Undone, Trouble> {
    let there = listed(hands, target, deadline)?;
    let ours: Vec<Chain> = taps.iter().flat_map(|tap| chains(tap)).collect();
    let doomed: Vec<&Chain> =
        there.iter().filter(|chain| ours.iter().any(|our| our.name == chain.name)).collect();
    if doomed.is_empty() {
        return Ok(Undone::Restored("no chain of these taps is there".to_owned()));
    }
    let mut script = String::new();
    if doomed.len() == there.len() {
        let _ = writeln!(script, "delete table {TABLE}");
    } else {
        for chain in &doomed {
            let _ = writeln!(script, "delete chain {TABLE} {}", chain.name);
        }
    }
    nft(hands, target, &["-f", "-"], &script, deadline)?;
    Ok(Undone::Restored(format!("{} pass{} again", taps.join(", "), if taps.len() == 1 { "es" } else { "" })))
}

/// A chain, as `nft list` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chain {
    name: String,
    hook: String,
}

/// The chains that cut a tap.
fn chains(tap: &str) -> [Chain; 2] {
    HOOKS.map(|hook| Chain {
        name: format!("{hook}_{}", identifier(tap)),
        hook: format!("type filter hook {hook} device \"{tap}\" priority {PRIORITY}; policy drop;"),
    })
}

/// nft takes letters, digits and underscores; anything else is written as a number.
fn identifier(tap: &str) -> String {
    let mut name = String::new();
    for byte in tap.bytes() {
        if byte.is_ascii_alphanumeric() {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "_{byte:02x}");
        }
    }
    name
}

/// Names that cannot break out of a script's quotes.
fn is_plain(tap: &str) -> bool {
    let odd = |byte: u8| !byte.is_ascii_graphic() || matches!(byte, b'"' | b'\\' | b'/' | b'*');
    !tap.is_empty() && tap.len() <= NAME_BYTES_MAX && !tap.bytes().any(odd)
}

/// Chains of our table that hold no rule: a rule in one might let something pass.
fn listed(hands: &Hands, target: &Target, deadline: Deadline) -> Result<Vec<Chain>, Trouble> {
    // Listing all tables first: asking for one that is not there is an error like any other.
    let tables = nft(hands, target, &["list", "tables", "netdev"], "", deadline)?;
    if !tables.lines().any(|line| line.trim() == format!("table {TABLE}")) {
        return Ok(Vec::new());
    }
    Ok(parse(&nft(hands, target, &["list", "table", "netdev", "bartizan_cut"], "", deadline)?))
}

fn parse(text: &str) -> Vec<Chain> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("chain ").and_then(|rest| rest.strip_suffix(" {")) else {
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "}").collect();
        // With rules in it, it is not what we made.
        found.push(Chain { name: name.to_owned(), hook: body.join(" ") });
    }
    found
}

/// Runs nft in the network namespace of the VM.
fn nft(
    hands: &Hands,
    target: &Target,
    arguments: &[&str],
    script: &str,
    deadline: Deadline,
) -> Result<String, Trouble> {
    let mut command = vec![hands.nft.to_string_lossy().into_owned()];
    if is_apart(hands, target)? {
        let namespace = hands.roots.proc.join(format!("{}/ns/net", target.pid));
        let entered =
            [hands.nsenter.to_string_lossy().into_owned(), format!("--net={}", namespace.display())];
        command.splice(0..0, entered);
    }
    command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let (status, said) = finish(&command, &[], script, deadline)?;
    if status.success() { Ok(said) } else { Err(Trouble::Failed(format!("nft: {}", said.trim_end()))) }
}

/// Whether the VM's process has a network namespace of its own. Of a VM that is gone only the host's can be looked at:
/// its own went with it, chains and all.
fn is_apart(hands: &Hands, target: &Target) -> Result<bool, Trouble> {
    let inode =
        |who: &str| std::fs::metadata(hands.roots.proc.join(who).join("ns/net")).map(|found| found.ino());
    if hands.fence(target).is_err() {
        return Ok(false);
    }
    match (inode(&target.pid.to_string()), inode("self")) {
        (Ok(theirs), Ok(ours)) => Ok(theirs != ours),
        (Err(error), _) | (_, Err(error)) => {
            Err(Trouble::Refused(format!("the VM's network namespace cannot be told: {error}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out() {
        for (name, plain) in [("tap0", true), ("vnet-1.2", true), ("a b", false), ("a\"", false), ("", false)]
        {
            assert_eq!(is_plain(name), plain, "{name}");
        }
        assert!(!is_plain("sixteen-letters-"));
        assert_ne!(identifier("a.b"), identifier("a_b"));
        assert_eq!(identifier("vnet-1.2"), "vnet_2d1_2e2");
    }

    #[test]
    fn what_nft_lists_is_what_was_made() {
        let text = "table netdev bartizan_cut {\n\tchain ingress_tap0 {\n\t\ttype filter hook ingress device \"tap0\" \
            priority -500; policy drop;\n\t}\n\n\tchain egress_tap0 {\n\t\ttype filter hook egress device \"tap0\" \
            priority -500; policy drop;\n\t\taccept\n\t}\n}\n";
        let found = parse(text);
        let [ingress, egress] = chains("tap0");
        assert!(found.contains(&ingress));
        assert!(!found.contains(&egress), "a rule was slipped in");
        assert_eq!(found.len(), 2);
    }
}
