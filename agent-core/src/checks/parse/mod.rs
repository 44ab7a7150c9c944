//! Parsers of what checks look at: pure functions of bytes, bounded, that never panic.

pub mod etc;
pub mod files;
pub mod nft;
pub mod proc;
pub mod vmm;
