//! What is claimed: a path such as `vm/UUID/net/tap0` or `host/sysctl/net/ipv4/ip_forward`.
//!
//! ```text
//! vm/UUID/{net,power,placement,cpu,memory,disk,image,evidence,confinement}[/...]
//! host/{agent,cgroup,files,iptables,lsm,management,nft,patch,seccomp,sysctl,unit}[/...]
//! ```
//! A path stands for itself and all below it.

use super::error::ClaimError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest path, in bytes.
pub(super) const PATH_BYTES_MAX: usize = 512;
/// The most parts of a path.
pub(super) const PATH_PARTS_MAX: usize = 16;

/// Parts of a VM.
pub(super) const VM_PARTS: [&str; 9] =
    ["confinement", "cpu", "disk", "evidence", "image", "memory", "net", "placement", "power"];
/// Parts of the host.
pub(super) const HOST_PARTS: [&str; 11] = [
    "agent",
    "cgroup",
    "files",
    "iptables",
    "lsm",
    "management",
    "nft",
    "patch",
    "seccomp",
    "sysctl",
    "unit",
];

/// A path that is well formed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourcePath(Box<str>);

impl ResourcePath {
    /// Reads a path.
    ///
    /// # Errors
    /// [`ClaimError::Path`] with what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, ClaimError> {
        let wrong = |why: String| Err(ClaimError::Path { path: shown(text), why });
        if text.len() > PATH_BYTES_MAX {
            return wrong(format!("it is longer than {PATH_BYTES_MAX} bytes"));
        }
        let parts: Vec<&str> = text.split('/').collect();
        if parts.len() > PATH_PARTS_MAX {
            return wrong(format!("it has more than {PATH_PARTS_MAX} parts"));
        }
        if parts.iter().any(|part| part.is_empty() || *part == "." || *part == "..") {
            return wrong("a part is empty, \".\" or \"..\"".to_owned());
        }
        if text.chars().any(|char| char.is_control() || char.is_whitespace()) {
            return wrong("it holds white space or control characters".to_owned());
        }
        let known = |part: Option<&&str>, all: &[&str]| part.is_none_or(|part| all.contains(part));
        match parts[0] {
            "vm" if parts.len() < 2 => wrong("it names no VM: vm/UUID/...".to_owned()),
            "vm" if !known(parts.get(2), &VM_PARTS) => {
                wrong(format!("a VM has no {:?}; it has {}", parts[2], VM_PARTS.join(", ")))
            }
            "host" if !known(parts.get(1), &HOST_PARTS) => {
                wrong(format!("the host has no {:?}; it has {}", parts[1], HOST_PARTS.join(", ")))
            }
            "vm" | "host" => Ok(Self(text.into())),
            _ => wrong("it begins with neither \"vm/\" nor \"host\"".to_owned()),
        }
    }

    /// The path of a VM, or of a part of it (`net/tap0`).
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn of_vm(uuid: &str, part: &str) -> Result<Self, ClaimError> {
        if part.is_empty() {
            Self::parse(&format!("vm/{uuid}"))
        } else {
            Self::parse(&format!("vm/{uuid}/{part}"))
        }
    }

    /// A path below this one.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn below(&self, rest: &str) -> Result<Self, ClaimError> {
        if rest.is_empty() { Ok(self.clone()) } else { Self::parse(&format!("{}/{rest}", self.0)) }
    }

    /// The path as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its parts.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// How many parts it has.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.parts().count()
    }

    /// The VM it is of, if it is of one.
    #[must_use]
    pub fn vm(&self) -> Option<&str> {
        let mut parts = self.parts();
        (parts.next() == Some("vm")).then(|| parts.next()).flatten()
    }

    /// Which part of the VM, if it is of one and not of all of it.
    #[must_use]
    pub fn vm_part(&self) -> Option<&str> {
        self.vm().and_then(|_| self.parts().nth(2))
    }

    /// Whether the other is this one or below it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let rest = other.0.strip_prefix(&*self.0);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether one of the two covers the other.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }
}

/// A text from outside, fit for a message.
pub(super) fn shown(text: &str) -> String {
    let mut end = text.len().min(80);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let cut = if end < text.len() { "..." } else { "" };
    format!("{:?}{cut}", &text[..end])
}

impl TryFrom<String> for ResourcePath {
    type Error = ClaimError;

    fn try_from(text: String) -> Result<Self, ClaimError> {
        Self::parse(&text)
    }
}

impl From<ResourcePath> for String {
    fn from(path: ResourcePath) -> Self {
        path.0.into()
    }
}

impl fmt::Display for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_refused_with_what_would_be_right() {
        for good in
            ["host", "vm/u-1", "vm/u-1/net/tap0", "host/sysctl/net/ipv4/ip_forward", "host/nft/inet/t"]
        {
            assert_eq!(ResourcePath::parse(good).expect(good).as_str(), good);
        }
        let long = format!("host/files/{}", "a".repeat(600));
        let deep = format!("host/files{}", "/a".repeat(20));
        let bad = [
            ("", "empty"),
            ("vm", "names no VM"),
            ("vm//net", "empty"),
            ("vm/u/../v", "empty"),
            ("vm/u/nett", "it has confinement, cpu"),
            ("host/nftables", "it has agent"),
            ("etc/passwd", "begins with neither"),
            ("host/files/a b", "white space"),
            (&long, "longer than"),
            (&deep, "more than"),
        ];
        for (text, why) in bad {
            let error = ResourcePath::parse(text).expect_err(text).to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_path_covers_what_is_below_it_and_not_what_begins_like_it() {
        let path = |text: &str| ResourcePath::parse(text).expect("a path");
        assert!(path("vm/a").covers(&path("vm/a/net")));
        assert!(!path("vm/a").covers(&path("vm/ab/net")));
        assert!(path("vm/a/net").overlaps(&path("vm/a")) && !path("vm/a/net").covers(&path("vm/a")));
        assert_eq!((path("vm/a/net/t").vm(), path("vm/a/net/t").vm_part()), (Some("a"), Some("net")));
        assert_eq!((path("host/nft").vm(), path("vm/a").vm_part()), (None, None));
    }
}
