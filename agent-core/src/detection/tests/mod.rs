//! Rules on made-up frames: each kind fires, does not, and resolves.

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "made-up values, all small and positive"
)]
mod every;
mod harness;
mod kinds;
mod life;
mod predictions;
mod rates;
mod refusals;
mod restart;
mod shipped;
mod signals;
mod unusual;
