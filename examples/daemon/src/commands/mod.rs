//! One module a command.

mod ask;
mod begin;
mod check;
mod check_config;
mod claims;
mod conflicts;
mod explain;
mod explain_alert;
mod generate;
mod incidents;
mod ledger;
pub mod metrics;
mod output;
mod record;
mod replay;
mod responses;
mod rules;
mod run;
mod show;
mod sources;
mod tune;
mod verify;
mod vms;
mod waive;

use crate::cli::{Cli, Command, RunArgs};
use crate::exit::Failure;

/// Runs what the command line says; `run` when it names no command.
///
/// # Errors
/// Whatever the command could not do.
pub fn run(cli: Cli) -> Result<(), Failure> {
    let common = cli.common;
    if cli.version {
        return generate::version(cli.json);
    }
    match cli.command.unwrap_or_else(|| Command::Run(RunArgs::default())) {
        Command::Run(args) => run::run(&common, &args),
        Command::Vms(args) => vms::run(&common, args),
        Command::Metrics(args) => metrics::run(&common, args),
        Command::Show(args) => show::run(&common, &args),
        Command::Sources(args) => sources::run(&common, args),
        Command::Rules(args) => rules::run(&common, args),
        Command::Check(args) => check::run(&common, &args),
        Command::Claims(args) => claims::run(&common, &args),
        Command::Conflicts(args) => conflicts::run(&common, &args),
        Command::Explain(args) => explain::run(&common, &args),
        Command::Waive(args) => waive::run(&common, &args),
        Command::Incidents(args) => incidents::list(&common, &args),
        Command::Incident(command) => incidents::one(&common, &command),
        Command::Silence(command) => incidents::silence(&common, &command),
        Command::Responses(args) => responses::list(&common, &args),
        Command::Response(command) => responses::one(&command),
        Command::CheckConfig(args) => check_config::run(&common, &args),
        Command::Completions { shell } => generate::completions(shell),
        Command::Man { out } => generate::man(&out),
        Command::Top(args) => crate::top::run(&common, &args),
        Command::Ledger(command) => ledger::run(&command),
        Command::Verify(args) => verify::run(&args),
        Command::Record(args) => record::run(&common, &args),
        Command::Replay(args) => replay::run(&common, &args),
        Command::ExplainAlert(args) => explain_alert::run(&common, &args),
        Command::Tune(args) => tune::run(&common, &args),
    }
}
