//! How `bartizan run` begins: alone, as the active agent of a state folder, or as a standby that becomes it.

use super::output::Output;
use crate::cli::{Common, RunArgs};
use crate::exit::{Code, Failure};
use crate::notify::Notifier;
use crate::record_keeper::{self, RecordKeeper};
use crate::recovery::Recovery;
use crate::signals::Signals;
use crate::standby::{Standby, Waited, take_post};
use crate::view::live::host_name_below;
use crate::watch::{Watch, configure};
use bartizan_core::config::{self, Config};
use bartizan_core::ledger::{Disk, Kind, RealDisk};
use bartizan_core::recovery::lease::{FencedDisk, Holder, Lease};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A daemon that can begin to watch.
pub(super) struct Begun {
    pub(super) watch: Watch,
    pub(super) post: Option<Post>,
}

/// What belongs to the active agent of a state folder.
pub(super) struct Post {
    pub(super) lease: Arc<Lease>,
    pub(super) keeper: RecordKeeper,
    pub(super) recovery: Recovery,
}

/// Begins to watch; `None` when a standby was asked to end before it was needed.
pub(super) fn begin(
    common: &Common,
    args: &RunArgs,
    mut loaded: Result<Config, Failure>,
    signals: &Signals,
    notifier: &mut Notifier,
    output: &mut Output,
) -> Result<Option<Begun>, Failure> {
    let Some(folder) = folder_of(args, &loaded) else {
        if args.standby {
            let cure =
                "--standby needs a ledger: name its folder with --ledger, or [ledger] in the configuration";
            return Err(Failure::new(Code::Usage, cure));
        }
        return Ok(Some(Begun { watch: Watch::start(loaded?)?, post: None }));
    };
    let folder = folder.as_path();
    let mut prepared = None;
    let (lease, took_over) = if args.standby {
        let fence_after = args.fence_after.filter(|after| !after.is_zero());
        let mut standby = Standby { folder, fence_after: fence_after.map(Into::into), signals, notifier };
        let mut before = None;
        let waited = standby.wait(&mut |active: Option<&Holder>| {
            match active {
                Some(active) => {
                    before = Some(*active);
                    output.standby(active.pid, active.token)?;
                }
                None => loaded = configure(common),
            }
            // What can be done beforehand: the configuration parsed, the rules compiled, the memory set aside.
            prepared = match &loaded {
                Ok(config) => Some(Watch::prepare(config.clone())?),
                Err(failure) => {
                    log::error!("{failure}");
                    None
                }
            };
            Ok(())
        })?;
        match waited {
            Waited::Active(lease, since) => {
                loaded = configure(common);
                (lease, before.map(|before| (before, since)))
            }
            Waited::Stopped => return Ok(None),
        }
    } else {
        (take_post(folder)?, None)
    };
    let begun = take_over(common, args, folder, loaded, prepared, lease)?;
    if let Some((before, since)) = took_over {
        let vms = begun.watch.reader().vms().len();
        let token = begun.post.as_ref().map_or(0, |post| post.lease.token());
        log::warn!("took over from process {} in {:?}, token {token}", before.pid, since.elapsed());
        output.takeover(before.pid, token, vms, since.elapsed())?;
    }
    Ok(Some(begun))
}

/// Where the ledger is, which is the state folder.
fn folder_of(args: &RunArgs, loaded: &Result<Config, Failure>) -> Option<PathBuf> {
    record_keeper::folder(args.ledger.as_deref(), &ledger_of(loaded))
}

/// How the ledger is kept; as by default where the configuration is wrong.
fn ledger_of(loaded: &Result<Config, Failure>) -> config::Ledger {
    loaded.as_ref().map(|config| config.ledger.clone()).unwrap_or_default()
}

/// The host's name, which also names its ledger.
pub(super) fn host_of(common: &Common, loaded: &Result<Config, Failure>) -> String {
    let proc = match (loaded, &common.root) {
        (Ok(config), _) => config.roots.proc.clone(),
        (Err(_), Some(root)) => root.join("proc"),
        (Err(_), None) => "/proc".into(),
    };
    host_name_below(&proc)
}

fn take_over(
    common: &Common,
    args: &RunArgs,
    folder: &Path,
    loaded: Result<Config, Failure>,
    prepared: Option<Watch>,
    lease: Arc<Lease>,
) -> Result<Begun, Failure> {
    let host = host_of(common, &loaded);
    let disk: Arc<dyn Disk> = Arc::new(FencedDisk::new(Arc::new(RealDisk::new(folder)), Arc::clone(&lease)));
    let (mut keeper, opened) = RecordKeeper::open(Arc::clone(&disk), folder, &host, &ledger_of(&loaded))?;
    let mut recovery = Recovery::open(disk, keeper.ledger(), opened.first)?;
    let config = recovery.choose(loaded, args.strict_config)?;
    let mut watch = match prepared.filter(|watch| *watch.reader().config() == config) {
        Some(watch) => watch,
        None => Watch::prepare(config)?,
    };
    let (accounts, recall) = recovery.go_on();
    watch.go_on_from(accounts, recall)?;
    let who = format!("start of process {} (uid {})", std::process::id(), nix::unistd::getuid());
    let in_force = recovery.config(&watch.reader().config(), &who);
    let began = json!({ "token": lease.token(), "pid": std::process::id(), "restored": recovery.restored() });
    keeper.note(Kind::CONFIG, &in_force);
    keeper.note(Kind::LEASE, &began);
    recovery.note_config(&in_force);
    keeper.settle();
    if args.standby {
        // Nobody has looked for a moment: everything is looked at before anything else is done.
        watch.look_at_all()?;
    }
    watch.begin()?;
    Ok(Begun { watch, post: Some(Post { lease, keeper, recovery }) })
}

impl Post {
    /// The sampling loop has advanced: the heart beats, and the state is written down now and then.
    ///
    /// # Errors
    /// When another agent is active by now: this one must not do anything any more.
    pub(super) fn advance(&mut self, watch: &Watch) -> Result<(), Failure> {
        let refused =
            |error: std::io::Error| Failure::new(Code::Unavailable, format!("{error}; it ends at once"));
        self.lease.check().map_err(refused)?;
        if let Err(error) = self.lease.beat() {
            log::warn!("the heart cannot beat: {error}");
        }
        self.recovery.look(watch.reader());
        Ok(())
    }

    /// A configuration came into force.
    pub(super) fn config(&mut self, config: &Config, who: &str) {
        self.recovery.reloaded();
        let record = self.recovery.config(config, who);
        self.keeper.note(Kind::CONFIG, &record);
        self.recovery.note_config(&record);
        self.keeper.settle();
    }

    /// Ends the run in order.
    pub(super) fn stop(self, watch: &Watch) {
        self.recovery.stop(watch);
        self.keeper.stop();
    }
}
