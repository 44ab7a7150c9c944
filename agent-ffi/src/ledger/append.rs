//! Recording the host's own events.

use super::handle::{Server, btz_ledger};
use super::optional;
use crate::entry::on;
use crate::error::btz_error;
use crate::failure::Failure;
use crate::status::{BTZ_ERR_TIMEOUT, btz_status};
use bartizan_core::ledger::Kind;
use std::ffi::c_char;
use std::time::Duration;

/// Kind of a record: a run began. Since: 0.3
pub const BTZ_RECORD_START: u32 = 1;
/// Kind of a record: a run ended in order. Since: 0.3
pub const BTZ_RECORD_STOP: u32 = 2;
/// Kind of a record: an alert, as a JSON object. Since: 0.3
pub const BTZ_RECORD_ALERT: u32 = 3;
/// Kind of a record: a finding of a check changed, as a JSON object. Since: 0.3
pub const BTZ_RECORD_FINDING: u32 = 4;
/// Kind of a record: an incident changed its state. Since: 0.3
pub const BTZ_RECORD_INCIDENT: u32 = 5;
/// Kind of a record: a decision between proposals. Since: 0.3
pub const BTZ_RECORD_DECISION: u32 = 6;
/// Kind of a record: an action, before it is taken, and how it ended. Since: 0.3
pub const BTZ_RECORD_ACTION: u32 = 7;
/// Kind of a record: the configuration changed. Since: 0.3
pub const BTZ_RECORD_CONFIG: u32 = 8;
/// Kind of a record: a notice to a customer or a partner. Since: 0.3
pub const BTZ_RECORD_NOTICE: u32 = 9;
/// Kind of a record: records were refused. Since: 0.3
pub const BTZ_RECORD_LOSS: u32 = 10;
/// Kind of a record: the state of the disk changed. Since: 0.3
pub const BTZ_RECORD_DISK: u32 = 11;
/// Kind of a record: where every tenant's log stands. Since: 0.3
pub const BTZ_RECORD_HEADS: u32 = 12;
/// Kind of a record: another key signs from here on. Since: 0.3
pub const BTZ_RECORD_HAND_OVER: u32 = 13;
/// Kind of a record: old records were removed. Since: 0.3
pub const BTZ_RECORD_PRUNED: u32 = 14;
/// Kind of a record: a tenant's log begins. Since: 0.3
pub const BTZ_RECORD_LOG: u32 = 15;
/// Kind of a record: a damaged trail was set aside, and this one begins behind it. Since: 0.3
pub const BTZ_RECORD_SET_ASIDE: u32 = 16;
/// The least kind that belongs to the host: it may append those from here to BTZ_RECORD_HOST_MAX. Since: 0.3
pub const BTZ_RECORD_HOST: u32 = 0x8000;
/// The last kind that belongs to the host. Since: 0.3
pub const BTZ_RECORD_HOST_MAX: u32 = 0xffff;

/// The longest payload of a record, in bytes. Since: 0.3
pub const BTZ_PAYLOAD_BYTES_MAX: u32 = 61440;

/// Records an event of the host's. It has its number at once, and is durable a moment later: see btz_ledger_wait(),
/// btz_ledger_fd() and btz_ledger_status.durable. kind: BTZ_RECORD_HOST to BTZ_RECORD_HOST_MAX; what they mean is up to the
/// host. tenant: UTF-8, tenant_length bytes, at most 255: whose event it is; NULL for the host's own. payload: any bytes,
/// at most BTZ_PAYLOAD_BYTES_MAX; NULL only with length 0. sequence: receives the record's number; may be NULL.
/// Errors: BTZ_ERR_FULL: too much waits for the disk; the record was refused, which is counted, and recorded once the
/// disk is back. BTZ_ERR_STATE: the ledger was closed. BTZ_ERR_ARGUMENT, BTZ_ERR_NULL.
/// Threads: any. Blocking: not on the disk, unless a checkpoint is being made: then up to 250 ms. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_append(
    ledger: *mut btz_ledger,
    kind: u32,
    tenant: *const c_char,
    tenant_length: usize,
    payload: *const u8,
    payload_length: usize,
    sequence: *mut u64,
    error: *mut btz_error,
) -> btz_status {
    let append = |ledger: &btz_ledger| {
        let kind = u16::try_from(kind).ok().map(Kind).filter(|kind| *kind >= Kind::HOST_FIRST);
        let kind = kind.ok_or_else(|| {
            Failure::argument("kind is not the host's: use BTZ_RECORD_HOST to BTZ_RECORD_HOST_MAX")
        })?;
        // SAFETY: the contract: `tenant_length` readable bytes.
        let tenant = unsafe { optional(tenant, tenant_length)? }.unwrap_or("");
        if payload.is_null() && payload_length != 0 {
            return Err(Failure::null("the payload is NULL, but its length is not 0"));
        }
        if payload_length > BTZ_PAYLOAD_BYTES_MAX as usize {
            return Err(Failure::argument("the payload is longer than BTZ_PAYLOAD_BYTES_MAX"));
        }
        let payload: &[u8] = if payload.is_null() {
            &[]
        } else {
            // SAFETY: the contract: `payload_length` readable bytes.
            unsafe { std::slice::from_raw_parts(payload, payload_length) }
        };
        let ticket = ledger.ledger.append(kind, tenant, payload)?;
        ledger.kick();
        if !sequence.is_null() {
            // SAFETY: the contract: writable.
            unsafe { sequence.write(ticket.sequence()) };
        }
        Ok(())
    };
    // SAFETY: the contract.
    unsafe { on(ledger, error, append) }
}

/// Waits until the record of that number, and with it all before it, would survive a loss of power. A driven ledger makes
/// it durable here, on this thread, for as long as the disk takes.
/// Errors: BTZ_ERR_TIMEOUT: not yet. BTZ_ERR_DISK: the disk has refused it; it stays queued, and becomes durable by a
/// later attempt. BTZ_ERR_ARGUMENT: no record has that number yet.
/// Threads: any. Blocking: up to timeout_ms. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_wait(
    ledger: *mut btz_ledger,
    sequence: u64,
    timeout_ms: u32,
    error: *mut btz_error,
) -> btz_status {
    let wait = |ledger: &btz_ledger| {
        let status = ledger.ledger.status();
        if sequence >= status.next {
            return Err(Failure::argument("no record has that number yet"));
        }
        if sequence < status.durable {
            return Ok(());
        }
        match &ledger.server {
            Server::Own(keeper) => {
                if keeper.wait(sequence, Duration::from_millis(timeout_ms.into()))? {
                    return Ok(());
                }
                Err(Failure::new(BTZ_ERR_TIMEOUT, "the record is not durable yet"))
            }
            Server::Host(_) => Ok(ledger.ledger.flush()?),
        }
    };
    // SAFETY: the contract.
    unsafe { on(ledger, error, wait) }
}

// The numbers of the ABI are those of the core.
const _: () = {
    assert!(BTZ_RECORD_START == Kind::START.0 as u32 && BTZ_RECORD_STOP == Kind::STOP.0 as u32);
    assert!(BTZ_RECORD_ALERT == Kind::ALERT.0 as u32 && BTZ_RECORD_FINDING == Kind::FINDING.0 as u32);
    assert!(BTZ_RECORD_INCIDENT == Kind::INCIDENT.0 as u32 && BTZ_RECORD_DECISION == Kind::DECISION.0 as u32);
    assert!(BTZ_RECORD_ACTION == Kind::ACTION.0 as u32 && BTZ_RECORD_CONFIG == Kind::CONFIG.0 as u32);
    assert!(BTZ_RECORD_NOTICE == Kind::NOTICE.0 as u32 && BTZ_RECORD_LOSS == Kind::LOSS.0 as u32);
    assert!(BTZ_RECORD_DISK == Kind::DISK.0 as u32 && BTZ_RECORD_HEADS == Kind::HEADS.0 as u32);
    assert!(BTZ_RECORD_HAND_OVER == Kind::HAND_OVER.0 as u32 && BTZ_RECORD_PRUNED == Kind::PRUNED.0 as u32);
    assert!(BTZ_RECORD_LOG == Kind::LOG.0 as u32 && BTZ_RECORD_SET_ASIDE == Kind::SET_ASIDE.0 as u32);
    assert!(BTZ_RECORD_HOST == Kind::HOST_FIRST.0 as u32);
    assert!(BTZ_PAYLOAD_BYTES_MAX as usize == bartizan_core::ledger::PAYLOAD_BYTES_MAX);
};
