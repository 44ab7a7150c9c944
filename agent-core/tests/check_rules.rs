//! Every shipped check, without a host: each must pass, fail and be unknown for facts made for it.
//!
//! Facts for rules that compare are worked out from the rules themselves: for every comparison a value that agrees and
//! one that does not, and the fact absent or denied. Rules that reason, or that need facts which fit together, have
//! cases written down in `check_cases/*.toml`:
//!
//! ```toml
//! [[case]]
//! rule = "vmm.svirt-label-unique"
//! expect = "fail"
//! host = { "sysctl:kernel.x" = 1, "lsm:active" = "!denied" }   # `!` and a word: why it cannot be read
//! vm = { "vm.label" = "libvirt-1" }
//! others = [{ "vm.label" = "libvirt-1" }]
//! ```
//! A fact that is not named is absent. A list is a list, a table a map.

use bartizan_core::checks::declared::{Comparison, Condition, Operand};
use bartizan_core::checks::fact::Found;
use bartizan_core::checks::facts::{FactId, Facts, provider};
use bartizan_core::checks::judge::judge;
use bartizan_core::checks::{Rule, Scope, Subject, Unavailable, Value, Verdict, Vm, VmId, shipped};
use bartizan_core::sampling::discovery::VmmKind;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Given = BTreeMap<String, Result<Value, Unavailable>>;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    rule: String,
    expect: String,
    #[serde(default)]
    host: BTreeMap<String, toml::Value>,
    #[serde(default)]
    vm: BTreeMap<String, toml::Value>,
    #[serde(default)]
    others: Vec<BTreeMap<String, toml::Value>>,
    /// A part of the reason that must be told.
    #[serde(default)]
    reason: String,
}

fn vm(number: i32) -> Arc<Vm> {
    Arc::new(Vm {
        id: VmId { pid: 1_000 + number, start_ticks: 1 },
        name: format!("vm-{number}"),
        uuid: String::new(),
        tenant: String::new(),
        vmm: VmmKind::Qemu,
        libvirt: false,
        cgroup: format!("/vm-{number}"),
        vcpu_tids: Vec::new(),
        taps: Vec::new(),
    })
}

/// Facts of a host, of the VM that is looked at, and of others.
fn facts(host: &Given, vms: &[Given]) -> Facts {
    let found = |value: &Result<Value, Unavailable>| Found {
        value: value.clone(),
        source: "case".into(),
        raw: String::new(),
    };
    let there: Vec<Arc<Vm>> = (0..vms.len()).map(|n| vm(i32::try_from(n).expect("few"))).collect();
    let mut all: Vec<(FactId, Found)> = Vec::new();
    for (key, value) in host {
        all.push((FactId { vm: None, key: key.as_str().into() }, found(value)));
    }
    for (vm, given) in there.iter().zip(vms) {
        for (key, value) in given {
            all.push((FactId { vm: Some(vm.id), key: key.as_str().into() }, found(value)));
        }
    }
    Facts::fixed(all, there)
}

fn verdict(rule: &Rule, host: &Given, vms: &[Given]) -> (Verdict, String) {
    let facts = facts(host, vms);
    let subject = match rule.scope {
        Scope::Host => Subject::Host,
        Scope::Vm | Scope::Vms => Subject::Vm(vm(0)),
    };
    let finding = judge(rule, &facts, &subject, 0).finding;
    (finding.verdict, finding.reason())
}

fn value(written: &toml::Value) -> Result<Value, Unavailable> {
    let text = |value: &toml::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(match written {
        toml::Value::Integer(number) => Value::Int(*number),
        toml::Value::Array(list) => Value::List(list.iter().map(text).collect()),
        toml::Value::Table(map) => {
            Value::Map(map.iter().map(|(name, value)| (name.clone(), text(value))).collect())
        }
        other => match text(other).strip_prefix('!') {
            None => Value::Text(text(other)),
            Some("absent") => return Err(Unavailable::Absent),
            Some("denied") => return Err(Unavailable::Denied("for the test".into())),
            Some("not-exposed") => return Err(Unavailable::NotExposed("for the test".into())),
            Some("malformed") => return Err(Unavailable::Malformed("for the test".into())),
            Some("gone") => return Err(Unavailable::Gone),
            Some(word) => panic!("no way to be unavailable is named {word}"),
        },
    })
}

fn given(written: &BTreeMap<String, toml::Value>) -> Given {
    written.iter().map(|(key, written)| (key.clone(), value(written))).collect()
}

fn cases() -> Vec<Case> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check_cases");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("cases").flatten().map(|entry| entry.path()).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).expect("cases");
        toml::from_str::<Cases>(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())).case
    };
    files.iter().flat_map(read).collect()
}

/// Values worth trying for one comparison: some that agree with it and some that do not.
fn candidates(condition: &Condition) -> Vec<Result<Value, Unavailable>> {
    let mut texts: BTreeSet<String> = BTreeSet::new();
    let operand = |operand: &Operand| match operand {
        Operand::Int(number) => number.to_string(),
        Operand::Text(text) => text.to_string(),
    };
    let mut all: Vec<String> = Vec::new();
    for comparison in &condition.comparisons {
        match comparison {
            Comparison::Eq(one) | Comparison::Ne(one) => texts.extend([operand(one)]),
            Comparison::In(some) | Comparison::NotIn(some) => texts.extend(some.iter().map(operand)),
            Comparison::Ge(bound) | Comparison::Le(bound) => {
                texts.extend([bound - 1, *bound, bound + 1].map(|number| number.to_string()));
            }
            Comparison::BitsClear(bits) => texts.extend(["0".to_owned(), bits.to_string()]),
            Comparison::Like(patterns)
            | Comparison::Unlike(patterns)
            | Comparison::Lacks(patterns)
            | Comparison::Within(patterns) => {
                texts.extend(patterns.iter().map(|pattern| pattern.replace('*', "x")));
            }
            Comparison::Contains(text) => texts.extend([text.to_string()]),
            Comparison::ContainsNot(some) => texts.extend(some.iter().map(ToString::to_string)),
            Comparison::Has(some) => {
                all = some.iter().map(ToString::to_string).collect();
                texts.extend(all.iter().cloned());
            }
            Comparison::Empty(_) | Comparison::Present(_) => {}
        }
    }
    let numeric = texts.iter().any(|text| text.parse::<i64>().is_ok());
    texts.insert(if numeric { "987654321".to_owned() } else { "something else".to_owned() });
    let mut values: Vec<_> = texts.into_iter().map(|text| Ok(Value::List(vec![text]))).collect();
    values.push(Ok(Value::List(all)));
    values.push(Ok(Value::List(Vec::new())));
    values.push(Err(Unavailable::Absent));
    values.push(Err(Unavailable::Denied("for the test".into())));
    values
}

fn walk(condition: &Condition, found: &mut BTreeMap<String, Vec<Result<Value, Unavailable>>>) {
    if let Some(key) = &condition.fact {
        let known = found.entry(key.to_string()).or_default();
        for value in candidates(condition) {
            if !known.contains(&value) {
                known.push(value);
            }
        }
    }
    for part in condition.all.iter().chain(&condition.any).chain(condition.not.as_deref()) {
        walk(part, found);
    }
}

/// Verdicts that a rule of data comes to when its facts are varied; every combination where there are few, else a
/// fixed pseudo-random walk over them.
fn generated(rule: &Rule) -> BTreeSet<Verdict> {
    const TRIES_MAX: usize = 20_000;
    let mut axes = BTreeMap::new();
    rule.conditions().for_each(|condition| walk(condition, &mut axes));
    let axes: Vec<_> = axes.into_iter().collect();
    let combinations = axes.iter().try_fold(1usize, |product, (_, values)| product.checked_mul(values.len()));
    let few = combinations.filter(|count| *count <= TRIES_MAX);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut seen = BTreeSet::new();
    for number in 0..few.unwrap_or(TRIES_MAX) {
        let mut rest = number;
        let (mut host, mut own) = (Given::new(), Given::new());
        for (key, values) in &axes {
            let choice = if few.is_some() {
                let choice = rest % values.len();
                rest /= values.len();
                choice
            } else {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                usize::try_from(random >> 33).expect("31 bits") % values.len()
            };
            let side = if key.starts_with("vm.") { &mut own } else { &mut host };
            side.insert(key.clone(), values[choice].clone());
        }
        seen.insert(verdict(rule, &host, &[own]).0);
    }
    seen
}

#[test]
fn every_rule_passes_fails_and_is_unknown_for_facts_made_for_it() {
    let rules = shipped();
    assert!(rules.problems().is_empty(), "{:#?}", rules.problems());
    let mut seen: BTreeMap<&str, BTreeSet<Verdict>> = BTreeMap::new();
    let mut wrong = Vec::new();
    let cases = cases();
    for case in &cases {
        let Some((_, rule)) = rules.find(&case.rule) else {
            wrong.push(format!("a case is about {:?}, which is no rule", case.rule));
            continue;
        };
        let mut vms = vec![given(&case.vm)];
        vms.extend(case.others.iter().map(given));
        if rule.scope == Scope::Host && case.vm.is_empty() {
            vms.remove(0);
        }
        let (found, reason) = verdict(rule, &given(&case.host), &vms);
        seen.entry(&rule.id).or_default().insert(found);
        if found.name() != case.expect || !reason.contains(&case.reason) {
            let (host, vm) = (&case.host, &case.vm);
            wrong.push(format!(
                "{}: {} and not {}: {reason} for {host:?} {vm:?}",
                case.rule,
                found.name(),
                case.expect
            ));
        }
    }
    let mut generated_count = 0;
    for rule in rules.rules() {
        let reasons = rule.conditions().any(|condition| !condition.codes().is_empty());
        let verdicts = seen.entry(&rule.id).or_default();
        if !reasons {
            verdicts.extend(generated(rule));
            generated_count += 1;
        }
        for needed in [Verdict::Pass, Verdict::Fail, Verdict::Unknown] {
            if !verdicts.contains(&needed) {
                wrong.push(format!("{}: never {}", rule.id, needed.name()));
            }
        }
        if verdicts.contains(&Verdict::Error) {
            wrong.push(format!("{}: is broken for some facts", rule.id));
        }
    }
    println!(
        "{} rules, {generated_count} of them judged for generated facts, {} written cases",
        rules.rules().len(),
        cases.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_fact_a_rule_names_has_a_provider() {
    let rules = shipped();
    for rule in rules.rules() {
        for fact in rule.conditions().flat_map(Condition::facts) {
            assert!(provider(fact).is_some(), "{}: nothing tells {fact}", rule.id);
        }
    }
}

#[test]
fn every_rule_says_where_it_comes_from() {
    for rule in shipped().rules() {
        assert!(!rule.references.is_empty(), "{} has no reference", rule.id);
        assert!(rule.title.len() <= 90, "{}: a title of more than 90 bytes", rule.id);
    }
}
