//! Rules that make no sense, and what is said of them.

use crate::config::Config;

#[test]
#[expect(clippy::too_many_lines, reason = "one table, a line or two a mistake")]
fn every_kind_of_mistake_in_a_rule_is_told_with_its_line_and_cure() {
    let wait = "metric = \"vcpu_wait_seconds\"\n";
    let table = [
        ("name = \"Wait\"\nabove = 1\n", wait, "2:8: rule \"Wait\": a name is 1 to 48 lower-case letters"),
        ("name = \"w\"\n", wait, "1:1: rule \"w\": `above` or `below` is missing"),
        ("name = \"w\"\nabove = 1\n", "", "1:1: rule \"w\": `metric` is missing"),
        (
            "name = \"w\"\nabove = 1\n",
            "metric = \"vcpu_wiat_seconds\"\n",
            "4:10: rule \"w\": `metric`: there is no metric \"vcpu_wiat_seconds\"; did you mean \"vcpu_wait_seconds\"?",
        ),
        ("name = \"w\"\nabove = nan\n", wait, "3:9: rule \"w\": `above` is NaN"),
        ("name = \"w\"\nabove = 1\nclear = 2\n", wait, "4:9: rule \"w\": `clear` (2) is on the bad side"),
        (
            "name = \"w\"\nabove = 1\nbelow = 2\n",
            wait,
            "3:9: rule \"w\": `above` (1) is less than `below` (2)",
        ),
        (
            "name = \"w\"\nabove = 1\nsigmas = 2\n",
            wait,
            "4:10: rule \"w\": `sigmas` is for rules of kind baseline, not threshold",
        ),
        (
            "name = \"w\"\nabove = 1\nfor_s = -1\n",
            wait,
            "4:9: rule \"w\": `for_s` is -1; it cannot be negative",
        ),
        (
            "name = \"w\"\nabove = 1\nfor_s = 1e9\n",
            wait,
            "4:9: rule \"w\": `for_s` is 1000000000; allowed are 0 to 604800",
        ),
        (
            "name = \"w\"\nabove = 1\nplus = [\"vm_threads\"]\n",
            wait,
            "4:8: rule \"w\": `plus`: vm_threads is of scope vm",
        ),
        (
            "name = \"w\"\nabove = 1\nplus = [\"vcpu_stalled_seconds\"]\n",
            wait,
            "4:8: rule \"w\": `plus`: a counter and a gauge cannot be added",
        ),
        (
            "name = \"w\"\nabove = 1\nof = \"rate\"\n",
            "metric = \"vm_threads\"\n",
            "4:6: rule \"w\": `of`: vm_threads is a gauge",
        ),
        (
            "name = \"w\"\nkind = \"state\"\n",
            "metric = \"vm_state\"\n",
            "1:1: rule \"w\": a state has either `is` or `is_not`",
        ),
        ("name = \"w\"\nkind = \"change\"\nabove = 1\n", wait, "1:1: rule \"w\": `within_s` is missing"),
        (
            "name = \"w\"\nkind = \"change\"\nabove = -1\nwithin_s = 1\n",
            wait,
            "4:9: rule \"w\": a rise is above 0",
        ),
        ("name = \"w\"\nkind = \"baseline\"\n", wait, "1:1: rule \"w\": `min_change` is missing"),
        ("name = \"w\"\nkind = \"gone\"\n", wait, "4:10: rule \"w\": `metric` is for rules of kind"),
        (
            "name = \"w\"\nkind = \"exhaustion\"\n",
            wait,
            "1:1: rule \"w\": give `above` or `below`: the level at which it is used up",
        ),
        (
            "name = \"w\"\nkind = \"exhaustion\"\nabove = 1\nwindow_s = 60\nhorizon_s = 601\n",
            wait,
            "6:13: rule \"w\": `horizon_s` is 601: a trend over 60 seconds says nothing",
        ),
        (
            "name = \"w\"\nkind = \"standstill\"\n",
            "metric = \"vm_threads\"\n",
            "4:10: rule \"w\": `metric`: vm_threads is a gauge; only a counter has to move",
        ),
        (
            "name = \"w\"\nkind = \"standstill\"\nsuspicion = 0\n",
            wait,
            "4:13: rule \"w\": `suspicion` is 0; it must be above 0",
        ),
        (
            "name = \"w\"\nkind = \"gone\"\ntimes = 9\nwithin_s = 60\n",
            "",
            "4:9: rule \"w\": `times` is 9; allowed are 2 to 8",
        ),
        ("name = \"w\"\nkind = \"gone\"\ntimes = 3\n", "", "1:1: rule \"w\": `within_s` is missing"),
        ("name = \"w\"\nkind = \"gone\"\nwithin_s = 60\n", "", "4:12: rule \"w\": `within_s` needs `times`"),
        (
            "name = \"w\"\nkind = \"spike\"\n",
            wait,
            "3:8: `rules.kind`: \"spike\" is not one of threshold, change",
        ),
        ("name = \"w\"\nabov = 1\n", wait, "3:1: unknown key `abov`; did you mean `above`?"),
        ("above = 1\n", wait, "1:1: `rules`: the key `name` is missing"),
        (
            "name = \"w\"\nabove = 1\nonly_if = { metric = \"vm_state\" }\n",
            wait,
            "4:11: rule \"w\": `only_if`: give `is`, or",
        ),
        (
            "name = \"w\"\nabove = 1\nonly_if = { metric = \"net_receive_bytes\", above = 1 }\n",
            wait,
            "4:11: rule \"w\": `only_if`: net_receive_bytes is",
        ),
    ];
    for (rule, metric, expected) in table {
        let text = format!("[[rules]]\n{rule}{metric}");
        let said = Config::from_toml(&text, None).expect_err(&text).to_string();
        let said = said.strip_prefix("configuration:").unwrap_or(&said);
        assert!(said.starts_with(expected), "{text}\n  said      {said}\n  expected  {expected}");
    }
}

#[test]
fn a_rule_switched_off_must_exist() {
    let said = Config::from_toml("rules_off = [\"vm-gnoe\"]\n", None).expect_err("no such rule").to_string();
    assert!(
        said.contains(":1:14: rules_off \"vm-gnoe\": there is no such rule; did you mean \"vm-gone\"?"),
        "{said}"
    );
}

#[test]
fn names_with_the_state_of_a_rule_that_is_replaced_are_the_shipped_ones() {
    let text = "[[rules]]\nname = \"vm-gone\"\nkind = \"gone\"\nseverity = \"critical\"\n";
    let config = Config::from_toml(text, None).expect("replaces the shipped rule");
    let infos = crate::detection::list(&config).expect("lists");
    let gone: Vec<_> = infos.iter().filter(|info| info.name == "vm-gone").collect();
    assert_eq!(gone.len(), 1);
    assert!(!gone[0].shipped && gone[0].enabled);
    assert_eq!(gone[0].severity, crate::alerts::Severity::Critical);
}
