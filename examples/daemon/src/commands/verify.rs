//! `bartizan verify`: is a ledger as it was recorded?

use crate::cli::VerifyArgs;
use crate::exit::{Code, Failure};
use bartizan_core::ledger::RealDisk;
use bartizan_core::ledger::note::Verifier;
use bartizan_core::ledger::verify::{Report, Trust, VerifyError, verify};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

pub(super) fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let key = args.key.as_deref().map(read_key).transpose()?;
    let checkpoint = args
        .checkpoint
        .as_ref()
        .map(|path| std::fs::read(path).map_err(|error| Failure::input(path, &error)));
    let trust = Trust {
        key: key.as_ref().map(|key| key.key),
        origin: key.map(|key| key.name),
        checkpoint: checkpoint.transpose()?,
    };
    if let Err(error) = std::fs::read_dir(&args.dir) {
        return Err(Failure::input(&args.dir, &error));
    }
    let report = match verify(Arc::new(RealDisk::new(&args.dir)), &trust) {
        Ok(report) => report,
        Err(VerifyError::Unreadable(error)) => return Err(super::ledger::failure(&args.dir, &error)),
        Err(VerifyError::Bad(finding)) => {
            if args.json {
                let bad = json!({ "path": finding.path, "offset": finding.offset, "record": finding.sequence, "what": finding.what });
                writeln!(io::stdout(), "{}", json!({ "verified": false, "bad": bad }))?;
            }
            return Err(Failure::new(Code::Fails, format!("the ledger is not as it was: {finding}")));
        }
    };
    show(args, &report)?;
    let open = report.open_ends(trust.key.is_some());
    if open.is_empty() { Ok(()) } else { Err(Failure::new(Code::Undecided, open.join("; "))) }
}

fn show(args: &VerifyArgs, report: &Report) -> Result<(), Failure> {
    let is_shown = |tenant: &str| args.tenant.as_deref().is_none_or(|wanted| wanted == tenant);
    let logs: Vec<_> = report.logs.iter().filter(|log| is_shown(&log.tenant)).collect();
    if let Some(tenant) = args.tenant.as_deref().filter(|_| logs.is_empty()) {
        return Err(Failure::new(Code::Usage, format!("the ledger has no record of tenant {tenant:?}")));
    }
    let key = Verifier::log(&report.origin, report.key).to_string();
    let mut out = io::stdout().lock();
    if args.json {
        let log = |log: &&bartizan_core::ledger::verify::LogReport| -> Value {
            json!({ "tenant": log.tenant, "leaves": log.size, "signed": log.signed })
        };
        let object = json!({
            "verified": true, "trusted_key": args.key.is_some(), "origin": report.origin, "key": key,
            "first": report.first, "next": report.next, "unsigned": report.unsigned(),
            "torn_bytes": report.torn_bytes, "logs": logs.iter().map(log).collect::<Vec<_>>(),
        });
        writeln!(out, "{object}")?;
        return Ok(());
    }
    writeln!(
        out,
        "{}: records {} to {} are whole",
        report.origin,
        report.first,
        report.next.saturating_sub(1)
    )?;
    writeln!(out, "signed by {key}")?;
    for log in logs {
        let tenant = if log.tenant.is_empty() { "the host" } else { &log.tenant };
        writeln!(out, "{tenant}: {} records, {} signed", log.size, log.signed)?;
    }
    Ok(())
}

fn read_key(text: &str) -> Result<Verifier, Failure> {
    let path = Path::new(text);
    let contents = if path.is_file() { std::fs::read_to_string(path) } else { Ok(text.to_owned()) };
    let contents = contents.map_err(|error| Failure::input(path, &error))?;
    let key = Verifier::parse(&contents).filter(|key| !key.is_witness);
    key.ok_or_else(|| {
        Failure::new(Code::Usage, "the key is neither origin+id+base64 nor a file that holds one")
    })
}
