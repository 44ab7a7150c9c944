//! Words for the numbers of the ABI. Static texts: nothing is ever freed.

use crate::status::{self, btz_status};
use bartizan_core::alerts::Severity;
use bartizan_core::checks::{self, ChangeKind, Verdict};
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::discovery::VmmKind;
use bartizan_core::sampling::metrics::{Scope, Source};
use std::ffi::c_char;

/// Room for the longest word and its NUL.
const WIDTH: usize = 24;

/// A word with a NUL behind it.
const fn padded(word: &str) -> [u8; WIDTH] {
    let mut out = [0; WIDTH];
    let bytes = word.as_bytes();
    assert!(bytes.len() < WIDTH, "make WIDTH larger");
    let mut at = 0;
    while at < bytes.len() {
        out[at] = bytes[at];
        at += 1;
    }
    out
}

/// A table of words, in the order of an enum's numbers.
macro_rules! words {
    ($all:expr, $count:expr, $name:path) => {{
        const WORDS: [[u8; WIDTH]; $count] = {
            let mut words = [[0; WIDTH]; $count];
            let mut at = 0;
            while at < $count {
                words[at] = padded($name($all[at]));
                at += 1;
            }
            words
        };
        &WORDS
    }};
}

static SCOPES: &[[u8; WIDTH]] = words!(Scope::ALL, 10, Scope::name);
static AVAILABILITIES: &[[u8; WIDTH]] = words!(Availability::ALL, 7, Availability::name);
static SOURCES: &[[u8; WIDTH]] = words!(Source::ALL, Source::COUNT, Source::name);
const SEVERITY_ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];
static SEVERITIES: &[[u8; WIDTH]] = words!(SEVERITY_ALL, 3, Severity::name);
const VMM_ALL: [VmmKind; 5] =
    [VmmKind::Other, VmmKind::Qemu, VmmKind::Firecracker, VmmKind::CloudHypervisor, VmmKind::Crosvm];
static VMMS: &[[u8; WIDTH]] = words!(VMM_ALL, 5, VmmKind::name);

static VERDICTS: &[[u8; WIDTH]] = words!(Verdict::ALL, 5, Verdict::name);
static CHECK_SEVERITIES: &[[u8; WIDTH]] = words!(checks::Severity::ALL, 5, checks::Severity::name);
const CHECK_SCOPE_ALL: [checks::Scope; 3] = [checks::Scope::Host, checks::Scope::Vm, checks::Scope::Vms];
static CHECK_SCOPES: &[[u8; WIDTH]] = words!(CHECK_SCOPE_ALL, 3, checks::Scope::name);
const CHANGE_ALL: [ChangeKind; 5] =
    [ChangeKind::New, ChangeKind::Verdict, ChangeKind::Value, ChangeKind::Waiver, ChangeKind::Gone];
static CHANGES: &[[u8; WIDTH]] = words!(CHANGE_ALL, 5, ChangeKind::name);

/// The word of a number, or "unknown".
fn word(words: &'static [[u8; WIDTH]], number: u32, first: u32) -> *const c_char {
    let place = number.checked_sub(first).and_then(|place| usize::try_from(place).ok());
    let found = place.and_then(|place| words.get(place));
    found.map_or(c"unknown".as_ptr(), |word| word.as_ptr().cast())
}

/// The name of a status, such as "BTZ_ERR_BUSY"; "unknown" for what is none. Static text: never freed. Never fails.
/// Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn btz_status_name(status: btz_status) -> *const c_char {
    let found = status::NAMES.iter().find(|(number, _)| *number == status);
    found.map_or(c"unknown".as_ptr(), |(_, name)| name.as_ptr())
}

/// The word for a BTZ_SCOPE_*, such as "vcpu"; "unknown" for what is none. Static text. Never fails. Threads: any.
/// Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn btz_scope_name(scope: u32) -> *const c_char {
    word(SCOPES, scope, 1)
}

/// The word for a BTZ_AVAILABILITY_*, such as "denied"; "unknown" for what is none. Static text. Never fails.
/// Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn btz_availability_name(availability: u32) -> *const c_char {
    word(AVAILABILITIES, availability, 0)
}

/// The word for a BTZ_SOURCE_*, such as "cgroup-cpu"; "unknown" for what is none. Static text. Never fails.
/// Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn btz_source_name(source: u32) -> *const c_char {
    word(SOURCES, source, 0)
}

/// The word for a BTZ_SEVERITY_*, such as "critical"; "unknown" for what is none. Static text. Never fails.
/// Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn btz_severity_name(severity: u32) -> *const c_char {
    word(SEVERITIES, severity, 1)
}

/// The word for a BTZ_VMM_*, such as "qemu"; "unknown" for what is none. Static text. Never fails. Threads: any.
/// Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn btz_vmm_name(vmm: u32) -> *const c_char {
    word(VMMS, vmm, 0)
}

/// The word for a BTZ_VERDICT_*, such as "not-applicable"; "unknown" for what is none. Static text. Never fails.
/// Threads: any. Blocking: no. Since: 0.2
#[unsafe(no_mangle)]
pub extern "C" fn btz_verdict_name(verdict: u32) -> *const c_char {
    word(VERDICTS, verdict, 1)
}

/// The word for a BTZ_CHECK_SEVERITY_*, such as "high"; "unknown" for what is none. Static text. Never fails.
/// Threads: any. Blocking: no. Since: 0.2
#[unsafe(no_mangle)]
pub extern "C" fn btz_check_severity_name(severity: u32) -> *const c_char {
    word(CHECK_SEVERITIES, severity, 1)
}

/// The word for a BTZ_CHECK_SCOPE_*, such as "vms"; "unknown" for what is none. Static text. Never fails.
/// Threads: any. Blocking: no. Since: 0.2
#[unsafe(no_mangle)]
pub extern "C" fn btz_check_scope_name(scope: u32) -> *const c_char {
    word(CHECK_SCOPES, scope, 1)
}

/// The word for a BTZ_CHANGE_*, such as "verdict"; "unknown" for what is none. Static text. Never fails.
/// Threads: any. Blocking: no. Since: 0.2
#[unsafe(no_mangle)]
pub extern "C" fn btz_change_name(change: u32) -> *const c_char {
    word(CHANGES, change, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn text(pointer: *const c_char) -> &'static str {
        // SAFETY: the functions return static, NUL-terminated texts.
        unsafe { CStr::from_ptr(pointer) }.to_str().expect("UTF-8")
    }

    #[test]
    fn every_number_has_its_word_and_no_other_number_has_one() {
        for scope in Scope::ALL {
            assert_eq!(text(btz_scope_name(scope as u32)), scope.name());
        }
        for availability in Availability::ALL {
            assert_eq!(text(btz_availability_name(availability as u32)), availability.name());
        }
        for source in Source::ALL {
            assert_eq!(text(btz_source_name(source as u32)), source.name());
        }
        for severity in SEVERITY_ALL {
            assert_eq!(text(btz_severity_name(severity as u32)), severity.name());
        }
        for vmm in VMM_ALL {
            assert_eq!(text(btz_vmm_name(vmm as u32)), vmm.name());
        }
        for verdict in Verdict::ALL {
            assert_eq!(text(btz_verdict_name(verdict as u32)), verdict.name());
        }
        for severity in checks::Severity::ALL {
            assert_eq!(text(btz_check_severity_name(severity as u32)), severity.name());
        }
        for scope in CHECK_SCOPE_ALL {
            assert_eq!(text(btz_check_scope_name(scope as u32)), scope.name());
        }
        for change in CHANGE_ALL {
            assert_eq!(text(btz_change_name(change as u32)), change.name());
        }
        assert_eq!(text(btz_status_name(-7)), "BTZ_ERR_FORKED");
        for wrong in [
            btz_status_name(1),
            btz_scope_name(0),
            btz_scope_name(11),
            btz_availability_name(7),
            btz_source_name(u32::MAX),
            btz_severity_name(0),
            btz_vmm_name(5),
            btz_verdict_name(0),
            btz_check_severity_name(6),
            btz_check_scope_name(0),
            btz_change_name(6),
        ] {
            assert_eq!(text(wrong), "unknown");
        }
    }
}
