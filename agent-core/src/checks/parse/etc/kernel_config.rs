//! What a kernel was built with: the text of `/proc/config.gz` and `/boot/config-*` (Kconfig's `.config`).

use super::text::{ENTRIES_MAX, Mistake, note};
use flate2::read::GzDecoder;
use std::collections::HashMap;
use std::fmt;
use std::io::Read;

/// More than any kernel's configuration, which is some 300 KiB.
pub const UNPACKED_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The options of one kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelConfig {
    options: HashMap<String, (usize, String)>,
    /// The release in the text's head, such as `6.1.0-18-amd64` or `6.1.76`; not the whole release where the build
    /// added a local version later.
    pub release: Option<String>,
    /// Lines that are neither an option nor a comment, and options that are set again (the last is kept, as Kconfig
    /// does).
    pub mistakes: Vec<Mistake>,
}

impl KernelConfig {
    /// Reads a text. `CONFIG_X=value`, and `# CONFIG_X is not set`, which is an `n`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut config = Self::default();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.trim();
            let option = if let Some(comment) = content.strip_prefix('#') {
                let comment = comment.trim();
                if config.release.is_none() {
                    config.release = release(comment);
                }
                comment.strip_suffix(" is not set").map(|name| (name, "n".to_owned()))
            } else if content.is_empty() {
                None
            } else {
                let option = content.split_once('=').and_then(|(name, value)| Some((name, unquoted(value)?)));
                if option.is_none() {
                    note(&mut config.mistakes, line, "not an option");
                }
                option
            };
            if let Some((name, value)) = option {
                config.set(name, line, value);
            }
        }
        config
    }

    fn set(&mut self, name: &str, line: usize, value: String) {
        let whole = name.strip_prefix("CONFIG_").is_some_and(|name| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        });
        if !whole {
            note(&mut self.mistakes, line, "not an option's name");
        } else if self.options.len() >= ENTRIES_MAX {
            note(&mut self.mistakes, line, "more options than are kept");
        } else if self.options.insert(name.to_owned(), (line, value)).is_some() {
            note(&mut self.mistakes, line, "an option set again");
        }
    }

    /// The value of an option by its whole name (`CONFIG_X`): `y`, `m`, `n`, or a number's or string's text without
    /// quotes. `None` is an option that the text does not name, which in a configuration that is whole means that
    /// this kernel does not have it, or that what it depends on is off.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(|(_, value)| value.as_str())
    }

    /// The line that sets an option, counted from 1.
    #[must_use]
    pub fn line(&self, name: &str) -> Option<usize> {
        self.options.get(name).map(|(line, _)| *line)
    }

    /// How many options there are. None at all is no kernel's configuration.
    #[must_use]
    pub fn len(&self) -> usize {
        self.options.len()
    }

    /// Whether there is no option.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.options.is_empty()
    }
}

/// `Linux/x86 6.1.76 Kernel Configuration`.
fn release(comment: &str) -> Option<String> {
    let release = comment.strip_prefix("Linux/")?.strip_suffix(" Kernel Configuration")?;
    Some(release.split_once(' ')?.1.trim().to_owned())
}

/// A value without its quotes; `None` when they do not match.
fn unquoted(value: &str) -> Option<String> {
    let Some(inner) = value.strip_prefix('"') else { return Some(value.to_owned()) };
    let mut text = String::new();
    let mut chars = inner.chars();
    loop {
        match chars.next()? {
            '"' => return chars.as_str().is_empty().then_some(text),
            '\\' => text.push(chars.next()?),
            char => text.push(char),
        }
    }
}

/// Why packed bytes could not be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnpackError {
    /// They are not gzip, are cut short, or their checksum does not fit.
    Damaged,
    /// They would be more than [`UNPACKED_BYTES_MAX`].
    TooLarge,
}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Damaged => "not whole gzip data",
            Self::TooLarge => "unpacks to more than 8 MiB",
        })
    }
}

impl std::error::Error for UnpackError {}

/// Unpacks gzip data (RFC 1952), such as `/proc/config.gz`. What follows the first member is not looked at.
pub fn unpack(bytes: &[u8]) -> Result<Vec<u8>, UnpackError> {
    let mut unpacked = Vec::new();
    let mut decoder = GzDecoder::new(bytes).take(UNPACKED_BYTES_MAX + 1);
    decoder.read_to_end(&mut unpacked).map_err(|_| UnpackError::Damaged)?;
    if unpacked.len() as u64 > UNPACKED_BYTES_MAX {
        return Err(UnpackError::TooLarge);
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::Write;

    const TEXT: &str = "#\n# Automatically generated file; DO NOT EDIT.\n# Linux/x86 6.1.76 Kernel Configuration\n#\n\
        CONFIG_CC_VERSION_TEXT=\"gcc-12 (Debian) \\\"12\\\"\"\r\nCONFIG_KVM=m\n# CONFIG_DEVKMEM is not set\n\
        CONFIG_LSM_MMAP_MIN_ADDR=65536\n# CONFIG_X is not a line\nCONFIG_STRICT_DEVMEM=y";

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn options_are_found() {
        let config = KernelConfig::parse(TEXT);
        assert_eq!(config.release.as_deref(), Some("6.1.76"));
        let expected = [
            ("CONFIG_KVM", Some("m")),
            ("CONFIG_DEVKMEM", Some("n")),
            ("CONFIG_STRICT_DEVMEM", Some("y")),
            ("CONFIG_LSM_MMAP_MIN_ADDR", Some("65536")),
            ("CONFIG_CC_VERSION_TEXT", Some("gcc-12 (Debian) \"12\"")),
            ("CONFIG_ABSENT", None),
            ("KVM", None),
        ];
        for (name, value) in expected {
            assert_eq!(config.get(name), value, "{name}");
        }
        assert_eq!((config.line("CONFIG_KVM"), config.len()), (Some(6), 5));
        assert_eq!(config.mistakes, []);
    }

    #[test]
    fn mistakes_are_named() {
        let config = KernelConfig::parse("CONFIG_A=y\nCONFIG_B\nCONFIG_C=\"x\nX=y\nCONFIG_A=n\n");
        let lines: Vec<_> = config.mistakes.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 4, 5]);
        assert_eq!((config.get("CONFIG_A"), config.get("CONFIG_C")), (Some("n"), None));
    }

    #[test]
    fn unpacking_is_bounded_and_checked() {
        let whole = packed(TEXT.as_bytes());
        assert_eq!(unpack(&whole).as_deref(), Ok(TEXT.as_bytes()));
        assert_eq!(unpack(whole.get(..whole.len() - 3).unwrap()), Err(UnpackError::Damaged));
        assert_eq!(unpack(TEXT.as_bytes()), Err(UnpackError::Damaged));
        assert_eq!(unpack(&packed(&vec![0; 9 << 20])), Err(UnpackError::TooLarge));
        assert_eq!(unpack(&packed(&vec![0; 8 << 20])).map(|bytes| bytes.len()), Ok(8 << 20));
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "(.{0,30}\n?){0,8}", bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = (KernelConfig::parse(&text), unpack(&bytes));
        }

        #[test]
        fn what_is_set_is_read(name in "[A-Z0-9_]{1,12}", value in "[ym]|[0-9]{1,5}") {
            let name = format!("CONFIG_{name}");
            let config = KernelConfig::parse(&format!("# {name} is not set\n{name}={value}\n"));
            prop_assert_eq!(config.get(&name), Some(value.as_str()));
        }
    }
}
