//! The log of the library and of the daemon, on standard error.

use log::{Level, LevelFilter, Log, Metadata, Record};
use std::io::{IsTerminal, Write};

/// Lines on standard error, with the priority that journald understands when it is the one who listens.
struct StandardError {
    /// Whether journald reads standard error.
    journal: bool,
}

impl Log for StandardError {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // Who reads standard error went away: there is nobody left to tell.
        let _ = if self.journal {
            writeln!(std::io::stderr(), "<{}>{}", priority(record.level()), record.args())
        } else {
            let level = record.level().as_str().to_ascii_lowercase();
            writeln!(std::io::stderr(), "bartizan: {level}: {}", record.args())
        };
    }

    fn flush(&self) {}
}

/// `sd-daemon(3)`'s priority of a level.
const fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Starts logging. `BARTIZAN_LOG` (`error`, `warn`, `info`, `debug`, `trace`, `off`) says how much; `warn` is the
/// default.
pub fn start() {
    let journal = std::env::var_os("JOURNAL_STREAM").is_some() && !std::io::stderr().is_terminal();
    let level = std::env::var("BARTIZAN_LOG").ok().and_then(|level| level.parse().ok());
    if log::set_boxed_logger(Box::new(StandardError { journal })).is_ok() {
        log::set_max_level(level.unwrap_or(LevelFilter::Warn));
    }
}

/// Keeps the log off the screen while something else owns it.
pub fn mute() {
    log::set_max_level(LevelFilter::Off);
}
