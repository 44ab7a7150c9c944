//! How far a receiver has come: recorded, so that after a restart delivery goes on where it was.

use crate::codec;
use serde::{Deserialize, Serialize};

/// How far a receiver has come, and what became of the notices before. A record of kind
/// [`Kind::DELIVERY`](crate::ledger::Kind::DELIVERY); the last of a receiver counts.
///
/// ```text
/// payload  ┌───────────┬──────────────────────┬─────────────┬───────────────┬────────────────┬─────────────┐
///          │ version 1 │ receiver: u64, bytes │ position u64│ delivered u64 │ suppressed u64 │ dropped u64 │
///          └───────────┴──────────────────────┴─────────────┴───────────────┴────────────────┴─────────────┘
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The receiver's name.
    pub receiver: String,
    /// Every notice in a record with a smaller number is dealt with.
    pub position: u64,
    /// Notices that it acknowledged.
    pub delivered: u64,
    /// Notices that it is not sent: too mild, or another tenant's.
    pub suppressed: u64,
    /// Notices that it refused for good.
    pub dropped: u64,
}

const VERSION: u8 = 1;

impl Delivery {
    /// The payload of its record.
    ///
    /// # Errors
    /// In words, for a name of more than 4 MiB.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let mut bytes = vec![VERSION];
        codec::encode_behind(self, &mut bytes)?;
        Ok(bytes)
    }

    /// What a record's payload says.
    ///
    /// # Errors
    /// In words, when it is none of this version.
    pub fn decode(payload: &[u8]) -> Result<Self, String> {
        match payload.split_first() {
            Some((&VERSION, rest)) => codec::decode(rest),
            _ => Err(format!("it is not of version {VERSION}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this fails, ledgers of released versions can no longer be read: raise the version instead.
    #[test]
    fn the_bytes_of_payloads_never_change() {
        let delivery =
            Delivery { receiver: "a".into(), position: 2, delivered: 3, suppressed: 4, dropped: 5 };
        let mut golden = vec![1, 1, 0, 0, 0, 0, 0, 0, 0, b'a'];
        for number in 2u64..=5 {
            golden.extend(number.to_le_bytes());
        }
        assert_eq!(delivery.encode().unwrap(), golden);
        assert_eq!(Delivery::decode(&golden), Ok(delivery));
        assert!(Delivery::decode(&golden[1..]).is_err() && Delivery::decode(&[]).is_err());
    }
}
