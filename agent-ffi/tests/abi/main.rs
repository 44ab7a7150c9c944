//! The ABI, from outside: what is generated has not drifted, compiles everywhere, and behaves.
//!
//! `BARTIZAN_BLESS=1 cargo test -p bartizan-ffi --test abi` writes the generated files anew.
//!
//! Miri would need the interpreter and cannot make the system calls an agent is made of; memory errors are looked for
//! with AddressSanitizer, UBSan and valgrind instead.

mod alert;
mod checks;
mod exports;
mod generated;
mod install;
mod ledger;
mod matrix;
mod programs;
mod toolchain;
