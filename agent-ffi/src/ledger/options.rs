//! How a ledger is opened.

use super::optional;
use crate::entry;
use crate::failure::Failure;
use crate::options::{BTZ_ON, BTZ_ZERO};
use crate::size;
use crate::status::btz_status;
use bartizan_core::ledger::note::Verifier;
use bartizan_core::ledger::{Keep, Sizes, Upkeep};
use std::ffi::c_char;
use std::time::Duration;

/// How a ledger is opened. In every number 0 means the default. Texts are UTF-8, given by pointer and length in bytes;
/// none is kept. Since: 0.3
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_ledger_options {
    /// sizeof(btz_ledger_options).
    pub struct_size: u32,
    /// 0: the ledger has a thread of its own, which blocks all signals. BTZ_ON: it has none, and the host calls
    /// btz_ledger_maintain().
    pub driven: u32,
    /// What names the ledger for good, such as "bartizan/host-17.example": one line without spaces or +, at most 200
    /// bytes. Required.
    pub origin: *const c_char,
    /// Its length.
    pub origin_length: usize,
    /// Public keys of witnesses, "name+id+base64", one a line; NULL is none. Where there are any, only records are removed
    /// that all of them have cosigned: see btz_ledger_cosigned().
    pub witnesses: *const c_char,
    /// Its length.
    pub witnesses_length: usize,
    /// The oldest records go while all of them take more bytes; 0 keeps them.
    pub bytes_max: u64,
    /// Records that are older go, in seconds; 0 keeps them.
    pub age_s_max: u64,
    /// Everything is signed this often, also when nothing happens, in milliseconds: 100 to 86,400,000; default 60,000.
    pub checkpoint_interval_ms: u32,
    /// The length of the trail's files: 4,096 to 134,217,728; default 4 MiB.
    pub segment_bytes: u32,
    /// So much may wait for the disk, and what comes on top is refused: 65,536 to 67,108,864; default 1 MiB.
    pub queue_bytes: u32,
    /// Set aside on the disk, and given back when it is full so that this can be recorded: at most 67,108,864; default 256
    /// KiB; BTZ_ZERO is none.
    pub reserve_bytes: u32,
}

size::sized!(btz_ledger_options = 72);

/// The same as BTZ_LEDGER_OPTIONS_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
/// Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_ledger_options_init(
    options: *mut btz_ledger_options,
    struct_size: u32,
) -> btz_status {
    // SAFETY: the contract: NULL, or `struct_size` writable bytes.
    entry::plain(std::ptr::null_mut(), || unsafe { size::init(options, struct_size) })
}

/// What the options ask for.
pub(super) struct Wanted {
    pub(super) origin: String,
    pub(super) driven: bool,
    pub(super) sizes: Sizes,
    pub(super) upkeep: Upkeep,
}

impl btz_ledger_options {
    pub(super) unsafe fn wanted(&self) -> Result<Wanted, Failure> {
        // SAFETY: the caller's contract is this function's.
        let (origin, witnesses) = unsafe {
            (optional(self.origin, self.origin_length)?, optional(self.witnesses, self.witnesses_length)?)
        };
        let origin = origin.ok_or_else(|| Failure::null("origin is NULL: it names the ledger for good"))?;
        let driven = match self.driven {
            0 => false,
            BTZ_ON => true,
            other => return Err(Failure::argument(format!("driven is {other}; use 0 or BTZ_ON"))),
        };
        let lines = witnesses.unwrap_or("").lines().map(str::trim).filter(|line| !line.is_empty());
        let witnesses = lines.map(witness).collect::<Result<Vec<_>, _>>()?;
        let limit = |value: u64, unit: u64| if value == 0 { u64::MAX } else { value.saturating_mul(unit) };
        let keep = Keep {
            bytes: limit(self.bytes_max, 1),
            age_ns: limit(self.age_s_max, 1_000_000_000),
            cosigned_only: !witnesses.is_empty(),
        };
        let interval_ms =
            number("checkpoint_interval_ms", self.checkpoint_interval_ms, 60_000, 100, 86_400_000)?;
        let segment_bytes = number("segment_bytes", self.segment_bytes, 4 << 20, 4_096, 128 << 20)?;
        let queue_bytes = number("queue_bytes", self.queue_bytes, 1 << 20, 65_536, 64 << 20)?;
        let reserve_bytes = match self.reserve_bytes {
            BTZ_ZERO => 0,
            bytes => number("reserve_bytes", bytes, 256 << 10, 0, 64 << 20)?,
        };
        Ok(Wanted {
            origin: origin.to_owned(),
            driven,
            sizes: Sizes {
                segment_bytes: segment_bytes.into(),
                queue_bytes: queue_bytes as usize,
                reserve_bytes: reserve_bytes.into(),
                ..Sizes::default()
            },
            upkeep: Upkeep {
                checkpoint_every: Duration::from_millis(interval_ms.into()),
                keep: (self.bytes_max > 0 || self.age_s_max > 0).then_some(keep),
                witnesses,
            },
        })
    }
}

fn witness(line: &str) -> Result<Verifier, Failure> {
    Verifier::parse(line).filter(|key| key.is_witness).ok_or_else(|| {
        Failure::argument(format!("witnesses has {line:?}, which is not the public key of a witness"))
    })
}

fn number(name: &str, given: u32, default: u32, min: u32, max: u32) -> Result<u32, Failure> {
    match given {
        0 => Ok(default),
        given if given < min || given > max => {
            Err(Failure::argument(format!("{name} is {given}; allowed are {min} to {max}")))
        }
        given => Ok(given),
    }
}
