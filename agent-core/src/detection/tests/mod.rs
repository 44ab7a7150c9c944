//! Rules on made-up frames: each kind fires, does not, and resolves.

mod harness;
mod kinds;
mod life;
mod refusals;
mod shipped;
