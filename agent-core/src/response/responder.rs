//! Drives responses: one thing at a time, each recorded before it is done.

use super::action::{Action, Target, Undo};
use super::book::{Book, End, Entry, Next, Phase, Proposal, Response, StepState};
use super::guard::{Guard, Situation};
use super::hands::{Deadline, Hands, Standing, Trouble, Undone};
use super::playbook::{Approval, Case, Otherwise, Playbook};
use crate::sys::clock::Clock;
use std::time::Duration;

/// How long looking at something in force may take.
const LOOK_MAX: Duration = Duration::from_secs(2);
/// How often a VM that is to come back is looked for.
const RETURN_EVERY: Duration = Duration::from_millis(50);
const SECOND_NS: i64 = 1_000_000_000;

/// Where entries are made durable.
pub trait Journal {
    /// Returns once the entry cannot be lost any more; `tenant` is whose VM it is about.
    ///
    /// # Errors
    /// It is not durable, and what it announces must not be done.
    fn append(&mut self, entry: &Entry, tenant: &str) -> Result<(), String>;
}

/// Who else has a say: other parties and their mechanisms.
pub trait Arbiter {
    /// Whether all these actions may be taken on a VM.
    fn decide(&mut self, proposal: &Proposal) -> Ruling;
    /// Whether what was granted to a response still is: another party may have prevailed meanwhile.
    fn stands(&self, proposal: &Proposal) -> bool;
    /// A response is over.
    fn release(&mut self, response: u64);
}

/// What an arbiter says, with a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It may be done.
    Granted(String),
    /// It may not.
    Denied(String),
}

/// What else there is on the host.
pub trait World {
    /// The VMs on this host now.
    fn vms(&self) -> Vec<Target>;
    /// Tells whoever follows alerts.
    fn notify(&mut self, target: &Target, text: &str);
}

/// What others may want to know of a response: for the incident that it answers.
#[expect(
    missing_docs,
    reason = "`response` and `incident` are their numbers; the rest is told at each variant"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing is done about it by itself, and why.
    NotDone { response: u64, incident: u64, why: String },
    /// A person is asked.
    Asked { response: u64, incident: u64, until_ns: i64 },
    /// Everything that the playbook wants is in force or done.
    Contained { response: u64, incident: u64 },
    /// A VM that died is back; how long that took from its death.
    Back { response: u64, incident: u64, pid: i32, rto_ms: u64 },
    /// It is over.
    Ended { response: u64, incident: u64, end: End, why: String },
}

/// An incident that something may be done about.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// Its number.
    pub incident: u64,
    /// The VM it is about.
    pub target: &'a Target,
    /// What playbooks are held against.
    pub case: Case<'a>,
    /// When it began, `CLOCK_REALTIME` nanoseconds.
    pub began_ns: i64,
}

/// Drives responses. Its methods may block as long as a step may take: it belongs on a thread of its own.
pub struct Responder<J, A, W> {
    book: Book,
    playbooks: Vec<Playbook>,
    guard: Guard,
    hands: Hands,
    clock: Clock,
    journal: J,
    arbiter: A,
    world: W,
    events: Vec<Event>,
}

impl<J: Journal, A: Arbiter, W: World> Responder<J, A, W> {
    /// A responder that goes on where a book stands.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "everything it works with is injected")]
    pub fn new(
        mut book: Book,
        playbooks: Vec<Playbook>,
        guard: Guard,
        hands: Hands,
        clock: Clock,
        journal: J,
        arbiter: A,
        world: W,
    ) -> Self {
        book.resume();
        Self { book, playbooks, guard, hands, clock, journal, arbiter, world, events: Vec::new() }
    }

    /// Every response.
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// What it reaches the host through.
    pub fn world(&mut self) -> &mut W {
        &mut self.world
    }

    /// Both: for a world that looks for what responses are about.
    pub fn book_and_world(&mut self) -> (&Book, &mut W) {
        (&self.book, &mut self.world)
    }

    /// What happened since this was last asked.
    pub fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Other playbooks and rails from now on; what is under way goes on as it was begun.
    pub fn configure(&mut self, playbooks: Vec<Playbook>, guard: Guard) {
        (self.playbooks, self.guard) = (playbooks, guard);
    }

    /// Proposes what the playbooks have for an incident, each once. `Ok` is how many.
    ///
    /// # Errors
    /// The journal does not take it; nothing is proposed.
    pub fn call(&mut self, call: &Call<'_>) -> Result<usize, String> {
        let fitting = |playbook: &&Playbook| {
            playbook.when.is_met(&call.case) && !self.book.has_answered(call.incident, &playbook.id)
        };
        let fitting: Vec<Playbook> = self.playbooks.iter().filter(fitting).cloned().collect();
        let mut proposed = 0;
        for playbook in fitting {
            if !self.book.has_room() {
                return Err("too many responses are open".to_owned());
            }
            let proposal = Proposal {
                id: self.book.next_id(),
                incident: call.incident,
                playbook: playbook.id,
                target: call.target.clone(),
                steps: playbook.steps,
                lease_s: playbook.lease_s,
                approval: playbook.approval,
                closing: playbook.closing,
                began_ns: call.began_ns,
                at_ns: self.clock.wall_ns(),
            };
            self.enter(&Entry::Proposed(Box::new(proposal)))?;
            proposed += 1;
        }
        Ok(proposed)
    }

    /// A person's answer to a response that waits for one.
    ///
    /// # Errors
    /// It does not wait for one, or the journal does not take it.
    pub fn answer(&mut self, id: u64, agreed: bool, by: &str, why: &str) -> Result<(), String> {
        self.enter(&Entry::Answered { id, agreed, by: by.to_owned(), why: why.to_owned() })
    }

    /// A person ends a response: it is taken back.
    ///
    /// # Errors
    /// Nothing of it is in force, or the journal does not take it.
    pub fn end(&mut self, id: u64, by: &str, why: &str) -> Result<(), String> {
        self.enter(&Entry::Ending { id, by: by.to_owned(), why: why.to_owned() })
    }

    /// Does the next thing that is to be done, if there is one. Nothing is done that the journal did not take.
    ///
    /// # Errors
    /// The journal does not take an entry: call again later.
    pub fn work(&mut self) -> Result<bool, String> {
        let now_ns = self.clock.wall_ns();
        let Some((id, next)) = self.book.next(now_ns) else { return Ok(false) };
        let Some(response) = self.book.find(id).cloned() else { return Ok(false) };
        match next {
            Next::Decide => self.decide(&response, now_ns)?,
            Next::TimeUp(otherwise) => {
                let agreed = otherwise == Otherwise::Proceed;
                let why = "nobody answered in time".to_owned();
                self.enter(&Entry::Answered { id, agreed, by: "the playbook".to_owned(), why })?;
            }
            Next::Take(step) => self.take(&response, step)?,
            Next::Settle(step) => self.settle(&response, step)?,
            Next::Hold => {
                let lease_ns = i64::from(response.proposal.lease_s) * SECOND_NS;
                let until_ns = if lease_ns == 0 { 0 } else { now_ns.saturating_add(lease_ns) };
                self.enter(&Entry::Held { id, until_ns })?;
                self.events.push(Event::Contained { response: id, incident: response.proposal.incident });
            }
            Next::Look => self.look(&response, now_ns)?,
            Next::LeaseOver => {
                let why = match response.phase {
                    Phase::Holding { .. } => "the lease is over".to_owned(),
                    _ => response.why.clone(),
                };
                self.enter(&Entry::Ending { id, by: "the playbook".to_owned(), why })?;
            }
            Next::TakeBack(step) => self.take_back(&response, step)?,
            Next::SettleBack(step) => self.settle_back(&response, step)?,
            Next::Close(end) => {
                if end == End::Complete && !matches!(response.phase, Phase::Undoing) {
                    self.events.push(Event::Contained { response: id, incident: response.proposal.incident });
                }
                self.enter(&Entry::Ended { id, end, at_ns: now_ns })?;
            }
        }
        Ok(true)
    }

    fn decide(&mut self, response: &Response, now_ns: i64) -> Result<(), String> {
        let proposal = &response.proposal;
        let id = proposal.id;
        let situation = Situation {
            target: &proposal.target,
            is_disruptive: proposal.steps.iter().any(|step| step.action.is_disruptive()),
            vms: self.world.vms().len(),
            acted_on: &self.book.acted_on(),
            begun_ns: &self.book.granted_ns(),
            // What cannot be told is taken for set.
            killed: self.guard.rails.kill_switch.try_exists().unwrap_or(true),
            now_ns,
        };
        if let Err(why) = self.guard.judge(&situation) {
            return self.enter(&Entry::Refused { id, why });
        }
        if let (Phase::Proposed, Approval::Asked { within_s, .. }) = (response.phase, proposal.approval) {
            let until_ns = now_ns.saturating_add(i64::from(within_s) * SECOND_NS);
            self.enter(&Entry::Asked { id, until_ns })?;
            self.events.push(Event::Asked { response: id, incident: proposal.incident, until_ns });
            return Ok(());
        }
        match self.arbiter.decide(proposal) {
            Ruling::Granted(why) => {
                let granted = self.enter(&Entry::Granted { id, why, at_ns: now_ns });
                if granted.is_err() {
                    self.arbiter.release(id);
                }
                granted
            }
            Ruling::Denied(why) => self.enter(&Entry::Refused { id, why }),
        }
    }

    /// Prepares a step, records it with how it is taken back, takes it, and reads back what came of it.
    fn take(&mut self, response: &Response, step: u8) -> Result<(), String> {
        let (id, target) = (response.proposal.id, &response.proposal.target);
        let Some(action) = response.action(step) else { return Ok(()) };
        if !self.arbiter.stands(&response.proposal) {
            return self.give_way(id);
        }
        if let Action::Restart { .. } = action
            && let Some(vm) = self.alive(target)
        {
            let why = format!("the VM runs as process {} already", vm.pid);
            return self.enter(&Entry::Failed { id, step, why });
        }
        match self.hands.prepare(action, target, time(response, step)) {
            Ok(undo) => {
                self.enter(&Entry::Intended { id, step, undo: undo.clone() })?;
                self.apply(response, step, &undo)
            }
            Err(trouble) => self.enter(&Entry::Failed { id, step, why: trouble.to_string() }),
        }
    }

    fn apply(&mut self, response: &Response, step: u8, undo: &Undo) -> Result<(), String> {
        let (id, target) = (response.proposal.id, &response.proposal.target);
        let Some(action) = response.action(step) else { return Ok(()) };
        let (name, deadline) = (name(id, step), time(response, step));
        if let Err(trouble) = self.hands.apply(action, target, undo, &name, deadline) {
            return self.after_failure(response, step, undo, &trouble.to_string());
        }
        match action {
            Action::Notify { text } => {
                self.world.notify(target, text);
                self.done(id, step, "told".to_owned())
            }
            Action::Restart { .. } => self.await_return(response, step, deadline),
            // It ended with 0; what tells more is the operator's own program, if there is one.
            Action::Run { verify, .. } if verify.is_empty() => {
                self.done(id, step, "it ended with 0".to_owned())
            }
            _ => match self.hands.verify(action, target, undo, &name, deadline) {
                Ok(Standing::InForce(seen)) => self.done(id, step, seen),
                Ok(Standing::NotInForce(seen)) => self.after_failure(
                    response,
                    step,
                    undo,
                    &format!("it was done and is not in force: {seen}"),
                ),
                Ok(Standing::Unknown(why)) => self.enter(&Entry::Doubtful { id, step, why }),
                Err(trouble) => self.enter(&Entry::Failed { id, step, why: trouble.to_string() }),
            },
        }
    }

    /// A step that failed may have had half its effect, which is taken back.
    fn after_failure(&mut self, response: &Response, step: u8, undo: &Undo, why: &str) -> Result<(), String> {
        let (id, target) = (response.proposal.id, &response.proposal.target);
        let repeatable = response.action(step).is_some_and(Action::is_repeatable);
        if repeatable && *undo != Undo::Nothing {
            let back = self.hands.undo(target, undo, &name(id, step), time(response, step));
            if let Err(trouble) = back
                && trouble != Trouble::Gone
            {
                let why = format!("{why}; and taking it back: {trouble}");
                return self.enter(&Entry::Doubtful { id, step, why });
            }
        }
        self.enter(&Entry::Failed { id, step, why: why.to_owned() })
    }

    /// The agent ended while a step was under way: what does the host say?
    fn settle(&mut self, response: &Response, step: u8) -> Result<(), String> {
        let (id, target) = (response.proposal.id, &response.proposal.target);
        let undo = response.steps.get(usize::from(step)).map_or(Undo::Nothing, |(_, undo)| undo.clone());
        let Some(action) = response.action(step) else { return Ok(()) };
        let standing = match action {
            Action::Restart { .. } => match self.alive(target) {
                Some(_) => return self.await_return(response, step, time(response, step)),
                None => Ok(Standing::Unknown("the command may still be at work".to_owned())),
            },
            Action::Notify { .. } => Ok(Standing::Unknown("it may have been told".to_owned())),
            _ => self.hands.verify(action, target, &undo, &name(id, step), time(response, step)),
        };
        match standing {
            Ok(Standing::InForce(seen)) => {
                self.done(id, step, format!("{seen}; found so after a restart of the agent"))
            }
            Ok(Standing::NotInForce(_)) => self.apply(response, step, &undo),
            Ok(Standing::Unknown(_)) if action.is_repeatable() => self.apply(response, step, &undo),
            Ok(Standing::Unknown(why)) => {
                let why = format!("the agent ended while it was under way: {why}");
                self.enter(&Entry::Doubtful { id, step, why })
            }
            Err(trouble) => self.enter(&Entry::Failed { id, step, why: trouble.to_string() }),
        }
    }

    /// Looks whether what is in force still is.
    fn look(&mut self, response: &Response, now_ns: i64) -> Result<(), String> {
        let (id, target) = (response.proposal.id, &response.proposal.target);
        if !self.arbiter.stands(&response.proposal) {
            return self.give_way(id);
        }
        for (step, (state, undo)) in (0u8..).zip(&response.steps) {
            let Some(action) = response.action(step) else { continue };
            if *state != StepState::Done || *undo == Undo::Nothing || matches!(action, Action::Run { .. }) {
                continue;
            }
            match self.hands.verify(action, target, undo, &name(id, step), Deadline::after(LOOK_MAX)) {
                Ok(Standing::NotInForce(seen)) if matches!(action, Action::CutNetwork) => {
                    // A quarantine that somebody's `flush ruleset` took away is not what that somebody wanted.
                    self.enter(&Entry::Reasserted { id, step, seen })?;
                    if let Err(trouble) =
                        self.hands.apply(action, target, undo, &name(id, step), time(response, step))
                    {
                        log::error!("response {id}: the network could not be cut again: {trouble}");
                    }
                }
                // Two that fight over one value would fight for ever: the other one keeps it, and it is told.
                Ok(Standing::NotInForce(seen)) => self.enter(&Entry::Lost { id, step, seen })?,
                Err(Trouble::Gone) => {
                    let why = Trouble::Gone.to_string();
                    return self.enter(&Entry::Ending { id, by: "the agent".to_owned(), why });
                }
                Ok(Standing::InForce(_) | Standing::Unknown(_)) | Err(_) => {}
            }
        }
        self.book.looked(id, now_ns);
        Ok(())
    }

    /// Another party's claim prevailed over a response that had been granted.
    fn give_way(&mut self, id: u64) -> Result<(), String> {
        let why = "another party's claim has prevailed over it".to_owned();
        self.enter(&Entry::Ending { id, by: "the arbiter".to_owned(), why })
    }

    fn take_back(&mut self, response: &Response, step: u8) -> Result<(), String> {
        let id = response.proposal.id;
        let undo = response.steps.get(usize::from(step)).map_or(Undo::Nothing, |(_, undo)| undo.clone());
        self.enter(&Entry::Undoing { id, step })?;
        match self.hands.undo(&response.proposal.target, &undo, &name(id, step), time(response, step)) {
            Ok(Undone::Restored(seen)) => {
                self.enter(&Entry::Undone { id, step, seen, left_to_others: false })
            }
            Ok(Undone::LeftToOthers(seen)) => {
                self.enter(&Entry::Undone { id, step, seen, left_to_others: true })
            }
            Err(Trouble::Gone) => {
                let seen = Trouble::Gone.to_string();
                self.enter(&Entry::Undone { id, step, seen, left_to_others: false })
            }
            Err(trouble) => {
                let at_ns = self.clock.wall_ns();
                self.enter(&Entry::UndoFailed { id, step, why: trouble.to_string(), at_ns })
            }
        }
    }

    /// The agent ended while a step was taken back, or while it was taken and then a person ended the response.
    fn settle_back(&mut self, response: &Response, step: u8) -> Result<(), String> {
        let id = response.proposal.id;
        let place = response.steps.get(usize::from(step));
        let undo = place.map_or(Undo::Nothing, |(_, undo)| undo.clone());
        let action = response.action(step);
        // Taking back is safe to repeat, except by programs of which that is not known.
        let Some(action @ Action::Run { .. }) = action else { return self.take_back(response, step) };
        let target = &response.proposal.target;
        match self.hands.verify(action, target, &undo, &name(id, step), time(response, step)) {
            Ok(Standing::InForce(_)) => self.take_back(response, step),
            Ok(Standing::NotInForce(seen)) => {
                self.enter(&Entry::Undone { id, step, seen, left_to_others: false })
            }
            Ok(Standing::Unknown(why)) => self.enter(&Entry::Doubtful { id, step, why }),
            Err(trouble) => self.enter(&Entry::Doubtful { id, step, why: trouble.to_string() }),
        }
    }

    /// Waits until a VM of the same UUID, or name where it has none, runs again.
    fn await_return(&mut self, response: &Response, step: u8, deadline: Deadline) -> Result<(), String> {
        let (id, incident) = (response.proposal.id, response.proposal.incident);
        loop {
            if let Some(vm) = self.alive(&response.proposal.target) {
                let away_ns = self.clock.wall_ns().saturating_sub(response.proposal.began_ns);
                let rto_ms = u64::try_from(away_ns / 1_000_000).unwrap_or(0);
                self.events.push(Event::Back { response: id, incident, pid: vm.pid, rto_ms });
                return self.done(
                    id,
                    step,
                    format!("it runs as process {}, {rto_ms} ms after it died", vm.pid),
                );
            }
            if deadline.left().is_zero() {
                let why = "the command ended with 0, and the VM has not come back in time".to_owned();
                return self.enter(&Entry::Failed { id, step, why });
            }
            std::thread::sleep(RETURN_EVERY);
        }
    }

    /// A running VM that is this one.
    fn alive(&self, target: &Target) -> Option<Target> {
        self.world
            .vms()
            .into_iter()
            .find(|vm| if target.uuid == [0; 16] { vm.name == target.name } else { vm.uuid == target.uuid })
    }

    fn done(&mut self, id: u64, step: u8, seen: String) -> Result<(), String> {
        let at_ns = self.clock.wall_ns();
        self.enter(&Entry::Done { id, step, seen, at_ns })
    }

    /// Makes an entry durable, then takes it in. One that does not fit is never recorded.
    fn enter(&mut self, entry: &Entry) -> Result<(), String> {
        let after = self.book.after(entry)?;
        self.journal.append(entry, &after.proposal.target.tenant)?;
        self.book.take(entry)?;
        if let Phase::Ended(end) = after.phase {
            if after.granted_ns != 0 {
                self.arbiter.release(entry.id());
            }
            let (response, incident, why) = (entry.id(), after.proposal.incident, after.why);
            self.events.push(match end {
                End::NotDone => Event::NotDone { response, incident, why },
                _ => Event::Ended { response, incident, end, why },
            });
        }
        Ok(())
    }
}

/// What names a step to the operator's programs and in file names.
fn name(id: u64, step: u8) -> String {
    format!("{id}.{step}")
}

fn time(response: &Response, step: u8) -> Deadline {
    let timeout_s = response.proposal.steps.get(usize::from(step)).map_or(0, |step| step.timeout_s);
    Deadline::after(Duration::from_secs(u64::from(timeout_s)))
}
