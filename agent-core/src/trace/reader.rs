//! Reads a trace, record by record.

use super::error::TraceError;
use super::framing::{Next, Raw, Records};
use super::record::{ConfigRecord, Delta, End, Header, LabelsRecord, PeriodsRecord, Record, VmRecord};
use crate::codec;
use serde::de::DeserializeOwned;
use std::io::Read;

/// One record after the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A VM appeared or changed.
    Vm(VmRecord),
    /// The host's devices have other names or rows.
    Labels(LabelsRecord),
    /// A tick.
    Delta(Delta),
    /// Another configuration came into force.
    Config(ConfigRecord),
    /// Sources are read at other intervals.
    Periods(PeriodsRecord),
}

/// How a trace ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// It was not read to its end yet.
    Unread,
    /// The recording was ended in order.
    Complete(End),
    /// The recorder was killed between two records: nothing that was written is lost.
    Open,
    /// The recorder or its host died within a record: everything before this byte is good.
    Torn {
        /// Where the unfinished record begins.
        offset: u64,
    },
}

/// A trace that is being read. Memory is bounded by the longest record, whatever the file claims.
pub struct TraceReader<R> {
    records: Records<R>,
    header: Header,
    tail: Tail,
}

impl<R: Read> TraceReader<R> {
    /// Reads the header. Wrap a file in a `BufReader`.
    ///
    /// # Errors
    /// See [`TraceError`].
    pub fn new(reader: R) -> Result<Self, TraceError> {
        let mut records = Records::new(reader)?;
        match records.next()? {
            Next::Record(raw) if raw.kind == Header::KIND => {
                let header = decode(&raw)?;
                Ok(Self { records, header, tail: Tail::Unread })
            }
            Next::Record(raw) => Err(corrupt(&raw, "the first record is no header".into())),
            Next::End => {
                Err(TraceError::Corrupt { offset: 16, what: "there is nothing after the file's head".into() })
            }
            Next::Torn(offset) => Err(TraceError::Corrupt { offset, what: "the header is cut off".into() }),
        }
    }

    /// What was recorded, and by whom.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How the trace ends, once [`TraceReader::next_event`] has returned `None`.
    #[must_use]
    pub fn tail(&self) -> Tail {
        self.tail
    }

    /// The next record; `None` at the end, of which [`TraceReader::tail`] then tells more.
    ///
    /// # Errors
    /// See [`TraceError`].
    pub fn next_event(&mut self) -> Result<Option<Event>, TraceError> {
        if self.tail != Tail::Unread {
            return Ok(None);
        }
        let raw = match self.records.next()? {
            Next::Record(raw) => raw,
            Next::End => {
                self.tail = Tail::Open;
                return Ok(None);
            }
            Next::Torn(offset) => {
                self.tail = Tail::Torn { offset };
                return Ok(None);
            }
        };
        match raw.kind {
            VmRecord::KIND => Ok(Some(Event::Vm(decode(&raw)?))),
            LabelsRecord::KIND => Ok(Some(Event::Labels(decode(&raw)?))),
            Delta::KIND => Ok(Some(Event::Delta(decode(&raw)?))),
            ConfigRecord::KIND => Ok(Some(Event::Config(decode(&raw)?))),
            PeriodsRecord::KIND => Ok(Some(Event::Periods(decode(&raw)?))),
            End::KIND => {
                self.tail = Tail::Complete(decode(&raw)?);
                Ok(None)
            }
            kind => Err(corrupt(&raw, format!("records of kind {kind} are unknown"))),
        }
    }
}

fn decode<T: DeserializeOwned>(raw: &Raw) -> Result<T, TraceError> {
    codec::decode(&raw.payload).map_err(|error| corrupt(raw, format!("its payload makes no sense: {error}")))
}

fn corrupt(raw: &Raw, what: String) -> TraceError {
    TraceError::Corrupt { offset: raw.offset, what }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
