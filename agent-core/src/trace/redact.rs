//! Takes secrets out of command lines before they are recorded.

use crate::checks::parse::vmm::redact;

/// A command line as `/proc/PID/cmdline` has it, its arguments ended by zeros, without what looks like a secret. What
/// is no UTF-8 is replaced.
pub(super) fn command_line(bytes: &[u8]) -> Vec<u8> {
    let arguments = bytes.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
    redact(&arguments.collect::<Vec<_>>()).join("\0").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets_go_and_the_ends_of_arguments_stay() {
        let line = b"qemu\0-object\0secret,id=a,data=hun,,ter2\0--token\0hunter2\0-m\x001\0";
        let shown = b"qemu\0-object\0secret,id=a,data=REDACTED\0--token\0REDACTED\0-m\x001\0";
        assert_eq!(command_line(line), shown);
        assert_eq!(command_line(b""), b"");
    }

    proptest! {
        #[test]
        fn noise_never_panics_and_keeps_its_arguments(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let zeros = |bytes: &[u8]| memchr::memchr_iter(0, bytes).count();
            prop_assert_eq!(zeros(&command_line(&bytes)), zeros(&bytes));
        }
    }
}
