//! The rules that come with the agent.

use crate::config::Config;
use crate::detection::{Detector, RuleKind, list, mistakes, shipped};
use std::collections::HashSet;

#[test]
fn every_shipped_rule_compiles_and_says_why_it_is_there() {
    let config = Config::default();
    assert_eq!(mistakes(&config), []);
    let rules = shipped().expect("parses");
    assert!(rules.len() >= 40, "{}", rules.len());
    for rule in &rules {
        assert!(rule.description.len() >= 40 && rule.description.ends_with('.'), "{}", rule.name);
        assert!(!rule.summary.is_empty(), "{}", rule.name);
    }
    let kinds: HashSet<_> = rules.iter().map(|rule| rule.kind).collect();
    assert_eq!(kinds.len(), RuleKind::ALL.len(), "every kind is shown by a shipped rule");
}

#[test]
fn the_list_holds_every_rule_and_says_which_are_off() {
    let config = Config::from_toml("rules_off = [\"vm-gone\"]\n", None).expect("valid");
    let infos = list(&config).expect("lists");
    assert_eq!(infos.len(), shipped().expect("parses").len());
    let off: Vec<_> = infos.iter().filter(|info| !info.enabled).map(|info| info.name.as_str()).collect();
    assert_eq!(off, ["vm-gone"]);
    let detector = Detector::build(&config).expect("builds");
    assert_eq!(detector.rules().count(), infos.len() - 1);
    assert!(detector.rules().all(|(name, ..)| name != "vm-gone"));
}

#[test]
fn memory_is_what_was_foretold() {
    let config = Config::default();
    let bytes = Detector::bytes(&config).expect("valid");
    // Reserved, not touched: a host with few VMs uses a small part of it.
    assert!((4 << 20..64 << 20).contains(&bytes), "{bytes}");
    let small =
        Config::from_toml("[limits]\nvms = 1\nvcpus = 1\nvm_nics = 1\nvm_disks = 1\nseries = 9\n", None)
            .expect("valid");
    assert!(Detector::bytes(&small).expect("valid") < bytes / 4);
}

#[test]
fn every_hysteresis_and_duration_is_longer_than_nothing_where_values_are_noisy() {
    for rule in shipped().expect("parses") {
        if rule.kind == RuleKind::Threshold && rule.name != "vm-stalled" {
            let for_s = rule.for_s.unwrap_or(0.0);
            assert!(for_s >= 2.0 && rule.clear.is_some(), "{}: one odd sample must not alarm", rule.name);
        }
    }
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rules.md");
const BEGIN: &str =
    "<!-- generated: BARTIZAN_BLESS=1 cargo test -p bartizan-core --lib rules_page_lists -->\n";
const END: &str = "<!-- end -->";

fn table() -> String {
    let mut table =
        String::from("| rule | scope | kind | severity | looks at | why |\n|---|---|---|---|---|---|\n");
    for info in list(&Config::default()).expect("lists") {
        let cells = [
            format!("`{}`", info.name),
            info.scope.name().to_owned(),
            info.kind.name().to_owned(),
            info.severity.name().to_owned(),
            if info.kind == RuleKind::UnusualTogether {
                "all signs".to_owned()
            } else if info.metric.is_empty() {
                "the VM's process".to_owned()
            } else {
                format!("`{}`", info.metric)
            },
            info.description.replace('|', "\\|"),
        ];
        table.extend(["| ", &cells.join(" | "), " |\n"]);
    }
    table
}

#[test]
fn the_rules_page_lists_what_is_shipped() {
    let page = std::fs::read_to_string(PAGE).expect("docs/rules.md");
    let (head, rest) = page.split_once(BEGIN).expect("the beginning of the generated part");
    let (shown, tail) = rest.split_once(END).expect("its end");
    if std::env::var_os("BARTIZAN_BLESS").is_some() {
        std::fs::write(PAGE, format!("{head}{BEGIN}{}{END}{tail}", table())).expect("written");
    } else {
        assert!(shown == table(), "docs/rules.md is not what rules.toml says; run the command in it");
    }
}

#[test]
fn every_example_on_the_rules_page_is_a_configuration() {
    let page = std::fs::read_to_string(PAGE).expect("docs/rules.md");
    let examples: Vec<_> =
        page.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("```")).collect();
    assert!(examples.len() >= 4);
    for (example, _) in examples {
        Config::from_toml(example, None).unwrap_or_else(|error| panic!("{error}\n{example}"));
    }
}
