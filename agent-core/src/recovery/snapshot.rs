//! A snapshot as bytes, version 1. Little endian.
//!
//! ```text
//!  0      ┌──────────────────────┬───────────┬─────────┬────────────┐
//!         │ magic "BTZSTATE"   8 │ version 2 │ parts 2 │ length   4 │   length: of the whole file
//! 16      ├──────────────────────┼───────────┴─────────┼────────────┘
//!         │ sequence           8 │ wall ns           8 │   sequence: every record below it is in the state
//! 32      ├──────────────────────┴─────────────────────┴─────────────────────────┐
//!         │ for each part: length of its name 1, name, version 4, length 4, bytes │
//!         ├────────────┬──────────────────────────────────────────────────────────┘
//!         │ CRC-32C  4 │   of everything before
//!         └────────────┘
//! ```

/// The largest snapshot that is written or read.
pub const SNAPSHOT_BYTES_MAX: usize = 64 << 20;
/// The most participants.
pub const PARTS_MAX: usize = 64;
/// The longest name of one.
pub const NAME_BYTES_MAX: usize = 64;

const MAGIC: [u8; 8] = *b"BTZSTATE";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = 32;
const SUM_BYTES: usize = 4;

/// The state of all participants at one place in the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Every record below this number is in the state, and none from it on.
    pub sequence: u64,
    /// When it was taken, `CLOCK_REALTIME` nanoseconds since the epoch.
    pub wall_ns: i64,
    /// The participants, in any order; no two of one name.
    pub parts: Vec<Part>,
}

/// The state of one participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// The version of its bytes.
    pub version: u32,
    /// What it wrote down.
    pub bytes: Vec<u8>,
}

impl Snapshot {
    /// Its bytes.
    ///
    /// # Errors
    /// When it has too many parts, a name that cannot be one, or more bytes than are allowed.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let sizes = self.parts.iter().map(|part| 9 + part.name.len() + part.bytes.len());
        let length = HEAD_BYTES + SUM_BYTES + sizes.sum::<usize>();
        if self.parts.len() > PARTS_MAX || length > SNAPSHOT_BYTES_MAX {
            return Err(format!(
                "{} parts of {length} bytes in all; at most {PARTS_MAX} of {SNAPSHOT_BYTES_MAX} are allowed",
                self.parts.len()
            ));
        }
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&narrow(self.parts.len())[..2]);
        bytes.extend_from_slice(&narrow(length));
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&self.wall_ns.to_le_bytes());
        for (at, part) in self.parts.iter().enumerate() {
            let is_second = self.parts[..at].iter().any(|before| before.name == part.name);
            if part.name.is_empty() || part.name.len() > NAME_BYTES_MAX || is_second {
                return Err(format!("{:?} cannot be a participant's name, or is used twice", part.name));
            }
            bytes.push(narrow(part.name.len())[0]);
            bytes.extend_from_slice(part.name.as_bytes());
            bytes.extend_from_slice(&part.version.to_le_bytes());
            bytes.extend_from_slice(&narrow(part.bytes.len()));
            bytes.extend_from_slice(&part.bytes);
        }
        let sum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        Ok(bytes)
    }

    /// The snapshot in some bytes.
    ///
    /// # Errors
    /// With the offset of what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, (usize, &'static str)> {
        if bytes.len() < HEAD_BYTES + SUM_BYTES || bytes.len() > SNAPSHOT_BYTES_MAX {
            return Err((0, "it is too short or too long to be a snapshot"));
        }
        let (body, sum) = bytes.split_at(bytes.len() - SUM_BYTES);
        let mut rest = Rest { body, at: 0 };
        if rest.array::<8>()? != MAGIC {
            return Err((0, "this is no snapshot"));
        }
        if u16::from_le_bytes(rest.array()?) != VERSION {
            return Err((8, "it is of a format this version does not know"));
        }
        let count = usize::from(u16::from_le_bytes(rest.array()?));
        if u32::from_le_bytes(rest.array()?) as usize != bytes.len() {
            return Err((12, "it has another length than it says"));
        }
        if crc32c::crc32c(body).to_le_bytes() != *sum {
            return Err((body.len(), "its checksum does not fit"));
        }
        if count > PARTS_MAX {
            return Err((10, "it claims too many parts"));
        }
        let sequence = u64::from_le_bytes(rest.array()?);
        let wall_ns = i64::from_le_bytes(rest.array()?);
        let mut parts: Vec<Part> = Vec::with_capacity(count);
        for _ in 0..count {
            let begin = rest.at;
            let length = usize::from(rest.array::<1>()?[0]);
            let name = std::str::from_utf8(rest.take(length)?).map_err(|_| (begin, "a name is not text"))?;
            let name = name.to_owned();
            if name.is_empty() || length > NAME_BYTES_MAX || parts.iter().any(|part| part.name == name) {
                return Err((begin, "a name is missing, too long, or used twice"));
            }
            let version = u32::from_le_bytes(rest.array()?);
            let length = u32::from_le_bytes(rest.array()?) as usize;
            parts.push(Part { name, version, bytes: rest.take(length)?.to_vec() });
        }
        if rest.at == body.len() {
            Ok(Self { sequence, wall_ns, parts })
        } else {
            Err((rest.at, "bytes follow the last part"))
        }
    }
}

fn narrow(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

struct Rest<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], (usize, &'static str)> {
        let taken = self.body[self.at..].get(..length).ok_or((self.at, "it ends within a part"))?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], (usize, &'static str)> {
        self.take(N).map(|bytes| bytes.try_into().unwrap_or([0; N]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Snapshot {
        let part =
            |name: &str, version, bytes: &[u8]| Part { name: name.into(), version, bytes: bytes.into() };
        Snapshot { sequence: 258, wall_ns: -2, parts: vec![part("a", 1, b"xyz"), part("bc", 2, b"")] }
    }

    /// The format as documented: if this fails, raise the version instead.
    #[test]
    fn the_bytes_of_a_snapshot_never_change() {
        #[rustfmt::skip]
        let golden = [
            b'B', b'T', b'Z', b'S', b'T', b'A', b'T', b'E', 1, 0, 2, 0, 60, 0, 0, 0,
            2, 1, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            1, b'a', 1, 0, 0, 0, 3, 0, 0, 0, b'x', b'y', b'z',
            2, b'b', b'c', 2, 0, 0, 0, 0, 0, 0, 0,
        ];
        let bytes = sample().encode().unwrap();
        assert_eq!(bytes[..56], golden);
        assert_eq!(Snapshot::decode(&bytes), Ok(sample()));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let mut bytes = sample().encode().unwrap();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Snapshot::decode(&bytes).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert!((0..bytes.len()).all(|cut| Snapshot::decode(&bytes[..cut]).is_err()));
    }

    #[test]
    fn what_would_not_be_read_again_is_not_written() {
        let part = |name: &str| Part { name: name.into(), version: 1, bytes: Vec::new() };
        for parts in [vec![part("")], vec![part("a"), part("a")], vec![part(&"n".repeat(65))]] {
            assert!(Snapshot { parts, ..sample() }.encode().is_err());
        }
        let many = (0..=PARTS_MAX).map(|number| part(&number.to_string())).collect();
        assert!(Snapshot { parts: many, ..sample() }.encode().is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(sequence: u64, wall_ns: i64,
                                   parts in prop::collection::btree_map("[a-z]{1,9}", (any::<u32>(), prop::collection::vec(any::<u8>(), 0..99)), 0..9)) {
            let parts = parts.into_iter().map(|(name, (version, bytes))| Part { name, version, bytes }).collect();
            let snapshot = Snapshot { sequence, wall_ns, parts };
            prop_assert_eq!(Snapshot::decode(&snapshot.encode().unwrap()), Ok(snapshot));
        }
    }
}
