//! `bartizan run --ledger DIR`: what is said is in the ledger first.
//!
//! The sampler never waits for a disk: alerts come through its bounded ring, and are appended here. A thread of its own
//! makes them durable, signs on a timer, and sets things right after a full disk. The daemon waits for it, but not for
//! long: on a disk that hangs alerts still leave, are queued, and become durable when it is back.

use crate::exit::{Code, Failure};
use crate::view::json;
use bartizan_core::alerts::Alert;
use bartizan_core::checks::{Change, RuleSet};
use bartizan_core::ledger::{
    Disk, Kind, LastRun, Ledger, LedgerError, Opened, PAYLOAD_BYTES_MAX, Sizes, Ticket,
};
use bartizan_core::sys::clock::Clock;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often logs are signed, also when nothing happens.
const CHECKPOINT_EVERY: Duration = Duration::from_mins(1);
/// How often a disk that failed is tried again.
const MAINTAIN_EVERY: Duration = Duration::from_secs(2);
/// How long an alert is held back for the disk.
const WAIT_MAX: Duration = Duration::from_millis(250);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The ledger of a daemon, and the thread that serves it.
pub struct RecordKeeper {
    ledger: Ledger,
    kick: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The last that was appended.
    last: Option<Ticket>,
}

impl RecordKeeper {
    /// Opens the ledger in a folder, or begins it, for this host.
    ///
    /// # Errors
    /// When it cannot be opened: an agent that was told to record does not run without.
    pub fn open(disk: Arc<dyn Disk>, folder: &Path, host: &str) -> Result<(Self, Opened), Failure> {
        let failure = |error: LedgerError| {
            let code = match error {
                LedgerError::Damaged { .. } => Code::Data,
                LedgerError::Locked => Code::Unavailable,
                _ => Code::CannotCreate,
            };
            Failure::new(code, format!("the ledger in {}: {error}", folder.display()))
        };
        let origin = format!("bartizan/{host}");
        let (ledger, opened) =
            Ledger::open(disk, Sizes::default(), &origin, Clock::System).map_err(failure)?;
        if let LastRun::Cut { torn_bytes } = opened.last {
            log::warn!("the run before was cut off, with {torn_bytes} bytes that were not durable yet");
        }
        log::info!(
            "recording run {} in {}; the public key is {}",
            opened.run,
            folder.display(),
            ledger.verifier()
        );
        let (kick, kicks) = sync_channel(1);
        let served = ledger.clone();
        let thread = std::thread::Builder::new().name("ledger".into()).spawn(move || serve(&served, &kicks));
        let thread =
            thread.map_err(|error| Failure::new(Code::Os, format!("no thread for the ledger: {error}")))?;
        Ok((Self { ledger, kick: Some(kick), thread: Some(thread), last: None }, opened))
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Appends an alert, in its tenant's log; whether there was room for it.
    pub fn alert(&mut self, alert: &Alert) -> bool {
        self.append(Kind::ALERT, alert.tenant.as_str(), &json::alert(alert))
    }

    /// Appends a change of a finding, in its VM's tenant's log.
    pub fn finding(&mut self, change: &Change, rules: &RuleSet) {
        let tenant = change.finding.subject.vm().map_or("", |vm| &vm.tenant);
        self.append(Kind::FINDING, tenant, &json::finding(change, rules));
    }

    /// Appends something about the agent itself.
    pub fn note(&mut self, kind: Kind, payload: &Value) {
        self.append(kind, "", payload);
    }

    /// Waits until what was appended is durable, though not for long.
    pub fn settle(&mut self) {
        let Some(ticket) = self.last.take() else { return };
        // The thread has a kick waiting already when there is no room for this one.
        let _ = self.kick.as_ref().map(|kick| kick.try_send(()));
        let end = Instant::now() + WAIT_MAX;
        while !ticket.is_durable() && self.ledger.is_good() && Instant::now() < end {
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Ends the run in order.
    pub fn stop(mut self) {
        drop(self.kick.take());
        let _ = self.thread.take().map(JoinHandle::join);
        if let Err(error) = self.ledger.stop() {
            log::error!("the ledger could not be ended in order: {error}");
        }
    }

    /// What is refused for want of room is counted by the ledger, and recorded.
    fn append(&mut self, kind: Kind, tenant: &str, payload: &Value) -> bool {
        let mut text = payload.to_string();
        if text.len() > PAYLOAD_BYTES_MAX {
            // Evidence may be long: that there was something to record is never lost.
            text = json!({ "type": payload["type"], "cut": text.chars().take(1_024).collect::<String>() })
                .to_string();
        }
        let ticket = self.ledger.append(kind, tenant, text.as_bytes()).ok();
        let is_appended = ticket.is_some();
        self.last = ticket.or_else(|| self.last.take());
        is_appended
    }
}

fn serve(ledger: &Ledger, kicks: &Receiver<()>) {
    let mut signed = Instant::now();
    let mut was_good = true;
    loop {
        let kick = kicks.recv_timeout(MAINTAIN_EVERY);
        let done = match kick {
            Err(RecvTimeoutError::Disconnected) => return,
            _ if signed.elapsed() >= CHECKPOINT_EVERY => {
                signed = Instant::now();
                ledger.checkpoint()
            }
            Ok(()) => ledger.flush(),
            Err(RecvTimeoutError::Timeout) => ledger.maintain(),
        };
        let is_good = done.is_ok() && ledger.is_good();
        if is_good != was_good {
            match done {
                Err(error) => log::error!("nothing can be recorded: {error}; it is queued and tried again"),
                Ok(()) if is_good => log::info!("recording again"),
                Ok(()) => log::error!("the disk of the ledger is full; its reserve is in use"),
            }
            was_good = is_good;
        }
    }
}
