//! C and C++ programs that embed the library: plainly, under sanitizers, and under valgrind.

use crate::generated::root;
use crate::toolchain::{Linked, has, succeeded};
use bartizan_testkit::skip;
use std::path::Path;
use std::process::Command;

const C: &str = "-std=gnu11";
const CXX: &str = "-std=c++17";
const SANITIZED: &[&str] = &[C, "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

pub(crate) fn run(program: &Path, arguments: &[&str]) {
    // A leak that LeakSanitizer finds fails the program.
    let output = Command::new(program)
        .args(arguments)
        .env("TSAN_OPTIONS", "halt_on_error=1:ignore_noninstrumented_modules=1")
        .output()
        .expect("it runs");
    succeeded(&format!("{} {arguments:?}", program.display()), &output);
    assert!(
        output.stderr.is_empty(),
        "something was written to standard error: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Compiles and runs a program with each of two compilers.
fn with_both(compilers: [&str; 2], source: &str, flags: &[&str], arguments: &[&str]) {
    let mut ran = 0;
    for compiler in compilers {
        let linked = Linked::new();
        if let Some(program) = linked.compile(compiler, source, flags) {
            run(&program, arguments);
            ran += 1;
        }
    }
    if ran == 0 {
        skip!("none of {compilers:?} runs");
    }
}

#[test]
fn a_c_program_uses_everything_once() {
    with_both(["gcc", "clang"], "c/basic.c", &[C], &[]);
}

#[test]
fn a_c_program_uses_everything_once_under_sanitizers() {
    with_both(["gcc", "clang"], "c/basic.c", SANITIZED, &[]);
}

#[test]
fn misuse_is_answered_with_error_codes() {
    with_both(["gcc", "clang"], "c/misuse.c", &[C], &[]);
}

/// And it says what that costs; the figures of a release build stand in SPECIFICATION.md.
#[test]
fn the_library_can_be_loaded_at_run_time() {
    let linked = Linked::new();
    let Some(program) = linked.compile("gcc", "c/footprint.c", &[C]) else { skip!("gcc does not run") };
    let library = crate::toolchain::built().join("libbartizan.so");
    run(&program, &[library.to_str().expect("UTF-8")]);
}

#[test]
fn memory_that_cannot_be_had_is_an_error() {
    with_both(["gcc", "clang"], "c/memory.c", &[C], &[]);
}

#[test]
fn misuse_is_answered_with_error_codes_under_sanitizers() {
    with_both(["gcc", "clang"], "c/misuse.c", SANITIZED, &[]);
}

#[test]
fn a_hundred_cycles_leave_nothing_behind() {
    with_both(["gcc", "clang"], "c/cycles.c", &[C], &["100"]);
}

#[test]
fn children_of_a_fork_are_refused() {
    with_both(["gcc", "clang"], "c/fork.c", &[C], &[]);
}

#[test]
fn threads_exclude_each_other_or_work_side_by_side() {
    with_both(["gcc", "clang"], "c/threads.c", &[C], &[]);
}

/// The library itself is not instrumented: this sees what the program and the C library do with what it hands out.
#[test]
fn threads_under_thread_sanitizer() {
    with_both(["gcc", "clang"], "c/threads.c", &[C, "-fsanitize=thread"], &[]);
}

#[test]
fn a_cxx_program_uses_everything_once() {
    with_both(["g++", "clang++"], "cpp/client.cpp", &[CXX], &[]);
    with_both(["g++", "clang++"], "cpp/client.cpp", &[CXX, "-fno-exceptions"], &[]);
}

#[test]
fn a_cxx_program_uses_everything_once_under_sanitizers() {
    with_both(
        ["g++", "clang++"],
        "cpp/client.cpp",
        &[CXX, "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
        &[],
    );
}

#[test]
fn a_panic_faults_the_agent_and_not_the_host() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--package", "bartizan-ffi", "--example", "bartizan_hooked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    succeeded("cargo build", &built);
    let target = crate::toolchain::built().parent().expect("a folder").to_path_buf();
    let linked = Linked::with(&target.join("examples/libbartizan_hooked.so"));
    let Some(program) = linked.compile("gcc", "c/panic.c", &[C]) else { skip!("gcc does not run") };
    run(&program, &[]);
}

/// Runs a program under memcheck: no error, nothing lost, no descriptor left open.
pub(crate) fn under_valgrind(compiler: &str, source: &str, flags: &[&str], arguments: &[&str]) {
    if !has("valgrind") {
        skip!("valgrind does not run");
    }
    let linked = Linked::new();
    let Some(program) = linked.compile(compiler, source, flags) else { skip!("{compiler} does not run") };
    let output = Command::new("valgrind")
        .args(["--leak-check=full", "--errors-for-leak-kinds=definite,indirect", "--error-exitcode=99"])
        .args(["--track-fds=yes", "--child-silent-after-fork=yes"])
        .arg(&program)
        .args(arguments)
        .output()
        .expect("valgrind runs");
    succeeded(&format!("valgrind {source}"), &output);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("ERROR SUMMARY: 0 errors"), "{said}");
    // A descriptor of our own is followed by where it was opened, an inherited one by these words.
    let mut lines = said.lines();
    while let Some(line) = lines.next() {
        if line.contains("Open file descriptor") || line.contains("Open AF_UNIX socket") {
            let next = lines.next().unwrap_or_default();
            assert!(next.contains("inherited from parent"), "left open: {line}\n{said}");
        }
    }
}

#[test]
fn a_c_program_is_clean_under_valgrind() {
    under_valgrind("gcc", "c/basic.c", &[C], &[]);
}

#[test]
fn misuse_is_clean_under_valgrind() {
    under_valgrind("gcc", "c/misuse.c", &[C], &[]);
}

#[test]
fn cycles_are_clean_under_valgrind() {
    under_valgrind("gcc", "c/cycles.c", &[C], &["3"]);
}

#[test]
fn a_cxx_program_is_clean_under_valgrind() {
    under_valgrind("g++", "cpp/client.cpp", &[CXX], &[]);
}
