//! Every shipped rule, each on its own, is brought to fire and to resolve by values made for it: a level in the wrong
//! unit, a guard that can never hold or a sum that cannot be read would show here.

use super::harness::{Host, config, identity, letters};
use crate::alerts::Severity;
use crate::detection::{Missing, RuleConfig, RuleKind, shipped};
use crate::sampling::availability::Availability;
use crate::sampling::frame::Entity;
use crate::sampling::metrics::{Kind, MetricId, Scope};
use std::collections::BTreeMap;

/// What each metric of a rule is made to be: a stored value, or for a counter that is looked at as a rate its growth
/// per second.
type Values = BTreeMap<MetricId, f64>;

fn id(name: &str) -> MetricId {
    MetricId::by_name(name).unwrap_or_else(|| panic!("{name}"))
}

/// Values that make the rule's sum, or ratio, come out as `level` in the exported unit.
fn values(rule: &RuleConfig, level: f64) -> Values {
    let sum: Vec<_> = std::iter::once(&rule.metric).chain(&rule.plus).map(|name| id(name)).collect();
    let over: Vec<_> = rule.over.iter().map(|name| id(name)).collect();
    let scale = |metric: &MetricId| metric.metric().unit.scale();
    let shared = sum.iter().filter(|metric| over.contains(metric)).count();
    let only_over: Vec<_> = over.iter().filter(|metric| !sum.contains(metric)).collect();
    // Each summand is `part`; what is only below the line makes up for the rest.
    let part = if over.is_empty() { level / sum.len() as f64 } else { 1e10 * scale(&sum[0]) };
    let mut values: Values = sum.iter().map(|metric| (*metric, part / scale(metric))).collect();
    if !only_over.is_empty() {
        let rest =
            (sum.len() as f64 * part / level.max(1e-9) - shared as f64 * part) / only_over.len() as f64;
        values.extend(only_over.into_iter().map(|metric| (*metric, rest.max(0.0) / scale(metric))));
    }
    values
}

/// The values of a rule's guard, when it holds.
fn guard(rule: &RuleConfig) -> Option<(MetricId, f64)> {
    let guard = rule.only_if.as_ref()?;
    let level = guard.above.map(|above| above * 2.0).or(guard.below.map(|below| below / 2.0));
    let level = level.unwrap_or_else(|| *guard.is.first().expect("a state") as f64);
    Some((id(&guard.metric), level / id(&guard.metric).metric().unit.scale()))
}

/// Plays seconds of the same values; counters grow by theirs each second.
struct Play {
    host: Host,
    counters: BTreeMap<MetricId, f64>,
    looks_at_values: bool,
}

impl Play {
    fn new(rule: &RuleConfig) -> Self {
        let text = toml::to_string(&BTreeMap::from([("rules", vec![rule])])).expect("TOML");
        let mut config = config(&text);
        config.sampling.slow_every_ticks = 1;
        config.sampling.monitor_every_ticks = 1;
        let mut host = Host::with(&config);
        host.enter(1, &identity("web-1", 7));
        for scope in Scope::ALL {
            if ![Scope::Vm, Scope::Vcpu].contains(&scope) {
                host.writer.open_row(Entity { scope, row: 0, generation: 1 });
            }
        }
        let looks_at_values = rule.of == Some(crate::detection::Of::Value);
        Self { host, counters: BTreeMap::new(), looks_at_values }
    }

    fn run(&mut self, values: &Values, guard: Option<(MetricId, f64)>, seconds: u32) -> String {
        let mut said = String::new();
        for _ in 0..seconds {
            self.host.pass();
            for (metric, value) in values.iter().map(|(metric, value)| (*metric, *value)).chain(guard) {
                let grows = metric.metric().kind == Kind::Counter && !self.looks_at_values;
                let stored = if grows {
                    let counter = self.counters.entry(metric).or_insert(0.0);
                    *counter += value;
                    *counter
                } else {
                    value
                };
                self.host.set(0, metric, stored.round() as i64);
            }
            let alerts = self.host.judge();
            for alert in &alerts {
                assert!(
                    !alert.message.contains("NaN") && !alert.message.contains("inf"),
                    "{}",
                    alert.message
                );
                assert!(alert.message.len() < alert.message.capacity(), "cut: {}", alert.message);
            }
            said += &letters(&alerts);
        }
        said
    }
}

/// A resource that is left alone is not told of; one that is used up steadily is, in time; one that stays as it is
/// then is no longer.
fn runs_out(rule: &RuleConfig, play: &mut Play, guard: Option<(MetricId, f64)>) {
    let (name, level) = (&rule.name, rule.above.or(rule.below).expect("a level"));
    let window = seconds(rule.window_s);
    // From a half of what there may be, or twice what there must be, to the level, in five windows.
    let from = if rule.above.is_some() { level / 2.0 } else { level * 2.0 };
    let duration = f64::from(window) * 5.0;
    assert_eq!(play.run(&values(rule, from), guard, 2 * window), "", "{name} is quiet");
    let mut told = None;
    for second in 0..4 * window {
        let at = from + (level - from) * f64::from(second) / duration;
        if play.run(&values(rule, at), guard, 1) == "F" {
            assert_eq!(told.replace(second), None, "{name} fires once");
        }
    }
    let lead = duration - f64::from(told.unwrap_or_else(|| panic!("{name} fires")));
    assert!(lead >= 60.0, "{name}: {lead} s ahead");
    let at = from + (level - from) * 0.8;
    let rest = 2 * window + seconds(rule.clear_for_s);
    assert_eq!(play.run(&values(rule, at), guard, rest), "R", "{name} resolves");
    let (_, _, record) = play.host.detector.predictions().next().expect("it predicts");
    assert_eq!((record.made, record.came_true, record.unforeseen), (1, 0, 0), "{name}");
}

fn seconds(value: Option<f64>) -> u32 {
    value.unwrap_or(0.0) as u32
}

#[test]
fn every_shipped_rule_is_quiet_fires_and_resolves() {
    for rule in shipped().expect("parses") {
        let name = rule.name.clone();
        let mut play = Play::new(&rule);
        let guard = guard(&rule);
        let patience = seconds(rule.for_s) + 3;
        let clearing = seconds(rule.clear_for_s) + seconds(rule.within_s) + 4;
        let (quiet, bad): (Values, Values) = match rule.kind {
            RuleKind::Threshold => match (rule.above, rule.below) {
                (Some(above), _) => {
                    let bad = if rule.over.is_empty() { above * 1.5 } else { above + (1.0 - above) / 2.0 };
                    let bad =
                        if rule.over.is_empty() || above < 1.0 && bad <= 1.0 { bad } else { above * 1.5 };
                    (values(&rule, rule.clear.unwrap_or(above) / 2.0), values(&rule, bad))
                }
                (None, below) => {
                    let below = below.expect("a level");
                    (values(&rule, rule.clear.unwrap_or(below) * 2.0), values(&rule, below / 2.0))
                }
            },
            RuleKind::Change => {
                let rise = rule.above.expect("a level") + 1.0;
                (values(&rule, 100.0), values(&rule, 100.0 + rise * (1 + rule.plus.len()) as f64))
            }
            RuleKind::State => {
                let all = |value: f64| Values::from([(id(&rule.metric), value)]);
                let bad = rule.is.first().copied().unwrap_or(99);
                let good = if rule.is.is_empty() { rule.is_not[0] } else { 1 - i64::from(bad == 1) };
                (all(good as f64), all(bad as f64))
            }
            RuleKind::Baseline => {
                let change = rule.min_change.expect("an effect");
                (values(&rule, change), values(&rule, change * 20.0))
            }
            RuleKind::Absence => {
                assert_eq!(rule.missing, Some(Missing::Value), "{name}: play this kind too");
                let quiet = values(&rule, 100.0);
                assert_eq!(play.run(&quiet, guard, 10), "", "{name}");
                let metric = id(&rule.metric);
                let mut said = String::new();
                for _ in 0..patience {
                    play.host.pass();
                    play.host.fail(0, metric, Availability::Error);
                    said += &letters(&play.host.judge());
                }
                assert_eq!(said, "F", "{name}");
                assert_eq!(play.run(&quiet, guard, clearing), "R", "{name}");
                continue;
            }
            // They need hours, and each other: tests/unusual.rs.
            RuleKind::Unusual | RuleKind::UnusualTogether => continue,
            RuleKind::Gone => {
                let web = identity("web-1", 7);
                for _ in 1..rule.times.unwrap_or(1) {
                    play.host.leave(1, &web, true);
                    assert_eq!(play.run(&Values::new(), None, 10), "", "{name} is not told of fewer");
                    play.host.enter(1, &web);
                }
                play.host.leave(1, &web, true);
                assert_eq!(play.run(&Values::new(), None, 10), "F", "{name}");
                let clearing = seconds(rule.clear_for_s.or(Some(300.0)));
                assert_eq!(play.run(&Values::new(), None, clearing), "R", "{name}");
                continue;
            }
            RuleKind::Exhaustion => {
                runs_out(&rule, &mut play, guard);
                continue;
            }
            RuleKind::Standstill => {
                let (moves, still) = (values(&rule, 0.1), values(&rule, 0.0));
                assert_eq!(play.run(&moves, guard, 120), "", "{name} is quiet while it moves");
                assert_eq!(play.run(&still, guard, 10), "F", "{name} fires");
                assert_eq!(play.run(&moves, guard, 3), "R", "{name} resolves");
                continue;
            }
        };
        let warm_up =
            if rule.kind == RuleKind::Baseline { seconds(rule.warm_up_s.or(Some(600.0))) } else { 0 };
        assert_eq!(play.run(&quiet, guard, warm_up + patience + 60), "", "{name} is quiet");
        assert_eq!(play.run(&bad, guard, patience), "F", "{name} fires");
        if rule.kind == RuleKind::Change {
            assert_eq!(play.run(&bad, guard, clearing), "R", "{name} resolves");
        } else {
            assert_eq!(play.run(&quiet, guard, clearing), "R", "{name} resolves");
        }
        assert!(rule.severity >= Severity::Info);
    }
}

#[test]
fn an_idle_host_with_idle_vms_alarms_nobody_for_a_day() {
    let mut shipped = crate::config::Config { limits: config("").limits, ..crate::config::Config::default() };
    shipped.sampling.interval_ms = 10_000;
    let mut host = Host::with(&shipped);
    let web = identity("web-1", 7);
    host.enter(1, &web);
    for scope in [Scope::Cpu, Scope::Net, Scope::Block] {
        host.writer.open_row(Entity { scope, row: 0, generation: 1 });
    }
    let mut counters = [0.0f64; 2];
    for second in 0..8_640u32 {
        host.pass_ns(10 * super::harness::SECOND_NS);
        // Idle, with a burst of a minute every hour.
        let busy = if second % 360 < 6 { 0.6 } else { 0.02 };
        counters[0] += 1e10 * busy;
        counters[1] += 1e10 * (1.0 - busy);
        let set = [
            ("host_cpu_user_seconds", counters[0]),
            ("host_cpu_nice_seconds", 0.0),
            ("host_cpu_system_seconds", 0.0),
            ("host_cpu_irq_seconds", 0.0),
            ("host_cpu_softirq_seconds", 0.0),
            ("host_cpu_steal_seconds", 0.0),
            ("host_cpu_iowait_seconds", 0.0),
            ("host_cpu_idle_seconds", counters[1]),
            ("host_pressure_cpu_some_seconds", counters[0] * 0.1),
            ("host_memory_total_bytes", 64e9),
            ("host_memory_available_bytes", 40e9 - 1e9 * busy),
            ("host_ksm_state", 0.0),
            ("host_tainted", 4096.0),
            ("vm_state", 1.0),
            ("vm_stalled_seconds", f64::from(second % 3) * 1e9),
            ("vm_kvm_exits", counters[0] * 1e-6),
            ("vm_memory_resident_bytes", 2e9 + f64::from(second % 100) * 1e6),
            ("vm_vcpu_run_seconds", counters[0]),
            ("vcpu_run_seconds", counters[0]),
            ("vcpu_wait_seconds", counters[0] * 0.05),
            ("vcpu_kvm_exits", counters[0] * 1e-6),
            ("agent_degradation", 0.0),
        ];
        for (name, value) in set {
            host.set(0, id(name), value as i64);
        }
        let said: Vec<_> = host.judge().iter().map(|alert| alert.message.to_string()).collect();
        assert_eq!(said, Vec::<String>::new(), "at {second}");
    }
    // The same day with one CPU hog is not silent.
    let mut said = String::new();
    for _ in 0..10 {
        host.pass_ns(10 * super::harness::SECOND_NS);
        counters[0] += 1e10;
        host.set(0, id("vcpu_run_seconds"), counters[0] as i64);
        host.set(0, id("vm_vcpu_run_seconds"), counters[0] as i64);
        host.set(0, id("host_cpu_user_seconds"), counters[0] as i64);
        said += &letters(&host.judge());
    }
    assert!(said.contains('F'), "{said}");
}
