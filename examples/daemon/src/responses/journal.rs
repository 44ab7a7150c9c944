//! Responses and claims in the ledger.

use crate::exit::{Code, Failure};
use bartizan_core::coordination::{self, Change};
use bartizan_core::ledger::{Ledger, RealDisk, read};
use bartizan_core::response::book::{Book, Entry};
use bartizan_core::response::coordinated::Claims;
use bartizan_core::response::responder::Journal;
use std::path::Path;
use std::sync::Arc;

/// A ledger that is waited for.
pub(super) struct Ledgered(pub(super) Ledger);

impl Journal for Ledgered {
    fn append(&mut self, entry: &Entry, tenant: &str) -> Result<(), String> {
        let ticket =
            self.0.append(Entry::KIND, tenant, &entry.to_bytes()?).map_err(|error| error.to_string())?;
        ticket.wait().map_err(|error| error.to_string())
    }
}

impl Claims for Ledgered {
    fn append(&mut self, changes: &[Change]) -> Result<(), String> {
        let mut last = None;
        for change in changes {
            let bytes = change.to_bytes().map_err(|error| error.to_string())?;
            last = Some(self.0.append(Change::KIND, "", &bytes).map_err(|error| error.to_string())?);
        }
        last.map_or(Ok(()), |ticket| ticket.wait().map_err(|error| error.to_string()))
    }
}

/// What a ledger says about responses and claims.
pub(super) struct Replay {
    pub(super) book: Book,
    pub(super) claims: coordination::Book,
}

impl Replay {
    pub(super) fn of(folder: &Path) -> Result<Self, Failure> {
        let (mut book, mut changes, mut strays) = (Book::default(), Vec::new(), 0u64);
        read(Arc::new(RealDisk::new(folder)), 0, |record| {
            if record.kind == Entry::KIND {
                // The beginning of old responses may have been removed for its age: they have ended long ago.
                let taken = Entry::from_bytes(record.payload).and_then(|entry| book.take(&entry));
                strays += u64::from(taken.is_err());
            } else if record.kind == Change::KIND {
                match Change::from_bytes(record.payload) {
                    Ok(change) => changes.push(change),
                    Err(_) => strays += 1,
                }
            }
        })
        .map_err(|error| Failure::new(Code::Data, format!("the ledger in {}: {error}", folder.display())))?;
        if strays > 0 {
            log::warn!("{strays} records of responses have no beginning any more, and are passed over");
        }
        let claims = coordination::Book::replay(&changes).unwrap_or_else(|error| {
            log::warn!("claims of earlier runs are not known any more: {error}");
            coordination::Book::default()
        });
        Ok(Self { book, claims })
    }
}
