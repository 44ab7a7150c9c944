//! Configuration generations: numbered, kept as text, the last good one to go on with when today's file is wrong.
//!
//! A generation is a configuration that was in force. Its number grows by one each time another one comes into force;
//! its text is in `recovery/config-<number>`, durably, before the record that names it. The record has its SHA-256, so a
//! text that was changed on the disk is never loaded.

use super::participant::Participant;
use super::store::FOLDER;
use crate::codec;
use crate::ledger::{Disk, Files, Kind, LedgerError, Record};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// The generations that are remembered, and whose texts are kept.
pub const KEPT: usize = 16;
/// The longest text.
pub const TEXT_BYTES_MAX: u64 = 4 << 20;
/// The longest note of who put it into force.
const WHO_BYTES_MAX: usize = 256;

/// One that was in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Its number, from 1.
    pub number: u64,
    /// The SHA-256 of its text.
    pub sha256: [u8; 32],
    /// When it came into force, `CLOCK_REALTIME` nanoseconds since the epoch.
    pub since_wall_ns: i64,
    /// Who put it into force, for people.
    pub who: String,
}

/// The last generations, as the trail tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generations {
    /// The oldest first, each with a number.
    known: VecDeque<Generation>,
}

/// The payload of a `config` record that says what is in force: JSON with at least these.
#[derive(Deserialize)]
struct Told {
    generation: u64,
    config_sha256: String,
    #[serde(default)]
    who: String,
}

impl Generations {
    /// The one in force, or that was last.
    #[must_use]
    pub fn last(&self) -> Option<&Generation> {
        self.known.back()
    }

    /// Those that are remembered, the oldest first.
    pub fn known(&self) -> impl Iterator<Item = &Generation> {
        self.known.iter()
    }

    /// The number that a text has, or will have once it is in force.
    #[must_use]
    pub fn number_of(&self, text: &str) -> u64 {
        let sha256 = sha256(text);
        match self.last() {
            Some(last) if last.sha256 == sha256 => last.number,
            last => last.map_or(0, |last| last.number).saturating_add(1),
        }
    }

    /// Keeps a text under the number that it has or will have, durably; tells the number. Texts that are no longer
    /// remembered are removed. To be called before the record.
    ///
    /// # Errors
    /// When the disk refuses, or the text is too long.
    pub fn keep(&self, disk: Arc<dyn Disk>, text: &str) -> Result<u64, LedgerError> {
        let number = self.number_of(text);
        let (files, path) = (Files::new(disk), path(number));
        if text.len() as u64 > TEXT_BYTES_MAX {
            let what = format!("it would have {} bytes; at most {TEXT_BYTES_MAX} are allowed", text.len());
            return Err(LedgerError::Damaged { path, offset: 0, what });
        }
        if files.read(&path, TEXT_BYTES_MAX).ok().flatten().is_some_and(|kept| kept == text.as_bytes()) {
            return Ok(number);
        }
        files.make_folder(FOLDER)?;
        files.put_durably(&path, text.as_bytes())?;
        for old in files.list(FOLDER)?.iter().filter_map(|name| number_in(name)) {
            if old + KEPT as u64 <= number {
                // One that cannot be removed is in nobody's way.
                let _ = files.remove(&self::path(old));
            }
        }
        Ok(number)
    }

    /// The text of a generation, as it was recorded.
    ///
    /// # Errors
    /// Why there is none that can be used.
    pub fn text(disk: Arc<dyn Disk>, generation: &Generation) -> Result<String, String> {
        let path = path(generation.number);
        let bytes = Files::new(disk).read(&path, TEXT_BYTES_MAX).map_err(|error| error.to_string())?;
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.ok_or_else(|| format!("{path}: it is gone, or no text"))?;
        if sha256(&text) == generation.sha256 {
            Ok(text)
        } else {
            Err(format!("{path}: it is not the text that was recorded; somebody changed it"))
        }
    }

    fn take_in(&mut self, generation: Generation) {
        match self.known.back_mut() {
            Some(last) if last.number == generation.number && last.sha256 == generation.sha256 => {}
            Some(last) if last.number >= generation.number => {}
            _ => {
                self.known.push_back(generation);
                if self.known.len() > KEPT {
                    self.known.pop_front();
                }
            }
        }
    }
}

fn path(number: u64) -> String {
    format!("{FOLDER}/config-{number:08}")
}

fn number_in(name: &str) -> Option<u64> {
    name.strip_prefix("config-")?.parse().ok()
}

fn sha256(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

impl Participant for Generations {
    fn name(&self) -> &'static str {
        "configuration"
    }

    fn version(&self) -> u32 {
        1
    }

    fn snapshot(&self) -> Result<Vec<u8>, String> {
        codec::encode(&self.known)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        let known: VecDeque<Generation> = codec::decode(bytes)?;
        if known.len() > KEPT || !known.iter().map(|one| one.number).is_sorted_by(|a, b| a < b) {
            return Err("its generations do not follow each other".to_owned());
        }
        self.known = known;
        Ok(())
    }

    fn replay(&mut self, record: &Record) {
        if record.kind == Kind::CONFIG
            && let Ok(told) = serde_json::from_slice::<Told>(record.payload)
            && let Some(sha256) = unhex(&told.config_sha256)
        {
            let who = told.who.chars().take(WHO_BYTES_MAX / 4).collect();
            let (number, since_wall_ns) = (told.generation, record.wall_ns);
            self.take_in(Generation { number, sha256, since_wall_ns, who });
        }
    }

    fn reset(&mut self) {
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::simulated::SimulatedDisk;

    fn replay(generations: &mut Generations, payload: &str) {
        let payload = payload.as_bytes();
        let kind = Kind::CONFIG;
        generations.replay(&Record {
            sequence: 0,
            run: 1,
            wall_ns: 5,
            mono_ns: 0,
            kind,
            tenant: "",
            payload,
        });
    }

    /// A text comes into force.
    fn put(generations: &mut Generations, disk: &SimulatedDisk, text: &str) -> u64 {
        use std::fmt::Write;
        let number = generations.keep(Arc::new(disk.clone()), text).unwrap();
        let mut hex = String::new();
        for byte in sha256(text) {
            write!(hex, "{byte:02x}").unwrap();
        }
        replay(generations, &format!(r#"{{"generation":{number},"config_sha256":"{hex}","who":"me"}}"#));
        number
    }

    #[test]
    fn they_are_numbered_and_the_last_ones_are_kept_as_they_were() {
        let (mut generations, disk) = (Generations::default(), SimulatedDisk::new(1, 512));
        assert_eq!((put(&mut generations, &disk, "a"), put(&mut generations, &disk, "a")), (1, 1));
        assert_eq!((put(&mut generations, &disk, "b"), put(&mut generations, &disk, "a")), (2, 3));
        let numbers: Vec<u64> = generations.known().map(|one| one.number).collect();
        assert_eq!(numbers, [1, 2, 3]);
        let last = generations.last().unwrap().clone();
        assert_eq!((last.number, &last.who[..], last.since_wall_ns), (3, "me", 5));
        assert_eq!(Generations::text(Arc::new(disk.clone()), &last).as_deref(), Ok("a"));
        let bytes = generations.snapshot().unwrap();
        let mut other = Generations::default();
        other.restore(&bytes).unwrap();
        assert_eq!(other, generations);
        assert!(other.restore(&bytes[1..]).is_err());

        disk.plant("recovery/config-00000003", b"changed");
        assert!(
            Generations::text(Arc::new(disk.clone()), &last).unwrap_err().contains("somebody changed it")
        );
        for number in 4..40 {
            put(&mut generations, &disk, &format!("text {number}"));
        }
        assert_eq!((generations.known().count(), generations.known().next().unwrap().number), (KEPT, 24));
        assert!(disk.contents("recovery/config-00000023").is_none());
        assert!(disk.contents("recovery/config-00000024").is_some());
    }

    #[test]
    fn records_that_make_no_sense_are_passed_over() {
        let mut generations = Generations::default();
        for payload in ["", "{}", r#"{"generation":1,"config_sha256":"zz"}"#, r#"{"config_sha256":"aa"}"#] {
            replay(&mut generations, payload);
        }
        assert_eq!(generations.last(), None);
    }
}
