//! Styles: colours where they are wanted, weight and reversal where they are not.

use bartizan_core::alerts::Severity;
use bartizan_core::sampling::availability::Availability;
use ratatui::style::{Color, Modifier, Style};

/// The styles of the screen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    colors: bool,
}

impl Theme {
    pub(super) const fn new(colors: bool) -> Self {
        Self { colors }
    }

    fn color(self, color: Color) -> Style {
        if self.colors { Style::new().fg(color) } else { Style::new() }
    }

    pub(super) fn title(self) -> Style {
        self.color(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    pub(super) fn heading() -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn selected() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn dim(self) -> Style {
        if self.colors { Style::new().fg(Color::DarkGray) } else { Style::new().add_modifier(Modifier::DIM) }
    }

    pub(super) fn key(self) -> Style {
        self.color(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    pub(super) fn spark(self) -> Style {
        self.color(Color::Green)
    }

    pub(super) fn good(self) -> Style {
        self.color(Color::Green)
    }

    pub(super) fn warn(self) -> Style {
        self.color(Color::Yellow)
    }

    pub(super) fn bad(self) -> Style {
        self.color(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(super) fn severity(self, severity: Severity) -> Style {
        match severity {
            Severity::Info => self.color(Color::Cyan),
            Severity::Warning => self.warn(),
            Severity::Critical => self.bad(),
        }
    }

    /// A share that grows from harmless to bad.
    pub(super) fn level(self, ratio: Option<f64>, warn_from: f64, bad_from: f64) -> Style {
        match ratio {
            Some(ratio) if ratio >= bad_from => self.bad(),
            Some(ratio) if ratio >= warn_from => self.warn(),
            Some(_) => Style::new(),
            None => self.dim(),
        }
    }

    pub(super) fn availability(self, availability: Availability) -> Style {
        match availability {
            Availability::Ok => self.good(),
            Availability::Pending | Availability::Unsupported | Availability::Gone => self.dim(),
            Availability::Stale | Availability::Denied => self.warn(),
            Availability::Error => self.bad(),
        }
    }
}
