//! Actions on real VMs: what the host says while one is in force, that it is taken back, and that an agent which is cut
//! off between any two records neither loses an action nor takes one twice.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use bartizan_core::alerts::Severity;
use bartizan_core::config::Config;
use bartizan_core::config::response::Response as Rails;
use bartizan_core::response::action::{Action, Target, Undo};
use bartizan_core::response::book::{Book, End, Entry, Phase, Proposal};
use bartizan_core::response::guard::Guard;
use bartizan_core::response::hands::{Deadline, Hands, Standing, Trouble, Undone};
use bartizan_core::response::playbook::{Approval, Case, OnFailure, Otherwise, Playbook, Step, Trigger};
use bartizan_core::response::responder::{Arbiter, Call, Event, Journal, Responder, Ruling, World};
use bartizan_core::sampling::discovery::inspect::{Evidence, Inspection, inspect};
use bartizan_core::sys::clock::{Clock, Hands as ClockHands};
use bartizan_testkit::cgroup::Cgroup;
use bartizan_testkit::guest::Guest;
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::netns::Netns;
use bartizan_testkit::proc::CpuTicks;
use bartizan_testkit::qemu::{self, Qemu};
use bartizan_testkit::{proc, skip};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

const SECOND: i64 = 1_000_000_000;

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

/// A VM as discovery finds it.
fn target(pid: u32) -> Target {
    let pid = i32::try_from(pid).unwrap();
    let Inspection::Vm(found) = inspect(&Config::default(), pid, Evidence::default()) else {
        panic!("process {pid} is no VM")
    };
    Target::from(&*found)
}

/// Prepares, takes and verifies an action.
fn take(hands: &Hands, action: &Action, target: &Target) -> Undo {
    let undo = hands.prepare(action, target, soon()).unwrap();
    assert!(undo != Undo::Nothing, "it is in force already");
    hands.apply(action, target, &undo, "1.0", soon()).unwrap();
    let standing = hands.verify(action, target, &undo, "1.0", soon()).unwrap();
    assert!(matches!(standing, Standing::InForce(_)), "{standing:?}");
    // Again does nothing more.
    hands.apply(action, target, &undo, "1.0", soon()).unwrap();
    assert_eq!(hands.prepare(action, target, soon()), Ok(Undo::Nothing), "there is nothing left to do");
    undo
}

fn give_back(hands: &Hands, action: &Action, target: &Target, undo: &Undo) {
    let undone = hands.undo(target, undo, "1.0", soon()).unwrap();
    assert!(matches!(undone, Undone::Restored(_)), "{undone:?}");
    let standing = hands.verify(action, target, undo, "1.0", soon()).unwrap();
    assert!(matches!(standing, Standing::NotInForce(_)), "{standing:?}");
    assert!(hands.undo(target, undo, "1.0", soon()).is_ok(), "again");
}

/// CPU time of all its threads, in hundredths of a second.
fn ticks(vm: &MiniVmm) -> u64 {
    let threads = proc::threads(vm.pid()).unwrap();
    threads.iter().map(|thread| proc::cpu_ticks(vm.pid(), thread.tid).map_or(0, CpuTicks::total)).sum()
}

#[test]
fn a_throttled_vm_gets_no_more_cpu_than_it_may() {
    if let Some(reason) = minivmm::missing() {
        skip!("{reason}");
    }
    let Ok(cgroup) = Cgroup::v1("cpu", "bartizan-throttle").or_else(|_| Cgroup::v2("bartizan-throttle"))
    else {
        skip!("no cgroup with a cpu controller can be made");
    };
    let vm = MiniVmm::builder().name("hog").guest(Guest::Spin).start().unwrap();
    cgroup.add(vm.pid()).unwrap();
    let (hands, target) = (Hands::default(), target(vm.pid()));
    let action = Action::ThrottleCpu { percent: 10 };
    let quota =
        |cgroup: &Cgroup| cgroup.read("cpu.cfs_quota_us").or_else(|_| cgroup.read("cpu.max")).unwrap();
    let before = quota(&cgroup);
    let undo = take(&hands, &action, &target);

    let (from, began) = (ticks(&vm), std::time::Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    // Ticks are hundredths of a second: in percent of a core.
    let share = u128::from(ticks(&vm) - from) * 1_000 / began.elapsed().as_millis();
    assert!(share < 20, "it still had {share} % of a core");

    // A limit that is stricter already is not loosened.
    assert_eq!(hands.prepare(&Action::ThrottleCpu { percent: 50 }, &target, soon()), Ok(Undo::Nothing));
    give_back(&hands, &action, &target, &undo);
    assert_eq!(quota(&cgroup), before);

    // What somebody else wrote meanwhile stays.
    let undo = take(&hands, &action, &target);
    let Undo::Limits(limits) = &undo else { panic!("{undo:?}") };
    cgroup.write(&limits[0].file, if limits[0].file == "cpu.max" { "7000 100000" } else { "7000" }).unwrap();
    let undone = hands.undo(&target, &undo, "1.0", soon()).unwrap();
    assert!(matches!(&undone, Undone::LeftToOthers(seen) if seen.contains("7000")), "{undone:?}");
}

#[test]
fn a_vm_in_a_shared_cgroup_is_refused() {
    if let Some(reason) = minivmm::missing() {
        skip!("{reason}");
    }
    let Ok(cgroup) = Cgroup::v2("bartizan-shared") else { skip!("no cgroup v2 can be made") };
    let (one, other) =
        (MiniVmm::builder().name("one").start().unwrap(), MiniVmm::builder().name("other").start().unwrap());
    cgroup.add(one.pid()).unwrap();
    cgroup.add(other.pid()).unwrap();
    let refused = Hands::default().prepare(&Action::Freeze, &target(one.pid()), soon());
    assert!(
        matches!(&refused, Err(Trouble::Refused(why)) if why.contains("shares the cgroup")),
        "{refused:?}"
    );
}

#[test]
fn a_frozen_vm_stands_still_and_goes_on() {
    if let Some(reason) = minivmm::missing() {
        skip!("{reason}");
    }
    let Ok(cgroup) = Cgroup::v2("bartizan-freeze") else { skip!("no cgroup v2 can be made") };
    let vm = MiniVmm::builder().name("still").guest(Guest::Spin).start().unwrap();
    cgroup.add(vm.pid()).unwrap();
    let (hands, target) = (Hands::default(), target(vm.pid()));
    let undo = take(&hands, &Action::Freeze, &target);
    let stopped_at = ticks(&vm);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(ticks(&vm), stopped_at);
    give_back(&hands, &Action::Freeze, &target, &undo);
    assert!(proc::wait_until(Duration::from_secs(20), || ticks(&vm) > stopped_at), "it does not go on");
}

#[test]
fn a_vm_moves_to_a_stricter_cgroup_and_back() {
    if let Some(reason) = minivmm::missing() {
        skip!("{reason}");
    }
    let (Ok(from), Ok(to)) = (Cgroup::v2("bartizan-from"), Cgroup::v2("bartizan-to")) else {
        skip!("no cgroup v2 can be made");
    };
    let vm = MiniVmm::builder().name("mover").start().unwrap();
    from.add(vm.pid()).unwrap();
    let (hands, target) = (Hands::default(), target(vm.pid()));
    let action = Action::Confine { cgroup: to.name() };
    let undo = take(&hands, &action, &target);
    assert_eq!(to.read("cgroup.procs").unwrap().trim(), vm.pid().to_string());
    give_back(&hands, &action, &target, &undo);
    for bad in ["/nowhere/at/all", "/../../etc"] {
        let refused = hands.prepare(&Action::Confine { cgroup: bad.to_owned() }, &target, soon());
        assert!(matches!(refused, Err(Trouble::Refused(_))), "{bad}: {refused:?}");
    }
}

fn nft(netns: &Netns, arguments: &[&str]) -> String {
    let mut command = Command::new("nft");
    command.args(arguments);
    netns.enter(&mut command).unwrap();
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A VM in a namespace of its own whose tap is one end of a pair: what is sent at the other end is what the guest sends.
struct Cabled {
    netns: Netns,
    inner: Netns,
    vm: MiniVmm,
    target: Target,
}

fn cabled() -> Option<Cabled> {
    if minivmm::missing().is_some() || Command::new("nft").arg("--version").output().is_err() {
        return None;
    }
    let (netns, inner) = (Netns::new().ok()?, Netns::new().ok()?);
    netns.add_veth("tap0", "guest0").unwrap();
    let inner_name = inner.name().to_owned();
    netns.ip(&["link", "set", "guest0", "netns", &inner_name]).unwrap();
    netns.ip(&["addr", "add", "10.9.1.1/24", "dev", "tap0"]).unwrap();
    netns.ip(&["link", "set", "lo", "up"]).unwrap();
    inner.ip(&["addr", "add", "10.9.1.2/24", "dev", "guest0"]).unwrap();
    inner.ip(&["link", "set", "guest0", "up"]).unwrap();
    let vm = MiniVmm::builder().name("cabled").netns(netns.path()).start().unwrap();
    let target = Target { taps: vec!["tap0".into()], ..target(vm.pid()) };
    Some(Cabled { netns, inner, vm, target })
}

impl Cabled {
    /// How many of twenty packets that the guest sends reach the host.
    fn outward(&self) -> usize {
        let listener = self.netns.run(|| std::net::UdpSocket::bind("10.9.1.1:0").unwrap()).unwrap();
        let at = listener.local_addr().unwrap();
        self.inner
            .run(|| {
                let guest = std::net::UdpSocket::bind("10.9.1.2:0").unwrap();
                (0..20).for_each(|_| drop(guest.send_to(b"x", at)));
            })
            .unwrap();
        count(&listener)
    }

    /// How many of twenty packets that the host sends reach the guest.
    fn inward(&self) -> usize {
        let listener = self.inner.run(|| std::net::UdpSocket::bind("10.9.1.2:0").unwrap()).unwrap();
        let at = listener.local_addr().unwrap();
        self.netns
            .run(|| {
                let host = std::net::UdpSocket::bind("10.9.1.1:0").unwrap();
                (0..20).for_each(|_| drop(host.send_to(b"x", at)));
            })
            .unwrap();
        count(&listener)
    }
}

fn count(listener: &std::net::UdpSocket) -> usize {
    listener.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut buffer = [0; 8];
    std::iter::from_fn(|| listener.recv(&mut buffer).ok()).count()
}

const FOREIGN: &str = "table inet theirs {\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy \
    accept;\n\t\tip saddr 10.9.1.2 counter packets 0 bytes 0 accept\n\t}\n}\ntable netdev others {\n\tchain keep {\n\t\t\
    type filter hook ingress device \"tap0\" priority filter; policy accept;\n\t}\n}\n";

#[test]
fn a_vm_that_is_cut_off_neither_sends_nor_receives_and_nobody_elses_table_changes() {
    let Some(cabled) = cabled() else { skip!("no KVM, network namespaces or nft") };
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), FOREIGN).unwrap();
    nft(&cabled.netns, &["-f", file.path().to_str().unwrap()]);
    let theirs = || nft(&cabled.netns, &["list", "ruleset"]);
    let before = theirs();
    assert!(cabled.outward() > 0 && cabled.inward() > 0, "the cable does not work");

    let hands = Hands::default();
    let undo = take(&hands, &Action::CutNetwork, &cabled.target);
    assert_eq!((cabled.outward(), cabled.inward()), (0, 0));
    let (ours, rest): (Vec<&str>, Vec<&str>) = {
        let text: &'static str = theirs().leak();
        text.split("\ntable ").partition(|table| table.contains("bartizan_cut"))
    };
    assert_eq!(ours.len(), 1);
    assert_eq!(rest.join("\ntable ").trim_end(), before.trim_end(), "theirs are as they were, byte by byte");

    // Somebody flushes everything: seen, and taken again.
    nft(&cabled.netns, &["flush", "ruleset"]);
    let lost = hands.verify(&Action::CutNetwork, &cabled.target, &undo, "1.0", soon()).unwrap();
    assert!(matches!(lost, Standing::NotInForce(_)), "{lost:?}");
    hands.apply(&Action::CutNetwork, &cabled.target, &undo, "1.0", soon()).unwrap();
    assert_eq!((cabled.outward(), cabled.inward()), (0, 0));

    // Somebody slips a rule into ours.
    nft(&cabled.netns, &["add", "rule", "netdev", "bartizan_cut", "ingress_tap0", "accept"]);
    let holed = hands.verify(&Action::CutNetwork, &cabled.target, &undo, "1.0", soon()).unwrap();
    assert!(matches!(holed, Standing::NotInForce(_)), "{holed:?}");
    hands.apply(&Action::CutNetwork, &cabled.target, &undo, "1.0", soon()).unwrap();
    assert_eq!(cabled.outward(), 0);

    give_back(&hands, &Action::CutNetwork, &cabled.target, &undo);
    assert!(cabled.outward() > 0 && cabled.inward() > 0, "it is still cut off");
    assert!(!theirs().contains("bartizan"), "the table is left behind");
    drop(cabled.vm);
}

#[test]
fn a_guest_is_paused_its_memory_dumped_its_disk_copied() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let vm = Qemu::builder().name("paused").disk_mib(1).start().unwrap();
    let (hands, target) = (Hands::default(), target(vm.pid()));
    assert!(target.monitor.is_some(), "{target:?}");
    let undo = take(&hands, &Action::Pause, &target);
    assert_eq!(
        vm.qmp().unwrap().execute("query-status", &serde_json::json!({})).unwrap()["status"],
        "paused"
    );
    give_back(&hands, &Action::Pause, &target, &undo);
    assert_eq!(
        vm.qmp().unwrap().execute("query-status", &serde_json::json!({})).unwrap()["status"],
        "running"
    );

    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_owned();
    for (action, name) in [
        (Action::DumpMemory { folder: folder.clone() }, "1-0.core"),
        (Action::CopyDisks { folder: folder.clone() }, "1-0.disk0"),
    ] {
        let undo = hands.prepare(&action, &target, soon()).unwrap();
        hands.apply(&action, &target, &undo, "1.0", soon()).unwrap();
        let bytes = fs::read(folder.join(name)).unwrap();
        match action {
            Action::DumpMemory { .. } => assert!(bytes.starts_with(b"\x7fELF") && bytes.len() > 16 << 20),
            _ => assert_eq!(bytes, fs::read(&vm.disks()[0]).unwrap()),
        }
        assert!(matches!(hands.verify(&action, &target, &undo, "1.0", soon()), Ok(Standing::InForce(_))));
        fs::remove_file(folder.join(name)).unwrap();
        assert!(matches!(hands.verify(&action, &target, &undo, "1.0", soon()), Ok(Standing::NotInForce(_))));
    }
    let elsewhere = Action::DumpMemory { folder: "/nonexistent".into() };
    assert!(matches!(hands.prepare(&elsewhere, &target, soon()), Err(Trouble::Refused(_))));
}

#[test]
fn a_monitor_that_hangs_costs_its_deadline_and_no_more() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let vm = Qemu::builder().name("hung").start().unwrap();
    let (hands, target) = (Hands::default(), target(vm.pid()));
    vm.freeze().unwrap();
    let began = std::time::Instant::now();
    let hung = hands.prepare(&Action::Pause, &target, Deadline::after(Duration::from_millis(300)));
    assert!(matches!(&hung, Err(Trouble::Failed(why)) if why.contains("answer")), "{hung:?}");
    assert!(began.elapsed() < Duration::from_secs(10));
    vm.thaw().unwrap();
}

/// A journal that gives out after so many entries: either the last is durable and its effect does not come to pass, or
/// it is not and its effect did.
#[derive(Clone, Default)]
struct Paper {
    entries: Rc<RefCell<Vec<Entry>>>,
    left: Rc<RefCell<Option<(usize, bool)>>>,
}

impl Journal for Paper {
    fn append(&mut self, entry: &Entry, _tenant: &str) -> Result<(), String> {
        let mut left = self.left.borrow_mut();
        if let Some((count, is_durable)) = left.as_mut() {
            if *count == 0 {
                if *is_durable {
                    self.entries.borrow_mut().push(entry.clone());
                }
                return Err("cut off".to_owned());
            }
            *count -= 1;
        }
        self.entries.borrow_mut().push(entry.clone());
        Ok(())
    }
}

#[derive(Default)]
struct Everybody {
    granted: BTreeSet<u64>,
    /// What an earlier life was granted is not known.
    resumed: bool,
}

impl Arbiter for Everybody {
    fn decide(&mut self, proposal: &Proposal) -> Ruling {
        self.granted.insert(proposal.id);
        Ruling::Granted("nobody objects".to_owned())
    }

    fn stands(&self, _proposal: &Proposal) -> bool {
        true
    }

    fn release(&mut self, response: u64) {
        assert!(self.granted.remove(&response) || self.resumed, "released what was not granted");
    }
}

#[derive(Clone, Default)]
struct Place {
    vms: Rc<RefCell<Vec<Target>>>,
    /// The VM that is there once this file is.
    back: Option<(PathBuf, Target)>,
    told: Rc<RefCell<Vec<String>>>,
}

impl World for Place {
    fn vms(&self) -> Vec<Target> {
        let back = self.back.iter().filter(|(file, _)| file.exists()).map(|(_, vm)| vm.clone());
        self.vms.borrow().iter().cloned().chain(back).collect()
    }

    fn notify(&mut self, _target: &Target, text: &str) {
        self.told.borrow_mut().push(text.to_owned());
    }
}

fn playbook(steps: Vec<Action>, approval: Approval) -> Playbook {
    Playbook {
        id: "p".into(),
        title: "p".into(),
        when: Trigger {
            causes: vec!["*".into()],
            severity_min: Severity::Info,
            tenants: vec![],
            vms: vec![],
            signs_min: 1,
            signs_within_s: 60,
        },
        lease_s: 60,
        approval,
        closing: None,
        steps: steps
            .into_iter()
            .map(|action| Step { action, timeout_s: 20, on_failure: OnFailure::Undo })
            .collect(),
    }
}

struct Stage {
    paper: Paper,
    place: Place,
    time: Arc<ClockHands>,
    playbooks: Vec<Playbook>,
    target: Target,
}

impl Stage {
    fn new(target: Target, playbook: Playbook) -> Self {
        let time = Arc::new(ClockHands { wall_ns: AtomicI64::new(1_000 * SECOND), ..ClockHands::default() });
        let place = Place::default();
        place.vms.borrow_mut().push(target.clone());
        Self { paper: Paper::default(), place, time, playbooks: vec![playbook], target }
    }

    /// A responder that knows what is on paper, as an agent that starts does.
    fn responder(&self) -> Responder<Paper, Everybody, Place> {
        let mut book = Book::default();
        for entry in self.paper.entries.borrow().iter() {
            book.take(entry).unwrap();
        }
        let rails = Rails { enabled: true, kill_switch: "/nonexistent/switch".into(), ..Rails::default() };
        Responder::new(
            book,
            self.playbooks.clone(),
            Guard { rails },
            Hands::default(),
            Clock::Manual(Arc::clone(&self.time)),
            self.paper.clone(),
            Everybody { resumed: !self.paper.entries.borrow().is_empty(), ..Everybody::default() },
            self.place.clone(),
        )
    }

    fn call(&self, responder: &mut Responder<Paper, Everybody, Place>) -> Result<usize, String> {
        let now_ns = self.time.wall_ns.load(Relaxed);
        let case = Case {
            cause: "x",
            severity: Severity::Critical,
            tenant: "",
            vm: "x",
            signs_ns: &[now_ns],
            now_ns,
        };
        responder.call(&Call { incident: 5, target: &self.target, case, began_ns: now_ns })
    }

    fn later(&self, seconds: i64) {
        self.time.wall_ns.fetch_add(seconds * SECOND, Relaxed);
    }

    fn names(&self) -> Vec<String> {
        let word =
            |entry: &Entry| format!("{entry:?}").split([' ', '(']).next().unwrap_or_default().to_owned();
        self.paper.entries.borrow().iter().map(word).collect()
    }
}

fn work(responder: &mut Responder<Paper, Everybody, Place>) -> Result<(), String> {
    while responder.work()? {}
    Ok(())
}

/// Marks in a file how often the operator's command really ran.
fn marking(folder: &Path) -> (Action, PathBuf) {
    let marks = folder.join("marks");
    let undone = folder.join("undone");
    let shell = |script: String| vec!["/bin/sh".to_owned(), "-c".to_owned(), script];
    let action = Action::Run {
        command: shell(format!("echo done >> {}", marks.display())),
        verify: shell(format!("test -e {} && ! test -e {}", marks.display(), undone.display())),
        undo: shell(format!("echo undone >> {}", undone.display())),
    };
    (action, marks)
}

#[test]
fn an_agent_that_is_cut_off_between_any_two_records_loses_no_action_and_takes_none_twice() {
    if let Some(reason) = minivmm::missing() {
        skip!("{reason}");
    }
    let Ok(cgroup) = Cgroup::v2("bartizan-crash") else { skip!("no cgroup v2 can be made") };
    let vm = MiniVmm::builder().name("crash").start().unwrap();
    cgroup.add(vm.pid()).unwrap();
    let target = target(vm.pid());
    let mut cuts = 0;
    for is_durable in [true, false] {
        for cut_at in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let (marking, marks) = marking(folder.path());
            let stage = Stage::new(target.clone(), playbook(vec![Action::Freeze, marking], Approval::None));
            *stage.paper.left.borrow_mut() = Some((cut_at, is_durable));
            let first = {
                let mut responder = stage.responder();
                let mut life = || {
                    stage.call(&mut responder)?;
                    work(&mut responder)?;
                    stage.later(61);
                    work(&mut responder)
                };
                life()
            };
            *stage.paper.left.borrow_mut() = None;
            // The next agent; the sign that opened the incident is still there.
            let mut responder = stage.responder();
            stage.call(&mut responder).unwrap();
            work(&mut responder).unwrap();
            stage.later(61);
            work(&mut responder).unwrap();

            let response = responder.book().ended().next().unwrap_or_else(|| panic!("{:?}", stage.names()));
            let names = stage.names();
            assert_eq!(
                response.phase,
                Phase::Ended(End::Complete),
                "cut at {cut_at}, {is_durable}: {names:?}"
            );
            let lines = |path: &Path| fs::read_to_string(path).unwrap_or_default().lines().count();
            assert_eq!(lines(&marks), 1, "cut at {cut_at}, {is_durable}: {names:?}");
            assert_eq!(lines(&folder.path().join("undone")), 1, "cut at {cut_at}, {is_durable}: {names:?}");
            assert_eq!(cgroup.read("cgroup.freeze").unwrap().trim(), "0", "cut at {cut_at}: {names:?}");
            assert_eq!(names.iter().filter(|name| *name == "Proposed").count(), 1);
            if first.is_ok() {
                break;
            }
            cuts += 1;
        }
    }
    assert!(cuts > 20, "only {cuts} places were tried");
}

#[test]
fn an_incident_is_answered_held_and_taken_back_without_a_person() {
    if let Some(reason) = minivmm::missing() {
        skip!("{reason}");
    }
    let Ok(cgroup) = Cgroup::v2("bartizan-life") else { skip!("no cgroup v2 can be made") };
    let vm = MiniVmm::builder().name("life").start().unwrap();
    cgroup.add(vm.pid()).unwrap();
    let tell = Action::Notify { text: "frozen".into() };
    let stage = Stage::new(target(vm.pid()), playbook(vec![Action::Freeze, tell], Approval::None));
    let mut responder = stage.responder();
    assert_eq!(stage.call(&mut responder), Ok(1));
    assert_eq!(stage.call(&mut responder), Ok(0), "an incident is answered once by a playbook");
    work(&mut responder).unwrap();
    assert_eq!(cgroup.read("cgroup.freeze").unwrap().trim(), "1");
    assert_eq!(stage.place.told.borrow().as_slice(), ["frozen"]);
    assert_eq!(responder.events(), [Event::Contained { response: 1, incident: 5 }]);

    // Somebody thaws it: theirs from then on, and told.
    cgroup.thaw().unwrap();
    stage.later(3);
    work(&mut responder).unwrap();
    assert!(stage.names().contains(&"Lost".to_owned()), "{:?}", stage.names());
    stage.later(60);
    work(&mut responder).unwrap();
    let events = responder.events();
    assert!(matches!(events.as_slice(), [Event::Ended { end: End::Complete, .. }]), "{events:?}");
}

#[test]
fn a_person_is_asked_and_the_rails_hold_all_the_same() {
    if let Some(reason) = minivmm::missing() {
        skip!("{reason}");
    }
    let Ok(cgroup) = Cgroup::v2("bartizan-ask") else { skip!("no cgroup v2 can be made") };
    let vm = MiniVmm::builder().name("ask").start().unwrap();
    cgroup.add(vm.pid()).unwrap();
    let ask = Approval::Asked { within_s: 30, otherwise: Otherwise::Decline };
    let frozen = || cgroup.read("cgroup.freeze").unwrap().trim() == "1";

    let stage = Stage::new(target(vm.pid()), playbook(vec![Action::Freeze], ask));
    let mut responder = stage.responder();
    stage.call(&mut responder).unwrap();
    work(&mut responder).unwrap();
    assert!(!frozen(), "nobody has agreed");
    responder.answer(1, true, "ann", "go on").unwrap();
    assert!(responder.answer(1, true, "bob", "me too").is_err(), "it was answered");
    work(&mut responder).unwrap();
    assert!(frozen());
    responder.end(1, "ann", "it was a test").unwrap();
    work(&mut responder).unwrap();
    assert!(!frozen());

    // Nobody answers.
    let stage = Stage::new(target(vm.pid()), playbook(vec![Action::Freeze], ask));
    let mut responder = stage.responder();
    stage.call(&mut responder).unwrap();
    work(&mut responder).unwrap();
    stage.later(31);
    work(&mut responder).unwrap();
    assert!(!frozen());
    assert!(matches!(responder.events().as_slice(), [Event::Asked { .. }, Event::NotDone { .. }]));

    // The kill switch is thrown while a person thinks.
    let stage = Stage::new(target(vm.pid()), playbook(vec![Action::Freeze], ask));
    let mut responder = stage.responder();
    stage.call(&mut responder).unwrap();
    work(&mut responder).unwrap();
    responder.answer(1, true, "ann", "go on").unwrap();
    let switch = tempfile::NamedTempFile::new().unwrap();
    let rails = Rails { enabled: true, kill_switch: switch.path().to_owned(), ..Rails::default() };
    responder.configure(stage.playbooks.clone(), Guard { rails });
    work(&mut responder).unwrap();
    assert!(!frozen());
    assert!(
        matches!(responder.events().last(), Some(Event::NotDone { why, .. }) if why.contains("kill switch"))
    );
}

#[test]
fn a_vm_that_died_is_brought_back_once_and_never_beside_itself() {
    if let Some(reason) = minivmm::missing() {
        skip!("{reason}");
    }
    let vm = MiniVmm::builder().name("phoenix").start().unwrap();
    let dead = target(vm.pid());
    let folder = tempfile::tempdir().unwrap();
    let marks = folder.path().join("marks");
    let restart = Action::Restart {
        command: vec!["/bin/sh".into(), "-c".into(), format!("echo back >> {}", marks.display())],
    };
    let count = || fs::read_to_string(&marks).unwrap_or_default().lines().count();

    // It lives: refused.
    let stage = Stage::new(dead.clone(), playbook(vec![restart.clone()], Approval::None));
    let mut responder = stage.responder();
    stage.call(&mut responder).unwrap();
    work(&mut responder).unwrap();
    assert_eq!(count(), 0, "a second copy");
    assert!(matches!(responder.events().last(), Some(Event::Ended { end: End::Failed, .. })));

    // It died, and comes back as another process once the command has run.
    vm.kill9();
    let again = MiniVmm::builder().name("phoenix").start().unwrap();
    let back = target(again.pid());
    let mut stage = Stage::new(dead, playbook(vec![restart], Approval::None));
    stage.place.vms.borrow_mut().clear();
    stage.place.back = Some((marks.clone(), back.clone()));
    let mut responder = stage.responder();
    stage.call(&mut responder).unwrap();
    stage.later(2);
    work(&mut responder).unwrap();
    assert_eq!(count(), 1);
    let events = responder.events();
    let came_back =
        |event: &Event| matches!(event, Event::Back { pid, rto_ms: 2_000, .. } if *pid == back.pid);
    assert!(events.iter().any(came_back), "{events:?}");
}
