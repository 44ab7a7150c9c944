//! Is each VM really isolated, and is this host really configured as promised?

pub mod parse;
