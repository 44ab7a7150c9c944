//! `bartizan ledger`: looks into a ledger by its files, and sets a damaged one aside.

use crate::cli::{LedgerCommand, LedgerProveArgs, LedgerSetAsideArgs, LedgerShowArgs};
use crate::exit::{Code, Failure};
use crate::view::units;
use bartizan_core::ledger::prove::{locate, prove, signer};
use bartizan_core::ledger::{
    AsideError, Cursor, DiskChange, Heads, Kind, LastRun, LedgerError, LogBegin, Loss, Pruned, RealDisk,
    Record, SetAside, Start, Stop, decode, set_aside,
};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

pub(super) fn run(command: &LedgerCommand) -> Result<(), Failure> {
    match command {
        LedgerCommand::Key { dir } => key(dir),
        LedgerCommand::Show(args) => show(args),
        LedgerCommand::Prove(args) => prove_record(args),
        LedgerCommand::SetAside(args) => aside(args),
    }
}

/// The files alone.
fn open(dir: &Path) -> Result<Arc<RealDisk>, Failure> {
    std::fs::read_dir(dir).map_err(|error| Failure::input(dir, &error))?;
    Ok(Arc::new(RealDisk::new(dir)))
}

/// A failure about the ledger in a folder.
pub(super) fn failure(dir: &Path, error: &LedgerError) -> Failure {
    let code = match error {
        LedgerError::Damaged { .. } => Code::Data,
        LedgerError::Locked => Code::Unavailable,
        LedgerError::Disk { errno, .. } if [nix::libc::EACCES, nix::libc::EPERM].contains(errno) => {
            Code::NoPermission
        }
        LedgerError::Disk { errno: nix::libc::ENOENT, .. } => Code::NoInput,
        _ => Code::Io,
    };
    Failure::new(code, format!("{}: {error}", dir.display()))
}

fn key(dir: &Path) -> Result<(), Failure> {
    let key = signer(open(dir)?).map_err(|error| failure(dir, &error))?;
    Ok(writeln!(io::stdout(), "{key}")?)
}

fn show(args: &LedgerShowArgs) -> Result<(), Failure> {
    let mut cursor = Cursor::new(open(&args.dir)?, args.from);
    let mut out = io::stdout().lock();
    let mut shown = 0;
    while args.count.is_none_or(|count| shown < count) {
        let line = cursor.next(|record| {
            let is_wanted = args.tenant.as_deref().is_none_or(|tenant| tenant == record.tenant)
                && args.kind.as_deref().is_none_or(|kind| kind == record.kind.name());
            Some(is_wanted.then(|| if args.json { json_of(record).to_string() } else { line_of(record) }))
        });
        match line.map_err(|error| failure(&args.dir, &error))? {
            None => break,
            Some(None) => {}
            Some(Some(line)) => {
                writeln!(out, "{line}")?;
                shown += 1;
            }
        }
    }
    Ok(())
}

fn prove_record(args: &LedgerProveArgs) -> Result<(), Failure> {
    let disk = open(&args.dir)?;
    let error = |error| failure(&args.dir, &error);
    let leaf = locate(disk.clone(), args.record).map_err(error)?;
    let leaf = leaf.ok_or_else(|| {
        Failure::new(Code::Usage, format!("the ledger has no record {}, or no longer", args.record))
    })?;
    let proofs = prove(disk, &leaf.origin, leaf.id.as_ref()).map_err(error)?;
    let proof = proofs.and_then(|proofs| proofs.text(leaf.index));
    let proof = proof.ok_or_else(|| {
        Failure::new(
            Code::Undecided,
            format!("record {} is not signed yet; try again in a minute", args.record),
        )
    })?;
    if let Some(path) = &args.leaf {
        std::fs::write(path, &leaf.bytes).map_err(|error| Failure::output(path, &error))?;
    }
    Ok(write!(io::stdout(), "{proof}")?)
}

fn aside(args: &LedgerSetAsideArgs) -> Result<(), Failure> {
    let told = set_aside(&args.dir).map_err(|error| match error {
        AsideError::Whole => Failure::new(Code::Usage, format!("{}: {error}", args.dir.display())),
        AsideError::Ledger(error) => failure(&args.dir, &error),
    })?;
    let mut out = io::stdout().lock();
    if args.json {
        return Ok(writeln!(out, "{}", aside_json(&told))?);
    }
    writeln!(out, "set aside as {}, beside {}", told.folder, args.dir.display())?;
    writeln!(out, "damaged: {} at byte {}: {}", told.path, told.offset, told.what)?;
    writeln!(
        out,
        "good before it: records up to {}, {} leaves of the host's log",
        told.next, told.tree_size
    )?;
    writeln!(out, "another ledger has begun in its place, and its second record says all this")?;
    Ok(())
}

fn aside_json(told: &SetAside) -> Value {
    json!({
        "folder": told.folder, "origin": told.origin, "path": told.path, "offset": told.offset, "what": told.what,
        "next": told.next, "tree_size": told.tree_size, "root": hex(&told.root), "signed_size": told.signed_size,
    })
}

/// One record as one JSON object.
fn json_of(record: &Record) -> Value {
    json!({
        "record": record.sequence,
        "kind": record.kind.name(),
        "kind_number": record.kind.0,
        "run": record.run,
        "time": units::rfc3339(record.wall_ns),
        "mono_ns": record.mono_ns,
        "tenant": (!record.tenant.is_empty()).then_some(record.tenant),
        "payload": payload(record),
    })
}

/// One record as a line for people.
fn line_of(record: &Record) -> String {
    let tenant = if record.tenant.is_empty() { "-".to_owned() } else { units::printable(record.tenant) };
    let time = units::rfc3339(record.wall_ns);
    let payload = match payload(record) {
        // Whoever wrote it may not control our terminal.
        Value::String(text) => units::printable(&text),
        value => units::printable(&value.to_string()),
    };
    format!("{:>8} {time} {:<9} {tenant} {payload}", record.sequence, record.kind.name())
}

/// What a record says: its own fields, the JSON in it, its text, or its bytes in hexadecimal digits.
fn payload(record: &Record) -> Value {
    let own = |value: Option<Value>| value.unwrap_or_else(|| raw(record.payload));
    match record.kind {
        Kind::START => own(decode::<Start>(record.payload).ok().map(|start| {
            let (last, torn_bytes) = match start.last {
                LastRun::None => ("none", None),
                LastRun::Clean => ("clean", None),
                LastRun::Cut { torn_bytes } => ("cut", Some(torn_bytes)),
            };
            json!({ "agent_version": start.agent_version, "last_run": last, "torn_bytes": torn_bytes })
        })),
        Kind::STOP => own(decode::<Stop>(record.payload)
            .ok()
            .map(|stop| json!({ "appended": stop.appended, "refused": stop.refused }))),
        Kind::LOSS => own(decode::<Loss>(record.payload)
            .ok()
            .map(|loss| json!({ "refused": loss.refused, "refused_total": loss.refused_total }))),
        Kind::DISK => own(decode::<DiskChange>(record.payload).ok().map(|change| {
            let state = bartizan_core::ledger::Health::ALL.get(usize::from(change.state));
            json!({ "disk": state.map(|state| state.name()), "errno": change.errno })
        })),
        Kind::HEADS => own(decode::<Heads>(record.payload)
            .ok()
            .map(|heads| json!({ "root": hex(&heads.root), "width": heads.width }))),
        Kind::PRUNED => {
            own(decode::<Pruned>(record.payload).ok().map(|pruned| json!({ "first": pruned.first })))
        }
        Kind::LOG => {
            own(decode::<LogBegin>(record.payload).ok().map(|begin| json!({ "id": hex(&begin.id) })))
        }
        Kind::SET_ASIDE => own(decode::<SetAside>(record.payload).ok().map(|told| aside_json(&told))),
        _ => raw(record.payload),
    }
}

fn raw(bytes: &[u8]) -> Value {
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        return value;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => hex(bytes).into(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
