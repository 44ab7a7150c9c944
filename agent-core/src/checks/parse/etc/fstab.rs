//! What is mounted and opened at boot: fstab(5) and crypttab(5).

use super::text::{Mistake, keep, note, octal};

/// A line of `/etc/fstab`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// A device, `UUID=...`, or a remote file system.
    pub source: String,
    /// Where; `none` for swap.
    pub target: String,
    /// The file system's type.
    pub kind: String,
    /// Its options.
    pub options: Vec<String>,
    /// The line, counted from 1.
    pub line: usize,
}

/// A line of `/etc/crypttab`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crypt {
    /// The name below `/dev/mapper`.
    pub name: String,
    /// What is encrypted.
    pub source: String,
    /// The key's file, such as `/dev/urandom` for swap; `None` (`none`, `-`) asks for a passphrase.
    pub key_file: Option<String>,
    /// Its options.
    pub options: Vec<String>,
    /// The line, counted from 1.
    pub line: usize,
}

fn parse<T>(text: &str, fields: usize, read: impl Fn(usize, &[&str]) -> Option<T>) -> (Vec<T>, Vec<Mistake>) {
    let (mut entries, mut mistakes) = (Vec::new(), Vec::new());
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let words: Vec<_> = content.split_ascii_whitespace().take(fields + 1).collect();
        // A comment may follow the last field.
        let extra = words.get(fields).is_some_and(|word| !word.starts_with('#'));
        match read(line, words.get(..fields).unwrap_or(&words)) {
            Some(entry) if !extra => keep(&mut entries, entry, &mut mistakes, line),
            Some(_) => note(&mut mistakes, line, "more fields than it has"),
            None => note(&mut mistakes, line, "fields are missing"),
        }
    }
    (entries, mistakes)
}

fn list(options: &str) -> Vec<String> {
    options.split(',').filter(|option| !option.is_empty()).map(octal).collect()
}

/// `/etc/fstab`. Of the six fields the last two, and the options too, may be missing.
#[must_use]
pub fn fstab(text: &str) -> (Vec<Mount>, Vec<Mistake>) {
    parse(text, 6, |line, words| {
        let [source, target, kind, rest @ ..] = words else { return None };
        let options = rest.first().map_or_else(Vec::new, |options| list(options));
        Some(Mount { source: octal(source), target: octal(target), kind: octal(kind), options, line })
    })
}

/// `/etc/crypttab`. The key's file and the options may be missing.
#[must_use]
pub fn crypttab(text: &str) -> (Vec<Crypt>, Vec<Mistake>) {
    parse(text, 4, |line, words| {
        let [name, source, rest @ ..] = words else { return None };
        let key_file = rest.first().filter(|key| !matches!(**key, "none" | "-")).map(|key| octal(key));
        let options = rest.get(1).map_or_else(Vec::new, |options| list(options));
        Some(Crypt { name: octal(name), source: octal(source), key_file, options, line })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_read() {
        let (mounts, mistakes) = fstab(
            "# /etc/fstab\r\nUUID=1-2 / ext4 errors=remount-ro 0 1\r\n\t/dev/b\t/a\\040b xfs nodev,nosuid\n/x /y\n\
             srv:/v /v nfs ro 0 0 # why\n/a /b c d 0 0 1\n/swap none swap",
        );
        assert_eq!(mounts.iter().map(|mount| mount.line).collect::<Vec<_>>(), [2, 3, 5, 7]);
        assert_eq!((mounts[1].target.as_str(), mounts[1].options.len()), ("/a b", 2));
        assert!(mounts[3].options.is_empty());
        assert_eq!(mistakes.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [4, 6]);

        let (crypts, mistakes) =
            crypttab("swap /dev/b /dev/urandom swap,cipher=aes\nroot UUID=1 none luks\nx\ny /z\n");
        assert_eq!(crypts[0].key_file.as_deref(), Some("/dev/urandom"));
        assert_eq!((&crypts[1].key_file, crypts[1].options.len(), crypts[2].line), (&None, 1, 4));
        assert_eq!(mistakes.len(), 1);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "([a# /,\\\\0]{0,20}\n?){0,8}|.{0,60}") {
            let lines = text.lines().count();
            prop_assert!(fstab(&text).0.len() <= lines && crypttab(&text).0.len() <= lines);
        }
    }
}
