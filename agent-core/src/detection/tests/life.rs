//! Entities come and go, rules are replaced, limits are reached.

use super::harness::SECOND_NS;
use super::harness::{Host, config, identity, letters, vcpu, vm};
use crate::alerts::{Alert, AlertState};
use crate::detection::Detector;
use crate::sampling::metrics::{host, vcpu as vcpu_metrics, vm as vm_metrics};
use proptest::prelude::*;

const STOPPED: &str = "[[rules]]\nname = \"stopped\"\nkind = \"state\"\nmetric = \"vm_state\"\nis = [2]\n";
const GONE: &str = "[[rules]]\nname = \"gone\"\nkind = \"gone\"\nclear_for_s = 30\n";
const RUNNING: &str =
    "[[rules]]\nname = \"running\"\nmetric = \"host_processes_running\"\nabove = 5\nfor_s = 3\n";

#[test]
fn a_vm_that_leaves_resolves_what_fires_about_it_and_its_name_is_still_known() {
    let mut host = Host::new(STOPPED);
    host.enter(1, &identity("web-1", 7));
    let fired = host.say(0, vm_metrics::STATE, 2);
    assert_eq!(letters(&fired), "F");
    host.leave(1, &identity("web-1", 7), false);
    host.pass();
    let over = host.judge();
    assert_eq!(letters(&over), "R");
    assert_eq!((over[0].id, over[0].subject.as_str()), (fired[0].id, "web-1"));
    assert!(over[0].message.contains("ended with what it was about"), "{}", over[0].message);
    assert_eq!(host.detector.firing(), 0);
}

#[test]
fn patience_follows_the_pace_at_which_a_source_is_read() {
    // With many VMs, or when the agent costs too much, a source is read every eighth tick only.
    let mut host = Host::new(RUNNING);
    host.writer.frame().set_period_ns(host::PROCESSES_RUNNING.metric().source, 8 * SECOND_NS);
    let mut said = String::new();
    for _ in 0..3 {
        host.pass_ns(8 * SECOND_NS);
        host.set(0, host::PROCESSES_RUNNING, 9);
        said += &letters(&host.judge());
    }
    assert_eq!(said, "F", "eight seconds are no gap at this pace");
}

#[test]
fn a_device_that_vanishes_resolves_what_fires_about_it() {
    let mut host = Host::new(
        "[[rules]]\nname = \"busy\"\nmetric = \"vcpu_run_seconds\"\nabove = 0.9\nsummary = \"vCPU\"\n",
    );
    host.enter(1, &identity("web-1", 7));
    host.say(0, vcpu_metrics::RUN, 0);
    assert_eq!(letters(&host.say(0, vcpu_metrics::RUN, 1_000_000_000)), "F");
    host.writer.close_row(vcpu(0, 1));
    host.pass();
    assert_eq!(letters(&host.judge()), "R");
}

#[test]
fn a_row_used_again_begins_anew() {
    let mut host =
        Host::new(&format!("{STOPPED}[[rules]]\nname = \"exits\"\nmetric = \"vm_kvm_exits\"\nabove = 10\n"));
    host.enter(1, &identity("web-1", 7));
    host.say(0, vm_metrics::KVM_EXITS, 1_000);
    let first = host.say(0, vm_metrics::STATE, 2);
    assert_eq!(letters(&first), "F");
    // Gone and another one in its row within one tick: the old alert ends, no rate spans the two.
    host.leave(1, &identity("web-1", 7), false);
    host.enter(2, &identity("web-2", 8));
    host.pass();
    host.set(0, vm_metrics::STATE, 2);
    host.set(0, vm_metrics::KVM_EXITS, 900_000);
    let said = host.judge();
    assert_eq!(letters(&said), "RF");
    assert_eq!((said[0].subject.as_str(), said[1].subject.as_str()), ("web-1", "web-2"));
    assert_ne!(said[1].id, first[0].id);
    assert_eq!(said[1].entity, vm(0, 2));
}

#[test]
fn a_vm_whose_process_ended_is_told_of_and_so_is_its_return() {
    let mut host = Host::new(GONE);
    let web = identity("web-1", 7);
    host.enter(1, &web);
    host.pass();
    host.leave(1, &web, true);
    let fired = host.judge();
    assert_eq!(fired[0].message.as_str(), "web-1: its process 7 is gone");
    assert_eq!((fired[0].subject.as_str(), fired[0].tenant.as_str()), ("web-1", "acme"));
    host.pass();
    host.enter(2, &identity("other", 8));
    assert_eq!(letters(&host.judge()), "");
    host.pass();
    host.enter(3, &identity("web-1", 9));
    let back = host.judge();
    assert_eq!((back[0].state, back[0].id), (AlertState::Resolved, fired[0].id));
    assert_eq!(back[0].message.as_str(), "web-1: back as process 9 after 2 s");
    host.pass();
    host.leave(3, &identity("web-1", 9), true);
    assert_eq!(letters(&host.judge()), "F");
    let said: String = (0..31)
        .map(|_| {
            host.pass();
            letters(&host.judge())
        })
        .collect();
    assert_eq!(said, "R", "after a while nobody waits for it");
}

#[test]
fn a_vm_that_the_planner_gives_up_is_not_told_of() {
    let mut host = Host::new(GONE);
    host.enter(1, &identity("web-1", 7));
    host.leave(1, &identity("web-1", 7), false);
    host.pass();
    assert_eq!(letters(&host.judge()), "");
}

#[test]
fn more_than_the_limit_is_suppressed_and_told_when_the_limit_allows_it() {
    let mut config = config(STOPPED);
    config.alerts.per_rule_per_minute_max = 3;
    let mut host = Host::with(&config);
    for row in 0..8 {
        host.writer.open_row(vm(row, 1));
    }
    let set_all = |host: &mut Host, state: i64| {
        host.pass();
        (0..8).for_each(|row| host.set(row, vm_metrics::STATE, state));
        host.judge()
    };
    assert_eq!(letters(&set_all(&mut host, 2)), "FFF");
    assert_eq!(host.alerts.accounting().suppressed, 5);
    assert_eq!(letters(&set_all(&mut host, 2)), "");
    for _ in 0..60 {
        host.pass();
    }
    assert_eq!(letters(&set_all(&mut host, 2)), "FFF", "those that still hold");
    assert_eq!(letters(&set_all(&mut host, 1)), "RRRRRR", "two were never told of");
    let accounting = host.alerts.accounting();
    assert_eq!((accounting.delivered, accounting.suppressed), (12, 7));
}

#[test]
fn new_rules_keep_what_did_not_change_and_resolve_what_did() {
    let mut host = Host::new(&format!("{STOPPED}{RUNNING}"));
    host.enter(1, &identity("web-1", 7));
    host.pass();
    host.set(0, vm_metrics::STATE, 2);
    host.set(0, host::PROCESSES_RUNNING, 9);
    assert_eq!(letters(&host.judge()), "F");
    let replace = |host: &mut Host, rules: &str| {
        let mut detector = Detector::build(&config(rules)).expect("builds");
        std::mem::swap(&mut host.detector, &mut detector);
        host.detector.take_over(&mut detector, host.tick, &host.roster, &mut host.sink);
    };
    // Another rule came before them; the pending one goes on counting.
    replace(
        &mut host,
        &format!(
            "[[rules]]\nname = \"x\"\nmetric = \"host_memory_total_bytes\"\nabove = 1\n{RUNNING}{STOPPED}"
        ),
    );
    host.say(0, host::PROCESSES_RUNNING, 9);
    assert_eq!(host.detector.firing(), 1);
    host.say(0, host::PROCESSES_RUNNING, 9);
    assert_eq!(letters(&host.say(0, host::PROCESSES_RUNNING, 9)), "F");
    replace(&mut host, &format!("{STOPPED}{}", RUNNING.replace("above = 5", "above = 4")));
    host.pass();
    let said = host.judge();
    assert_eq!(letters(&said), "R");
    assert!(said[0].message.contains("the rules were changed"), "{}", said[0].message);
    assert_eq!(letters(&host.say(0, vm_metrics::STATE, 1)), "R");
}

/// What a made-up host does next.
#[derive(Clone, Debug)]
enum Act {
    Pass(u64),
    State(u32, i64),
    Exits(u32, i64),
    Fail(u32),
    Enter(u32),
    Leave(u32, bool),
    Judge,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0u64..20_000_000_000).prop_map(Act::Pass),
        (0u32..4, 1i64..6).prop_map(|(row, state)| Act::State(row, state)),
        (0u32..4, prop_oneof![0i64..1_000_000, Just(i64::MAX), Just(i64::MIN), Just(-1)])
            .prop_map(|(row, value)| Act::Exits(row, value)),
        (0u32..4).prop_map(Act::Fail),
        (0u32..4).prop_map(Act::Enter),
        (0u32..4, any::<bool>()).prop_map(|(row, exited)| Act::Leave(row, exited)),
        Just(Act::Judge),
        Just(Act::Judge),
    ]
}

const ALL_KINDS: &str = "\
[[rules]]\nname = \"a\"\nmetric = \"vm_kvm_exits\"\nabove = 1000\nfor_s = 1\n\
[[rules]]\nname = \"b\"\nkind = \"change\"\nmetric = \"vm_kvm_exits\"\nof = \"value\"\nwithin_s = 5\nabove = 5\nrelative = true\n\
[[rules]]\nname = \"c\"\nkind = \"absence\"\nmetric = \"vm_kvm_exits\"\nfor_s = 2\n\
[[rules]]\nname = \"d\"\nkind = \"absence\"\nmissing = \"value\"\nmetric = \"vm_state\"\nfor_s = 2\n\
[[rules]]\nname = \"e\"\nkind = \"state\"\nmetric = \"vm_state\"\nis = [2, 3]\n\
[[rules]]\nname = \"f\"\nkind = \"baseline\"\nmetric = \"vm_kvm_exits\"\nmin_change = 10\nwarm_up_s = 5\ndirection = \"both\"\n\
[[rules]]\nname = \"g\"\nkind = \"gone\"\nclear_for_s = 10\n\
[[rules]]\nname = \"h\"\nmetric = \"vm_kvm_exits\"\nover = [\"vm_cpu_user_seconds\"]\nbelow = 1\n";

fn play(acts: &[Act]) -> Vec<Alert> {
    let mut host = Host::new(ALL_KINDS);
    let mut generations = [0u32; 4];
    let mut present = [false; 4];
    let mut said = Vec::new();
    for act in acts {
        match *act {
            Act::Pass(ns) => host.pass_ns(ns),
            Act::State(row, value) => host.set(row, vm_metrics::STATE, value),
            Act::Exits(row, value) => {
                host.set(row, vm_metrics::KVM_EXITS, value);
                host.set(row, vm_metrics::CPU_USER, value / 2);
            }
            Act::Fail(row) => {
                host.fail(row, vm_metrics::KVM_EXITS, crate::sampling::availability::Availability::Error);
            }
            Act::Enter(row) if !present[row as usize] => {
                present[row as usize] = true;
                generations[row as usize] += 1;
                let entity = vm(row, generations[row as usize]);
                let identity = identity(&format!("vm-{row}"), 1);
                host.writer.open_row(entity);
                host.detector.vm_entered(&identity, host.tick, &mut host.sink);
                host.roster.enter(entity, identity, std::iter::empty());
            }
            Act::Leave(row, exited) if present[row as usize] => {
                present[row as usize] = false;
                let entity = vm(row, generations[row as usize]);
                let identity = identity(&format!("vm-{row}"), 1);
                host.writer.close_row(entity);
                host.detector.vm_left(entity, &identity, exited, host.tick, &host.roster, &mut host.sink);
                host.roster.leave(entity, std::iter::empty());
            }
            Act::Judge => said.extend(host.judge()),
            Act::Enter(_) | Act::Leave(..) => {}
        }
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever happens: no panic, no NaN, each alert ends at most once and after it began, and the same happenings
    /// give the same alerts to the bit.
    #[test]
    fn any_life_is_told_in_pairs_and_the_same_way_twice(acts in prop::collection::vec(act(), 0..300)) {
        let said = play(&acts);
        let mut open = std::collections::HashMap::new();
        for alert in &said {
            match alert.state {
                AlertState::Firing => prop_assert_eq!(open.insert(alert.id, alert.rule), None),
                AlertState::Resolved => prop_assert_eq!(open.remove(&alert.id), Some(alert.rule)),
            }
        }
        prop_assert_eq!(format!("{:?}", play(&acts)), format!("{said:?}"));
    }
}

#[test]
fn a_device_of_the_host_is_called_by_its_name() {
    use crate::sampling::frame::Entity;
    use crate::sampling::host::{HostLabels, HostPlan};
    use crate::sampling::metrics::{Scope, block};
    let root = tempfile::tempdir().expect("tempdir");
    std::fs::create_dir(root.path().join("proc")).expect("mkdir");
    std::fs::write(
        root.path().join("proc/diskstats"),
        "   8       0 sda 1 0 8 1 1 0 8 1 0 1 2 0 0 0 0 0 0\n   8      16 sdb 1 0 8 1 1 0 8 1 0 1 2 0 0 0 0 0 0\n",
    )
    .expect("write");
    let mut config = config(
        "[[rules]]\nname = \"busy\"\nsummary = \"requests\"\nmetric = \"block_in_flight\"\nabove = 5\n",
    );
    config.roots = crate::config::Roots::below(root.path());
    let mut host = Host::with(&config);
    let (mut plan, ..) = HostPlan::open(&config, &HostLabels::default());
    plan.install(None, &mut host.writer);
    plan.exchange_names(&mut host.roster);
    let said = host.say(1, block::IN_FLIGHT, 9);
    assert_eq!(said[0].message.as_str(), "sdb: requests 9 (limit 5)");
    assert_eq!((said[0].subject.as_str(), said[0].entity.scope), ("sdb", Scope::Block));
    assert_ne!(said[0].entity, Entity::HOST);
}
