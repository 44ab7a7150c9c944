//! Threads that no signal of the embedding process is ever delivered to.

use nix::sys::signal::{SigSet, SigmaskHow};
use std::thread::JoinHandle;

/// Starts a thread that blocks all signals.
///
/// # Errors
/// When the system refuses a thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    // A thread inherits the mask of the one that makes it: blocked before, so that there is no moment without.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    if let Ok(before) = before {
        let _ = before.thread_set_mask();
    }
    thread
}
