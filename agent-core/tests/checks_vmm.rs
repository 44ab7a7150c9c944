//! Checks of the VMM process, its memory and its disks against real VMs: every planted fault is found, on the VM it was
//! planted in, and the good VM beside it has none of those findings.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]
#![expect(unsafe_code, reason = "ptrace(2) has no safe cover here")]

use bartizan_core::checks::{Board, Checker, Finding, Subject, Verdict, Vm};
use bartizan_core::config::Config;
use bartizan_core::sampling::discovery::inspect::{Evidence, Inspection, inspect};
use bartizan_core::sys::clock::Clock;
use bartizan_testkit::cgroup::Cgroup;
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::qemu::{self, Qemu};
use bartizan_testkit::shape::Shape;
use bartizan_testkit::skip;
use nix::poll::{PollFd, PollFlags, poll};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PTRACE_SEIZE: libc::c_uint = 0x4206;
/// A user that runs one VM and nothing else.
const USER: u32 = 54_321;

/// A QEMU as it should be: a user and a mount namespace of its own, no capabilities, no new privileges, its output
/// bounded, its files closed. `/dev/kvm` is its own, since root alone may open the host's on some machines.
fn good_launcher(folder: &Path) -> PathBuf {
    script(
        folder,
        "good",
        &format!(
            r#"for argument; do case "$argument" in */guest.rom) own=${{argument%/guest.rom}};; esac; done
mknod "$own/kvm" c 10 232 && chmod 600 "$own"/* && chmod 711 "$own" && chown -R {USER}:{USER} "$own"
chown root:{USER} "$own"/base.img 2>/dev/null && chmod 440 "$own"/base.img
export own
unset LD_LIBRARY_PATH LD_PRELOAD LD_AUDIT
exec unshare --mount --ipc --uts sh -c '
mount --bind "$own/kvm" /dev/kvm || exit 1
ulimit -c 0; ulimit -n 1024; ulimit -f 4194304
exec setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs --inh-caps=-all --ambient-caps=-all \
    --bounding-set=-all --pdeathsig KILL qemu-system-x86_64 "$@"' sh "$@"
"#
        ),
    )
}

/// A QEMU as it should not be: root, with what the launcher left open.
fn bad_launcher(folder: &Path) -> PathBuf {
    let body = "ulimit -c unlimited\nexport LD_LIBRARY_PATH=/nowhere\n\
        exec qemu-system-x86_64 \"$@\" 9</proc/self/mem 8</etc 7<>/proc/sys/vm/swappiness\n";
    script(folder, "bad", body)
}

/// Starts it, and waits until it answers: only then has it opened everything.
fn started(vm: qemu::Builder) -> Qemu {
    let vm = vm.start().unwrap();
    drop(vm.qmp().unwrap());
    vm
}

fn script(folder: &Path, name: &str, body: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{body}")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

/// A folder that a VM of any user can reach.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("bartizan-checks-").tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).unwrap();
    folder
}

fn image(path: &Path, mode: u32) {
    fs::File::create(path).unwrap().set_len(1 << 20).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The smallest qcow2 image that QEMU opens, on top of another.
fn overlay(path: &Path, backing: &str, format: Option<&str>) {
    const CLUSTER: usize = 1 << 16;
    let mut bytes = vec![0_u8; 4 * CLUSTER];
    let mut put = |at: usize, content: &[u8]| bytes[at..at + content.len()].copy_from_slice(content);
    put(0, b"QFI\xfb");
    put(4, &3_u32.to_be_bytes());
    put(8, &512_u64.to_be_bytes());
    put(16, &u32::try_from(backing.len()).unwrap().to_be_bytes());
    put(20, &16_u32.to_be_bytes());
    put(24, &(1_u64 << 20).to_be_bytes());
    put(36, &1_u32.to_be_bytes());
    put(40, &(3 * CLUSTER as u64).to_be_bytes());
    put(48, &(CLUSTER as u64).to_be_bytes());
    put(56, &1_u32.to_be_bytes());
    put(96, &4_u32.to_be_bytes());
    put(100, &104_u32.to_be_bytes());
    if let Some(format) = format {
        put(104, &0xE279_2ACA_u32.to_be_bytes());
        put(108, &u32::try_from(format.len()).unwrap().to_be_bytes());
        put(112, format.as_bytes());
    }
    put(512, backing.as_bytes());
    put(CLUSTER, &(2 * CLUSTER as u64).to_be_bytes());
    for cluster in 0..4 {
        put(2 * CLUSTER + 2 * cluster, &1_u16.to_be_bytes());
    }
    fs::write(path, bytes).unwrap();
}

fn checker(pids: &[u32]) -> Checker {
    let config = Config::default();
    let board = Arc::new(Board::new().unwrap());
    let mut checker = Checker::new(&config, Clock::default(), board);
    let vm = |pid: &u32| match inspect(&config, i32::try_from(*pid).unwrap(), Evidence::default()) {
        Inspection::Vm(found) => Arc::new(Vm::from(&*found)),
        Inspection::Not | Inspection::Gone => panic!("{pid} is no VM"),
    };
    checker.set_vms(pids.iter().map(vm).collect());
    checker
}

struct Found(Vec<Arc<Finding>>);

impl Found {
    /// A full run over these VMs; others that happen to be on the host are left alone.
    fn look(pids: &[u32]) -> Self {
        let mut checker = checker(pids);
        while checker.work(u64::MAX) {}
        Self(checker.board().findings())
    }

    fn of(&self, pid: u32, rule: &str) -> &Finding {
        let is = |subject: &Subject| match subject {
            Subject::Host => pid == 0,
            Subject::Vm(vm) => u32::try_from(vm.id.pid) == Ok(pid),
        };
        let found = self.0.iter().find(|finding| &*finding.rule == rule && is(&finding.subject));
        found.unwrap_or_else(|| panic!("no finding of {rule} on {pid}"))
    }

    fn has(&self, pid: u32, verdict: Verdict, rules: &[&str]) {
        for rule in rules {
            let found = self.of(pid, rule);
            assert_eq!(found.verdict, verdict, "{rule}: {}; {}", found.reason(), found.observed());
        }
    }

    fn has_not(&self, pid: u32, verdict: Verdict, rules: &[&str]) {
        for rule in rules {
            let found = self.of(pid, rule);
            assert_ne!(found.verdict, verdict, "{rule}: {}; {}", found.reason(), found.observed());
        }
    }
}

/// What the bad VM is found to be, and the good one is not.
const PLANTED: &[&str] = &[
    "vmm.uid-nonroot",
    "vmm.gid-nonroot",
    "vmm.groups-harmless",
    "vmm.caps-empty",
    "vmm.caps-root-like",
    "vmm.caps-permitted",
    "vmm.caps-bounding",
    "vmm.no-new-privs",
    "vmm.seccomp-all-threads",
    "vmm.seccomp-vcpus",
    "vmm.mount-ns",
    "vmm.ipc-ns",
    "vmm.uts-ns",
    "vmm.fd-allowlist",
    "vmm.fd-folders",
    "vmm.fd-host-files",
    "vmm.loader-clean",
    "vmm.rlimit-core",
    "vmm.output-bounded",
    "vmm.shared-memory-closed",
    "storage.image-perms",
    "storage.pool-dir",
    "storage.backing-chain",
    "storage.backing-format",
    "storage.backing-perms",
    "memory.guest-ram-nodump",
];

#[test]
fn a_root_vm_without_walls_is_told_apart_from_a_good_one() {
    if let Some(why) = qemu::missing().or_else(not_root) {
        skip!("{why}");
    }
    let folder = folder();
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    let (writable, leading) = (open.join("writable.img"), open.join("leading.qcow2"));
    image(&writable, 0o666);
    overlay(&leading, "/etc/hostname", None);
    let memory = folder.path().join("memory");
    let bad = Qemu::builder().name("bad").program(bad_launcher(folder.path())).sandbox_options("off");
    let bad = bad
        .machine("pc,memory-backend=m")
        .arg("-object")
        .arg(format!("memory-backend-file,id=m,size=16M,mem-path={},share=on", memory.display()));
    let bad = bad.arg("-drive").arg(format!("file={},format=raw,if=virtio", writable.display()));
    let bad = bad.arg("-drive").arg(format!("file={},format=qcow2,if=virtio", leading.display()));
    let bad = started(bad);

    let good = Qemu::builder().name("good").program(good_launcher(folder.path())).disk_mib(1).sandbox();
    let good = started(good.machine("pc,dump-guest-core=off,mem-merge=off"));
    let cgroups = own_cgroups(good.pid());

    let found = Found::look(&[bad.pid(), good.pid()]);
    found.has(bad.pid(), Verdict::Fail, PLANTED);
    found.has_not(good.pid(), Verdict::Fail, PLANTED);
    found.has(
        good.pid(),
        Verdict::Pass,
        &[
            "vmm.uid-nonroot",
            "vmm.uid-unique",
            "vmm.caps-empty",
            "vmm.caps-permitted",
            "vmm.caps-inheritable",
            "vmm.caps-ambient",
            "vmm.caps-bounding",
            "vmm.no-new-privs",
            "vmm.seccomp-all-threads",
            "vmm.seccomp-vcpus",
            "vmm.fd-allowlist",
            "vmm.fd-folders",
            "vmm.fd-host-files",
            "vmm.exe-current",
            "vmm.exe-perms",
            "vmm.exe-parents",
            "vmm.libraries-current",
            "vmm.elf-hardening",
            "vmm.not-traced",
            "vmm.rlimits",
            "vmm.output-bounded",
            "vmm.ptrace-reach",
            "memory.guest-ram-nodump",
            "memory.ksm-vm-optin",
            "storage.image-perms",
            "storage.image-owner",
            "storage.image-acl",
            "storage.mounted-on-host",
            "storage.shared-writable",
        ],
    );
    found.has(bad.pid(), Verdict::Fail, &["vmm.cgroup-leaf"]);
    if !cgroups.is_empty() {
        found.has(good.pid(), Verdict::Pass, &["vmm.memory-limit", "vmm.pids-limit"]);
        found.has(bad.pid(), Verdict::Fail, &["vmm.memory-limit", "vmm.pids-limit"]);
    }
}

/// Memory and thread limits, where v1 hierarchies are mounted.
fn own_cgroups(pid: u32) -> Vec<Cgroup> {
    let make = |controller: &str, file: &str, limit: &str| {
        let cgroup = Cgroup::v1(controller, &format!("bartizan-checks-{pid}")).ok()?;
        cgroup.write(file, limit).unwrap();
        cgroup.add(pid).unwrap();
        Some(cgroup)
    };
    let cgroups = [make("memory", "memory.limit_in_bytes", "1073741824"), make("pids", "pids.max", "100")];
    if cgroups.iter().any(Option::is_none) { Vec::new() } else { cgroups.into_iter().flatten().collect() }
}

#[test]
fn an_image_that_two_vms_write_is_found_on_both_by_whatever_name() {
    if let Some(why) = qemu::missing() {
        skip!("{why}");
    }
    let folder = folder();
    let (first, second) = (folder.path().join("a.img"), folder.path().join("b.img"));
    image(&first, 0o600);
    fs::hard_link(&first, &second).unwrap();
    let base = folder.path().join("base.img");
    image(&base, 0o600);
    let start = |name: &str, path: &Path, base_mode: &str| {
        let vm = Qemu::builder().name(name);
        let vm = vm.arg("-drive").arg(format!(
            "driver=raw,file.driver=file,file.filename={},file.locking=off,if=virtio",
            path.display()
        ));
        let base = format!(
            "driver=raw,file.driver=file,file.filename={},file.locking=off,if=virtio,{base_mode}",
            base.display()
        );
        started(vm.arg("-drive").arg(base))
    };
    let one = start("one", &first, "readonly=on");
    let two = start("two", &second, "readonly=off");
    let alone = started(Qemu::builder().name("alone").disk_mib(1));
    let found = Found::look(&[one.pid(), two.pid(), alone.pid()]);
    for vm in [&one, &two] {
        found.has(vm.pid(), Verdict::Fail, &["storage.shared-writable", "storage.shared-read"]);
    }
    assert!(found.of(one.pid(), "storage.shared-writable").reason().contains("two"));
    found.has(alone.pid(), Verdict::Pass, &["storage.shared-writable", "storage.shared-read"]);
}

#[test]
fn a_good_overlay_passes_and_a_base_that_is_written_does_not() {
    if let Some(why) = qemu::missing() {
        skip!("{why}");
    }
    let folder = folder();
    let (top, base) = (folder.path().join("top.qcow2"), folder.path().join("base.img"));
    image(&base, 0o440);
    overlay(&top, "base.img", Some("raw"));
    let drive = |vm: qemu::Builder| {
        vm.arg("-drive").arg(format!("file={},format=qcow2,if=virtio,file.locking=off", top.display()))
    };
    let good = started(drive(Qemu::builder().name("overlay")));
    let rules = ["storage.backing-chain", "storage.backing-format", "storage.backing-readonly"];
    Found::look(&[good.pid()]).has(good.pid(), Verdict::Pass, &rules);
    drop(good);
    fs::set_permissions(&base, Permissions::from_mode(0o640)).unwrap();
    let bad = drive(Qemu::builder().name("base-written"));
    let bad = bad.arg("-drive").arg(format!(
        "driver=raw,file.driver=file,file.filename={},file.locking=off,if=virtio",
        base.display()
    ));
    let bad = started(bad);
    Found::look(&[bad.pid()]).has(bad.pid(), Verdict::Fail, &["storage.backing-readonly"]);
}

#[test]
fn a_tracer_is_found_while_it_is_there() {
    if let Some(why) = qemu::missing() {
        skip!("{why}");
    }
    let vm = started(Qemu::builder().name("traced"));
    Found::look(&[vm.pid()]).has(vm.pid(), Verdict::Pass, &["vmm.not-traced"]);
    let pid = i32::try_from(vm.pid()).unwrap();
    // SAFETY: integers and null pointers; the kernel touches no memory of ours.
    let seized =
        unsafe { libc::ptrace(PTRACE_SEIZE, pid, std::ptr::null_mut::<u8>(), std::ptr::null_mut::<u8>()) };
    if seized != 0 {
        skip!("ptrace: {}", std::io::Error::last_os_error());
    }
    Found::look(&[vm.pid()]).has(vm.pid(), Verdict::Fail, &["vmm.not-traced"]);
}

#[test]
fn a_vmm_that_was_replaced_and_one_that_others_may_write_are_found() {
    if let Some(why) = qemu::missing() {
        skip!("{why}");
    }
    let folder = folder();
    let program = folder.path().join("qemu-system-x86_64");
    fs::copy(program_of("qemu-system-x86_64"), &program).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o777)).unwrap();
    let vm = started(Qemu::builder().name("replaced").program(&program));
    let found = Found::look(&[vm.pid()]);
    found.has(vm.pid(), Verdict::Fail, &["vmm.exe-perms"]);
    found.has(vm.pid(), Verdict::Pass, &["vmm.exe-current"]);
    // Named like the package's, and not where the package has it: nothing is known of it.
    found.has(vm.pid(), Verdict::Unknown, &["vmm.exe-integrity"]);
    fs::remove_file(&program).unwrap();
    Found::look(&[vm.pid()]).has(vm.pid(), Verdict::Fail, &["vmm.exe-current"]);
}

fn program_of(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.exists());
    found.unwrap()
}

#[test]
fn a_program_that_nobody_knows_and_a_firecracker_without_a_jail_are_found() {
    if let Some(why) = minivmm::missing() {
        skip!("{why}");
    }
    let unknown = MiniVmm::builder().shape(Shape::Unknown).name("unknown").start().unwrap();
    let micro = MiniVmm::builder().shape(Shape::Firecracker).name("fc").start().unwrap();
    let found = Found::look(&[unknown.pid(), micro.pid()]);
    found.has(0, Verdict::Fail, &["vmm.unknown-kvm-user"]);
    assert!(found.of(0, "vmm.unknown-kvm-user").reason().contains("unknown-vmm"));
    found.has(micro.pid(), Verdict::Fail, &["vmm.jail-root", "vmm.jail-namespaces", "vmm.rlimit-fsize"]);
    found.has(unknown.pid(), Verdict::NotApplicable, &["vmm.jail-root"]);
}

#[test]
fn a_change_of_an_images_mode_is_seen_within_two_seconds() {
    if let Some(why) = qemu::missing() {
        skip!("{why}");
    }
    let vm = started(Qemu::builder().name("chmod").disk_mib(1));
    let disk = &vm.disks()[0];
    fs::set_permissions(disk, Permissions::from_mode(0o600)).unwrap();
    let mut checker = checker(&[vm.pid()]);
    while checker.work(u64::MAX) {}
    let verdict =
        |checker: &Checker| Found(checker.board().findings()).of(vm.pid(), "storage.image-perms").verdict;
    assert_eq!(verdict(&checker), Verdict::Pass);
    fs::set_permissions(disk, Permissions::from_mode(0o644)).unwrap();
    let since = Instant::now();
    while verdict(&checker) != Verdict::Fail {
        assert!(since.elapsed() < Duration::from_secs(2), "not seen");
        let mut fds = [PollFd::new(checker.fd().unwrap(), PollFlags::POLLIN)];
        poll(&mut fds, 100_u16).unwrap();
        while checker.work(u64::MAX) {}
    }
}

#[test]
fn a_vm_that_ends_is_no_finding_and_no_panic() {
    if let Some(why) = minivmm::missing() {
        skip!("{why}");
    }
    let vm = MiniVmm::builder().name("short").start().unwrap();
    let pid = vm.pid();
    let mut checker = checker(&[pid]);
    vm.kill9();
    while checker.work(u64::MAX) {}
    let found = Found(checker.board().findings());
    for rule in ["vmm.uid-nonroot", "vmm.seccomp-all-threads", "vmm.caps-empty", "vmm.not-traced"] {
        let finding = found.of(pid, rule);
        assert_eq!(finding.verdict, Verdict::Unknown, "{rule}");
        assert!(finding.reason().contains("ended"), "{rule}: {}", finding.reason());
    }
}

fn not_root() -> Option<String> {
    (!nix::unistd::geteuid().is_root()).then(|| "needs root to run a VM as another user".to_owned())
}
