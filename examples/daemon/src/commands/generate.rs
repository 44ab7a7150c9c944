//! `bartizan completions`, `bartizan man` and `bartizan --version`: what packaging asks for.

use crate::cli::Cli;
use crate::exit::Failure;
use clap::CommandFactory;
use serde_json::json;
use std::io::{self, Write};
use std::path::Path;

pub(super) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "bartizan", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(())
}

/// Writes `bartizan.1` and a page for each command.
pub(super) fn man(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::output(folder, &error))?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(|error| Failure::output(folder, &error))
}

pub(super) fn version(as_json: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let version = env!("CARGO_PKG_VERSION");
    if as_json {
        let object = json!({
            "name": "bartizan",
            "version": version,
            "license": env!("CARGO_PKG_LICENSE"),
            "target": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            "metrics": bartizan_core::sampling::metrics::all().count(),
        });
        writeln!(out, "{object}")?;
    } else {
        writeln!(out, "bartizan {version}")?;
    }
    Ok(())
}
