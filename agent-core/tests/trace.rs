//! A live run with real alerts, recorded and replayed: the alerts must be the same to the last bit.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use bartizan_core::alerts::{Alert, AlertState};
use bartizan_core::config::{Config, Roots};
use bartizan_core::engine::{Planner, Reader, Sampler, build};
use bartizan_core::sampling::discovery::VmInfo;
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::metrics::{host, vcpu, vm};
use bartizan_core::sys::clock::Clock;
use bartizan_core::trace::{Captured, Recorder, Tail, record_tree, replay};
use bartizan_testkit::qemu::{self, Qemu};
use bartizan_testkit::{proc, skip};
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

struct Rig {
    sampler: Sampler,
    planner: Planner,
    reader: Reader,
    recorder: Recorder<Vec<u8>>,
    alerts: Vec<Alert>,
}

impl Rig {
    fn new(config: Config) -> Self {
        let (sampler, planner, reader) = build(config, Clock::System).unwrap();
        let recorder = Recorder::new(Vec::new(), reader.clone(), None).unwrap();
        Self { sampler, planner, reader, recorder, alerts: Vec::new() }
    }

    fn round(&mut self) {
        self.planner.maintain();
        let number = self.sampler.tick().number;
        assert_eq!(self.recorder.capture().unwrap(), Captured::Tick { number, missed: 0 });
        self.alerts.extend(std::iter::from_fn(|| self.reader.alerts().next()));
    }

    fn run_until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let reached = proc::wait_until(LONG, || {
            self.round();
            condition(self)
        });
        assert!(reached, "{what}: {:?}", self.alerts);
    }

    fn has(&self, rule: &str, state: AlertState, pid: u32) -> bool {
        let name = format!("trace-{pid}");
        self.alerts
            .iter()
            .any(|alert| alert.rule.as_str() == rule && alert.state == state && alert.message.contains(&name))
    }
}

fn config() -> Config {
    let mut config = Config::default();
    config.sampling.interval_ms = 10;
    config.sampling.monitor_every_ticks = 5;
    config
}

#[test]
fn a_replay_gives_the_very_alerts_of_the_live_run() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    // Named after this process: other tests' VMs are on this host too, and come and go as they like.
    let id = std::process::id();
    let mut rig = Rig::new(config());
    for _ in 0..20 {
        rig.round();
    }
    let qemu = Qemu::builder().name(format!("trace-{id}")).vcpus(2).disk_mib(1).start().unwrap();
    let entity = |rig: &Rig| {
        rig.reader.vms().iter().find(|vm| u32::try_from(vm.pid) == Ok(qemu.pid())).map(|vm| vm.entity)
    };
    rig.run_until("found", |rig| entity(rig).is_some_and(|vm| rig.reader.read(vm, vm::STATE).ok().is_some()));
    qemu.freeze().unwrap();
    rig.run_until("stopped", |rig| rig.has("vm-stopped", AlertState::Firing, id));
    qemu.thaw().unwrap();
    rig.run_until("going on", |rig| rig.has("vm-stopped", AlertState::Resolved, id));
    qemu.kill9();
    rig.run_until("gone", |rig| rig.has("vm-gone", AlertState::Firing, id));
    for _ in 0..20 {
        rig.round();
    }

    let Rig { recorder, alerts, reader, .. } = rig;
    let (end, bytes) = recorder.written();
    println!("{} ticks, {bytes} bytes, {} alerts", end.ticks, alerts.len());
    let trace = recorder.finish().unwrap();
    let replayed = replay(trace.as_slice(), None).unwrap();
    assert!(replayed.is_exact());
    assert_eq!(replayed.tail, Tail::Complete(end));
    assert_eq!(replayed.ticks, end.ticks);
    assert_eq!(replayed.alerts, alerts);
    assert_eq!(replayed.accounting, reader.alerts().accounting());

    // Other rules say other things of the same trace: that is what replays are for.
    let mut other = config();
    other.rules_off.push("vm-stopped".into());
    let replayed = replay(trace.as_slice(), Some(&other)).unwrap();
    assert!(replayed.alerts.iter().all(|alert| alert.rule.as_str() != "vm-stopped"));
    assert!(replayed.alerts.len() < alerts.len());
}

#[test]
fn a_recorder_beside_a_running_agent_captures_whole_ticks() {
    let mut agent = bartizan_core::engine::Agent::new(config(), Clock::System).unwrap();
    let mut recorder = Recorder::new(Vec::new(), agent.reader().clone(), None).unwrap();
    agent.start().unwrap();
    let mut captured = 0;
    assert!(proc::wait_until(LONG, || {
        captured += u32::from(matches!(recorder.capture().unwrap(), Captured::Tick { .. }));
        captured >= 50
    }));
    agent.stop(LONG).unwrap();
    let trace = recorder.finish().unwrap();
    let replayed = replay(trace.as_slice(), None).unwrap();
    assert_eq!(replayed.ticks, u64::from(captured));
    let Tail::Complete(end) = replayed.tail else { panic!("{:?}", replayed.tail) };
    assert_eq!(end.ticks_missed, replayed.ticks_missed);
}

#[test]
fn a_copied_host_is_looked_at_as_if_it_were_this_one() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let qemu =
        Qemu::builder().name("copied").vcpus(2).disk_mib(1).arg("-object").arg("secret,id=s,data=hunter2");
    let qemu = qemu.start().unwrap();
    let pid = i32::try_from(qemu.pid()).unwrap();
    let (mut sampler, mut planner, reader) = build(config(), Clock::System).unwrap();
    let live = || reader.vms().into_iter().find(|vm| vm.pid == pid);
    assert!(proc::wait_until(LONG, || {
        planner.maintain();
        sampler.tick();
        live().is_some_and(|vm| vm.vcpus.len() == 2)
    }));
    let live = live().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dest = folder.path().join("host");
    let report = record_tree(&Roots::default(), std::slice::from_ref(&live), &dest).unwrap();
    assert_eq!(report.left_out, 0);
    let cmdline = std::fs::read(dest.join("proc").join(pid.to_string()).join("cmdline")).unwrap();
    let cmdline = String::from_utf8(cmdline).unwrap();
    assert!(cmdline.contains("secret,id=s,data=REDACTED") && !cmdline.contains("hunter2"), "{cmdline}");
    qemu.kill9();

    let copied = Config { roots: Roots::below(&dest), ..config() };
    let (mut sampler, mut planner, reader) = build(copied, Clock::System).unwrap();
    let found = || reader.vms().into_iter().find(|vm| vm.pid == pid);
    assert!(proc::wait_until(LONG, || {
        planner.maintain();
        sampler.tick();
        found().is_some_and(|vm| reader.read(vm.entity, vm::MEMORY_RESIDENT).ok().is_some())
    }));
    let found = found().unwrap();
    assert_eq!((&found.name, found.start_ticks), (&live.name, live.start_ticks));
    let threads = |info: &VmInfo| info.vcpus.iter().map(|vcpu| vcpu.tid).collect::<Vec<_>>();
    assert_eq!(threads(&found), threads(&live));
    let vcpu = found.vcpus[0].entity;
    assert!(reader.read(vcpu, vcpu::RUN).ok().is_some_and(|run_ns| run_ns > 0));
    assert!(reader.read(Entity::HOST, host::MEMORY_TOTAL).ok().is_some_and(|bytes| bytes > 1 << 20));
}
