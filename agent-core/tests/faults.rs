//! Real faults in real VMs become alerts, and their end does too.

use bartizan_core::alerts::{Alert, AlertState, Severity};
use bartizan_core::config::Config;
use bartizan_core::engine::Agent;
use bartizan_core::sys::clock::Clock;
use bartizan_testkit::guest::{Command, Guest};
use bartizan_testkit::qemu::{self, Qemu};
use bartizan_testkit::{proc, skip};
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

/// The shipped rules with less patience, since a test has little.
const RULES: &str = "\
[sampling]\ninterval_ms = 100\n\
[[rules]]\nname = \"vcpu-spinning\"\nsummary = \"vCPU running\"\nmetric = \"vcpu_run_seconds\"\nabove = 0.15\n\
clear = 0.08\nfor_s = 0.2\nclear_for_s = 0.2\n\
[[rules]]\nname = \"exits\"\nsummary = \"VM exits\"\nmetric = \"vm_kvm_exits\"\nabove = 1000\nclear = 500\n";

/// An agent that is driven by the test, and one VM's alerts: other tests' VMs run on this host too.
struct Watch {
    agent: Agent,
    name: String,
    said: Vec<Alert>,
}

impl Watch {
    fn over(qemu: &Qemu, name: &str) -> Self {
        let config = Config::from_toml(RULES, None).unwrap_or_else(|error| panic!("{error}"));
        let agent = Agent::new(config, Clock::System).expect("an agent");
        let pid = i32::try_from(qemu.pid()).expect("a PID");
        assert!(proc::wait_until(LONG, || {
            agent.maintain().expect("maintain");
            agent.reader().vms().iter().any(|vm| vm.pid == pid && !vm.vcpus.is_empty())
        }));
        agent.step().expect("step");
        Self { agent, name: name.to_owned(), said: Vec::new() }
    }

    /// One tick; what was said of the VM.
    fn tick(&mut self) -> usize {
        self.agent.step().expect("step");
        let before = self.said.len();
        let alerts = std::iter::from_fn(|| self.agent.reader().alerts().next());
        self.said.extend(alerts.filter(|alert| alert.subject.as_str() == self.name));
        self.said.len() - before
    }

    /// Ticks until the rule says so.
    fn wait_for(&mut self, rule: &str, state: AlertState) -> Alert {
        let mut found = None;
        let seen = proc::wait_until(LONG, || {
            std::thread::sleep(Duration::from_millis(100));
            self.tick();
            self.agent.maintain().expect("maintain");
            found =
                self.said.iter().find(|alert| alert.rule.as_str() == rule && alert.state == state).copied();
            found.is_some()
        });
        assert!(seen, "{rule} {state:?} was not said: {:?}", self.said);
        found.expect("an alert")
    }
}

#[test]
fn a_vm_that_is_stopped_is_told_within_two_ticks_and_so_is_its_going_on() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let qemu = Qemu::builder().name("to-be-stopped").start().expect("a VM");
    let mut watch = Watch::over(&qemu, "to-be-stopped");
    watch.tick();
    assert!(watch.said.iter().all(|alert| alert.rule.as_str() != "vm-stopped"), "{:?}", watch.said);

    qemu.freeze().expect("SIGSTOP");
    assert!(proc::wait_until(LONG, || proc::state(qemu.pid()).is_ok_and(|state| state == 'T')));
    watch.tick();
    watch.tick();
    let stopped: Vec<_> =
        watch.said.iter().filter(|alert| alert.rule.as_str() == "vm-stopped").copied().collect();
    assert_eq!(stopped.len(), 1, "{:?}", watch.said);
    assert_eq!((stopped[0].state, stopped[0].severity), (AlertState::Firing, Severity::Critical));
    assert_eq!(stopped[0].message.as_str(), "to-be-stopped: the VMM is stopped");

    qemu.thaw().expect("SIGCONT");
    let over = watch.wait_for("vm-stopped", AlertState::Resolved);
    assert_eq!(over.id, stopped[0].id);
}

#[test]
fn a_vm_that_is_killed_is_told_in_the_next_tick_with_its_name_and_uuid() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let uuid = "5e0ba4c1-0001-4002-8003-00000000dead";
    let qemu = Qemu::builder().name("to-be-killed").uuid(uuid).start().expect("a VM");
    let mut watch = Watch::over(&qemu, "to-be-killed");
    let pid = qemu.pid();
    qemu.kill9();
    watch.tick();
    let gone = watch.said.iter().find(|alert| alert.rule.as_str() == "vm-gone").expect("told");
    assert_eq!(gone.state, AlertState::Firing);
    assert_eq!(gone.message.as_str(), format!("to-be-killed: its process {pid} is gone"));
    assert_eq!(gone.uuid[14..], [0xde, 0xad]);

    let back = Qemu::builder().name("to-be-killed").uuid(uuid).start().expect("the VM again");
    let resolved = watch.wait_for("vm-gone", AlertState::Resolved);
    assert!(resolved.message.contains(&format!("back as process {}", back.pid())), "{}", resolved.message);
}

#[test]
fn a_vcpu_that_spins_is_told_and_so_is_its_rest() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let qemu = Qemu::builder().name("to-be-busy").guest(Guest::Command).start().expect("a VM");
    let mut watch = Watch::over(&qemu, "to-be-busy");
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(100));
        watch.tick();
    }
    assert!(watch.said.iter().all(|alert| alert.rule.as_str() != "vcpu-spinning"), "{:?}", watch.said);
    qemu.tell(Command::Spin).expect("spin");
    let spins = watch.wait_for("vcpu-spinning", AlertState::Firing);
    assert!(spins.message.starts_with("to-be-busy vCPU 0: vCPU running "), "{}", spins.message);
    assert!(spins.observed > 0.15 && spins.observed < 1.1, "{}", spins.observed);
    qemu.tell(Command::Idle).expect("idle");
    let rests = watch.wait_for("vcpu-spinning", AlertState::Resolved);
    assert_eq!(rests.id, spins.id);
    assert!(watch.agent.reader().alerts().accounting().balances());
}
