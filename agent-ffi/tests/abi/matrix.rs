//! The headers in every standard of C and C++ that the compilers here know, every warning an error; and what the
//! compilers make of the structs.

use crate::generated::root;
use crate::toolchain::{has, succeeded};
use bartizan::layout::LAYOUTS;
use bartizan_testkit::skip;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::process::{Command, Output, Stdio};

const WARNINGS: &[&str] = &[
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-Wundef",
    "-Wshadow",
    "-Wconversion",
    "-Wsign-conversion",
];

fn compile(compiler: &str, language: &str, standard: &str, text: &str) -> Output {
    let mut child = Command::new(compiler)
        .args(["-fsyntax-only", &format!("-std={standard}"), "-x", language])
        .args(WARNINGS)
        .arg("-I")
        .arg(root().join("include"))
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the compiler runs");
    // A compiler that does not know the standard may be gone before it has read anything; its status tells.
    match child.stdin.take().expect("a pipe").write_all(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written.expect("the compiler reads"),
    }
    child.wait_with_output().expect("the compiler ends")
}

/// Compiles a text in every standard; those that a compiler does not know are told and left out.
fn in_all(compilers: &[&str], language: &str, standards: &[&str], text: &str) {
    let mut compiled = 0;
    let mut unknown = Vec::new();
    for compiler in compilers.iter().filter(|compiler| has(compiler)) {
        for standard in standards {
            if !compile(compiler, language, standard, "int nothing(void);").status.success() {
                unknown.push(format!("{compiler} knows no -std={standard}"));
                continue;
            }
            succeeded(&format!("{compiler} -std={standard}"), &compile(compiler, language, standard, text));
            compiled += 1;
        }
    }
    eprintln!("{compiled} combinations compiled; {}", unknown.join(", "));
    if compiled == 0 {
        skip!("no compiler for {language}: none of {compilers:?} runs");
    }
}

const C: &[&str] = &["c89", "gnu89", "iso9899:199409", "c99", "c11", "c17", "c2x", "c23", "gnu17"];
const CXX: &[&str] = &["c++98", "c++03", "c++11", "c++14", "c++17", "c++20", "c++2b", "c++23", "gnu++17"];

/// Includes the header twice and uses every initialiser.
fn user() -> String {
    let mut text =
        String::from("#include <bartizan.h>\n#include <bartizan.h>\nint use(void);\nint use(void) {\n");
    for layout in LAYOUTS.iter().filter(|layout| layout.fields[0].name == "struct_size") {
        let _ = writeln!(text, "    {0} {0}_made = {1}_INIT;", layout.name, layout.name.to_uppercase());
    }
    text.push_str("    btz_entity host = BTZ_ENTITY_HOST, self = BTZ_ENTITY_AGENT;\n    return host != self");
    for layout in LAYOUTS.iter().filter(|layout| layout.fields[0].name == "struct_size") {
        let _ = write!(text, " && {0}_made.struct_size == sizeof({0})", layout.name);
    }
    text.push_str(" && BTZ_NO_VALUE < 0 && BTZ_METRIC_VM_CPU_USER > 0;\n}\n");
    text
}

#[test]
fn the_header_compiles_in_every_standard_of_c() {
    in_all(&["gcc", "clang"], "c", C, &user());
}

#[test]
fn the_header_compiles_in_every_standard_of_cxx() {
    in_all(&["g++", "clang++"], "c++", CXX, &user());
}

#[test]
fn the_cxx_header_compiles_from_cxx17_on() {
    let text = "#include <bartizan.hpp>\n#include <bartizan.hpp>\nint use(); int use() { return 0; }\n";
    in_all(&["g++", "clang++"], "c++", &["c++17", "gnu++17", "c++20", "c++2b", "c++23"], text);
}

#[test]
fn c_and_rust_agree_on_every_offset() {
    let mut text = String::from("#include <bartizan.h>\n");
    let mut assert = |name: String, condition: String| {
        let _ = writeln!(text, "typedef char {name}[({condition}) ? 1 : -1];");
    };
    for layout in LAYOUTS {
        let name = layout.name;
        assert(format!("size_of_{name}"), format!("sizeof({name}) == {}", layout.size));
        for field in layout.fields {
            let condition = format!(
                "offsetof({name}, {0}) == {1} && sizeof((({name} *)0)->{0}) == {2}",
                field.name, field.offset, field.size
            );
            assert(format!("at_{name}_{}", field.name), condition);
        }
    }
    in_all(&["gcc", "clang"], "c", &["c89", "c17"], &text);
}
