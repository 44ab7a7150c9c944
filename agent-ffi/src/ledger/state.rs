//! How a ledger is.

use super::handle::btz_ledger;
use crate::entry::{self, on};
use crate::failure::Failure;
use crate::size;
use crate::status::btz_status;
use bartizan_core::ledger::{Health, LastRun};
use std::sync::atomic::Ordering::Acquire;

/// How the disk of a ledger is: records become durable. Since: 0.3
pub const BTZ_DISK_GOOD: u32 = 0;
/// How the disk of a ledger is: full; what was set aside may still take records. Since: 0.3
pub const BTZ_DISK_FULL: u32 = 1;
/// How the disk of a ledger is: mounted anew for reading alone, as the kernel does after errors. Since: 0.3
pub const BTZ_DISK_READ_ONLY: u32 = 2;
/// How the disk of a ledger is: it fails otherwise. Since: 0.3
pub const BTZ_DISK_FAILING: u32 = 3;

/// How the run before ended: there was none. Since: 0.3
pub const BTZ_LAST_RUN_NONE: u32 = 0;
/// How the run before ended: in order. Since: 0.3
pub const BTZ_LAST_RUN_CLEAN: u32 = 1;
/// How the run before ended: by a crash, a kill or a loss of power. Since: 0.3
pub const BTZ_LAST_RUN_CUT: u32 = 2;

/// How a ledger is. Counts begin with the run, numbers of records with the trail. Since: 0.3
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_ledger_status {
    /// sizeof(btz_ledger_status).
    pub struct_size: u32,
    /// BTZ_DISK_*: how the disk is.
    pub disk: u32,
    /// The system's number of its last error; 0 when the disk is good.
    pub disk_error: i32,
    /// The number of this run, from 1.
    pub run: u32,
    /// BTZ_LAST_RUN_*: how the run before ended.
    pub last_run: u32,
    /// 1 when it was closed.
    pub closed: u32,
    /// Bytes that the run before had written and not made durable, and that were cut off.
    pub torn_bytes: u64,
    /// Records that got a number, and
    pub appended: u64,
    /// those that were refused because too much waits for the disk.
    pub refused: u64,
    /// Alerts and findings that left the agent before they were durable, because the disk took too long.
    pub left_early: u64,
    /// The number of the next record.
    pub next: u64,
    /// Every record below this number is durable.
    pub durable: u64,
    /// Attempts to write that failed.
    pub failures: u64,
    /// Bytes that wait for the disk.
    pub queued_bytes: u64,
    /// The number of the first record that is still there.
    pub first: u64,
    /// Bytes of the trail's files.
    pub bytes: u64,
    /// Leaves of the host's log.
    pub tree_size: u64,
    /// Every record below this number is covered by a signed checkpoint of this run.
    pub covered: u64,
    /// Every record below this number is covered by a checkpoint that the witnesses cosigned.
    pub cosigned: u64,
    /// Checkpoints that were signed and written.
    pub checkpoints: u64,
    /// When the last one was, CLOCK_REALTIME nanoseconds since the epoch; 0 is never.
    pub checkpoint_wall_ns: i64,
    /// Records that were removed because they were too old.
    pub pruned: u64,
}

size::sized!(btz_ledger_status = 152);

/// The same as BTZ_LEDGER_STATUS_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
/// Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_status_init(
    state: *mut btz_ledger_status,
    struct_size: u32,
) -> btz_status {
    // SAFETY: the contract: NULL, or `struct_size` writable bytes.
    entry::plain(std::ptr::null_mut(), || unsafe { size::init(state, struct_size) })
}

/// A descriptor that is readable once records have become durable, a checkpoint was made, or the state of the disk has
/// changed, since btz_ledger_state() was called the last time. Poll it (level-triggered); never read, write or close it.
/// Valid until btz_ledger_free(). CLOEXEC. Errors: a negative BTZ_ERR_* in place of the descriptor. Threads: any.
/// Blocking: no. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_fd(ledger: *const btz_ledger) -> i32 {
    let mut fd = -1;
    let choose = |ledger: &btz_ledger| {
        fd = ledger.fd;
        Ok(())
    };
    // SAFETY: the contract.
    let status = unsafe { on(ledger, std::ptr::null_mut(), choose) };
    if status < 0 { status } else { fd }
}

/// How the ledger is; btz_ledger_fd() is not readable any more until something happens. out: set struct_size first.
/// Errors: BTZ_ERR_NULL, BTZ_ERR_SIZE. Threads: any. Blocking: no; no allocation. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_state(
    ledger: *const btz_ledger,
    out: *mut btz_ledger_status,
) -> btz_status {
    let read = |ledger: &btz_ledger| {
        if out.is_null() {
            return Err(Failure::null("out is NULL"));
        }
        // Before it is looked at, so that what happens meanwhile rings again.
        ledger.ledger.hush();
        let status = ledger.ledger.status();
        let (last_run, torn_bytes) = match ledger.opened.last {
            LastRun::None => (BTZ_LAST_RUN_NONE, 0),
            LastRun::Clean => (BTZ_LAST_RUN_CLEAN, 0),
            LastRun::Cut { torn_bytes } => (BTZ_LAST_RUN_CUT, torn_bytes),
        };
        let state = btz_ledger_status {
            struct_size: 0,
            disk: status.health as u32,
            disk_error: status.errno,
            run: ledger.opened.run,
            last_run,
            closed: ledger.closed.load(Acquire).into(),
            torn_bytes,
            appended: status.appended,
            refused: status.refused,
            left_early: status.left_early,
            next: status.next,
            durable: status.durable,
            failures: status.failures,
            queued_bytes: status.queued_bytes as u64,
            first: status.first,
            bytes: status.bytes,
            tree_size: status.tree_size,
            covered: status.signed,
            cosigned: status.cosigned,
            checkpoints: status.checkpoints,
            checkpoint_wall_ns: status.checkpoint_wall_ns,
            pruned: status.pruned,
        };
        // SAFETY: the contract: a struct of the size it says.
        unsafe { size::write_out(out, state) }
    };
    // SAFETY: the contract.
    unsafe { on(ledger, std::ptr::null_mut(), read) }
}

// The numbers of the ABI are those of the core.
const _: () = {
    assert!(BTZ_DISK_GOOD == Health::Good as u32 && BTZ_DISK_FULL == Health::Full as u32);
    assert!(BTZ_DISK_READ_ONLY == Health::ReadOnly as u32 && BTZ_DISK_FAILING == Health::Failing as u32);
};
