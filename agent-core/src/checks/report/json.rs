//! One finding as one JSON object: what `bartizan check --json` prints line by line, and the C ABI hands out.
//!
//! | key | what |
//! |---|---|
//! | `check_id`, `title`, `severity`, `group` | the rule |
//! | `subject` | `host` or `vm`, with `name`, `uuid`, `tenant`, `pid` |
//! | `verdict` | `pass`, `fail`, `unknown`, `error`, `not-applicable`: never changed by a waiver |
//! | `waived` | who answers for it, why, until when; `null` |
//! | `reason`, `observed` | why, and what was observed: what a waiver is pinned to |
//! | `facets` | a verdict each: `facet`, `verdict`, `reason`, `unknown_why`, `expected`, `evidence` |
//! | `evidence` | `fact`, `value` or `unavailable`, `source`, `raw`, `read_at` |
//! | `fact_keys` | the facts' names, which other tools' verdicts are compared by |
//! | `first_seen`, `changed_at`, `changed_from`, `flaps` | its life |
//!
//! Times are RFC 3339 in UTC.

use crate::checks::declared::Rule;
use crate::checks::fact::Fact;
use crate::checks::finding::{Finding, Outcome, Subject};
use crate::checks::{Change, RuleSet};
use serde_json::{Value, json};

/// A finding; `rule` is its declaration, `None` for a rule that is broken.
#[must_use]
pub fn finding(finding: &Finding, rule: Option<&Rule>) -> Value {
    let about = |key: &&str| rule.is_none_or(|rule| rule.is_about(key));
    let mut keys: Vec<&str> = finding.fact_keys().filter(about).collect();
    keys.sort_unstable();
    keys.dedup();
    json!({
        "check_id": &*finding.rule,
        "title": rule.map_or("", |rule| &*rule.title),
        "group": rule.map_or("rules", Rule::group),
        "severity": finding.severity.name(),
        "subject": subject(&finding.subject),
        "verdict": finding.verdict.name(),
        "waived": finding.waived,
        "reason": finding.reason(),
        "observed": finding.observed(),
        "note": finding.note,
        "facets": finding.outcomes.iter().map(|one| outcome(one, rule)).collect::<Vec<_>>(),
        "fact_keys": keys,
        "remediation": rule.map_or("", |rule| &*rule.remediation),
        "references": rule.map_or(&[][..], |rule| &rule.references),
        "first_seen": rfc3339(finding.first_seen_ns),
        "changed_at": rfc3339(finding.changed_at_ns),
        "changed_from": finding.changed_from.as_deref().map(|(verdict, observed)| {
            json!({ "verdict": verdict.name(), "observed": observed })
        }),
        "flaps": finding.flaps,
    })
}

/// A change of a finding: `type` is `finding`, with `sequence`, `change` and the `finding` as it is now.
#[must_use]
pub fn change(change: &Change, rules: &RuleSet) -> Value {
    let rule = rules.find(&change.finding.rule).map(|(_, rule)| rule);
    json!({
        "type": "finding",
        "sequence": change.sequence,
        "change": change.kind.name(),
        "finding": finding(&change.finding, rule),
    })
}

/// A rule's declaration.
#[must_use]
pub fn rule(rule: &Rule) -> Value {
    json!({
        "check_id": &*rule.id,
        "title": rule.title,
        "group": rule.group(),
        "severity": rule.severity.name(),
        "scope": rule.scope.name(),
        "applies_when": rule.when.as_ref().map(ToString::to_string),
        "expected": rule.facets().map(|(facet, _)| (facet.name().to_owned(), json!(rule.expectation(facet))))
            .collect::<serde_json::Map<_, _>>(),
        "rationale": rule.rationale,
        "remediation": rule.remediation,
        "references": rule.references,
    })
}

fn subject(subject: &Subject) -> Value {
    match subject {
        Subject::Host => json!({ "kind": "host" }),
        Subject::Vm(vm) => json!({
            "kind": "vm",
            "name": vm.name,
            "uuid": vm.uuid,
            "tenant": vm.tenant,
            "vmm": vm.vmm.name(),
            "pid": vm.id.pid,
            "start_ticks": vm.id.start_ticks,
        }),
    }
}

fn outcome(outcome: &Outcome, rule: Option<&Rule>) -> Value {
    json!({
        "facet": outcome.facet.name(),
        "verdict": outcome.verdict.name(),
        "reason": outcome.reason,
        "unknown_why": (!outcome.unknown_why.is_empty()).then_some(outcome.unknown_why),
        "expected": rule.map(|rule| rule.expectation(outcome.facet)),
        "evidence": outcome.evidence.iter().map(|fact| evidence(fact)).collect::<Vec<_>>(),
    })
}

fn evidence(fact: &Fact) -> Value {
    let mut object = json!({
        "fact": &*fact.key,
        "source": &*fact.source,
        "raw": fact.raw,
        "read_at": rfc3339(fact.read_at_ns),
    });
    match &fact.value {
        Ok(value) => object["value"] = json!(value),
        Err(why) => object["unavailable"] = json!(why),
    }
    object
}

/// A time as RFC 3339 has it, in UTC, to the millisecond; one before 1970 is told as 1970's beginning.
#[must_use]
pub fn rfc3339(wall_ns: i64) -> String {
    let since_epoch = std::time::Duration::from_nanos(u64::try_from(wall_ns).unwrap_or(0));
    humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + since_epoch).to_string()
}
