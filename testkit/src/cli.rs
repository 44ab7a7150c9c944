//! What the two programs of this crate share: a small parser of options, and waiting for a signal.

use std::collections::VecDeque;

use nix::sys::signal::{SigSet, Signal};

use crate::error::{Doing, Error, Result};

/// The words of a command line, taken off one by one.
#[derive(Debug)]
pub struct Words(VecDeque<String>);

impl Words {
    /// This process's arguments without the program's name.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// The next word.
    pub fn word(&mut self) -> Option<String> {
        self.0.pop_front()
    }

    /// The text that must follow `option`.
    pub fn text(&mut self, option: &str) -> Result<String> {
        self.word().ok_or_else(|| Error::new(option, "a value must follow"))
    }

    /// The number that must follow `option`.
    pub fn number<T: std::str::FromStr>(&mut self, option: &str) -> Result<T> {
        let text = self.text(option)?;
        text.parse().map_err(|_| Error::new(option, format!("'{text}' is not a number that fits here")))
    }
}

/// Keeps SIGINT, SIGTERM and SIGHUP back for [`wait_for_the_end`]. To be called before any thread is started.
pub fn block_signals() -> Result<SigSet> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        set.add(signal);
    }
    set.thread_block().doing(|| "block signals")?;
    Ok(set)
}

/// Waits for one of the signals kept back by [`block_signals`].
pub fn wait_for_the_end(signals: &SigSet) -> Result<()> {
    signals.wait().map(drop).doing(|| "wait for a signal")
}
