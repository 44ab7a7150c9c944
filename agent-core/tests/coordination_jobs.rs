//! Work of a real QEMU's is found while it is under way, stands against what it must, and is gone when it has ended.

use bartizan_core::config::Config;
use bartizan_core::coordination::{Action, Arbiter, Outcome, Party, ResourcePath, Rule, Terms, found};
use bartizan_testkit::qemu::{self, Qemu};
use bartizan_testkit::skip;
use serde_json::json;

const UUID: &str = "7d0c3a52-0f0e-4c0e-9c55-5a1c5f3b2a10";

#[test]
fn a_migration_that_is_under_way_keeps_a_restart_away() {
    if let Some(why) = qemu::missing() {
        skip!("{why}");
    }
    let vm = Qemu::builder().name("coordination-jobs").uuid(UUID).memory_mib(256).start().unwrap();
    let restart = |arbiter: &Arbiter| {
        let target = ResourcePath::of_vm(UUID, "").unwrap();
        let restart = Action::named("restart").unwrap();
        arbiter.decide(&restart.claim(Party::csp("scaler"), "test", &target, None, "load").unwrap()).unwrap()
    };
    let observe = |arbiter: &mut Arbiter, now_ns: u64| {
        let host = found::look(&Config::default());
        assert!(host.owners.contains_key(UUID), "{:?}", host.owners);
        arbiter.set_terms(Terms { owners: host.owners.clone(), ..Terms::default() });
        // Other VMs of this machine are nobody's business here.
        let ours: Vec<_> = host
            .claims
            .into_iter()
            .filter(|claim| claim.parts.iter().any(|part| part.path.vm() == Some(UUID)))
            .collect();
        arbiter.observe(&ours, &host.unseen, now_ns).unwrap();
    };
    let mut arbiter = Arbiter::default();
    observe(&mut arbiter, 1);
    assert!(matches!(restart(&arbiter).outcome, Outcome::Granted { .. }));

    // A monitor takes one client at a time: each call leaves before the agent asks.
    let tell =
        |command: &str, arguments: &serde_json::Value| vm.qmp().unwrap().execute(command, arguments).unwrap();
    // Slow enough to be under way for as long as it is looked at.
    tell("migrate-set-parameters", &json!({ "max-bandwidth": 8192, "downtime-limit": 1 }));
    tell("migrate", &json!({ "uri": "exec:cat > /dev/null" }));
    observe(&mut arbiter, 2);
    let decision = restart(&arbiter);
    assert_eq!(
        (decision.outcome, decision.rule),
        (Outcome::Denied, Some(Rule::Incumbent)),
        "{}",
        decision.sentence
    );
    assert!(
        decision.sentence.contains("csp/qemu") && decision.sentence.contains("to migrate"),
        "{}",
        decision.sentence
    );

    tell("migrate_cancel", &json!({}));
    for now_ns in 3..103 {
        observe(&mut arbiter, now_ns);
        if matches!(restart(&arbiter).outcome, Outcome::Granted { .. }) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the cancelled migration is still there: {}", restart(&arbiter).sentence);
}
