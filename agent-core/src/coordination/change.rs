//! What happens to claims, as records: the state is what they add up to, and nothing else.

use super::claim::{Claim, Token};
use super::conflict::{Class, Rule};
use super::error::ClaimError;
use crate::codec;
use crate::ledger::Kind;
use serde::{Deserialize, Serialize};

/// One change. Recorded before anybody acts on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A claim is in force from now on.
    Granted {
        /// Its number.
        token: Token,
        /// The claim.
        claim: Claim,
        /// When, on the caller's clock.
        at_ns: u64,
    },
    /// A claim ends later than was said.
    Renewed {
        /// Which.
        token: Token,
        /// When it ends now.
        expires_ns: Option<u64>,
        /// When it was renewed.
        at_ns: u64,
    },
    /// A claim lost against another and is not in force for as long as that one is.
    Slept {
        /// Which.
        token: Token,
        /// Against which.
        by: Token,
        /// By which rule.
        rule: Rule,
        /// When.
        at_ns: u64,
    },
    /// A claim that slept is in force again.
    Woke {
        /// Which.
        token: Token,
        /// Its fencing number from now on.
        fence: Token,
        /// When.
        at_ns: u64,
    },
    /// A claim has ended.
    Ended {
        /// Which.
        token: Token,
        /// Why.
        why: End,
        /// The fencing number of what is done to undo it.
        fence: Token,
        /// When.
        at_ns: u64,
    },
    /// Something was asked for and not granted. Changes nothing.
    Refused {
        /// What.
        claim: Claim,
        /// Until when it was put off; `None` when it was denied.
        until_ns: Option<u64>,
        /// By which rule.
        rule: Rule,
        /// The kind of conflict, where it was one with another claim.
        class: Option<Class>,
        /// Which claim.
        against: Option<Token>,
        /// Why, in one sentence.
        sentence: String,
        /// When.
        at_ns: u64,
    },
}

/// Why a claim ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// Its party released it.
    Released,
    /// Its time was up.
    Expired,
    /// It lost against another claim, and could not wait.
    Displaced {
        /// Which.
        by: Token,
        /// By which rule.
        rule: Rule,
    },
    /// It had been found on the host and is no longer there.
    Gone,
}

impl Change {
    /// What it is recorded as in the [ledger](crate::ledger).
    pub const KIND: Kind = Kind::CLAIM;

    /// The bytes of a record.
    ///
    /// # Errors
    /// When it is longer than a record may be; a claim's bounds are far below.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ClaimError> {
        codec::encode(self).map_err(ClaimError::Record)
    }

    /// The change in a record's bytes.
    ///
    /// # Errors
    /// [`ClaimError::Record`] when they are not of one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClaimError> {
        codec::decode(bytes).map_err(ClaimError::Record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordination::claim::{Mode, Part};
    use crate::coordination::party::Party;
    use crate::coordination::path::ResourcePath;

    /// If this fails, ledgers of released versions can no longer be read: add another variant instead.
    #[test]
    fn the_bytes_never_change() {
        let ended = Change::Ended {
            token: Token(7),
            why: End::Displaced { by: Token(9), rule: Rule::Isolation },
            fence: Token(10),
            at_ns: 3,
        };
        let golden = [
            4, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 10, 0, 0, 0,
            0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(ended.to_bytes().expect("bytes"), golden);
        assert_eq!(Change::from_bytes(&golden), Ok(ended));
        let part = Part::new(ResourcePath::parse("vm/u/net").expect("a path"), Mode::Require, Some("open"));
        let claim = Claim::new(Party::csc("a", "t"), "m", part.undone_by("cut"), "why").until(5);
        let granted = Change::Granted { token: Token(1), claim, at_ns: 2 };
        assert_eq!(Change::from_bytes(&granted.to_bytes().expect("bytes")), Ok(granted));
    }

    #[test]
    fn a_path_that_is_not_well_formed_is_no_record() {
        let part = Part::new(ResourcePath::parse("vm/u/net").expect("a path"), Mode::Hold, None);
        let claim = Claim::new(Party::csp("a"), "m", part, "why");
        let mut bytes = Change::Granted { token: Token(1), claim, at_ns: 2 }.to_bytes().expect("bytes");
        let at = bytes.windows(8).position(|window| window == b"vm/u/net").expect("the path");
        bytes[at] = b'x';
        assert!(Change::from_bytes(&bytes).is_err());
    }
}
