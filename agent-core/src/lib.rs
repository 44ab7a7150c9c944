//! Bartizan core.
