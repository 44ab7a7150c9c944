//! Is a ledger as it was recorded?

use super::{folder, optional};
use crate::entry;
use crate::error::btz_error;
use crate::failure::Failure;
use crate::size;
use crate::status::{BTZ_ERR_DISK, BTZ_ERR_NOT_FOUND, btz_status};
use crate::text;
use crate::version::check_abi;
use bartizan_core::ledger::LedgerError;
use bartizan_core::ledger::note::Verifier;
use bartizan_core::ledger::verify::{Report, Trust, VerifyError, verify};
use std::ffi::c_char;

/// A ledger is verified: every record is as it was signed, by the key that is trusted. Since: 0.3
pub const BTZ_VERIFIED_PROVEN: u32 = 0;
/// A ledger is verified: something was changed, or is missing. Since: 0.3
pub const BTZ_VERIFIED_CHANGED: u32 = 1;
/// A ledger is verified: all fits together, but not all is proven. Since: 0.3
pub const BTZ_VERIFIED_UNPROVEN: u32 = 2;

/// What a verifier has to say of a ledger. Texts are UTF-8, NUL-terminated, cut to fit. Since: 0.3
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_ledger_report {
    /// sizeof(btz_ledger_report).
    pub struct_size: u32,
    /// BTZ_VERIFIED_*: the exit code of "bartizan verify".
    pub outcome: u32,
    /// The number of the first record that is there.
    pub first: u64,
    /// The number of the record after the last.
    pub next: u64,
    /// Records at the end that no checkpoint covers yet: they could still be changed unnoticed.
    pub unsigned_records: u64,
    /// Bytes at the end that are no whole record: a run was cut off, and no later one has opened the ledger.
    pub torn_bytes: u64,
    /// Logs: the host's, and one for each tenant.
    pub logs: u64,
    /// Leaves of the log that was asked for: the tenant's, or the host's.
    pub leaves: u64,
    /// How many of these are signed.
    pub signed_leaves: u64,
    /// The number of the first bad record; UINT64_MAX where none can be named.
    pub bad_sequence: u64,
    /// Where that is in its file, in bytes.
    pub bad_offset: u64,
    /// The ledger's origin.
    pub origin: [c_char; 208],
    /// The public key that signs now, "origin+id+base64".
    pub key: [c_char; 288],
    /// The file that is not as it was, below the ledger's folder; empty when there is none.
    pub bad_path: [c_char; 128],
    /// What is wrong with it, or what could not be proven; empty when all is proven.
    pub what: [c_char; 512],
}

size::sized!(btz_ledger_report = 1216);

/// The same as BTZ_LEDGER_REPORT_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
/// Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_report_init(
    report: *mut btz_ledger_report,
    struct_size: u32,
) -> btz_status {
    // SAFETY: the contract: NULL, or `struct_size` writable bytes.
    entry::plain(std::ptr::null_mut(), || unsafe { size::init(report, struct_size) })
}

/// Verifies the ledger in a folder by its files and a public key alone, as "bartizan verify" does. BTZ_OK says that it
/// could be verified; what came out is in the report. abi: BTZ_ABI_VERSION. folder: UTF-8, length in bytes. key:
/// key_length bytes, as btz_ledger_key() gives it; NULL: the key in the files is believed, and the outcome is
/// BTZ_VERIFIED_UNPROVEN at best. tenant: tenant_length bytes: whose log the report counts; all are verified; NULL for the
/// host's. checkpoint: checkpoint_length bytes of a signed checkpoint that was kept elsewhere: the ledger must go on from
/// it; may be NULL. report: set struct_size first.
/// Errors: BTZ_ERR_NOT_FOUND: the folder cannot be read. BTZ_ERR_ARGUMENT: the key is none, or the ledger has no record of
/// that tenant. BTZ_ERR_DISK: reading failed. BTZ_ERR_ABI, BTZ_ERR_SIZE, BTZ_ERR_NULL.
/// Threads: any. Blocking: on the files, all of which are read. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_verify(
    abi: u32,
    path: *const c_char,
    length: usize,
    key: *const c_char,
    key_length: usize,
    tenant: *const c_char,
    tenant_length: usize,
    checkpoint: *const c_char,
    checkpoint_length: usize,
    report: *mut btz_ledger_report,
    error: *mut btz_error,
) -> btz_status {
    entry::plain(error, || {
        check_abi(abi)?;
        if report.is_null() {
            return Err(Failure::null("report is NULL"));
        }
        // SAFETY: the contract: each text is NULL or has as many readable bytes as its length says.
        let (disk, named, key, tenant, checkpoint) = unsafe {
            (
                folder(path, length)?,
                text::given(path, length)?,
                optional(key, key_length)?,
                optional(tenant, tenant_length)?.unwrap_or(""),
                optional(checkpoint, checkpoint_length)?,
            )
        };
        crate::quiet::install_panic_hook();
        let key = key.map(read_key).transpose()?;
        if let Err(error) = std::fs::read_dir(named) {
            return Err(Failure::new(BTZ_ERR_NOT_FOUND, format!("{named}: {error}")));
        }
        let trust = Trust {
            key: key.as_ref().map(|key| key.key),
            origin: key.map(|key| key.name),
            checkpoint: checkpoint.map(|text| text.as_bytes().to_vec()),
        };
        let told = match verify(disk, &trust) {
            Ok(report) => told(&report, tenant, trust.key.is_some())?,
            Err(VerifyError::Bad(finding)) => btz_ledger_report {
                outcome: BTZ_VERIFIED_CHANGED,
                bad_sequence: finding.sequence.unwrap_or(u64::MAX),
                bad_offset: finding.offset,
                bad_path: text::array(&finding.path),
                what: text::array(&finding.what),
                ..size::Sized32::empty()
            },
            Err(VerifyError::Unreadable(error)) => return Err(unreadable(&error)),
        };
        // SAFETY: the contract: a struct of the size it says.
        unsafe { size::write_out(report, told) }
    })
}

fn told(report: &Report, tenant: &str, is_key_trusted: bool) -> Result<btz_ledger_report, Failure> {
    let log = report.logs.iter().find(|log| log.tenant == tenant);
    let log =
        log.ok_or_else(|| Failure::argument(format!("the ledger has no record of tenant {tenant:?}")))?;
    let open = report.open_ends(is_key_trusted);
    Ok(btz_ledger_report {
        struct_size: 0,
        outcome: if open.is_empty() { BTZ_VERIFIED_PROVEN } else { BTZ_VERIFIED_UNPROVEN },
        first: report.first,
        next: report.next,
        unsigned_records: report.unsigned(),
        torn_bytes: report.torn_bytes,
        logs: report.logs.len() as u64,
        leaves: log.size,
        signed_leaves: log.signed,
        bad_sequence: u64::MAX,
        bad_offset: 0,
        origin: text::array(&report.origin),
        key: text::array(&Verifier::log(&report.origin, report.key).to_string()),
        bad_path: [0; 128],
        what: text::array(&open.join("; ")),
    })
}

fn read_key(text: &str) -> Result<Verifier, Failure> {
    Verifier::parse(text)
        .filter(|key| !key.is_witness)
        .ok_or_else(|| Failure::argument("the key is not origin+id+base64"))
}

fn unreadable(error: &LedgerError) -> Failure {
    Failure::new(BTZ_ERR_DISK, error.to_string())
}
