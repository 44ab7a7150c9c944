//! The decision about one claim, against all that are in force: what it loses to, what it prevails over, and why.

use super::book::{Book, Live, can_sleep, disrupted};
use super::claim::{Claim, Part, Token};
use super::collision;
use super::conflict::{Class, Rule};
use super::effects::Action;
use super::error::ClaimError;
use super::path::ResourcePath;
use super::terms::Terms;

/// What was decided about a claim, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may.
    pub outcome: Outcome,
    /// The rule that decided; `None` when nothing stood against it.
    pub rule: Option<Rule>,
    /// The kind of conflict, where it was one with another claim.
    pub class: Option<Class>,
    /// The claims it lost to, or prevails over.
    pub others: Vec<Token>,
    /// Why, in one sentence.
    pub sentence: String,
    /// An action that would be granted in its stead.
    pub alternative: Option<&'static str>,
    /// Somebody has to talk with somebody: an obligation stands against a prohibition.
    pub escalate: bool,
}

/// Whether something may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It may, under this number.
    Granted {
        /// The claim's number, and its fencing token.
        token: Token,
    },
    /// Not now: whatever stands against it ends by then at the latest.
    Deferred {
        /// On the caller's clock.
        until_ns: u64,
    },
    /// It may not.
    Denied,
}

/// One collision, resolved.
pub(super) struct Hit {
    pub(super) rule: Rule,
    pub(super) class: Class,
    pub(super) token: Token,
    wins: bool,
    /// What the other says, for the sentence.
    says: String,
    ends_ns: Option<u64>,
    sleeps: bool,
}

/// How a claim stands against those in force.
pub(super) struct Standing {
    /// What it loses to.
    pub(super) lost: Vec<Hit>,
    /// What it prevails over.
    pub(super) won: Vec<Hit>,
}

/// How a claim stands against those in force. `since` is its own number, if it had been in force before.
pub(super) fn standing(book: &Book, terms: &Terms, claim: &Claim, since: Option<Token>) -> Standing {
    let mut hits: Vec<Hit> = Vec::new();
    for part in &claim.parts {
        book.overlapping(&part.path, |token, live, other| {
            let Some(class) = collision::of_claims(claim, part, &live.claim, other) else { return };
            let older = since.is_some_and(|since| since < token);
            let (rule, wins) =
                collision::resolve(class, (claim, part), (&live.claim, other), &terms.contract, older);
            hits.push(hit((rule, wins, class), token, live, other));
        });
    }
    // Of one claim that is hit in several parts, what is lost counts, and then the first rule.
    hits.sort_by_key(|hit| (hit.token, hit.wins, hit.rule));
    hits.dedup_by_key(|hit| hit.token);
    let (mut won, mut lost): (Vec<_>, Vec<_>) = hits.into_iter().partition(|hit| hit.wins);
    won.sort_by_key(|hit| (hit.rule, hit.token));
    lost.sort_by_key(|hit| (hit.rule, hit.token));
    Standing { lost, won }
}

fn hit((rule, wins, class): (Rule, bool, Class), token: Token, live: &Live, other: &Part) -> Hit {
    let says = format!("{} {}", live.claim.party, clause(&live.claim, other));
    Hit { rule, class, token, wins, says, ends_ns: live.claim.expires_ns, sleeps: can_sleep(&live.claim) }
}

/// What would be decided about a claim now. Changes nothing.
///
/// # Errors
/// When the claim makes no sense, or names a VM that is not on this host.
pub(super) fn decide(book: &Book, terms: &Terms, claim: &Claim) -> Result<(Decision, Standing), ClaimError> {
    claim.validate()?;
    terms.knows(claim)?;
    let standing = standing(book, terms, claim, None);
    let by_itself = refusal(book, terms, claim);
    let lost = standing.lost.first();
    let decision = match (by_itself, lost) {
        (Some((rule, why)), lost) if lost.is_none_or(|hit| rule < hit.rule) => {
            let sentence = format!("{} may not {}: {why} ({rule})", claim.party, deed(claim));
            Decision { outcome: Outcome::Denied, rule: Some(rule), sentence, ..granted(book.next()) }
        }
        (_, Some(hit)) => lose(&standing, hit, claim),
        (_, None) => win(book, &standing, claim),
    };
    Ok((with_alternative(book, terms, claim, decision), standing))
}

fn granted(token: Token) -> Decision {
    Decision {
        outcome: Outcome::Granted { token },
        rule: None,
        class: None,
        others: Vec::new(),
        sentence: String::new(),
        alternative: None,
        escalate: false,
    }
}

/// What stands against a claim whatever others claim.
fn refusal(book: &Book, terms: &Terms, claim: &Claim) -> Option<(Rule, String)> {
    if let Some(path) = terms.protects(claim) {
        return Some((Rule::Invariant, format!("{path} is the host's own and nobody's to change")));
    }
    let vms = disrupted(claim);
    let more = vms.iter().filter(|vm| !book.disrupts(vm)).count();
    let (now, most) = (book.disrupted_len(), terms.disrupted_vms_max);
    if more > 0 && now + more > most {
        let why = format!("{now} VMs are disrupted already, and at most {most} may be at a time");
        return Some((Rule::Invariant, why));
    }
    terms.forbids(claim).map(|why| (Rule::Authority, why))
}

fn lose(standing: &Standing, hit: &Hit, claim: &Claim) -> Decision {
    // Waiting helps when all that stands against it ends by itself, and nobody said no.
    let waits = standing.lost.iter().all(|hit| matches!(hit.rule, Rule::Incumbent) && hit.ends_ns.is_some());
    let until_ns = standing.lost.iter().filter_map(|hit| hit.ends_ns).max().filter(|_| waits);
    let more = match standing.lost.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more stand against it"),
    };
    let may = if until_ns.is_some() { "must wait to" } else { "may not" };
    let sentence = format!("{} {may} {}: {} ({}){more}", claim.party, deed(claim), hit.says, hit.rule);
    Decision {
        outcome: until_ns.map_or(Outcome::Denied, |until_ns| Outcome::Deferred { until_ns }),
        rule: Some(hit.rule),
        class: Some(hit.class),
        others: standing.lost.iter().map(|hit| hit.token).collect(),
        sentence,
        alternative: None,
        escalate: hit.class == Class::ObligationForbidden,
    }
}

fn win(book: &Book, standing: &Standing, claim: &Claim) -> Decision {
    let mut decision = granted(book.next());
    let head = format!("{} may {}", claim.party, deed(claim));
    decision.sentence = match standing.won.first() {
        None => format!("{head}: nothing stands against it"),
        Some(hit) => {
            let fate = if hit.sleeps { "which waits meanwhile" } else { "which ends" };
            let more = match standing.won.len() - 1 {
                0 => String::new(),
                more => format!(", and {more} more give way"),
            };
            format!("{head} although {}, {fate} ({}){more}", hit.says, hit.rule)
        }
    };
    decision.rule = standing.won.first().map(|hit| hit.rule);
    decision.class = standing.won.first().map(|hit| hit.class);
    decision.others = standing.won.iter().map(|hit| hit.token).collect();
    decision
}

/// The milder action, where it would be granted.
fn with_alternative(book: &Book, terms: &Terms, claim: &Claim, mut decision: Decision) -> Decision {
    if matches!(decision.outcome, Outcome::Granted { .. }) {
        return decision;
    }
    let mut action = claim.action.as_deref().and_then(Action::named);
    let target =
        claim.parts.first().and_then(|part| part.path.vm()).and_then(|vm| ResourcePath::of_vm(vm, "").ok());
    // The chain of milder actions is as long as the table.
    for _ in 0..super::effects::ACTIONS.len() {
        let Some(milder) = action.and_then(|action| action.milder).and_then(Action::named) else { break };
        let Some(target) = &target else { break };
        let mut parties = milder.claim(claim.party.clone(), &claim.mechanism, target, None, &claim.reason);
        if parties.is_err() {
            // The value is the caller's to choose; whether one is possible does not depend on it.
            parties = milder.claim(claim.party.clone(), &claim.mechanism, target, Some("?"), &claim.reason);
        }
        if let Ok(instead) = parties
            && refusal(book, terms, &instead).is_none()
            && standing(book, terms, &instead, None).lost.is_empty()
        {
            decision.alternative = Some(milder.name);
            decision.sentence.push_str("; ");
            decision.sentence.push_str(milder.name);
            decision.sentence.push_str(" would be granted");
            break;
        }
        action = Some(milder);
    }
    decision
}

/// What a claim is about, as a verb and its object: `restart vm/u`, `require vm/u/net = open`.
pub(super) fn deed(claim: &Claim) -> String {
    let Some(part) = claim.parts.first() else { return String::new() };
    match (&claim.action, part.path.vm()) {
        (Some(action), Some(vm)) => format!("{action} vm/{vm}"),
        (Some(action), None) => format!("{action} {}", part.path),
        (None, _) => part.to_string(),
    }
}

/// What another says: `holds vm/u/evidence (claim 4 by tpm: "case 12")`.
fn clause(claim: &Claim, part: &Part) -> String {
    use super::claim::Mode;
    let verb = match part.mode {
        Mode::Require => "requires",
        Mode::Forbid => "forbids",
        Mode::Exclusive => "alone changes",
        Mode::Shared => "sets",
        Mode::Hold => "holds",
        Mode::Stable => "needs as it is",
        Mode::Reads => "reads",
        Mode::Destroys => "destroys",
    };
    let value = part.value.as_ref().map(|value| format!(" = {value}")).unwrap_or_default();
    let action = claim.action.as_ref().map(|action| format!(" to {action}")).unwrap_or_default();
    format!("{verb} {}{value}{action} (by {}: {:?})", part.path, claim.mechanism, claim.reason)
}
