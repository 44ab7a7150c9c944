//! What is wrong with a configuration: where, what, and the cure.

use std::path::PathBuf;

/// A configuration that cannot be used. Shown as `file:line:column: message`, one line per mistake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, if the text came from one.
    pub file: Option<PathBuf>,
    /// Line and column, counted from 1; a column is a character.
    pub position: Option<(usize, usize)>,
    /// What is wrong, and the cure.
    pub message: String,
    /// Further mistakes, found in the same pass.
    pub others: Vec<ConfigError>,
}

impl ConfigError {
    /// A mistake that has no place in a text.
    pub(super) fn bare(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// Several mistakes as one error; `None` when there are none.
    pub(super) fn several(mistakes: Vec<Self>) -> Option<Self> {
        let mut mistakes = mistakes.into_iter();
        let mut first = mistakes.next()?;
        first.others.extend(mistakes);
        Some(first)
    }

    /// This mistake and the others, each on its own.
    pub fn mistakes(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}", file.display())?,
            None => f.write_str("configuration")?,
        }
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        self.others.iter().try_for_each(|other| write!(f, "\n{other}"))
    }
}

impl std::error::Error for ConfigError {}
