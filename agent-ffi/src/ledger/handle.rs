//! The life of a ledger.

use super::folder;
use super::options::btz_ledger_options;
use crate::entry::{self, Handle, Words, on};
use crate::error::btz_error;
use crate::failure::{Failure, Outcome};
use crate::quiet;
use crate::size;
use crate::status::{
    BTZ_ERR_BUSY, BTZ_ERR_FORKED, BTZ_ERR_STATE, BTZ_ERR_SYSTEM, BTZ_ERR_TIMEOUT, BTZ_OK, btz_status,
};
use crate::version::check_abi;
use bartizan_core::ledger::{Keeper, Ledger, Opened, RealDisk, Rounds, Upkeep};
use bartizan_core::sys::clock::Clock;
use parking_lot::Mutex;
use std::ffi::c_char;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::time::Duration;

/// In the first word of every live ledger: "btz-ledg".
const ALIVE: u64 = u64::from_be_bytes(*b"btz-ledg");
/// In the first word of one that was freed.
const FREED: u64 = 0;

/// How long btz_ledger_free() waits for the ledger's own thread, in milliseconds. Since: 0.3
pub const BTZ_LEDGER_FREE_TIMEOUT_MS: u32 = 5000;

/// A ledger. Made by btz_ledger_open(), ended in order by btz_ledger_close(), freed by btz_ledger_free(). All calls may
/// be made from any thread and at the same time. Since: 0.3
pub struct btz_ledger {
    magic: AtomicU64,
    calls: AtomicU32,
    faulted: AtomicBool,
    creator_pid: u32,
    pub(super) closed: AtomicBool,
    pub(super) disk: Arc<RealDisk>,
    pub(super) ledger: Ledger,
    pub(super) opened: Opened,
    pub(super) server: Server,
    pub(super) origin: String,
    pub(super) fd: RawFd,
    pub(super) upkeep: Upkeep,
    /// Agents that it is attached to.
    pub(super) attached: Arc<AtomicU32>,
}

/// Who makes durable what is appended.
pub(super) enum Server {
    /// The ledger's own thread.
    Own(Keeper),
    /// The host, by btz_ledger_maintain().
    Host(Mutex<Rounds>),
}

impl Handle for btz_ledger {
    const WORDS: Words = Words {
        null: "the ledger is NULL",
        dead: "this is not a ledger, or it was freed",
        forked: "the ledger belongs to the parent process",
        failed: "the ledger has failed; only btz_ledger_free() works",
        fails: "the ledger failed in this call; only btz_ledger_free() works",
    };
    fn is_alive(&self) -> bool {
        self.magic.load(Acquire) == ALIVE
    }
    fn calls(&self) -> &AtomicU32 {
        &self.calls
    }
    fn forked(&self) -> bool {
        std::process::id() != self.creator_pid
    }
    fn has_failed(&self) -> bool {
        self.faulted.load(Acquire) || matches!(&self.server, Server::Own(keeper) if keeper.has_died())
    }
    fn fault(&self) {
        self.faulted.store(true, Release);
    }
}

/// Opens the ledger in a folder, or begins it (the folder is made, for its owner alone), and records that a run began and
/// how the one before ended. abi: BTZ_ABI_VERSION. folder: UTF-8, length in bytes, no NUL needed, not kept. options: set
/// struct_size and origin first. out: receives the handle, which the caller owns; written only on success.
/// Errors: BTZ_ERR_DAMAGED: the error's text names the place; what is damaged stays as it is, as evidence.
/// BTZ_ERR_LOCKED, BTZ_ERR_DISK, BTZ_ERR_ARGUMENT (also: the ledger there has another origin), BTZ_ERR_ABI, BTZ_ERR_SIZE,
/// BTZ_ERR_NULL, BTZ_ERR_SYSTEM. Threads: any. Blocking: on the disk. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_open(
    abi: u32,
    path: *const c_char,
    length: usize,
    options: *const btz_ledger_options,
    out: *mut *mut btz_ledger,
    error: *mut btz_error,
) -> btz_status {
    entry::plain(error, || {
        check_abi(abi)?;
        if out.is_null() {
            return Err(Failure::null("out is NULL"));
        }
        // SAFETY: the contract: `length` readable bytes; NULL or a struct of the size it says, whose texts are as long as
        // it says.
        let (disk, wanted) = unsafe { (folder(path, length)?, size::read_in(options)?.wanted()?) };
        quiet::install_panic_hook();
        let (ledger, opened) = Ledger::open(disk.clone(), wanted.sizes, &wanted.origin, Clock::System)?;
        let server = if wanted.driven {
            Server::Host(Mutex::new(Rounds::new(&ledger)))
        } else {
            let keeper = Keeper::start(ledger.clone(), wanted.upkeep.clone());
            Server::Own(keeper.map_err(|error| {
                Failure::new(BTZ_ERR_SYSTEM, format!("no thread for the ledger: {error}"))
            })?)
        };
        let handle = Box::new(btz_ledger {
            magic: AtomicU64::new(ALIVE),
            calls: AtomicU32::new(0),
            faulted: AtomicBool::new(false),
            creator_pid: std::process::id(),
            closed: AtomicBool::new(false),
            disk,
            opened,
            server,
            origin: ledger.verifier().name,
            fd: ledger.fd().as_raw_fd(),
            ledger,
            upkeep: wanted.upkeep,
            attached: Arc::default(),
        });
        // SAFETY: the contract: `out` is writable.
        unsafe { out.write(Box::into_raw(handle)) };
        Ok(())
    })
}

/// Does what is due: makes durable what waits, signs when it is time, removes what is too old, tries a disk again that
/// was full. Only for ledgers that were opened with driven; call it every second or so, and to make records durable.
/// Errors: BTZ_ERR_DISK: what could not be done is done by a later call; BTZ_ERR_BUSY while another thread is in this
/// call; BTZ_ERR_STATE: the ledger has a thread of its own, or was closed.
/// Threads: any, one at a time. Blocking: on the disk. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_maintain(ledger: *mut btz_ledger, error: *mut btz_error) -> btz_status {
    let maintain = |ledger: &btz_ledger| {
        let Server::Host(rounds) = &ledger.server else {
            return Err(Failure::new(BTZ_ERR_STATE, "the ledger has a thread of its own"));
        };
        if ledger.closed.load(Acquire) {
            return Err(closed());
        }
        let Some(mut rounds) = rounds.try_lock() else {
            return Err(Failure::new(BTZ_ERR_BUSY, "another thread is in this call"));
        };
        Ok(rounds.round(&ledger.ledger, &ledger.upkeep)?)
    };
    // SAFETY: the contract.
    unsafe { on(ledger, error, maintain) }
}

/// Ends the run in order, waiting at most timeout_ms (a driven ledger: for as long as the disk takes): what waits and a
/// record of the end become durable and signed, and nothing more is taken. It can still be read and asked; the next run
/// will tell that this one ended in order. A ledger that is closed already: BTZ_OK.
/// Errors: BTZ_ERR_TIMEOUT: the disk holds it up; it was told to, call again. BTZ_ERR_DISK: the run counts as cut off.
/// Threads: any. Blocking: up to timeout_ms. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_close(
    ledger: *mut btz_ledger,
    timeout_ms: u32,
    error: *mut btz_error,
) -> btz_status {
    let close = |ledger: &btz_ledger| {
        match &ledger.server {
            Server::Own(keeper) => {
                keeper.stop(true, Duration::from_millis(timeout_ms.into())).ok_or_else(late)??;
            }
            Server::Host(_) => ledger.ledger.stop()?,
        }
        ledger.closed.store(true, Release);
        Ok(())
    };
    // SAFETY: the contract.
    unsafe { on(ledger, error, close) }
}

/// Frees the ledger, waiting at most BTZ_LEDGER_FREE_TIMEOUT_MS for its thread. One that was not closed counts as cut
/// off, and what was not durable is lost. The handle and its descriptor must not be used afterwards; a second free is
/// undefined, and answered with BTZ_ERR_HANDLE as long as the memory has not been given to somebody else. NULL: nothing,
/// BTZ_OK. Works on a faulted ledger. Errors: nothing was freed, and the handle is still good after BTZ_ERR_BUSY (another
/// thread is in a call on it, or it is attached to an agent), BTZ_ERR_TIMEOUT (the disk holds its thread; call again),
/// BTZ_ERR_REENTRY, and in a child process (BTZ_ERR_FORKED).
/// Threads: any, and no other may use the handle any more. Blocking: up to BTZ_LEDGER_FREE_TIMEOUT_MS. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_free(ledger: *mut btz_ledger) -> btz_status {
    if ledger.is_null() {
        return BTZ_OK;
    }
    entry::plain(std::ptr::null_mut(), || {
        // SAFETY: the contract.
        let handle = unsafe { entry::alive(ledger)? };
        if handle.forked() {
            return Err(Failure::new(BTZ_ERR_FORKED, btz_ledger::WORDS.forked));
        }
        if handle.magic.compare_exchange(ALIVE, FREED, AcqRel, Acquire).is_err() {
            return Err(entry::dead::<btz_ledger>());
        }
        // From here on, calls that begin are refused; one that is inside already keeps the handle alive.
        let freed = handle.let_go();
        if freed.is_err() {
            handle.magic.store(ALIVE, Release);
            return freed;
        }
        // SAFETY: made by `Box::into_raw` in btz_ledger_open(); nobody is inside, and nobody gets in.
        drop(unsafe { Box::from_raw(ledger) });
        Ok(())
    })
}

impl btz_ledger {
    fn let_go(&self) -> Outcome {
        if self.calls.load(Acquire) != 0 {
            return Err(Failure::new(BTZ_ERR_BUSY, "another thread is in a call on this ledger"));
        }
        if self.attached.load(Acquire) != 0 {
            let message = "the ledger is attached to an agent; detach it or free the agent first";
            return Err(Failure::new(BTZ_ERR_BUSY, message));
        }
        if let Server::Own(keeper) = &self.server {
            // How a run ended that nobody closed is told by the next one.
            let _ended = keeper
                .stop(false, Duration::from_millis(BTZ_LEDGER_FREE_TIMEOUT_MS.into()))
                .ok_or_else(late)?;
        }
        Ok(())
    }

    /// What was appended is to become durable.
    pub(super) fn kick(&self) {
        if let Server::Own(keeper) = &self.server {
            keeper.kick();
        }
    }
}

pub(super) fn closed() -> Failure {
    Failure::new(BTZ_ERR_STATE, "the ledger was closed")
}

fn late() -> Failure {
    Failure::new(BTZ_ERR_TIMEOUT, "the disk holds up the ledger's thread; it was told to end, call again")
}
