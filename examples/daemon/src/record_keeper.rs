//! The daemon's ledger: what is said is recorded there first.
//!
//! The sampler never waits for a disk: alerts come through its bounded ring, and are appended by the
//! [`Recorder`]. A thread of the ledger's own makes them durable, signs on a timer, prunes, and sets things right after a
//! full disk. The daemon waits for it, but not for long: on a disk that hangs alerts still leave, which is counted.

use crate::exit::{Code, Failure};
use bartizan_core::alerts::Alert;
use bartizan_core::checks::{Change, RuleSet};
use bartizan_core::config;
use bartizan_core::engine::Recorder;
use bartizan_core::ledger::{
    Disk, Health, Keeper, Kind, LastRun, Ledger, LedgerError, Opened, Sizes, Status, Ticket,
};
use bartizan_core::sys::clock::Clock;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long what is said is held back for the disk.
const HOLD: Duration = Duration::from_millis(250);
/// How long the end of the run waits for the disk.
const STOP_TIME: Duration = Duration::from_secs(5);
/// Where systemd tells of the folder that it keeps for the service: `StateDirectory=`, systemd.exec(5).
const STATE_DIRECTORY: &str = "STATE_DIRECTORY";

/// Where the ledger is: what the command line says, or the configuration, or below the service's state directory.
#[must_use]
pub fn folder(option: Option<&Path>, config: &config::Ledger) -> Option<PathBuf> {
    folder_of(option, config, std::env::var(STATE_DIRECTORY).ok().as_deref())
}

fn folder_of(option: Option<&Path>, config: &config::Ledger, state: Option<&str>) -> Option<PathBuf> {
    if let Some(folder) = option {
        return Some(folder.to_owned());
    }
    if !config.enabled {
        return None;
    }
    if !config.folder.as_os_str().is_empty() {
        return Some(config.folder.clone());
    }
    // Several are separated by colons; ours is the first.
    let state = state?.split(':').next().filter(|folder| folder.starts_with('/'))?;
    Some(Path::new(state).join("ledger"))
}

/// The ledger of a daemon, and the thread that serves it.
pub struct RecordKeeper {
    keeper: Keeper,
    recorder: Recorder,
    folder: PathBuf,
    reserve_kib: u32,
    /// How the disk was when it was told the last time.
    health: Health,
}

impl RecordKeeper {
    /// Opens the ledger in a folder, or begins it, for this host.
    ///
    /// # Errors
    /// When it cannot be opened: an agent that was told to record does not run without.
    pub fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        host: &str,
        config: &config::Ledger,
    ) -> Result<(Self, Opened), Failure> {
        let failure = |error: LedgerError| {
            let code = match error {
                LedgerError::Damaged { .. } => Code::Data,
                LedgerError::Locked => Code::Unavailable,
                _ => Code::CannotCreate,
            };
            let folder = folder.display();
            let cure = match code {
                Code::Data => {
                    format!(
                        "\nto keep it as evidence and begin another one: bartizan ledger set-aside {folder}"
                    )
                }
                _ => String::new(),
            };
            let message = format!("the ledger in {folder}: {error}{cure}");
            Failure::new(code, message)
        };
        let origin = format!("bartizan/{host}");
        let sizes = Sizes { reserve_bytes: u64::from(config.reserve_kib) * 1_024, ..Sizes::default() };
        let (ledger, opened) = Ledger::open(disk, sizes, &origin, Clock::System).map_err(failure)?;
        if let LastRun::Cut { torn_bytes } = opened.last {
            log::warn!("the run before was cut off, with {torn_bytes} bytes that were not durable yet");
        }
        log::info!(
            "recording run {} in {}; the public key is {}",
            opened.run,
            folder.display(),
            ledger.verifier()
        );
        let keeper = Keeper::start(ledger, config.upkeep())
            .map_err(|error| Failure::new(Code::Os, format!("no thread for the ledger: {error}")))?;
        let recorder = Recorder::new(keeper.clone(), HOLD);
        let (folder, reserve_kib) = (folder.to_owned(), config.reserve_kib);
        Ok((Self { keeper, recorder, folder, reserve_kib, health: Health::Good }, opened))
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        self.keeper.ledger()
    }

    /// Appends an alert, in its tenant's log; whether there was room for it.
    pub fn alert(&mut self, alert: &Alert) -> bool {
        self.recorder.alert(alert)
    }

    /// Appends a change of a finding, in its VM's tenant's log.
    pub fn finding(&mut self, change: &Change, rules: &RuleSet) {
        self.recorder.finding(change, rules);
    }

    /// Appends something about the agent itself.
    pub fn note(&mut self, kind: Kind, payload: &Value) {
        self.recorder.append(kind, "", payload);
    }

    /// Waits until what was appended is durable, though not for long.
    pub fn settle(&mut self) {
        self.recorder.settle();
    }

    /// How the ledger is, when the state of its disk is another one than it was in the last call.
    pub fn changed(&mut self) -> Option<Status> {
        let status = self.ledger().status();
        (std::mem::replace(&mut self.health, status.health) != status.health).then_some(status)
    }

    /// Whether the ledger's thread died of a mistake of ours: nothing becomes durable any more.
    #[must_use]
    pub fn has_died(&self) -> bool {
        self.keeper.has_died()
    }

    /// Puts what a configuration says of the ledger into force.
    pub fn reload(&mut self, config: &config::Ledger) {
        self.keeper.change(config.upkeep());
    }

    /// Waits for a record of somebody else's too, when the daemon settles.
    pub fn wait_for(&mut self, ticket: Option<Ticket>) {
        if let Some(ticket) = ticket {
            self.recorder.wait_for(ticket.sequence());
        }
    }

    /// Where the ledger is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends the run in order.
    pub fn stop(self) {
        match self.keeper.stop(true, STOP_TIME) {
            Some(Ok(())) => {}
            Some(Err(error)) => log::error!("the ledger could not be ended in order: {error}"),
            None => log::error!("the ledger could not be ended in order: its disk does not answer"),
        }
    }
}

/// Whether a configuration can be put into force while the daemon runs, as far as the ledger goes.
///
/// # Errors
/// When it asks for what is fixed while the ledger is open.
pub fn check_reload(
    keeper: Option<&RecordKeeper>,
    option: Option<&Path>,
    config: &config::Ledger,
) -> Result<(), Failure> {
    let fixed = |what: String| {
        Err(Failure::new(
            Code::Config,
            format!("{what}; this is fixed while the ledger is open: restart the service"),
        ))
    };
    let wanted = folder(option, config);
    match (keeper, wanted) {
        (None, Some(folder)) => fixed(format!("the ledger would be in {}", folder.display())),
        (Some(keeper), None) => fixed(format!("the ledger in {} would end", keeper.folder.display())),
        (Some(keeper), Some(folder)) if keeper.folder != folder => fixed(format!(
            "the ledger would be in {}, and is in {}",
            folder.display(),
            keeper.folder.display()
        )),
        (Some(keeper), _) if keeper.reserve_kib != config.reserve_kib => {
            fixed(format!("`ledger.reserve_kib` is {}, and was {}", config.reserve_kib, keeper.reserve_kib))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_goes_before_the_configuration_and_that_before_the_service_manager() {
        let default = config::Ledger::default();
        let named = config::Ledger { folder: "/srv/ledger".into(), ..default.clone() };
        let off = config::Ledger { enabled: false, ..named.clone() };
        let state = Some("/var/lib/bartizan:/var/lib/other");
        let of = |option: Option<&str>, config, state| {
            folder_of(option.map(Path::new), config, state).map(|folder| folder.display().to_string())
        };
        assert_eq!(of(Some("here"), &off, state).as_deref(), Some("here"));
        assert_eq!(of(None, &off, state), None);
        assert_eq!(of(None, &named, state).as_deref(), Some("/srv/ledger"));
        assert_eq!(of(None, &default, state).as_deref(), Some("/var/lib/bartizan/ledger"));
        assert_eq!(of(None, &default, None), None);
        assert_eq!(of(None, &default, Some("relative")), None);
    }
}
