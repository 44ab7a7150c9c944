//! The SSH server's host keys, by their public halves (RFC 4253, 6.6).

use super::super::kernel::expand;
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;

const PATTERN: &str = "/etc/ssh/ssh_host_*_key.pub";
const RSA_BITS_MIN: usize = 3_072;

/// `sshd.weak-host-keys`
pub(super) fn weak(gather: &Gather, _: &str) -> Found {
    let paths = match expand(gather, PATTERN) {
        Ok(paths) if paths.is_empty() => return Found::unavailable(Unavailable::Absent, PATTERN),
        Ok(paths) => paths,
        Err(why) => return Found::unavailable(why, PATTERN),
    };
    let mut found = Vec::new();
    for (_, path) in paths {
        let text = match gather.text(&path) {
            Ok(text) => text,
            Err(why) => return Found::unavailable(why, path),
        };
        match strength(&text) {
            Some(("ssh-rsa", bits)) if bits < RSA_BITS_MIN => {
                found.push(format!("{path} (RSA, {bits} bits)"));
            }
            Some(("ssh-dss", _)) => found.push(format!("{path} (DSA)")),
            Some(_) => {}
            None => {
                let why = "no public key of OpenSSH's form".to_owned();
                return Found::unavailable(Unavailable::Malformed(why), path);
            }
        }
    }
    Found::value(Value::List(found), PATTERN)
}

/// A public key's kind and, of an RSA key, the bits of its modulus.
fn strength(text: &str) -> Option<(&str, usize)> {
    let mut words = text.split_ascii_whitespace();
    let kind = words.next()?;
    let blob = base64(words.next()?)?;
    let mut rest = blob.as_slice();
    let inner = field(&mut rest)?;
    if inner != kind.as_bytes() {
        return None;
    }
    if kind != "ssh-rsa" {
        return Some((kind, 0));
    }
    let _exponent = field(&mut rest)?;
    let modulus = field(&mut rest)?;
    let first = modulus.iter().position(|byte| *byte != 0)?;
    let leading = modulus.get(first)?.leading_zeros() as usize;
    Some((kind, (modulus.len() - first) * 8 - leading))
}

/// Takes one string: its length in four bytes, and its bytes.
fn field<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (field, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(field)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut pending, mut bits) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        pending = (pending << 6 | u32::from(digit)) & 0x3fff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(pending >> bits & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    fn key(kind: &str, modulus_bits: usize) -> String {
        let mut blob = Vec::new();
        let mut push = |bytes: &[u8]| {
            blob.extend(u32::try_from(bytes.len()).expect("short").to_be_bytes());
            blob.extend(bytes);
        };
        push(kind.as_bytes());
        push(&[1, 0, 1]);
        // A leading zero, since the number would be negative without.
        push(&[&[0][..], &vec![0xff; modulus_bits / 8]].concat());
        let mut text = String::new();
        for chunk in blob.chunks(3) {
            let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
                << (8 * (3 - chunk.len()));
            for place in 0..=chunk.len() {
                text.push(char::from(DIGITS[(word >> (18 - 6 * place)) as usize & 63]));
            }
        }
        format!("{kind} {text} root@host\n")
    }

    #[test]
    fn bits_are_counted() {
        assert_eq!(strength(&key("ssh-rsa", 2048)), Some(("ssh-rsa", 2048)));
        assert_eq!(strength(&key("ssh-rsa", 3072)), Some(("ssh-rsa", 3072)));
        assert_eq!(strength("ssh-rsa AAAA"), None);
        assert_eq!(
            strength(&key("ssh-ed25519", 256).replace("ssh-ed25519 ", "ssh-rsa ")),
            None,
            "says two kinds"
        );
    }

    #[test]
    fn weak_keys_are_told_and_broken_ones_leave_it_open() {
        let tree = Tree::new(&[
            ("etc/ssh/ssh_host_rsa_key.pub", &key("ssh-rsa", 2048)),
            ("etc/ssh/ssh_host_ed25519_key.pub", &key("ssh-ed25519", 256)),
        ]);
        assert_eq!(tree.told(weak, ""), "/etc/ssh/ssh_host_rsa_key.pub (RSA, 2048 bits)");
        tree.add("etc/ssh/ssh_host_rsa_key.pub", key("ssh-rsa", 4096));
        assert_eq!(tree.told(weak, ""), "none");
        tree.add("etc/ssh/ssh_host_rsa_key.pub", "garbage");
        assert_eq!(tree.told(weak, ""), "!malformed");
        assert_eq!(Tree::new(&[("etc/ssh/x", "")]).told(weak, ""), "!absent");
    }
}
