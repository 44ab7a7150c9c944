//! `bartizan run`: the daemon.

use super::begin::{Begun, Post, begin, host_of};
use super::output::{Output, Summary};
use crate::book::Book;
use crate::cli::{Common, RunArgs};
use crate::exit::{Code, Failure};
use crate::files::fingerprint_text;
use crate::incidents::Desk;
use crate::notify::Notifier;
use crate::record_keeper;
use crate::responses::{Command, Responses, playbooks};
use crate::serve::server::Server;
use crate::serve::{self, State};
use crate::signals::{Request, Signals};
use crate::view::live::host_name_below;
use crate::view::model::Viewer;
use crate::view::paint::Paint;
use crate::watch::{Watch, configure, raise_descriptor_limit};
use bartizan_core::config::Config;
use bartizan_core::detection::Recall;
use bartizan_core::engine::AgentState;
use bartizan_core::sampling::discovery::VmInfo;
use bartizan_core::sampling::frame::Entity;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::HashMap;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long after its deadline a tick is looked for: by then it is done, on a host that is not overloaded.
const AFTER_TICK: Duration = Duration::from_millis(5);
/// How often it is looked for when it is late.
const LATE_LOOK: Duration = Duration::from_millis(50);

/// Watches until a signal, or the end of `--duration`.
pub(super) fn run(common: &Common, args: &RunArgs) -> Result<(), Failure> {
    let signals = Signals::block()?;
    raise_descriptor_limit();
    let mut notifier = Notifier::from_environment();
    let loaded = configure(common);
    let mut output = Output::new(args, Paint::new(common.color), host_of(common, &loaded))?;
    let Some(Begun { watch, post }) = begin(common, args, loaded, &signals, &mut notifier, &mut output)?
    else {
        return Ok(());
    };
    let listeners = serve::listeners(&args.serve)?;
    let state = Arc::new(State::new(watch.reader().clone(), fingerprint_text(&watch.reader().config())));
    let server = if listeners.is_empty() {
        None
    } else {
        let started = Server::start(listeners, Arc::clone(&state) as Arc<dyn serve::server::Handler>);
        Some(started.map_err(|error| Failure::new(Code::Os, format!("metrics cannot be served: {error}")))?)
    };
    let host = host_name_below(&watch.reader().config().roots.proc);
    let desk = match &post {
        Some(Post { keeper, .. }) => {
            state.set_ledger(keeper.ledger().clone());
            Some(Arc::new(Desk::open(keeper.ledger(), keeper.folder(), watch.reader(), &host)?))
        }
        None => None,
    };
    let playbooks = playbooks(&watch.reader().config())?;
    let responses = match (&post, &desk) {
        (Some(Post { keeper, .. }), Some(desk)) => {
            let (ledger, folder) = (keeper.ledger(), keeper.folder());
            let started = Responses::start(ledger, folder, playbooks, watch.reader(), Arc::clone(desk))?;
            Some(Arc::new(started))
        }
        _ => None,
    };
    if let Some(desk) = &desk {
        state.has_incidents(Arc::clone(desk));
    }
    if let Some(responses) = &responses {
        state.has_responses(Arc::clone(responses));
    }
    let mut daemon = Daemon {
        common,
        ledger_option: args.ledger.as_deref(),
        watch,
        state,
        addresses: server.as_ref().map(|server| server.addresses().to_vec()).unwrap_or_default(),
        post,
        desk,
        responses,
        output,
        notifier,
        viewer: Viewer::default(),
        book: Book::default(),
        known: HashMap::new(),
        last_tick: 0,
        ticks: 0,
        started: false,
        checked: false,
    };
    daemon.tell_standing()?;
    let end = args.duration.and_then(|duration| Instant::now().checked_add(*duration));
    let why = daemon.watch_until(&signals, end)?;
    daemon.finish(why)
}

struct Daemon<'a> {
    common: &'a Common,
    /// `--ledger`.
    ledger_option: Option<&'a Path>,
    watch: Watch,
    state: Arc<State>,
    addresses: Vec<String>,
    /// Of the active agent of a state folder.
    post: Option<Post>,
    desk: Option<Arc<Desk>>,
    responses: Option<Arc<Responses>>,
    output: Output,
    notifier: Notifier,
    viewer: Viewer,
    book: Book,
    /// The VMs that were announced.
    known: Vms,
    last_tick: u64,
    /// Ticks of this agent and those before a reload.
    ticks: u64,
    started: bool,
    /// The first full run of the checks is over.
    checked: bool,
}

impl Daemon<'_> {
    /// Returns why it ended.
    fn watch_until(&mut self, signals: &Signals, end: Option<Instant>) -> Result<&'static str, Failure> {
        loop {
            self.take_tick()?;
            self.take_alerts()?;
            self.take_findings()?;
            while let Some(request) = signals.next() {
                match request {
                    Request::Stop => return Ok("signal"),
                    Request::Reload { pid, uid } => self.reload(pid, uid)?,
                }
            }
            let has_ledger_died = self.post.as_ref().is_some_and(|post| post.keeper.has_died());
            if has_ledger_died || self.watch.reader().state() == AgentState::Faulted {
                return Err(Failure::new(
                    Code::Software,
                    "a part of the agent failed on a mistake of ours (its message is above); it cannot go on",
                ));
            }
            let now = Instant::now();
            if end.is_some_and(|end| now >= end) {
                return Ok("duration");
            }
            let wait = end.map_or(self.until_next_tick(), |end| self.until_next_tick().min(end - now));
            let reader = self.watch.reader();
            let mut fds = [
                PollFd::new(reader.alerts().fd(), PollFlags::POLLIN),
                PollFd::new(reader.checks().fd(), PollFlags::POLLIN),
                PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            ];
            let timeout = PollTimeout::try_from(wait.as_millis() + 1).unwrap_or(PollTimeout::MAX);
            match poll(&mut fds, timeout) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(Failure::new(Code::Os, format!("waiting failed: {errno}"))),
            }
        }
    }

    fn until_next_tick(&self) -> Duration {
        let reader = self.watch.reader();
        let tick = reader.tick();
        if tick.number == 0 {
            return AFTER_TICK;
        }
        let due_ns = tick.mono_ns + u64::from(reader.config().sampling.interval_ms) * 1_000_000;
        let now_ns = reader.clock().mono_ns();
        if due_ns > now_ns { Duration::from_nanos(due_ns - now_ns) + AFTER_TICK } else { LATE_LOOK }
    }

    fn take_tick(&mut self) -> Result<(), Failure> {
        let reader = self.watch.reader().clone();
        let tick = reader.tick();
        self.notifier.alive(tick.number, Instant::now());
        if tick.number == self.last_tick {
            return Ok(());
        }
        if let Some(post) = &mut self.post {
            post.advance(&self.watch)?;
        }
        self.ticks += tick.number - self.last_tick;
        self.last_tick = tick.number;
        if let Some(desk) = &self.desk {
            desk.tick();
        }
        if !self.started {
            self.started = true;
            self.output.start(&self.addresses, &reader.host().sources)?;
            self.notifier.ready("watching");
        }
        self.announce_vms(tick.wall_ns)?;
        if let Some(status) = self.post.as_mut().and_then(|post| post.keeper.changed()) {
            self.output.ledger(&status, tick.wall_ns)?;
        }
        self.state.set_lines_dropped(self.output.dropped());
        if self.output.wants_samples() {
            let view = self.viewer.look(&reader, &self.book.counts());
            self.output.sample(&view)?;
        }
        Ok(())
    }

    fn announce_vms(&mut self, wall_ns: i64) -> Result<(), Failure> {
        let now: HashMap<Entity, Arc<VmInfo>> =
            self.watch.reader().vms().into_iter().map(|vm| (vm.entity, vm)).collect();
        let mut changed = false;
        for (vm, is_new) in changes(&self.known, &now) {
            if is_new {
                self.output.vm_found(&vm, wall_ns)?;
            } else {
                self.output.vm_gone(&vm, wall_ns)?;
            }
            changed = true;
        }
        self.known = now;
        if changed {
            self.notifier.status(&format!("watching {} VMs", self.known.len()));
        }
        Ok(())
    }

    fn take_alerts(&mut self) -> Result<(), Failure> {
        let alerts: Vec<_> = std::iter::from_fn(|| self.watch.reader().alerts().next()).collect();
        if alerts.is_empty() {
            return Ok(());
        }
        if let Some(post) = &mut self.post {
            // What a process before told is recorded already; incidents and counts are to know that it goes on.
            for alert in alerts.iter().filter(|alert| !alert.is_repeat) {
                if post.keeper.alert(alert) {
                    post.recovery.note_alert(alert);
                }
            }
            if let Some(desk) = &self.desk {
                desk.alerts(&alerts);
                post.keeper.wait_for(desk.take_last());
            }
            post.keeper.settle();
        }
        for alert in &alerts {
            self.book.note(alert);
            if !alert.is_repeat {
                self.output.alert(alert)?;
            }
        }
        self.book.publish(&self.state);
        Ok(())
    }

    /// Changes of findings.
    fn take_findings(&mut self) -> Result<(), Failure> {
        let board = Arc::clone(self.watch.reader().checks());
        let first_run_over = board.state().sweeps > 0;
        let changes = board.take(usize::MAX);
        if let Some(keeper) = self.post.as_mut().map(|post| &mut post.keeper).filter(|_| !changes.is_empty())
        {
            for change in &changes {
                keeper.finding(change, &board.rules());
            }
            if let Some(desk) = &self.desk {
                desk.findings(&changes, first_run_over);
                keeper.wait_for(desk.take_last());
            }
            keeper.settle();
        }
        if let Some(desk) =
            self.desk.as_ref().filter(|_| changes.is_empty() && first_run_over && !self.checked)
        {
            desk.findings(&[], true);
        }
        for change in changes.iter().filter(|_| self.checked) {
            self.output.finding(change, &board.rules())?;
        }
        if first_run_over && !self.checked {
            self.checked = true;
            self.output.checked(&board.findings())?;
        }
        Ok(())
    }

    /// Which configuration is in force, and by whose leave.
    fn tell_standing(&mut self) -> Result<(), Failure> {
        let Some(post) = &self.post else { return Ok(()) };
        let (generation, fallback) = (post.recovery.generation(), post.recovery.fallback());
        if !self.started {
            self.book.carry(post.recovery.open_alerts());
            self.book.publish(&self.state);
        }
        self.state.set_standing(generation, fallback.is_some(), post.lease.token());
        if let Some(why) = fallback {
            self.output.fallback(generation, why)?;
        }
        Ok(())
    }

    /// Parses, validates, swaps; a configuration that is wrong changes nothing.
    fn reload(&mut self, pid: u32, uid: u32) -> Result<(), Failure> {
        self.notifier.reloading();
        let loaded = configure(self.common).and_then(|config| {
            let playbooks = playbooks(&config)?;
            Ok((self.swap(config.clone())?, config, playbooks))
        });
        match loaded {
            Ok((text, config, playbooks)) => {
                if let Some(desk) = &self.desk {
                    desk.reloaded(self.watch.reader(), self.last_tick == 0);
                }
                if let Some(post) = &mut self.post {
                    let who = format!("SIGHUP of process {pid} (uid {uid})");
                    post.keeper.reload(&config.ledger);
                    // The planner takes it up in a moment: what the agent says is in force may still be the old one.
                    post.config(&config, &who);
                }
                if let Some(responses) = &self.responses {
                    let new = Box::new((config, playbooks, self.watch.reader().clone()));
                    let told = responses.tell(Command::Configure(new));
                    told.unwrap_or_else(|why| log::error!("the new configuration of responses: {why}"));
                }
                self.tell_standing()?;
                self.output.reload(Ok(text))?;
            }
            Err(failure) => {
                self.state.reload_failed();
                let text = format!("the configuration was not loaded, the old one stays in force: {failure}");
                log::error!("{text}");
                self.output.reload(Err(&text))?;
            }
        }
        self.notifier.ready(&format!("watching {} VMs", self.known.len()));
        Ok(())
    }

    fn swap(&mut self, config: Config) -> Result<&'static str, Failure> {
        record_keeper::check_reload(
            self.post.as_ref().map(|post| &post.keeper),
            self.ledger_option,
            &config.ledger,
        )?;
        let fingerprint = fingerprint_text(&config);
        if config == *self.watch.reader().config() {
            self.state.reloaded(self.watch.reader().clone(), fingerprint);
            return Ok("the configuration was loaded again; nothing in it has changed");
        }
        if self.watch.reload(config.clone())? {
            self.state.reloaded(self.watch.reader().clone(), fingerprint);
            return Ok("the configuration was loaded again and is in force");
        }
        // Limits and roots are fixed when an agent is made: a new one takes over once it runs.
        let mut watch = Watch::prepare(config)?;
        // What the old agent had still to say is said before it goes.
        self.watch.stop();
        self.take_alerts()?;
        let before = self.watch.reader().alerts().accounting();
        watch.go_on_from(before, Recall::default())?;
        if let Err(failure) = watch.begin() {
            self.watch.begin()?;
            return Err(failure);
        }
        self.watch = watch;
        self.state.reloaded(self.watch.reader().clone(), fingerprint);
        self.last_tick = 0;
        self.viewer = Viewer::default();
        self.book.clear();
        self.book.publish(&self.state);
        Ok("the configuration was loaded again and is in force, with an agent made anew for its limits")
    }

    fn finish(mut self, why: &'static str) -> Result<(), Failure> {
        self.notifier.stopping();
        self.watch.stop();
        self.take_tick()?;
        self.take_alerts()?;
        self.take_findings()?;
        if let Some(responses) = self.responses.take() {
            responses.stop();
        }
        if let Some(desk) = self.desk.take() {
            desk.stop();
        }
        if let Some(post) = self.post.take() {
            post.stop(&self.watch);
        }
        let reader = self.watch.reader();
        let missed = bartizan_core::sampling::metrics::agent::TICKS_MISSED;
        let summary = Summary {
            why,
            ticks: self.ticks,
            ticks_missed: reader.read(Entity::AGENT, missed).ok().map(crate::view::rates::float),
            accounts: reader.alerts().accounting(),
        };
        self.output.stop(&summary)?;
        Ok(())
    }
}

type Vms = HashMap<Entity, Arc<VmInfo>>;

/// The VMs that went and those that came, each by the age of its process.
fn changes(before: &Vms, now: &Vms) -> Vec<(Arc<VmInfo>, bool)> {
    let missing = |from: &Vms, other: &Vms| {
        let mut vms: Vec<_> = from
            .iter()
            .filter(|(entity, _)| !other.contains_key(entity))
            .map(|(_, vm)| Arc::clone(vm))
            .collect();
        vms.sort_by_key(|vm| (vm.start_ticks, vm.pid));
        vms
    };
    let gone = missing(before, now).into_iter().map(|vm| (vm, false));
    gone.chain(missing(now, before).into_iter().map(|vm| (vm, true))).collect()
}
