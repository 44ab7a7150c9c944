//! Causes that come together, and chains of them.

use super::mine::{Candidate, Pattern, Scope, Settings};
use super::sessions::{Session, Sessions};
use super::stats::{LnFactorials, as_f64, discoveries, quantile};
use std::collections::{BTreeMap, BTreeSet};

/// Causes of one session that are looked at in pairs; of a longer one, the first of them.
const SESSION_CAUSES_MAX: usize = 32;
/// Causes of one chain.
const CHAIN_MAX: usize = 8;

struct Pair {
    causes: (usize, usize),
    /// Sessions with both.
    both: usize,
    /// The smaller of the two shares of sessions that have the other cause too.
    dependence: f64,
    p: f64,
}

/// The chains of dependent causes in some sessions.
pub(super) fn chains(
    sessions: &Sessions<'_>,
    of: &[&Session],
    scope: &Scope,
    settings: &Settings,
    rate: f64,
) -> Vec<Candidate> {
    let mut alone: BTreeMap<usize, usize> = BTreeMap::new();
    let mut together: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for session in of {
        let causes = &session.firsts[..session.firsts.len().min(SESSION_CAUSES_MAX)];
        for (at, (_, cause)) in causes.iter().enumerate() {
            *alone.entry(*cause).or_default() += 1;
            for (_, other) in &causes[..at] {
                *together.entry((*cause.min(other), *cause.max(other))).or_default() += 1;
            }
        }
    }
    let count = |cause: usize| alone.get(&cause).copied().unwrap_or(0);
    let frequent = alone.values().filter(|count| **count >= settings.support_min).count();
    let ln = LnFactorials::up_to(of.len());
    let pairs: Vec<Pair> = together
        .into_iter()
        .filter(|((a, b), _)| count(*a) >= settings.support_min && count(*b) >= settings.support_min)
        .map(|((a, b), both)| Pair {
            causes: (a, b),
            both,
            dependence: as_f64(both) / as_f64(count(a).max(count(b))),
            p: ln.together(of.len(), count(a), count(b), both),
        })
        .collect();
    let p_values: Vec<f64> = pairs.iter().map(|pair| pair.p).collect();
    let found = discoveries(&p_values, frequent * frequent.saturating_sub(1) / 2, rate);
    let kept: BTreeMap<(usize, usize), &Pair> = pairs
        .iter()
        .zip(found)
        .filter(|(pair, found)| {
            *found && pair.both >= settings.support_min && pair.dependence >= settings.dependence_min
        })
        .map(|(pair, _)| (pair.causes, pair))
        .collect();
    grown(&kept)
        .into_iter()
        .filter_map(|causes| chain(sessions, of, scope, settings, &causes, &kept))
        .collect()
}

/// Pairs grown into sets all of whose pairs were found; each pair is in one.
fn grown(pairs: &BTreeMap<(usize, usize), &Pair>) -> Vec<BTreeSet<usize>> {
    let joined = |a: usize, b: usize| pairs.contains_key(&(a.min(b), a.max(b)));
    let causes: BTreeSet<usize> = pairs.keys().flat_map(|(a, b)| [*a, *b]).collect();
    let mut strongest: Vec<&&Pair> = pairs.values().collect();
    strongest.sort_by(|a, b| b.dependence.total_cmp(&a.dependence).then(a.causes.cmp(&b.causes)));
    let mut sets: Vec<BTreeSet<usize>> = Vec::new();
    for pair in strongest {
        let (a, b) = pair.causes;
        if sets.iter().any(|set| set.contains(&a) && set.contains(&b)) {
            continue;
        }
        let mut set = BTreeSet::from([a, b]);
        for cause in &causes {
            if set.len() < CHAIN_MAX
                && !set.contains(cause)
                && set.iter().all(|member| joined(*member, *cause))
            {
                set.insert(*cause);
            }
        }
        sets.push(set);
    }
    sets
}

fn chain(
    sessions: &Sessions<'_>,
    of: &[&Session],
    scope: &Scope,
    settings: &Settings,
    causes: &BTreeSet<usize>,
    pairs: &BTreeMap<(usize, usize), &Pair>,
) -> Option<Candidate> {
    let of_chain = |session: &Session| -> Vec<(u64, usize)> {
        session.firsts.iter().filter(|(_, cause)| causes.contains(cause)).copied().collect()
    };
    // The order in which they mostly come: by how often each comes before the others.
    let mut before: BTreeMap<usize, usize> = causes.iter().map(|cause| (*cause, 0)).collect();
    let mut whole = 0;
    for session in of {
        let seen = of_chain(session);
        if seen.len() == causes.len() {
            whole += 1;
            for (place, (_, cause)) in seen.iter().enumerate() {
                *before.entry(*cause).or_default() += causes.len() - place;
            }
        }
    }
    if whole < settings.support_min {
        return None;
    }
    let mut order: Vec<usize> = causes.iter().copied().collect();
    order.sort_by_key(|cause| (std::cmp::Reverse(before.get(cause).copied()), *cause));
    let first = order.first().copied()?;
    let (mut in_order, mut lags, mut counter) = (0, Vec::new(), Vec::new());
    let (mut began, mut last_ns) = (0, 0);
    for session in of {
        let seen = of_chain(session);
        let Some((begun_ns, _)) = seen.iter().find(|(_, cause)| *cause == first).copied() else { continue };
        began += 1;
        if seen.len() == causes.len() {
            let last = seen.last().map_or(begun_ns, |(at_ns, _)| *at_ns);
            lags.push(last.saturating_sub(begun_ns));
            last_ns = last_ns.max(last);
            in_order += usize::from(seen.iter().map(|(_, cause)| cause).eq(&order));
        } else {
            counter.push(begun_ns);
        }
    }
    lags.sort_unstable();
    counter.sort_unstable();
    let inner = pairs.iter().filter(|((a, b), _)| causes.contains(a) && causes.contains(b));
    let (dependence, p) = inner.fold((1.0_f64, 0.0_f64), |(dependence, p), (_, pair)| {
        (dependence.min(pair.dependence), p.max(pair.p))
    });
    Some(Candidate {
        scope: scope.clone(),
        pattern: Pattern::Chain {
            causes: order.iter().map(|cause| sessions.causes[*cause].to_owned()).collect(),
            in_order,
            lag_median_ns: quantile(&lags, 500),
            lag_most_ns: quantile(&lags, 900),
        },
        support: whole,
        tried: began,
        dependence,
        p,
        counter_examples_ns: counter.into_iter().rev().take(settings.examples_max).collect(),
        last_ns,
        expires_ns: last_ns.saturating_add(settings.keep_ns),
    })
}
