//! The arbiter: takes requests, decides them one by one or an epoch at a time, and says what changed and what is to be done.
//!
//! Every method that changes something returns an [`Answer`]: the records, to be made durable first, and then the steps.

use super::book::{Book, can_sleep, displaced};
use super::change::{Change, End};
use super::claim::{Claim, Mode, Origin, Token};
use super::collision::authority;
use super::conflict::Rule;
use super::decide::{self, Decision, Outcome, Standing, standing};
use super::error::ClaimError;
use super::party::Party;
use super::path::ResourcePath;
use super::terms::Terms;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What a resource is to be made now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which resource.
    pub path: ResourcePath,
    /// The value it is to have; `None` when nobody said what it was before, so that it stays as it is.
    pub value: Option<String>,
    /// The fencing number: whoever has seen a higher one for this resource leaves it alone.
    pub fence: Token,
}

/// What came of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What changed, in order.
    pub changes: Vec<Change>,
    /// What is to be done, once the changes are recorded.
    pub steps: Vec<Step>,
}

/// The arbiter.
#[derive(Clone, Debug, Default)]
pub struct Arbiter {
    book: Book,
    terms: Terms,
}

impl Arbiter {
    /// An arbiter without claims.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        Self { book: Book::default(), terms }
    }

    /// One that goes on from a book, such as [`Book::replay`] gives.
    #[must_use]
    pub fn resume(book: Book, terms: Terms) -> Self {
        Self { book, terms }
    }

    /// The claims.
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// The terms.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Other terms from now on: a VM came, a contract changed. What was granted stays granted.
    pub fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
    }

    /// What would be decided about a claim now. Changes nothing.
    ///
    /// # Errors
    /// When the claim makes no sense, or names a VM that is not on this host.
    pub fn decide(&self, claim: &Claim) -> Result<Decision, ClaimError> {
        decide::decide(&self.book, &self.terms, claim).map(|(decision, _)| decision)
    }

    /// Decides about a claim, and takes it in if it may.
    ///
    /// # Errors
    /// When the claim makes no sense, names a VM that is not on this host, has ended already, or there is no room.
    pub fn request(&mut self, claim: Claim, now_ns: u64) -> Result<(Decision, Answer), ClaimError> {
        let mut work = Work::new(self, now_ns);
        let decision = work.request(claim)?;
        Ok((decision, work.done()))
    }

    /// Decides about requests that came within one epoch, so that it does not matter which came first. The decisions are
    /// in the order of the requests.
    pub fn epoch(
        &mut self,
        requests: Vec<Claim>,
        now_ns: u64,
    ) -> (Vec<Result<Decision, ClaimError>>, Answer) {
        let mut order: Vec<usize> = (0..requests.len()).collect();
        let contract = &self.terms.contract;
        order.sort_by_cached_key(|at| {
            let claim = &requests[*at];
            let strongest = claim.parts.iter().map(|part| match part.mode {
                Mode::Hold => 3,
                Mode::Forbid => 2,
                _ => u8::from(claim.isolates),
            });
            let path = claim.parts.first().map(|part| &part.path);
            let rank = path.map(|path| authority(claim.party.role, path, contract));
            let depth = path.map(ResourcePath::depth);
            (Reverse((strongest.max(), rank, depth, claim.priority)), claim.clone())
        });
        let mut slots: Vec<Option<Claim>> = requests.into_iter().map(Some).collect();
        let mut decisions: BTreeMap<usize, Result<Decision, ClaimError>> = BTreeMap::new();
        let mut work = Work::new(self, now_ns);
        for at in order {
            if let Some(claim) = slots[at].take() {
                decisions.insert(at, work.request(claim));
            }
        }
        let answer = work.done();
        for decision in decisions.values_mut().flatten() {
            self.outdo(decision, &answer.changes);
        }
        (decisions.into_values().collect(), answer)
    }

    /// A claim that was granted first and lost later in the same epoch was never granted.
    fn outdo(&self, decision: &mut Decision, changes: &[Change]) {
        let Outcome::Granted { token } = decision.outcome else { return };
        let lost = changes.iter().rev().find_map(|change| match change {
            Change::Slept { token: loser, by, rule, .. } if *loser == token => Some((*by, *rule)),
            Change::Ended { token: loser, why: End::Displaced { by, rule }, .. } if *loser == token => {
                Some((*by, *rule))
            }
            _ => None,
        });
        let in_force = self.book.claim(token).is_some_and(|live| live.asleep.is_none());
        if let Some((by, rule)) = lost
            && !in_force
        {
            decision.outcome = Outcome::Denied;
            decision.rule = Some(rule);
            decision.others = vec![by];
            decision.sentence = format!("claim {by}, which came in the same epoch, prevails ({rule})");
        }
    }

    /// Lets a claim end later, or never by itself.
    ///
    /// # Errors
    /// When it does not live, or is not this party's.
    pub fn renew(
        &mut self,
        token: Token,
        party: &Party,
        expires_ns: Option<u64>,
        now_ns: u64,
    ) -> Result<Answer, ClaimError> {
        self.check_holder(token, party)?;
        if expires_ns.is_some_and(|at_ns| at_ns <= now_ns) {
            return Err(ClaimError::Malformed("it would end before now".to_owned()));
        }
        let mut work = Work::new(self, now_ns);
        work.apply(Change::Renewed { token, expires_ns, at_ns: now_ns })?;
        Ok(work.done())
    }

    /// Ends a claim. What it did is undone, unless others want it so.
    ///
    /// # Errors
    /// When it does not live, or is not this party's.
    pub fn release(&mut self, token: Token, party: &Party, now_ns: u64) -> Result<Answer, ClaimError> {
        self.check_holder(token, party)?;
        let mut work = Work::new(self, now_ns);
        work.end(token, End::Released)?;
        Ok(work.done())
    }

    /// Ends all claims whose time is up, the one that was granted last first.
    ///
    /// # Errors
    /// Never for a book that was only changed through here.
    pub fn expire(&mut self, now_ns: u64) -> Result<Answer, ClaimError> {
        let mut work = Work::new(self, now_ns);
        while let Some(token) = work.arbiter.book.expired(now_ns) {
            work.end(token, End::Expired)?;
        }
        Ok(work.done())
    }

    /// Takes in what was found on the host: the whole of it, so that what is not there any more has ended. What is there
    /// was there first: between equals it prevails. What it must not be, by a higher rule, sleeps: it is known, and
    /// keeps nobody from anything. Of two findings that collide the first is taken; the other is for
    /// [`survey`](super::survey()) to tell. Of `unseen` paths nothing could be learnt this time: what was found there
    /// before stays.
    ///
    /// # Errors
    /// When a finding makes no sense.
    pub fn observe(
        &mut self,
        found: &[Claim],
        unseen: &[ResourcePath],
        now_ns: u64,
    ) -> Result<Answer, ClaimError> {
        found.iter().try_for_each(Claim::validate)?;
        let mut wanted: BTreeSet<&Claim> =
            found.iter().filter(|claim| claim.origin == Origin::Found).collect();
        let known = self.book.claims().filter(|(_, live)| live.claim.origin == Origin::Found);
        let hidden = |claim: &Claim| {
            claim.parts.iter().any(|part| unseen.iter().any(|path| path.overlaps(&part.path)))
        };
        let gone: Vec<Token> = known
            .filter(|(_, live)| !wanted.remove(&live.claim) && !hidden(&live.claim))
            .map(|(token, _)| token)
            .collect();
        let wanted: Vec<Claim> = wanted.into_iter().cloned().collect();
        let mut work = Work::new(self, now_ns);
        gone.into_iter().try_for_each(|token| work.end(token, End::Gone))?;
        wanted.into_iter().try_for_each(|claim| work.find(claim))?;
        Ok(work.done())
    }

    fn check_holder(&self, token: Token, party: &Party) -> Result<(), ClaimError> {
        let live = self.book.claim(token).ok_or(ClaimError::UnknownClaim(token.0))?;
        if live.claim.party == *party {
            Ok(())
        } else {
            Err(ClaimError::NotYours { token: token.0, holder: live.claim.party.to_string() })
        }
    }
}

/// One call at work: the changes so far, and what the touched resources were before.
struct Work<'a> {
    arbiter: &'a mut Arbiter,
    now_ns: u64,
    changes: Vec<Change>,
    /// The value before the call, and what the resource was before anybody gave it one.
    before: BTreeMap<ResourcePath, (Option<String>, Option<String>)>,
}

impl<'a> Work<'a> {
    fn new(arbiter: &'a mut Arbiter, now_ns: u64) -> Self {
        Self { arbiter, now_ns, changes: Vec::new(), before: BTreeMap::new() }
    }

    fn apply(&mut self, change: Change) -> Result<(), ClaimError> {
        let touched = match &change {
            Change::Granted { claim, .. } => Some(claim),
            Change::Slept { token, .. } | Change::Woke { token, .. } | Change::Ended { token, .. } => {
                self.arbiter.book.claim(*token).map(|live| &live.claim)
            }
            Change::Renewed { .. } | Change::Refused { .. } => None,
        };
        let giving = touched.into_iter().flat_map(|claim| &claim.parts).filter(|part| part.given().is_some());
        let book = &self.arbiter.book;
        for part in giving {
            let (_, base) = self
                .before
                .entry(part.path.clone())
                .or_insert_with(|| (book.value(&part.path).map(str::to_owned), None));
            let known = book.base(&part.path).or(part.undo.as_deref());
            if base.is_none() {
                *base = known.map(str::to_owned);
            }
        }
        self.arbiter.book.apply(&change)?;
        self.changes.push(change);
        Ok(())
    }

    fn request(&mut self, claim: Claim) -> Result<Decision, ClaimError> {
        if claim.expires_ns.is_some_and(|at_ns| at_ns <= self.now_ns) {
            return Err(ClaimError::Malformed("it would end before now".to_owned()));
        }
        let (decision, standing) = decide::decide(&self.arbiter.book, &self.arbiter.terms, &claim)?;
        let at_ns = self.now_ns;
        match (decision.outcome, decision.rule) {
            (Outcome::Granted { token }, _) => {
                self.room(&claim)?;
                self.apply(Change::Granted { token, claim, at_ns })?;
                self.give_way(token, &standing)?;
            }
            (outcome, Some(rule)) => {
                let until_ns = match outcome {
                    Outcome::Deferred { until_ns } => Some(until_ns),
                    _ => None,
                };
                let (class, against) = (decision.class, decision.others.first().copied());
                let sentence = decision.sentence.clone();
                self.apply(Change::Refused { claim, until_ns, rule, class, against, sentence, at_ns })?;
            }
            (_, None) => {}
        }
        Ok(decision)
    }

    fn find(&mut self, claim: Claim) -> Result<(), ClaimError> {
        let mut standing = standing(&self.arbiter.book, &self.arbiter.terms, &claim, None);
        let is_found =
            |token| self.arbiter.book.claim(token).is_some_and(|live| live.claim.origin == Origin::Found);
        if standing.lost.iter().chain(&standing.won).any(|hit| is_found(hit.token)) {
            return Ok(());
        }
        self.room(&claim)?;
        let (token, at_ns) = (self.arbiter.book.next(), self.now_ns);
        self.apply(Change::Granted { token, claim, at_ns })?;
        if let Some(hit) = standing.lost.iter().find(|hit| hit.rule != Rule::Incumbent) {
            return self.apply(Change::Slept { token, by: hit.token, rule: hit.rule, at_ns });
        }
        standing.won.append(&mut standing.lost);
        self.give_way(token, &standing)
    }

    fn room(&self, claim: &Claim) -> Result<(), ClaimError> {
        let (book, terms) = (&self.arbiter.book, &self.arbiter.terms);
        let party = claim.party.to_string();
        if book.len() >= terms.claims_max {
            return Err(ClaimError::Full(format!("{} live, which is the most", terms.claims_max)));
        }
        if book.held_by(&party) >= terms.party_claims_max {
            return Err(ClaimError::Full(format!(
                "{party} has {}, which is the most",
                terms.party_claims_max
            )));
        }
        Ok(())
    }

    fn give_way(&mut self, by: Token, standing: &Standing) -> Result<(), ClaimError> {
        let at_ns = self.now_ns;
        let mut ended = false;
        for hit in &standing.won {
            let Some(live) = self.arbiter.book.claim(hit.token) else { continue };
            if can_sleep(&live.claim) {
                self.apply(Change::Slept { token: hit.token, by, rule: hit.rule, at_ns })?;
            } else {
                let fence = self.arbiter.book.next();
                self.apply(Change::Ended { token: hit.token, why: displaced(by, hit.rule), fence, at_ns })?;
                ended = true;
            }
        }
        if ended { self.wake() } else { Ok(()) }
    }

    fn end(&mut self, token: Token, why: End) -> Result<(), ClaimError> {
        let fence = self.arbiter.book.next();
        self.apply(Change::Ended { token, why, fence, at_ns: self.now_ns })?;
        self.wake()
    }

    /// Claims that slept come into force again where nothing in force beats them. Each is looked at once.
    fn wake(&mut self) -> Result<(), ClaimError> {
        let sleepers: Vec<Token> = self.arbiter.book.sleepers().iter().copied().collect();
        for token in sleepers {
            let Some(live) = self.arbiter.book.claim(token).filter(|live| live.asleep.is_some()) else {
                continue;
            };
            let standing = standing(&self.arbiter.book, &self.arbiter.terms, &live.claim, Some(token));
            if !standing.lost.is_empty() {
                continue;
            }
            let (fence, at_ns) = (self.arbiter.book.next(), self.now_ns);
            self.apply(Change::Woke { token, fence, at_ns })?;
            for hit in &standing.won {
                let sleeps = self.arbiter.book.claim(hit.token).is_some_and(|live| can_sleep(&live.claim));
                let fence = self.arbiter.book.next();
                self.apply(if sleeps {
                    Change::Slept { token: hit.token, by: token, rule: hit.rule, at_ns }
                } else {
                    Change::Ended { token: hit.token, why: displaced(token, hit.rule), fence, at_ns }
                })?;
            }
        }
        Ok(())
    }

    fn done(self) -> Answer {
        let book = &self.arbiter.book;
        let fence = Token(book.next().0 - 1);
        let step = |(path, (before, base)): (ResourcePath, (Option<String>, Option<String>))| {
            let value = book.value(&path).map(str::to_owned).or(base);
            (value != before).then_some(Step { path, value, fence })
        };
        Answer { steps: self.before.into_iter().filter_map(step).collect(), changes: self.changes }
    }
}
