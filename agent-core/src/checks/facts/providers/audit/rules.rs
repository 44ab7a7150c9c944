//! The audit rules that will be loaded at the next boot: what augenrules(8) makes of `rules.d`, else `audit.rules`.

use super::super::access::texts;
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::audit_rules::{AuditRules, Rule};
use std::sync::Arc;

const FOLDER: &str = "/etc/audit/rules.d";
const FILE: &str = "/etc/audit/audit.rules";

/// `auditd.watches`
pub(super) fn watches(gather: &Gather, _: &str) -> Found {
    told(gather, |all| {
        Value::List(sorted(
            all.rules.iter().filter(|rule| records(rule)).filter_map(|rule| rule.path.clone()),
        ))
    })
}

/// `auditd.syscalls`
pub(super) fn syscalls(gather: &Gather, _: &str) -> Found {
    told(gather, |all| {
        let without_path = all.rules.iter().filter(|rule| records(rule) && rule.path.is_none());
        Value::List(sorted(without_path.flat_map(|rule| rule.system_calls.iter().cloned())))
    })
}

/// `auditd.locked`
pub(super) fn locked(gather: &Gather, _: &str) -> Found {
    told(gather, |all| Value::from(all.enabled.is_some_and(|(enabled, _)| enabled == 2)))
}

/// A watch, or a rule that is not there to leave something out.
fn records(rule: &Rule) -> bool {
    rule.list.is_empty()
        || rule.list.iter().any(|word| word == "always") && rule.list.iter().any(|word| word == "exit")
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn told(gather: &Gather, tell: impl Fn(&AuditRules) -> Value) -> Found {
    let read: Arc<Result<(AuditRules, &str), Unavailable>> = gather.memo("audit rules on disk", |gather| {
        let files = texts(gather, FOLDER, ".rules")?;
        if files.is_empty() {
            return gather.text(FILE).map(|text| (AuditRules::parse(&text), FILE));
        }
        let text: String = files.into_iter().map(|(_, text)| text + "\n").collect();
        Ok((AuditRules::parse(&text), FOLDER))
    });
    match &*read {
        Ok((all, source)) => Found::value(tell(all), *source),
        Err(why) => Found::unavailable(why.clone(), FILE),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    #[test]
    fn the_folder_counts_in_order_and_what_leaves_out_records_nothing() {
        let tree = Tree::new(&[
            (
                "etc/audit/rules.d/10-a.rules",
                "-D\n-w /etc/libvirt -p wa -k virt\n-a never,exit -F path=/etc/shadow\n",
            ),
            (
                "etc/audit/rules.d/20-b.rules",
                "-a always,exit -F arch=b64 -S init_module,finit_module -k modules\n-a exit,never -S mount\n",
            ),
            ("etc/audit/rules.d/99-z.rules", "-e 2\n"),
            ("etc/audit/rules.d/30-c.rules.off", "-w /etc/passwd\n"),
            ("etc/audit/audit.rules", "-w /etc/hosts\n"),
        ]);
        assert_eq!(tree.told(watches, ""), "/etc/libvirt");
        assert_eq!(tree.told(syscalls, ""), "finit_module, init_module");
        assert_eq!(tree.told(locked, ""), "yes");
        let tree = Tree::new(&[("etc/audit/audit.rules", "-w /etc/hosts\n")]);
        assert_eq!((tree.told(watches, ""), tree.told(locked, "")), ("/etc/hosts".into(), "no".into()));
        assert_eq!(Tree::new(&[]).told(watches, ""), "!absent");
    }
}
