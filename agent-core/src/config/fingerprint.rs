//! A configuration's SHA-256, by which an alert, a record or a report says what was in force.

use super::Config;
use ring::digest::{SHA256, digest};

/// The SHA-256 of [`Config::to_toml`]: equal configurations have equal fingerprints, however their files were written.
#[must_use]
pub fn fingerprint(config: &Config) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, config.to_toml().as_bytes()).as_ref());
    bytes
}
