//! What is mounted: `/proc/PID/mountinfo` (proc(5)).

use super::text::{Mistake, keep, note, octal};

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its ID.
    pub id: u32,
    /// The mount it is on.
    pub parent: u32,
    /// The device's major and minor number.
    pub device: (u32, u32),
    /// What of the file system is mounted.
    pub root: String,
    /// Where.
    pub target: String,
    /// Options of this mount, such as `ro` and `nosuid`.
    pub options: Vec<String>,
    /// Optional fields, such as `shared:1`.
    pub propagation: Vec<String>,
    /// The file system's type, such as `ext4`.
    pub kind: String,
    /// Its source: a device, or any name.
    pub source: String,
    /// Options of the file system.
    pub super_options: Vec<String>,
    /// The line, counted from 1.
    pub line: usize,
}

impl Mount {
    /// Whether an option is set, for this mount or for the file system.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().chain(&self.super_options).any(|have| have == option)
    }

    /// The value of an option with a `=`; this mount's before the file system's.
    #[must_use]
    pub fn value(&self, option: &str) -> Option<&str> {
        let value = |have: &'_ String| have.split_once('=').is_some_and(|(name, _)| name == option);
        let have = self.options.iter().chain(&self.super_options).find(|have| value(have))?;
        have.split_once('=').map(|(_, value)| value)
    }
}

/// Reads the whole table, in its order: of mounts on one place the last is the one that is seen.
#[must_use]
pub fn parse(text: &str) -> (Vec<Mount>, Vec<Mistake>) {
    let (mut mounts, mut mistakes) = (Vec::new(), Vec::new());
    for (line, content) in (1..).zip(text.lines()) {
        match mount(line, content) {
            Some(mount) => keep(&mut mounts, mount, &mut mistakes, line),
            None => note(&mut mistakes, line, "not a mount"),
        }
    }
    (mounts, mistakes)
}

/// The mount that a path is in: the last of those whose place is the longest part of it. The path is absolute,
/// without links and `..`.
#[must_use]
pub fn holding<'m>(mounts: &'m [Mount], path: &str) -> Option<&'m Mount> {
    let within = |target: &str| {
        path.strip_prefix(target.trim_end_matches('/'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    mounts.iter().filter(|mount| within(&mount.target)).max_by_key(|mount| mount.target.len())
}

fn mount(line: usize, content: &str) -> Option<Mount> {
    // Single spaces part the fields, so that an empty source is seen as one.
    let mut fields = content.split(' ');
    let id = fields.next()?.parse().ok()?;
    let parent = fields.next()?.parse().ok()?;
    let (major, minor) = fields.next()?.split_once(':')?;
    let device = (major.parse().ok()?, minor.parse().ok()?);
    let (root, target) = (octal(fields.next()?), octal(fields.next()?));
    let list = |field: &str| field.split(',').filter(|option| !option.is_empty()).map(octal).collect();
    let options = list(fields.next()?);
    let mut propagation = Vec::new();
    loop {
        match fields.next()? {
            "-" => break,
            field => propagation.push(field.to_owned()),
        }
    }
    let (kind, source) = (octal(fields.next()?), octal(fields.next()?));
    let super_options = list(fields.next()?);
    Some(Mount { id, parent, device, root, target, options, propagation, kind, source, super_options, line })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "22 1 8:1 / / rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw,errors=remount-ro\n\
        30 22 0:25 / /mnt/a\\040b\\011 ro,nosuid - 9p  rw,trans=virtio\n\
        31 22 0:26 /sub /mnt rw - tmpfs tmpfs rw,size=1024k,mode=700\n\
        32 31 0:27 / /mnt rw - overlay over\\134lay rw,lowerdir=/a:/b\nbad\n33 x 0:1 / / rw - a b c\n\
        34 1 0:28 / /proc rw - proc proc";

    #[test]
    fn mounts_are_read() {
        let (mounts, mistakes) = parse(TEXT);
        assert_eq!(mounts[0].propagation, ["shared:1", "master:2"]);
        assert_eq!((mounts[0].device, mounts[0].value("errors")), ((8, 1), Some("remount-ro")));
        assert_eq!((mounts[1].target.as_str(), mounts[1].source.as_str()), ("/mnt/a b\t", ""));
        assert!(mounts[1].has("nosuid") && !mounts[0].has("nosuid") && mounts[1].has("trans=virtio"));
        assert_eq!((mounts[2].root.as_str(), mounts[2].value("mode")), ("/sub", Some("700")));
        assert_eq!(mounts[3].source, "over\\lay");
        assert_eq!(mistakes.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [5, 6, 7]);
    }

    #[test]
    fn the_last_and_deepest_mount_holds_a_path() {
        let (mounts, _) = parse(TEXT);
        let id = |path| holding(&mounts, path).map(|mount| mount.id);
        assert_eq!(
            (id("/mnt/x"), id("/mnt"), id("/mntx"), id("/")),
            (Some(32), Some(32), Some(22), Some(22))
        );
        assert_eq!(id("relative"), None);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "([0-9:/ \\-\\\\a]{0,40}\n?){0,6}", path in ".{0,12}") {
            let (mounts, _) = parse(&text);
            let _ = holding(&mounts, &path);
        }

        #[test]
        fn any_place_is_read_back(target in "/[a-z \\\\\t]{0,12}") {
            let escaped: String = target
                .chars()
                .map(|char| if char.is_ascii_lowercase() || char == '/' { char.to_string() } else { format!("\\{:03o}", char as u32) })
                .collect();
            let (mounts, _) = parse(&format!("1 1 0:1 / {escaped} rw - t s rw\n"));
            prop_assert_eq!(&mounts[0].target, &target);
        }
    }
}
