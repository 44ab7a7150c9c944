//! Two flags per thread, and a panic hook that keeps this library's own panics off the host's standard error.
//!
//! The flags have no destructor, so a thread that ends leaves nothing behind.

use std::cell::Cell;
use std::sync::Once;

thread_local! {
    static INSIDE: Cell<u32> = const { Cell::new(0) };
    static IN_LOG_HOOK: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, a panic on this thread is this library's own.
pub(crate) struct Guard(());

impl Guard {
    pub(crate) fn enter() -> Self {
        INSIDE.set(INSIDE.get() + 1);
        Self(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        INSIDE.set(INSIDE.get() - 1);
    }
}

/// Whether this thread is in the log hook.
pub(crate) fn in_log_hook() -> bool {
    IN_LOG_HOOK.get()
}

/// Marks this thread as being in the log hook; `None` when it is already.
pub(crate) fn enter_log_hook() -> Option<HookGuard> {
    (!IN_LOG_HOOK.replace(true)).then_some(HookGuard(()))
}

/// While it lives, this thread is in the log hook.
pub(crate) struct HookGuard(());

impl Drop for HookGuard {
    fn drop(&mut self) {
        IN_LOG_HOOK.set(false);
    }
}

/// Sends this library's own panics to the log instead of standard error; those of others go where they went before.
/// The shared library has a Rust runtime to itself, so there are no others there.
pub(crate) fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let own_thread = std::thread::current().name().is_some_and(|name| name.starts_with("btz-"));
            if INSIDE.get() > 0 || own_thread {
                log::error!("{info}");
            } else {
                before(info);
            }
        }));
    });
}
