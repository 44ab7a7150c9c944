//! A real fault in a real VM reaches a C and a C++ program as an alert.

use crate::toolchain::Linked;
use bartizan_testkit::guest::Guest;
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::skip;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

const C: (&str, &str, &[&str]) =
    ("gcc", "c/fault.c", &["-std=gnu11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
const CXX: (&str, &str, &[&str]) = ("g++", "cpp/client.cpp", &["-std=c++17"]);

/// The shipped rule for a VMM that ends.
const GONE: &str = "vm-gone";

/// Starts the program, waits until it watches the VM, causes the fault, and returns the alert's line.
fn watch(program: &Path, rule: &str, vm: &str, fault: impl FnOnce()) -> String {
    let mut child = Command::new(program)
        .args([rule, vm])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    let watches = line == "watching\n";
    if watches {
        fault();
        line.clear();
        said.read_line(&mut line).expect("a line");
    }
    let mut errors = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut errors).expect("UTF-8");
    let status = child.wait().expect("it ends");
    assert!(watches && status.success(), "{}: {status}: {line}{errors}", program.display());
    line
}

fn killed((compiler, source, flags): (&str, &str, &[&str]), name: &str) {
    if let Some(why) = minivmm::missing() {
        skip!("no VM can be had: {why}");
    }
    let linked = Linked::new();
    let Some(program) = linked.compile(compiler, source, flags) else { skip!("{compiler} does not run") };
    let vm = MiniVmm::builder().name(name).guest(Guest::Timer).start().expect("a VM");
    let alert = watch(&program, GONE, name, || vm.kill9());
    assert!(alert.contains(GONE) && alert.contains(name), "{alert}");
}

fn spinning((compiler, source, flags): (&str, &str, &[&str]), name: &str) {
    if let Some(why) = minivmm::missing() {
        skip!("no VM can be had: {why}");
    }
    let linked = Linked::new();
    let Some(program) = linked.compile(compiler, source, flags) else { skip!("{compiler} does not run") };
    let vm = MiniVmm::builder().name(name).guest(Guest::Command).start().expect("a VM");
    let spin = bartizan_testkit::guest::Command::Spin;
    let alert = watch(&program, "test-vcpu-busy", name, || vm.tell(spin).expect("the guest listens"));
    assert!(alert.contains("test-vcpu-busy") && alert.contains(name), "{alert}");
}

#[test]
fn a_c_program_hears_of_a_killed_vmm() {
    killed(C, "ffi-c-killed");
}

#[test]
fn a_c_program_hears_of_a_spinning_vcpu() {
    spinning(C, "ffi-c-spin");
}

#[test]
fn a_cxx_program_hears_of_a_killed_vmm() {
    killed(CXX, "ffi-cxx-killed");
}

#[test]
fn a_cxx_program_hears_of_a_spinning_vcpu() {
    spinning(CXX, "ffi-cxx-spin");
}
