//! What must hold whatever is asked for, in whatever order.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const PATHS: [&str; 8] = [
    "vm/u/net",
    "vm/u/net/tap0",
    "vm/u/power",
    "vm/u/cpu/quota",
    "vm/v/net",
    "vm/v/evidence",
    "host/sysctl/a",
    "vm/u",
];

fn terms() -> Terms {
    let owners = [("u", "acme"), ("v", "other")].map(|(vm, tenant)| (vm.to_owned(), tenant.to_owned()));
    Terms { owners: owners.into(), disrupted_vms_max: 1, ..Terms::default() }
}

fn any_party() -> impl Strategy<Value = Party> {
    let parties = vec![
        Party::csp("soc"),
        Party::csp("ops"),
        Party::csc("app", "acme"),
        Party::csc("b", "other"),
        Party::csn("c"),
    ];
    prop::sample::select(parties)
}

fn any_claim() -> impl Strategy<Value = Claim> {
    let standing = (
        prop::sample::select(vec![Mode::Require, Mode::Forbid, Mode::Exclusive, Mode::Shared, Mode::Hold]),
        prop::sample::select(PATHS.to_vec()),
        prop::sample::select(vec![None, Some("a"), Some("b"), Some("cut")]),
    );
    let standing = (any_party(), standing).prop_map(|(party, (mode, path, value))| {
        let value = match mode {
            Mode::Hold => None,
            Mode::Require | Mode::Shared => value.or(Some("a")),
            _ => value,
        };
        Claim::new(party, "test", Part::new(ResourcePath::parse(path).unwrap(), mode, value), "why")
    });
    let actions =
        ["throttle", "freeze", "thaw", "cut-network", "snapshot-memory", "migrate", "restart", "delete"];
    let action = (any_party(), prop::sample::select(actions.to_vec()), prop::sample::select(vec!["u", "v"]));
    let action = action.prop_map(|(party, name, vm)| {
        let target = ResourcePath::of_vm(vm, "").unwrap();
        let value = (name == "throttle").then_some("50");
        Action::named(name).unwrap().claim(party, "test", &target, value, "why").unwrap()
    });
    (prop_oneof![standing, action], -1..=1i16, prop::option::of(5u64..60)).prop_map(
        |(claim, priority, ttl)| {
            let claim = claim.with_priority(priority);
            ttl.map_or_else(|| claim.clone(), |ttl| claim.clone().until(1_000 + ttl))
        },
    )
}

#[derive(Clone, Debug)]
enum Deed {
    Request(Claim),
    Release(usize),
    Renew(usize, Option<u64>),
    Expire(u64),
    Observe(Vec<Claim>),
    Epoch(Vec<Claim>),
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let claims = || prop::collection::vec(any_claim(), 0..4);
    prop_oneof![
        6 => any_claim().prop_map(Deed::Request),
        2 => any::<usize>().prop_map(Deed::Release),
        1 => (any::<usize>(), prop::option::of(1..90u64)).prop_map(|(at, ttl)| Deed::Renew(at, ttl)),
        1 => (1..20u64).prop_map(Deed::Expire),
        1 => claims().prop_map(|claims| Deed::Observe(
            claims.into_iter().map(|claim| Claim { origin: Origin::Found, ..claim }).collect())),
        1 => claims().prop_map(Deed::Epoch),
    ]
}

/// What the resources are, as steps make them; and what they were.
#[derive(Default)]
struct World(BTreeMap<ResourcePath, String>);

impl World {
    fn of(&self, path: &ResourcePath) -> String {
        self.0.get(path).cloned().unwrap_or_else(|| format!("base of {path}"))
    }

    /// A party that acts says what it undoes to: what is now.
    fn prepare(&self, mut claim: Claim) -> Claim {
        for part in &mut claim.parts {
            if part.given().is_some() {
                part.undo = Some(self.of(&part.path));
            }
        }
        claim
    }

    fn act(&mut self, steps: &[Step]) {
        for step in steps {
            if let Some(value) = &step.value {
                self.0.insert(step.path.clone(), value.clone());
            }
        }
    }
}

fn run(arbiter: &mut Arbiter, world: &mut World, now: &mut u64, deed: Deed) -> Vec<Change> {
    let nth = |arbiter: &Arbiter, at: usize| {
        let count = arbiter.book().len();
        arbiter.book().claims().nth(at % count.max(1)).map(|(token, live)| (token, live.claim.party.clone()))
    };
    let answer = match deed {
        Deed::Request(claim) => {
            arbiter.request(world.prepare(claim), *now).map(|(_, answer)| answer).unwrap_or_default()
        }
        Deed::Release(at) => nth(arbiter, at).map_or_else(Answer::default, |(token, party)| {
            arbiter.release(token, &party, *now).expect("it lives")
        }),
        Deed::Renew(at, ttl) => nth(arbiter, at).map_or_else(Answer::default, |(token, party)| {
            arbiter.renew(token, &party, ttl.map(|ttl| *now + ttl), *now).expect("it lives")
        }),
        Deed::Expire(by) => {
            *now += by;
            arbiter.expire(*now).expect("a book of ours")
        }
        Deed::Observe(found) => arbiter.observe(&found, &[], *now).expect("it makes sense"),
        Deed::Epoch(claims) => {
            arbiter.epoch(claims.into_iter().map(|claim| world.prepare(claim)).collect(), *now).1
        }
    };
    world.act(&answer.steps);
    answer.changes
}

/// Parts in force that collide, by the book's own claims and without its index.
fn collisions(book: &Book) -> Vec<String> {
    let in_force: Vec<_> = book.claims().filter(|(_, live)| live.asleep.is_none()).collect();
    let mut found = Vec::new();
    for (at, (token, live)) in in_force.iter().enumerate() {
        for (other, theirs) in &in_force[..at] {
            for part in &live.claim.parts {
                let hit = theirs.claim.parts.iter().find(|theirs_part| {
                    super::collision::of_claims(&live.claim, part, &theirs.claim, theirs_part).is_some()
                });
                found.extend(hit.map(|hit| format!("{token} {part} / {other} {hit}")));
            }
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_book_is_what_the_records_add_up_to_and_nothing_in_force_collides(
        deeds in prop::collection::vec(any_deed(), 1..40)
    ) {
        let (mut arbiter, mut world, mut now) = (Arbiter::new(terms()), World::default(), 1_000);
        let (mut records, mut last) = (Vec::new(), Token(0));
        for deed in deeds {
            for change in run(&mut arbiter, &mut world, &mut now, deed) {
                // As a restart reads them.
                let bytes = change.to_bytes().unwrap();
                let change = Change::from_bytes(&bytes).unwrap();
                if let Change::Granted { token, .. } = &change {
                    prop_assert!(*token > last, "numbers only grow");
                    last = *token;
                }
                records.push(change);
            }
            prop_assert_eq!(collisions(arbiter.book()), Vec::<String>::new());
            prop_assert_eq!(&Book::replay(&records).unwrap(), arbiter.book());
            let exclusive: Vec<_> = arbiter.book().claims().filter(|(_, live)| live.asleep.is_none())
                .flat_map(|(_, live)| live.claim.parts.iter().map(|part| (&live.claim.party, part)))
                .filter(|(_, part)| part.mode == Mode::Exclusive).collect();
            for (at, (party, part)) in exclusive.iter().enumerate() {
                let two = exclusive[..at].iter().find(|(other, theirs)| other != party && theirs.path.overlaps(&part.path));
                prop_assert!(two.is_none(), "two own {}: {:?}", part.path, two);
            }
        }
    }

    #[test]
    fn the_world_is_as_the_claims_say_and_in_the_end_as_it_was(deeds in prop::collection::vec(any_deed(), 1..30)) {
        let (mut arbiter, mut world, mut now) = (Arbiter::new(terms()), World::default(), 1_000);
        // What is found was not done by us, and is not undone.
        for deed in deeds.into_iter().filter(|deed| !matches!(deed, Deed::Observe(_))) {
            run(&mut arbiter, &mut world, &mut now, deed);
            // Nothing is undone under somebody who wants it so.
            for (token, live) in arbiter.book().claims().filter(|(_, live)| live.asleep.is_none()) {
                for part in &live.claim.parts {
                    if let Some(given) = part.given() {
                        prop_assert_eq!(world.of(&part.path), given, "claim {}", token);
                    }
                }
            }
        }
        let next = |arbiter: &Arbiter| {
            arbiter.book().claims().next().map(|(token, live)| (token, live.claim.party.clone()))
        };
        while let Some((token, party)) = next(&arbiter) {
            let steps = arbiter.release(token, &party, now).unwrap().steps;
            world.act(&steps);
        }
        for (path, value) in &world.0 {
            prop_assert_eq!(value, &format!("base of {path}"));
        }
        prop_assert!(arbiter.book().disrupted_vms().next().is_none());
    }

    #[test]
    fn within_an_epoch_it_does_not_matter_who_came_first(
        before in prop::collection::vec(any_claim(), 0..6), claims in prop::collection::vec(any_claim(), 1..8), seed in any::<u64>()
    ) {
        let mut first = Arbiter::new(terms());
        for claim in before {
            let _ = first.request(claim, 1_000);
        }
        let mut second = first.clone();
        let mut order: Vec<usize> = (0..claims.len()).collect();
        order.sort_by_key(|at| (*at as u64 + 1).wrapping_mul(seed | 1).rotate_left(29));
        let shuffled: Vec<_> = order.iter().map(|at| claims[*at].clone()).collect();
        let (decisions, answer) = first.epoch(claims.clone(), 1_000);
        let (shuffled_decisions, shuffled_answer) = second.epoch(shuffled, 1_000);
        prop_assert_eq!(first.book(), second.book());
        prop_assert_eq!(answer, shuffled_answer);
        // The same request twice is one that came twice: which of the two is told first is all that may differ.
        for (at, decision) in order.iter().zip(&shuffled_decisions) {
            if claims.iter().filter(|claim| **claim == claims[*at]).count() == 1 {
                prop_assert_eq!(&decisions[*at], decision);
            }
        }
    }

    #[test]
    fn a_decision_is_what_a_request_then_gets(before in prop::collection::vec(any_claim(), 0..8), claim in any_claim()) {
        let mut arbiter = Arbiter::new(terms());
        for claim in before {
            let _ = arbiter.request(claim, 1_000);
        }
        let told = arbiter.decide(&claim);
        let got = arbiter.request(claim, 1_000).map(|(decision, _)| decision);
        if let Ok(decision) = &got {
            prop_assert!(!decision.sentence.is_empty());
            prop_assert_eq!(decision.rule.is_none(), decision.others.is_empty() && matches!(decision.outcome, Outcome::Granted { .. }));
        }
        prop_assert_eq!(told, got);
    }
}
