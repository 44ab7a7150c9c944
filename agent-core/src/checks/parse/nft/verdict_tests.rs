use super::super::ruleset::{self, Base, Table};
use super::*;
use proptest::prelude::*;

/// What Linux 6.18 answered after `nft -f NAME.nft`, on a little-endian machine.
macro_rules! captured {
    ($name:literal) => {
        [
            include_bytes!(concat!("../../../../tests/fixtures/nft/", $name, ".tables")),
            include_bytes!(concat!("../../../../tests/fixtures/nft/", $name, ".chains")),
            include_bytes!(concat!("../../../../tests/fixtures/nft/", $name, ".rules")),
        ]
    };
}

const ROUTER: [&[u8]; 3] = captured!("router");
const OPEN: [&[u8]; 3] = captured!("open");

fn of([tables, chains, rules]: [&[u8]; 3]) -> Ruleset {
    ruleset::parse(tables, chains, rules).expect("a ruleset")
}

#[test]
#[cfg(target_endian = "little")]
fn a_router() {
    let found = of(ROUTER);
    assert_eq!(found.tables.len(), 4);
    let verdict = |family, hook| found.default_verdict(family, hook);
    for family in [Family::Ipv4, Family::Ipv6] {
        assert_eq!(verdict(family, Hook::Input), DefaultVerdict::DropsByPolicy);
        assert_eq!(verdict(family, Hook::Forward), DefaultVerdict::DropsByLastRule);
        assert_eq!(verdict(family, Hook::Output), DefaultVerdict::Accepts);
    }
    assert_eq!(verdict(Family::Ipv4, Hook::Postrouting), DefaultVerdict::NoChain, "nat decides nothing");
    assert_eq!(verdict(Family::Bridge, Hook::Forward), DefaultVerdict::NoChain);
    assert_eq!(verdict(Family::Bridge, Hook::Prerouting), DefaultVerdict::Accepts);
    let edge = found.base_chains(Family::Netdev, Hook::Ingress);
    assert_eq!(edge[0].base.as_ref().map(|base| base.devices.clone()), Some(vec!["lo".to_owned()]));

    let guard: Vec<_> = found.rules_about("tap3").collect();
    assert_eq!(guard.len(), 1);
    assert_eq!(guard[0].chain, (Family::Bridge, "guard".into(), "prerouting".into()));
    let named = InterfaceMatch { incoming: true, name: "vnet".into(), prefix: true, negated: false };
    let guests: Vec<_> = found.rules_about("vnet7").map(Rule::interfaces).collect();
    assert_eq!(guests, [[named]]);
    assert_eq!(found.rules_about("tap33").count(), 0);
}

#[test]
#[cfg(target_endian = "little")]
fn open_and_closed_by_a_jump() {
    let found = of(OPEN);
    assert_eq!(found.default_verdict(Family::Ipv4, Hook::Forward), DefaultVerdict::DropsByLastRule);
    assert_eq!(found.default_verdict(Family::Ipv4, Hook::Input), DefaultVerdict::Accepts);
    assert_eq!(found.default_verdict(Family::Ipv6, Hook::Forward), DefaultVerdict::NoChain);
}

fn key(chain: &str) -> ChainKey {
    (Family::Inet, "t".into(), chain.into())
}

/// A forward chain that drops by policy or not, and others; each with its rules.
fn made(drops: bool, chains: &[(&str, Vec<Vec<Expression>>)]) -> Ruleset {
    let mut made = Ruleset::default();
    made.tables.push(Table { family: Family::Inet, name: "t".into(), dormant: false });
    for (index, (name, rules)) in chains.iter().enumerate() {
        let base =
            Base { hook: Hook::Forward, priority: 0, drops, kind: "filter".into(), devices: Vec::new() };
        let base = (index == 0).then_some(base);
        made.chains.insert(key(name), Chain { key: key(name), base });
        let rules = rules.iter().map(|expressions| Rule {
            chain: key(name),
            handle: 1,
            expressions: expressions.clone(),
        });
        made.rules.insert(key(name), rules.collect());
    }
    made
}

fn state(mask: u32, operation: u32) -> Vec<Expression> {
    vec![
        Expression::Ct { key: 0, register: 1 },
        Expression::Bitwise { source: 1, register: 1, mask: mask.to_ne_bytes().to_vec() },
        Expression::Compare { register: 1, operation, data: vec![0; 4] },
    ]
}

fn then(mut condition: Vec<Expression>, verdict: Verdict) -> Vec<Expression> {
    condition.push(Expression::Verdict(verdict));
    condition
}

#[test]
fn rules_that_let_everything_pass_a_policy() {
    let verdict = |rules| made(true, &[("f", rules)]).default_verdict(Family::Ipv4, Hook::Forward);
    assert_eq!(verdict(vec![]), DefaultVerdict::DropsByPolicy);
    assert_eq!(verdict(vec![then(vec![], Verdict::Accept)]), DefaultVerdict::Accepts);
    let established = then(state(6, 1), Verdict::Accept);
    assert_eq!(verdict(vec![established]), DefaultVerdict::DropsByPolicy);
    assert_eq!(verdict(vec![then(state(8 | 2, 1), Verdict::Accept)]), DefaultVerdict::Accepts, "new");
    assert_eq!(verdict(vec![then(state(1, 0), Verdict::Accept)]), DefaultVerdict::Accepts, "not invalid");
    let but_one = vec![
        Expression::Meta { key: 6, register: 1 },
        Expression::Compare { register: 1, operation: 1, data: b"eth0\0".to_vec() },
    ];
    let undecidable = DefaultVerdict::Undecidable("all but a value");
    assert_eq!(verdict(vec![then(but_one, Verdict::Accept)]), undecidable);
    let map = Expression::Lookup { set: "m".into(), register: 1, inverted: false, verdict_map: true };
    assert_eq!(verdict(vec![vec![map]]), DefaultVerdict::Undecidable("a verdict map"));
    let ipv6_only = vec![
        Expression::Meta { key: 15, register: 1 },
        Expression::Compare { register: 1, operation: 0, data: vec![10] },
    ];
    assert_eq!(verdict(vec![then(ipv6_only, Verdict::Accept)]), DefaultVerdict::DropsByPolicy);
    let unknown = vec![Expression::Other("fib".into()), Expression::Verdict(Verdict::Accept)];
    assert!(matches!(verdict(vec![unknown]), DefaultVerdict::Undecidable(_)));
    let limited = vec![Expression::Other("match:limit".into()), Expression::Verdict(Verdict::Accept)];
    assert_eq!(verdict(vec![limited]), DefaultVerdict::DropsByPolicy);
}

#[test]
fn jumps_returns_and_loops() {
    let to = |chain: &str| then(vec![], Verdict::Jump(chain.into()));
    let drop_all = vec![then(vec![], Verdict::Drop)];
    let verdict = |made: Ruleset| made.default_verdict(Family::Ipv6, Hook::Forward);
    let nested = made(false, &[("f", vec![to("a")]), ("a", vec![to("b")]), ("b", drop_all.clone())]);
    assert_eq!(verdict(nested), DefaultVerdict::DropsByLastRule);
    let back = made(true, &[("f", vec![to("a")]), ("a", vec![then(vec![], Verdict::Return)])]);
    assert_eq!(verdict(back), DefaultVerdict::DropsByPolicy);
    let gone = vec![then(vec![], Verdict::Goto("a".into())), then(vec![], Verdict::Drop)];
    let gone = made(false, &[("f", gone), ("a", vec![])]);
    assert_eq!(verdict(gone), DefaultVerdict::Accepts, "what follows a goto is never reached");
    let looped = made(true, &[("f", vec![to("a")]), ("a", vec![to("a")])]);
    assert_eq!(verdict(looped), DefaultVerdict::Undecidable("a loop"));
    assert!(matches!(verdict(made(true, &[("f", vec![to("x")])])), DefaultVerdict::Undecidable(_)));
    let mut asleep = made(true, &[("f", drop_all)]);
    asleep.tables[0].dormant = true;
    assert_eq!(verdict(asleep), DefaultVerdict::NoChain);
}

#[test]
fn an_answer_without_an_end_is_an_error() {
    let [tables, chains, rules] = ROUTER;
    let error = ruleset::parse(tables, chains, &rules[..rules.len() - 20]).expect_err("no end");
    assert_eq!(error.what, "an answer without an end");
    assert!(ruleset::parse(tables, &[], rules).is_err());
}

proptest! {
    #[test]
    fn any_bytes_come_back(at in 0..ROUTER[2].len(), byte: u8, noise in prop::collection::vec(any::<u8>(), 0..100)) {
        let [tables, chains, rules] = ROUTER;
        let mut damaged = rules.to_vec();
        damaged[at] = byte;
        if let Ok(found) = ruleset::parse(tables, chains, &damaged) {
            let _ = found.default_verdict(Family::Ipv4, Hook::Forward);
            found.rules_about("tap3").for_each(drop);
        }
        super::super::fuzzing::netlink(&noise);
    }
}
