//! Runs the target that the environment names: `BARTIZAN_FUZZ_TARGET=qmp cargo +nightly fuzz run fuzz --features libfuzzer`.
#![no_main]

use bartizan_fuzz::{TARGETS, Target};
use std::sync::OnceLock;

fn chosen() -> &'static Target {
    static CHOSEN: OnceLock<&Target> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
        let wanted = std::env::var("BARTIZAN_FUZZ_TARGET").unwrap_or_default();
        TARGETS
            .iter()
            .find(|(name, _)| *name == wanted)
            .unwrap_or_else(|| panic!("set BARTIZAN_FUZZ_TARGET to one of {names:?}"))
    })
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| chosen().1(data));
