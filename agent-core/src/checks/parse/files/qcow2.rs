//! The header of a qcow2 image: what else the guest's disk leads to. (QEMU's `docs/interop/qcow2.rst`.)
//!
//! Whoever may write the image writes the header, a guest with raw access too: nothing here is to be trusted, and a
//! backing file outside the pools is a finding.

use super::{Malformed, bytes_at};

/// How much of the image is enough: the header and its extensions are in the first cluster, 64 KiB by default. With
/// larger clusters a name beyond this is an error, never cut.
pub const PREFIX_BYTES: usize = 64 * 1024;
/// As long as the format lets a backing file's name be.
const NAME_BYTES_MAX: u32 = 1023;
/// More than there are kinds of extensions.
const EXTENSIONS_MAX: usize = 64;

/// Whether this is a qcow2 image.
#[must_use]
pub fn is_qcow2(prefix: &[u8]) -> bool {
    prefix.starts_with(b"QFI\xfb")
}

/// What the header says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// 2 or 3.
    pub version: u32,
    /// The guest's disk, in bytes.
    pub size_bytes: u64,
    /// The file that holds what this one does not; may be a URL or `json:`.
    pub backing_file: Option<String>,
    /// The backing file's format, when given; otherwise it is guessed from what a guest may have written.
    pub backing_format: Option<String>,
    /// The file that holds the data, with the incompatible feature [`EXTERNAL_DATA`].
    pub data_file: Option<String>,
    /// How it is encrypted.
    pub encryption: Encryption,
    /// Features without which it cannot be opened, a bit each; 0 for version 2.
    pub incompatible_features: u64,
    /// How many internal snapshots it holds.
    pub snapshots: u32,
}

/// How an image is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all.
    #[default]
    None,
    /// By qcow2's own AES, which is broken.
    BrokenAes,
    /// By LUKS.
    Luks,
    /// In a way that this code does not know.
    Other(u32),
}

/// Incompatible feature: it was not closed.
pub const DIRTY: u64 = 1;
/// Incompatible feature: it was found damaged.
pub const CORRUPT: u64 = 1 << 1;
/// Incompatible feature: the data is in another file.
pub const EXTERNAL_DATA: u64 = 1 << 2;

impl Header {
    /// Whether the data is in another file.
    #[must_use]
    pub fn has_external_data(&self) -> bool {
        self.incompatible_features & EXTERNAL_DATA != 0
    }
}

/// Reads the header from an image's first [`PREFIX_BYTES`], or the whole of a smaller one.
///
/// # Errors
/// When it is no qcow2 image of version 2 or 3, or what the header refers to lies beyond the prefix.
pub fn parse(prefix: &[u8]) -> Result<Header, Malformed> {
    const V2_BYTES: usize = 72;
    let wrong = |offset, what| Malformed { offset, what };
    let word = |offset, what| bytes_at(prefix, offset).map(u32::from_be_bytes).ok_or(wrong(offset, what));
    let double = |offset, what| bytes_at(prefix, offset).map(u64::from_be_bytes).ok_or(wrong(offset, what));
    if !is_qcow2(prefix) {
        return Err(wrong(0, "no qcow2 image"));
    }
    let version = word(4, "version")?;
    if !matches!(version, 2 | 3) {
        return Err(wrong(4, "version"));
    }
    let name = |offset: usize, length: usize, what| {
        let end = offset.checked_add(length).ok_or(wrong(offset, what))?;
        let bytes = prefix.get(offset..end).ok_or(wrong(offset, what))?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    };
    let backing_offset = double(8, "backing_file_offset")?;
    let backing_bytes = word(16, "backing_file_size")?;
    let backing_file = if backing_offset == 0 {
        None
    } else {
        if backing_bytes > NAME_BYTES_MAX {
            return Err(wrong(16, "backing_file_size"));
        }
        let offset = usize::try_from(backing_offset).map_err(|_| wrong(8, "backing_file_offset"))?;
        Some(name(offset, backing_bytes as usize, "backing file name")?)
    };
    let size_bytes = double(24, "size")?;
    let encryption = match word(32, "crypt_method")? {
        0 => Encryption::None,
        1 => Encryption::BrokenAes,
        2 => Encryption::Luks,
        other => Encryption::Other(other),
    };
    let snapshots = word(60, "nb_snapshots")?;
    let (incompatible_features, header_bytes) = if version == 2 {
        (0, V2_BYTES)
    } else {
        let bytes = word(100, "header_length")?;
        // At least what version 3 began with.
        let length = usize::try_from(bytes).ok().filter(|bytes| *bytes >= 104 && bytes % 8 == 0);
        (double(72, "incompatible_features")?, length.ok_or(wrong(100, "header_length"))?)
    };
    let mut header = Header {
        version,
        size_bytes,
        backing_file,
        encryption,
        incompatible_features,
        snapshots,
        ..Header::default()
    };
    let mut at = header_bytes;
    // The name, when there is one, ends the extensions at the latest.
    let end = if backing_offset == 0 { u64::MAX } else { backing_offset };
    for _ in 0..EXTENSIONS_MAX {
        if at as u64 + 8 > end {
            break;
        }
        let kind = word(at, "header extension")?;
        let length = word(at + 4, "header extension")? as usize;
        let inside = at + 8;
        match kind {
            0 => break,
            0xE279_2ACA => header.backing_format = Some(name(inside, length, "backing format")?),
            0x4441_5441 => header.data_file = Some(name(inside, length, "external data file")?),
            _ => {}
        }
        let next = length.checked_next_multiple_of(8).and_then(|length| inside.checked_add(length));
        at = next.ok_or(wrong(at, "header extension"))?;
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An image's first cluster.
    fn image(version: u32, extensions: &[(u32, &[u8])], backing: &[u8]) -> Vec<u8> {
        let mut bytes = b"QFI\xfb".to_vec();
        bytes.extend(version.to_be_bytes());
        bytes.resize(if version == 2 { 72 } else { 112 }, 0);
        bytes[20..24].copy_from_slice(&16_u32.to_be_bytes());
        bytes[24..32].copy_from_slice(&(10_u64 << 30).to_be_bytes());
        if version == 3 {
            bytes[100..104].copy_from_slice(&112_u32.to_be_bytes());
        }
        for (kind, content) in extensions {
            bytes.extend(kind.to_be_bytes());
            bytes.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
            bytes.extend(*content);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        bytes.extend([0; 8]);
        if !backing.is_empty() {
            let offset = (bytes.len() as u64).to_be_bytes();
            bytes[8..16].copy_from_slice(&offset);
            bytes[16..20].copy_from_slice(&u32::try_from(backing.len()).unwrap().to_be_bytes());
            bytes.extend(backing);
        }
        bytes
    }

    #[test]
    fn an_overlay() {
        let mut bytes = image(3, &[(0xE279_2ACA, b"raw"), (0x6803_f857, &[0; 48])], b"/pool/base.img");
        bytes[72..80].copy_from_slice(&DIRTY.to_be_bytes());
        bytes[32..36].copy_from_slice(&2_u32.to_be_bytes());
        let header = parse(&bytes).expect("a header");
        assert_eq!((header.version, header.size_bytes), (3, 10 << 30));
        assert_eq!(header.backing_file.as_deref(), Some("/pool/base.img"));
        assert_eq!(header.backing_format.as_deref(), Some("raw"));
        assert_eq!((header.encryption, header.incompatible_features), (Encryption::Luks, DIRTY));
        assert!(!header.has_external_data());
    }

    #[test]
    fn other_kinds() {
        let old = parse(&image(2, &[], b"json:{\"driver\":\"nbd\"}")).expect("a header");
        assert_eq!((old.version, old.backing_format), (2, None));
        assert!(old.backing_file.expect("a name").starts_with("json:"));
        let mut bytes = image(3, &[(0x4441_5441, b"/etc/shadow")], b"");
        bytes[72..80].copy_from_slice(&EXTERNAL_DATA.to_be_bytes());
        let external = parse(&bytes).expect("a header");
        assert!(external.has_external_data());
        assert_eq!(external.data_file.as_deref(), Some("/etc/shadow"));
        assert_eq!(external.backing_file, None);
    }

    #[test]
    fn what_lies_beyond_is_an_error() {
        assert_eq!(parse(b"\x7fELF"), Err(Malformed { offset: 0, what: "no qcow2 image" }));
        assert_eq!(parse(b"QFI\xfb\0\0\0\x09"), Err(Malformed { offset: 4, what: "version" }));
        let mut bytes = image(3, &[], b"/base");
        let last = bytes.len() - 1;
        assert_eq!(parse(&bytes[..last]).expect_err("cut").what, "backing file name");
        bytes[16..20].copy_from_slice(&4096_u32.to_be_bytes());
        assert_eq!(parse(&bytes).expect_err("long").what, "backing_file_size");
        bytes[8..16].copy_from_slice(&u64::MAX.to_be_bytes());
        bytes[16..20].copy_from_slice(&9_u32.to_be_bytes());
        assert_eq!(parse(&bytes).expect_err("far").what, "backing file name");
        let mut bytes = image(3, &[(7, b"x")], b"");
        bytes[116..120].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(parse(&bytes).expect_err("far").what, "header extension");
        bytes[100..104].copy_from_slice(&8_u32.to_be_bytes());
        assert_eq!(parse(&bytes).expect_err("short").what, "header_length");
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(noise in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..160, byte: u8) {
            let _ = parse(&noise);
            let _ = parse(&[b"QFI\xfb\0\0\0\x03", &noise[..]].concat());
            let mut damaged = image(3, &[(0xE279_2ACA, b"raw")], b"/pool/base.img");
            if let Some(place) = damaged.get_mut(at) {
                *place = byte;
            }
            let _ = parse(&damaged);
        }
    }
}
