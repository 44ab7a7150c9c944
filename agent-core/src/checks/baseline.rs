//! A known-good state, and what has drifted from it: facts, not verdicts, so that a change from good to otherwise good
//! is seen too.
//!
//! A snapshot is JSON lines, sorted: a first line that says what it is, then one line for each fact. Two hosts with the
//! same facts give the same bytes, but for the first line.

use super::fact::{Fact, Value};
use super::facts::{FactId, Facts};
use super::report::json::rfc3339;
use super::vm::Vm;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Bytes of a snapshot that is read.
pub const FILE_BYTES_MAX: usize = 64 << 20;
const FORMAT: &str = "bartizan-baseline";
const VERSION: u64 = 1;

/// All facts of a host at one time. VMs go by their UUID or name, so that a restart is no drift.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    facts: BTreeMap<(String, String), String>,
}

/// One fact that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// `host`, or the VM.
    pub subject: String,
    /// The fact.
    pub key: String,
    /// What it was, as JSON; `None` when it was not looked at.
    pub before: Option<String>,
    /// What it is, as JSON; `None` when it is no longer looked at.
    pub after: Option<String>,
}

/// A snapshot that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for SnapshotError {}

impl Snapshot {
    /// The facts that were read.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let name = |id: &FactId| match id.vm {
            None => Some("host".to_owned()),
            Some(wanted) => facts.vms().iter().find(|vm| vm.id == wanted).map(stable),
        };
        let snapshot = facts.snapshot();
        let told = snapshot.iter().filter(|(id, _)| !passing(&id.key));
        Self {
            facts: told
                .filter_map(|(id, fact)| Some(((name(id)?, id.key.to_string()), shown(fact))))
                .collect(),
        }
    }

    /// The snapshot's bytes; `taken_ns` is when it was taken, nanoseconds since the epoch.
    #[must_use]
    pub fn to_text(&self, taken_ns: i64) -> String {
        let mut text = String::new();
        for ((subject, key), value) in &self.facts {
            let line = json!([subject, key, value]);
            text.push_str(&line.to_string());
            text.push('\n');
        }
        let header = json!({
            "format": FORMAT,
            "version": VERSION,
            "taken": rfc3339(taken_ns),
            "facts": self.facts.len(),
            "sha256": sha256(&text),
        });
        format!("{header}\n{text}")
    }

    /// Reads a snapshot's bytes.
    ///
    /// # Errors
    /// With the line: when it is no snapshot, is of another version, was cut, or does not match its own checksum.
    pub fn parse(text: &str) -> Result<Self, SnapshotError> {
        let refuse = |line: usize, message: &str| SnapshotError { line, message: message.to_owned() };
        let (header, rest) = text.split_once('\n').ok_or_else(|| refuse(1, "this is no baseline"))?;
        let header: serde_json::Value =
            serde_json::from_str(header).map_err(|_| refuse(1, "this is no baseline"))?;
        if header["format"] != FORMAT {
            return Err(refuse(1, "this is no baseline"));
        }
        if header["version"] != VERSION {
            return Err(refuse(1, "is of a version that this program does not know"));
        }
        if header["sha256"] != sha256(rest) {
            return Err(refuse(1, "its checksum does not match: it was cut or changed"));
        }
        let mut facts = BTreeMap::new();
        for (index, line) in rest.lines().enumerate() {
            let (subject, key, value): (String, String, String) =
                serde_json::from_str(line).map_err(|error| refuse(index + 2, &error.to_string()))?;
            facts.insert((subject, key), value);
        }
        Ok(Self { facts })
    }

    /// What is different now, by subject and fact.
    #[must_use]
    pub fn drift(&self, now: &Self) -> Vec<Drift> {
        let mut keys: Vec<&(String, String)> = self.facts.keys().chain(now.facts.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        let differs = keys.into_iter().filter(|key| self.facts.get(*key) != now.facts.get(*key));
        differs
            .map(|key| Drift {
                subject: key.0.clone(),
                key: key.1.clone(),
                before: self.facts.get(key).cloned(),
                after: now.facts.get(key).cloned(),
            })
            .collect()
    }

    /// How many facts it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }
}

fn stable(vm: &Arc<Vm>) -> String {
    if vm.uuid.is_empty() { format!("vm/{}", vm.name) } else { format!("vm/{}", vm.uuid) }
}

/// Facts that name processes or sockets, and so differ after every restart.
fn passing(key: &str) -> bool {
    matches!(key, "vms.list" | "listen.sockets")
}

fn shown(fact: &Fact) -> String {
    match &fact.value {
        Ok(Value::Text(text)) => text.clone(),
        Ok(value) => json!(value).to_string(),
        // The word alone: what would open a file may be worded otherwise in a later version.
        Err(why) => format!("!{}", why.name()),
    }
}

fn sha256(text: &str) -> String {
    use std::fmt::Write;
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fact::Found;
    use proptest::prelude::*;

    fn snapshot(facts: &[(&str, i64)]) -> Snapshot {
        let id = |key: &str| FactId { vm: None, key: key.into() };
        let facts = facts.iter().map(|(key, value)| (id(key), Found::value(*value, "here")));
        Snapshot::of(&Facts::fixed(facts, Vec::new()))
    }

    #[test]
    fn what_changed_came_and_went_is_drift() {
        let (before, after) =
            (snapshot(&[("a", 1), ("b", 2), ("c", 3)]), snapshot(&[("b", 2), ("c", 4), ("d", 5)]));
        let drift = before.drift(&after);
        let told: Vec<_> =
            drift.iter().map(|d| (d.key.as_str(), d.before.as_deref(), d.after.as_deref())).collect();
        assert_eq!(told, [("a", Some("1"), None), ("c", Some("3"), Some("4")), ("d", None, Some("5"))]);
        assert!(before.drift(&before).is_empty());
    }

    #[test]
    fn a_snapshot_that_was_cut_or_changed_is_refused() {
        let before = snapshot(&[("a", 1), ("b", 2)]);
        let text = before.to_text(0);
        assert_eq!(Snapshot::parse(&text), Ok(before));
        let cut = text.trim_end().rsplit_once('\n').expect("lines").0;
        for (wrong, word) in [
            (text.replace("\"2\"", "\"3\""), "checksum"),
            (format!("{cut}\n"), "checksum"),
            (text.replace("bartizan-baseline", "other"), "no baseline"),
            (text.replace("\"version\":1", "\"version\":9"), "version"),
            (String::new(), "no baseline"),
        ] {
            let error = Snapshot::parse(&wrong).expect_err(word);
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in ".{0,200}") {
            let _ = Snapshot::parse(&text);
        }
    }
}
