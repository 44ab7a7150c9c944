//! Until when the system's release gets security updates without a contract.

use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::os_release::OsRelease;

const PATHS: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];

/// When the table below was made; releases that came later are not in it.
const TABLE_OF: &str = "2026-11-26";
/// The last day, by `ID` and `VERSION_ID` (or its first number). Debian's with its LTS team; Ubuntu's standard support.
const TABLE: &[(&str, &str, &str)] = &[
    ("debian", "10", "2024-06-30"),
    ("debian", "11", "2026-08-31"),
    ("debian", "12", "2028-06-30"),
    ("debian", "13", "2030-06-30"),
    ("ubuntu", "18.04", "2023-05-31"),
    ("ubuntu", "20.04", "2025-05-29"),
    ("ubuntu", "22.04", "2027-06-01"),
    ("ubuntu", "24.04", "2029-05-31"),
    ("ubuntu", "24.10", "2025-07-10"),
    ("ubuntu", "25.04", "2026-01-15"),
    ("ubuntu", "25.10", "2026-07-09"),
    ("ubuntu", "26.04", "2031-05-29"),
    ("ubuntu", "26.10", "2027-07-15"),
    ("rhel", "7", "2024-06-30"),
    ("rhel", "8", "2029-05-31"),
    ("rhel", "9", "2032-05-31"),
    ("rhel", "10", "2035-05-31"),
    ("centos", "7", "2024-06-30"),
    ("centos", "8", "2024-05-31"),
    ("centos", "9", "2027-05-31"),
    ("rocky", "8", "2029-05-31"),
    ("rocky", "9", "2032-05-31"),
    ("almalinux", "8", "2029-05-31"),
    ("almalinux", "9", "2032-05-31"),
];

/// `os.support-end`
pub(super) fn end(gather: &Gather, _: &str) -> Found {
    match found(gather) {
        Ok((day, source)) => Found::value(day, source),
        Err((why, source)) => Found::unavailable(why, source),
    }
}

/// `os.supported`
pub(super) fn supported(gather: &Gather, _: &str) -> Found {
    let (day, source) = match found(gather) {
        Ok(found) => found,
        Err((why, source)) => return Found::unavailable(why, source),
    };
    let last = humantime::parse_rfc3339(&format!("{day}T23:59:59Z"));
    let last = last.ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    match last.and_then(|last| i64::try_from(last.as_secs()).ok()) {
        Some(last_s) => Found::value(gather.clock().wall_ns() / 1_000_000_000 <= last_s, source)
            .with_raw(&format!("until {day}")),
        None => Found::unavailable(Unavailable::Malformed(format!("{day:?} is no day")), source),
    }
}

/// The last day, and who says so.
fn found(gather: &Gather) -> Result<(String, String), (Unavailable, String)> {
    let mut last = (Unavailable::Absent, PATHS[0].to_owned());
    for path in PATHS {
        match gather.text(path) {
            Ok(text) => return of(&OsRelease::parse(&text), path),
            Err(why) => last = (why, path.to_owned()),
        }
        if last.0 != Unavailable::Absent {
            break;
        }
    }
    Err(last)
}

fn of(release: &OsRelease, path: &str) -> Result<(String, String), (Unavailable, String)> {
    if !release.support_end.is_empty() {
        return Ok((release.support_end.clone(), format!("{path}: SUPPORT_END")));
    }
    let major = release.version_id.split('.').next().unwrap_or_default();
    let known = TABLE.iter().find(|(id, version, _)| {
        *id == release.id && (*version == release.version_id || *version == major && release.id != "ubuntu")
    });
    if let Some((.., day)) = known {
        return Ok(((*day).to_owned(), format!("{path}, and this version's table of {TABLE_OF}")));
    }
    let why = format!("{} {} is not in this version's table of {TABLE_OF}", release.id, release.version_id);
    Err((Unavailable::NotExposed(why), path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    #[test]
    fn a_release_s_own_word_counts_before_the_table() {
        let told = |text: &str| Tree::new(&[("etc/os-release", text)]).told(supported, "");
        assert_eq!(told("ID=debian\nVERSION_ID=\"12\"\n"), "yes");
        assert_eq!(told("ID=debian\nVERSION_ID=\"10\"\n"), "no");
        assert_eq!(told("ID=rhel\nVERSION_ID=\"9.4\"\n"), "yes");
        assert_eq!(told("ID=fedora\nVERSION_ID=40\nSUPPORT_END=2025-05-13\n"), "no");
        assert_eq!(told("ID=fedora\nVERSION_ID=44\nSUPPORT_END=2026-11-26\n"), "yes", "its last day");
        assert_eq!(told("ID=debian\nVERSION_ID=\"12\"\nSUPPORT_END=soon\n"), "!malformed");
        assert_eq!(told("ID=ubuntu\nVERSION_ID=\"22.10\"\n"), "!not-exposed", "22.04 is another");
        assert_eq!(Tree::new(&[]).told(supported, ""), "!absent");
        assert_eq!(
            Tree::new(&[("usr/lib/os-release", "ID=debian\nVERSION_ID=13\n")]).told(end, ""),
            "2030-06-30"
        );
    }
}
