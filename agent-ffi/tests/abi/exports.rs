//! What the shared library shows to the world: the committed list of symbols, its name, and nothing else.

use crate::generated::{compare, root};
use crate::toolchain::{built, succeeded};
use std::collections::BTreeSet;
use std::process::Command;

fn run(program: &str, arguments: &[&str]) -> String {
    let library = built().join("libbartizan.so");
    let output = Command::new(program).args(arguments).arg(library).output().expect("binutils are there");
    succeeded(program, &output);
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_library_exports_the_committed_symbols() {
    let mut symbols = String::new();
    for line in run("nm", &["-D", "--defined-only", "--format=posix"]).lines() {
        let symbol = line.split(' ').next().expect("a name");
        symbols.push_str(symbol);
        symbols.push('\n');
    }
    assert!(symbols.lines().all(|symbol| symbol.starts_with("btz_")), "{symbols}");
    compare("bartizan.symbols", &symbols);
}

#[test]
fn the_header_declares_what_the_library_exports() {
    let read = |name: &str| std::fs::read_to_string(root().join("include").join(name)).expect("is committed");
    let (header, symbols) = (read("bartizan.h"), read("bartizan.symbols"));
    let declared: BTreeSet<&str> = header
        .lines()
        .filter(|line| {
            line.contains('(') && !line.starts_with([' ', '/', '#', '*']) && !line.starts_with("typedef")
        })
        .filter_map(|line| line.split('(').next()?.rsplit([' ', '*']).next())
        .collect();
    assert_eq!(declared, symbols.lines().collect());
}

#[test]
fn every_function_and_type_says_since_when_and_every_function_how_it_may_be_called() {
    let header = std::fs::read_to_string(root().join("include/bartizan.h")).expect("is committed");
    let mut items = 0;
    for block in header.split("\n\n").filter(|block| block.starts_with("/*")) {
        let Some((comment, item)) = block.split_once("*/\n") else { continue };
        items += 1;
        assert!(comment.contains("Since: 0."), "no \"Since\" in: {block}");
        if item.starts_with(['b', 'u', 'i', 's', 'c']) && item.contains('(') {
            for part in ["Threads:", "Blocking:"] {
                assert!(comment.contains(part), "no \"{part}\" in: {block}");
            }
        }
    }
    assert!(items > 100, "{items} items found");
}

#[test]
fn the_library_is_named_after_the_abi() {
    let dynamic = run("readelf", &["--dynamic", "--wide"]);
    let name = format!("Library soname: [libbartizan.so.{}]", bartizan::version::BTZ_ABI_MAJOR);
    assert!(dynamic.contains(&name), "{dynamic}");
    assert!(!dynamic.contains("TEXTREL"), "{dynamic}");
}
