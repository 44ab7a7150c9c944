//! `bartizan check-config`: the same parser as at run time, and nothing started.

use crate::cli::{CheckConfigArgs, Common};
use crate::exit::{Code, Failure};
use crate::files::{CONFIG_DEFAULT, default_file, fingerprint_text, hex};
use crate::view::units::{printable, rfc3339};
use crate::watch::configure;
use bartizan_core::engine;
use bartizan_core::ledger::RealDisk;
use bartizan_core::recovery::generations::Generations;
use bartizan_core::recovery::restore;
use bartizan_core::sys::clock::Clock;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

pub(super) fn run(common: &Common, args: &CheckConfigArgs) -> Result<(), Failure> {
    let file = args.file.clone().or_else(|| common.config.clone()).or_else(default_file);
    let config = configure(&Common { config: file.clone(), ..common.clone() })?;
    // Rules are compiled when an agent is made: making one finds every mistake that is left.
    engine::build(config.clone(), Clock::System)?;
    let playbooks = crate::responses::playbooks(&config)?;
    let mut out = io::stdout().lock();
    if args.print {
        write!(out, "{}", config.to_toml())?;
        return Ok(());
    }
    let what = file.map_or_else(
        || format!("{CONFIG_DEFAULT} does not exist; the defaults are"),
        |file| format!("{} is", file.display()),
    );
    let memory = crate::view::units::bytes(crate::view::rates::float(
        i64::try_from(engine::memory_bytes(&config)).unwrap_or(i64::MAX),
    ));
    writeln!(
        out,
        "{what} right; sets aside {memory} of address space; fingerprint {}",
        fingerprint_text(&config)
    )?;
    if !playbooks.is_empty() {
        let (count, folder) = (playbooks.len(), config.response.playbooks.display());
        let mode =
            if config.response.enabled { "" } else { "; responses are switched off, so they are only told" };
        writeln!(out, "{count} playbooks in {folder}{mode}")?;
    }
    match &args.ledger {
        Some(folder) => history(&mut out, folder, &fingerprint_text(&config)),
        None => Ok(()),
    }
}

/// The generations that were in force, the newest first.
fn history(out: &mut impl Write, folder: &Path, fingerprint: &str) -> Result<(), Failure> {
    let mut generations = Generations::default();
    restore(Arc::new(RealDisk::new(folder)), u64::MAX, &mut [&mut generations])
        .map_err(|error| Failure::new(Code::Data, format!("{}: {error}", folder.display())))?;
    let Some(last) = generations.last() else {
        writeln!(out, "{}: no generation is recorded", folder.display())?;
        return Ok(());
    };
    if hex(&last.sha256) != fingerprint {
        writeln!(out, "it differs from generation {}, the last that was in force", last.number)?;
    }
    let mut known: Vec<_> = generations.known().collect();
    known.reverse();
    for one in known {
        let (since, sha256) = (rfc3339(one.since_wall_ns), hex(&one.sha256));
        writeln!(out, "generation {}  {since}  {}  {}", one.number, &sha256[..16], printable(&one.who))?;
    }
    Ok(())
}
