//! `bartizan check-config`: the same parser as at run time, and nothing started.

use crate::cli::{CheckConfigArgs, Common};
use crate::exit::Failure;
use crate::files::{CONFIG_DEFAULT, default_file, fingerprint_text};
use crate::watch::configure;
use bartizan_core::engine;
use bartizan_core::sys::clock::Clock;
use std::io::{self, Write};

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
    Ok(())
}
