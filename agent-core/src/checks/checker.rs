//! The checks at work: one full run at the start, then only what changed, and a full run now and then as the net.
//!
//! ```text
//! inotify, VMs, time ─▶ facts marked ─▶ read again ─▶ those that say something else ─▶ rules that saw them ─▶ board
//! ```
//! Work is done in slices ([`Checker::work`]) so that whoever drives it keeps its own time. Nothing here is on the hot
//! path: a checker allocates, opens files and may wait for a slow disk. It belongs on a thread of its own.

use super::board::{Board, Key, State};
use super::by_subject::Queue;
use super::declared::RuleSet;
use super::declared::rule::Scope;
use super::dependencies::Dependencies;
use super::facts::{EACH, Facts, Gather, Name, PROVIDERS, Place, Refresh};
use super::finding::{Finding, Subject, Verdict};
use super::host::HostFiles;
use super::judge::judge;
use super::vm::{Vm, VmId};
use super::waiver::Waivers;
use super::watch::Watch;
use super::{rules_files, vms_of};
use crate::config::Config;
use crate::sys::clock::{Clock, thread_cpu_ns};
use std::collections::{HashMap, HashSet, VecDeque};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

const NS_PER_S: u64 = 1_000_000_000;
/// When a VM's facts are read again after it was found, in seconds: VMMs drop privileges and load filters late.
const VM_AGAIN_S: [u64; 2] = [1, 10];
/// How often a VM's facts are read again after that, in seconds.
const VM_EVERY_S: u64 = 60;
/// On a host with many VMs that is longer: reading one takes about 2 ms, and all of them should take half a percent of
/// one core.
const VM_EVERY_EACH_NS: u64 = 400_000_000;

/// The checks at work.
pub struct Checker {
    rules: Arc<RuleSet>,
    facts: Facts,
    waivers: Waivers,
    waivers_path: String,
    checks_d: String,
    rules_off: Vec<String>,
    clock: Clock,
    board: Arc<Board>,
    watch: Option<Watch>,
    sweep_ns: u64,
    dependencies: Dependencies,
    marked: VecDeque<Place>,
    queue: Queue,
    agenda: Agenda,
    /// The full run under way is over when the queue is empty.
    sweeping: bool,
    state: State,
}

/// What is due when, in nanoseconds of the monotonic clock.
#[derive(Default)]
struct Agenda {
    sweep_ns: u64,
    /// Providers that are asked every so often.
    providers: HashMap<&'static str, u64>,
    /// VMs: how often each was read, and when it is read next.
    vms: HashMap<VmId, (usize, u64)>,
}

impl Checker {
    /// A checker that has looked at nothing yet; `config` says where the host is, which rules are off and how often.
    /// What it finds goes to `board`.
    #[must_use]
    pub fn new(config: &Config, clock: Clock, board: Arc<Board>) -> Self {
        Self::with_rules(super::shipped(), config, clock, board)
    }

    /// The same, with shipped rules that were read already (see [`Loading`](super::Loading)).
    #[must_use]
    pub fn with_rules(shipped: RuleSet, config: &Config, clock: Clock, board: Arc<Board>) -> Self {
        let host = HostFiles::new(config.roots.clone());
        let live = host.is_live();
        let rules =
            Arc::new(rules_files::in_force(shipped, &host, &config.checks.folder, &config.checks.off));
        let waivers = rules_files::waivers(&host, &config.checks.waivers);
        board.restart(Arc::clone(&rules));
        let watch = if live { Watch::new(host.root_folder()).ok() } else { None };
        let mut checker = Self {
            rules,
            facts: Facts::of_host(Gather::new(host, clock.clone())),
            waivers,
            waivers_path: config.checks.waivers.clone(),
            checks_d: config.checks.folder.clone(),
            rules_off: config.checks.off.clone(),
            clock,
            board,
            watch,
            sweep_ns: u64::from(config.checks.sweep_s.max(1)) * NS_PER_S,
            dependencies: Dependencies::default(),
            marked: VecDeque::new(),
            queue: Queue::default(),
            agenda: Agenda::default(),
            sweeping: false,
            state: State::default(),
        };
        checker.report_problems();
        checker.start_sweep();
        checker
    }

    /// What is known, for anybody to read.
    #[must_use]
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// The facts that were read.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Readable when something the facts were read from changed; `None` where nothing announces changes.
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.watch.as_ref().map(Watch::fd)
    }

    /// When there is something to do even if nothing is announced, in nanoseconds of the monotonic clock.
    #[must_use]
    pub fn due_ns(&self) -> u64 {
        if !self.queue.is_empty() || !self.marked.is_empty() {
            return 0;
        }
        let vms = self.agenda.vms.values().map(|(_, due)| *due);
        vms.chain(self.agenda.providers.values().copied()).chain([self.agenda.sweep_ns]).min().unwrap_or(0)
    }

    /// Says which VMs there are now.
    pub fn set_vms(&mut self, vms: Vec<Arc<Vm>>) {
        let now = self.clock.mono_ns();
        let there: HashSet<VmId> = vms.iter().map(|vm| vm.id).collect();
        let before: HashMap<VmId, Arc<Vm>> =
            self.facts.vms().iter().map(|vm| (vm.id, Arc::clone(vm))).collect();
        for gone in before.keys().filter(|id| !there.contains(id)) {
            self.forget(*gone);
        }
        let fresh: Vec<VmId> =
            vms.iter().filter(|vm| before.get(&vm.id) != Some(vm)).map(|vm| vm.id).collect();
        let marked = self.facts.set_vms(vms);
        self.marked.extend(marked);
        // Whoever looked through all VMs looks through those there are now.
        let keys = self.dependencies.of_names(|name| self.facts.key(name).starts_with(EACH));
        self.enqueue_all(keys);
        for fact in refreshes().filter_map(|refresh| match refresh {
            Refresh::VmAfter(fact) => Some(fact),
            _ => None,
        }) {
            // Read for the first time: from now on its changes are noticed.
            let _ = self.facts.get(self.facts.place(None, fact), None);
        }
        for id in fresh {
            self.agenda.vms.insert(id, (0, now + VM_AGAIN_S[0] * NS_PER_S));
            // One that is known under another name, or with more threads, is read again whole.
            let marked = self.facts.mark_of(id, |_| true);
            self.marked.extend(marked);
            self.enqueue_vm(id);
        }
    }

    /// Takes up a waiver. It holds until it expires or this checker ends; whoever wants it to last writes it to the
    /// waivers' file.
    ///
    /// # Errors
    /// When it lacks an owner, a reason, a value or a last day.
    pub fn waive(&mut self, waiver: super::waiver::Waiver) -> Result<(), super::waiver::WaiverError> {
        self.waivers.add(waiver)?;
        let keys = self.dependencies.keys();
        self.enqueue_all(keys);
        Ok(())
    }

    /// Works for at most about this long; whether there is more to do at once. A single step that the kernel holds up
    /// is not interrupted.
    pub fn work(&mut self, budget_ns: u64) -> bool {
        let (cpu_before, deadline) = (thread_cpu_ns(), self.clock.mono_ns().saturating_add(budget_ns));
        self.notice();
        self.mark_due();
        let out_of_time = |clock: &Clock| clock.mono_ns() >= deadline;
        if !self.marked.is_empty() {
            self.facts.new_round();
        }
        while let Some(place) = self.marked.pop_front() {
            if self.facts.refresh(place) {
                self.enqueue_dependents(place);
                self.mark_after(place);
            }
            if out_of_time(&self.clock) {
                break;
            }
        }
        let mut judged = None;
        while self.marked.is_empty()
            && let Some(key) = self.queue.pop()
        {
            if let Some(vm) = judged
                && key.vm != judged
            {
                self.facts.done_with(vm);
            }
            judged = key.vm;
            self.judge(key);
            if out_of_time(&self.clock) {
                break;
            }
        }
        self.watch_fresh();
        self.state.cpu_ns += thread_cpu_ns().saturating_sub(cpu_before);
        let more = !self.marked.is_empty() || !self.queue.is_empty();
        if !more {
            // What several facts were made of is let go until there is something to read again.
            self.facts.new_round();
        }
        if !more && std::mem::take(&mut self.sweeping) {
            self.state.sweeps += 1;
            self.state.swept_at_ns = self.clock.wall_ns();
        }
        self.state.facts = self.facts.len() as u64;
        self.state.watched = self.watch.as_ref().map_or(0, |watch| watch.len() as u64);
        self.board.set_state(self.state);
        more
    }

    /// Starts a full run: every fact is read again, every rule judged.
    pub fn start_sweep(&mut self) {
        self.agenda.sweep_ns = self.clock.mono_ns().saturating_add(self.sweep_ns);
        self.sweeping = true;
        self.facts.new_round();
        self.marked.clear();
        self.facts.mark_all();
        for index in 0..self.rules.rules().len() {
            if self.rules.rules()[index].scope == Scope::Host {
                self.enqueue(Key { vm: None, rule: place(index) });
            }
        }
        for vm in self.facts.vms().to_vec() {
            self.enqueue_vm(vm.id);
        }
    }

    fn enqueue_vm(&mut self, vm: VmId) {
        for index in 0..self.rules.rules().len() {
            if self.rules.rules()[index].scope != Scope::Host {
                self.enqueue(Key { vm: Some(vm), rule: place(index) });
            }
        }
    }

    fn enqueue_all(&mut self, keys: Vec<Key>) {
        for key in keys {
            self.enqueue(key);
        }
    }

    /// Has every rule look again that saw a fact, of this VM or among those of all.
    fn enqueue_dependents(&mut self, place: Place) {
        let mut keys = self.dependencies.of(place);
        if place.vm.is_some() {
            let each = format!("{EACH}{}", self.facts.key(place.name));
            keys.extend(self.dependencies.of(self.facts.place(None, &each)));
        }
        self.enqueue_all(keys);
    }

    fn enqueue(&mut self, key: Key) {
        self.queue.push(key);
    }

    fn forget(&mut self, vm: VmId) {
        self.board.remove_vm(vm);
        self.agenda.vms.remove(&vm);
        self.queue.remove_subject(vm);
        self.marked.retain(|place| place.vm != Some(vm));
        // What other VMs' findings saw of it is gone: they look again.
        let keys = self.dependencies.forget(vm);
        self.enqueue_all(keys);
    }

    fn judge(&mut self, key: Key) {
        let subject = match key.vm {
            None => Subject::Host,
            Some(id) => match self.facts.vms().iter().find(|vm| vm.id == id) {
                Some(vm) => Subject::Vm(Arc::clone(vm)),
                None => return,
            },
        };
        let now = self.clock.wall_ns();
        let rules = Arc::clone(&self.rules);
        let Some(rule) = rules.rules().get(key.rule as usize) else { return };
        let judgement = judge(rule, &self.facts, &subject, now);
        let mut finding = judgement.finding;
        finding.waived = self.waivers.of(&finding, now);
        self.dependencies.set(key, &judgement.depends_on);
        self.board.put(key, finding);
    }

    /// Marks what was announced to have changed.
    fn notice(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        let changed = watch.changed();
        if changed.overflow {
            return self.start_sweep();
        }
        if changed.paths.is_empty() {
            return;
        }
        let marked = self.facts.mark_paths(|path| {
            changed.paths.iter().any(|changed| std::path::Path::new(path).starts_with(changed))
        });
        self.marked.extend(marked);
        let touches = |file: &str| {
            let file = std::path::Path::new(file);
            changed.paths.iter().any(|path| file.starts_with(path) || path.starts_with(file))
        };
        if touches(&self.checks_d) || touches(&self.waivers_path) {
            self.reload();
        }
        // Watches that went with a file are set again on what is there now.
        for path in self.facts.paths_below(&changed.paths) {
            watch_one(&mut self.watch, &path);
        }
    }

    /// Reads rules and waivers again.
    fn reload(&mut self) {
        let host = HostFiles::new(self.facts.roots());
        self.rules =
            Arc::new(rules_files::in_force(super::shipped(), &host, &self.checks_d, &self.rules_off));
        self.waivers = rules_files::waivers(&host, &self.waivers_path);
        self.board.restart(Arc::clone(&self.rules));
        self.dependencies = Dependencies::default();
        self.queue.clear();
        self.report_problems();
        self.start_sweep();
    }

    /// Marks what is read again because of the time.
    fn mark_due(&mut self) {
        let now = self.clock.mono_ns();
        if now >= self.agenda.sweep_ns {
            self.start_sweep();
        }
        for provider in PROVIDERS.iter().flat_map(|table| table.iter()) {
            let (Refresh::Seconds(period) | Refresh::Joined(period)) = provider.refresh else { continue };
            let due =
                self.agenda.providers.entry(provider.name).or_insert(now + u64::from(period) * NS_PER_S);
            if now >= *due {
                *due = now + u64::from(period) * NS_PER_S;
                self.marked.extend(self.facts.mark(|_, name| is_of(name, provider.name)));
            }
        }
        let due: Vec<VmId> =
            self.agenda.vms.iter().filter(|(_, (_, due))| now >= *due).map(|(id, _)| *id).collect();
        let mut settling = false;
        let every_ns = (VM_EVERY_S * NS_PER_S).max(self.agenda.vms.len() as u64 * VM_EVERY_EACH_NS);
        for id in due {
            if let Some((times, next)) = self.agenda.vms.get_mut(&id) {
                *times += 1;
                settling |= *times <= VM_AGAIN_S.len();
                *next = match VM_AGAIN_S.get(*times) {
                    Some(after) => now + (after - VM_AGAIN_S[*times - 1]) * NS_PER_S,
                    None => now + every_ns,
                };
            }
            let by_schedule = |refresh| matches!(refresh, Refresh::Vm | Refresh::VmAfter(_));
            let due = |name: Name| name.provider.is_some_and(|provider| by_schedule(provider.refresh));
            self.marked.extend(self.facts.mark_of(id, due));
        }
        if settling {
            let joined = |name: Name| name.provider.is_some_and(|p| matches!(p.refresh, Refresh::Joined(_)));
            self.marked.extend(self.facts.mark(|_, name| joined(name)));
        }
    }

    /// A fact of the host changed that stands for facts of every VM.
    fn mark_after(&mut self, changed: Place) {
        let key = self.facts.key(changed.name);
        let after = |refresh| matches!(refresh, Refresh::VmAfter(fact) if *fact == *key);
        if changed.vm.is_some() || !refreshes().any(after) {
            return;
        }
        // What was read of a process earlier in this round may be older than the change.
        self.facts.new_round();
        let of_vms = |name: Name| name.provider.is_some_and(|provider| after(provider.refresh));
        self.marked.extend(self.facts.mark(|_, name| of_vms(name)));
    }

    fn watch_fresh(&mut self) {
        for path in self.facts.fresh_paths() {
            watch_one(&mut self.watch, &path);
        }
        let (folder, waivers) = (self.checks_d.clone(), self.waivers_path.clone());
        watch_one(&mut self.watch, &folder);
        watch_one(&mut self.watch, &waivers);
    }

    /// Rules that cannot be used are findings of their own: nobody must think that they pass.
    fn report_problems(&mut self) {
        let problems = self.rules.problems().iter().map(ToString::to_string);
        let waivers = self.waivers.problem.iter().map(|problem| format!("{}: {problem}", self.waivers_path));
        let now = self.clock.wall_ns();
        let found: Vec<Finding> = problems.chain(waivers).map(|problem| broken(&problem, now)).collect();
        for finding in &found {
            log::warn!("checks: {}", finding.note);
        }
        self.board.put_problems(found);
    }
}

fn broken(problem: &str, now_ns: i64) -> Finding {
    Finding {
        rule: "rules.broken".into(),
        severity: super::Severity::High,
        subject: Subject::Host,
        outcomes: Box::default(),
        note: problem.into(),
        verdict: Verdict::Error,
        waived: None,
        first_seen_ns: now_ns,
        changed_at_ns: now_ns,
        changed_from: None,
        flaps: 0,
    }
}

fn refreshes() -> impl Iterator<Item = Refresh> {
    PROVIDERS.iter().flat_map(|table| table.iter()).map(|provider| provider.refresh)
}

fn watch_one(watch: &mut Option<Watch>, path: &str) {
    if let Some(watch) = watch {
        watch.add(std::path::Path::new(path));
    }
}

fn is_of(name: Name, provider: &str) -> bool {
    name.provider.is_some_and(|known| known.name == provider)
}

fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// One full run over a host, live or recorded, with its VMs.
///
/// # Errors
/// When the kernel has no descriptor to give.
pub fn run_once(config: &Config, clock: Clock) -> nix::Result<Checker> {
    let mut checker = Checker::new(config, clock, Arc::new(Board::new()?));
    // Nobody will ask what changed afterwards.
    checker.watch = None;
    checker.set_vms(vms_of(config));
    while checker.work(u64::MAX) {}
    Ok(checker)
}
