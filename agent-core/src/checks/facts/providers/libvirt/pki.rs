//! Keys and certificates that libvirt and its VMMs speak TLS with. Of keys nothing but their permissions is looked at.

use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::parse::files::x509::{Certificate, Key, certificates};

/// Where libvirt and QEMU look (libvirt's TLS pages, qemu.conf).
const FOLDERS: [&str; 11] = [
    "/etc/pki/CA",
    "/etc/pki/CA/private",
    "/etc/pki/libvirt",
    "/etc/pki/libvirt/private",
    "/etc/pki/qemu",
    "/etc/pki/libvirt-vnc",
    "/etc/pki/libvirt-spice",
    "/etc/pki/libvirt-migrate",
    "/etc/pki/libvirt-nbd",
    "/etc/pki/libvirt-chardev",
    "/etc/pki/libvirt-backup",
];
const FILE_BYTES_MAX: usize = 1 << 20;
const SOURCE: &str = "/etc/pki";
const DAY_S: i64 = 86_400;

/// `pki.open-keys`
pub(super) fn open_keys(gather: &Gather, _: &str) -> Found {
    told(
        gather,
        |name| name.ends_with("key.pem"),
        |path, found| {
            let meta = gather.meta(path)?;
            // A group may read a key, since QEMU does so as its own user; nobody else may.
            if meta.permissions() & 0o037 != 0 {
                found.push(format!("{path} ({:04o})", meta.permissions()));
            }
            Ok(())
        },
    )
}

/// `pki.ending:DAYS`
pub(super) fn ending(gather: &Gather, days: &str) -> Found {
    let Ok(days) = days.parse::<i64>() else {
        return Found::unavailable(
            Unavailable::NotExposed("pki.ending: takes a number of days".to_owned()),
            SOURCE,
        );
    };
    let limit_s = (gather.clock().wall_ns() / 1_000_000_000).saturating_add(days.saturating_mul(DAY_S));
    each(gather, |path, one, found| {
        if one.not_after < limit_s {
            let end = u64::try_from(one.not_after).unwrap_or(0);
            let end = std::time::UNIX_EPOCH + std::time::Duration::from_secs(end);
            let end = humantime::format_rfc3339_seconds(end).to_string();
            found.push(format!("{path}: {} until {}", name(one), end.get(..10).unwrap_or_default()));
        }
    })
}

/// `pki.weak`
pub(super) fn weak(gather: &Gather, _: &str) -> Found {
    each(gather, |path, one, found| {
        let key = match one.key {
            Key::Rsa(bits) if bits < 2_048 => Some(format!("RSA, {bits} bits")),
            Key::Dsa(bits) => Some(format!("DSA, {bits} bits")),
            Key::Ec(bits) if bits < 224 => Some(format!("a curve of {bits} bits")),
            _ => None,
        };
        // Nobody relies on a root's own signature.
        let signature =
            (one.signature.is_weak() && !one.self_issued).then(|| "signed with SHA-1 or MD5".to_owned());
        found.extend(key.into_iter().chain(signature).map(|what| format!("{path}: {} ({what})", name(one))));
    })
}

fn name(certificate: &Certificate) -> &str {
    certificate.common_name.as_deref().unwrap_or("(no name)")
}

fn each(gather: &Gather, tell: impl Fn(&str, &Certificate, &mut Vec<String>)) -> Found {
    told(
        gather,
        |name| name.ends_with("cert.pem"),
        |path, found| {
            let all = gather.document(path, FILE_BYTES_MAX, |bytes| {
                let all: Result<Vec<Certificate>, _> = certificates(bytes).collect();
                all.map_err(|error| Unavailable::Malformed(error.to_string()))
            })?;
            if all.is_empty() {
                return Err(Unavailable::Malformed("no certificate in it".to_owned()));
            }
            all.iter().for_each(|one| tell(path, one, found));
            Ok(())
        },
    )
}

/// What is told of every file of a kind; absent where there is none.
fn told(
    gather: &Gather,
    kind: impl Fn(&str) -> bool,
    tell: impl Fn(&str, &mut Vec<String>) -> Result<(), Unavailable>,
) -> Found {
    let (mut found, mut any) = (Vec::new(), false);
    for folder in FOLDERS {
        let names = match gather.list(folder) {
            Ok(names) => names,
            Err(Unavailable::Absent) => continue,
            Err(why) => return Found::unavailable(why, folder),
        };
        for name in names.into_iter().filter(|name| kind(name)) {
            let path = format!("{folder}/{name}");
            any = true;
            if let Err(why) = tell(&path, &mut found) {
                return Found::unavailable(why, path);
            }
        }
    }
    if any {
        Found::value(Value::List(found), SOURCE)
    } else {
        Found::unavailable(Unavailable::Absent, SOURCE)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Tree;
    use super::*;

    /// A root with an elliptic curve until 2036, a host's with RSA of 1,024 bits and SHA-1 until 2056, and a root.
    const BUNDLE: &str = include_str!("../../../../../tests/fixtures/x509/bundle.pem");

    #[test]
    fn certificates_are_told_by_what_is_wrong_with_them() {
        let tree = Tree::new(&[("etc/pki/libvirt/servercert.pem", BUNDLE)]);
        let told = tree.told(weak, "");
        assert_eq!(
            told,
            "/etc/pki/libvirt/servercert.pem: host1.example (RSA, 1024 bits), \
             /etc/pki/libvirt/servercert.pem: host1.example (signed with SHA-1 or MD5)"
        );
        assert_eq!(tree.told(ending, "30"), "none");
        let told = tree.told(ending, "4000");
        assert!(told.contains("Example CA until 2036-11-") && !told.contains("host1"), "{told}");
        tree.add("etc/pki/qemu/server-cert.pem", "nothing of the kind");
        assert_eq!(
            (tree.told(weak, ""), tree.told(ending, "30")),
            ("!malformed".into(), "!malformed".into())
        );
        assert_eq!(Tree::new(&[]).told(weak, ""), "!absent");
    }

    #[test]
    fn a_key_is_for_its_owner_and_group_alone() {
        let tree = Tree::new(&[
            ("etc/pki/libvirt/private/serverkey.pem", "SECRET"),
            ("etc/pki/qemu/server-key.pem", "SECRET"),
        ]);
        tree.chmod("etc/pki/libvirt/private/serverkey.pem", 0o644);
        tree.chmod("etc/pki/qemu/server-key.pem", 0o640);
        assert_eq!(tree.told(open_keys, ""), "/etc/pki/libvirt/private/serverkey.pem (0644)");
        assert_eq!(Tree::new(&[]).told(open_keys, ""), "!absent");
    }
}
