//! `system.posix_acl_access`: who may use a file besides its owner, its group and everybody. (acl(5), the kernel's
//! `include/uapi/linux/posix_acl_xattr.h`.)

use super::{Malformed, bytes_at};

/// The value's first bytes say its version, which has been 2 since there was one.
const VERSION: u32 = 2;
const HEADER_BYTES: usize = 4;
const ENTRY_BYTES: usize = 8;

/// What may be done, a bit each.
pub const READ: u16 = 4;
/// See [`READ`].
pub const WRITE: u16 = 2;
/// See [`READ`].
pub const EXECUTE: u16 = 1;

/// Whom an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The file's owner.
    Owner,
    /// A user, by number.
    User(u32),
    /// The file's group.
    Group,
    /// A group, by number.
    NamedGroup(u32),
    /// The most that users, the group and groups get.
    Mask,
    /// Everybody else.
    Other,
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whom it is about.
    pub who: Who,
    /// What they may do.
    pub permissions: u16,
}

/// Takes the attribute's value apart, in its order.
///
/// # Errors
/// When it has another version, is cut, or an entry is about nobody that is known.
pub fn parse(value: &[u8]) -> Result<Vec<Entry>, Malformed> {
    let wrong = |offset, what| Malformed { offset, what };
    if bytes_at(value, 0).map(u32::from_le_bytes) != Some(VERSION) {
        return Err(wrong(0, "version"));
    }
    let entries = value[HEADER_BYTES..].chunks(ENTRY_BYTES).enumerate();
    let entries = entries.map(|(index, entry)| {
        let offset = HEADER_BYTES + index * ENTRY_BYTES;
        let short = |at| bytes_at(entry, at).map(u16::from_le_bytes).ok_or(wrong(offset, "entry"));
        let id = bytes_at(entry, 4).map(u32::from_le_bytes).ok_or(wrong(offset, "entry"))?;
        let who = match short(0)? {
            0x01 => Who::Owner,
            0x02 => Who::User(id),
            0x04 => Who::Group,
            0x08 => Who::NamedGroup(id),
            0x10 => Who::Mask,
            0x20 => Who::Other,
            _ => return Err(wrong(offset, "tag")),
        };
        Ok(Entry { who, permissions: short(2)? })
    });
    entries.collect()
}

/// What an entry really lets its subject do: the mask cuts users, groups and the file's group, nobody else.
#[must_use]
pub fn effective(entries: &[Entry], entry: Entry) -> u16 {
    let mask = entries.iter().find(|entry| entry.who == Who::Mask);
    match entry.who {
        Who::Owner | Who::Other | Who::Mask => entry.permissions,
        _ => mask.map_or(entry.permissions, |mask| entry.permissions & mask.permissions),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_seat_of_a_desktop() {
        // `setfacl -m u:1000:rw,g:36:r,m::r /dev/kvm`.
        let value = [
            &[2, 0, 0, 0][..],
            &[1, 0, 6, 0, 0xff, 0xff, 0xff, 0xff],
            &[2, 0, 6, 0, 0xe8, 3, 0, 0],
            &[4, 0, 6, 0, 0xff, 0xff, 0xff, 0xff],
            &[8, 0, 4, 0, 36, 0, 0, 0],
            &[16, 0, 4, 0, 0xff, 0xff, 0xff, 0xff],
            &[32, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        ]
        .concat();
        let entries = parse(&value).expect("an ACL");
        assert_eq!(entries.len(), 6);
        assert_eq!(entries[1], Entry { who: Who::User(1000), permissions: READ | WRITE });
        assert_eq!(entries[3].who, Who::NamedGroup(36));
        assert_eq!(effective(&entries, entries[1]), READ, "the mask cuts");
        assert_eq!(effective(&entries, entries[0]), READ | WRITE, "but not the owner");
        assert_eq!(parse(&value[..value.len() - 1]), Err(Malformed { offset: 44, what: "entry" }));
    }

    #[test]
    fn other_values() {
        assert_eq!(parse(&[2, 0, 0, 0]), Ok(Vec::new()));
        assert_eq!(parse(&[1, 0, 0, 0]).expect_err("old").what, "version");
        assert_eq!(parse(&[]).expect_err("empty").what, "version");
        assert_eq!(parse(&[2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]).expect_err("tag").offset, 4);
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&bytes);
            if let Ok(entries) = parse(&[&[2, 0, 0, 0], &bytes[..]].concat()) {
                prop_assert!(entries.iter().all(|entry| effective(&entries, *entry) <= entry.permissions));
            }
        }
    }
}
