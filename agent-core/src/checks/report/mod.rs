//! Findings in forms that others read.

pub mod json;
pub mod sarif;
