//! What the checks find reaches C and C++ programs: driven by them, and about a real VM on the agent's own threads. Not
//! under valgrind, which does not know openat2(2): rule files cannot be read there.

use crate::toolchain::{Linked, succeeded};
use bartizan_testkit::guest::Guest;
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::skip;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

type Program = (&'static str, &'static str, &'static [&'static str]);

const C: Program = ("gcc", "c/checks.c", &["-std=gnu11"]);
const C_SANITIZED: Program =
    ("gcc", "c/checks.c", &["-std=gnu11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
const CXX: Program = ("g++", "cpp/client.cpp", &["-std=c++17"]);
const CXX_PLAIN: Program = ("g++", "cpp/client.cpp", &["-std=c++17", "-fno-exceptions"]);

/// A folder with two rules, and the file that one of them is about.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "x").expect("a file");
    mode(&file, 0o600);
    let rules = format!(
        r#"
[[rule]]
id = "own.file"
title = "Others may not read the file"
severity = "high"
runtime = {{ fact = "path.others:{}", eq = 0 }}
rationale = "A test."
remediation = "chmod o= file"

[[rule]]
id = "own.vm"
title = "No VM passes"
severity = "low"
scope = "vm"
runtime = {{ fact = "vms.count", eq = 0 }}
rationale = "A test."
remediation = "None."
"#,
        file.display()
    );
    // Apart from the file: what changes in a folder of rules has them read again.
    fs::create_dir(folder.path().join("rules")).expect("a folder");
    fs::write(folder.path().join("rules/own.toml"), rules).expect("rules");
    folder
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
}

fn driven((compiler, source, flags): Program) {
    let linked = Linked::new();
    let Some(program) = linked.compile(compiler, source, flags) else { skip!("{compiler} does not run") };
    let folder = folder();
    let output = Command::new(&program).arg(folder.path()).output().expect("it runs");
    succeeded(source, &output);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The program is told of the VM, of the chmod and of the VM's end, in this order.
fn told_of_a_vm((compiler, source, flags): Program, first: &[&str], name: &str) {
    if let Some(why) = minivmm::missing() {
        skip!("no VM can be had: {why}");
    }
    let linked = Linked::new();
    let Some(program) = linked.compile(compiler, source, flags) else { skip!("{compiler} does not run") };
    let folder = folder();
    let vm = MiniVmm::builder().name(name).guest(Guest::Timer).start().expect("a VM");
    let mut child = Command::new(&program)
        .args(first)
        .args([folder.path().to_str().expect("UTF-8"), name])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut said = Vec::new();
    let mut vm = Some(vm);
    for line in BufReader::new(child.stdout.take().expect("a pipe")).lines() {
        let line = line.expect("UTF-8");
        match line.as_str() {
            "watching" => mode(&folder.path().join("file"), 0o604),
            "changed" => drop(vm.take()),
            _ => {}
        }
        said.push(line);
    }
    let mut errors = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut errors).expect("UTF-8");
    assert!(child.wait().expect("it ends").success(), "{said:?}: {errors}");
    assert_eq!(said, ["watching", "changed", "gone"], "{errors}");
}

#[test]
fn a_c_program_drives_the_checks() {
    driven(C);
}

#[test]
fn a_c_program_drives_the_checks_under_sanitizers() {
    driven(C_SANITIZED);
}

#[test]
fn a_cxx_program_drives_the_checks() {
    driven(CXX);
    driven(CXX_PLAIN);
}

#[test]
fn a_c_program_is_told_of_a_vm_a_chmod_and_the_vm_s_end() {
    told_of_a_vm(C_SANITIZED, &[], "ffi-c-checked");
}

#[test]
fn a_cxx_program_is_told_of_a_vm_a_chmod_and_the_vm_s_end() {
    told_of_a_vm(CXX, &["checks"], "ffi-cxx-checked");
}
