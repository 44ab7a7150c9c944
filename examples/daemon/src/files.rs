//! Where the configuration is.

use crate::exit::Failure;
use bartizan_core::config::{Config, fingerprint};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The file that is loaded when none is named, where it exists.
pub const CONFIG_DEFAULT: &str = "/etc/bartizan/bartizan.toml";

/// The file that a command without `--config` loads, if it exists.
#[must_use]
pub fn default_file() -> Option<PathBuf> {
    let path = Path::new(CONFIG_DEFAULT);
    path.exists().then(|| path.to_owned())
}

/// Loads a configuration with its drop-ins; the defaults where there is no file at all.
///
/// # Errors
/// When it is wrong.
pub fn load(path: Option<&Path>) -> Result<Config, Failure> {
    match path.map(Path::to_owned).or_else(default_file) {
        Some(path) => Ok(Config::load(&path)?),
        None => Ok(Config::default()),
    }
}

/// The fingerprint of the effective configuration, in hexadecimal digits.
#[must_use]
pub fn fingerprint_text(config: &Config) -> String {
    hex(&fingerprint(config))
}

/// Bytes in hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
