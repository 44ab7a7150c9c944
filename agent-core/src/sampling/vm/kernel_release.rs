//! Whether this kernel lets a descriptor of KVM's statistics outlive the VM it belongs to.
//!
//! Before "KVM: Grab a reference to KVM for VM and vCPU stats file descriptors" (eed3013faa40, July 2023) such a
//! descriptor did not hold the VM: read after the VM's end, it read freed memory. Mainline has the fix since 6.5,
//! the stable series since 6.4.8, 6.1.43 and 5.15.124. A vendor's kernel with an older number may have it too, but
//! nothing says so; there the tier is refused.

/// The first fixed release of each series that was ever fixed.
const FIXED: [(u32, u32, u32); 3] = [(5, 15, 124), (6, 1, 43), (6, 4, 8)];
/// From here on everything is fixed.
const FIXED_SINCE: (u32, u32) = (6, 5);

/// The running kernel's release, such as `6.18.4`.
pub(super) fn running() -> String {
    let Ok(name) = nix::sys::utsname::uname() else { return String::new() };
    real_release(&name.release().to_string_lossy(), &name.version().to_string_lossy()).to_owned()
}

/// The release, or what a version such as `#1 SMP PREEMPT_DYNAMIC Debian 6.1.55-1 (2023-09-29)` says it really is.
fn real_release<'a>(release: &'a str, version: &'a str) -> &'a str {
    let told = version.split_once(" Debian ").and_then(|(_, rest)| rest.split(' ').next());
    told.filter(|told| parse(told).is_some()).unwrap_or(release)
}

/// Whether a held statistics descriptor is safe in a kernel of this release. A release that cannot be read is not.
///
/// Debian and Ubuntu put the ABI's number where others have the patch level (`6.1.0-13`). Debian tells the real one
/// elsewhere, which [`running`] takes; Ubuntu's older kernels are refused, which is the safe side.
#[must_use]
pub(super) fn stats_descriptors_are_safe(release: &str) -> bool {
    let Some((major, minor, patch)) = parse(release) else { return false };
    (major, minor) >= FIXED_SINCE
        || FIXED.iter().any(|fixed| (fixed.0, fixed.1) == (major, minor) && patch >= fixed.2)
}

fn parse(release: &str) -> Option<(u32, u32, u32)> {
    let numbers = release.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    let mut parts = numbers.split('.').map(str::parse::<u32>);
    let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
    let patch = parts.next().and_then(Result::ok).unwrap_or(0);
    Some((major, minor, patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fixed_kernels_are_trusted() {
        for safe in ["6.18.44-fc", "6.5.0", "7.0", "6.4.8", "6.1.43", "6.1.119", "5.15.124-generic", "10.0.1"]
        {
            assert!(stats_descriptors_are_safe(safe), "{safe}");
        }
        for unsafe_release in [
            "6.4.7",
            "6.3.99",
            "6.2.0",
            "6.1.42",
            "6.1.0-13-amd64",
            "5.15.123",
            "5.14.0-427.el9.x86_64",
            "5.4.300",
            "4.19",
            "",
            "six.five",
            "6",
            "-6.5",
            "6.99999999999999",
        ] {
            assert!(!stats_descriptors_are_safe(unsafe_release), "{unsafe_release}");
        }
    }

    #[test]
    fn debian_tells_its_real_release_elsewhere() {
        let version = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.55-1 (2023-09-29)";
        assert_eq!(real_release("6.1.0-13-amd64", version), "6.1.55-1");
        assert!(stats_descriptors_are_safe(real_release("6.1.0-13-amd64", version)));
        assert_eq!(real_release("6.18.4", "#1 SMP Debian nonsense"), "6.18.4");
        assert_eq!(real_release("6.18.4", "#5 SMP"), "6.18.4");
    }

    #[test]
    fn the_running_kernel_has_a_release() {
        assert!(parse(&running()).is_some(), "{}", running());
    }
}
