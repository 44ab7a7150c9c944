//! How well the kernel's clock is kept: adjtimex(2), read only.
#![allow(unsafe_code, reason = "a system call that fills in a structure, for which there is no safe cover")]

use nix::errno::Errno;
use std::mem::MaybeUninit;

/// The state of the kernel's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockState {
    /// Whether something disciplines it.
    pub synchronised: bool,
    /// By how much it can be wrong, in microseconds; the kernel lets it grow until somebody corrects it.
    pub max_error_us: i64,
}

/// Reads the state of the clock.
///
/// # Errors
/// When the kernel refuses, which only a filter of system calls makes it do.
pub fn clock_state() -> nix::Result<ClockState> {
    let mut state = MaybeUninit::<libc::timex>::zeroed();
    // SAFETY: `timex` is made of integers, for which zeroes are a value, and with `modes` zero the kernel changes
    // nothing and fills in a structure of exactly this size.
    let code = unsafe { libc::adjtimex(state.as_mut_ptr()) };
    Errno::result(code)?;
    // SAFETY: it was zeroed above, and is valid for whatever the kernel wrote.
    let state = unsafe { state.assume_init() };
    Ok(ClockState {
        synchronised: code != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0,
        max_error_us: state.maxerror,
    })
}

#[cfg(test)]
mod tests {
    use super::clock_state;

    #[test]
    fn the_kernel_tells() {
        let state = clock_state().expect("adjtimex");
        assert!(state.max_error_us >= 0, "{state:?}");
    }
}
