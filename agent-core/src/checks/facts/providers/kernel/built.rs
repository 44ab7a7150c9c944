//! What the running kernel was built with. The configuration of another kernel that is installed too says nothing of it.

use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::kernel_config::{KernelConfig, unpack};
use std::sync::Arc;

/// The kernel's own copy, packed.
const PACKED: &str = "/proc/config.gz";
/// Bytes of a configuration, packed or not.
const BYTES_MAX: usize = 4 << 20;

pub(super) fn kconfig(gather: &Gather, name: &str) -> Found {
    match &*running(gather) {
        Err(why) => Found::unavailable(why.clone(), "the running kernel's configuration"),
        Ok((path, config)) => match config.get(name) {
            Some(value) => match config.line(name).filter(|_| path != PACKED) {
                Some(line) => Found::value(value, format!("{path}:{line}")),
                None => Found::value(value, path.as_str()).with_raw(&format!("{name}={value}")),
            },
            None => Found::unavailable(Unavailable::Absent, path.as_str()),
        },
    }
}

/// An option of the running kernel; none when its configuration does not name it.
///
/// # Errors
/// When the running kernel's configuration is not to be had.
pub(super) fn option(gather: &Gather, name: &str) -> Result<Option<String>, Unavailable> {
    match &*running(gather) {
        Ok((_, config)) => Ok(config.get(name).map(str::to_owned)),
        Err(why) => Err(why.clone()),
    }
}

pub(super) fn release_fact(gather: &Gather, _: &str) -> Found {
    Found::either(release(gather), RELEASE)
}

const RELEASE: &str = "/proc/sys/kernel/osrelease";

/// What `uname -r` says.
///
/// # Errors
/// When that is not recorded.
pub(in super::super) fn release(gather: &Gather) -> Result<String, Unavailable> {
    let release = gather.text(RELEASE)?.trim().to_owned();
    if release.is_empty() || release.contains('/') {
        return Err(Unavailable::Malformed(format!("\"{release}\" is no release")));
    }
    Ok(release)
}

type Running = Result<(String, Arc<KernelConfig>), Unavailable>;

fn running(gather: &Gather) -> Arc<Running> {
    gather.memo("kconfig", read)
}

fn read(gather: &Gather) -> Running {
    let packed = |bytes: &[u8]| {
        let text = unpack(bytes).map_err(|error| Unavailable::Malformed(error.to_string()))?;
        whole(KernelConfig::parse(&String::from_utf8_lossy(&text)))
    };
    let mut first = match gather.document(PACKED, BYTES_MAX, packed) {
        Ok(config) => return Ok((PACKED.to_owned(), config)),
        Err(Unavailable::Absent) => None,
        Err(why) => Some(why),
    };
    let release = release(gather).map_err(|why| match why {
        Unavailable::Absent => Unavailable::NotExposed(format!("{RELEASE} is not there")),
        why => why,
    })?;
    for path in [format!("/boot/config-{release}"), format!("/lib/modules/{release}/config")] {
        let plain = |bytes: &[u8]| whole(KernelConfig::parse(&String::from_utf8_lossy(bytes)));
        match gather.document(&path, BYTES_MAX, plain) {
            Ok(config) if fits(&config, &release) => return Ok((path, config)),
            Ok(config) => {
                let other = config.release.as_deref().unwrap_or_default();
                let why = format!("{path} is the configuration of {other}, not of the running {release}");
                first = first.or(Some(Unavailable::Malformed(why)));
            }
            Err(Unavailable::Absent) => {}
            Err(why) => first = first.or(Some(why)),
        }
    }
    Err(first.unwrap_or_else(|| {
        let why = format!("the running kernel {release} has no configuration here, and another's is not its");
        Unavailable::NotExposed(why)
    }))
}

fn whole(config: KernelConfig) -> Result<KernelConfig, Unavailable> {
    if config.is_empty() {
        return Err(Unavailable::Malformed("no option in it".to_owned()));
    }
    Ok(config)
}

/// The head of a configuration has the source's version, the release may have the distribution's: what both begin with
/// is the same.
fn fits(config: &KernelConfig, release: &str) -> bool {
    let series = |text: &str| text.split(['.', '-']).take(2).map(str::to_owned).collect::<Vec<_>>();
    config.release.as_deref().is_none_or(|head| series(head) == series(release))
}

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;
    use crate::checks::fact::Value;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    #[test]
    fn another_kernel_s_configuration_is_not_the_running_one_s() {
        let (_folder, gather) = host(&[
            ("/proc/sys/kernel/osrelease", "6.18.44-fc\n"),
            ("/boot/config-6.1.0-18-amd64", "CONFIG_DEBUG_WX=y\n"),
        ]);
        let found = kconfig(&gather, "CONFIG_DEBUG_WX");
        assert!(matches!(&found.value, Err(Unavailable::NotExposed(why)) if why.contains("6.18.44-fc")));
    }

    #[test]
    fn a_file_of_the_right_name_with_another_kernel_s_text_is_not_believed() {
        let (_folder, gather) = host(&[
            ("/proc/sys/kernel/osrelease", "6.18.44\n"),
            ("/boot/config-6.18.44", "# Linux/x86 6.1.76 Kernel Configuration\nCONFIG_DEBUG_WX=y\n"),
        ]);
        assert!(matches!(kconfig(&gather, "CONFIG_DEBUG_WX").value, Err(Unavailable::Malformed(_))));
    }

    #[test]
    fn what_the_kernel_itself_shows_comes_first() {
        let (folder, gather) = host(&[
            ("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n"),
            (
                "/boot/config-6.1.0-18-amd64",
                "#\n# Linux/x86 6.1.76 Kernel Configuration\n#\nCONFIG_KSM=y\n# CONFIG_DEVKMEM is not set\n",
            ),
        ]);
        let found = kconfig(&gather, "CONFIG_KSM");
        assert_eq!((found.value, &*found.source), (Ok(Value::from("y")), "/boot/config-6.1.0-18-amd64:4"));
        assert_eq!(kconfig(&gather, "CONFIG_DEVKMEM").value, Ok(Value::from("n")));
        assert_eq!(kconfig(&gather, "CONFIG_NEVER_WAS").value, Err(Unavailable::Absent));

        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(b"CONFIG_KSM=m\n").expect("packed");
        std::fs::write(folder.path().join("proc/config.gz"), packed.finish().expect("packed"))
            .expect("a file");
        let again = Gather::new(
            crate::checks::host::HostFiles::new(crate::config::Roots::below(folder.path())),
            crate::sys::clock::Clock::System,
        );
        assert_eq!(kconfig(&again, "CONFIG_KSM").value, Ok(Value::from("m")));
    }
}
