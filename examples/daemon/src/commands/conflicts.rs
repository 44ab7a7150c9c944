//! `bartizan conflicts`: which mechanisms and parties are in each other's way, and who prevails.

use crate::cli::{Common, ConflictsArgs, HeldArgs};
use crate::exit::{Code, Failure};
use crate::view::paint::Paint;
use crate::view::units::printable;
use crate::watch::configure;
use bartizan_core::coordination::found::{self, Host};
use bartizan_core::coordination::{Conflict, Contract, Rule, policy, survey};
use serde_json::{Value, json};
use std::io::{self, Write};

pub(super) fn run(common: &Common, args: &ConflictsArgs) -> Result<(), Failure> {
    let host = look(common, &args.held)?;
    let shown = || host.conflicts.iter().chain(host.remarks.iter().filter(|_| args.all));
    let mut out = io::stdout().lock();
    if args.held.json {
        for conflict in shown() {
            writeln!(out, "{}", conflict_object(conflict))?;
        }
        for (what, why) in &host.unknown {
            writeln!(out, "{}", object("unknown", &json!({ "what": what, "why": why })))?;
        }
    } else {
        let paint = Paint::new(common.color);
        for conflict in shown() {
            let head = format!("{} {}", conflict.class, printable(&conflict.about));
            writeln!(out, "{}\n    {}", paint.bold(&head), printable(&conflict.sentence))?;
        }
        if args.all || host.remarks.is_empty() {
            writeln!(out, "{} conflicts between {} claims", host.conflicts.len(), host.claims.len())?;
        } else {
            writeln!(
                out,
                "{} conflicts between {} claims; {} more things to know of with --all",
                host.conflicts.len(),
                host.claims.len(),
                host.remarks.len()
            )?;
        }
        unknown(&mut out, &host, paint)?;
    }
    drop(out);
    if !host.conflicts.is_empty() {
        return Err(Failure::new(Code::Fails, ""));
    }
    if args.strict && !host.unknown.is_empty() {
        return Err(Failure::new(Code::Undecided, ""));
    }
    Ok(())
}

/// What there is on the host, and in files of claims.
pub(super) fn look(common: &Common, args: &HeldArgs) -> Result<Host, Failure> {
    let config = configure(common)?;
    let mut declared = Vec::new();
    for path in &args.policy {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::input(path, &error))?;
        let claims = policy::parse(&text)
            .map_err(|error| Failure::new(Code::Config, format!("{}:{error}", path.display())))?;
        declared.extend(claims);
    }
    let mut host = found::look(&config);
    if !declared.is_empty() {
        host.claims.extend(declared);
        let mut conflicts = survey(&host.claims, &Contract::default());
        conflicts.retain(|conflict| !host.conflicts.contains(conflict));
        host.conflicts.extend(conflicts);
        host.conflicts.sort_by(|a, b| (a.class, &a.about).cmp(&(b.class, &b.about)));
    }
    Ok(host)
}

/// What could not be looked at, once for each reason.
pub(super) fn unknown(out: &mut impl Write, host: &Host, paint: Paint) -> io::Result<()> {
    /// So many are named.
    const NAMED_MAX: usize = 3;
    let mut by_reason: Vec<(&str, Vec<&str>)> = Vec::new();
    for (what, why) in &host.unknown {
        match by_reason.iter_mut().find(|(known, _)| known == why) {
            Some((_, all)) => all.push(what),
            None => by_reason.push((why, vec![what])),
        }
    }
    for (why, all) in by_reason {
        let named = all[..all.len().min(NAMED_MAX)].join(", ");
        let more = all.len().saturating_sub(NAMED_MAX);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let line = format!("not known: {}{more}: {}", printable(&named), printable(why));
        writeln!(out, "{}", paint.dim(&line))?;
    }
    Ok(())
}

/// One line of JSON: what it is, and its fields.
pub(super) fn object(kind: &str, fields: &Value) -> Value {
    let mut object = json!({ "type": kind });
    if let (Some(object), Some(fields)) = (object.as_object_mut(), fields.as_object()) {
        object.extend(fields.clone());
    }
    object
}

fn conflict_object(conflict: &Conflict) -> Value {
    let sides: Vec<Value> = conflict
        .sides
        .iter()
        .map(
            |side| json!({ "party": side.party.to_string(), "mechanism": side.mechanism, "says": side.says }),
        )
        .collect();
    object(
        "conflict",
        &json!({
            "class": conflict.class.code(),
            "name": conflict.class.name(),
            "about": conflict.about,
            "rule": conflict.rule.map(Rule::number),
            "sides": sides,
            "sentence": conflict.sentence,
        }),
    )
}
