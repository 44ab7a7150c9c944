//! The log hook: the library's only callback, and the only place where `log`'s global logger is set.

use crate::entry;
use crate::error::btz_error;
use crate::failure::Failure;
use crate::quiet;
use crate::status::{BTZ_ERR_STATE, BTZ_ERR_TIMEOUT, btz_status};
use log::{Level, LevelFilter, Log, Metadata, Record};
use parking_lot::RwLock;
use std::ffi::{c_char, c_void};
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// Something is broken. Since: 0.1
pub const BTZ_LOG_ERROR: u32 = 1;
/// Something is odd. Since: 0.1
pub const BTZ_LOG_WARN: u32 = 2;
/// Something noteworthy happened. Since: 0.1
pub const BTZ_LOG_INFO: u32 = 3;
/// For who looks into a problem. Since: 0.1
pub const BTZ_LOG_DEBUG: u32 = 4;
/// Everything. Since: 0.1
pub const BTZ_LOG_TRACE: u32 = 5;

/// Receives one line of the library's log: user as given to btz_log_set(); level, BTZ_LOG_*; target, the part of the
/// library that speaks; message, NUL-terminated UTF-8 of length bytes, at most 1023, cut to fit. Both texts are valid
/// during the call only.
///
/// Threads: called from whatever thread is inside a btz_ call, and from the agent's own threads ("btz-planner",
/// "btz-sampler"); several at the same time: it must be thread-safe. It must return soon, must not unwind (no C++
/// exception, no longjmp), and must not call any btz_ function: such a call returns BTZ_ERR_REENTRY. Since: 0.1
pub type btz_log_fn = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        level: u32,
        target: *const c_char,
        message: *const c_char,
        length: usize,
    ),
>;

/// How long btz_log_set() waits for hooks that run, before it gives up.
const WAIT: Duration = Duration::from_secs(5);

struct Hook {
    call: unsafe extern "C" fn(*mut c_void, u32, *const c_char, *const c_char, usize),
    user: *mut c_void,
}

// SAFETY: the host promises that its hook may be called, with its pointer, from any thread.
unsafe impl Send for Hook {}
// SAFETY: as above.
unsafe impl Sync for Hook {}

static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

/// Receives the library's log from now on, in place of any hook before. There is none unless this is called, and the
/// library never writes to standard output or standard error. hook: NULL ends it. user: passed on, never looked at.
/// level: BTZ_LOG_*, the most talkative level wanted. When this returns BTZ_OK, the hook before is not running and will
/// not be called again.
/// Errors: BTZ_ERR_ARGUMENT; BTZ_ERR_STATE when the process, written in Rust, has a logger of its own already;
/// BTZ_ERR_TIMEOUT when a hook did not return within 5 s: nothing was changed.
/// Threads: any; the hook is one per process. Blocking: for hooks that run. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_log_set(
    hook: btz_log_fn,
    user: *mut c_void,
    level: u32,
    error: *mut btz_error,
) -> btz_status {
    entry::plain(error, || {
        let filter = match level {
            _ if hook.is_none() => LevelFilter::Off,
            BTZ_LOG_ERROR => LevelFilter::Error,
            BTZ_LOG_WARN => LevelFilter::Warn,
            BTZ_LOG_INFO => LevelFilter::Info,
            BTZ_LOG_DEBUG => LevelFilter::Debug,
            BTZ_LOG_TRACE => LevelFilter::Trace,
            _ => return Err(Failure::argument("the level is none of BTZ_LOG_*")),
        };
        if hook.is_some() {
            become_logger()?;
        }
        let mut current = HOOK
            .try_write_for(WAIT)
            .ok_or_else(|| Failure::new(BTZ_ERR_TIMEOUT, "a log hook has not returned for 5 s"))?;
        *current = hook.map(|call| Hook { call, user });
        if OURS.load(Relaxed) {
            log::set_max_level(filter);
        }
        Ok(())
    })
}

/// Whether `log`'s global logger is this one.
static OURS: AtomicBool = AtomicBool::new(false);

fn become_logger() -> Result<(), Failure> {
    if OURS.load(Relaxed) || log::set_logger(&Forward).is_ok() {
        OURS.store(true, Relaxed);
        return Ok(());
    }
    // Another thread may have been the first between the two looks.
    if OURS.load(Relaxed) {
        return Ok(());
    }
    Err(Failure::new(BTZ_ERR_STATE, "this process has set a logger of Rust's `log` already; use that"))
}

struct Forward;

impl Log for Forward {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // Within the hook there is no second line: it would come back here for ever.
        let Some(_inside) = quiet::enter_log_hook() else { return };
        let hook = HOOK.read();
        let Some(hook) = hook.as_ref() else { return };
        let (mut target, mut message) = (Line::<64>::new(), Line::<1024>::new());
        // A line that is too long is cut; that is no error to anybody.
        let _ = target.write_str(record.target());
        let _ = message.write_fmt(*record.args());
        let level = match record.level() {
            Level::Error => BTZ_LOG_ERROR,
            Level::Warn => BTZ_LOG_WARN,
            Level::Info => BTZ_LOG_INFO,
            Level::Debug => BTZ_LOG_DEBUG,
            Level::Trace => BTZ_LOG_TRACE,
        };
        // SAFETY: the host's function, with the pointer it gave; both texts are NUL-terminated and live through the
        // call.
        unsafe { (hook.call)(hook.user, level, target.start(), message.start(), message.length) };
    }

    fn flush(&self) {}
}

/// A text on the stack, cut to fit, with a NUL behind it.
struct Line<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Line<N> {
    fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    fn start(&self) -> *const c_char {
        self.bytes.as_ptr().cast()
    }
}

impl<const N: usize> Write for Line<N> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let fits = crate::text::cut(text, N - 1 - self.length);
        self.bytes[self.length..self.length + fits.len()].copy_from_slice(fits.as_bytes());
        self.length += fits.len();
        if fits.len() == text.len() { Ok(()) } else { Err(std::fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_and_end_in_nul() {
        let mut line = Line::<8>::new();
        assert!(line.write_str("abcd-").is_ok() && line.write_str("éé").is_err());
        assert_eq!(&line.bytes, b"abcd-\xc3\xa9\0");
        assert_eq!(line.length, 7);
    }
}
