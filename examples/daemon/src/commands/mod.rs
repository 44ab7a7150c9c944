//! One module a command.

mod output;
mod run;

use crate::cli::{Cli, Command, RunArgs};
use crate::exit::Failure;

/// Runs what the command line says; `run` when it names no command.
///
/// # Errors
/// Whatever the command could not do.
pub fn run(cli: Cli) -> Result<(), Failure> {
    let common = cli.common;
    match cli.command.unwrap_or_else(|| Command::Run(RunArgs::default())) {
        Command::Run(args) => run::run(&common, &args),
        other => Err(Failure::new(crate::exit::Code::Software, format!("{other:?} is not made yet"))),
    }
}
