//! Parsers of bytes from the kernel: pure functions that take any bytes and never panic.
//!
//! [`walk`] reads a file by its grammar, from scratch. [`Layout`] learns from one such reading where the numbers
//! are, and from then on looks only at those.

mod layout;
mod number;
mod walk;

pub use layout::{Layout, SlotValue, Targets, Update};
pub use number::{Form, Number, parse_number};
pub use walk::{Grammar, Token, walk};
