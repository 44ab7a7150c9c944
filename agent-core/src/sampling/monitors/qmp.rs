//! QEMU's monitor protocol as a state machine: bytes in, bytes out, no sockets.
//!
//! ```text
//! ◀ {"QMP": {"version": …}}            greeting
//! ▶ {"execute": "qmp_capabilities"}
//! ◀ {"return": {}, "id": 0}
//! ▶ every query, each with its id
//! ◀ the answers, in any order, with events in between
//! ```
//! Nothing is ever sent but [`CAPABILITIES`] and the queries of [`Query`], none of which changes the VM.
//! Specification: `docs/interop/qmp-spec` and `qapi/*.json` of QEMU.

use super::failure::Failure;
use super::qmp_answers::Answers;
use super::split::Splitter;
use serde::Deserialize;
use serde_json::value::RawValue;

const CAPABILITIES: &str = "qmp_capabilities";
/// Messages that are neither an answer to a question of ours nor an event, before the peer is given up.
const STRAY_MESSAGES_MAX: u32 = 16;
/// Everything a peer may send in one round.
const ROUND_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Query {
    /// The run state.
    Status,
    /// The size of the balloon.
    Balloon,
    /// The counters of the disks.
    BlockStats,
    /// The files behind the disks; asked until the disks are known.
    Block,
    /// The threads of the vCPUs; asked beside `StatsVcpu`.
    Cpus,
    /// KVM's counters of the VM. Interrupts no vCPU.
    StatsVm,
    /// KVM's counters of the vCPUs. QEMU before 8.1 interrupts each of them to read it.
    StatsVcpu,
}

impl Query {
    const fn command(self) -> &'static str {
        match self {
            Self::Status => "query-status",
            Self::Balloon => "query-balloon",
            Self::BlockStats => "query-blockstats",
            Self::Block => "query-block",
            Self::Cpus => "query-cpus-fast",
            Self::StatsVm | Self::StatsVcpu => "query-stats",
        }
    }

    const fn arguments(self) -> &'static str {
        match self {
            Self::StatsVm => r#","arguments":{"target":"vm"}"#,
            Self::StatsVcpu => r#","arguments":{"target":"vcpu"}"#,
            _ => "",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Greeting,
    Capabilities,
    Answers,
}

/// One conversation.
pub(super) struct Qmp {
    phase: Phase,
    splitter: Splitter,
    queries: Vec<Query>,
    /// Which queries were answered.
    answered: Vec<bool>,
    outgoing: Vec<u8>,
    received: usize,
    stray: u32,
    answers: Answers,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "QMP")]
    greeting: Option<&'a RawValue>,
    #[serde(borrow, rename = "return")]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

/// What a peer's refusal looks like.
#[derive(Deserialize)]
pub(super) struct QmpError {
    #[serde(default)]
    pub(super) class: String,
    #[serde(default)]
    pub(super) desc: String,
}

impl Qmp {
    pub(super) fn new(queries: Vec<Query>) -> Self {
        Self {
            phase: Phase::Greeting,
            splitter: Splitter::default(),
            answered: vec![false; queries.len()],
            queries,
            outgoing: Vec::new(),
            received: 0,
            stray: 0,
            answers: Answers::default(),
        }
    }

    /// Takes what the peer sent. `true` when every question was answered.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        self.received += bytes.len();
        if self.received > ROUND_BYTES_MAX {
            return Err(Failure::garbage(format!("it sent more than {ROUND_BYTES_MAX} bytes in one round")));
        }
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.push(bytes);
        let result = self.take_objects(&mut splitter);
        self.splitter = splitter;
        result
    }

    fn take_objects(&mut self, splitter: &mut Splitter) -> Result<bool, Failure> {
        while let Some(object) = splitter.next()? {
            self.take(object)?;
            if self.is_done() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is to be sent; the caller removes what it sent.
    pub(super) fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.outgoing
    }

    /// What was learnt.
    pub(super) fn into_answers(self) -> Answers {
        self.answers
    }

    /// What the peer was last waited for.
    pub(super) fn waits_for(&self) -> &'static str {
        match self.phase {
            Phase::Greeting => "greeting",
            Phase::Capabilities => CAPABILITIES,
            Phase::Answers => {
                let open = self.queries.iter().zip(&self.answered).find(|(_, answered)| !**answered);
                open.map_or("nothing", |(query, _)| query.command())
            }
        }
    }

    /// Whether the peer has said anything at all.
    pub(super) fn was_greeted(&self) -> bool {
        self.phase != Phase::Greeting
    }

    fn is_done(&self) -> bool {
        self.phase == Phase::Answers && self.answered.iter().all(|answered| *answered)
    }

    fn take(&mut self, object: &[u8]) -> Result<(), Failure> {
        let message: Message<'_> = serde_json::from_slice(object)
            .map_err(|error| Failure::garbage(format!("it sent JSON that is none: {error}")))?;
        if message.event.is_some() {
            return Ok(());
        }
        match self.phase {
            Phase::Greeting => {
                let Some(greeting) = message.greeting else {
                    return Err(Failure::garbage("its first message is no QMP greeting".into()));
                };
                self.answers.take_greeting(greeting);
                self.send(0, CAPABILITIES, "");
                self.phase = Phase::Capabilities;
            }
            Phase::Capabilities => {
                if id_of(&message) != Some(0) {
                    return self.count_stray();
                }
                if let Some(error) = message.error {
                    return Err(Failure::garbage(format!("it refused {CAPABILITIES}: {}", error.get())));
                }
                for (id, query) in (1..).zip(self.queries.clone()) {
                    self.send(id, query.command(), query.arguments());
                }
                self.phase = Phase::Answers;
            }
            Phase::Answers => {
                let index = id_of(&message).and_then(|id| usize::try_from(id).ok()?.checked_sub(1));
                let open = index.filter(|index| self.answered.get(*index) == Some(&false));
                let Some(index) = open else { return self.count_stray() };
                self.answered[index] = true;
                let query = self.queries[index];
                match (message.value, message.error) {
                    (Some(value), _) => self.answers.take(query, value)?,
                    (None, Some(error)) => {
                        let error = serde_json::from_str(error.get())
                            .unwrap_or(QmpError { class: String::new(), desc: "unreadable error".into() });
                        self.answers.take_error(query, &error);
                    }
                    (None, None) => {
                        return Err(Failure::garbage(format!(
                            "it answered {} with neither a value nor an error",
                            query.command()
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    fn count_stray(&mut self) -> Result<(), Failure> {
        self.stray += 1;
        if self.stray > STRAY_MESSAGES_MAX {
            return Err(Failure::garbage(format!(
                "it sent {STRAY_MESSAGES_MAX} answers to questions that were not asked"
            )));
        }
        Ok(())
    }

    fn send(&mut self, id: u64, command: &str, arguments: &str) {
        let line = format!("{{\"execute\":\"{command}\"{arguments},\"id\":{id}}}\n");
        self.outgoing.extend_from_slice(line.as_bytes());
    }
}

fn id_of(message: &Message<'_>) -> Option<u64> {
    message.id?.get().parse().ok()
}

#[cfg(test)]
#[path = "qmp_tests.rs"]
mod tests;
