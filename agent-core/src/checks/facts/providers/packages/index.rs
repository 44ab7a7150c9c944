//! The package indices that apt and dnf keep: how old they are, and their packages, a piece at a time.

use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::files::dpkg::{self, Package};
use nix::fcntl::OFlag;
use std::fs::File;
use std::io::Read;

pub(super) const LISTS: &str = "/var/lib/apt/lists";
const STAMP: &str = "/var/lib/apt/periodic/update-success-stamp";
const DNF: &str = "/var/cache/dnf";
/// Bytes of one index, unpacked.
const INDEX_BYTES_MAX: u64 = 256 << 20;
/// Bytes that are held at once; a package's stanza is a few hundred.
const PIECE_BYTES: usize = 32 << 10;
const STANZA_BYTES_MAX: usize = 2 << 20;

/// `updates.index-fresh:HOURS`
pub(super) fn fresh(gather: &Gather, hours: &str) -> Found {
    let Ok(hours) = hours.parse::<i64>() else {
        let why = "updates.index-fresh: takes a number of hours".to_owned();
        return Found::unavailable(Unavailable::NotExposed(why), LISTS);
    };
    match newest(gather) {
        Ok(Some((newest_ns, source))) => {
            let age_s = (gather.clock().wall_ns() - newest_ns) / 1_000_000_000;
            let ended = expired(gather).unwrap_or(false);
            Found::value(age_s <= hours.saturating_mul(3_600) && !ended, source)
        }
        Ok(None) => Found::unavailable(Unavailable::Absent, LISTS),
        Err(why) => Found::unavailable(why, LISTS),
    }
}

/// When an index was last looked at. apt leaves a file alone when the server has no newer one, so that the file's
/// own time may be old; the folder it downloads to is touched each time.
fn newest(gather: &Gather) -> Result<Option<(i64, String)>, Unavailable> {
    let mut paths = vec![STAMP.to_owned(), format!("{LISTS}/partial")];
    paths.extend(releases(gather)?);
    match gather.list(DNF) {
        Ok(names) => paths.extend(names.into_iter().map(|name| format!("{DNF}/{name}/repodata/repomd.xml"))),
        Err(Unavailable::Absent) => {}
        Err(why) => return Err(why),
    }
    let mut newest = None;
    for path in paths {
        match gather.meta(&path) {
            Ok(meta) if newest.as_ref().is_none_or(|(time, _)| meta.mtime_ns > *time) => {
                newest = Some((meta.mtime_ns, path));
            }
            Ok(_) | Err(Unavailable::Absent) => {}
            Err(why) => return Err(why),
        }
    }
    // The folder alone says nothing when no index is in it.
    let any = indices(gather)?.is_empty() && gather.meta(DNF).is_err();
    Ok(newest.filter(|_| !any))
}

fn names(gather: &Gather) -> Result<Vec<String>, Unavailable> {
    match gather.list(LISTS) {
        Err(Unavailable::Absent) => Ok(Vec::new()),
        names => names,
    }
}

fn releases(gather: &Gather) -> Result<Vec<String>, Unavailable> {
    let of_security = |name: &String| {
        name.contains("security") && (name.ends_with("InRelease") || name.ends_with("_Release"))
    };
    Ok(names(gather)?.into_iter().filter(of_security).map(|name| format!("{LISTS}/{name}")).collect())
}

/// Indices of security suites.
pub(super) fn indices(gather: &Gather) -> Result<Vec<String>, Unavailable> {
    let of_security = |name: &String| {
        name.contains("security")
            && name.split_once("_Packages").is_some_and(|(_, end)| end.is_empty() || end.starts_with('.'))
    };
    Ok(names(gather)?.into_iter().filter(of_security).map(|name| format!("{LISTS}/{name}")).collect())
}

/// Whether a release says of itself that it is not to be believed any more.
fn expired(gather: &Gather) -> Option<bool> {
    let now_s = gather.clock().wall_ns() / 1_000_000_000;
    let ends = releases(gather).ok()?.into_iter().filter_map(|path| {
        let text = gather.text(&path).ok()?;
        let line = text.lines().take(40).find_map(|line| line.strip_prefix("Valid-Until:"))?;
        instant(line)
    });
    Some(ends.min()? < now_s)
}

/// `Wed, 02 Dec 2026 02:22:30 UTC`, in seconds since the epoch.
fn instant(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_ascii_whitespace().skip(1);
    let day: u32 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let (year, time) = (words.next()?, words.next()?);
    let time = humantime::parse_rfc3339(&format!("{year}-{month:02}-{day:02}T{time}Z")).ok()?;
    i64::try_from(time.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// Shows every package of an index, a piece of the file at a time.
///
/// # Errors
/// When it cannot be read, or is packed in a way that is not unpacked here.
pub(super) fn packages(
    gather: &Gather,
    path: &str,
    visit: &mut dyn FnMut(&Package<'_>),
) -> Result<(), Unavailable> {
    let file = || -> Result<File, Unavailable> {
        gather.note(path);
        Ok(File::from(gather.host().open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?))
    };
    match path.rsplit_once("_Packages").map_or("", |(_, ending)| ending) {
        "" => pieces(file()?, INDEX_BYTES_MAX, visit),
        ".gz" => pieces(flate2::read::MultiGzDecoder::new(file()?), INDEX_BYTES_MAX, visit),
        ".lz4" => pieces(super::lz4::Frames::new(file()?), INDEX_BYTES_MAX, visit),
        other => Err(Unavailable::NotExposed(format!(
            "{path}: {other} is not unpacked; `apt-get indextargets` lists others"
        ))),
    }
}

/// Shows every package of a source of stanzas, a piece at a time.
///
/// # Errors
/// When it cannot be read, is no list of packages, or is longer than it may be.
pub(super) fn pieces(
    source: impl Read,
    bytes_max: u64,
    visit: &mut dyn FnMut(&Package<'_>),
) -> Result<(), Unavailable> {
    let mut source = source.take(bytes_max.saturating_add(1));
    let mut held: Vec<u8> = Vec::with_capacity(2 * PIECE_BYTES);
    loop {
        let before = held.len();
        let read = (&mut source).take(PIECE_BYTES as u64).read_to_end(&mut held);
        read.map_err(|error| Unavailable::Failed(format!("packages that cannot be read: {error}")))?;
        let last = held.len() == before;
        // Up to the last empty line the packages are whole.
        let end =
            if last { held.len() } else { memchr::memmem::rfind(&held, b"\n\n").map_or(0, |at| at + 2) };
        for package in dpkg::packages(&held[..end]) {
            visit(&package.map_err(|error| Unavailable::Malformed(error.to_string()))?);
        }
        held.drain(..end);
        if last {
            return if source.limit() == 0 {
                Err(Unavailable::TooMuch(format!("more than {bytes_max} bytes of packages")))
            } else {
                Ok(())
            };
        }
        if held.len() > STANZA_BYTES_MAX {
            return Err(Unavailable::Malformed("a package's stanza that does not end".to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::{NOON, Tree};
    use super::*;
    use std::fmt::Write as _;
    use std::io::Write as _;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn dates_are_those_of_the_release() {
        assert_eq!(instant(" Thu, 26 Nov 2026 12:00:00 UTC"), Some(NOON));
        assert_eq!(instant(" Thu, 26 Nov 2026"), None);
        assert_eq!(instant(" Thu, 31 Foo 2026 12:00:00 UTC"), None);
    }

    #[test]
    fn an_index_grows_old_by_its_time_and_by_its_own_word() {
        let release = "var/lib/apt/lists/x_bookworm-security_InRelease";
        let tree = Tree::new(&[(release, "Valid-Until: Wed, 02 Dec 2026 02:22:30 UTC\n")]);
        assert_eq!(tree.told(fresh, "48"), "!absent", "there is no index");
        tree.add("var/lib/apt/lists/x_bookworm-security_main_binary-amd64_Packages", "");
        let set = |hours: u64| {
            let time = UNIX_EPOCH + Duration::from_secs(NOON.unsigned_abs() - hours * 3_600);
            File::options()
                .write(true)
                .open(tree.0.path().join(release))
                .and_then(|file| file.set_modified(time))
                .expect("a time");
        };
        set(47);
        assert_eq!(tree.told(fresh, "48"), "yes");
        set(49);
        assert_eq!(tree.told(fresh, "48"), "no");
        tree.add(release, "Valid-Until: Wed, 25 Nov 2026 02:22:30 UTC\n");
        set(1);
        assert_eq!(tree.told(fresh, "48"), "no", "the release itself says so");
    }

    #[test]
    fn packages_come_whole_however_the_file_is_cut_and_packed() {
        let mut text = String::new();
        for n in 0..5_000 {
            let _ = write!(text, "Package: p{n}\nVersion: {n}\nDescription: {}\n\n", "x".repeat(90));
        }
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(text.as_bytes()).expect("packed");
        let tree = Tree::new(&[("a_Packages", &text), ("a_Packages.xz", "?")]);
        tree.add("a_Packages.gz", gz.finish().expect("packed"));
        for path in ["/a_Packages", "/a_Packages.gz"] {
            let mut count = 0;
            packages(&tree.gather(), path, &mut |package| {
                assert_eq!(package.name, format!("p{count}"));
                count += 1;
            })
            .expect("packages");
            assert_eq!(count, 5_000, "{path}");
        }
        let refused = packages(&tree.gather(), "/a_Packages.xz", &mut |_| {});
        assert!(matches!(refused, Err(Unavailable::NotExposed(_))), "{refused:?}");
    }
}
