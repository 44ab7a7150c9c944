//! What is signed: checkpoints, proofs, the public key, and what witnesses add to it.

use super::handle::{btz_ledger, closed};
use super::optional;
use crate::entry::on;
use crate::error::btz_error;
use crate::failure::Failure;
use crate::status::{BTZ_ERR_NOT_FOUND, btz_status};
use crate::text;
use bartizan_core::ledger::note::Verifier;
use bartizan_core::ledger::prove::{locate, prove, tenant_id};
use std::ffi::c_char;
use std::sync::atomic::Ordering::Acquire;

/// The public key that signs, "origin+id+base64" (C2SP signed-note): what whoever verifies is given once, by another way
/// than the ledger itself. buffer: capacity bytes, or NULL with capacity 0 to ask how many are needed. needed: receives
/// that number, the NUL included. Errors: BTZ_ERR_BUFFER, BTZ_ERR_NULL. Threads: any. Blocking: while a batch is written.
/// Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_key(
    ledger: *const btz_ledger,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> btz_status {
    let read = |ledger: &btz_ledger| {
        // SAFETY: the contract: `capacity` writable bytes.
        unsafe { text::give(&ledger.ledger.verifier().to_string(), buffer, capacity, needed) }
    };
    // SAFETY: the contract.
    unsafe { on(ledger, std::ptr::null_mut(), read) }
}

/// Makes a checkpoint now: what waits becomes durable, and where all logs stand is signed and written. By itself that is
/// done every checkpoint_interval_ms. Errors: BTZ_ERR_DISK; BTZ_ERR_STATE: it was closed, and is signed to its end.
/// Threads: any. Blocking: on the disk. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_sign(ledger: *mut btz_ledger, error: *mut btz_error) -> btz_status {
    let sign = |ledger: &btz_ledger| {
        if ledger.closed.load(Acquire) {
            return Err(closed());
        }
        Ok(ledger.ledger.checkpoint()?)
    };
    // SAFETY: the contract.
    unsafe { on(ledger, error, sign) }
}

/// Makes another key, which signs from here on; the hand-over, signed by both, is recorded, and verifiers follow it from the
/// key they trust. Then a checkpoint is made. Errors: BTZ_ERR_DISK: it happens once the hand-over is durable, be it by a
/// later attempt; BTZ_ERR_STATE: it was closed. Threads: any. Blocking: on the disk. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_rotate_key(ledger: *mut btz_ledger, error: *mut btz_error) -> btz_status {
    let rotate = |ledger: &btz_ledger| {
        if ledger.closed.load(Acquire) {
            return Err(closed());
        }
        Ok(ledger.ledger.rotate_key()?)
    };
    // SAFETY: the contract.
    unsafe { on(ledger, error, rotate) }
}

/// The last signed checkpoint of a log, as a note (C2SP tlog-checkpoint): keep it elsewhere, and nothing that it covers
/// can be taken back. tenant: UTF-8, tenant_length bytes: whose log; NULL for the host's. buffer: capacity bytes, or NULL
/// with capacity 0 to ask how many are needed. needed: receives that number, the NUL included; it may be another one in
/// the next call. Errors: BTZ_ERR_NOT_FOUND: nothing of this log is signed yet. BTZ_ERR_BUFFER, BTZ_ERR_NULL, BTZ_ERR_DISK,
/// BTZ_ERR_DAMAGED. Threads: any. Blocking: on the files. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_checkpoint(
    ledger: *const btz_ledger,
    tenant: *const c_char,
    tenant_length: usize,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
    error: *mut btz_error,
) -> btz_status {
    let read = |ledger: &btz_ledger| {
        // SAFETY: the contract: `tenant_length` readable bytes.
        let tenant = unsafe { optional(tenant, tenant_length)? }.unwrap_or("");
        let unsigned = || Failure::new(BTZ_ERR_NOT_FOUND, "nothing of this log is signed yet");
        let id = if tenant.is_empty() {
            None
        } else {
            Some(tenant_id(ledger.disk.clone(), tenant)?.ok_or_else(unsigned)?)
        };
        let proofs = prove(ledger.disk.clone(), &ledger.origin, id.as_ref())?.ok_or_else(unsigned)?;
        // SAFETY: the contract: `capacity` writable bytes.
        unsafe { text::give(proofs.note(), buffer, capacity, needed) }
    };
    // SAFETY: the contract.
    unsafe { on(ledger, error, read) }
}

/// The proof that a record is in its log as it was recorded: one text with the log's signed checkpoint (C2SP tlog-proof).
/// sequence: the record's number. buffer: capacity bytes, or NULL with capacity 0 to ask how many are needed. needed:
/// receives that number, the NUL included; it may be another one in the next call, when a checkpoint was made meanwhile.
/// Errors: BTZ_ERR_NOT_FOUND: there is no such record, or it is not signed yet: see btz_ledger_sign(). BTZ_ERR_BUFFER,
/// BTZ_ERR_NULL, BTZ_ERR_DISK, BTZ_ERR_DAMAGED. Threads: any. Blocking: on the files. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_prove(
    ledger: *const btz_ledger,
    sequence: u64,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
    error: *mut btz_error,
) -> btz_status {
    let read = |ledger: &btz_ledger| {
        let leaf = locate(ledger.disk.clone(), sequence)?
            .ok_or_else(|| Failure::new(BTZ_ERR_NOT_FOUND, "no record has that number, or no longer"))?;
        let proofs = prove(ledger.disk.clone(), &ledger.origin, leaf.id.as_ref())?;
        let proof = proofs.and_then(|proofs| proofs.text(leaf.index));
        let proof = proof.ok_or_else(|| Failure::new(BTZ_ERR_NOT_FOUND, "the record is not signed yet"))?;
        // SAFETY: the contract: `capacity` writable bytes.
        unsafe { text::give(&proof, buffer, capacity, needed) }
    };
    // SAFETY: the contract.
    unsafe { on(ledger, error, read) }
}

/// Takes a checkpoint of the host's log back from the witnesses that the options named, all of which must have cosigned
/// it (C2SP cosignature/v1). It is kept, and what it covers may be removed when it is old. note: the checkpoint as
/// btz_ledger_checkpoint() gave it, with the witnesses' lines; length bytes, no NUL needed. Errors: BTZ_ERR_ARGUMENT: it
/// is not one of the last checkpoints of this run, a witness did not cosign it, or none was named. BTZ_ERR_DISK.
/// Threads: any. Blocking: on the disk. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_cosigned(
    ledger: *mut btz_ledger,
    note: *const c_char,
    length: usize,
    error: *mut btz_error,
) -> btz_status {
    let take = |ledger: &btz_ledger| {
        // SAFETY: the contract: `length` readable bytes.
        let note = unsafe { text::given(note, length)? };
        let witnesses: &[Verifier] = &ledger.upkeep.witnesses;
        Ok(ledger.ledger.cosigned(note.as_bytes(), witnesses)?)
    };
    // SAFETY: the contract.
    unsafe { on(ledger, error, take) }
}
