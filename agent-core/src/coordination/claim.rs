//! A claim: what a party says of a resource, until when, and why.

use super::error::ClaimError;
use super::party::{NAME_BYTES_MAX, Party};
use super::path::ResourcePath;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest value, in bytes.
pub(super) const VALUE_BYTES_MAX: usize = 512;
/// The longest reason, in bytes.
pub(super) const REASON_BYTES_MAX: usize = 512;
/// The most parts of one claim.
pub(super) const PARTS_MAX: usize = 16;

/// A claim's number. It grows with every claim that is granted, is never used again, and is its fencing token: whoever
/// acts refuses a number below the highest it has seen for a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Token(pub u64);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is said of a resource. The last three are what an action does while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// It must have this value, whoever sets it.
    Require,
    /// It must not be given this value; without a value, nobody may change it.
    Forbid,
    /// Only this party may change it.
    Exclusive,
    /// It is given this value, together with whoever gives it the same.
    Shared,
    /// It must not be destroyed.
    Hold,
    /// It is needed as it is: with this value, or whatever it is now.
    Stable,
    /// It is read.
    Reads,
    /// It is destroyed.
    Destroys,
}

/// One resource of a claim.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Part {
    /// Which resource.
    pub path: ResourcePath,
    /// What is said of it.
    pub mode: Mode,
    /// The value, where the mode has one.
    pub value: Option<String>,
    /// What it is to be again when nobody gives it a value any more: what it was before.
    pub undo: Option<String>,
}

/// Where a claim comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// A party asked.
    Asked,
    /// It was found on the host, where nobody asks.
    Found,
}

/// What a party says or does, all of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// Who.
    pub party: Party,
    /// By which means, such as `nftables`, `cgroup` or `libvirt`.
    pub mechanism: String,
    /// The action that is taken, where it is one: see [`super::effects`].
    pub action: Option<String>,
    /// Of which resources.
    pub parts: Vec<Part>,
    /// Whether it keeps the VM from others: a cut network, a frozen guest.
    pub isolates: bool,
    /// Whether the VM's users notice: counted against the most VMs that may be disrupted at a time.
    pub disrupts: bool,
    /// The larger counts more, between equals in all else.
    pub priority: i16,
    /// When it ends by itself, on the caller's clock; `None` when it stays until it is released.
    pub expires_ns: Option<u64>,
    /// Why.
    pub reason: String,
    /// Whether it was asked for or found.
    pub origin: Origin,
}

impl Mode {
    /// All modes.
    pub const ALL: [Self; 8] = [
        Self::Require,
        Self::Forbid,
        Self::Exclusive,
        Self::Shared,
        Self::Hold,
        Self::Stable,
        Self::Reads,
        Self::Destroys,
    ];

    /// The lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Require => "require",
            Self::Forbid => "forbid",
            Self::Exclusive => "exclusive",
            Self::Shared => "shared",
            Self::Hold => "hold",
            Self::Stable => "stable",
            Self::Reads => "reads",
            Self::Destroys => "destroys",
        }
    }

    /// The mode of a word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// Whether a part of it gives the resource its value.
    #[must_use]
    pub const fn sets(self) -> bool {
        matches!(self, Self::Require | Self::Exclusive | Self::Shared)
    }
}

impl Part {
    /// A part without undo.
    #[must_use]
    pub fn new(path: ResourcePath, mode: Mode, value: Option<&str>) -> Self {
        Self { path, mode, value: value.map(str::to_owned), undo: None }
    }

    /// With what the resource is to be again afterwards.
    #[must_use]
    pub fn undone_by(mut self, before: impl Into<String>) -> Self {
        self.undo = Some(before.into());
        self
    }

    /// The value it gives the resource, if it gives one.
    #[must_use]
    pub fn given(&self) -> Option<&str> {
        self.value.as_deref().filter(|_| self.mode.sets())
    }
}

impl fmt::Display for Part {
    /// `require vm/u/net = open`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.mode.name(), self.path)?;
        self.value.as_ref().map_or(Ok(()), |value| write!(f, " = {value}"))
    }
}

impl Claim {
    /// A claim of one resource that stays until it is released, asked for by a party.
    #[must_use]
    pub fn new(party: Party, mechanism: &str, part: Part, reason: &str) -> Self {
        Self {
            party,
            mechanism: mechanism.to_owned(),
            action: None,
            parts: vec![part],
            isolates: false,
            disrupts: false,
            priority: 0,
            expires_ns: None,
            reason: reason.to_owned(),
            origin: Origin::Asked,
        }
    }

    /// With a time at which it ends by itself.
    #[must_use]
    pub fn until(mut self, expires_ns: u64) -> Self {
        self.expires_ns = Some(expires_ns);
        self
    }

    /// With a priority.
    #[must_use]
    pub fn with_priority(mut self, priority: i16) -> Self {
        self.priority = priority;
        self
    }

    /// With a value that another resource must have, as long as the claim lives.
    #[must_use]
    pub fn while_is(mut self, path: ResourcePath, value: &str) -> Self {
        self.parts.push(Part::new(path, Mode::Stable, Some(value)));
        self
    }

    /// What is wrong with it, whoever asks and whatever else is claimed.
    ///
    /// # Errors
    /// [`ClaimError::Malformed`] with the field and what would be right.
    pub fn validate(&self) -> Result<(), ClaimError> {
        let wrong = |why: String| Err(ClaimError::Malformed(why));
        let tenant = self.party.tenant.as_deref();
        for (what, text) in
            [("party", Some(&*self.party.name)), ("mechanism", Some(&*self.mechanism)), ("tenant", tenant)]
        {
            let Some(text) = text else { continue };
            if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
                return wrong(format!(
                    "the {what} is empty, longer than {NAME_BYTES_MAX} bytes, or no plain text"
                ));
            }
        }
        if self.party.role == super::party::Role::Csc && tenant.is_none() {
            return wrong(format!("{} is a customer and names no tenant", self.party));
        }
        if self.reason.is_empty() || self.reason.len() > REASON_BYTES_MAX {
            return wrong(format!("a claim says why, in at most {REASON_BYTES_MAX} bytes"));
        }
        if self.parts.is_empty() || self.parts.len() > PARTS_MAX {
            return wrong(format!("a claim is of 1 to {PARTS_MAX} resources, not of {}", self.parts.len()));
        }
        for (index, part) in self.parts.iter().enumerate() {
            let value = part.value.as_deref();
            if [value, part.undo.as_deref()].into_iter().flatten().any(|text| text.len() > VALUE_BYTES_MAX) {
                return wrong(format!("a value of {} is longer than {VALUE_BYTES_MAX} bytes", part.path));
            }
            match part.mode {
                Mode::Require | Mode::Shared if value.is_none() => {
                    return wrong(format!("{} {} needs a value", part.mode.name(), part.path));
                }
                Mode::Hold | Mode::Reads | Mode::Destroys if value.is_some() => {
                    return wrong(format!("{} {} takes no value", part.mode.name(), part.path));
                }
                _ => {}
            }
            if part.undo.is_some() && part.given().is_none() {
                return wrong(format!("{part} has an undo, and gives no value that could be undone"));
            }
            let contradicts = |other: &&Part| super::collision::of_parts(part, other).is_some();
            if let Some(other) = self.parts[..index].iter().find(contradicts) {
                return wrong(format!("it contradicts itself: {other}, and {part}"));
            }
        }
        Ok(())
    }
}
