//! What the daemon knows again after a crash, and how it is kept.

use crate::exit::{Code, Failure};
use crate::files::fingerprint_text;
use crate::watch::Watch;
use bartizan_core::alerts::{Accounting, Alert, Recovered, Severity};
use bartizan_core::config::Config;
use bartizan_core::detection::{Memory, Recall};
use bartizan_core::engine::Reader;
use bartizan_core::ledger::{Disk, Kind, Ledger, Record};
use bartizan_core::recovery::generations::Generations;
use bartizan_core::recovery::{Participant, Restored, Snapshot, restore, save, take};
use bartizan_core::sys::clock::Clock;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the state is written down. What is recorded meanwhile is replayed; what only learning tells is lost.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(30);

/// The participants, and the thread that writes them down.
pub struct Recovery {
    accounts: Recovered,
    memory: Memory,
    generations: Generations,
    /// What was restored at the start.
    restored: Restored,
    /// Why this run began with an older generation than today's file.
    fallback: Option<String>,
    disk: Arc<dyn Disk>,
    ledger: Ledger,
    snapshots: Option<SyncSender<Snapshot>>,
    thread: Option<JoinHandle<()>>,
    asked: Instant,
}

impl Recovery {
    /// Restores all that is known, up to before this run's first record.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn open(disk: Arc<dyn Disk>, ledger: &Ledger, first: u64) -> Result<Self, Failure> {
        let mut accounts = Recovered::default();
        let mut memory = Memory::new(boot_id());
        let mut generations = Generations::default();
        let all: &mut [&mut dyn Participant] = &mut [&mut accounts, &mut memory, &mut generations];
        let restored = restore(Arc::clone(&disk), first, all).map_err(|error| {
            Failure::new(Code::Data, format!("the state before cannot be restored: {error}"))
        })?;
        log::info!("restored: {restored}");
        for refused in &restored.refused {
            log::warn!("not used: {refused}");
        }
        let (snapshots, waiting) = sync_channel::<Snapshot>(1);
        let (disk_too, ledger_too) = (Arc::clone(&disk), ledger.clone());
        let thread = std::thread::Builder::new().name("snapshots".into()).spawn(move || {
            for snapshot in waiting {
                write_down(&disk_too, &ledger_too, &snapshot);
            }
        });
        let thread =
            thread.map_err(|error| Failure::new(Code::Os, format!("no thread for snapshots: {error}")))?;
        Ok(Self {
            accounts,
            memory,
            generations,
            restored,
            fallback: None,
            disk,
            ledger: ledger.clone(),
            snapshots: Some(snapshots),
            thread: Some(thread),
            asked: Instant::now(),
        })
    }

    /// What was restored, as it is recorded.
    #[must_use]
    pub fn restored(&self) -> Value {
        json!({
            "snapshot": self.restored.snapshot,
            "replayed": self.restored.replayed,
            "missing": self.restored.missing,
            "cold": self.restored.cold.iter().map(|cold| json!({"name": cold.name, "reason": cold.reason})).collect::<Vec<_>>(),
            "refused": self.restored.refused,
        })
    }

    /// What an agent goes on from.
    #[must_use]
    pub fn go_on(&self) -> (Accounting, Recall) {
        (self.accounts.settled(), self.memory.recall())
    }

    /// The configuration to start with: the one that was loaded, or, where that is wrong, the last good generation.
    ///
    /// # Errors
    /// What is wrong with the one that was loaded, when there is no other, or `strict` wants no other.
    pub fn choose(&mut self, loaded: Result<Config, Failure>, strict: bool) -> Result<Config, Failure> {
        let failure = match loaded {
            Err(failure) if failure.code == Code::Config && !strict => failure,
            loaded => return loaded,
        };
        let Some(last) = self.generations.last() else {
            let message = format!("{failure}\nthere is no earlier generation to start with");
            return Err(Failure::new(failure.code, message));
        };
        let text = Generations::text(Arc::clone(&self.disk), last);
        let config = text.and_then(|text| Config::from_toml(&text, None).map_err(|error| error.to_string()));
        match config {
            Ok(config) => {
                log::error!(
                    "the configuration is wrong; generation {} stays in force: {failure}",
                    last.number
                );
                self.fallback = Some(failure.message);
                Ok(config)
            }
            Err(error) => {
                let number = last.number;
                let message = format!("{failure}\ngeneration {number} cannot be used instead: {error}");
                Err(Failure::new(failure.code, message))
            }
        }
    }

    /// Why this run began with an older generation, if it did.
    #[must_use]
    pub fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    /// Keeps a configuration that comes into force as a generation, and makes its record.
    pub fn config(&mut self, config: &Config, who: &str) -> Value {
        let text = config.to_toml();
        let mut record = json!({ "config_sha256": fingerprint_text(config), "who": who });
        match self.generations.keep(Arc::clone(&self.disk), &text) {
            Ok(number) => record["generation"] = number.into(),
            // Without its text it is no generation that could be gone back to.
            Err(error) => log::error!("the configuration is in force, and not kept as a generation: {error}"),
        }
        if let Some(refused) = &self.fallback {
            record["refused"] = refused.chars().take(4_096).collect::<String>().into();
        }
        record
    }

    /// A configuration was loaded again and is in force: today's file is right.
    pub fn reloaded(&mut self) {
        self.fallback = None;
    }

    /// A configuration's record was appended.
    pub fn note_config(&mut self, record: &Value) {
        let text = record.to_string();
        let (wall_ns, payload) = (Clock::System.wall_ns(), text.as_bytes());
        let kind = Kind::CONFIG;
        self.generations.replay(&Record {
            sequence: 0,
            run: 0,
            wall_ns,
            mono_ns: 0,
            kind,
            tenant: "",
            payload,
        });
    }

    /// An alert was appended.
    pub fn note_alert(&mut self, alert: &Alert) {
        self.memory.note(alert);
    }

    /// Alerts that were told and not resolved yet.
    pub fn open_alerts(&self) -> impl Iterator<Item = (u64, Severity)> {
        self.memory.open_alerts()
    }

    /// The generation in force.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generations.last().map_or(0, |last| last.number)
    }

    /// Has the state written down when it is time. Waits for nothing.
    pub fn look(&mut self, reader: &Reader) {
        if let Some(copy) = reader.copied() {
            self.memory.take(copy);
            if let Some(snapshot) = self.snapshot(reader)
                && let Some(snapshots) = &self.snapshots
                && matches!(snapshots.try_send(snapshot), Err(TrySendError::Full(_)))
            {
                log::info!("the snapshot before this one is not written yet");
            }
        }
        if self.asked.elapsed() >= SNAPSHOT_EVERY {
            self.asked = Instant::now();
            reader.want_copy();
        }
    }

    /// Writes the state down for the last time, after the agent's threads have ended.
    pub fn stop(mut self, watch: &Watch) {
        drop(self.snapshots.take());
        let _ = self.thread.take().map(JoinHandle::join);
        match watch.copy() {
            Ok(copy) => self.memory.take(copy),
            Err(error) => log::warn!("what was learned since the last snapshot is not kept: {error}"),
        }
        if let Some(snapshot) = self.snapshot(watch.reader()) {
            write_down(&self.disk, &self.ledger, &snapshot);
        }
    }

    fn snapshot(&mut self, reader: &Reader) -> Option<Snapshot> {
        self.accounts.take(reader.alerts().accounting());
        let all: [&dyn Participant; 3] = [&self.accounts, &self.memory, &self.generations];
        let snapshot = take(&self.ledger, Clock::System.wall_ns(), &all);
        snapshot.map_err(|error| log::error!("the state cannot be written down: {error}")).ok()
    }
}

/// Nothing may be in a snapshot that is not durable in the trail.
fn write_down(disk: &Arc<dyn Disk>, ledger: &Ledger, snapshot: &Snapshot) {
    let done = ledger.flush().and_then(|()| save(Arc::clone(disk), snapshot));
    if let Err(error) = done {
        log::warn!("the state could not be written down, the one before stays: {error}");
    }
}

/// Names the boot of the host; 0 when the kernel does not tell.
fn boot_id() -> u128 {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    u128::from_str_radix(&text.trim().replace('-', ""), 16).unwrap_or(0)
}
