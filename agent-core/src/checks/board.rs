//! What is known now, for everybody to read, and what changed, for one to take.

use super::by_subject::BySubject;
use super::declared::RuleSet;
use super::finding::{Finding, Verdict};
use super::vm::VmId;
use nix::sys::eventfd::{EfdFlags, EventFd};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Changes that wait to be taken; what does not fit is dropped, the oldest first, and counted.
pub const CHANGES_MAX: usize = 4_096;

/// Findings about broken rules stand behind all others.
const PROBLEMS_FROM: u32 = 1 << 24;

/// Which finding: the place of its rule, and the VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The VM; `None` for the host.
    pub vm: Option<VmId>,
    /// The place of its rule in the rule set.
    pub rule: u32,
}

/// What is known now, and what changed.
#[derive(Debug)]
pub struct Board {
    inner: Mutex<Inner>,
    ready: EventFd,
}

#[derive(Debug)]
struct Inner {
    rules: Arc<RuleSet>,
    findings: BySubject<Arc<Finding>>,
    changes: VecDeque<Change>,
    accounts: Accounts,
    state: State,
    /// Counted when somebody asks, and kept until a finding is put up or goes.
    tally: Option<Tally>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Counted from 1, without gaps: a gap is what was dropped.
    pub sequence: u64,
    /// What happened.
    pub kind: ChangeKind,
    /// The finding as it is now, or as it was when its VM ended.
    pub finding: Arc<Finding>,
}

/// What happened to a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ChangeKind {
    /// First seen, and something to act on.
    New = 1,
    /// Its verdict changed.
    Verdict = 2,
    /// What it stands on changed, and the verdict did not.
    Value = 3,
    /// A waiver began or ceased to hold.
    Waiver = 4,
    /// Its VM ended, or its rule was taken away, while it was something to act on.
    Gone = 5,
}

impl ChangeKind {
    /// The lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Verdict => "verdict",
            Self::Value => "value",
            Self::Waiver => "waiver",
            Self::Gone => "gone",
        }
    }
}

/// What became of every change: `produced = delivered + dropped + in flight`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Changes that were made.
    pub produced: u64,
    /// Changes that were taken.
    pub delivered: u64,
    /// Changes that did not fit.
    pub dropped: u64,
    /// Changes that wait.
    pub in_flight: u64,
}

/// How far the checks have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Full runs that were completed.
    pub sweeps: u64,
    /// When the last one was completed, in nanoseconds since the epoch; 0 is never.
    pub swept_at_ns: i64,
    /// CPU time spent on checks, in nanoseconds.
    pub cpu_ns: u64,
    /// Facts that are kept.
    pub facts: u64,
    /// Paths that are watched for changes; what is not watched is found by the next full run.
    pub watched: u64,
}

/// How many findings there are of each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// By verdict, in the order of [`Verdict::ALL`]; those that are waived are counted in.
    pub by_verdict: [u64; 5],
    /// Findings that fail or are broken and are waived.
    pub waived: u64,
}

impl Board {
    /// An empty board, without rules yet.
    ///
    /// # Errors
    /// When the kernel has no descriptor to give.
    pub fn new() -> nix::Result<Self> {
        let inner = Inner {
            rules: Arc::default(),
            findings: BySubject::default(),
            changes: VecDeque::new(),
            accounts: Accounts::default(),
            state: State::default(),
            tally: None,
        };
        let ready = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Self { inner: Mutex::new(inner), ready })
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> Arc<RuleSet> {
        Arc::clone(&self.inner.lock().rules)
    }

    /// Every finding: the host's first, then VM by VM.
    #[must_use]
    pub fn findings(&self) -> Vec<Arc<Finding>> {
        self.inner.lock().findings.iter().map(|(_, finding)| Arc::clone(finding)).collect()
    }

    /// How many there are of each verdict.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let Inner { findings, tally, .. } = &mut *self.inner.lock();
        *tally.get_or_insert_with(|| {
            let mut tally = Tally::default();
            for (_, finding) in findings.iter() {
                tally.count(finding);
            }
            tally
        })
    }

    /// Takes the oldest changes that wait, as many as `max`.
    #[must_use]
    pub fn take(&self, max: usize) -> Vec<Change> {
        let mut inner = self.inner.lock();
        let count = max.min(inner.changes.len());
        let taken: Vec<Change> = inner.changes.drain(..count).collect();
        inner.accounts.delivered += taken.len() as u64;
        if inner.changes.is_empty() {
            // Nothing to read is what is wanted here.
            let _ = self.ready.read();
        }
        taken
    }

    /// Readable while changes wait; to be polled, neither read nor closed.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }

    /// What became of every change.
    #[must_use]
    pub fn accounts(&self) -> Accounts {
        let inner = self.inner.lock();
        Accounts { in_flight: inner.changes.len() as u64, ..inner.accounts }
    }

    /// How far the checks have come.
    #[must_use]
    pub fn state(&self) -> State {
        self.inner.lock().state
    }

    pub(super) fn set_state(&self, state: State) {
        self.inner.lock().state = state;
    }

    /// New rules. What was found by a rule that is still there stays until it is judged again; the rest goes.
    pub(super) fn restart(&self, rules: Arc<RuleSet>) {
        let mut inner = self.inner.lock();
        inner.tally = None;
        for (key, finding) in std::mem::take(&mut inner.findings).iter() {
            let finding = Arc::clone(finding);
            let place = rules.find(&finding.rule).and_then(|(index, _)| u32::try_from(index).ok());
            match place.or((key.rule >= PROBLEMS_FROM).then_some(key.rule)) {
                Some(rule) => {
                    inner.findings.insert(Key { rule, ..key }, finding);
                }
                None if finding.is_open() => self.push(&mut inner, ChangeKind::Gone, finding),
                None => {}
            }
        }
        inner.rules = rules;
    }

    /// Puts up what is wrong with rules and waivers themselves, in place of what was wrong before.
    pub(super) fn put_problems(&self, problems: Vec<Finding>) {
        let from = Key { vm: None, rule: PROBLEMS_FROM };
        let count = u32::try_from(problems.len()).unwrap_or(u32::MAX);
        let mut inner = self.inner.lock();
        inner.tally = None;
        inner.findings.retain(|key| key.rule < from.rule || key.rule - from.rule < count);
        drop(inner);
        for (rule, problem) in (from.rule..).zip(problems) {
            self.put(Key { rule, ..from }, problem);
        }
    }

    /// Puts a finding up; what is new about it is worked out from what was there.
    pub(super) fn put(&self, key: Key, mut finding: Finding) {
        let mut inner = self.inner.lock();
        inner.tally = None;
        let kind = match inner.findings.get(key) {
            None => finding.is_open().then_some(ChangeKind::New),
            Some(before) => {
                finding.first_seen_ns = before.first_seen_ns;
                finding.flaps = before.flaps;
                if finding.same(before) && finding.waived == before.waived {
                    // The evidence was read again and says the same: only its time is newer.
                    finding.changed_at_ns = before.changed_at_ns;
                    finding.changed_from.clone_from(&before.changed_from);
                    None
                } else if finding.same(before) {
                    finding.changed_from.clone_from(&before.changed_from);
                    Some(ChangeKind::Waiver)
                } else {
                    let verdict = finding.verdict != before.verdict;
                    finding.flaps += u32::from(verdict);
                    finding.changed_from = Some(Box::new((before.verdict, before.observed())));
                    Some(if verdict { ChangeKind::Verdict } else { ChangeKind::Value })
                }
            }
        };
        let finding = Arc::new(finding);
        inner.findings.insert(key, Arc::clone(&finding));
        if let Some(kind) = kind {
            self.push(&mut inner, kind, finding);
        }
    }

    /// A VM ended: its findings go.
    pub(super) fn remove_vm(&self, vm: VmId) {
        let mut inner = self.inner.lock();
        inner.tally = None;
        for (_, finding) in inner.findings.remove_subject(Some(vm)) {
            if finding.is_open() {
                self.push(&mut inner, ChangeKind::Gone, finding);
            }
        }
    }

    fn push(&self, inner: &mut Inner, kind: ChangeKind, finding: Arc<Finding>) {
        if inner.changes.len() >= CHANGES_MAX {
            inner.changes.pop_front();
            inner.accounts.dropped += 1;
        }
        inner.accounts.produced += 1;
        let sequence = inner.accounts.produced;
        inner.changes.push_back(Change { sequence, kind, finding });
        // Fails only when the count is at its maximum, and then it is readable anyway.
        let _ = self.ready.write(1);
    }
}

impl Tally {
    /// Counts one in.
    pub fn count(&mut self, finding: &Finding) {
        if let Some(place) = Verdict::ALL.iter().position(|verdict| *verdict == finding.verdict) {
            self.by_verdict[place] += 1;
        }
        let bad = matches!(finding.verdict, Verdict::Fail | Verdict::Error);
        self.waived += u64::from(bad && finding.waived.is_some());
    }

    /// How many there are of a verdict.
    #[must_use]
    pub fn of(&self, verdict: Verdict) -> u64 {
        Verdict::ALL.iter().position(|known| *known == verdict).map_or(0, |place| self.by_verdict[place])
    }
}
