//! Which rules are without effect because of others, or have another effect than they seem to have. (Al-Shaer and Hamed's
//! relations of pairs; and hiding by several rules together, which no pair shows.)

use super::lift::{Fate, Interfaces, Matched, lift};
use super::space::{self, Cube};
use crate::checks::parse::nft::ruleset::{ChainKey, Ruleset};

/// Rules of one chain that are compared with each other.
pub const RULES_MAX: usize = 4_096;

/// What is the matter with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anomaly {
    /// No packet gets to it, and rules before it decide otherwise.
    Shadowed,
    /// Without it the same packets would have the same fate.
    Redundant,
    /// It decides otherwise about a part of what a later rule decides: an exception.
    Generalised,
    /// It and a later rule decide otherwise about packets that both match: the order decides.
    Correlated,
}

impl Anomaly {
    /// The lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shadowed => "shadowed",
            Self::Redundant => "redundant",
            Self::Generalised => "generalised",
            Self::Correlated => "correlated",
        }
    }

    /// Whether it is a mistake, rather than something to know of.
    #[must_use]
    pub const fn is_mistake(self) -> bool {
        matches!(self, Self::Shadowed | Self::Redundant)
    }
}

/// One anomaly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub anomaly: Anomaly,
    /// The rule, by its place in what was looked at.
    pub rule: usize,
    /// Because of which.
    pub because: Vec<usize>,
}

/// The anomalies of one chain's rules.
#[must_use]
pub fn anomalies(rules: &[Matched]) -> Vec<Found> {
    let mut found = Vec::new();
    let rules = &rules[..rules.len().min(RULES_MAX)];
    let mut unreached = vec![false; rules.len()];
    for (at, rule) in rules.iter().enumerate() {
        if let Some(of_it) = hidden(rules, at) {
            found.push(of_it);
            unreached[at] = true;
            continue;
        }
        found.extend(repeated(rules, at));
        for (earlier, other) in rules[..at].iter().enumerate().filter(|(earlier, _)| !unreached[*earlier]) {
            found.extend(relation(other, rule).map(|anomaly| Found {
                anomaly,
                rule: earlier,
                because: vec![at],
            }));
        }
    }
    found
}

/// Whether no packet gets to a rule, because of one before it or several together.
fn hidden(rules: &[Matched], at: usize) -> Option<Found> {
    let rule = &rules[at];
    if rule.fate == Fate::Nothing {
        return None;
    }
    let verdict = |because: Vec<usize>| {
        let same = because.iter().all(|earlier| rules[*earlier].fate == rule.fate);
        Found { anomaly: if same { Anomaly::Redundant } else { Anomaly::Shadowed }, rule: at, because }
    };
    let before: Vec<usize> = (0..at)
        .filter(|earlier| rules[*earlier].ends() && space::overlap(&rules[*earlier].cubes, &rule.cubes))
        .collect();
    if let Some(one) =
        before.iter().find(|earlier| space::within(&rule.cubes, &rules[**earlier].cubes) == Some(true))
    {
        return Some(verdict(vec![*one]));
    }
    let mut rest = rule.cubes.clone();
    for (count, earlier) in before.iter().enumerate() {
        rest = space::difference(&rest, rules[*earlier].cubes.iter())?;
        if rest.is_empty() {
            return Some(verdict(before[..=count].to_vec()));
        }
    }
    None
}

/// The earlier rules that say what this one would say of the same packets anyway.
fn repeated(rules: &[Matched], at: usize) -> Vec<Found> {
    let rule = &rules[at];
    if !rule.ends() {
        return Vec::new();
    }
    let is_needless = |earlier: &usize| {
        let other = &rules[*earlier];
        // A jump between might decide otherwise.
        let decides = |rule: &&Matched| rule.fate != other.fate && rule.fate != Fate::Nothing;
        other.fate == rule.fate
            && space::within(&other.cubes, &rule.cubes) == Some(true)
            && !rules[earlier + 1..at]
                .iter()
                .filter(decides)
                .any(|rule| space::overlap(&rule.cubes, &other.cubes))
    };
    let needless = (0..at).filter(is_needless);
    needless.map(|earlier| Found { anomaly: Anomaly::Redundant, rule: earlier, because: vec![at] }).collect()
}

/// Two rules that decide otherwise about some packets, none of which is hidden by the other.
fn relation(earlier: &Matched, later: &Matched) -> Option<Anomaly> {
    let decides = |rule: &Matched| rule.exact && matches!(rule.fate, Fate::Accept | Fate::Drop);
    if !decides(earlier)
        || !decides(later)
        || earlier.fate == later.fate
        || !space::overlap(&earlier.cubes, &later.cubes)
    {
        return None;
    }
    let inside = space::within(&earlier.cubes, &later.cubes)?;
    Some(if inside { Anomaly::Generalised } else { Anomaly::Correlated })
}

/// An anomaly of a chain of the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InChain {
    /// The chain.
    pub chain: ChainKey,
    /// What it is.
    pub anomaly: Anomaly,
    /// The rule, by the kernel's number.
    pub handle: u64,
    /// Because of which.
    pub because: Vec<u64>,
}

/// The anomalies of all chains, and the chains that have too many rules to be compared.
#[must_use]
pub fn of_ruleset(ruleset: &Ruleset) -> (Vec<InChain>, Vec<ChainKey>) {
    let interfaces = Interfaces::of(ruleset);
    let (mut all, mut too_long) = (Vec::new(), Vec::new());
    for (chain, rules) in &ruleset.rules {
        if rules.len() > RULES_MAX {
            too_long.push(chain.clone());
        }
        let matched: Vec<Matched> = rules.iter().map(|rule| lift(rule, &interfaces)).collect();
        let handle = |at: &usize| matched[*at].handle;
        all.extend(anomalies(&matched).into_iter().map(|found| InChain {
            chain: chain.clone(),
            anomaly: found.anomaly,
            handle: handle(&found.rule),
            because: found.because.iter().map(handle).collect(),
        }));
    }
    (all, too_long)
}

/// A rule that accepts what a base chain of another table at the same place drops: of all tables, each must let a packet
/// pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overruled {
    /// The chain of the rule that accepts.
    pub chain: ChainKey,
    /// The rule.
    pub handle: u64,
    /// The chain of the rule that drops.
    pub by: ChainKey,
    /// That rule.
    pub by_handle: u64,
}

/// The rules of base chains that accept what one rule of another table drops whole.
#[must_use]
pub fn overruled(ruleset: &Ruleset) -> Vec<Overruled> {
    let interfaces = Interfaces::of(ruleset);
    let asleep = |key: &ChainKey| {
        ruleset.tables.iter().any(|table| table.dormant && (table.family, &table.name) == (key.0, &key.1))
    };
    let bases: Vec<_> = ruleset
        .chains
        .values()
        .filter(|chain| !asleep(&chain.key))
        .filter_map(|chain| {
            let base = chain.base.as_ref().filter(|base| base.kind == "filter" && base.devices.is_empty())?;
            let rules = ruleset.rules.get(&chain.key).map_or(&[][..], Vec::as_slice);
            let rules = rules.iter().take(RULES_MAX).map(|rule| lift(rule, &interfaces)).collect::<Vec<_>>();
            Some((&chain.key, base.hook, rules))
        })
        .collect();
    let reached = |rules: &[Matched], at: usize, cubes: &[Cube]| {
        // Rules before it that take some of the packets elsewhere leave it to them.
        !rules[..at].iter().any(|rule| rule.fate != Fate::Nothing && space::overlap(&rule.cubes, cubes))
    };
    let mut found = Vec::new();
    for (key, hook, rules) in &bases {
        // Packets of which nothing is said are everybody's.
        let accepting = rules.iter().filter(|rule| rule.fate == Fate::Accept && rule.cubes != [Cube::ALL]);
        for rule in accepting {
            let by =
                bases.iter().filter(|(other, at, _)| at == hook && (other.0, &other.1) != (key.0, &key.1));
            let by = by.filter(|(other, ..)| other.0 == key.0).find_map(|(other, _, theirs)| {
                let (at, drop) = theirs.iter().enumerate().find(|(_, drop)| {
                    drop.fate == Fate::Drop
                        && drop.exact
                        && space::within(&rule.cubes, &drop.cubes) == Some(true)
                })?;
                reached(theirs, at, &rule.cubes).then_some(((*other).clone(), drop.handle))
            });
            found.extend(by.map(|(by, by_handle)| Overruled {
                chain: (*key).clone(),
                handle: rule.handle,
                by,
                by_handle,
            }));
        }
    }
    found
}
