//! Advisories in OSV's format: a record, an array of them, or one after the other. (OSV schema 1.6; for Debian the
//! package is the source package, and the ecosystem is `Debian:12`.)

use super::Malformed;
use super::dpkg::compare_versions;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use std::cmp::Ordering;
use std::fmt;

/// One advisory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Advisory {
    /// Its name, `DSA-5777-1` or `DEBIAN-CVE-2024-1234`.
    pub id: String,
    /// Its other names.
    pub aliases: Vec<String>,
    /// Since when it is taken back; one that is affects nothing.
    pub withdrawn: Option<String>,
    /// What it is about.
    pub affected: Vec<Affected>,
}

/// One package that an advisory is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Affected {
    /// Which package.
    pub package: Package,
    /// Versions from one event to the next.
    pub ranges: Vec<Range>,
    /// Versions one by one.
    pub versions: Vec<String>,
}

/// A package of an ecosystem.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Package {
    /// `Debian:12`.
    pub ecosystem: String,
    /// Its name.
    pub name: String,
}

/// Versions from one event to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Range {
    /// `ECOSYSTEM`, `SEMVER` or `GIT`; only the first is in versions of packages.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened at which version, in any order.
    pub events: Vec<Event>,
}

/// What happened at a version; one of these is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Event {
    /// The first version with the flaw; `0` is before all versions.
    pub introduced: Option<String>,
    /// The first version without.
    pub fixed: Option<String>,
    /// The last version with the flaw.
    pub last_affected: Option<String>,
}

impl Affected {
    /// Whether it is about a package of Debian, and of this release (`12`) when the advisory names one.
    #[must_use]
    pub fn is_about(&self, source: &str, release: &str) -> bool {
        let ecosystem = self.package.ecosystem.strip_prefix("Debian");
        let same = ecosystem.is_some_and(|tail| tail.is_empty() || tail.strip_prefix(':') == Some(release));
        same && self.package.name == source
    }

    /// Whether an installed version has the flaw.
    #[must_use]
    pub fn affects(&self, installed: &str) -> bool {
        let is = |version: &String| compare_versions(version, installed) == Ordering::Equal;
        let ranges = self.ranges.iter().filter(|range| range.kind == "ECOSYSTEM");
        self.versions.iter().any(is) || ranges.into_iter().any(|range| range.affects(installed))
    }

    /// The oldest version without the flaw that is newer than the installed one; `None` when there is none yet.
    #[must_use]
    pub fn fixed_after(&self, installed: &str) -> Option<&str> {
        let ranges = self.ranges.iter().filter(|range| range.kind == "ECOSYSTEM");
        let fixed = ranges.flat_map(|range| range.events.iter().filter_map(|event| event.fixed.as_deref()));
        fixed.filter(|fixed| compare_versions(fixed, installed).is_gt()).min_by(|a, b| compare_versions(a, b))
    }
}

impl Range {
    /// The last event at or before a version says whether the version has the flaw.
    fn affects(&self, installed: &str) -> bool {
        /// A version and what it is after it; of two at one version the flaw's end counts.
        fn later<'a>(best: &mut Option<(&'a str, bool)>, version: &'a str, affected: bool) {
            let order = best.map_or(Ordering::Greater, |(known, _)| compare_versions(version, known));
            if order.is_gt() || (order.is_eq() && !affected) {
                *best = Some((version, affected));
            }
        }
        let mut last = None;
        for event in &self.events {
            match event.introduced.as_deref() {
                // Before all versions, a tilde's too.
                Some("0") if last.is_none() => last = Some(("~~~~", true)),
                Some(version) if version != "0" && compare_versions(version, installed).is_le() => {
                    later(&mut last, version, true);
                }
                _ => {}
            }
            if let Some(version) =
                event.fixed.as_deref().filter(|fixed| compare_versions(fixed, installed).is_le())
            {
                later(&mut last, version, false);
            }
            let before = |version: &&str| compare_versions(version, installed).is_lt();
            if let Some(version) = event.last_affected.as_deref().filter(before) {
                later(&mut last, version, false);
            }
        }
        last.is_some_and(|(_, affected)| affected)
    }
}

impl Advisory {
    /// Whether a source package of a release of Debian (`12`) has the flaw in an installed version.
    #[must_use]
    pub fn affects(&self, source: &str, release: &str, installed: &str) -> bool {
        let about = |affected: &&Affected| affected.is_about(source, release);
        self.withdrawn.is_none()
            && self.affected.iter().filter(about).any(|affected| affected.affects(installed))
    }
}

/// Gives every advisory of a file, one at a time: no more than one is kept.
///
/// # Errors
/// When it is no JSON, or an advisory has another shape. What came before has been given.
pub fn parse(bytes: &[u8], visit: &mut dyn FnMut(Advisory)) -> Result<(), Malformed> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let result = if first == Some(&b'[') {
        let mut json = serde_json::Deserializer::from_slice(bytes);
        (&mut json).deserialize_seq(Each(visit)).and_then(|()| json.end())
    } else {
        serde_json::Deserializer::from_slice(bytes)
            .into_iter()
            .try_for_each(|advisory| advisory.map(&mut *visit))
    };
    result.map_err(|error| {
        let lines = memchr::memchr_iter(b'\n', bytes).map(|feed| feed + 1);
        let line = std::iter::once(0).chain(lines).nth(error.line().saturating_sub(1)).unwrap_or(0);
        let offset = (line + error.column().saturating_sub(1)).min(bytes.len());
        Malformed { offset, what: if error.is_data() { "no advisory" } else { "no JSON" } }
    })
}

struct Each<'a>(&'a mut dyn FnMut(Advisory));

impl<'de> Visitor<'de> for Each<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("advisories")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut advisories: A) -> Result<(), A::Error> {
        while let Some(advisory) = advisories.next_element()? {
            self.0(advisory);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QEMU: &str = r#"{"id":"DSA-1-1","aliases":["CVE-2026-1"],"affected":[
        {"package":{"ecosystem":"Debian:12","name":"qemu"},
         "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1:7.2+dfsg-7+deb12u7"}]}]},
        {"package":{"ecosystem":"Debian:11","name":"qemu"},"versions":["1:5.2-1"],
         "ranges":[{"type":"GIT","events":[{"introduced":"0"}]}]}]}"#;

    fn all(text: &str) -> Vec<Advisory> {
        let mut found = Vec::new();
        parse(text.as_bytes(), &mut |advisory| found.push(advisory)).expect("advisories");
        found
    }

    #[test]
    fn one_array_and_lines() {
        for text in [QEMU.to_owned(), format!(" [{QEMU},{QEMU}]\n"), format!("{QEMU}\n{QEMU}\n")] {
            let found = all(&text);
            assert_eq!(found[0].id, "DSA-1-1");
            assert!(found[0].affects("qemu", "12", "1:7.2+dfsg-7+deb12u6"));
            assert!(!found[0].affects("qemu", "12", "1:7.2+dfsg-7+deb12u7"));
            assert!(found[0].affects("qemu", "12", "0~~1"), "before all versions");
            assert!(found[0].affects("qemu", "11", "1:5.2-1"));
            assert!(!found[0].affects("qemu", "11", "1:5.2-2"), "commits are no versions");
            assert!(!found[0].affects("qemu", "13", "1"));
            assert!(!found[0].affects("qemu-kvm", "12", "1"));
            let fixed = found[0].affected[0].fixed_after("1:7.2");
            assert_eq!(fixed, Some("1:7.2+dfsg-7+deb12u7"));
        }
        assert_eq!(all("[]"), []);
        assert_eq!(all(""), []);
    }

    #[test]
    fn flaws_that_come_back() {
        let range = |text: &str| serde_json::from_str::<Range>(text).expect("a range");
        let twice =
            range(r#"{"events":[{"fixed":"4"},{"introduced":"3"},{"introduced":"1"},{"fixed":"2"}]}"#);
        let affected: Vec<_> = ["0", "1", "2", "3", "3.5", "4"].iter().map(|v| twice.affects(v)).collect();
        assert_eq!(affected, [false, true, false, true, true, false]);
        let last = range(r#"{"events":[{"introduced":"0"},{"last_affected":"2"}]}"#);
        assert_eq!((last.affects("2"), last.affects("2-1")), (true, false));
        let withdrawn = QEMU.replacen("\"aliases\"", "\"withdrawn\":\"2026-01-01T00:00:00Z\",\"aliases\"", 1);
        assert!(!all(&withdrawn)[0].affects("qemu", "12", "1"));
    }

    #[test]
    fn errors_say_where() {
        let mut count = 0;
        let text = format!("{QEMU}\n{{\"id\":7}}");
        let error = parse(text.as_bytes(), &mut |_| count += 1).expect_err("wrong");
        assert_eq!((count, error.what), (1, "no advisory"));
        assert!(error.offset > QEMU.len());
        assert_eq!(parse(b"[{}", &mut |_| ()).expect_err("cut").what, "no JSON");
        assert!(parse("[".repeat(100_000).as_bytes(), &mut |_| ()).is_err());
        assert!(parse(b"[] x", &mut |_| ()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..100), version in "[0-9.~]{0,6}") {
            let _ = parse(&bytes, &mut |_| ());
            let _ = parse(&[QEMU.as_bytes(), &bytes[..]].concat(), &mut |advisory| {
                let _ = advisory.affects("qemu", "12", &version);
            });
        }
    }
}
