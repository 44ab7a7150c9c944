//! Why a claim or request makes no sense, before anything is decided about it.

use std::fmt;

/// A claim or request that is refused as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimError {
    /// The path is not well formed.
    Path {
        /// The path, fit for a message.
        path: String,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// Something else about it.
    Malformed(String),
    /// There is no such VM on this host.
    UnknownVm(String),
    /// There is no such claim, or it has ended.
    UnknownClaim(u64),
    /// It is another party's.
    NotYours {
        /// The claim.
        token: u64,
        /// Whose it is.
        holder: String,
    },
    /// There are as many claims as there may be.
    Full(String),
    /// A record that does not fit what was recorded before.
    Record(String),
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path { path, why } => write!(f, "the path {path} is wrong: {why}"),
            Self::Malformed(why) => f.write_str(why),
            Self::UnknownVm(vm) => write!(f, "there is no VM {vm} on this host"),
            Self::UnknownClaim(token) => write!(f, "there is no claim {token}, or it has ended"),
            Self::NotYours { token, holder } => write!(f, "claim {token} is held by {holder}"),
            Self::Full(why) => write!(f, "there is no room for another claim: {why}"),
            Self::Record(why) => write!(f, "a record does not fit those before it: {why}"),
        }
    }
}

impl std::error::Error for ClaimError {}
