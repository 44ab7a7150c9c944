//! The only user of `bincode`: payloads of trace records, nothing else. Not part of the C ABI, and never what is hashed.
//!
//! `bincode` is no longer developed. It is pinned, kept to this file, held to golden bytes by a test, and the framing
//! around it (length, kind, checksum) is our own: a successor has one file to replace.

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest payload, written or read.
pub(super) const PAYLOAD_BYTES_MAX: usize = 4 * 1024 * 1024;

const CONFIG: Configuration<LittleEndian, Fixint, Limit<PAYLOAD_BYTES_MAX>> = bincode::config::standard()
    .with_little_endian()
    .with_fixed_int_encoding()
    .with_limit::<PAYLOAD_BYTES_MAX>();

/// The bytes of a record.
pub(super) fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, String> {
    let bytes = bincode::serde::encode_to_vec(record, CONFIG).map_err(|error| error.to_string())?;
    // bincode holds only readers to the limit.
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(format!("it has {} bytes; at most {PAYLOAD_BYTES_MAX} are allowed", bytes.len()));
    }
    Ok(bytes)
}

/// The record in some bytes, which must be of it and nothing else.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let (record, length) =
        bincode::serde::decode_from_slice(bytes, CONFIG).map_err(|error| error.to_string())?;
    if length == bytes.len() { Ok(record) } else { Err(format!("{} bytes too many", bytes.len() - length)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::record::{Cell, Delta, RowDelta, VmEvent, sample};
    use proptest::prelude::*;

    /// If this fails, traces of released versions can no longer be read: raise the format's version instead.
    #[test]
    fn the_bytes_of_a_delta_never_change() {
        let delta = Delta {
            tick: 1,
            mono_ns: 2,
            wall_ns: -3,
            more: true,
            events: vec![VmEvent { what: 4, row: 3, generation: 2 }],
            rows: vec![RowDelta {
                scope: 6,
                row: 5,
                generation: 7,
                cells: vec![Cell { metric: 0x0102, value: -1, availability: 1 }],
                stamps: vec![(9, 0x0A0B)],
            }],
        };
        #[rustfmt::skip]
        let golden = [
            1, 0, 0, 0, 0, 0, 0, 0,
            2, 0, 0, 0, 0, 0, 0, 0,
            0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            1,
            1, 0, 0, 0, 0, 0, 0, 0,
            4, 3, 0, 0, 0, 2, 0, 0, 0,
            1, 0, 0, 0, 0, 0, 0, 0,
            6, 5, 0, 0, 0, 7, 0, 0, 0,
            1, 0, 0, 0, 0, 0, 0, 0,
            0x02, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
            1, 0, 0, 0, 0, 0, 0, 0,
            9, 0x0b, 0x0a, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(encode(&delta).unwrap(), golden);
        assert_eq!(decode::<Delta>(&golden), Ok(delta));
    }

    #[test]
    fn too_much_too_little_and_too_long_are_refused() {
        let mut bytes = encode(&sample::delta()).unwrap();
        assert!(decode::<Delta>(&bytes[..bytes.len() - 1]).is_err());
        bytes.push(0);
        assert!(decode::<Delta>(&bytes).unwrap_err().contains("too many"));
        // A list that claims to be endless.
        let mut bytes = encode(&sample::delta()).unwrap();
        bytes[25..33].fill(0xff);
        assert!(decode::<Delta>(&bytes).is_err());
        assert!(encode(&vec![0u8; PAYLOAD_BYTES_MAX + 1]).is_err());
    }

    proptest! {
        #[test]
        fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode::<Delta>(&bytes);
            let _ = decode::<crate::trace::Header>(&bytes);
            let _ = decode::<crate::trace::VmRecord>(&bytes);
        }
    }
}
