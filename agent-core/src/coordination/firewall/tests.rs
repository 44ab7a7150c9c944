use super::lift::{Fate, Interfaces, Matched, lift};
use super::pairs::{Anomaly, anomalies, of_ruleset, overruled};
use super::space::{Cube, Field, difference, overlap, within};
use crate::checks::parse::nft::message::Dump;
use crate::checks::parse::nft::ruleset::{Ruleset, parse};
use crate::sys::dump::ask;
use bartizan_testkit::netns::Netns;
use bartizan_testkit::skip;
use nix::sys::socket::SockProtocol;
use proptest::prelude::*;

/// A small world: three fields of eight values each, all else the same.
const WORLD: [Field; 3] = [Field::SourcePort, Field::DestinationPort, Field::Transport];
const SIDE: u128 = 8;

type Packet = [u128; 3];

fn packets() -> impl Iterator<Item = Packet> {
    (0..SIDE).flat_map(|a| (0..SIDE).flat_map(move |b| (0..SIDE).map(move |c| [a, b, c])))
}

fn holds(cubes: &[Cube], packet: &Packet) -> bool {
    cubes.iter().any(|cube| {
        WORLD.iter().zip(packet).all(|(field, value)| {
            let (low, high) = cube.side(*field);
            (low..=high).contains(value)
        })
    })
}

/// Cubes within the small world, so that its packets are all there are.
fn any_cube() -> impl Strategy<Value = Cube> {
    prop::array::uniform3((0..SIDE, 0..SIDE)).prop_map(|sides| {
        WORLD.iter().zip(sides).fold(Cube::ALL, |cube, (field, (a, b))| {
            // Whole sides are frequent in rules, and make some contain others.
            let (low, high) = if (a + b) % 3 == 0 { (0, SIDE - 1) } else { (a.min(b), a.max(b)) };
            cube.narrowed(*field, low, high).unwrap()
        })
    })
}

fn any_rule() -> impl Strategy<Value = Matched> {
    let fates = prop::sample::select(vec![
        Fate::Accept,
        Fate::Drop,
        Fate::Drop,
        Fate::Nothing,
        Fate::Jumps("x".into()),
    ]);
    (prop::collection::vec(any_cube(), 1..3), fates, prop::bool::weighted(0.9))
        .prop_map(|(cubes, fate, exact)| Matched { handle: 0, cubes, exact, fate })
}

/// The rule that decides about a packet.
fn decider(rules: &[Matched], packet: &Packet) -> Option<usize> {
    rules.iter().position(|rule| rule.ends() && holds(&rule.cubes, packet))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn sets_are_what_every_packet_says(
        a in prop::collection::vec(any_cube(), 1..4), b in prop::collection::vec(any_cube(), 1..4)
    ) {
        let left = difference(&a, b.iter()).unwrap();
        for packet in packets() {
            prop_assert_eq!(holds(&left, &packet), holds(&a, &packet) && !holds(&b, &packet));
        }
        prop_assert_eq!(overlap(&a, &b), packets().any(|packet| holds(&a, &packet) && holds(&b, &packet)));
        let inside = packets().all(|packet| !holds(&a, &packet) || holds(&b, &packet));
        prop_assert_eq!(within(&a, &b), Some(inside));
    }

    #[test]
    fn anomalies_are_what_every_packet_says(rules in prop::collection::vec(any_rule(), 2..7)) {
        let found = anomalies(&rules);
        for (at, rule) in rules.iter().enumerate() {
            let of = |anomaly| found.iter().find(|found| found.rule == at && found.anomaly == anomaly);
            let mine: Vec<_> = packets().filter(|packet| holds(&rule.cubes, packet)).collect();
            let reached = mine.iter().any(|packet| decider(&rules[..at], packet).is_none());
            let hidden = found.iter().find(|found| {
                found.rule == at && found.anomaly.is_mistake() && found.because.iter().all(|other| *other < at)
            });
            if rule.fate == Fate::Nothing {
                prop_assert!(hidden.is_none());
            } else {
                prop_assert_eq!(hidden.is_some(), !reached, "rule {}", at);
            }
            if let Some(shadowed) = of(Anomaly::Shadowed) {
                prop_assert!(shadowed.because.iter().any(|other| rules[*other].fate != rule.fate));
            }
            // Without a redundant rule every packet has the same fate, whatever a jump may do with it.
            if of(Anomaly::Redundant).is_some() {
                let mut without = rules.clone();
                without.remove(at);
                for packet in packets() {
                    let fate = |rules: &[Matched]| trace(rules, &packet);
                    prop_assert_eq!(fate(&rules), fate(&without), "rule {} and packet {:?}", at, packet);
                }
            }
        }
        for pair in found.iter().filter(|found| !found.anomaly.is_mistake()) {
            let (earlier, later) = (&rules[pair.rule], &rules[pair.because[0]]);
            prop_assert!(earlier.fate != later.fate && pair.rule < pair.because[0]);
            let count = |earlier_too: bool, later_too: bool| packets().filter(|packet| {
                holds(&earlier.cubes, packet) == earlier_too && holds(&later.cubes, packet) == later_too
            }).count();
            prop_assert!(count(true, true) > 0);
            prop_assert_eq!(count(true, false) == 0, pair.anomaly == Anomaly::Generalised);
        }
    }
}

/// What a packet goes through: the jumps it may take, and who decides in the end.
fn trace(rules: &[Matched], packet: &Packet) -> Vec<Fate> {
    let mut seen = Vec::new();
    for rule in rules.iter().filter(|rule| rule.fate != Fate::Nothing && holds(&rule.cubes, packet)) {
        // A jump, or a rule that matches some of these: twice the same is as good as once.
        if seen.last() != Some(&rule.fate) {
            seen.push(rule.fate.clone());
        }
        if rule.ends() {
            break;
        }
    }
    seen
}

fn namespace() -> Option<Netns> {
    std::process::Command::new("nft").arg("--version").output().ok()?;
    Netns::new().ok()
}

/// Has nft read a ruleset in a namespace: to check it, or to load it.
fn nft(namespace: &Netns, text: &str, check: bool) -> Result<(), String> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("written");
    let mut command = std::process::Command::new("nft");
    command.args(check.then_some("--check")).arg("-f").arg(file.path());
    namespace.enter(&mut command).expect("entered");
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

fn told(namespace: &Netns) -> Ruleset {
    let dump = |dump: Dump| {
        let answer = namespace.run(|| ask(SockProtocol::NetlinkNetFilter, &dump.request(1), 1 << 20));
        answer.expect("a namespace").expect("an answer")
    };
    parse(&dump(Dump::Tables), &dump(Dump::Chains), &dump(Dump::Rules)).expect("a ruleset")
}

fn table(rules: &[String]) -> String {
    format!("table inet t {{\n chain c {{\n  {}\n }}\n}}\n", rules.join("\n  "))
}

type Sides = Vec<(Field, u128, u128)>;

/// What the kernel made of a rule, as cubes, beside what was written.
#[test]
fn rules_mean_to_the_kernel_what_they_mean_here() {
    use Field::{
        Destination4, DestinationPort, In, Network, Out, Source4, Source6, SourcePort, State, Transport,
    };
    let Some(namespace) = namespace() else { skip!("needs root, iproute2 and nft") };
    let tcp = |more: Sides| -> Sides { [vec![(Transport, 6, 6)], more].concat() };
    let ip4 = |more: Sides| -> Sides { [vec![(Network, 2, 2)], more].concat() };
    let v6 = 0x2001_0db8_u128 << 96;
    let expected: Vec<(&str, Option<Vec<Sides>>)> = vec![
        ("tcp dport 22 accept", Some(vec![tcp(vec![(DestinationPort, 22, 22)])])),
        ("tcp dport 1000-2000 drop", Some(vec![tcp(vec![(DestinationPort, 1000, 2000)])])),
        ("tcp sport < 1024 drop", Some(vec![tcp(vec![(SourcePort, 0, 1023)])])),
        (
            "tcp dport != 22 drop",
            Some(vec![tcp(vec![(DestinationPort, 0, 21)]), tcp(vec![(DestinationPort, 23, 65_535)])]),
        ),
        (
            "tcp sport 1 tcp dport 2 accept",
            Some(vec![tcp(vec![(SourcePort, 1, 1), (DestinationPort, 2, 2)])]),
        ),
        ("ip saddr 10.1.0.0/16 drop", Some(vec![ip4(vec![(Source4, 0x0a01_0000, 0x0a01_ffff)])])),
        ("ip saddr 10.1.0.0/20 drop", Some(vec![ip4(vec![(Source4, 0x0a01_0000, 0x0a01_0fff)])])),
        (
            "ip saddr 10.0.0.1 ip daddr 10.0.0.2 drop",
            Some(vec![ip4(vec![
                (Source4, 0x0a00_0001, 0x0a00_0001),
                (Destination4, 0x0a00_0002, 0x0a00_0002),
            ])]),
        ),
        (
            "ip6 saddr 2001:db8::/32 drop",
            Some(vec![vec![(Network, 10, 10), (Source6, v6, v6 | (u128::MAX >> 32))]]),
        ),
        ("ct state established,related accept", Some(vec![vec![(State, 1, 1)], vec![(State, 2, 2)]])),
        ("ct state new accept", Some(vec![vec![(State, 3, 3)]])),
        ("ct state invalid drop", Some(vec![vec![(State, 0, 0)]])),
        // Names in order: eth0, vnet*, vnet1, vnet2.
        ("iifname \"eth0\" accept", Some(vec![vec![(In, 0, 0)]])),
        ("oifname \"vnet*\" drop", Some(vec![vec![(Out, 1, 3)]])),
        ("iifname \"vnet1\" drop", Some(vec![vec![(In, 2, 2)]])),
        ("iifname != \"vnet2\" drop", Some(vec![vec![(In, 0, 2)], vec![(In, 4, 0xffff_ffff)]])),
        ("counter drop", Some(vec![vec![]])),
        ("limit rate 5/second accept", None),
        ("tcp dport { 22, 80 } accept", None),
        (
            "icmp type echo-request accept",
            Some(vec![ip4(vec![(Transport, 1, 1), (SourcePort, 0x0800, 0x08ff)])]),
        ),
        ("meta mark 7 accept", None),
        ("ip daddr & 255.0.255.0 == 10.0.1.0 drop", None),
    ];
    let texts: Vec<String> = expected.iter().map(|(text, _)| (*text).to_owned()).collect();
    nft(&namespace, &table(&texts), false).expect("loaded");
    let ruleset = told(&namespace);
    let interfaces = Interfaces::of(&ruleset);
    let rules = ruleset.rules.values().next().expect("a chain");
    assert_eq!(rules.len(), expected.len());
    for (rule, (text, sides)) in rules.iter().zip(&expected) {
        let matched = lift(rule, &interfaces);
        assert_eq!(matched.exact, sides.is_some(), "{text}: {:?}", rule.expressions);
        let Some(sides) = sides else { continue };
        let cube = |sides: &Sides| {
            sides
                .iter()
                .fold(Cube::ALL, |cube, (field, low, high)| cube.narrowed(*field, *low, *high).expect("one"))
        };
        assert_eq!(
            matched.cubes,
            sides.iter().map(cube).collect::<Vec<_>>(),
            "{text}: {:?}",
            rule.expressions
        );
        let fate = if text.ends_with("accept") { Fate::Accept } else { Fate::Drop };
        assert_eq!(matched.fate, fate, "{text}");
    }
}

fn written(rule: &Matched) -> Vec<String> {
    let side = |cube: &Cube, field: Field, name: &str| {
        let (low, high) = cube.side(field);
        if (low, high) == (0, field.max()) { String::new() } else { format!("tcp {name} {low}-{high} ") }
    };
    let verdict = if rule.fate == Fate::Accept { "accept" } else { "drop" };
    let text = |cube: &Cube| {
        format!(
            "meta l4proto tcp {}{}{verdict}",
            side(cube, Field::SourcePort, "sport"),
            side(cube, Field::DestinationPort, "dport")
        )
    };
    rule.cubes.iter().map(text).collect()
}

/// Rulesets that are made up are accepted by nft, and what is found in them is found in what the kernel has of them.
#[test]
fn made_up_rulesets_are_accepted_by_nft_and_judged_alike_after_a_round_through_the_kernel() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let Some(namespace) = namespace() else { skip!("needs root, iproute2 and nft") };
    let mut runner = TestRunner::deterministic();
    let mut seen = 0;
    for _ in 0..24 {
        let rules = prop::collection::vec(any_rule(), 3..7).new_tree(&mut runner).expect("rules").current();
        let made: Vec<Matched> = rules
            .iter()
            .flat_map(|rule| {
                let cubes = rule.cubes.iter().filter_map(|cube| {
                    // Ports beyond the small world belong to whole sides.
                    let wide = |cube: Cube, field: Field| match cube.side(field) {
                        (low, high) if high == SIDE - 1 => Cube::ALL.narrowed(field, low, field.max()),
                        (low, high) => Cube::ALL.narrowed(field, low, high),
                    };
                    let (source, destination) =
                        (wide(*cube, Field::SourcePort)?, wide(*cube, Field::DestinationPort)?);
                    source.intersection(&destination)?.narrowed(Field::Transport, 6, 6)
                });
                let fate = if rule.fate == Fate::Accept { Fate::Accept } else { Fate::Drop };
                cubes.map(move |cube| Matched {
                    handle: 0,
                    cubes: vec![cube],
                    exact: true,
                    fate: fate.clone(),
                })
            })
            .collect();
        let text = format!("flush ruleset\n{}", table(&made.iter().flat_map(written).collect::<Vec<_>>()));
        nft(&namespace, &text, true).unwrap_or_else(|error| {
            panic!(
                "{error}
{text}"
            )
        });
        nft(&namespace, &text, false).expect("loaded");
        let ruleset = told(&namespace);
        let handles: Vec<u64> = ruleset.rules.values().flatten().map(|rule| rule.handle).collect();
        let expected: Vec<_> = anomalies(&made)
            .into_iter()
            .map(|found| {
                (found.anomaly, handles[found.rule], found.because.iter().map(|at| handles[*at]).collect())
            })
            .collect();
        let (found, _) = of_ruleset(&ruleset);
        let found: Vec<(Anomaly, u64, Vec<u64>)> =
            found.into_iter().map(|found| (found.anomaly, found.handle, found.because)).collect();
        assert_eq!(found, expected, "{text}");
        seen += found.len();
    }
    assert!(seen > 20, "only {seen} anomalies: the test no longer sees them");
}

#[test]
fn what_another_table_drops_is_not_accepted() {
    let Some(namespace) = namespace() else { skip!("needs root, iproute2 and nft") };
    let text = "table inet mine {
          chain in {
            type filter hook input priority 0
            tcp dport 80 accept
            tcp dport 22 accept
          }
        }
        table inet theirs {
          chain x { }
          chain in {
            type filter hook input priority 10
            tcp dport 20-30 drop
            tcp dport 80 jump x
            tcp dport 80 drop
          }
        }
        ";
    nft(&namespace, text, false).expect("loaded");
    let found = overruled(&told(&namespace));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&*found[0].chain.1, &*found[0].by.1), ("mine", "theirs"));
}
