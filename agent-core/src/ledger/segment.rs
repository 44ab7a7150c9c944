//! A segment's head, and the walk over the records behind it: drawn in the [module](super)'s documentation.

use super::frame::{self, Frame, Salt, TENANT_BYTES_MAX};
use super::merkle::{Frontier, Hash};
use super::tiles::Edge;
use memchr::memmem;
use std::collections::BTreeMap;

pub(super) const FOLDER: &str = "segments";
/// The longest segment that is read. A segment is longer than `segment_bytes` only by its last batch.
pub(super) const SEGMENT_BYTES_MAX: u64 = 256 * 1024 * 1024;

const MAGIC: [u8; 8] = *b"BTZLEDGR";
const VERSION: u16 = 1;
const FIXED_BYTES: usize = 88;
const SUM_BYTES: usize = 4;
/// Bytes looked through for records behind a damaged one, as a multiple of what is there: contents made to look like
/// heads of records must not keep the agent from starting.
const SEARCH_FACTOR: usize = 64;

/// A log as a segment's head tells it: where it stood when the segment began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    /// The tenant's blinded id; zeros for the host.
    pub(super) id: Hash,
    pub(super) tree: Frontier,
    /// Its tiles, which are not in the head; `None` when those on the disk are lost, and no more are written.
    pub(super) edge: Option<Edge>,
}

impl Log {
    /// A log that begins, with tiles.
    pub(super) fn begin(id: Hash) -> Self {
        Self { id, edge: Some(Edge::default()), ..Self::default() }
    }

    /// Appends a leaf.
    pub(super) fn push(&mut self, leaf: Hash) {
        let Self { tree, edge, .. } = self;
        tree.push(leaf, |level, hash| {
            if let Some(edge) = edge {
                edge.complete(level, hash);
            }
        });
    }
}

/// Every log by its tenant; the host's is the empty one.
pub(super) type Logs = BTreeMap<String, Log>;

/// What a segment begins with: everything needed to go on from here, whether or not older segments are still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The number of the first record.
    pub(super) first: u64,
    /// The run and the monotonic time of the record before; zeros when there is none.
    pub(super) run: u32,
    pub(super) mono_ns: u64,
    pub(super) salt: Salt,
    /// The public key that signs.
    pub(super) key: [u8; 32],
    pub(super) origin: String,
    pub(super) logs: Logs,
}

/// The name of the segment that begins with a record.
pub(super) fn name(first: u64) -> String {
    format!("{FOLDER}/{first:016x}.btzl")
}

/// The first record of the segment of a name.
pub(super) fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".btzl")?;
    let first = u64::from_str_radix(digits, 16).ok()?;
    (format!("{first:016x}") == digits).then_some(first)
}

impl Head {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED_BYTES + 128);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&narrow(self.origin.len()).to_le_bytes()[..2]);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.mono_ns.to_le_bytes());
        bytes.extend_from_slice(&self.run.to_le_bytes());
        bytes.extend_from_slice(&narrow(self.logs.len()).to_le_bytes());
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(&self.key);
        bytes.extend_from_slice(self.origin.as_bytes());
        for (tenant, log) in &self.logs {
            bytes.push(narrow(tenant.len()).to_le_bytes()[0]);
            bytes.extend_from_slice(tenant.as_bytes());
            bytes.extend_from_slice(&log.id);
            bytes.extend_from_slice(&log.tree.size().to_le_bytes());
            for hash in log.tree.hashes() {
                bytes.extend_from_slice(hash);
            }
        }
        let length = narrow(bytes.len() + SUM_BYTES);
        bytes[12..16].copy_from_slice(&length.to_le_bytes());
        let sum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads a head, and says how long it is; or where it is wrong, and how.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, usize), (usize, &'static str)> {
        let short = "the file ends within the segment's head";
        let Some(fixed) = bytes.first_chunk::<FIXED_BYTES>() else { return Err((0, short)) };
        if fixed[..8] != MAGIC {
            return Err((0, "this is no segment of a ledger: it does not begin with BTZLEDGR"));
        }
        let mut rest = Cursor { bytes: fixed, at: 8 };
        let version = rest.number(2)?;
        if version != u64::from(VERSION) {
            return Err((8, "it is of a format this version does not know"));
        }
        let origin_length = rest.length(2)?;
        let length = rest.length(4)?;
        if length < FIXED_BYTES + SUM_BYTES || length > bytes.len() {
            return Err((12, short));
        }
        let (body, sum) = bytes[..length].split_at(length - SUM_BYTES);
        if crc32c::crc32c(body).to_le_bytes() != *sum {
            return Err((0, "the checksum of the segment's head does not fit"));
        }
        let mut rest = Cursor { bytes: body, at: 16 };
        let first = rest.number(8)?;
        let mono_ns = rest.number(8)?;
        let run = u32::try_from(rest.number(4)?).unwrap_or(u32::MAX);
        let count = rest.length(4)?;
        let salt = rest.array()?;
        let key = rest.array()?;
        let origin = rest.text(origin_length)?;
        let mut logs = Logs::new();
        for _ in 0..count {
            let at = rest.at;
            let tenant_length = rest.length(1)?;
            let tenant = rest.text(tenant_length)?;
            let id = rest.array()?;
            let size = rest.number(8)?;
            let hashes = (0..size.count_ones()).map(|_| rest.array()).collect::<Result<_, _>>()?;
            let tree = Frontier::from_parts(size, hashes).unwrap_or_default();
            if tenant.len() > TENANT_BYTES_MAX
                || logs.last_key_value().is_some_and(|(last, _)| *last >= tenant)
            {
                return Err((at, "the logs in the segment's head are not in order"));
            }
            logs.insert(tenant, Log { id, tree, edge: None });
        }
        if rest.at != body.len() {
            return Err((rest.at, "the segment's head has bytes too many"));
        }
        Ok((Self { first, run, mono_ns, salt, key, origin, logs }, length))
    }
}

fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn take(&mut self, length: usize) -> Result<&[u8], (usize, &'static str)> {
        let end = self.at.saturating_add(length);
        let bytes = self.bytes.get(self.at..end).ok_or((self.at, "the segment's head ends too early"))?;
        self.at = end;
        Ok(bytes)
    }
    fn number(&mut self, length: usize) -> Result<u64, (usize, &'static str)> {
        Ok(self.take(length)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
    fn length(&mut self, length: usize) -> Result<usize, (usize, &'static str)> {
        Ok(usize::try_from(self.number(length)?).unwrap_or(usize::MAX))
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], (usize, &'static str)> {
        let at = self.at;
        self.take(N)?.try_into().map_err(|_| (at, "the segment's head ends too early"))
    }
    fn text(&mut self, length: usize) -> Result<String, (usize, &'static str)> {
        let at = self.at;
        String::from_utf8(self.take(length)?.to_vec())
            .map_err(|_| (at, "a name in the segment's head is not text"))
    }
}

/// How the records of a segment end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With the last record, or with zeros behind it that were set aside.
    Clean,
    /// Within a batch that was never durable; so many bytes are to be cut off.
    Torn { bytes: u64 },
    /// Records behind it show that what is here was durable once, or something is out of order.
    Damaged { what: &'static str },
}

/// Where a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walked {
    /// The number of the next record.
    pub(super) next: u64,
    /// Where it would begin, in bytes.
    pub(super) end: usize,
    pub(super) ending: Ending,
}

/// Goes over the records from an offset on, the first of which must have the number `next`.
pub(super) fn walk(
    bytes: &[u8],
    mut at: usize,
    mut next: u64,
    salt: &Salt,
    mut each: impl FnMut(usize, &Frame),
) -> Walked {
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let ending = match frame::parse(rest, salt) {
            Ok(frame) if frame.record.sequence == next => {
                each(at, &frame);
                at += frame.bytes;
                next += 1;
                continue;
            }
            Ok(_) => Ending::Damaged { what: "a record with another number is in its place" },
            Err(_) if rest.iter().all(|byte| *byte == 0) => Ending::Clean,
            Err(what) if is_durable_behind(rest, next, salt) => Ending::Damaged { what },
            Err(_) => Ending::Torn { bytes: rest.len() as u64 },
        };
        return Walked { next, end: at, ending };
    }
}

/// Whether a record behind is of a later batch than the record `next`. A batch is written only once the one before is
/// durable, so then `next` was. Records of the same batch prove nothing: their writes may have overtaken each other.
fn is_durable_behind(rest: &[u8], next: u64, salt: &Salt) -> bool {
    let mut budget = rest.len().saturating_mul(SEARCH_FACTOR);
    for at in memmem::find_iter(rest, &frame::MAGIC) {
        match frame::parse(&rest[at..], salt) {
            Ok(frame) if frame.batch() > next => return true,
            _ => {}
        }
        let claimed =
            rest.get(at + 4..at + 8).and_then(|length| length.try_into().ok()).map_or(0, u32::from_le_bytes);
        budget = budget.saturating_sub(claimed.min(70_000) as usize);
        if budget == 0 {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::frame::tests::record;
    use super::*;
    use crate::ledger::merkle::leaf_hash;

    const SALT: Salt = [3; 16];

    fn head() -> Head {
        let mut tree = Frontier::default();
        for n in 0..7u8 {
            tree.push(leaf_hash(&[n]), |_, _| {});
        }
        let logs = [
            (String::new(), Log::default()),
            ("acme".to_owned(), Log { id: [1; 32], tree: tree.clone(), edge: None }),
            ("zeta".to_owned(), Log { id: [2; 32], tree, edge: None }),
        ];
        Head {
            first: 9,
            run: 2,
            mono_ns: 77,
            salt: SALT,
            key: [5; 32],
            origin: "bartizan/h".into(),
            logs: logs.into(),
        }
    }

    #[test]
    fn a_head_reads_back_and_every_flipped_bit_is_noticed() {
        let mut bytes = head().encode();
        bytes.extend_from_slice(&[0; 9]);
        assert_eq!(Head::decode(&bytes), Ok((head(), bytes.len() - 9)));
        for bit in 0..(bytes.len() - 9) * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Head::decode(&bytes).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for cut in 0..bytes.len() - 9 {
            assert!(Head::decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn names_sort_as_their_numbers_do() {
        assert_eq!(name(255), "segments/00000000000000ff.btzl");
        assert_eq!(first_of("00000000000000ff.btzl"), Some(255));
        for wrong in ["ff.btzl", "00000000000000FF.btzl", "00000000000000ff.btzl.tmp", ""] {
            assert_eq!(first_of(wrong), None);
        }
    }

    /// Two batches of three records.
    fn two_batches() -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut begins) = (Vec::new(), Vec::new());
        for sequence in 0..6u64 {
            begins.push(bytes.len());
            frame::write(
                &mut bytes,
                &SALT,
                u32::try_from(sequence % 3).unwrap(),
                &record(sequence, "t", &[7; 40]),
            );
        }
        (bytes, begins)
    }

    #[test]
    fn a_bad_record_is_damage_when_a_later_batch_follows_and_torn_otherwise() {
        let (good, begins) = two_batches();
        let ending = |bytes: &[u8]| walk(bytes, 0, 0, &SALT, |_, _| {});
        let all = Walked { next: 6, end: good.len(), ending: Ending::Clean };
        assert_eq!(ending(&good), all);
        assert_eq!(ending(&[&good[..], &[0; 99]].concat()), all);
        for (number, begin) in begins.iter().enumerate() {
            let mut bytes = good.clone();
            bytes[begin + 50] ^= 1;
            let walked = ending(&bytes);
            assert_eq!((walked.next, walked.end), (number as u64, *begin));
            assert_eq!(matches!(walked.ending, Ending::Damaged { .. }), number < 3, "{number}: {walked:?}");
            assert_eq!(matches!(walked.ending, Ending::Torn { .. }), number >= 3);
        }
        // Twice the same record, and one left out.
        let twice = [&good[..begins[1]], &good[..]].concat();
        assert!(matches!(ending(&twice).ending, Ending::Damaged { .. }));
        let without = [&good[..begins[1]], &good[begins[2]..]].concat();
        assert!(matches!(ending(&without).ending, Ending::Damaged { .. }));
    }

    #[test]
    fn what_looks_like_heads_of_records_is_looked_through_in_bounded_time() {
        let mut noise = vec![0xff; 100];
        for _ in 0..200_000 {
            noise.extend_from_slice(b"BTZR\x00\x80\x00\x00");
        }
        assert!(matches!(walk(&noise, 0, 0, &SALT, |_, _| {}).ending, Ending::Torn { .. }));
    }
}
