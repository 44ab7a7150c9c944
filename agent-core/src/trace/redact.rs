//! Takes secrets out of command lines before they are recorded.

/// What stands for a secret.
const REDACTED: &[u8] = b"REDACTED";

/// Words that announce a secret, as a key (`password=...`) or as an option (`--token ...`).
const SECRETS: [&str; 9] =
    ["password", "passwd", "passphrase", "secret", "token", "apikey", "api-key", "credential", "private-key"];

/// A command line as `/proc/PID/cmdline` has it, its arguments ended by zeros, without what looks like a secret.
pub(super) fn command_line(bytes: &[u8]) -> Vec<u8> {
    let mut redacted = Vec::with_capacity(bytes.len());
    let mut value_follows = false;
    let mut arguments = bytes.split(|byte| *byte == 0).peekable();
    while let Some(argument) = arguments.next() {
        if std::mem::take(&mut value_follows) && !argument.starts_with(b"-") {
            redacted.extend_from_slice(REDACTED);
        } else {
            redacted.extend_from_slice(&self::argument(argument));
            value_follows = argument.starts_with(b"-") && !argument.contains(&b'=') && is_secret(argument);
        }
        if arguments.peek().is_some() {
            redacted.push(0);
        }
    }
    redacted
}

/// One argument: a list of `key=value` in QEMU's manner, or a text that may hold a URL with a password.
fn argument(bytes: &[u8]) -> Vec<u8> {
    // `-object secret,id=a,data=...`: the value's own key does not look like one.
    let holds_secret = bytes.starts_with(b"secret,") || find(bytes, b"qom-type\":\"secret").is_some();
    let mut redacted = Vec::with_capacity(bytes.len());
    for (index, part) in bytes.split(|byte| *byte == b',').enumerate() {
        if index > 0 {
            redacted.push(b',');
        }
        match part.iter().position(|byte| matches!(byte, b'=' | b':')) {
            Some(end)
                if is_secret(&part[..end]) || (holds_secret && find(&part[..end], b"data").is_some()) =>
            {
                redacted.extend_from_slice(&part[..=end]);
                redacted.extend_from_slice(REDACTED);
            }
            _ => redacted.extend_from_slice(&url(part)),
        }
    }
    redacted
}

/// `scheme://user:password@host` without the password.
fn url(bytes: &[u8]) -> Vec<u8> {
    let Some(begin) = find(bytes, b"://").map(|at| at + 3) else { return bytes.to_vec() };
    let rest = &bytes[begin..];
    let authority = &rest[..rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len())];
    let Some(end) = authority.iter().rposition(|byte| *byte == b'@') else { return bytes.to_vec() };
    let Some(colon) = authority[..end].iter().position(|byte| *byte == b':') else { return bytes.to_vec() };
    [&bytes[..=begin + colon], REDACTED, &rest[end..]].concat()
}

fn is_secret(key: &[u8]) -> bool {
    let key = String::from_utf8_lossy(key).to_ascii_lowercase();
    // A file that holds the secret may be named, and `secret` alone is the kind of an object.
    let names_a_file = key.ends_with("file") || key.ends_with("-id") || key.ends_with("path");
    !names_a_file && SECRETS.iter().any(|word| key.contains(word))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redacted(arguments: &[&str]) -> Vec<String> {
        let line = arguments.iter().fold(String::new(), |line, argument| line + argument + "\0");
        let line = String::from_utf8(command_line(line.as_bytes())).unwrap();
        line.strip_suffix('\0').unwrap().split('\0').map(str::to_owned).collect()
    }

    #[test]
    fn secrets_go_and_everything_else_stays() {
        for (argument, wanted) in [
            ("secret,id=sec0,data=hunter2,format=raw", "secret,id=sec0,data=REDACTED,format=raw"),
            ("secret,id=sec0,file=/etc/key", "secret,id=sec0,file=/etc/key"),
            ("user=x,password=hunter2,port=1", "user=x,password=REDACTED,port=1"),
            ("--api-token=hunter2", "--api-token=REDACTED"),
            ("file=rbd:pool/image,password-secret=sec0", "file=rbd:pool/image,password-secret=REDACTED"),
            ("https://me:hunter2@host/path", "https://me:REDACTED@host/path"),
            ("https://host/path", "https://host/path"),
            ("guest=web,debug-threads=on", "guest=web,debug-threads=on"),
            (
                "{\"qom-type\":\"secret\",\"id\":\"a\",\"data\":\"hunter2\"}",
                "{\"qom-type\":\"secret\",\"id\":\"a\",\"data\":REDACTED",
            ),
            ("--token-file=/run/token", "--token-file=/run/token"),
        ] {
            assert_eq!(redacted(&[argument]), [wanted]);
        }
        assert_eq!(
            redacted(&["vmm", "--token", "hunter2", "-m", "1"]),
            ["vmm", "--token", "REDACTED", "-m", "1"]
        );
        assert_eq!(redacted(&["vmm", "--token", "-m", "1"]), ["vmm", "--token", "-m", "1"]);
    }

    proptest! {
        #[test]
        fn noise_never_panics_and_keeps_its_arguments(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let zeros = |bytes: &[u8]| memchr::memchr_iter(0, bytes).count();
            prop_assert_eq!(zeros(&command_line(&bytes)), zeros(&bytes));
        }
    }
}
