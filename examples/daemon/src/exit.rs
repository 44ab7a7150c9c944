//! How a command ends: an exit code of `sysexits.h` and one message for people.

use bartizan_core::config::ConfigError;
use bartizan_core::engine::{BuildError, RunnerError};
use std::fmt::Display;
use std::io;
use std::path::Path;

/// Exit codes, as `sysexits.h` numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// It worked.
    Ok = 0,
    /// Checks found something that is not as it should be.
    Fails = 1,
    /// Checks found nothing wrong, but could not judge everything (`--strict`).
    Undecided = 2,
    /// The command line makes no sense.
    Usage = 64,
    /// A trace or another input is damaged.
    Data = 65,
    /// An input file does not exist or cannot be read.
    NoInput = 66,
    /// Something needed cannot be had: an address in use, the agent's threads.
    Unavailable = 69,
    /// A mistake of ours.
    Software = 70,
    /// The operating system refused.
    Os = 71,
    /// An output file cannot be made.
    CannotCreate = 73,
    /// Reading or writing failed.
    Io = 74,
    /// A permission is missing.
    NoPermission = 77,
    /// The configuration is wrong.
    Config = 78,
}

/// The text of `--help` about exit codes.
pub const HELP: &str = "\
Exit codes: 0 done, 1 checks or conflicts found something wrong or a ledger was changed, 2 not everything could be judged (check --strict, conflicts --strict, verify), 64 wrong usage, 65 damaged input, 66 input missing, 69 something needed is not available, \
70 internal error, 71 the operating system refused, 73 output cannot be made, 74 input/output error, \
77 permission missing, 78 wrong configuration.";

/// Why a command did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the process exits with.
    pub code: Code,
    /// What is said on standard error; empty says nothing.
    pub message: String,
}

impl Failure {
    /// A failure with its message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// An input file that could not be read.
    #[must_use]
    pub fn input(path: &Path, error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::PermissionDenied => Code::NoPermission,
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Code::Data,
            _ => Code::NoInput,
        };
        Self::new(code, format!("{}: {error}", path.display()))
    }

    /// An output file that could not be made or written.
    #[must_use]
    pub fn output(path: &Path, error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::PermissionDenied => Code::NoPermission,
            _ => Code::CannotCreate,
        };
        Self::new(code, format!("{}: {error}", path.display()))
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Writing to standard output failed. A reader that went away (`bartizan metrics | head`) is no failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Code::Ok, "");
        }
        Self::new(Code::Io, error.to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Code::Config, error.to_string())
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let code = match error {
            BuildError::Rule(_) => Code::Config,
            _ => Code::Os,
        };
        Self::new(code, error.to_string())
    }
}

impl From<RunnerError> for Failure {
    fn from(error: RunnerError) -> Self {
        let code = match error {
            RunnerError::Rule(_) => Code::Config,
            RunnerError::Faulted => Code::Software,
            _ => Code::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_no_failure_and_says_nothing() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.code, failure.message.as_str()), (Code::Ok, ""));
    }

    #[test]
    fn a_missing_and_a_forbidden_input_exit_differently() {
        let path = Path::new("trace.bin");
        assert_eq!(Failure::input(path, &io::ErrorKind::NotFound.into()).code, Code::NoInput);
        assert_eq!(Failure::input(path, &io::ErrorKind::PermissionDenied.into()).code, Code::NoPermission);
        assert_eq!(Failure::output(path, &io::ErrorKind::NotFound.into()).code, Code::CannotCreate);
    }

    #[test]
    fn every_exit_code_is_documented_in_the_help() {
        for code in [
            Code::Ok,
            Code::Fails,
            Code::Undecided,
            Code::Usage,
            Code::Data,
            Code::NoInput,
            Code::Unavailable,
            Code::Software,
            Code::Os,
            Code::CannotCreate,
            Code::Io,
            Code::NoPermission,
            Code::Config,
        ] {
            assert!(HELP.contains(&format!("{} ", code as u8)), "{code:?}");
        }
    }
}
