//! The only user of `bincode`: payloads of trace and ledger records, nothing else. Not part of the C ABI. What is hashed
//! are bytes as they were stored, never what encoding them again would make of them.
//!
//! `bincode` is no longer developed. It is pinned, kept to this file, held to golden bytes by tests where the records are, and the framing
//! around it (length, kind, checksum) is our own: a successor has one file to replace.

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest payload, written or read.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 4 * 1024 * 1024;

const CONFIG: Configuration<LittleEndian, Fixint, Limit<PAYLOAD_BYTES_MAX>> = bincode::config::standard()
    .with_little_endian()
    .with_fixed_int_encoding()
    .with_limit::<PAYLOAD_BYTES_MAX>();

/// The bytes of a record.
pub(crate) fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, String> {
    let bytes = bincode::serde::encode_to_vec(record, CONFIG).map_err(|error| error.to_string())?;
    // bincode holds only readers to the limit.
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(format!("it has {} bytes; at most {PAYLOAD_BYTES_MAX} are allowed", bytes.len()));
    }
    Ok(bytes)
}

/// Puts the bytes of a record behind what is there, so that memory can be used again.
pub(crate) fn encode_behind<T: Serialize>(record: &T, out: &mut Vec<u8>) -> Result<(), String> {
    let begin = out.len();
    bincode::serde::encode_into_std_write(record, out, CONFIG).map_err(|error| error.to_string())?;
    if out.len() - begin > PAYLOAD_BYTES_MAX {
        return Err(format!("it has {} bytes; at most {PAYLOAD_BYTES_MAX} are allowed", out.len() - begin));
    }
    Ok(())
}

/// The record in some bytes, which must be of it and nothing else.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let (record, length) =
        bincode::serde::decode_from_slice(bytes, CONFIG).map_err(|error| error.to_string())?;
    if length == bytes.len() { Ok(record) } else { Err(format!("{} bytes too many", bytes.len() - length)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_too_little_and_too_long_are_refused() {
        let record = (7u8, vec![1u16, 2], String::from("text"));
        let mut bytes = encode(&record).unwrap();
        assert_eq!(decode::<(u8, Vec<u16>, String)>(&bytes).unwrap(), record);
        assert!(decode::<(u8, Vec<u16>, String)>(&bytes[..bytes.len() - 1]).is_err());
        bytes.push(0);
        assert!(decode::<(u8, Vec<u16>, String)>(&bytes).unwrap_err().contains("too many"));
        // A list that claims to be endless.
        bytes[1..9].fill(0xff);
        assert!(decode::<(u8, Vec<u16>, String)>(&bytes).is_err());
        assert!(encode(&vec![0u8; PAYLOAD_BYTES_MAX + 1]).is_err());
    }
}
