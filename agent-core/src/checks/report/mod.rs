//! Findings in forms that others read.

pub mod html;
pub mod json;
pub mod sarif;
