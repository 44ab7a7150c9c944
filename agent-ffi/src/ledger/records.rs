//! Reading the trail, batch by batch.

use super::folder;
use crate::entry::{self, caught, finish, not_in_log_hook};
use crate::error::btz_error;
use crate::failure::{Failure, Outcome};
use crate::size::{self, Rows};
use crate::status::{BTZ_ERR_BUFFER, BTZ_ERR_HANDLE, BTZ_ERR_INTERNAL, BTZ_OK, btz_status};
use crate::text;
use crate::version::check_abi;
use bartizan_core::ledger::{Cursor, Record, TENANT_BYTES_MAX};
use std::ffi::c_char;

/// In the first word of every live cursor: "btz-curs".
const ALIVE: u64 = u64::from_be_bytes(*b"btz-curs");

/// One record. Since: 0.3
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_record {
    /// sizeof(btz_record), set by the library.
    pub struct_size: u32,
    /// BTZ_RECORD_*, or a kind of the host's.
    pub kind: u32,
    /// Its number in the trail, from 0, without gaps.
    pub sequence: u64,
    /// CLOCK_REALTIME nanoseconds since the epoch; may jump.
    pub wall_ns: i64,
    /// CLOCK_MONOTONIC nanoseconds; grows strictly within a run.
    pub mono_ns: u64,
    /// Which run appended it, from 1.
    pub run: u32,
    /// 0.
    pub reserved: u32,
    /// Where its payload begins in the buffer that was given for payloads.
    pub payload_offset: u64,
    /// Its length in bytes.
    pub payload_length: u64,
    /// Whose it is; empty for the host's own. UTF-8, NUL-terminated.
    pub tenant: [c_char; 256],
}

size::sized!(btz_record = 312);

const _: () = assert!(TENANT_BYTES_MAX < 256);

/// A place in a trail. Made by btz_ledger_cursor_new(), ended by btz_ledger_cursor_free(). Belongs to one thread at a
/// time. Since: 0.3
pub struct btz_ledger_cursor {
    magic: u64,
    cursor: Cursor,
}

impl btz_ledger_cursor {
    unsafe fn alive_mut<'a>(cursor: *mut Self) -> Result<&'a mut Self, Failure> {
        if cursor.is_null() {
            return Err(Failure::null("the cursor is NULL"));
        }
        let dead = || Failure::new(BTZ_ERR_HANDLE, "this is not a cursor, or it was freed");
        if !cursor.is_aligned() {
            return Err(dead());
        }
        // SAFETY: the contract: a handle between its making and its end, used by one thread at a time.
        let cursor = unsafe { &mut *cursor };
        if cursor.magic == ALIVE { Ok(cursor) } else { Err(dead()) }
    }
}

/// A cursor before the record of a number, in the ledger of a folder, which may be one that is being written, by this
/// process or another, or a copy: only its files are read. Where older records were removed, the first that is there comes
/// first. abi: BTZ_ABI_VERSION. folder: UTF-8, length in bytes, no NUL needed, not kept. out: receives the cursor, which
/// the caller owns; written only on success. Errors: BTZ_ERR_ABI, BTZ_ERR_NULL, BTZ_ERR_ARGUMENT.
/// Threads: any. Blocking: no. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_cursor_new(
    abi: u32,
    path: *const c_char,
    length: usize,
    from: u64,
    out: *mut *mut btz_ledger_cursor,
    error: *mut btz_error,
) -> btz_status {
    entry::plain(error, || {
        check_abi(abi)?;
        if out.is_null() {
            return Err(Failure::null("out is NULL"));
        }
        // SAFETY: the contract: `length` readable bytes.
        let disk = unsafe { folder(path, length)? };
        crate::quiet::install_panic_hook();
        let cursor = Box::new(btz_ledger_cursor { magic: ALIVE, cursor: Cursor::new(disk, from) });
        // SAFETY: the contract: `out` is writable.
        unsafe { out.write(Box::into_raw(cursor)) };
        Ok(())
    })
}

/// Copies out the next records, at most capacity and as many as the payloads of which fit, and goes behind them. 0 is no
/// error: there are none yet, and a later call may find some. A number that does not follow on the one before: records in
/// between were removed for their age. out: capacity elements, each stride bytes after the one before; stride:
/// sizeof(btz_record). payloads: payloads_capacity bytes, into which the payloads are copied one behind the other; with
/// BTZ_PAYLOAD_BYTES_MAX any record fits. count: receives how many records were written. needed: receives how many bytes
/// the next record's payload needs when it was left out for want of them, else 0; may be NULL.
/// Errors: BTZ_ERR_BUFFER: not even the first payload fits. BTZ_ERR_DAMAGED: the next record, with its place in the
/// error's text; those before it were handed out. BTZ_ERR_DISK, BTZ_ERR_NULL, BTZ_ERR_SIZE, BTZ_ERR_HANDLE.
/// Threads: one at a time. Blocking: on the files. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_cursor_next(
    cursor: *mut btz_ledger_cursor,
    out: *mut btz_record,
    stride: usize,
    capacity: usize,
    payloads: *mut u8,
    payloads_capacity: usize,
    count: *mut usize,
    needed: *mut usize,
    error: *mut btz_error,
) -> btz_status {
    let read = || {
        // SAFETY: the contract.
        let cursor = unsafe { btz_ledger_cursor::alive_mut(cursor)? };
        if count.is_null() {
            return Err(Failure::null("count is NULL"));
        }
        if payloads.is_null() && payloads_capacity != 0 {
            return Err(Failure::null("payloads is NULL, but its capacity is not 0"));
        }
        // SAFETY: the contract: `capacity` elements of `stride` bytes.
        let mut rows = unsafe { Rows::new(out, stride, capacity)? };
        let mut bytes = Bytes { start: payloads, capacity: payloads_capacity, used: 0, lacking: 0 };
        let mut outcome = Ok(());
        while rows.has_room() {
            let taken = cursor.cursor.next(|record| {
                // SAFETY: the contract: `payloads_capacity` writable bytes.
                let offset = unsafe { bytes.take(record.payload) }?;
                rows.push(view(record, offset));
                Some(())
            });
            match taken {
                Ok(Some(())) => {}
                Ok(None) => break,
                Err(error) => {
                    // What was read before it is handed out; the next call meets it again.
                    if rows.written() == 0 {
                        outcome = Err(error.into());
                    }
                    break;
                }
            }
        }
        // SAFETY: the contract: writable.
        unsafe { count.write(rows.written()) };
        if !needed.is_null() {
            // SAFETY: the contract: writable.
            unsafe { needed.write(bytes.lacking) };
        }
        if bytes.lacking > 0 && rows.written() == 0 {
            return Err(Failure::new(
                BTZ_ERR_BUFFER,
                "the buffer for payloads is too small; *needed says how large it must be",
            ));
        }
        outcome
    };
    own(error, read)
}

/// A call on a cursor, which one thread uses at a time: one that panics in it is not used again by a correct program, and
/// what it holds is only read.
fn own(error: *mut btz_error, run: impl FnOnce() -> Outcome) -> btz_status {
    finish(error, || {
        not_in_log_hook()?;
        caught(run).unwrap_or_else(|()| {
            Err(Failure::new(BTZ_ERR_INTERNAL, "the library failed in this call; please report it"))
        })
    })
}

/// Frees a cursor. NULL: nothing, BTZ_OK. Errors: BTZ_ERR_HANDLE. Threads: one at a time. Blocking: no. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_cursor_free(cursor: *mut btz_ledger_cursor) -> btz_status {
    if cursor.is_null() {
        return BTZ_OK;
    }
    own(std::ptr::null_mut(), || {
        // SAFETY: the contract.
        unsafe { btz_ledger_cursor::alive_mut(cursor)? }.magic = 0;
        // SAFETY: made by `Box::into_raw` in btz_ledger_cursor_new(), and used by nobody any more.
        drop(unsafe { Box::from_raw(cursor) });
        Ok(())
    })
}

/// The caller's buffer for payloads.
struct Bytes {
    start: *mut u8,
    capacity: usize,
    used: usize,
    lacking: usize,
}

impl Bytes {
    unsafe fn take(&mut self, payload: &[u8]) -> Option<u64> {
        if payload.len() > self.capacity - self.used {
            self.lacking = payload.len();
            return None;
        }
        let offset = self.used;
        if !payload.is_empty() {
            // SAFETY: the caller's contract: `capacity` writable bytes, of which as many are left as just seen.
            unsafe { std::ptr::copy_nonoverlapping(payload.as_ptr(), self.start.add(offset), payload.len()) };
        }
        self.used += payload.len();
        Some(offset as u64)
    }
}

fn view(record: &Record, offset: u64) -> btz_record {
    btz_record {
        struct_size: 0,
        kind: record.kind.0.into(),
        sequence: record.sequence,
        wall_ns: record.wall_ns,
        mono_ns: record.mono_ns,
        run: record.run,
        reserved: 0,
        payload_offset: offset,
        payload_length: record.payload.len() as u64,
        tenant: text::array(record.tenant),
    }
}
