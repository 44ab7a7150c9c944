//! What a program in the kernel reads of threads is what their files say; and whatever keeps it from being loaded leaves
//! the tier below, with a reason.

#![expect(clippy::unwrap_used, reason = "a test that cannot set the scene fails")]

mod vm_support;

use bartizan_core::config::{Config, Roots, ThreadTierChoice};
use bartizan_core::engine::Agent;
use bartizan_core::sampling::SourceReport;
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::metrics::{MetricId, Source, agent, vcpu, vm};
use bartizan_core::sampling::vm::bpf::Bpf;
use bartizan_core::sys::clock::Clock;
use bartizan_testkit::guest::Guest;
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::{fork, proc, skip};
use nix::unistd::{Gid, Uid, geteuid, setgid, setgroups, setuid};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use vm_support::{Watched, describe, stop_every_thread};

const LONG: Duration = Duration::from_mins(1);

/// Skips where the tier cannot be had, and says why; what is always there must be there.
macro_rules! need_bpf {
    () => {
        if let Some(reason) = minivmm::missing() {
            skip!("{reason}");
        }
        if let Err(reason) = Bpf::load(&Config::default()).threads {
            assert!(!reason.is_empty());
            skip!("{reason}");
        }
    };
}

fn config(tier: ThreadTierChoice) -> Config {
    let mut config = Config::default();
    config.sampling.thread_tier = tier;
    config
}

fn watch(vmm: &MiniVmm, tier: ThreadTierChoice) -> Watched {
    Watched::new(describe(vmm.pid(), &vmm.vcpu_threads().unwrap(), &[]), &config(tier))
}

/// Everything that is read of a thread: three numbers exactly, then what `stat` tells.
const EXACT: [MetricId; 10] = [
    vcpu::RUN,
    vcpu::WAIT,
    vcpu::TIMESLICES,
    vcpu::STATE,
    vcpu::FAULTS_MINOR,
    vcpu::FAULTS_MAJOR,
    vcpu::PROCESSOR,
    vcpu::NICE,
    vcpu::REALTIME_PRIORITY,
    vcpu::SCHEDULING_POLICY,
];
/// In `stat` these are in ticks of 10 ms.
const IN_TICKS: [MetricId; 3] = [vcpu::USER, vcpu::SYSTEM, vcpu::GUEST];
const TICK_NS: i64 = 10_000_000;
const OF_VM: [MetricId; 6] = [
    vm::VCPU_RUN,
    vm::VCPU_WAIT,
    vm::VCPU_TIMESLICES,
    vm::EMULATOR_RUN,
    vm::EMULATOR_WAIT,
    vm::EMULATOR_TIMESLICES,
];

#[test]
fn the_values_of_busy_threads_are_those_of_the_files() {
    need_bpf!();
    for guest in [Guest::ExitStorm, Guest::Spin, Guest::MemoryTouch] {
        let vmm = MiniVmm::builder().vcpus(2).memory_mib(16).guest(guest).other_threads(3).start().unwrap();
        // One list of threads for both: KVM adds one of its own to the process when a vCPU first runs.
        let info = describe(vmm.pid(), &vmm.vcpu_threads().unwrap(), &[]);
        let mut ours = Watched::new(info.clone(), &config(ThreadTierChoice::Bpf));
        let mut files = Watched::new(info, &config(ThreadTierChoice::KeptFd));
        assert_eq!(ours.report(Source::Schedule).tier, "bpf");
        assert_eq!(files.report(Source::Schedule).tier, "kept-fd");
        assert!(proc::wait_until(LONG, || {
            // While they run, what the program reads lies between two readings of the files.
            files.tick();
            ours.tick();
            let between = |metric| {
                let (before, now) = (files.vcpu(0, metric).unwrap(), ours.vcpu(0, metric).unwrap());
                assert!(before <= now, "{guest:?}: {now} after {before}");
            };
            [vcpu::RUN, vcpu::WAIT, vcpu::TIMESLICES].into_iter().for_each(between);
            let now = ours.vcpu(0, vcpu::RUN).unwrap();
            files.tick();
            assert!(now <= files.vcpu(0, vcpu::RUN).unwrap());
            now > 300_000_000
        }));
        stop_every_thread(&vmm);
        // A thread that has stopped is still on its way off the CPU, and on a busy machine for long: until it is there, the
        // later of two readings sees more. What moves rarely is read every fourth tick of the files.
        proc::wait_until(LONG, || {
            (0..4).for_each(|_| _ = (ours.tick(), files.tick()));
            OF_VM.iter().all(|metric| ours.vm(*metric) == files.vm(*metric))
        });
        for index in 0..2 {
            for metric in EXACT {
                let values = (ours.vcpu(index, metric), files.vcpu(index, metric));
                assert_eq!(values.0, values.1, "{guest:?}, vCPU {index}: {}", metric.metric().name);
                assert!(values.0.is_ok());
            }
            for metric in IN_TICKS {
                let (a, b) = (ours.vcpu(index, metric).unwrap(), files.vcpu(index, metric).unwrap());
                assert!(
                    (a - b).abs() <= 2 * TICK_NS,
                    "{guest:?}, vCPU {index}: {}: {a} {b}",
                    metric.metric().name
                );
            }
            let parts = ours.vcpu(index, vcpu::USER).unwrap() + ours.vcpu(index, vcpu::SYSTEM).unwrap();
            assert_eq!(Ok(parts), ours.vcpu(index, vcpu::RUN), "together they are the time it ran");
        }
        assert!(
            ours.vcpu(0, vcpu::GUEST).unwrap() + ours.vcpu(0, vcpu::SYSTEM).unwrap() > TICK_NS,
            "{guest:?}"
        );
        for metric in OF_VM {
            assert_eq!(ours.vm(metric), files.vm(metric), "{guest:?}: {}", metric.metric().name);
        }
    }
}

#[test]
fn what_changes_of_a_sleeping_thread_is_seen() {
    need_bpf!();
    let vmm = MiniVmm::builder().not_running().start().unwrap();
    let mut ours = watch(&vmm, ThreadTierChoice::Bpf);
    (0..3).for_each(|_| _ = ours.tick());
    assert_eq!(ours.vcpu(0, vcpu::NICE), Ok(0));
    assert_eq!(ours.vcpu(0, vcpu::PROGRESSING), Ok(0), "it sleeps");
    let tid = ours.info.vcpus[0].tid.to_string();
    let done = Command::new("renice").args(["-n", "7", "-p", &tid]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    ours.tick();
    assert_eq!(ours.vcpu(0, vcpu::NICE), Ok(7));
    let before = ours.vm(vm::STALLED).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    ours.tick();
    assert!(ours.vm(vm::STALLED).unwrap() >= before + 20_000_000);
}

/// A process whose threads come and go as it is told, by lines on its standard input.
const THREADS_AS_TOLD: &str = "
import sys, threading
ends = []
print('ready', flush=True)
for line in sys.stdin:
    if line[0] == '+':
        for _ in range(int(line[1:])):
            end = threading.Event()
            threading.Thread(target=end.wait, daemon=True).start()
            ends.append(end)
    else:
        for _ in range(int(line[1:])):
            ends.pop(0).set()
    print('done', flush=True)
";

struct AsTold {
    child: Child,
    answers: std::io::Lines<std::io::BufReader<ChildStdout>>,
}

impl AsTold {
    fn start() -> Self {
        use std::io::BufRead;
        let mut child = Command::new("python3")
            .args(["-c", THREADS_AS_TOLD])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answers = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(answers.next().unwrap().unwrap(), "ready");
        Self { child, answers }
    }

    /// `+n` starts so many threads, `-n` ends the oldest.
    fn tell(&mut self, what: &str, threads_after: usize) {
        use std::io::Write;
        writeln!(self.child.stdin.as_mut().unwrap(), "{what}").unwrap();
        assert_eq!(self.answers.next().unwrap().unwrap(), "done");
        let pid = self.child.id();
        assert!(proc::wait_until(LONG, || proc::threads(pid).unwrap().len() == threads_after));
    }
}

impl Drop for AsTold {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn threads_come_and_go_and_those_without_room_are_told_of() {
    need_bpf!();
    let mut process = AsTold::start();
    process.tell("+6", 7);
    let pid = process.child.id();
    let threads = proc::threads(pid).unwrap();
    // The second and the fourth stand for vCPUs.
    let vcpus = [threads[1].clone(), threads[3].clone()];
    let mut ours = Watched::new(describe(pid, &vcpus, &[]), &config(ThreadTierChoice::Bpf));
    assert!(!ours.tick().threads_changed);
    let emulator = ours.vm(vm::EMULATOR_RUN).unwrap();
    assert!(!ours.tick().threads_changed);

    process.tell("-1", 6);
    assert!(ours.tick().threads_changed, "one ended");
    assert_eq!(ours.vcpu(0, vcpu::RUN), Err(Availability::Gone), "the oldest: the first vCPU's");
    assert!(ours.vcpu(1, vcpu::RUN).is_ok(), "found although it stands elsewhere now");
    assert!(ours.vm(vm::EMULATOR_RUN).unwrap() >= emulator);

    process.tell("+1", 7);
    assert!(ours.tick().threads_changed, "as many as there were, and yet others");

    // Far more than were there when it was planned. Those that were there stand in front, and keep their records.
    process.tell("+200", 207);
    let pulse = ours.tick();
    assert!(pulse.threads_changed);
    assert_eq!(pulse.threads_unread, 207 - 12, "room for seven, a quarter more, and four");
    assert!(ours.vcpu(1, vcpu::RUN).is_ok());
    let mut anew = Watched::new(describe(pid, &vcpus[1..], &[]), &config(ThreadTierChoice::Bpf));
    let pulse = anew.tick();
    assert_eq!(
        (pulse.threads_changed, pulse.threads_unread),
        (false, 0),
        "planned anew, there is room for all"
    );
}

#[test]
fn another_process_of_the_same_number_is_not_the_vm() {
    need_bpf!();
    let vmm = MiniVmm::builder().vcpus(2).start().unwrap();
    let mut ours = watch(&vmm, ThreadTierChoice::Bpf);
    ours.tick();
    assert!(ours.vcpu(1, vcpu::RUN).is_ok());
    vmm.kill9();
    assert!(ours.tick().vanished);
    for index in 0..2 {
        assert_eq!(ours.vcpu(index, vcpu::RUN), Err(Availability::Gone));
    }
}

#[test]
fn a_vm_in_a_pid_namespace_of_its_own_is_read() {
    need_bpf!();
    if !geteuid().is_root() {
        skip!("only root can make a PID namespace");
    }
    let mut unshare = Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child", "sh", "-c", "echo $$; while :; do :; done"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut number = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(unshare.stdout.take().unwrap()), &mut number)
        .unwrap();
    assert_eq!(number.trim(), "1", "its number there");
    let children = format!("/proc/{0}/task/{0}/children", unshare.id());
    let pid: u32 = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
    let threads = proc::threads(pid).unwrap();
    let mut ours = Watched::new(describe(pid, &threads, &[]), &config(ThreadTierChoice::Bpf));
    ours.tick();
    let before = ours.vcpu(0, vcpu::RUN).unwrap();
    let moved = proc::wait_until(LONG, || {
        ours.tick();
        ours.vcpu(0, vcpu::RUN).unwrap() > before + 20_000_000
    });
    unshare.kill().unwrap();
    unshare.wait().unwrap();
    assert!(moved);
}

fn tier_of(config: &Config) -> SourceReport {
    let vmm = MiniVmm::builder().start().unwrap();
    let mut watched = Watched::new(describe(vmm.pid(), &vmm.vcpu_threads().unwrap(), &[]), config);
    watched.tick();
    assert!(watched.vcpu(0, vcpu::RUN).is_ok(), "read whatever the tier");
    watched.report(Source::Schedule).clone()
}

#[test]
fn what_is_missing_leaves_the_tier_below_and_a_reason() {
    need_bpf!();
    let with_sys = |make: &dyn Fn(&std::path::Path)| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("kernel/btf")).unwrap();
        make(&folder.path().join("kernel/btf/vmlinux"));
        let roots = Roots { sys: folder.path().to_owned(), ..Roots::default() };
        tier_of(&Config { roots, ..config(ThreadTierChoice::Bpf) })
    };
    let own = std::fs::read("/sys/kernel/btf/vmlinux").unwrap();
    let renamed = |field: &[u8], to: &[u8]| {
        let mut bytes = own.clone();
        let at: Vec<usize> = memchr::memmem::find_iter(&own, field).collect();
        assert!(!at.is_empty());
        for at in at {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
        bytes
    };
    let no_field = renamed(b"\0sum_exec_runtime\0", b"\0sum_exec_wuntime\0");
    let no_function = renamed(b"\0bpf_iter_task_new\0", b"\0bpf_itex_task_new\0");
    for (what, said) in [
        (None, "CONFIG_DEBUG_INFO_BTF"),
        (Some(&b""[..]), "no BTF"),
        (Some(&b"not a description of types"[..]), "no BTF"),
        (Some(&own[..own.len() / 2]), "cut off"),
        (Some(&no_field), "struct task_struct.se.sum_exec_runtime"),
        (Some(&no_function), "bpf_iter_task_new"),
    ] {
        let report = with_sys(&|path| {
            if let Some(bytes) = what {
                std::fs::write(path, bytes).unwrap();
            }
        });
        assert_eq!((report.tier, report.availability), ("kept-fd", Availability::Ok), "{report:?}");
        assert!(report.reason.contains(said), "{said}: {report:?}");
        assert!(report.reason.len() < 400, "{report:?}");
    }
    let forced = tier_of(&config(ThreadTierChoice::KeptFd));
    assert_eq!(forced.reason, "asked for by sampling.thread_tier");
}

#[test]
fn without_capabilities_it_goes_on_below_and_says_which_are_wanted() {
    need_bpf!();
    if !geteuid().is_root() {
        skip!("only root can become another user");
    }
    let vmm = MiniVmm::builder().start().unwrap();
    let pid = i32::try_from(vmm.pid()).unwrap();
    let good = fork::in_child(|| {
        const NOBODY: u32 = 65_534;
        setgroups(&[]).unwrap();
        setgid(Gid::from_raw(NOBODY)).unwrap();
        setuid(Uid::from_raw(NOBODY)).unwrap();
        let agent = Agent::new(Config::default(), Clock::System).unwrap();
        agent.maintain().unwrap();
        agent.step().unwrap();
        let vm = agent.reader().vms().into_iter().find(|vm| vm.pid == pid).unwrap();
        let sources = agent.reader().sources(Some(vm.entity));
        let report = sources.iter().find(|report| report.source == Source::Schedule).unwrap();
        eprintln!("{report:?}");
        report.tier == "kept-fd" && report.reason.contains("CAP_BPF") && report.reason.contains("CAP_PERFMON")
    });
    assert_eq!(good.map_err(|error| error.to_string()), Ok(true));
}

#[test]
fn an_agent_reads_its_vms_by_it_and_goes_on_after_privileges_are_dropped() {
    need_bpf!();
    if !geteuid().is_root() {
        skip!("only root can become another user");
    }
    let vmm = MiniVmm::builder().vcpus(2).guest(Guest::Spin).start().unwrap();
    let pid = i32::try_from(vmm.pid()).unwrap();
    let good = fork::in_child(|| {
        let agent = Agent::new(Config::default(), Clock::System).unwrap();
        let find = || agent.reader().vms().into_iter().find(|vm| vm.pid == pid && vm.vcpus.len() == 2);
        let step = || {
            agent.maintain().unwrap();
            agent.step().unwrap();
        };
        assert!(proc::wait_until(LONG, || {
            step();
            find().is_some()
        }));
        step();
        setgroups(&[]).unwrap();
        setgid(Gid::from_raw(65_534)).unwrap();
        setuid(Uid::from_raw(65_534)).unwrap();
        let info: Arc<_> = find().unwrap();
        let sources = agent.reader().sources(Some(info.entity));
        let tier = sources.iter().find(|report| report.source == Source::Schedule).unwrap().tier;
        let run = || agent.reader().read(info.vcpus[1].entity, vcpu::RUN).ok().unwrap();
        let before = run();
        let unread = agent.reader().read(Entity::AGENT, agent::THREADS_UNREAD).ok();
        proc::wait_until(LONG, || {
            agent.step().unwrap();
            run() > before + 20_000_000
        }) && tier == "bpf"
            && unread == Some(0)
    });
    assert_eq!(good.map_err(|error| error.to_string()), Ok(true));
}
