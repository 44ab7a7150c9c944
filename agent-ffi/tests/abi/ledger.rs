//! C and C++ programs that record, read, prove and verify: plainly, under sanitizers, under valgrind, and on a full disk.

use crate::programs::{run, under_valgrind};
use crate::toolchain::Linked;
use bartizan_testkit::skip;
use std::process::Command;
use tempfile::TempDir;

const C: &[&str] = &["-std=gnu11"];
const SANITIZED: &[&str] = &["-std=gnu11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
const CXX: &[&str] = &["-std=c++17"];
const CXX_SANITIZED: &[&str] = &["-std=c++17", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

fn in_a_folder(compilers: [&str; 2], source: &str, flags: &[&str], more: &[&str]) {
    let mut ran = 0;
    for compiler in compilers {
        let linked = Linked::new();
        if let Some(program) = linked.compile(compiler, source, flags) {
            let folder = TempDir::new().expect("a folder");
            let path = folder.path().to_str().expect("UTF-8");
            run(&program, &[&[path], more].concat());
            ran += 1;
        }
    }
    if ran == 0 {
        skip!("none of {compilers:?} runs");
    }
}

#[test]
fn a_c_program_records_reads_proves_and_verifies() {
    in_a_folder(["gcc", "clang"], "c/ledger.c", C, &["100"]);
}

#[test]
fn a_c_program_records_under_sanitizers() {
    in_a_folder(["gcc", "clang"], "c/ledger.c", SANITIZED, &["10"]);
}

#[test]
fn recording_is_clean_under_valgrind() {
    let folder = TempDir::new().expect("a folder");
    under_valgrind("gcc", "c/ledger.c", C, &[folder.path().to_str().expect("UTF-8"), "3"]);
}

#[test]
fn a_cxx_program_records_reads_proves_and_verifies() {
    in_a_folder(["g++", "clang++"], "cpp/ledger.cpp", CXX, &[]);
    in_a_folder(["g++", "clang++"], "cpp/ledger.cpp", &["-std=c++17", "-fno-exceptions"], &[]);
}

#[test]
fn a_cxx_program_records_under_sanitizers() {
    in_a_folder(["g++", "clang++"], "cpp/ledger.cpp", CXX_SANITIZED, &[]);
}

/// A file system of a megabyte is filled by somebody else, and freed again.
#[test]
fn a_full_disk_is_told_and_left_behind() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs", path]).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        skip!("no file system can be mounted here");
    }
    let linked = Linked::new();
    let outcome = linked
        .compile("gcc", "c/ledger_full.c", C)
        .map(|program| std::panic::catch_unwind(|| run(&program, &[path])));
    let unmounted = Command::new("umount").arg(path).status().expect("umount");
    assert!(unmounted.success());
    let Some(outcome) = outcome else { skip!("gcc does not run") };
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}
