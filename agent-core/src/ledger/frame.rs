//! One record as bytes: drawn in the [module](super)'s documentation.

use super::record::{Kind, Record};

/// The longest payload: a leaf must fit into the 16-bit length of an entry of a log's entry bundle.
pub const PAYLOAD_BYTES_MAX: usize = 60 * 1024;
/// The longest name of a tenant.
pub const TENANT_BYTES_MAX: usize = 255;

pub(super) const MAGIC: [u8; 4] = *b"BTZR";
const VERSION: u8 = 1;
/// Where the leaf begins: what is before it numbers the record in the trail, and is nobody's business but the host's.
const LEAF: usize = 20;
const HEAD_BYTES: usize = 48;
const SUM_BYTES: usize = 4;
/// A record without tenant and payload.
pub(super) const FRAME_BYTES_MIN: usize = HEAD_BYTES + SUM_BYTES;
const FRAME_BYTES_MAX: usize = FRAME_BYTES_MIN + TENANT_BYTES_MAX + PAYLOAD_BYTES_MAX;

/// Random bytes of a ledger that begin every checksum, so that no payload can look like a record of it.
pub(super) type Salt = [u8; 16];

/// A record that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) record: Record<'a>,
    /// How many records of its batch are before it: all of a batch become durable together.
    pub(super) place: u32,
    /// What the transparency log hashes.
    pub(super) leaf: &'a [u8],
    /// Bytes it takes.
    pub(super) bytes: usize,
}

impl Frame<'_> {
    /// The number of the first record of its batch.
    pub(super) fn batch(&self) -> u64 {
        self.record.sequence.saturating_sub(u64::from(self.place))
    }
}

/// Appends a record's bytes. Tenant and payload must not be longer than allowed.
pub(super) fn write(bytes: &mut Vec<u8>, salt: &Salt, place: u32, record: &Record) {
    let begin = bytes.len();
    let length = FRAME_BYTES_MIN + record.tenant.len() + record.payload.len();
    debug_assert!(record.tenant.len() <= TENANT_BYTES_MAX && record.payload.len() <= PAYLOAD_BYTES_MAX);
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(&MAGIC);
    head[4..8].copy_from_slice(&narrow(length));
    head[8..16].copy_from_slice(&record.sequence.to_le_bytes());
    head[16..20].copy_from_slice(&place.to_le_bytes());
    head[20] = VERSION;
    head[21] = narrow(record.tenant.len())[0];
    head[22..24].copy_from_slice(&record.kind.0.to_le_bytes());
    head[24..28].copy_from_slice(&record.run.to_le_bytes());
    head[28..36].copy_from_slice(&record.wall_ns.to_le_bytes());
    head[36..44].copy_from_slice(&record.mono_ns.to_le_bytes());
    head[44..48].copy_from_slice(&narrow(record.payload.len()));
    bytes.reserve(length);
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(record.tenant.as_bytes());
    bytes.extend_from_slice(record.payload);
    let sum = checksum(salt, &bytes[begin..]);
    bytes.extend_from_slice(&sum.to_le_bytes());
}

/// The record at the beginning of some bytes, or what is wrong with it.
pub(super) fn parse<'a>(bytes: &'a [u8], salt: &Salt) -> Result<Frame<'a>, &'static str> {
    let Some(head) = bytes.first_chunk::<HEAD_BYTES>() else {
        return Err("the file ends within a record's head");
    };
    if head[..4] != MAGIC {
        return Err("no record begins here");
    }
    let length = number(head, 4) as usize;
    let (tenant_length, payload_length) = (usize::from(head[21]), number(head, 44) as usize);
    if length > FRAME_BYTES_MAX
        || length != FRAME_BYTES_MIN.saturating_add(tenant_length).saturating_add(payload_length)
    {
        return Err("the lengths in its head do not fit together");
    }
    let Some(frame) = bytes.get(..length) else { return Err("the file ends within the record") };
    let (body, sum) = frame.split_at(length - SUM_BYTES);
    if checksum(salt, body).to_le_bytes() != *sum {
        return Err("its checksum does not fit");
    }
    if head[20] != VERSION {
        return Err("it is of a format this version does not know");
    }
    let (tenant, payload) = body[HEAD_BYTES..].split_at(tenant_length);
    let tenant = std::str::from_utf8(tenant).map_err(|_| "its tenant is not text")?;
    let record = Record {
        sequence: long(head, 8),
        run: number(head, 24),
        wall_ns: long(head, 28).cast_signed(),
        mono_ns: long(head, 36),
        kind: Kind(u16::from_le_bytes([head[22], head[23]])),
        tenant,
        payload,
    };
    Ok(Frame { record, place: number(head, 16), leaf: &body[LEAF..], bytes: length })
}

fn checksum(salt: &Salt, body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(salt), body)
}

fn narrow(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

fn number(head: &[u8; HEAD_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

fn long(head: &[u8; HEAD_BYTES], at: usize) -> u64 {
    u64::from(number(head, at)) | u64::from(number(head, at + 4)) << 32
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    const SALT: Salt = *b"0123456789abcdef";

    pub(crate) fn record<'a>(sequence: u64, tenant: &'a str, payload: &'a [u8]) -> Record<'a> {
        Record { sequence, run: 1, wall_ns: -5, mono_ns: sequence + 1, kind: Kind::ALERT, tenant, payload }
    }

    /// The format as documented: if this fails, raise the version instead.
    #[test]
    fn the_bytes_of_a_record_never_change() {
        let mut bytes = Vec::new();
        write(&mut bytes, &SALT, 2, &record(258, "ab", b"xyz"));
        #[rustfmt::skip]
        let golden = [
            b'B', b'T', b'Z', b'R', 57, 0, 0, 0,
            2, 1, 0, 0, 0, 0, 0, 0,
            2, 0, 0, 0,
            1, 2, 3, 0, 1, 0, 0, 0,
            0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            3, 1, 0, 0, 0, 0, 0, 0,
            3, 0, 0, 0,
            b'a', b'b', b'x', b'y', b'z',
        ];
        assert_eq!(bytes[..53], golden);
        let frame = parse(&bytes, &SALT).unwrap();
        assert_eq!((frame.record, frame.place, frame.batch()), (record(258, "ab", b"xyz"), 2, 256));
        assert_eq!((frame.leaf, frame.bytes), (&bytes[20..53], 57));
    }

    #[test]
    fn every_flipped_bit_every_cut_and_another_salt_is_noticed() {
        let mut bytes = Vec::new();
        write(&mut bytes, &SALT, 0, &record(7, "tenant", &[9; 100]));
        write(&mut bytes, &SALT, 0, &record(8, "", &[]));
        let first = parse(&bytes, &SALT).unwrap().bytes;
        for bit in 0..first * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&bytes, &SALT).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for cut in 0..first {
            assert!(parse(&bytes[..cut], &SALT).is_err());
        }
        assert!(parse(&bytes, b"0123456789abcdeg").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(sequence: u64, run: u32, wall: i64, mono: u64, kind: u16, place: u32,
                                   tenant in "[a-zé]{0,20}", payload in prop::collection::vec(any::<u8>(), 0..500)) {
            let record = Record { sequence, run, wall_ns: wall, mono_ns: mono, kind: Kind(kind), tenant: &tenant, payload: &payload };
            let mut bytes = vec![];
            write(&mut bytes, &SALT, place, &record);
            let frame = parse(&bytes, &SALT).unwrap();
            prop_assert_eq!((frame.record, frame.place, frame.bytes), (record, place, bytes.len()));
        }

        #[test]
        fn noise_is_no_record(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(parse(&bytes, &SALT).is_err());
        }
    }
}
