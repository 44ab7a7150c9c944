//! Debian's packages: `/var/lib/dpkg/status`, apt's `Packages` indices, and which of two versions is newer.
//! (deb-control(5), deb-version(7), dpkg-query(1).)

use super::Malformed;
use std::cmp::Ordering;

/// A package, as one stanza says. Texts are parts of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Package<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its architecture; empty when it is not said.
    pub architecture: &'a str,
    /// Its version; `None` for one that was purged.
    pub version: Option<&'a str>,
    /// The three words of `Status:`; `None` in an index.
    pub status: Option<&'a str>,
    /// The source package that it was built from, which is what advisories are about.
    pub source: &'a str,
    /// The source package's version: its own, unless that was said to be another.
    pub source_version: Option<&'a str>,
}

impl Package<'_> {
    /// Whether its files are there. A package that was removed leaves its configuration and its stanza.
    #[must_use]
    pub fn is_present(&self) -> bool {
        let state = self.status.and_then(|status| status.split_ascii_whitespace().nth(2));
        !matches!(state, None | Some("not-installed" | "config-files"))
    }
}

/// The packages of a `status` file or a `Packages` index, a stanza each.
///
/// # Errors
/// Each stanza of its own: when it has no name, or what is looked at is no UTF-8.
pub fn packages(bytes: &[u8]) -> impl Iterator<Item = Result<Package<'_>, Malformed>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let mut stanza = None;
        while at < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
            let (line, offset) = (&bytes[at..end], at);
            at = end + 1;
            if line.iter().all(u8::is_ascii_whitespace) {
                if stanza.is_some() {
                    break;
                }
                continue;
            }
            let stanza = stanza.get_or_insert(Ok((offset, Package::default())));
            if let Ok((_, package)) = stanza
                && let Err(what) = take(package, line)
            {
                *stanza = Err(Malformed { offset, what });
            }
        }
        Some(stanza?.and_then(|(offset, package)| finish(package, offset)))
    })
}

fn take<'a>(package: &mut Package<'a>, line: &'a [u8]) -> Result<(), &'static str> {
    // A line that begins with a space goes on with the one before.
    if matches!(line.first(), Some(b' ' | b'\t' | b'#')) {
        return Ok(());
    }
    let Some(colon) = memchr::memchr(b':', line) else { return Err("a field without a colon") };
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    let text = |what| std::str::from_utf8(value).map_err(|_| what);
    match name.to_ascii_lowercase().as_slice() {
        b"package" => package.name = text("Package")?,
        b"architecture" => package.architecture = text("Architecture")?,
        b"version" => package.version = Some(text("Version")?),
        b"status" => package.status = Some(text("Status")?),
        b"source" => {
            // `name (version)`.
            let text = text("Source")?;
            let (name, version) = text.split_once('(').unwrap_or((text, ""));
            package.source = name.trim();
            package.source_version = version.strip_suffix(')').map(str::trim);
        }
        _ => {}
    }
    Ok(())
}

fn finish(mut package: Package, offset: usize) -> Result<Package, Malformed> {
    if package.name.is_empty() {
        return Err(Malformed { offset, what: "a stanza without Package" });
    }
    if package.source.is_empty() {
        package.source = package.name;
    }
    package.source_version = package.source_version.or(package.version);
    Ok(package)
}

/// Which of two versions is newer. Anything is a version here; what is none compares in some order that is the same
/// each time.
#[must_use]
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    let (epoch_a, upstream_a, revision_a) = parts(a);
    let (epoch_b, upstream_b, revision_b) = parts(b);
    compare_part(epoch_a, epoch_b)
        .then_with(|| compare_part(upstream_a, upstream_b))
        .then_with(|| compare_part(revision_a, revision_b))
}

/// `epoch:upstream-revision`. No epoch is 0, and so is no revision.
fn parts(version: &str) -> (&[u8], &[u8], &[u8]) {
    let version = version.trim();
    let (epoch, rest) = version.split_once(':').unwrap_or(("", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch.as_bytes(), upstream.as_bytes(), revision.as_bytes())
}

/// Letters before everything else but the end, a tilde before even that; numbers by their value.
fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    let rank = |byte: Option<&u8>| match byte {
        Some(b'~') => -1,
        None | Some(b'0'..=b'9') => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
        Some(other) => i32::from(*other) + 256,
    };
    let is_text = |part: &[u8]| part.first().is_some_and(|byte| !byte.is_ascii_digit());
    while !a.is_empty() || !b.is_empty() {
        while is_text(a) || is_text(b) {
            let order = rank(a.first()).cmp(&rank(b.first()));
            if order != Ordering::Equal {
                return order;
            }
            // Equal ranks are equal bytes: neither is at its end.
            (a, b) = (a.get(1..).unwrap_or_default(), b.get(1..).unwrap_or_default());
        }
        let (number_a, rest_a) = number(a);
        let (number_b, rest_b) = number(b);
        let order = number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    Ordering::Equal
}

/// The digits in front, without zeros before them, and what follows.
fn number(part: &[u8]) -> (&[u8], &[u8]) {
    let end = part.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(part.len());
    let (digits, rest) = part.split_at(end);
    let begin = digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len());
    (&digits[begin..], rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATUS: &[u8] = b"Package: qemu-system-x86\nStatus: install ok installed\nPriority: optional\n\
        Architecture: amd64\nSource: qemu\nVersion: 1:7.2+dfsg-7+deb12u7\nDescription: QEMU\n Package: forged\n .\n more\n\n\
        Package: libzstd1\nStatus: install ok installed\nArchitecture: amd64\nSource: libzstd (1.5.4-1)\n\
        Version: 1.5.4+dfsg2-5\n\n\n\
        Package: old\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n\n\
        Package: purged\nStatus: purge ok not-installed\n";

    #[test]
    fn a_status_file() {
        let found: Vec<_> = packages(STATUS).collect::<Result<_, _>>().expect("packages");
        let qemu = Package {
            name: "qemu-system-x86",
            architecture: "amd64",
            version: Some("1:7.2+dfsg-7+deb12u7"),
            status: Some("install ok installed"),
            source: "qemu",
            source_version: Some("1:7.2+dfsg-7+deb12u7"),
        };
        assert_eq!(found[0], qemu);
        assert_eq!((found[1].source, found[1].source_version), ("libzstd", Some("1.5.4-1")));
        let present: Vec<_> = found.iter().map(Package::is_present).collect();
        assert_eq!(present, [true, true, false, false]);
        assert_eq!((found[3].version, found[3].source), (None, "purged"));
    }

    #[test]
    fn a_wrong_stanza_is_its_own_error_only() {
        let found: Vec<_> =
            packages(b"Version: 1\n\nPackage: a\nwhat\n\nPackage: \xff\n\nPackage: b\n").collect();
        assert_eq!(found[0], Err(Malformed { offset: 0, what: "a stanza without Package" }));
        assert_eq!(found[1], Err(Malformed { offset: 23, what: "a field without a colon" }));
        assert_eq!(found[2].expect_err("no UTF-8").what, "Package");
        assert_eq!(found[3].map(|package| package.name), Ok("b"));
        assert_eq!(packages(b"\n \n").count(), 0);
    }

    #[test]
    fn versions_in_their_order() {
        let ordered = [
            "0~~",
            "0~~a",
            "0~",
            "0",
            "0a",
            "0.1~rc1-1",
            "0.1-1~bpo1",
            "0.1-1",
            "0.1-1+b1",
            "0.1-1.1",
            "0.1-2",
            "0.9",
            "0.10",
            "1.0a",
            "1.0+dfsg",
            "1.0-1-1",
            "1.0.0",
            "1:0~1",
            "1:0.1",
            "2:0",
            "10:0",
        ];
        for (index, a) in ordered.iter().enumerate() {
            for (other, b) in ordered.iter().enumerate() {
                assert_eq!(compare_versions(a, b), index.cmp(&other), "{a} and {b}");
            }
        }
        for (a, b) in [("0:1", "1"), ("1-0", "1"), ("1.00", "1.0"), ("1:01", "01:1"), (" 1 ", "1")] {
            assert_eq!(compare_versions(a, b), Ordering::Equal, "{a} and {b}");
        }
        let long = "9".repeat(50);
        assert_eq!(compare_versions(&long, &format!("1{long}")), Ordering::Less, "no overflow");
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(packages(&bytes).count() <= bytes.len());
            packages(&[b"Package: a\nSource: ", &bytes[..]].concat()).for_each(drop);
        }

        #[test]
        fn the_order_is_one(a in "[0-9a-z~+:.\\-]{0,8}", b in "[0-9a-z~+:.\\-]{0,8}", c in "[0-9a~.\\-]{0,6}") {
            prop_assert_eq!(compare_versions(&a, &b), compare_versions(&b, &a).reverse());
            if compare_versions(&a, &b).is_le() && compare_versions(&b, &c).is_le() {
                prop_assert!(compare_versions(&a, &c).is_le());
            }
        }
    }
}
