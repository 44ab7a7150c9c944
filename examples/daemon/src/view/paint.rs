//! Colours, where they are wanted.

use crate::cli::ColorWhen;
use bartizan_core::alerts::Severity;
use bartizan_core::checks::{Severity as CheckSeverity, Verdict};
use bartizan_core::sampling::availability::Availability;
use std::io::IsTerminal;

/// Colours text, or leaves it alone.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// Whether standard output gets colours: on a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
    #[must_use]
    pub fn new(when: ColorWhen) -> Self {
        let on = match when {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => {
                let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                std::io::stdout().is_terminal() && !no_color && !dumb
            }
        };
        Self { on }
    }

    /// Whether there are colours.
    #[must_use]
    pub const fn is_on(self) -> bool {
        self.on
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A heading.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// What matters less.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// What is well.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// What is not quite well.
    #[must_use]
    pub fn warn(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// What is wrong.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.wrap("31;1", text)
    }

    /// Text in the colour of a severity.
    #[must_use]
    pub fn severity(self, severity: Severity, text: &str) -> String {
        match severity {
            Severity::Info => self.wrap("36", text),
            Severity::Warning => self.warn(text),
            Severity::Critical => self.bad(text),
        }
    }

    /// Text in the colour of a verdict.
    #[must_use]
    pub fn verdict(self, verdict: Verdict, text: &str) -> String {
        match verdict {
            Verdict::Pass => self.good(text),
            Verdict::Fail | Verdict::Error => self.bad(text),
            Verdict::Unknown => self.warn(text),
            Verdict::NotApplicable => self.dim(text),
        }
    }

    /// Text in the colour of a check's severity.
    #[must_use]
    pub fn check_severity(self, severity: CheckSeverity, text: &str) -> String {
        match severity {
            CheckSeverity::Critical | CheckSeverity::High => self.bad(text),
            CheckSeverity::Medium => self.warn(text),
            CheckSeverity::Low => self.wrap("36", text),
            CheckSeverity::Info => self.dim(text),
        }
    }

    /// Text in the colour of a share that grows from harmless to bad.
    #[must_use]
    pub fn level(self, ratio: Option<f64>, warn_from: f64, bad_from: f64, text: &str) -> String {
        match ratio {
            Some(ratio) if ratio >= bad_from => self.bad(text),
            Some(ratio) if ratio >= warn_from => self.warn(text),
            Some(_) => text.to_owned(),
            None => self.dim(text),
        }
    }

    /// Text in the colour of an availability.
    #[must_use]
    pub fn availability(self, availability: Availability, text: &str) -> String {
        match availability {
            Availability::Ok => self.good(text),
            Availability::Pending | Availability::Unsupported | Availability::Gone => self.dim(text),
            Availability::Stale | Availability::Denied => self.warn(text),
            Availability::Error => self.bad(text),
        }
    }
}
