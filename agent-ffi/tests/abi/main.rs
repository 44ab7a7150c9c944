//! The ABI, from outside: what is generated has not drifted, compiles everywhere, and behaves.
//!
//! `BARTIZAN_BLESS=1 cargo test -p bartizan-ffi --test abi generated` writes the generated files anew.

mod generated;
