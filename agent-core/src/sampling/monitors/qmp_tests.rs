use super::*;
use crate::sampling::availability::Availability;
use crate::sampling::discovery::VcpuInfo;
use crate::sampling::frame::Entity;
use crate::sampling::metrics::{MetricId, Scope, vcpu, vm, vmdisk};
use crate::sampling::monitors::failure::State;
use crate::sampling::monitors::qmp_answers::Values;
use crate::sampling::monitors::tests::vm_with_disks;
use proptest::prelude::*;

const GREETING: &str =
    r#"{"QMP":{"version":{"qemu":{"micro":22,"minor":2,"major":7},"package":""},"capabilities":["oob"]}}"#;
const ALL: [Query; 7] = [
    Query::Status,
    Query::Balloon,
    Query::BlockStats,
    Query::Block,
    Query::Cpus,
    Query::StatsVm,
    Query::StatsVcpu,
];

fn talk(qmp: &mut Qmp, text: &str) -> Result<bool, Failure> {
    qmp.receive(text.as_bytes())
}

/// A conversation in which capabilities were negotiated.
fn ready(queries: &[Query]) -> Qmp {
    let mut qmp = Qmp::new(queries.to_vec());
    assert_eq!(talk(&mut qmp, GREETING), Ok(false));
    assert_eq!(talk(&mut qmp, r#"{"return":{},"id":0}"#), Ok(false));
    qmp
}

fn values(qmp: Qmp, disks: &[(&str, Option<&str>)]) -> Values {
    qmp.into_answers().values(&vm_with_disks(disks), &mut Vec::new())
}

fn value_of(values: &Values, row: u32, metric: MetricId) -> Option<Result<i64, Availability>> {
    values.iter().rev().find(|v| v.0 == row && v.1 == metric).map(|v| v.2)
}

#[test]
fn nothing_is_sent_but_questions() {
    let mut qmp = ready(&ALL);
    let sent = String::from_utf8(qmp.outgoing().clone()).unwrap();
    let commands: Vec<String> = sent
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["execute"].as_str().unwrap().into()
        })
        .collect();
    assert_eq!(commands.len(), ALL.len() + 1);
    assert_eq!(commands[0], CAPABILITIES);
    assert!(commands[1..].iter().all(|command| command.starts_with("query-")), "{commands:?}");
}

#[test]
fn nothing_is_sent_before_the_greeting() {
    let mut qmp = Qmp::new(ALL.to_vec());
    assert!(qmp.outgoing().is_empty());
    assert_eq!(qmp.waits_for(), "greeting");
    assert!(!qmp.was_greeted());
}

#[test]
fn answers_in_any_order_between_events_fill_the_metrics() {
    let mut qmp = ready(&[Query::Status, Query::Balloon, Query::BlockStats]);
    let stats = r#"{"rd_bytes":4096,"wr_bytes":9,"rd_operations":2,"failed_rd_operations":1,"failed_wr_operations":2,
        "timed_stats":[],"account_invalid":true,"idle_time_ns":77}"#;
    let text = format!(
        r#"{{"event":"RESUME","timestamp":{{"seconds":1,"microseconds":2}}}}
        {{"id":3,"return":[{{"device":"d0","stats":{stats},"parent":{{"stats":{{"rd_bytes":1}}}},"node-name":"n"}}]}}
        {{"id":2,"error":{{"class":"DeviceNotActive","desc":"No balloon"}}}}
        {{"return":{{"status":"io-error","running":false}},"id":1}}"#
    );
    assert_eq!(talk(&mut qmp, &text), Ok(true));
    let values = values(qmp, &[("d0", None), ("d1", None)]);
    for (row, metric, wanted) in [
        (0, vm::RUN_STATE, Ok(11)),
        (0, vm::BALLOON_ACTUAL, Err(Availability::Unsupported)),
        (10, vmdisk::READ, Ok(4_096)),
        (10, vmdisk::READS, Ok(2)),
        (10, vmdisk::REQUESTS_FAILED, Ok(3)),
        (10, vmdisk::REQUESTS_INVALID, Err(Availability::Unsupported)),
        (10, vmdisk::IDLE_TIME, Ok(77)),
        (10, vmdisk::UNMAPS, Err(Availability::Unsupported)),
        (11, vmdisk::READ, Err(Availability::Unsupported)),
    ] {
        assert_eq!(value_of(&values, row, metric), Some(wanted), "{}", metric.metric().name);
    }
}

#[test]
fn a_disk_is_found_by_the_file_behind_its_node() {
    let mut qmp = ready(&[Query::BlockStats, Query::Block]);
    let text = r##"{"id":1,"return":[{"device":"","node-name":"#block1","qdev":"/machine/peripheral-anon/device[0]","stats":{"rd_bytes":5}}]}
        {"id":2,"return":[{"device":"","qdev":"x","inserted":{"file":"/img/a","node-name":"#block1"}},{"device":"cd0"}]}"##;
    assert_eq!(talk(&mut qmp, text), Ok(true));
    assert_eq!(value_of(&values(qmp, &[("a", Some("/img/a"))]), 10, vmdisk::READ), Some(Ok(5)));
}

#[test]
fn every_kind_of_nonsense_is_garbage() {
    let garbage = |result: Result<bool, Failure>| assert_eq!(result.unwrap_err().state, State::Garbage);
    garbage(talk(&mut Qmp::new(vec![]), "SSH-2.0-OpenSSH_9.2\r\n"));
    garbage(talk(&mut Qmp::new(vec![]), r#"{"hello":1}"#));
    garbage(talk(&mut Qmp::new(vec![]), "{\"QMP\" 1}"));
    garbage(talk(&mut ready(&[Query::Status]), r#"{"id":1}"#));
    garbage(talk(&mut ready(&[Query::Status]), r#"{"id":1,"return":[1]}"#));
    garbage(talk(&mut ready(&[Query::BlockStats]), r#"{"id":1,"return":[{"device":"a"}]}"#));
    let mut refused = Qmp::new(vec![]);
    talk(&mut refused, GREETING).unwrap();
    garbage(talk(&mut refused, r#"{"id":0,"error":{"class":"CommandNotFound","desc":""}}"#));
}

#[test]
fn wrong_ids_are_passed_over_but_not_for_ever() {
    let mut qmp = ready(&[Query::Status]);
    for id in ["0", "2", "99", "-1", "\"x\"", "18446744073709551616", "[1]"] {
        assert_eq!(
            talk(&mut qmp, &format!(r#"{{"id":{id},"return":{{"status":"running"}}}}"#)),
            Ok(false),
            "{id}"
        );
    }
    assert_eq!(talk(&mut qmp, r#"{"id":1,"return":{"status":"running"}}"#), Ok(true));
    let mut qmp = ready(&[Query::Status]);
    let end = (0..100).find_map(|_| talk(&mut qmp, r#"{"id":7,"return":{}}"#).err());
    assert!(end.unwrap().reason.contains("not asked"));
}

#[test]
fn a_flood_of_events_is_cut_off() {
    let mut qmp = ready(&[Query::Status]);
    let event = format!(r#"{{"event":"X","data":"{}"}}"#, "y".repeat(60_000));
    let sent = (0..1_000).position(|_| talk(&mut qmp, &event).is_err()).unwrap();
    assert!(sent * 60_000 <= ROUND_BYTES_MAX, "{sent}");
}

proptest! {
    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut qmp = Qmp::new(ALL.to_vec());
        let _ = qmp.receive(&bytes);
        let mut qmp = ready(&ALL);
        let _ = qmp.receive(&bytes);
    }

    #[test]
    fn a_conversation_survives_any_cut(cut in 0usize..400) {
        let text = format!("{GREETING}\r\n{{\"return\":{{}},\"id\":0}}{{\"id\":1,\"return\":{{\"status\":\"paused\"}}}}");
        let cut = cut.min(text.len());
        let mut qmp = Qmp::new(vec![Query::Status]);
        let first = qmp.receive(&text.as_bytes()[..cut]).unwrap();
        let second = qmp.receive(&text.as_bytes()[cut..]).unwrap();
        prop_assert!(first ^ second || cut == text.len());
    }
}

#[test]
fn kvms_counters_go_to_their_vcpus_and_are_summed_up() {
    let mut qmp = ready(&[Query::Cpus, Query::StatsVm, Query::StatsVcpu]);
    let text = r#"{"id":1,"return":[{"thread-id":71,"qom-path":"/a"},{"thread-id":72,"qom-path":"/b"}]}
        {"id":2,"return":[{"provider":"kvm","stats":[{"name":"mmu_unsync","value":4},{"name":"new","value":9}]}]}
        {"id":3,"return":[
            {"provider":"kvm","qom-path":"/a","stats":[{"name":"exits","value":5},{"name":"halt_poll_success_hist","value":[1]}]},
            {"provider":"kvm","qom-path":"/b","stats":[{"name":"exits","value":7}]},
            {"provider":"cryptodev","qom-path":"/b","stats":[{"name":"exits","value":100}]}]}"#;
    assert_eq!(talk(&mut qmp, text), Ok(true));
    let mut info = vm_with_disks(&[]);
    info.vcpus = (20u32..)
        .zip([72, 71])
        .map(|(row, tid)| VcpuInfo {
            entity: Entity { scope: Scope::Vcpu, row, generation: 1 },
            index: row - 20,
            tid,
        })
        .collect();
    let values = qmp.into_answers().values(&info, &mut Vec::new());
    assert_eq!(value_of(&values, 20, vcpu::EXITS), Some(Ok(7)));
    assert_eq!(value_of(&values, 21, vcpu::EXITS), Some(Ok(5)));
    assert_eq!(value_of(&values, 0, vm::KVM_EXITS), Some(Ok(12)));
    // A vCPU that did not answer would make the sum dip.
    info.vcpus.push(VcpuInfo { tid: 73, ..info.vcpus[0].clone() });
    let mut qmp = ready(&[Query::Cpus, Query::StatsVm, Query::StatsVcpu]);
    assert_eq!(talk(&mut qmp, text), Ok(true));
    let values = qmp.into_answers().values(&info, &mut Vec::new());
    assert_eq!(value_of(&values, 0, vm::KVM_EXITS), None);
}
