//! Checks beside a running agent: what changes on the host becomes a changed finding, without a full run.

use bartizan_core::checks::board::State;
use bartizan_core::checks::waiver::Waiver;
use bartizan_core::checks::{Change, ChangeKind, Finding, Verdict};
use bartizan_core::config::Config;
use bartizan_core::engine::Agent;
use bartizan_core::sys::clock::Clock;
use bartizan_testkit::minivmm::{self, MiniVmm};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is promised is 2 s on a host that is not busy with everybody's tests at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// An agent that judges by the shipped rules and by those of a folder.
struct Host {
    agent: Agent,
    folder: tempfile::TempDir,
}

impl Host {
    /// Starts an agent with one rule of its own, and waits for the first full run.
    fn with_rule(rule: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("own.toml"), rule).expect("rules");
        let mut config = Config::default();
        config.checks.folder = folder.path().display().to_string();
        config.checks.waivers = folder.path().join("waivers").display().to_string();
        let mut agent = Agent::new(config, Clock::System).expect("an agent");
        agent.start().expect("start");
        let host = Self { agent, folder };
        host.until("the first full run", |host| (host.state().sweeps > 0).then_some(()));
        let _ = host.agent.reader().checks().take(usize::MAX);
        host
    }

    fn state(&self) -> State {
        self.agent.reader().checks().state()
    }

    fn until<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(Instant::now() < deadline, "{what} within {PATIENCE:?}; {:?}", self.state());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn find(&self, rule: &str) -> Option<Arc<Finding>> {
        self.agent.reader().checks().findings().into_iter().find(|finding| &*finding.rule == rule)
    }

    fn change(&self, rule: &str) -> Change {
        self.until(rule, |host| {
            host.agent
                .reader()
                .checks()
                .take(usize::MAX)
                .into_iter()
                .find(|change| &*change.finding.rule == rule)
        })
    }
}

fn rule(id: &str, condition: &str) -> String {
    format!(
        "[[rule]]\nid = \"{id}\"\ntitle = \"t\"\nseverity = \"high\"\nruntime = {condition}\nrationale = \"r\"\n\
         remediation = \"r\"\n"
    )
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
}

#[test]
fn a_chmod_is_a_changed_finding_without_a_full_run() {
    let files = tempfile::tempdir().expect("a folder");
    let file = files.path().join("image");
    fs::write(&file, "x").expect("a file");
    mode(&file, 0o600);
    let condition = format!("{{ fact = \"path.others:{}\", eq = 0 }}", file.display());
    let host = Host::with_rule(&rule("own.image", &condition));
    assert_eq!(host.find("own.image").expect("a finding").verdict, Verdict::Pass);
    let before = host.state();
    mode(&file, 0o606);
    let change = host.change("own.image");
    assert_eq!((change.kind, change.finding.verdict), (ChangeKind::Verdict, Verdict::Fail));
    let (was, observed) = *change.finding.changed_from.clone().expect("what it was");
    assert_eq!((was, observed), (Verdict::Pass, format!("path.others:{}=0", file.display())));
    // From bad to otherwise bad is a change too, though the verdict stays.
    mode(&file, 0o604);
    assert_eq!(host.change("own.image").kind, ChangeKind::Value);
    fs::remove_file(&file).expect("remove");
    assert_eq!(host.change("own.image").finding.verdict, Verdict::Unknown, "gone is not good");
    assert_eq!(host.state().sweeps, before.sweeps, "no full run was needed");
    let accounts = host.agent.reader().checks().accounts();
    assert_eq!(accounts.produced, accounts.delivered + accounts.dropped + accounts.in_flight);
}

#[test]
fn a_sysctl_that_is_written_is_a_changed_finding() {
    // Harmless, and put back: how often the kernel writes dirty pages back.
    const PATH: &str = "/proc/sys/vm/dirty_writeback_centisecs";
    let was = fs::read_to_string(PATH).expect("a sysctl").trim().to_owned();
    let host = Host::with_rule(&rule(
        "own.sysctl",
        &format!("{{ fact = \"sysctl:vm.dirty_writeback_centisecs\", eq = {was} }}"),
    ));
    assert_eq!(host.find("own.sysctl").expect("a finding").verdict, Verdict::Pass);
    let other = (was.parse::<u32>().expect("a number") + 1).to_string();
    if let Err(error) = fs::write(PATH, &other) {
        bartizan_testkit::skip!("{PATH} cannot be written: {error}");
    }
    let change = host.change("own.sysctl");
    fs::write(PATH, &was).expect("put back");
    assert_eq!(change.finding.verdict, Verdict::Fail);
    assert_eq!(host.change("own.sysctl").finding.verdict, Verdict::Pass);
}

#[test]
fn rule_files_that_change_are_taken_up_and_broken_ones_are_findings() {
    let host = Host::with_rule(&rule("own.one", "{ fact = \"vms.count\", ge = 0 }"));
    fs::write(host.folder.path().join("two.toml"), rule("own.two", "{ fact = \"vms.count\", ge = 0 }"))
        .expect("rules");
    host.until("the new rule", |host| {
        host.find("own.two").filter(|finding| finding.verdict == Verdict::Pass)
    });
    fs::write(host.folder.path().join("two.toml"), "[[rule]]\nid = \"own.two\"\n").expect("rules");
    let broken = host.until("the broken rule", |host| host.find("rules.broken"));
    assert_eq!(broken.verdict, Verdict::Error);
    assert!(broken.note.contains("two.toml:1: rule own.two: missing field"), "{}", broken.note);
    assert!(host.find("own.one").is_some(), "the others go on");
    // A file that anybody may write to is not believed.
    fs::write(host.folder.path().join("two.toml"), rule("own.two", "{ fact = \"vms.count\", ge = 0 }"))
        .expect("rules");
    mode(&host.folder.path().join("two.toml"), 0o666);
    host.until("the file that is not believed", |host| {
        host.find("rules.broken").filter(|finding| finding.note.contains("chmod go-w"))
    });
}

#[test]
fn a_waiver_holds_for_its_value_only() {
    let files = tempfile::tempdir().expect("a folder");
    let file = files.path().join("f");
    fs::write(&file, "x").expect("a file");
    mode(&file, 0o604);
    let condition = format!("{{ fact = \"path.others:{}\", eq = 0 }}", file.display());
    let host = Host::with_rule(&rule("own.file", &condition));
    let finding = host.find("own.file").expect("a finding");
    let waiver = Waiver {
        rule: "own.*".into(),
        subject: "host".into(),
        observed: finding.observed(),
        owner: "ops".into(),
        reason: "for the test".into(),
        expires: "2999-12-31".into(),
        ticket: String::new(),
    };
    host.agent.reader().waive(waiver.clone()).expect("a waiver");
    let change = host.change("own.file");
    assert_eq!((change.kind, change.finding.verdict), (ChangeKind::Waiver, Verdict::Fail), "never hidden");
    assert_eq!(change.finding.waived.as_ref().map(|waived| waived.owner.as_str()), Some("ops"));
    mode(&file, 0o606);
    let change = host.change("own.file");
    assert_eq!((change.kind, change.finding.waived.is_none()), (ChangeKind::Value, true), "another value");
    assert!(host.agent.reader().waive(Waiver { owner: String::new(), ..waiver }).is_err());
}

#[test]
fn a_vm_that_comes_has_findings_and_one_that_goes_leaves_none() {
    if let Some(what) = minivmm::missing() {
        bartizan_testkit::skip!("no guest can run: {what}");
    }
    // Other VMs may come and go meanwhile: only the one of this name is looked at.
    let name = format!("checks-{}", std::process::id());
    let own = rule("own.vms", &format!("{{ fact = \"vms.list\", lacks = [\"{name} *\"] }}"));
    let host = Host::with_rule(&own);
    assert_eq!(host.find("own.vms").expect("a finding").verdict, Verdict::Pass);
    let vm = MiniVmm::builder().name(&name).start().expect("a guest");
    let pid = i32::try_from(vm.pid()).expect("a pid");
    let of_vm = |host: &Host| {
        let all = host.agent.reader().checks().findings();
        all.iter().filter(|finding| finding.subject.vm().is_some_and(|vm| vm.id.pid == pid)).count()
    };
    host.until("findings about the VM", |host| (of_vm(host) > 0).then_some(()));
    host.until("the list", |host| host.find("own.vms").filter(|finding| finding.verdict == Verdict::Fail));
    drop(vm);
    host.until("no more findings about it", |host| (of_vm(host) == 0).then_some(()));
    host.until("the list", |host| host.find("own.vms").filter(|finding| finding.verdict == Verdict::Pass));
}

#[test]
fn a_host_that_drives_the_agent_drives_the_checks_too() {
    let mut config = Config::default();
    config.checks.folder = "/nonexistent/checks.d".into();
    let agent = Agent::new(config, Clock::System).expect("an agent");
    let mut slices = 0;
    while agent.check(1_000).expect("a slice") {
        slices += 1;
    }
    assert!(slices > 3, "{slices}: a full run is more than one slice");
    assert!(agent.reader().checks().state().sweeps == 1);
    assert!(!agent.reader().checks().findings().is_empty());
}
