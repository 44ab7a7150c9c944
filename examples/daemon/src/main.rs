//! The `bartizan` command: parses the command line, runs one command, and exits with a code of `sysexits.h`.

#![forbid(unsafe_code)]

use bartizan_daemon::cli::Cli;
use bartizan_daemon::exit::Code;
use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help that was asked for is no mistake; a reader that went away is none either.
            let code = if error.use_stderr() { Code::Usage } else { Code::Ok };
            let _ = error.print();
            return ExitCode::from(code as u8);
        }
    };
    bartizan_daemon::logger::start();
    match bartizan_daemon::commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                // Nobody reads standard error: there is nobody to tell.
                let _ = writeln!(std::io::stderr(), "bartizan: {failure}");
            }
            ExitCode::from(failure.code as u8)
        }
    }
}
