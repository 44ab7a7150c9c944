//! Configurations: from options, from TOML text, from files.

use crate::entry;
use crate::error::btz_error;
use crate::failure::{Failure, Outcome};
use crate::options::{self, btz_options};
use crate::size;
use crate::status::{BTZ_ERR_HANDLE, BTZ_OK, btz_status};
use crate::text;
use crate::version::check_abi;
use bartizan_core::config::{Config, Roots, fingerprint};
use bartizan_core::engine::memory_bytes;
use std::ffi::c_char;
use std::path::Path;

/// In the first word of every live configuration: "btz-conf".
const ALIVE: u64 = u64::from_be_bytes(*b"btz-conf");

/// A configuration. Made by btz_config_new(), btz_config_from_toml() or btz_config_from_file(), ended by
/// btz_config_free(). Belongs to one thread at a time. Agents copy it. Since: 0.1
pub struct btz_config {
    magic: u64,
    pub(crate) config: Config,
}

impl btz_config {
    /// The configuration, if it looks like one of ours.
    pub(crate) unsafe fn alive<'a>(config: *const Self) -> Result<&'a Self, Failure> {
        if config.is_null() {
            return Err(Failure::null("the configuration is NULL"));
        }
        let dead = || Failure::new(BTZ_ERR_HANDLE, "this is not a configuration, or it was freed");
        if !config.is_aligned() {
            return Err(dead());
        }
        // SAFETY: the contract: a handle between its making and its end, used by one thread at a time.
        let config = unsafe { &*config };
        if config.magic == ALIVE { Ok(config) } else { Err(dead()) }
    }

    unsafe fn alive_mut<'a>(config: *mut Self) -> Result<&'a mut Self, Failure> {
        // SAFETY: the caller's contract is this function's.
        unsafe { Self::alive(config)? };
        // SAFETY: just seen to be alive; the contract: nobody else uses it during this call.
        Ok(unsafe { &mut *config })
    }
}

unsafe fn make(
    abi: u32,
    out: *mut *mut btz_config,
    error: *mut btz_error,
    make: impl FnOnce() -> Result<Config, Failure>,
) -> btz_status {
    entry::plain(error, || {
        check_abi(abi)?;
        if out.is_null() {
            return Err(Failure::null("out is NULL"));
        }
        let handle = Box::new(btz_config { magic: ALIVE, config: make()? });
        // SAFETY: the contract: `out` is writable.
        unsafe { out.write(Box::into_raw(handle)) };
        Ok(())
    })
}

/// The defaults, which watch this host. abi: BTZ_ABI_VERSION. out: receives the handle, which the caller owns; written
/// only on success. Errors: BTZ_ERR_ABI. Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_config_new(
    abi: u32,
    out: *mut *mut btz_config,
    error: *mut btz_error,
) -> btz_status {
    // SAFETY: the contract.
    unsafe { make(abi, out, error, || Ok(Config::default())) }
}

/// A configuration from a TOML text (docs/configuration.md). An empty text gives the defaults. text: UTF-8, length in
/// bytes, no NUL needed, not kept. Errors: BTZ_ERR_ABI; BTZ_ERR_CONFIG, with one line per mistake in the error's text.
/// Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_config_from_toml(
    abi: u32,
    text: *const c_char,
    length: usize,
    out: *mut *mut btz_config,
    error: *mut btz_error,
) -> btz_status {
    let parse = || {
        // SAFETY: the contract: `length` readable bytes.
        let text = unsafe { text::given(text, length)? };
        Ok(Config::from_toml(text, None)?)
    };
    // SAFETY: the contract.
    unsafe { make(abi, out, error, parse) }
}

/// A configuration from a file and its drop-ins, "<path>.d/" and "*.toml" in it, in the byte order of their names.
/// path: UTF-8, length in bytes, no NUL needed, not kept. Errors: BTZ_ERR_ABI; BTZ_ERR_CONFIG, with one line per
/// mistake in the error's text, also when a file cannot be read. Threads: any. Blocking: on the files. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_config_from_file(
    abi: u32,
    path: *const c_char,
    length: usize,
    out: *mut *mut btz_config,
    error: *mut btz_error,
) -> btz_status {
    let load = || {
        // SAFETY: the contract: `length` readable bytes.
        let path = unsafe { text::given(path, length)? };
        Ok(Config::load(Path::new(path))?)
    };
    // SAFETY: the contract.
    unsafe { make(abi, out, error, load) }
}

/// Changes a copy, checks it, and only then keeps it.
unsafe fn change(
    config: *mut btz_config,
    error: *mut btz_error,
    change: impl FnOnce(&mut Config) -> Outcome,
) -> btz_status {
    entry::plain(error, || {
        // SAFETY: the contract: a live configuration.
        let handle = unsafe { btz_config::alive_mut(config)? };
        let mut changed = handle.config.clone();
        change(&mut changed)?;
        changed.validate()?;
        handle.config = changed;
        Ok(())
    })
}

/// Lays options over a configuration: fields that are 0 leave it as it is, BTZ_ZERO sets 0. options: read only, size
/// rules as for every struct. Errors: BTZ_ERR_SIZE; BTZ_ERR_ARGUMENT or BTZ_ERR_CONFIG when a number is out of its
/// range: the configuration is then unchanged. Threads: one at a time per config. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_config_apply(
    config: *mut btz_config,
    options: *const btz_options,
    error: *mut btz_error,
) -> btz_status {
    let apply = |config: &mut Config| {
        // SAFETY: the contract: NULL, or a struct of the size it says.
        options::apply(unsafe { size::read_in(options)? }, config)
    };
    // SAFETY: the contract.
    unsafe { change(config, error, apply) }
}

/// The numbers of a configuration, as options that would set them again. out: set struct_size first. Errors:
/// BTZ_ERR_SIZE. Threads: one at a time per config. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_config_options(config: *const btz_config, out: *mut btz_options) -> btz_status {
    entry::plain(std::ptr::null_mut(), || {
        // SAFETY: the contract: a live configuration.
        let handle = unsafe { btz_config::alive(config)? };
        // SAFETY: the contract: NULL, or a struct of the size it says.
        unsafe { size::write_out(out, options::effective(&handle.config)) }
    })
}

/// Looks at a recorded host below a folder (with proc, sys and run in it) instead of this one. path: UTF-8, absolute,
/// length in bytes, not kept; length 0 looks at this host again. Errors: BTZ_ERR_ARGUMENT, BTZ_ERR_CONFIG: the
/// configuration is then unchanged. Threads: one at a time per config. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_config_set_root(
    config: *mut btz_config,
    path: *const c_char,
    length: usize,
    error: *mut btz_error,
) -> btz_status {
    let set = |config: &mut Config| {
        config.roots = if length == 0 {
            Roots::default()
        } else {
            // SAFETY: the contract: `length` readable bytes.
            Roots::below(Path::new(unsafe { text::given(path, length)? }))
        };
        Ok(())
    };
    // SAFETY: the contract.
    unsafe { change(config, error, set) }
}

/// The memory that an agent with this configuration sets aside when it is made, in bytes: declared limits decide it, and
/// ticks never ask for more. Pages of rows that nothing ever uses cost address space, not memory. What is opened per VM
/// comes on top (SPECIFICATION.md). Errors: BTZ_ERR_NULL, BTZ_ERR_HANDLE. Threads: one at a time per config.
/// Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_config_memory(config: *const btz_config, out_bytes: *mut u64) -> btz_status {
    entry::plain(std::ptr::null_mut(), || {
        // SAFETY: the contract: a live configuration.
        let handle = unsafe { btz_config::alive(config)? };
        if out_bytes.is_null() {
            return Err(Failure::null("out_bytes is NULL"));
        }
        // SAFETY: the contract: writable.
        unsafe { out_bytes.write(memory_bytes(&handle.config) as u64) };
        Ok(())
    })
}

/// The whole configuration as TOML, every default written out, NUL-terminated. buffer: NULL with capacity 0 to ask only
/// for the size. needed: always receives the bytes needed, with the NUL. Errors: BTZ_ERR_BUFFER. Threads: one at a time
/// per config. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_config_to_toml(
    config: *const btz_config,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> btz_status {
    entry::plain(std::ptr::null_mut(), || {
        // SAFETY: the contract: a live configuration.
        let handle = unsafe { btz_config::alive(config)? };
        // SAFETY: the contract: `capacity` writable bytes, and `needed` writable.
        unsafe { text::give(&handle.config.to_toml(), buffer, capacity, needed) }
    })
}

/// The SHA-256 of the configuration, by which alerts and reports can say what was in force: equal configurations have
/// equal fingerprints. out: 32 bytes. Errors: BTZ_ERR_NULL, BTZ_ERR_HANDLE. Threads: one at a time per config.
/// Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_config_fingerprint(config: *const btz_config, out: *mut u8) -> btz_status {
    entry::plain(std::ptr::null_mut(), || {
        // SAFETY: the contract: a live configuration.
        let handle = unsafe { btz_config::alive(config)? };
        if out.is_null() {
            return Err(Failure::null("out is NULL"));
        }
        let digest = fingerprint(&handle.config);
        // SAFETY: the contract: 32 writable bytes.
        unsafe { std::ptr::copy_nonoverlapping(digest.as_ptr(), out, digest.len()) };
        Ok(())
    })
}

/// Frees a configuration. NULL: nothing, BTZ_OK. A second free is undefined, and answered with BTZ_ERR_HANDLE as long as
/// the memory has not been given to somebody else. Threads: one at a time per config. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_config_free(config: *mut btz_config) -> btz_status {
    if config.is_null() {
        return BTZ_OK;
    }
    entry::plain(std::ptr::null_mut(), || {
        // SAFETY: the contract.
        let handle = unsafe { btz_config::alive_mut(config)? };
        // SAFETY: a field of a live configuration; volatile, lest the store be left out as a dead one.
        unsafe { (&raw mut handle.magic).write_volatile(0) };
        // SAFETY: made by `Box::into_raw`, and alive until just now.
        drop(unsafe { Box::from_raw(config) });
        Ok(())
    })
}
