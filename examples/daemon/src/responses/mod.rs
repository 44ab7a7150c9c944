//! The daemon's responses: a thread of its own holds the playbooks against the incidents that fire, does what is to be
//! done, and takes the incidents along.
//!
//! | where an incident and its response stand | what follows for the incident |
//! |---|---|
//! | open or acknowledged; a response is in force or done | contained |
//! | contained, its conditions are over, every response has ended and one of them was complete | recovered |
//! | recovered, and the playbook says what such incidents are | closed |
//!
//! That is worked out anew each time from what both say, so that a restart in between changes nothing.

mod answer;
mod journal;
mod place;

pub use answer::answer;

use crate::exit::{Code, Failure};
use crate::incidents::Desk;
use bartizan_core::checks::report::json::rfc3339;
use bartizan_core::config::Config;
use bartizan_core::coordination::{self, Terms};
use bartizan_core::engine::Reader;
use bartizan_core::incidents::{Closure, Notice, State, Step};
use bartizan_core::ledger::Ledger;
use bartizan_core::response::book::{Book, End, Phase, Response};
use bartizan_core::response::coordinated::Coordinated;
use bartizan_core::response::hands::Hands;
use bartizan_core::response::playbook::{self, Case};
use bartizan_core::response::responder::{Arbiter, Call, Event};
use bartizan_core::response::{Guard, Mistake, Playbook, Responder};
use bartizan_core::sys::clock::Clock;
use journal::{Ledgered, Replay};
use parking_lot::Mutex;
use place::Place;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often incidents are looked at.
const ROUND: Duration = Duration::from_millis(250);
/// How long somebody who answers waits for a step that is just being taken.
const ANSWER_TIME: Duration = Duration::from_secs(10);
const COMMANDS_MAX: usize = 16;
/// Who takes steps with incidents.
const BY: &str = "bartizan";

type Responding = Responder<Ledgered, Coordinated<Ledgered>, Place>;

/// The thread, and what others see of it.
pub struct Responses {
    commands: Mutex<Option<SyncSender<Asked>>>,
    shown: Arc<Mutex<Value>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A command, and where its answer goes.
type Asked = (Command, SyncSender<Result<(), String>>);

/// What somebody wants of a response.
pub enum Command {
    /// To agree, or not.
    Answer {
        /// Which.
        id: u64,
        /// Whether.
        agreed: bool,
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// To have it taken back.
    End {
        /// Which.
        id: u64,
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// Another configuration is in force.
    Configure(Box<(Config, Vec<Playbook>, Reader)>),
}

/// The playbooks of a configuration's folder.
///
/// # Errors
/// Every mistake in any of them, with its file and line. A folder that is not there holds none.
pub fn playbooks(config: &Config) -> Result<Vec<Playbook>, Failure> {
    let folder = &config.response.playbooks;
    let unreadable = |path: &Path, error: std::io::Error| {
        Failure::new(Code::Config, format!("playbooks in {}: {error}", path.display()))
    };
    let mut files = match std::fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unreadable(folder, error))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(unreadable(folder, error)),
    };
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let (mut all, mut mistakes) = (Vec::<Playbook>::new(), Vec::new());
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|error| unreadable(&file, error))?;
        match playbook::parse(&file, &text) {
            Ok(playbooks) => {
                for playbook in playbooks {
                    if all.iter().any(|other| other.id == playbook.id) {
                        let message =
                            format!("a second playbook `{}`; each file's are in force together", playbook.id);
                        mistakes.push(Mistake { file: file.clone(), line: 0, message });
                    } else {
                        all.push(playbook);
                    }
                }
            }
            Err(wrong) => mistakes.extend(wrong),
        }
    }
    if mistakes.is_empty() {
        return Ok(all);
    }
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    Err(Failure::new(Code::Config, lines.join("\n")))
}

impl Responses {
    /// Goes on where the ledger says responses stand.
    ///
    /// # Errors
    /// When the ledger cannot be read, or there is no thread.
    pub fn start(
        ledger: &Ledger,
        folder: &Path,
        playbooks: Vec<Playbook>,
        reader: &Reader,
        desk: Arc<Desk>,
    ) -> Result<Self, Failure> {
        let replay = Replay::of(folder)?;
        let config = reader.config();
        let arbiter = Arc::new(Mutex::new(coordination::Arbiter::resume(replay.claims, Terms::default())));
        let mut place = Place::new(reader.clone());
        place.look(&replay.book);
        arbiter.lock().set_terms(place.terms());
        let coordinated = Coordinated::new(Arc::clone(&arbiter), Ledgered(ledger.clone()), Clock::System);
        let coordinated = reclaim(coordinated, &replay.book);
        let responder = Responder::new(
            replay.book,
            playbooks,
            Guard { rails: config.response.clone() },
            Hands { roots: config.roots.clone(), ..Hands::default() },
            Clock::System,
            Ledgered(ledger.clone()),
            coordinated,
            place,
        );
        let (sender, commands) = sync_channel(COMMANDS_MAX);
        let shown = Arc::new(Mutex::new(show(responder.book())));
        let mut turn = Turn { responder, arbiter, desk, shown: Arc::clone(&shown), trouble: false };
        let thread = std::thread::Builder::new()
            .name("responses".into())
            .spawn(move || turn.serve(&commands))
            .map_err(|error| Failure::new(Code::Os, format!("no thread for responses: {error}")))?;
        Ok(Self { commands: Mutex::new(Some(sender)), shown, thread: Mutex::new(Some(thread)) })
    }

    /// Every response, as JSON.
    #[must_use]
    pub fn shown(&self) -> Value {
        self.shown.lock().clone()
    }

    /// Does what somebody wants.
    ///
    /// # Errors
    /// Why not.
    pub fn tell(&self, command: Command) -> Result<(), String> {
        let sender = self.commands.lock().clone().ok_or("responses have ended")?;
        let (reply, answer) = sync_channel(1);
        sender.try_send((command, reply)).map_err(|_| "responses are busy; try again")?;
        match answer.recv_timeout(ANSWER_TIME) {
            Ok(done) => done,
            Err(RecvTimeoutError::Timeout) => {
                Err("a step is being taken; it will be looked at after it".to_owned())
            }
            Err(RecvTimeoutError::Disconnected) => Err("responses have ended".to_owned()),
        }
    }

    /// Ends the thread, after the step that it is taking. What is in force stays, and is taken up by the next run.
    pub fn stop(&self) {
        drop(self.commands.lock().take());
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            log::error!("the thread of responses failed on a mistake of ours");
        }
    }
}

/// Responses whose claims are no longer recorded (the records were removed for their age) claim again.
fn reclaim(mut arbiter: Coordinated<Ledgered>, book: &Book) -> Coordinated<Ledgered> {
    for response in
        book.open().filter(|response| matches!(response.phase, Phase::Acting | Phase::Holding { .. }))
    {
        if !arbiter.stands(&response.proposal) {
            let ruling = arbiter.decide(&response.proposal);
            log::info!("response {} claims again what it holds: {ruling:?}", response.proposal.id);
        }
    }
    arbiter
}

/// What the thread works with.
struct Turn {
    responder: Responding,
    arbiter: Arc<Mutex<coordination::Arbiter>>,
    desk: Arc<Desk>,
    shown: Arc<Mutex<Value>>,
    /// The ledger takes nothing: told once.
    trouble: bool,
}

impl Turn {
    fn serve(&mut self, commands: &Receiver<Asked>) {
        loop {
            match commands.recv_timeout(ROUND) {
                Ok((command, reply)) => {
                    let done = self.obey(command);
                    // Whoever asked may have gone.
                    let _ = reply.try_send(done);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            match self.round() {
                Ok(()) => self.trouble = false,
                Err(why) if !self.trouble => {
                    self.trouble = true;
                    log::error!("no response can be recorded, so nothing is done: {why}");
                }
                Err(_) => {}
            }
        }
    }

    fn obey(&mut self, command: Command) -> Result<(), String> {
        match command {
            Command::Answer { id, agreed, by, why } => self.responder.answer(id, agreed, &by, &why),
            Command::End { id, by, why } => self.responder.end(id, &by, &why),
            Command::Configure(new) => {
                let (config, playbooks, reader) = *new;
                self.responder.world().follow(reader);
                self.responder.configure(playbooks, Guard { rails: config.response });
                Ok(())
            }
        }
    }

    fn round(&mut self) -> Result<(), String> {
        let (book, place) = self.responder.book_and_world();
        place.look(book);
        self.arbiter.lock().set_terms(place.terms());
        let notices = self.desk.views();
        for notice in notices.iter().filter(|notice| notice.is_firing()) {
            self.call(notice)?;
        }
        // A step at a time, so that a person's word comes in between.
        let mut worked = false;
        while self.responder.work()? {
            worked = true;
            *self.shown.lock() = show(self.responder.book());
        }
        for event in self.responder.events() {
            told(&event);
            worked = true;
        }
        for notice in &notices {
            take_along(&self.desk, self.responder.book(), notice);
        }
        if worked {
            *self.shown.lock() = show(self.responder.book());
        }
        Ok(())
    }

    fn call(&mut self, notice: &Notice) -> Result<(), String> {
        let Some(target) = self.responder.world().target(&notice.resource) else { return Ok(()) };
        let now_ns = Clock::System.wall_ns();
        let signs_ns: Vec<i64> =
            notice.members.iter().filter(|member| member.is_firing).map(|member| member.last_ns).collect();
        let case = Case {
            cause: &notice.detector,
            severity: notice.severity,
            tenant: &notice.resource.tenant,
            vm: &notice.resource.name,
            signs_ns: &signs_ns,
            now_ns,
        };
        let call = Call { incident: notice.incident, target: &target, case, began_ns: notice.opened_ns };
        self.responder.call(&call).map(drop)
    }
}

/// Says in the log what happened.
fn told(event: &Event) {
    match event {
        Event::NotDone { response, incident, why } => {
            log::warn!("response {response} to incident {incident} is not done: {why}");
        }
        Event::Asked { response, incident, until_ns } => log::warn!(
            "response {response} to incident {incident} waits for a person until {}: bartizan response approve {response}",
            rfc3339(*until_ns)
        ),
        Event::Contained { response, incident } => {
            log::warn!("response {response} to incident {incident} is in force");
        }
        Event::Back { response, incident, pid, rto_ms } => {
            log::warn!(
                "response {response} to incident {incident}: the VM is back as process {pid}, {rto_ms} ms after it died"
            );
        }
        Event::Ended { response, incident, end: End::Complete, .. } => {
            log::info!("response {response} to incident {incident} is over");
        }
        Event::Ended { response, incident, end, why } => {
            log::error!("response {response} to incident {incident} ended as {end:?}: {why}");
        }
    }
}

/// Takes an incident along with its responses: see the module's documentation.
fn take_along(desk: &Desk, book: &Book, notice: &Notice) {
    let responses: Vec<&Response> = book.of_incident(notice.incident).collect();
    let is_done = |response: &&&Response| {
        matches!(response.phase, Phase::Holding { .. } | Phase::Undoing | Phase::Ended(End::Complete))
    };
    let Some(response) = responses.iter().find(is_done) else { return };
    let what = format!("response {} ({})", response.proposal.id, response.proposal.playbook);
    let step = |step: Step, note: &str| {
        if let Err(refused) = desk.step(notice.incident, step, BY, note) {
            log::error!("incident {}: {refused}", notice.incident);
        }
    };
    let is_over = responses.iter().all(|response| matches!(response.phase, Phase::Ended(_)));
    match notice.state {
        State::Open => step(Step::Acknowledge, &what),
        State::Acknowledged => step(Step::Contain, &format!("{what}: {}", actions(response))),
        State::Contained if !notice.is_firing() && is_over => {
            step(Step::Recover, &format!("its conditions are over, and {what} is taken back"));
        }
        State::Recovered if !notice.is_firing() && is_over => {
            if let Some(closing) = &response.proposal.closing {
                let closure = Closure {
                    verdict: closing.verdict,
                    root_cause: closing.root_cause.clone(),
                    response: format!("{what}: {}", actions(response)),
                    outcome: "its conditions are over, and all that was done is taken back or meant to stay"
                        .to_owned(),
                };
                step(Step::Close(closure), "as the playbook says");
            }
        }
        State::Contained | State::Recovered | State::Closed => {}
    }
}

fn actions(response: &Response) -> String {
    let names: Vec<&str> = response.proposal.steps.iter().map(|step| step.action.name()).collect();
    names.join(", ")
}

/// All responses as JSON, the newest first.
fn show(book: &Book) -> Value {
    let mut all: Vec<&Response> = book.open().chain(book.ended()).collect();
    all.sort_by_key(|response| std::cmp::Reverse(response.proposal.id));
    all.into_iter().map(response_json).collect()
}

fn response_json(response: &Response) -> Value {
    let proposal = &response.proposal;
    let (phase, until_ns) = match response.phase {
        Phase::Proposed => ("proposed", 0),
        Phase::Asked { until_ns } => ("asked", until_ns),
        Phase::Agreed => ("agreed", 0),
        Phase::Acting => ("acting", 0),
        Phase::Holding { until_ns } => ("holding", until_ns),
        Phase::Undoing => ("undoing", 0),
        Phase::Ended(End::NotDone) => ("not-done", 0),
        Phase::Ended(End::Complete) => ("complete", 0),
        Phase::Ended(End::Failed) => ("failed", 0),
        Phase::Ended(End::NeedsPerson) => ("needs-person", 0),
    };
    let steps = proposal.steps.iter().zip(&response.steps);
    json!({
        "id": proposal.id,
        "incident": proposal.incident,
        "playbook": proposal.playbook,
        "vm": proposal.target.name,
        "tenant": proposal.target.tenant,
        "phase": phase,
        "until": (until_ns != 0).then(|| rfc3339(until_ns)),
        "proposed": rfc3339(proposal.at_ns),
        "why": response.why,
        "steps": steps.map(|(step, (state, _))| json!({
            "action": step.action.name(),
            "state": format!("{state:?}").to_lowercase(),
        })).collect::<Vec<_>>(),
    })
}
