//! The book of claims: which live, which are in force, and what that makes of each resource. A fold over [`Change`]s.

use super::change::{Change, End};
use super::claim::{Claim, Mode, Origin, Part, Token};
use super::error::ClaimError;
use super::index::Index;
use super::path::ResourcePath;
use std::collections::{BTreeMap, BTreeSet};

/// A claim that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The claim.
    pub claim: Claim,
    /// When it was granted.
    pub since_ns: u64,
    /// The claim it sleeps behind; `None` when it is in force.
    pub asleep: Option<Token>,
    /// Its fencing number: its own, or a higher one since it last woke.
    pub fence: Token,
}

/// All claims that live, and nothing that cannot be had from the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    live: BTreeMap<Token, Live>,
    /// Those in force.
    index: Index,
    expiries: BTreeSet<(u64, Token)>,
    asleep: BTreeSet<Token>,
    /// What a resource was before anybody gave it a value, and how many live claims give it one.
    bases: BTreeMap<ResourcePath, (Option<String>, usize)>,
    /// How many claims in force disrupt a VM.
    disrupted: BTreeMap<String, usize>,
    parties: BTreeMap<String, usize>,
    /// The highest number that was used.
    last: u64,
}

impl Book {
    /// The state that records add up to.
    ///
    /// # Errors
    /// [`ClaimError::Record`] at the first that does not fit those before it.
    pub fn replay<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Result<Self, ClaimError> {
        let mut book = Self::default();
        changes.into_iter().try_for_each(|change| book.apply(change)).map(|()| book)
    }

    /// A claim that lives.
    #[must_use]
    pub fn claim(&self, token: Token) -> Option<&Live> {
        self.live.get(&token)
    }

    /// All that live, by number.
    pub fn claims(&self) -> impl Iterator<Item = (Token, &Live)> {
        self.live.iter().map(|(token, live)| (*token, live))
    }

    /// How many live.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether none lives.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// The value that a resource has by the claims in force, or has again by the last one's undo; `None` when nobody
    /// says.
    #[must_use]
    pub fn value(&self, path: &ResourcePath) -> Option<&str> {
        let given = self.index.at(path).iter().find_map(|(token, part)| self.part(*token, *part)?.given());
        given.or_else(|| self.base(path))
    }

    /// What a resource was before the claims that live gave it a value.
    pub(super) fn base(&self, path: &ResourcePath) -> Option<&str> {
        self.bases.get(path).and_then(|(base, _)| base.as_deref())
    }

    /// Whether a fencing number still stands for its claim: it lives, is in force, and has no higher number.
    #[must_use]
    pub fn stands(&self, token: Token, fence: Token) -> bool {
        self.live.get(&token).is_some_and(|live| live.asleep.is_none() && live.fence == fence)
    }

    /// The VMs that claims in force disrupt.
    pub fn disrupted_vms(&self) -> impl Iterator<Item = &str> {
        self.disrupted.keys().map(String::as_str)
    }

    pub(super) fn disrupts(&self, vm: &str) -> bool {
        self.disrupted.contains_key(vm)
    }

    pub(super) fn disrupted_len(&self) -> usize {
        self.disrupted.len()
    }

    /// When the next claim ends by itself.
    #[must_use]
    pub fn next_expiry_ns(&self) -> Option<u64> {
        self.expiries.first().map(|(at_ns, _)| *at_ns)
    }

    pub(super) fn expired(&self, now_ns: u64) -> Option<Token> {
        self.expiries.first().filter(|(at_ns, _)| *at_ns <= now_ns)?;
        // LIFO: of all that are due, the one that was granted last goes first.
        self.expiries.range(..=(now_ns, Token(u64::MAX))).map(|(_, token)| *token).max()
    }

    pub(super) fn sleepers(&self) -> &BTreeSet<Token> {
        &self.asleep
    }

    pub(super) fn next(&self) -> Token {
        Token(self.last + 1)
    }

    pub(super) fn held_by(&self, party: &str) -> usize {
        self.parties.get(party).copied().unwrap_or(0)
    }

    /// Calls for every part in force that a path may collide with.
    pub(super) fn overlapping<'a>(
        &'a self,
        path: &ResourcePath,
        mut visit: impl FnMut(Token, &'a Live, &'a Part),
    ) {
        self.index.overlapping(path, |(token, part)| {
            if let Some(live) = self.live.get(&token)
                && let Some(part) = live.claim.parts.get(part)
            {
                visit(token, live, part);
            }
        });
    }

    /// Takes a change in.
    ///
    /// # Errors
    /// [`ClaimError::Record`] when it does not fit what was before; then nothing has changed.
    pub fn apply(&mut self, change: &Change) -> Result<(), ClaimError> {
        let misfit = |why: String| Err(ClaimError::Record(why));
        match change {
            Change::Granted { token, claim, at_ns } => {
                if token.0 <= self.last {
                    return misfit(format!("claim {token} is granted after {}", self.last));
                }
                self.last = token.0;
                let live = Live { claim: claim.clone(), since_ns: *at_ns, asleep: None, fence: *token };
                self.add(*token, live);
            }
            Change::Renewed { token, expires_ns, .. } => {
                let Some(live) = self.live.get_mut(token) else { return misfit(unknown(*token)) };
                if let Some(before) = std::mem::replace(&mut live.claim.expires_ns, *expires_ns) {
                    self.expiries.remove(&(before, *token));
                }
                self.expiries.extend(expires_ns.map(|at_ns| (at_ns, *token)));
            }
            Change::Slept { token, by, .. } => {
                match self.live.get_mut(token) {
                    Some(live) if live.asleep.is_none() => live.asleep = Some(*by),
                    _ => return misfit(unknown(*token)),
                }
                self.asleep.insert(*token);
                self.put_in_force(*token, false);
            }
            Change::Woke { token, fence, .. } => {
                if fence.0 <= self.last {
                    return misfit(format!("claim {token} wakes with {fence} after {}", self.last));
                }
                match self.live.get_mut(token) {
                    Some(live) if live.asleep.is_some() => {
                        live.asleep = None;
                        live.fence = *fence;
                    }
                    _ => return misfit(unknown(*token)),
                }
                self.last = fence.0;
                self.asleep.remove(token);
                self.put_in_force(*token, true);
            }
            Change::Ended { token, fence, .. } => {
                if fence.0 <= self.last {
                    return misfit(format!("claim {token} ends with {fence} after {}", self.last));
                }
                if !self.live.contains_key(token) {
                    return misfit(unknown(*token));
                }
                self.last = fence.0;
                self.remove(*token);
            }
            Change::Refused { .. } => {}
        }
        Ok(())
    }

    fn part(&self, token: Token, part: usize) -> Option<&Part> {
        self.live.get(&token)?.claim.parts.get(part)
    }

    fn add(&mut self, token: Token, live: Live) {
        for part in live.claim.parts.iter().filter(|part| part.given().is_some()) {
            let base = self.bases.entry(part.path.clone()).or_insert_with(|| (part.undo.clone(), 0));
            base.1 += 1;
        }
        self.expiries.extend(live.claim.expires_ns.map(|at_ns| (at_ns, token)));
        *self.parties.entry(live.claim.party.to_string()).or_default() += 1;
        self.live.insert(token, live);
        self.put_in_force(token, true);
    }

    fn remove(&mut self, token: Token) {
        if !self.asleep.remove(&token) {
            self.put_in_force(token, false);
        }
        let Some(live) = self.live.remove(&token) else { return };
        if let Some(at_ns) = live.claim.expires_ns {
            self.expiries.remove(&(at_ns, token));
        }
        less(&mut self.parties, &live.claim.party.to_string());
        for part in live.claim.parts.iter().filter(|part| part.given().is_some()) {
            if let Some((_, count)) = self.bases.get_mut(&part.path) {
                *count -= 1;
                if *count == 0 {
                    self.bases.remove(&part.path);
                }
            }
        }
    }

    fn put_in_force(&mut self, token: Token, in_force: bool) {
        let Some(live) = self.live.get(&token) else { return };
        for (index, part) in live.claim.parts.iter().enumerate() {
            if in_force {
                self.index.insert(&part.path, (token, index));
            } else {
                self.index.remove(&part.path, (token, index));
            }
        }
        for vm in disrupted(&live.claim) {
            if in_force {
                *self.disrupted.entry(vm.to_owned()).or_default() += 1;
            } else {
                less(&mut self.disrupted, vm);
            }
        }
    }
}

/// The VMs that a claim disrupts.
pub(super) fn disrupted(claim: &Claim) -> BTreeSet<&str> {
    let changes = |part: &&Part| part.mode.sets() || part.mode == Mode::Destroys;
    let parts = claim.parts.iter().filter(changes).filter(|_| claim.disrupts);
    parts.filter_map(|part| part.path.vm()).collect()
}

/// Whether a claim that loses can wait until it is in force again: whoever works, or owns alone, must learn anew how
/// things are. What was found lasts until it is no longer found.
pub(super) fn can_sleep(claim: &Claim) -> bool {
    let stands = claim.action.is_none() && claim.parts.iter().all(|part| part.mode != Mode::Exclusive);
    stands || claim.origin == Origin::Found
}

/// How a claim ends that loses.
pub(super) fn displaced(by: Token, rule: super::conflict::Rule) -> End {
    End::Displaced { by, rule }
}

fn less(counts: &mut BTreeMap<String, usize>, key: &str) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn unknown(token: Token) -> String {
    format!("claim {token} does not live, or is not as the record says")
}
