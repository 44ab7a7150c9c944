//! Fuzz targets: plain functions that must come back, whatever the bytes, without a panic and in bounded memory.

/// One target: its name, and what it does with arbitrary bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target. A parser of bytes from outside that is missing here is a mistake.
pub const TARGETS: &[Target] = &[("config_toml", config_toml)];

/// The configuration's TOML.
pub fn config_toml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = toml_config(text);
}

fn toml_config(_text: &str) -> Option<bartizan_core::config::Config> {
    None
}
