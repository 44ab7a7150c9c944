//! What system this is: os-release(5).

use super::shell;
use super::text::Mistake;

/// The fields that matter here; empty where the text does not set them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsRelease {
    /// `ID`, such as `debian`; `linux` where it is absent, as os-release(5) says.
    pub id: String,
    /// `ID_LIKE`, such as `rhel`, `fedora`.
    pub id_like: Vec<String>,
    /// `VERSION_ID`, such as `12`.
    pub version_id: String,
    /// `VERSION_CODENAME`, such as `bookworm`.
    pub version_codename: String,
    /// `PRETTY_NAME`.
    pub pretty_name: String,
    /// `SUPPORT_END`, a date such as `2028-06-30`.
    pub support_end: String,
    /// The line of `VERSION_ID`, counted from 1.
    pub version_line: Option<usize>,
    /// Lines that are no assignment.
    pub mistakes: Vec<Mistake>,
}

impl OsRelease {
    /// Reads `/etc/os-release`, or `/usr/lib/os-release` where that is absent.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (found, mistakes) = shell::parse(text);
        let value = |name| shell::last(&found, name).map_or_else(String::new, |(value, _)| value);
        let id = value("ID");
        Self {
            id: if id.is_empty() { "linux".to_owned() } else { id },
            id_like: value("ID_LIKE").split_ascii_whitespace().map(str::to_owned).collect(),
            version_id: value("VERSION_ID"),
            version_codename: value("VERSION_CODENAME"),
            pretty_name: value("PRETTY_NAME"),
            support_end: value("SUPPORT_END"),
            version_line: shell::last(&found, "VERSION_ID").map(|(_, line)| line),
            mistakes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_read() {
        let found = OsRelease::parse(
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\r\nVERSION_ID=\"12\"\nID=debian\nID_LIKE='a b'\n\
             SUPPORT_END=2028-06-30\nbroken line",
        );
        assert_eq!(
            (found.id.as_str(), found.version_id.as_str(), found.version_line),
            ("debian", "12", Some(2))
        );
        assert_eq!(found.id_like, ["a", "b"]);
        assert_eq!((found.support_end.as_str(), found.mistakes.len()), ("2028-06-30", 1));
        assert_eq!(found.pretty_name, "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(OsRelease::parse("").id, "linux");
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "((ID|VERSION_ID)?=?[\"'a\\\\]{0,6}\n?){0,6}|.{0,60}") {
            prop_assert!(!OsRelease::parse(&text).id.is_empty());
        }
    }
}
