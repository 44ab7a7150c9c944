//! Firewall rules that hide one another.
//!
//! Only what is sure is told: a rule that is not understood whole hides nothing.

pub mod lift;
pub mod pairs;
pub mod space;

#[cfg(test)]
mod tests;
