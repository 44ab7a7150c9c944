//! Shared by the tests of discovery.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;

/// Makes the tree that a description in `fixtures/vmm` draws: one line a file or link, paths from the root.
///
/// ```text
/// # a comment
/// proc/7/cmdline = firecracker\0--id\0x\0
/// proc/7/fd/9 -> anon_inode:kvm-vm
/// ```
/// `\0`, `\n` and `\t` stand for themselves; every file gets a line feed at its end unless it ends in `\0`.
pub(crate) fn tree(name: &str) -> TempDir {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vmm").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let folder = tempfile::tempdir().expect("a folder");
    grow(folder.path(), &text);
    folder
}

/// Adds what a description draws to a tree.
pub(crate) fn grow(root: &Path, text: &str) {
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let make_parent =
            |path: &Path| fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        if let Some((path, target)) = line.split_once(" -> ") {
            let path = root.join(path);
            make_parent(&path);
            let _ = fs::remove_file(&path);
            symlink(target, &path).unwrap_or_else(|error| panic!("{line}: {error}"));
        } else if let Some((path, content)) = line.split_once(" = ") {
            let path = root.join(path);
            make_parent(&path);
            let mut content = content.replace("\\0", "\0").replace("\\n", "\n").replace("\\t", "\t");
            if !content.ends_with('\0') {
                content.push('\n');
            }
            fs::write(&path, content).unwrap_or_else(|error| panic!("{line}: {error}"));
        } else {
            panic!("not a line of a tree: {line}");
        }
    }
}

/// A QEMU with one disk and one tap, as a description of a tree.
pub(crate) fn qemu_tree(pid: u32, start_ticks: u64, vcpus: u32) -> String {
    use std::fmt::Write as _;
    let rest = " 0".repeat(28);
    let mut text = format!(
        "proc/{pid}/stat = {pid} (qemu-system-x86) S 1 {pid} {pid} 0 -1 138412416 1 0 0 0 5 3 0 0 20 0 3 0 \
         {start_ticks} 900 100{rest}\n\
         proc/{pid}/status = Name:\\tqemu-system-x86\\nTgid:\\t{pid}\\nPid:\\t{pid}\n\
         proc/{pid}/comm = qemu-system-x86\n\
         proc/{pid}/cmdline = /usr/bin/qemu-system-x86_64\\0-name\\0guest=vm{pid},debug-threads=on\\0-drive\\0\
         file=/images/{pid}.raw,if=virtio\\0-netdev\\0tap,id=n,ifname=tap{pid}\\0\n\
         proc/{pid}/cgroup = 0::/machine/{pid}\n\
         proc/{pid}/task/{pid}/comm = qemu-system-x86\n\
         proc/{pid}/fd/11 -> anon_inode:kvm-vm\n"
    );
    for index in 0..vcpus {
        let (tid, fd) = (pid + 1 + index, 20 + index);
        let _ = writeln!(text, "proc/{pid}/task/{tid}/comm = CPU {index}/KVM");
        let _ = writeln!(text, "proc/{pid}/fd/{fd} -> anon_inode:kvm-vcpu:{index}");
    }
    text
}
