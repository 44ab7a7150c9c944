//! `bartizan claims`: who holds what of this host and its VMs.

use super::conflicts::{look, object};
use crate::cli::{Common, HeldArgs};
use crate::exit::Failure;
use crate::view::paint::Paint;
use crate::view::table::Table;
use crate::view::units::printable;
use bartizan_core::coordination::{Claim, Origin};
use serde_json::{Value, json};
use std::io::{self, Write};

pub(super) fn run(common: &Common, args: &HeldArgs) -> Result<(), Failure> {
    let host = look(common, args)?;
    let mut out = io::stdout().lock();
    if args.json {
        for claim in &host.claims {
            writeln!(out, "{}", claim_object(claim))?;
        }
        for (what, why) in &host.unknown {
            writeln!(out, "{}", object("unknown", &json!({ "what": what, "why": why })))?;
        }
        return Ok(());
    }
    let paint = Paint::new(common.color);
    let mut table = Table::new(&["RESOURCE", "PARTY", "SAYS", "BY", "FROM"]);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for claim in &host.claims {
        for part in &claim.parts {
            let value = part.value.as_ref().map(|value| format!(" {value}")).unwrap_or_default();
            let action = claim.action.as_ref().map(|action| format!(" ({action})")).unwrap_or_default();
            rows.push(vec![
                printable(part.path.as_str()),
                printable(&claim.party.to_string()),
                printable(&format!("{}{value}{action}", part.mode.name())),
                printable(&claim.mechanism),
                printable(claim.reason.strip_prefix("found in ").unwrap_or(&claim.reason)),
            ]);
        }
    }
    rows.sort();
    for row in rows {
        table.row(row);
    }
    table.write(&mut out, paint)?;
    super::conflicts::unknown(&mut out, &host, paint)?;
    Ok(())
}

fn claim_object(claim: &Claim) -> Value {
    let parts: Vec<Value> = claim
        .parts
        .iter()
        .map(|part| json!({ "path": part.path.as_str(), "mode": part.mode.name(), "value": part.value }))
        .collect();
    object(
        "claim",
        &json!({
            "party": claim.party.name,
            "role": claim.party.role.name(),
            "tenant": claim.party.tenant,
            "mechanism": claim.mechanism,
            "action": claim.action,
            "parts": parts,
            "priority": claim.priority,
            "reason": claim.reason,
            "found": claim.origin == Origin::Found,
        }),
    )
}
