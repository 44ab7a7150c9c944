//! Fuzz targets: plain functions that must come back, whatever the bytes, without a panic and in bounded memory.

use bartizan_core::sampling::monitors::fuzzing as monitors;

/// One target: its name, and what it does with arbitrary bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target. A parser of bytes from outside that is missing here is a mistake.
pub const TARGETS: &[Target] = &[
    ("config_toml", config_toml),
    ("qmp", monitors::qmp),
    ("monitor_http", monitors::http),
    ("firecracker_metrics", monitors::firecracker),
];

/// The configuration's TOML: what is accepted is valid, and reads back as the same.
pub fn config_toml(data: &[u8]) {
    use bartizan_core::config::Config;
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Config::from_toml(text, None) {
        Ok(config) => {
            assert_eq!(config.validate(), Ok(()));
            assert_eq!(Config::from_toml(&config.to_toml(), None), Ok(config));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
