//! What other parties say: a response's steps become one claim, and the claims of all parties decide.
//!
//! All steps or none are granted. Whose claim it is stands in its mechanism, `response/NUMBER`, so that an agent that
//! was killed finds in the book of claims which responses still stand.

use super::action::{Action, Target};
use super::book::Proposal;
use super::responder::{Arbiter, Ruling};
use crate::coordination::{
    self, Action as Effects, Change, Claim, Mode, Outcome, Party, ResourcePath, Token,
};
use crate::sys::clock::Clock;
use parking_lot::Mutex;
use std::sync::Arc;

/// The party that the agent is.
pub const PARTY: &str = "bartizan";

/// Where changes of claims are made durable.
pub trait Claims {
    /// Returns once they cannot be lost any more.
    ///
    /// # Errors
    /// They are not durable, and must not be acted on.
    fn append(&mut self, changes: &[Change]) -> Result<(), String>;
}

/// The arbiter of a host, asked about responses. Others may ask it as well: requests of parties come through the same
/// one.
pub struct Coordinated<C> {
    arbiter: Arc<Mutex<coordination::Arbiter>>,
    claims: C,
    clock: Clock,
}

impl<C: Claims> Coordinated<C> {
    /// Asks this arbiter.
    #[must_use]
    pub fn new(arbiter: Arc<Mutex<coordination::Arbiter>>, claims: C, clock: Clock) -> Self {
        Self { arbiter, claims, clock }
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.clock.wall_ns()).unwrap_or(0)
    }

    /// The claim that is in force for a response.
    fn token(&self, response: u64) -> Option<Token> {
        let mechanism = mechanism(response);
        let arbiter = self.arbiter.lock();
        let mut live = arbiter.book().claims();
        live.find(|(_, live)| live.claim.mechanism == mechanism && live.claim.party.name == PARTY)
            .map(|(token, _)| token)
    }
}

impl<C: Claims> Arbiter for Coordinated<C> {
    fn decide(&mut self, proposal: &Proposal) -> Ruling {
        let claim = match claim(proposal) {
            Ok(Some(claim)) => claim,
            Ok(None) => return Ruling::Granted("it touches nothing that others could claim".to_owned()),
            Err(why) => return Ruling::Denied(why),
        };
        let now_ns = self.now_ns();
        let mut arbiter = self.arbiter.lock();
        // What cannot be recorded has not been decided.
        let mut trial = arbiter.clone();
        match trial.request(claim, now_ns) {
            Err(error) => Ruling::Denied(error.to_string()),
            Ok((decision, answer)) => {
                if let Err(why) = self.claims.append(&answer.changes) {
                    return Ruling::Denied(format!("the decision could not be recorded: {why}"));
                }
                *arbiter = trial;
                match decision.outcome {
                    Outcome::Granted { .. } => Ruling::Granted(decision.sentence),
                    Outcome::Deferred { .. } | Outcome::Denied => Ruling::Denied(decision.sentence),
                }
            }
        }
    }

    fn stands(&self, response: &Proposal) -> bool {
        match claim(response) {
            Ok(Some(_)) => {
                self.token(response.id).is_some_and(|token| self.arbiter.lock().book().stands(token, token))
            }
            Ok(None) => true,
            Err(_) => false,
        }
    }

    fn release(&mut self, response: u64) {
        let Some(token) = self.token(response) else { return };
        let now_ns = self.now_ns();
        let mut arbiter = self.arbiter.lock();
        let mut trial = arbiter.clone();
        let released = trial.release(token, &Party::csp(PARTY), now_ns).map_err(|error| error.to_string());
        match released.and_then(|answer| self.claims.append(&answer.changes)) {
            Ok(()) => *arbiter = trial,
            // It stays claimed, which keeps others from nothing that is not told with its reason.
            Err(why) => log::error!("the claim of response {response} could not be released: {why}"),
        }
    }
}

fn mechanism(response: u64) -> String {
    format!("response/{response}")
}

/// The path of a VM: by its UUID, and by its process where it has none.
fn path(target: &Target) -> Result<ResourcePath, String> {
    ResourcePath::parse(&format!("vm/{}", target.key())).map_err(|error| error.to_string())
}

/// The claim of all steps together: a VM that is dumped and then frozen is not in its own way.
fn claim(proposal: &Proposal) -> Result<Option<Claim>, String> {
    let vm = path(&proposal.target)?;
    let reason = format!("{} for incident {}", proposal.playbook, proposal.incident);
    let mut whole: Option<Claim> = None;
    for step in &proposal.steps {
        let Some((name, value)) = effects(&step.action) else { continue };
        let effects = Effects::named(name).ok_or_else(|| format!("no effects of `{name}` are known"))?;
        let claim = effects
            .claim(Party::csp(PARTY), &mechanism(proposal.id), &vm, value.as_deref(), &reason)
            .map_err(|error| error.to_string())?;
        match &mut whole {
            None => whole = Some(claim),
            Some(whole) => {
                whole.isolates |= claim.isolates;
                whole.disrupts |= claim.disrupts;
                for part in claim.parts {
                    let is_same =
                        |other: &&mut coordination::Part| other.path == part.path && other.mode == part.mode;
                    match whole.parts.iter_mut().find(is_same) {
                        // What is said last is what will be.
                        Some(known) => known.value = part.value,
                        None => whole.parts.push(part),
                    }
                }
            }
        }
    }
    if let Some(whole) = &mut whole {
        own_needs(whole);
    }
    Ok(whole)
}

/// A part that one step needs stable and another changes is no longer needed stable once all are done.
fn own_needs(claim: &mut Claim) {
    let changed: Vec<ResourcePath> =
        claim.parts.iter().filter(|part| part.mode.sets()).map(|part| part.path.clone()).collect();
    claim
        .parts
        .retain(|part| part.mode != Mode::Stable || !changed.iter().any(|path| path.overlaps(&part.path)));
}

/// The row of the table of effects, and the value where it leaves one to the request.
fn effects(action: &Action) -> Option<(&'static str, Option<String>)> {
    Some(match action {
        Action::ThrottleCpu { percent } => ("throttle", Some(format!("{percent}%"))),
        Action::ThrottleIo { bytes_per_s } => ("throttle-io", Some(bytes_per_s.to_string())),
        Action::Freeze | Action::Pause => ("freeze", None),
        Action::CutNetwork => ("cut-network", None),
        Action::Confine { cgroup } => ("move-cgroup", Some(cgroup.clone())),
        Action::DumpMemory { .. } => ("snapshot-memory", None),
        Action::CopyDisks { .. } => ("snapshot-disk", None),
        Action::Restart { .. } => ("restart", None),
        // What a program of the operator touches is the operator's to know.
        Action::Run { .. } | Action::Notify { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::playbook::{Approval, OnFailure, Step};
    use super::*;
    use crate::coordination::{Book, Part, Terms};
    use crate::sampling::discovery::identify::uuid_text;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<(Vec<Change>, bool)>>);

    impl Claims for Paper {
        fn append(&mut self, changes: &[Change]) -> Result<(), String> {
            let mut paper = self.0.lock();
            if paper.1 {
                return Err("no disk".to_owned());
            }
            paper.0.extend_from_slice(changes);
            Ok(())
        }
    }

    fn proposal(id: u64, actions: Vec<Action>) -> Proposal {
        let step = |action| Step { action, timeout_s: 1, on_failure: OnFailure::Undo };
        Proposal {
            id,
            incident: 1,
            playbook: "p".into(),
            target: Target { uuid: [1; 16], pid: 7, ..Target::default() },
            steps: actions.into_iter().map(step).collect(),
            lease_s: 0,
            approval: Approval::None,
            closing: None,
            began_ns: 0,
            at_ns: 0,
        }
    }

    fn coordinated() -> (Coordinated<Paper>, Paper, Arc<Mutex<coordination::Arbiter>>) {
        let owners = [(uuid_text(&[1; 16]), "acme".to_owned())].into();
        let arbiter = Arc::new(Mutex::new(coordination::Arbiter::new(Terms { owners, ..Terms::default() })));
        let paper = Paper::default();
        (Coordinated::new(Arc::clone(&arbiter), paper.clone(), Clock::System), paper, arbiter)
    }

    #[test]
    fn a_response_is_granted_once_and_released() {
        let (mut asked, paper, _) = coordinated();
        let freeze = proposal(1, vec![Action::DumpMemory { folder: "/".into() }, Action::Freeze]);
        assert!(matches!(asked.decide(&freeze), Ruling::Granted(_)), "it is not in its own way");
        assert!(asked.stands(&freeze));
        let restart = proposal(2, vec![Action::Restart { command: vec!["/bin/true".into()] }]);
        let Ruling::Denied(why) = asked.decide(&restart) else { panic!("two hold the VM's power") };
        assert!(why.contains("bartizan"), "{why}");
        asked.release(1);
        assert!(!asked.stands(&freeze));
        assert!(matches!(asked.decide(&restart), Ruling::Granted(_)));

        // What is on paper is what there is.
        let book = Book::replay(&paper.0.lock().0).unwrap();
        assert_eq!(book.len(), 1);
    }

    #[test]
    fn a_partys_hold_is_respected_and_told() {
        let (mut asked, _, arbiter) = coordinated();
        let evidence = ResourcePath::parse(&format!("vm/{}/evidence", uuid_text(&[1; 16]))).unwrap();
        let hold = Claim::new(Party::csn("court"), "order", Part::new(evidence, Mode::Hold, None), "case 7");
        arbiter.lock().request(hold, 1).unwrap();
        let restart = proposal(1, vec![Action::Restart { command: vec!["/bin/true".into()] }]);
        let Ruling::Denied(why) = asked.decide(&restart) else { panic!("evidence would be destroyed") };
        assert!(why.contains("court"), "{why}");
        assert!(matches!(asked.decide(&proposal(2, vec![Action::CutNetwork])), Ruling::Granted(_)));
    }

    #[test]
    fn what_cannot_be_recorded_was_not_decided() {
        let (mut asked, paper, arbiter) = coordinated();
        paper.0.lock().1 = true;
        assert!(matches!(asked.decide(&proposal(1, vec![Action::Freeze])), Ruling::Denied(_)));
        assert!(arbiter.lock().book().is_empty());
    }

    #[test]
    fn every_action_has_its_row() {
        for action in [
            Action::ThrottleCpu { percent: 1 },
            Action::ThrottleIo { bytes_per_s: 1 },
            Action::Freeze,
            Action::Pause,
            Action::CutNetwork,
            Action::Confine { cgroup: "/a".into() },
            Action::DumpMemory { folder: "/".into() },
            Action::CopyDisks { folder: "/".into() },
            Action::Restart { command: vec![] },
        ] {
            assert!(claim(&proposal(1, vec![action.clone()])).unwrap().is_some(), "{action:?}");
        }
    }
}
