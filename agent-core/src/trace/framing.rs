//! Records in a stream of bytes: see the file format in the [module](super)'s documentation.

use super::error::{RecordError, TraceError};
use super::record::Record;
use crate::codec::{self, PAYLOAD_BYTES_MAX};
use serde::Serialize;
use std::io::{ErrorKind, Read, Write};

/// The format's version.
pub(super) const VERSION: u16 = 1;

const MAGIC: [u8; 8] = *b"BTZTRACE";
const FILE_HEAD_BYTES: usize = 16;
const HEAD_BYTES: usize = 12;
/// Bytes asked of the reader at a time, so that a length is believed only as far as bytes follow it.
const CHUNK_BYTES: usize = 64 * 1024;

/// Writes what every trace begins with.
pub(super) fn write_file_head(writer: &mut impl Write) -> Result<(), RecordError> {
    let mut head = [0; FILE_HEAD_BYTES];
    head[..8].copy_from_slice(&MAGIC);
    head[8..10].copy_from_slice(&VERSION.to_le_bytes());
    writer.write_all(&head).map_err(RecordError::Io)
}

/// Writes one record; returns how many bytes it took.
pub(super) fn write<T: Record + Serialize>(writer: &mut impl Write, record: &T) -> Result<u64, RecordError> {
    let payload = codec::encode(record).map_err(RecordError::Encode)?;
    let length = u32::try_from(payload.len()).map_err(|error| RecordError::Encode(error.to_string()))?;
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4] = T::KIND;
    let sum = checksum(&head, &payload);
    head[8..].copy_from_slice(&sum.to_le_bytes());
    writer.write_all(&head).and_then(|()| writer.write_all(&payload)).map_err(RecordError::Io)?;
    Ok((HEAD_BYTES + payload.len()) as u64)
}

fn number(head: &[u8; HEAD_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

fn checksum(head: &[u8; HEAD_BYTES], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&head[..8]), payload)
}

/// One record as it is in the file.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) offset: u64,
    pub(super) kind: u8,
    pub(super) payload: Vec<u8>,
}

/// What came next.
#[derive(Debug)]
pub(super) enum Next {
    Record(Raw),
    /// The file ends here, between two records.
    End,
    /// The file ends within the record that begins here.
    Torn(u64),
}

/// Cuts a stream into records.
pub(super) struct Records<R> {
    reader: R,
    offset: u64,
}

impl<R: Read> Records<R> {
    /// Checks what every trace begins with.
    pub(super) fn new(reader: R) -> Result<Self, TraceError> {
        let mut records = Self { reader, offset: 0 };
        let mut head = Vec::new();
        if !records.fill(&mut head, FILE_HEAD_BYTES)? || head[..8] != MAGIC {
            return Err(TraceError::NotATrace);
        }
        let version = u16::from_le_bytes([head[8], head[9]]);
        if version != VERSION {
            return Err(TraceError::Version { found: version });
        }
        if head[10..].iter().any(|byte| *byte != 0) {
            return Err(TraceError::Corrupt { offset: 10, what: "reserved bytes are not zero".into() });
        }
        records.offset = FILE_HEAD_BYTES as u64;
        Ok(records)
    }

    /// The next record.
    pub(super) fn next(&mut self) -> Result<Next, TraceError> {
        let offset = self.offset;
        let corrupt = |what: String| TraceError::Corrupt { offset, what };
        let mut bytes = Vec::new();
        if !self.fill(&mut bytes, HEAD_BYTES)? {
            return Ok(if bytes.is_empty() { Next::End } else { Next::Torn(offset) });
        }
        let mut head = [0; HEAD_BYTES];
        head.copy_from_slice(&bytes);
        let length = number(&head, 0) as usize;
        let (kind, zero) = (head[4], &head[5..8]);
        if length > PAYLOAD_BYTES_MAX || zero != [0; 3] {
            // A crash may leave zeros or old bytes at the end, but it does not leave more records after them.
            return Err(corrupt(format!("its head makes no sense (length {length}, reserved {zero:?})")));
        }
        let mut payload = Vec::new();
        if !self.fill(&mut payload, length)? {
            return Ok(Next::Torn(offset));
        }
        if checksum(&head, &payload) != number(&head, 8) {
            if !self.fill(&mut Vec::new(), 1)? {
                return Ok(Next::Torn(offset));
            }
            return Err(corrupt("its checksum does not fit".into()));
        }
        self.offset = offset + (HEAD_BYTES + length) as u64;
        Ok(Next::Record(Raw { offset, kind, payload }))
    }

    /// Reads exactly so many bytes; `false` when the file ends before.
    fn fill(&mut self, bytes: &mut Vec<u8>, wanted: usize) -> Result<bool, TraceError> {
        while bytes.len() < wanted {
            let begin = bytes.len();
            bytes.resize(wanted.min(begin + CHUNK_BYTES), 0);
            let read = self.reader.read(&mut bytes[begin..]);
            bytes.truncate(begin + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(TraceError::Io { offset: self.offset + begin as u64, error }),
            }
        }
        Ok(true)
    }
}
