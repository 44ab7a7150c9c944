//! What the firmware promised: Secure Boot's variables, the TPM's registers, IMA.

use super::super::kernel::{believed, securityfs};
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;

/// The EFI specification's own variables.
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
const EFIVARS: &str = "/sys/firmware/efi/efivars";

pub(super) fn firmware(gather: &Gather, _: &str) -> Found {
    const PATH: &str = "/sys/firmware/efi";
    match gather.meta(PATH).map_err(|why| believed(gather, why, PATH)) {
        Ok(_) => Found::value("uefi", PATH),
        Err(Unavailable::Absent) => Found::value("other", PATH),
        Err(why) => Found::unavailable(why, PATH),
    }
}

pub(super) fn efi_variable(gather: &Gather, name: &str) -> Found {
    let path = format!("{EFIVARS}/{name}-{GLOBAL}");
    // Four bytes of attributes, then the value.
    match gather.read(&path, 64) {
        Ok(content) => match content.bytes.as_slice() {
            [_, _, _, _, value] => Found::value(i64::from(*value), path),
            other => {
                let why = format!("{} bytes, not 5", other.len());
                Found::unavailable(Unavailable::Malformed(why), path)
            }
        },
        Err(Unavailable::Absent) if !gather.host().list(EFIVARS).is_ok_and(|names| !names.is_empty()) => {
            let why = format!("{EFIVARS} is empty; mount -t efivarfs efivarfs {EFIVARS}");
            Found::unavailable(Unavailable::NotExposed(why), path)
        }
        Err(why) => Found::unavailable(why, path),
    }
}

pub(super) fn pcr(gather: &Gather, number: &str) -> Found {
    let path = format!("/sys/class/tpm/tpm0/pcr-sha256/{number}");
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Found::unavailable(Unavailable::Malformed(format!("\"{number}\" is no register")), path);
    }
    let digest = gather.text(&path).map_err(|why| believed(gather, why, &path));
    Found::either(digest.map(|text| text.trim().to_ascii_lowercase()), path)
}

pub(super) fn event_log(gather: &Gather, _: &str) -> Found {
    const PATH: &str = "/sys/kernel/security/tpm0/binary_bios_measurements";
    // Its length is not told, and all of it is not needed.
    let anything = match gather.read(PATH, 0) {
        Ok(_) => Ok(false),
        Err(Unavailable::TooMuch(_)) => Ok(true),
        Err(why) => Err(securityfs(gather, why)),
    };
    Found::either(anything, PATH)
}

pub(super) fn ima_measures(gather: &Gather, _: &str) -> Found {
    const PATH: &str = "/sys/kernel/security/ima/runtime_measurements_count";
    let text = match gather.text(PATH) {
        Ok(text) => text,
        Err(why) => return Found::unavailable(securityfs(gather, why), PATH),
    };
    match text.trim().parse::<u64>() {
        // The first is the boot's aggregate. How many there are grows, and is not part of the value.
        Ok(count) => Found::value(count > 1, PATH).with_raw(&text),
        Err(_) => Found::unavailable(Unavailable::Malformed("no number".to_owned()), PATH),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::kernel::tests::host;
    use super::*;
    use crate::checks::fact::Value;

    #[test]
    fn a_variable_is_its_fifth_byte() {
        let path = format!("{EFIVARS}/SecureBoot-{GLOBAL}");
        let (_folder, gather) = host(&[(&path, "\u{6}\0\0\0\u{1}")]);
        assert_eq!(efi_variable(&gather, "SecureBoot").value, Ok(Value::Int(1)));
        assert_eq!(firmware(&gather, "").value, Ok(Value::from("uefi")));
        assert_eq!(efi_variable(&gather, "SetupMode").value, Err(Unavailable::Absent));
        let (_folder, short) = host(&[(&path, "\u{6}\0\0\0")]);
        assert!(matches!(efi_variable(&short, "SecureBoot").value, Err(Unavailable::Malformed(_))));
        let (_folder, unmounted) = host(&[("/sys/firmware/efi/fw_platform_size", "64\n")]);
        assert!(matches!(efi_variable(&unmounted, "SecureBoot").value, Err(Unavailable::NotExposed(_))));
        let (_folder, legacy) = host(&[("/sys/firmware/acpi/x", "")]);
        assert_eq!(firmware(&legacy, "").value, Ok(Value::from("other")));
        let (_folder, bare) = host(&[("/etc/x", "")]);
        assert!(matches!(firmware(&bare, "").value, Err(Unavailable::NotExposed(_))));
    }

    #[test]
    fn logs_are_not_read_whole() {
        let log = "/sys/kernel/security/tpm0/binary_bios_measurements";
        let (_folder, gather) = host(&[(log, "anything")]);
        assert_eq!(event_log(&gather, "").value, Ok(Value::from("yes")));
        let (_folder, gather) = host(&[(log, "")]);
        assert_eq!(event_log(&gather, "").value, Ok(Value::from("no")));
        let (_folder, gather) = host(&[("/sys/kernel/security/lsm", "yama")]);
        assert_eq!(event_log(&gather, "").value, Err(Unavailable::Absent));
        let (_folder, gather) = host(&[("/sys/kernel/mm/x", "")]);
        assert!(matches!(event_log(&gather, "").value, Err(Unavailable::NotExposed(_))), "not mounted");
    }

    #[test]
    fn ima_s_count_is_no_value() {
        let path = "/sys/kernel/security/ima/runtime_measurements_count";
        let (_folder, gather) = host(&[(path, "2714\n")]);
        assert_eq!(ima_measures(&gather, "").value, Ok(Value::from("yes")));
        let (_folder, gather) = host(&[(path, "1\n")]);
        assert_eq!(ima_measures(&gather, "").value, Ok(Value::from("no")));
    }

    #[test]
    fn registers_are_lower_case() {
        let (_folder, gather) = host(&[("/sys/class/tpm/tpm0/pcr-sha256/7", "AB12\n")]);
        assert_eq!(pcr(&gather, "7").value, Ok(Value::from("ab12")));
        assert!(matches!(pcr(&gather, "../7").value, Err(Unavailable::Malformed(_))));
        assert_eq!(pcr(&gather, "0").value, Err(Unavailable::Absent));
    }
}
