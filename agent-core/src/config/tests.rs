//! Every kind of mistake, and what is said of it.

use super::*;
use std::fs;
use std::path::Path;

fn said(text: &str) -> String {
    Config::from_toml(text, Some(Path::new("b.toml"))).expect_err(text).to_string()
}

#[test]
fn every_kind_of_mistake_is_told_with_its_place_and_cure() {
    let table: &[(&str, &str)] = &[
        ("[sampling]\ninterval = 5\n", "b.toml:2:1: unknown key `interval`; known here: "),
        (
            "[sampling]\ninterval_sm = 5\n",
            "b.toml:2:1: unknown key `interval_sm`; did you mean `interval_ms`?",
        ),
        ("[smapling]\ninterval_ms = 50\n", "b.toml:1:2: unknown key `smapling`; did you mean `sampling`?"),
        ("interval_ms = 50\n", "b.toml:1:1: unknown key `interval_ms`; it belongs in [sampling]"),
        ("[roots]\nrules_off = []\n", "b.toml:2:1: unknown key `rules_off`; it belongs above all sections"),
        (
            "[sampling]\ninterval_ms = 5\n",
            "b.toml:2:15: `sampling.interval_ms` is 5; allowed are 10 to 60000",
        ),
        ("[sampling]\ninterval_ms = 60_001\n", "b.toml:2:15: `sampling.interval_ms` is 60001; allowed"),
        ("[limits]\nvms = 0\n", "b.toml:2:7: `limits.vms` is 0; allowed are 1 to 65536"),
        (
            "[sampling]\ninterval_ms = \"1s\"\n",
            "b.toml:2:15: `sampling.interval_ms`: a whole number from 0 to 4294967295 is expected here, \
             not string \"1s\"",
        ),
        ("[sampling]\ninterval_ms = -1\n", "b.toml:2:15: `sampling.interval_ms`: a whole number from 0 to"),
        ("[sampling]\ninterval_ms = 1e3\n", "b.toml:2:15: `sampling.interval_ms`: a whole number from 0 to"),
        (
            "[sampling]\nperf_events = 1\n",
            "b.toml:2:15: `sampling.perf_events`: true or false is expected here",
        ),
        ("sampling = 3\n", "b.toml:1:12: `sampling`: a table: a [section] or { ... } is expected here"),
        ("rules_off = \"x\"\n", "b.toml:1:13: `rules_off`: an array: [ ... ] is expected here"),
        (
            "[sampling]\nkvm_tier = \"stats_fd\"\n",
            "b.toml:2:12: `sampling.kvm_tier`: \"stats_fd\" is not one of auto, bpf, stats-fd, debugfs, qmp, off; \
             did you mean \"stats-fd\"?",
        ),
        (
            "[roots]\nproc = \"proc\"\n",
            "b.toml:2:8: `roots.proc` is \"proc\"; an absolute path is expected here",
        ),
        (
            "[[discovery.tenant]]\nfrom = \"name\"\npattern = \"*\"\n",
            "b.toml:3:11: `discovery.tenant.pattern` is \"*\"; it must contain {tenant} once",
        ),
        (
            "[[discovery.tenant]]\nfrom = \"name\"\n",
            "b.toml:1:1: `discovery.tenant`: the key `pattern` is missing",
        ),
        ("[sampling]\n[sampling]\n", "b.toml:2:2: this is not TOML: duplicate key"),
        ("a = \n", "b.toml:1:5: this is not TOML: "),
        ("a = 'x\n", "b.toml:1:"),
        ("# ünïcode\nx = 1\n", "b.toml:2:1: unknown key `x`; known here: limits, sampling"),
        ("limits = { \"ü\" = 1, vmz = 1 }\n", "b.toml:1:21: unknown key `vmz`; did you mean `vms`?"),
        ("[[rules]]\nname = \"a\"\n[[rules]]\nname = \"a\"\n", "b.toml:4:8: a second rule named \"a\""),
    ];
    for (text, expected) in table {
        let said = said(text);
        assert!(
            said.lines().any(|line| line.starts_with(expected)),
            "{text}\n  said      {said}\n  expected  {expected}"
        );
    }
}

#[test]
fn several_mistakes_are_told_at_once_and_in_order() {
    let said = said("[sampling]\ninterval_sm = 1\nperf_events = 3\n[limits]\nvmz = 1\n");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    for (line, place) in lines.iter().zip(["b.toml:2:1: ", "b.toml:3:15: ", "b.toml:5:1: "]) {
        assert!(line.starts_with(place), "{said}");
    }
}

#[test]
fn mistakes_are_bounded() {
    let text: String =
        (0..500).flat_map(|index| ["x".to_owned(), index.to_string(), " = 1\n".to_owned()]).collect();
    let error = Config::from_toml(&text, None).expect_err("unknown keys");
    assert_eq!(error.mistakes().count(), MISTAKES_MAX);
    assert!(error.to_string().starts_with("configuration:1:1: "));
}

#[test]
fn deep_nesting_and_huge_texts_are_refused() {
    let deep = format!("x = {}1{}\n", "[".repeat(60), "]".repeat(60));
    assert!(said(&deep).contains("levels"), "{}", said(&deep));
    let deeper = format!("x = {}\n", "[".repeat(100_000));
    assert!(Config::from_toml(&deeper, None).is_err());
    let huge = "#".repeat(usize::try_from(FILE_BYTES_MAX).expect("fits") + 1);
    assert!(said(&huge).contains("larger than"));
}

#[test]
fn the_defaults_are_valid_and_survive_being_written_and_read() {
    Config::default().validate().expect("valid");
    let text = Config::default().to_toml();
    let read = Config::from_toml(&text, None).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(read, Config::default());
    assert_eq!(Config::from_toml("", None).expect("empty"), Config::default());
}

#[test]
fn the_fingerprint_is_of_the_meaning_not_of_the_text() {
    let one =
        Config::from_toml("[sampling]\ninterval_ms = 500\n[budget]\ncpu_permille = 9\n", None).expect("one");
    let same = Config::from_toml("budget.cpu_permille=9 # x\nsampling.interval_ms=500", None).expect("same");
    let other = Config::from_toml("[sampling]\ninterval_ms = 501\n", None).expect("other");
    assert_eq!(fingerprint(&one), fingerprint(&same));
    assert_ne!(fingerprint(&one), fingerprint(&other));
}

#[test]
fn every_range_refuses_what_is_just_outside_of_it() {
    for range in RANGES {
        let set = |value: u64| Config::from_toml(&format!("{} = {value}\n", range.key), None);
        set(u64::from(range.min)).unwrap_or_else(|error| panic!("{error}"));
        set(u64::from(range.max)).unwrap_or_else(|error| panic!("{error}"));
        assert!(set(u64::from(range.max) + 1).is_err(), "{}", range.key);
        if range.min > 0 {
            assert!(set(u64::from(range.min) - 1).is_err(), "{}", range.key);
        }
    }
}

#[test]
fn every_whole_number_has_a_range() {
    let defaults = toml::Table::try_from(Config::default()).expect("a table");
    for (section, values) in &defaults {
        for (key, value) in values.as_table().into_iter().flatten() {
            let path = format!("{section}.{key}");
            assert_eq!(value.is_integer(), RANGES.iter().any(|range| range.key == path), "{path}");
        }
    }
}

#[test]
fn drop_ins_are_merged_by_key_and_in_order() {
    let folder = tempfile::tempdir().expect("tempdir");
    let main = folder.path().join("bartizan.toml");
    let drop_ins = folder.path().join("bartizan.toml.d");
    fs::create_dir(&drop_ins).expect("mkdir");
    fs::write(&main, "rules_off = [\"vm-gone\"]\n[sampling]\ninterval_ms = 500\nslow_every_ticks = 7\n")
        .expect("write");
    fs::write(drop_ins.join("20-b.toml"), "[sampling]\ninterval_ms = 300\n").expect("write");
    fs::write(drop_ins.join("10-a.toml"), "[sampling]\ninterval_ms = 200\n[limits]\nvms = 9\n")
        .expect("write");
    fs::write(drop_ins.join(".hidden.toml"), "nonsense").expect("write");
    fs::write(drop_ins.join("readme.txt"), "nonsense").expect("write");
    let config = Config::load(&main).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.sampling.interval_ms, 300);
    assert_eq!(config.sampling.slow_every_ticks, 7);
    assert_eq!(config.limits.vms, 9);
    assert_eq!(config.rules_off, ["vm-gone"]);

    fs::write(drop_ins.join("30-c.toml"), "\n\n[sampling]\ninterval_ms = 3\n").expect("write");
    let said = Config::load(&main).expect_err("out of range").to_string();
    assert!(said.contains("30-c.toml:4:15: `sampling.interval_ms` is 3"), "{said}");
    fs::write(drop_ins.join("40-d.toml"), "[sampling]\nintervall_ms = 3\n").expect("write");
    let said = Config::load(&main).expect_err("unknown key").to_string();
    assert!(
        said.contains("40-d.toml:2:1: unknown key `intervall_ms`; did you mean `interval_ms`?"),
        "{said}"
    );
}

#[test]
fn files_that_are_none_are_refused_with_their_name() {
    let folder = tempfile::tempdir().expect("tempdir");
    let at = |name: &str| folder.path().join(name);
    let said = |name: &str| Config::load(&at(name)).expect_err(name).to_string();
    assert!(said("missing.toml").contains("missing.toml: cannot be read"), "{}", said("missing.toml"));
    fs::create_dir(at("folder.toml")).expect("mkdir");
    assert!(said("folder.toml").contains("folder.toml: is a folder"), "{}", said("folder.toml"));
    nix::unistd::mkfifo(&at("pipe.toml"), nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    assert!(said("pipe.toml").contains("pipe.toml: is not a regular file"), "{}", said("pipe.toml"));
    fs::write(at("latin.toml"), b"# fine\nx = \"\xe9\"\n").expect("write");
    assert!(said("latin.toml").contains("latin.toml:2:6: is not UTF-8"), "{}", said("latin.toml"));
    let huge = vec![b'#'; usize::try_from(FILE_BYTES_MAX).expect("fits") + 1];
    fs::write(at("huge.toml"), huge).expect("write");
    assert!(said("huge.toml").contains("huge.toml: is larger than 1048576 bytes"), "{}", said("huge.toml"));
    fs::write(at("plain.toml"), "").expect("write");
    fs::write(at("plain.toml.d"), "").expect("write");
    assert!(
        said("plain.toml").contains("plain.toml.d: the drop-ins cannot be listed"),
        "{}",
        said("plain.toml")
    );
}

const EXAMPLE: &str = include_str!("../../../examples/daemon/bartizan.toml");

#[test]
fn the_example_parses_and_shows_every_key_with_its_default() {
    let shown = Config::from_toml(EXAMPLE, None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(shown, Config::default(), "as it is shipped, the example changes nothing");
    // A default is a line that begins with `#` and no space.
    let uncommented: String = EXAMPLE
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '#'])).unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    let config =
        Config::from_toml(&uncommented, None).unwrap_or_else(|error| panic!("{error}\n{uncommented}"));
    assert_eq!(config, Config::default());
    let table: toml::Table = toml::from_str(&uncommented).expect("a table");
    for (section, values) in toml::Table::try_from(Config::default()).expect("a table") {
        for key in values.as_table().into_iter().flat_map(toml::Table::keys) {
            assert!(table.get(&section).is_some_and(|shown| shown.get(key).is_some()), "{section}.{key}");
        }
    }
}
