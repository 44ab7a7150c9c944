//! SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format): what code-scanning dashboards take in.
//!
//! A verdict becomes a result's `kind` and `level`: `fail` is `fail`/`error|warning|note` by severity, `pass` is
//! `pass`/`none`, `not-applicable` is `notApplicable`, `unknown` and `error` are `review`: somebody has to look. A
//! waiver is a `suppression`, which by the standard never hides the result.

use super::json::rfc3339;
use crate::checks::declared::{Rule, RuleSet, Severity};
use crate::checks::finding::{Finding, Subject, Verdict};
use serde_json::{Value, json};

/// One run of checks as a SARIF log. `finished_ns` is when it ended, nanoseconds since the epoch.
#[must_use]
pub fn log<'f>(findings: impl IntoIterator<Item = &'f Finding>, rules: &RuleSet, finished_ns: i64) -> Value {
    let results: Vec<Value> = findings.into_iter().map(|finding| result(finding, rules)).collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "bartizan",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.rules().iter().map(descriptor).collect::<Vec<_>>(),
            }},
            "invocations": [{ "executionSuccessful": true, "endTimeUtc": rfc3339(finished_ns) }],
            "results": results,
        }],
    })
}

fn descriptor(rule: &Rule) -> Value {
    json!({
        "id": &*rule.id,
        "shortDescription": { "text": rule.title },
        "fullDescription": { "text": rule.rationale },
        "help": { "text": rule.remediation },
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": {
            "tags": rule.references,
            "security-severity": security_severity(rule.severity),
            "scope": rule.scope.name(),
        },
    })
}

fn result(finding: &Finding, rules: &RuleSet) -> Value {
    let (kind, level) = match finding.verdict {
        Verdict::Fail => ("fail", level(finding.severity)),
        Verdict::Pass => ("pass", "none"),
        Verdict::NotApplicable => ("notApplicable", "none"),
        Verdict::Unknown | Verdict::Error => ("review", "none"),
    };
    let place = rules.find(&finding.rule);
    let title = place.map_or("", |(_, rule)| &*rule.title);
    let text = match finding.reason() {
        reason if reason.is_empty() => title.to_owned(),
        reason => format!("{title}: {reason}"),
    };
    let mut result = json!({
        "ruleId": &*finding.rule,
        "kind": kind,
        "level": level,
        "message": { "text": text },
        "locations": locations(finding),
        "partialFingerprints": { "ruleAndSubject/v1": format!("{}/{}", finding.rule, stable_name(&finding.subject)) },
        "properties": { "verdict": finding.verdict.name(), "observed": finding.observed() },
    });
    if let Some((index, _)) = place {
        result["ruleIndex"] = json!(index);
    }
    if let Some(waived) = &finding.waived {
        result["suppressions"] = json!([{
            "kind": "external",
            "status": "accepted",
            "justification": format!("{}: {} (until {})", waived.owner, waived.reason, waived.expires),
        }]);
    }
    result
}

/// The subject, and the files that were looked at, each once.
fn locations(finding: &Finding) -> Value {
    let logical = json!([{ "fullyQualifiedName": stable_name(&finding.subject), "kind": "resource" }]);
    let mut paths: Vec<&str> = Vec::new();
    for fact in finding.outcomes.iter().flat_map(|outcome| &outcome.evidence) {
        let path = &*fact.source;
        if path.starts_with('/') && !path.contains('*') && !paths.contains(&path) {
            paths.push(path);
        }
    }
    let mut locations: Vec<Value> = paths
        .into_iter()
        .map(|source| {
            let (path, line) = line_of(source);
            let mut physical = json!({ "artifactLocation": { "uri": uri(path) } });
            if let Some(line) = line {
                physical["region"] = json!({ "startLine": line });
            }
            json!({ "physicalLocation": physical, "logicalLocations": logical })
        })
        .collect();
    if locations.is_empty() {
        locations.push(json!({ "logicalLocations": logical }));
    }
    Value::Array(locations)
}

/// `path:line`, taken apart.
fn line_of(source: &str) -> (&str, Option<u32>) {
    match source.rsplit_once(':') {
        Some((path, line)) => match line.parse::<u32>() {
            Ok(line) if line > 0 => (path, Some(line)),
            _ => (source, None),
        },
        None => (source, None),
    }
}

/// A path as a URI reference (RFC 3986): everything but unreserved characters and slashes is escaped.
fn uri(path: &str) -> String {
    use std::fmt::Write;
    let mut text = "file://".to_owned();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// A name that a restart of the VM does not change.
fn stable_name(subject: &Subject) -> String {
    match subject {
        Subject::Host => "host".to_owned(),
        Subject::Vm(vm) if vm.uuid.is_empty() => format!("vm/{}", vm.name),
        Subject::Vm(vm) => format!("vm/{}", vm.uuid),
    }
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// The number that code-scanning dashboards sort by, on the scale of CVSS.
const fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
        Severity::Info => "0.0",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_uris_with_lines() {
        assert_eq!(line_of("/etc/a.conf:12"), ("/etc/a.conf", Some(12)));
        assert_eq!(line_of("/proc/1/net/tcp"), ("/proc/1/net/tcp", None));
        assert_eq!(line_of("/etc/x:y"), ("/etc/x:y", None));
        assert_eq!(uri("/etc/a b%.conf"), "file:///etc/a%20b%25.conf");
    }
}
