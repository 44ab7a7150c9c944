//! The page `docs/checks-catalogue.md`: every shipped check and every fact, from the one place where each is declared.

use bartizan_core::checks::facts::{PROVIDERS, Read, Refresh};
use bartizan_core::checks::{Rule, shipped};
use std::fmt::Write as _;

/// The page. Writing to a String cannot fail, so results are not looked at.
#[must_use]
pub fn markdown() -> String {
    let rules = shipped();
    let of_vms = rules.rules().iter().filter(|rule| rule.scope.name() != "host").count();
    let mut page = format!(
        "# Catalogue of checks and facts\n\n\
         Made by `bartizan check --list --markdown`; not edited by hand. How checks work, and how to add one's own: \
         [checks.md](checks.md).\n\n\
         {} checks, {of_vms} of them on each VM. `bartizan explain ID` tells more of each: what exactly is expected, how \
         it is put right, and where it comes from.\n",
        rules.rules().len(),
    );
    let mut groups: Vec<&str> = Vec::new();
    for rule in rules.rules() {
        if !groups.contains(&rule.group()) {
            groups.push(rule.group());
        }
    }
    for group in groups {
        let of_group: Vec<&Rule> = rules.rules().iter().filter(|rule| rule.group() == group).collect();
        let _ = write!(page, "\n## {group} ({} checks)\n\n", of_group.len());
        let _ = writeln!(
            page,
            "| check | severity | of | facets | what is right | why |\n|---|---|---|---|---|---|"
        );
        for rule in of_group {
            let facets: Vec<&str> = rule.facets().map(|(facet, _)| facet.name()).collect();
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} | {} | {} |",
                rule.id,
                rule.severity.name(),
                rule.scope.name(),
                facets.join(", "),
                cell(&rule.title),
                cell(&rule.rationale)
            );
        }
    }
    let _ = write!(
        page,
        "\n## Facts\n\nWhat rules can compare. A name that takes an argument is written `name:argument`; facts that begin \
         with `vm.` are of one VM.\n\n| fact | of | read again | what |\n|---|---|---|---|\n"
    );
    let mut providers: Vec<_> = PROVIDERS.iter().flat_map(|table| table.iter()).collect();
    providers.sort_by_key(|provider| provider.name);
    for provider in providers {
        let of = match provider.read {
            Read::Host(_) => "host",
            Read::Vm(_) => "VM",
        };
        let again = match provider.refresh {
            Refresh::Paths => "when its files change".to_owned(),
            Refresh::Vms => "when a VM comes or goes".to_owned(),
            Refresh::Seconds(seconds) => format!("every {seconds} s"),
            Refresh::Joined(seconds) => format!("when a VM comes or goes, and every {seconds} s"),
            Refresh::Vm => "after 1 s, 10 s, then every minute".to_owned(),
        };
        let _ = writeln!(page, "| `{}` | {of} | {again} | {} |", provider.name, cell(provider.help));
    }
    page
}

/// A text that cannot break out of its cell.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
