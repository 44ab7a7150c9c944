//! `bartizan waive`: somebody answers for a finding, for the value it has now and until a day.

use super::check::{checked, is_about};
use crate::cli::{Common, WaiveArgs};
use crate::exit::{Code, Failure};
use crate::watch::configure;
use bartizan_core::checks::waiver::{Waiver, Waivers};
use bartizan_core::checks::{Finding, Subject, Verdict};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub(super) fn run(common: &Common, args: &WaiveArgs) -> Result<(), Failure> {
    let config = configure(common)?;
    if common.root.is_some() {
        return Err(Failure::new(Code::Usage, "a recorded host is not waived for: leave out --root"));
    }
    let checker = checked(&config)?;
    let about = |finding: &Finding| match (&args.vm, &finding.subject) {
        (None, Subject::Host) => true,
        (Some(name), Subject::Vm(_)) => is_about(finding, name),
        _ => false,
    };
    let findings = checker.board().findings();
    let Some(finding) = findings.iter().find(|finding| *finding.rule == *args.rule && about(finding)) else {
        let of = args.vm.as_ref().map_or_else(|| "the host".to_owned(), |vm| format!("VM {vm}"));
        let message = format!("there is no finding of {:?} about {of}; see: bartizan check --all", args.rule);
        return Err(Failure::new(Code::Usage, message));
    };
    if !matches!(finding.verdict, Verdict::Fail | Verdict::Unknown) {
        let message = format!("{} is {}: there is nothing to answer for", args.rule, finding.verdict.name());
        return Err(Failure::new(Code::Usage, message));
    }
    let waiver = Waiver {
        rule: args.rule.clone(),
        subject: finding.subject.vm().map_or_else(
            || "host".to_owned(),
            |vm| {
                if vm.uuid.is_empty() { vm.name.clone() } else { vm.uuid.clone() }
            },
        ),
        observed: finding.observed(),
        owner: args.owner.clone(),
        reason: args.reason.clone(),
        expires: args.until.clone(),
        ticket: args.ticket.clone(),
    };
    let path = Path::new(&config.checks.waivers);
    add(path, waiver).map_err(|error| match error {
        AddError::Waiver(message) => Failure::new(Code::Usage, message),
        AddError::Input(error) => Failure::input(path, &error),
        AddError::File(message) => Failure::new(Code::Config, format!("{}: {message}", path.display())),
        AddError::Output(error) => Failure::output(path, &error),
    })?;
    let mut out = io::stdout().lock();
    writeln!(out, "{} is waived until {}: {}", args.rule, args.until, path.display())?;
    Ok(())
}

enum AddError {
    Waiver(String),
    Input(io::Error),
    File(String),
    Output(io::Error),
}

/// Adds a waiver to a file: a new file in its place, so that a reader sees the old one or the new one, whole.
fn add(path: &Path, waiver: Waiver) -> Result<(), AddError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(AddError::Input(error)),
    };
    Waivers::parse(&text).map_err(|error| AddError::File(error.to_string()))?;
    let mut one = Waivers::default();
    one.add(waiver).map_err(|error| AddError::Waiver(error.to_string()))?;
    let separator = if text.is_empty() || text.ends_with("\n\n") { "" } else { "\n" };
    let text = format!("{text}{separator}{}", one.to_toml());
    let temporary = path.with_extension("toml.new");
    let write = || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // Left behind by one that was interrupted.
        let _ = std::fs::remove_file(&temporary);
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(AddError::Output)
}
