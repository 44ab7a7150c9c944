use super::*;
use crate::sampling::monitors::tests::vm_with_disks;
use std::process::{Command, Stdio};

#[test]
fn this_host_is_copied_and_a_secret_in_a_command_line_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let dest = folder.path().join("host");
    // A shell that waits for input, with arguments that it does not look at.
    let mut process = Command::new("sh")
        .args(["-c", "read line", "sh", "user=me,password=hunter2"])
        .env("SECRET", "hunter2")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut vm = vm_with_disks(&[]);
    vm.pid = i32::try_from(process.id()).unwrap();
    let report = record_tree(&Roots::default(), &[vm], &dest).unwrap();
    process.kill().unwrap();
    process.wait().unwrap();

    let roots = Roots::below(&dest);
    assert!(fs::read_to_string(roots.proc.join("stat")).unwrap().starts_with("cpu "));
    assert!(fs::read_to_string(roots.proc.join("meminfo")).unwrap().contains("MemTotal"));
    let process = roots.proc.join(process.id().to_string());
    assert!(fs::read_to_string(process.join("stat")).unwrap().contains("(sh)"));
    let line = fs::read(process.join("cmdline")).unwrap();
    assert_eq!(line, b"sh\0-c\0read line\0sh\0user=me,password=REDACTED\0");
    assert!(fs::symlink_metadata(process.join("fd/0")).unwrap().is_symlink());
    assert!(!process.join("environ").exists() && !process.join("mem").exists());
    assert!(report.files > 100 && report.left_out == 0, "{report:?}");

    let again = record_tree(&Roots::default(), &[], &dest).unwrap_err();
    assert!(again.to_string().contains("not empty"), "{again}");
}

#[test]
fn a_copy_of_a_copy_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    record_tree(&Roots::default(), &[], &first).unwrap();
    record_tree(&Roots::below(&first), &[], &second).unwrap();
    for file in ["proc/stat", "proc/vmstat", "proc/net/dev", "sys/devices/system/cpu/online"] {
        assert_eq!(fs::read(first.join(file)).unwrap(), fs::read(second.join(file)).unwrap(), "{file}");
    }
}

#[test]
fn the_cgroups_of_both_versions_are_found_and_none_outside() {
    let folder = tempfile::tempdir().unwrap();
    let vm = vm_with_disks(&[]);
    let process = folder.path().join(vm.pid.to_string());
    fs::create_dir(&process).unwrap();
    let text = "5:cpu,cpuacct:/vm/a\n3:name=systemd:/s\n2:memory:/../../etc\n0::/machine.slice/a\nnonsense\n";
    fs::write(process.join("cgroup"), text).unwrap();
    let found: Vec<_> =
        cgroups(folder.path(), &vm).into_iter().map(|path| path.to_str().unwrap().to_owned()).collect();
    let wanted = [
        "cpu/vm/a",
        "cpu,cpuacct/vm/a",
        "cpuacct/vm/a",
        "machine.slice/a",
        "systemd/s",
        "unified/machine.slice/a",
    ];
    assert_eq!(found.len(), wanted.len(), "{found:?}");
    assert!(wanted.iter().all(|path| found.iter().any(|found| found == path)), "{found:?}");
}
