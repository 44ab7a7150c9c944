//! The host's kernel and processor: what several settings come to together.

mod dumps;
mod speculation;

use super::Reason;
use crate::checks::case::Case;
use crate::checks::declared::Truth;
use crate::checks::fact::{Unavailable, Value};

/// Reasonings of this module.
pub(super) const TABLE: &[(&str, Reason)] = &[
    ("guest-vectors-mitigated", speculation::guest_now),
    ("guest-vectors-mitigated-next", speculation::guest_next),
    ("user-vectors-mitigated", speculation::user_now),
    ("user-vectors-mitigated-next", speculation::user_next),
    ("no-other-vulnerability", speculation::others),
    ("siblings-not-exposed", speculation::siblings),
    ("every-vm-has-its-cores", speculation::every_vm_has_its_cores),
    ("core-dumps-keep-guest-memory-in", dumps::now),
    ("core-dumps-keep-guest-memory-in-next", dumps::next),
    ("guest-memory-fits", memory_fits),
];

/// What VMs were promised is there: their memory together is no more than the host has.
fn memory_fits(case: &Case<'_>) -> Result<Truth, Truth> {
    const TOTAL: &str = "meminfo:MemTotal";
    const PROMISED: &str = "vm.asked:memory-bytes";
    let total = number(TOTAL, &case.value(TOTAL)?)?;
    let mut promised: i64 = 0;
    for (vm, fact) in case.each_other(PROMISED) {
        match &fact.value {
            Ok(value) => promised = promised.saturating_add(number(PROMISED, value)?),
            Err(why) => return Err(Truth::Unknown(format!("{PROMISED} of {vm}"), why.clone())),
        }
    }
    let percent = promised.saturating_mul(100) / total.max(1);
    Ok(Truth::of(promised <= total, || {
        format!("VMs were promised {} MiB, {percent} % of the host's {} MiB", promised >> 20, total >> 20)
    }))
}

fn number(key: &str, value: &Value) -> Result<i64, Truth> {
    let malformed =
        || Truth::Unknown(key.to_owned(), Unavailable::Malformed(format!("\"{value}\" is no number")));
    value.int().ok_or_else(malformed)
}
