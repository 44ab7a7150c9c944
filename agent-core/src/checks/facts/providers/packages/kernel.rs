//! Whether the kernel that runs is the newest that is installed: of its own flavour, since a host may have others for
//! other purposes, and only when a package brought it, since a kernel from elsewhere has no place in that order.

use super::dpkg::{self, STATUS};
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::parse::files::dpkg::compare_versions;

const RELEASE: &str = "/proc/sys/kernel/osrelease";
const BUILD: &str = "/proc/sys/kernel/version";
const MODULES: &str = "/lib/modules";

/// `kernel.running`
pub(super) fn running(gather: &Gather, _: &str) -> Found {
    Found::either(gather.text(RELEASE), RELEASE)
}

/// `kernel.newer`
pub(super) fn newer(gather: &Gather, _: &str) -> Found {
    let running = match gather.text(RELEASE) {
        Ok(text) => text.trim().to_owned(),
        Err(why) => return Found::unavailable(why, RELEASE),
    };
    let (installed, source) = match of_dpkg(gather) {
        Ok(installed) => (installed, STATUS),
        Err(Unavailable::NotExposed(_)) => match of_modules(gather) {
            Ok(releases) => (releases, MODULES),
            Err(why) => return Found::unavailable(why, MODULES),
        },
        Err(why) => return Found::unavailable(why, STATUS),
    };
    let Some((_, own)) = installed.iter().find(|(release, _)| *release == running) else {
        let why = format!("no installed package brought the running kernel {running}");
        return Found::unavailable(Unavailable::NotExposed(why), source);
    };
    let (flavour, version) = flavour(&running);
    let of_its_own = installed.iter().filter(|(release, _)| self::flavour(release).0 == flavour);
    let mut found: Vec<String> = of_its_own
        .filter(|(release, _)| compare_versions(self::flavour(release).1, version).is_gt())
        .map(|(release, _)| release.clone())
        .collect();
    // Debian replaces a kernel under the same name; the one that runs tells which build it is.
    let build = gather.text(BUILD).unwrap_or_default();
    if let (Some(build), false) = (build_of(&build), own.is_empty())
        && compare_versions(own, build).is_gt()
    {
        found.push(format!("{running} as {own}, and {build} runs"));
    }
    found.sort_unstable();
    Found::value(Value::List(found), source).with_raw(&running)
}

/// `#1 SMP PREEMPT_DYNAMIC Debian 6.1.55-1 (2023-09-29)`
fn build_of(text: &str) -> Option<&str> {
    text.split_once("Debian ")?.1.split_ascii_whitespace().next()
}

/// Releases, each with its package's version.
fn of_dpkg(gather: &Gather) -> Result<Vec<(String, String)>, Unavailable> {
    let all = dpkg::installed(gather)?;
    let mut found = Vec::new();
    for (name, packages) in &all.0 {
        let Some(rest) = name.strip_prefix("linux-image-") else { continue };
        let release = rest.strip_prefix("unsigned-").unwrap_or(rest);
        // What begins with a letter stands for whatever is newest.
        if let (true, Some(package)) =
            (release.starts_with(|char: char| char.is_ascii_digit()), packages.first())
        {
            // A debugging package holds no kernel.
            if !release.ends_with("-dbg") {
                found.push((release.to_owned(), package.source_version.to_string()));
            }
        }
    }
    Ok(found)
}

/// Kernels as RHEL and its like install them: each with its image beside its modules.
fn of_modules(gather: &Gather) -> Result<Vec<(String, String)>, Unavailable> {
    let releases = gather.list(MODULES)?;
    let whole =
        releases.into_iter().filter(|release| gather.meta(&format!("{MODULES}/{release}/vmlinuz")).is_ok());
    Ok(whole.map(|release| (release, String::new())).collect())
}

/// What a release is for, and its version: `cloud-amd64` and `6.1.0-13` of `6.1.0-13-cloud-amd64`; `el9.x86_64+rt` and
/// `5.14.0-362.8.1` of `5.14.0-362.8.1.el9_3.x86_64+rt`.
fn flavour(release: &str) -> (String, &str) {
    let bytes = release.as_bytes();
    let letter = |at: usize| bytes.get(at + 1).is_some_and(u8::is_ascii_alphabetic);
    if let Some(at) = release.match_indices('-').map(|(at, _)| at).find(|at| letter(*at))
        && let (version, Some(flavour)) = (&release[..at], release.get(at + 1..))
    {
        return (flavour.to_owned(), version);
    }
    let dist = release.match_indices('.').map(|(at, _)| at).find(|at| letter(*at));
    match dist.and_then(|at| Some((release.get(..at)?, release.get(at + 1..)?))) {
        Some((version, rest)) => {
            let (dist, rest) = rest.split_once('.').unwrap_or((rest, ""));
            // `el9_3` is a kernel of el9 for its third update.
            (format!("{}.{rest}", dist.split('_').next().unwrap_or(dist)), version)
        }
        None => (String::new(), release),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    fn host(running: &str, build: &str, images: &[(&str, &str)]) -> String {
        let stanza = |(name, version): &(&str, &str)| {
            format!("Package: linux-image-{name}\nStatus: install ok installed\nVersion: {version}\n\n")
        };
        let status: String = images.iter().map(stanza).collect();
        let tree = Tree::new(&[
            ("proc/sys/kernel/osrelease", running),
            ("proc/sys/kernel/version", build),
            ("var/lib/dpkg/status", &status),
        ]);
        tree.told(newer, "")
    }

    #[test]
    fn releases_are_taken_apart() {
        for (release, expected, version) in [
            ("6.1.0-13-cloud-amd64", "cloud-amd64", "6.1.0-13"),
            ("6.1.0-0.deb11.13-amd64", "amd64", "6.1.0-0.deb11.13"),
            ("5.15.0-91-generic", "generic", "5.15.0-91"),
            ("5.14.0-362.8.1.el9_3.x86_64", "el9.x86_64", "5.14.0-362.8.1"),
            ("5.15.0-200.131.27.el8uek.x86_64", "el8uek.x86_64", "5.15.0-200.131.27"),
            ("6.18.44", "", "6.18.44"),
        ] {
            assert_eq!(flavour(release), (expected.to_owned(), version));
        }
    }

    #[test]
    fn only_a_newer_kernel_of_the_same_flavour_counts() {
        let images = [
            ("6.1.0-13-amd64", "6.1.55-1"),
            ("6.1.0-9-amd64", "6.1.27-1"),
            ("6.1.0-21-cloud-amd64", "6.1.90-1"),
            ("amd64", "6.1.90-1"),
        ];
        assert_eq!(host("6.1.0-13-amd64\n", "#1 SMP Debian 6.1.55-1 (2023-09-29)", &images), "none");
        assert_eq!(host("6.1.0-9-amd64\n", "", &images), "6.1.0-13-amd64");
        assert_eq!(
            host("6.1.0-13-amd64\n", "#1 SMP Debian 6.1.52-1 (2023-09-07)", &images),
            "6.1.0-13-amd64 as 6.1.55-1, and 6.1.52-1 runs"
        );
    }

    #[test]
    fn a_kernel_from_elsewhere_has_no_place_in_the_order() {
        assert_eq!(host("6.18.44-fc", "#1", &[("6.1.0-13-amd64", "6.1.55-1")]), "!not-exposed");
    }

    #[test]
    fn rpm_s_kernels_are_known_by_their_images() {
        let tree = Tree::new(&[
            ("proc/sys/kernel/osrelease", "5.14.0-70.13.1.el9_0.x86_64\n"),
            ("var/lib/rpm/rpmdb.sqlite", ""),
            ("lib/modules/5.14.0-70.13.1.el9_0.x86_64/vmlinuz", ""),
            ("lib/modules/5.14.0-362.8.1.el9_3.x86_64/vmlinuz", ""),
            ("lib/modules/5.14.0-400.1.1.el9_3.x86_64/extra", "left behind"),
        ]);
        assert_eq!(tree.told(newer, ""), "5.14.0-362.8.1.el9_3.x86_64");
    }
}
