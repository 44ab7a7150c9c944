//! What watches over the integrity of files: AIDE and its like on a schedule, or IMA's appraisal in the kernel.

use super::super::access::texts;
use super::super::libvirt::unit;
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;

const AIDE_DATABASES: [&str; 4] = [
    "/var/lib/aide/aide.db",
    "/var/lib/aide/aide.db.gz",
    "/var/lib/aide/aide.db.zst",
    "/var/lib/aide/aide.db.xz",
];
const AIDE_TIMERS: [&str; 3] = ["dailyaidecheck.timer", "aidecheck.timer", "aide-check.timer"];
const CRON: [&str; 4] = ["/etc/cron.d", "/etc/cron.daily", "/etc/cron.hourly", "/etc/cron.weekly"];

/// `fim.active`
pub(super) fn active(gather: &Gather, _: &str) -> Found {
    match found(gather) {
        Ok(found) => Found::value(Value::List(found), "/var/lib/aide, timers and cron, /proc/cmdline"),
        Err(why) => Found::unavailable(why, "/var/lib/aide"),
    }
}

fn found(gather: &Gather) -> Result<Vec<String>, Unavailable> {
    let mut found = Vec::new();
    let mut database = false;
    for path in AIDE_DATABASES {
        database |= there(gather, path)?;
    }
    if database && scheduled(gather, "aide", &AIDE_TIMERS)? {
        found.push("aide".to_owned());
    }
    if there(gather, "/var/lib/tripwire")? && scheduled(gather, "tripwire", &["tripwire-check.timer"])? {
        found.push("tripwire".to_owned());
    }
    if there(gather, "/var/lib/samhain/samhain_file")? && unit::is_enabled(gather, "samhain.service") {
        found.push("samhain".to_owned());
    }
    match gather.text("/proc/cmdline") {
        Ok(line) => {
            let word = |wanted: &str| line.split_ascii_whitespace().any(|word| word == wanted);
            let policy = line.split_ascii_whitespace().filter_map(|word| word.strip_prefix("ima_policy="));
            let appraises = policy.flat_map(|list| list.split('|')).any(|name| name == "appraise_tcb");
            if word("ima_appraise=enforce")
                || appraises && !word("ima_appraise=off") && !word("ima_appraise=fix")
            {
                found.push("ima-appraise".to_owned());
            }
        }
        Err(Unavailable::Absent) => {}
        Err(why) => return Err(why),
    }
    Ok(found)
}

fn there(gather: &Gather, path: &str) -> Result<bool, Unavailable> {
    match gather.meta(path) {
        Ok(_) => Ok(true),
        Err(Unavailable::Absent) => Ok(false),
        Err(why) => Err(why),
    }
}

/// Whether a timer or cron runs a program.
fn scheduled(gather: &Gather, program: &str, timers: &[&str]) -> Result<bool, Unavailable> {
    if timers.iter().any(|timer| unit::is_enabled(gather, timer)) {
        return Ok(true);
    }
    let runs = |text: &str| {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
        lines.into_iter().any(|line| line.contains(program))
    };
    if gather.text("/etc/crontab").is_ok_and(|text| runs(&text)) {
        return Ok(true);
    }
    for folder in CRON {
        if texts(gather, folder, "")?.iter().any(|(_, text)| runs(text)) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    #[test]
    fn a_database_without_a_schedule_watches_over_nothing() {
        let tree =
            Tree::new(&[("var/lib/aide/aide.db", "x"), ("etc/crontab", "# 0 5 * * * root aide --check\n")]);
        assert_eq!(tree.told(active, ""), "none");
        tree.add("etc/cron.d/aide", "0 5 * * * root /usr/bin/aide --check\n");
        assert_eq!(tree.told(active, ""), "aide");
        let tree = Tree::new(&[("proc/cmdline", "quiet ima_policy=tcb|appraise_tcb\n")]);
        assert_eq!(tree.told(active, ""), "ima-appraise");
        tree.add("proc/cmdline", "quiet ima_policy=appraise_tcb ima_appraise=fix\n");
        assert_eq!(tree.told(active, ""), "none");
    }
}
