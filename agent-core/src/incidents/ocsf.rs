//! Incidents as OCSF 1.8 events: [Detection Finding](https://schema.ocsf.io/1.8.0/classes/detection_finding) (2004) for
//! what detection noticed, [Compliance Finding](https://schema.ocsf.io/1.8.0/classes/compliance_finding) (2003) for what
//! checks found, [Incident Finding](https://schema.ocsf.io/1.8.0/classes/incident_finding) (2005) for the incident that
//! holds it, and [Remediation Activity](https://schema.ocsf.io/1.8.0/classes/remediation_activity) (7001) for what was
//! done about it.
//!
//! References: an incident's `finding_info_list[0].uid` is the `finding_info.uid` of its finding, in every event of it; a
//! remediation's `metadata.correlation_uid` is that of the incident.

use super::notice::{Notice, What};
use super::signal::Source;
use super::state::State;
use crate::alerts::Severity;
use serde_json::{Value, json};

/// The version of the schema.
pub const VERSION: &str = "1.8.0";

const COMPLIANCE_FINDING: u32 = 2003;
const DETECTION_FINDING: u32 = 2004;
const INCIDENT_FINDING: u32 = 2005;
const REMEDIATION_ACTIVITY: u32 = 7001;

/// `status_id` of a finding.
const NEW: u32 = 1;
const IN_PROGRESS: u32 = 2;
const RESOLVED: u32 = 4;
/// `status_id` of an incident.
const CLOSED: u32 = 5;

/// The events that a notice of a host's incidents is: its finding, its incident, and what was done since the notice
/// before.
#[must_use]
pub fn events(notice: &Notice, host: &str) -> Vec<Value> {
    let mut events = vec![finding(notice, host), incident(notice, host)];
    for (what, activity, name, verb) in
        [(What::Contained, 1, "Isolate", "contained"), (What::Recovered, 3, "Restore", "recovered")]
    {
        // Only the latest step's note is known; what came before it is in a notice of its own.
        if notice.changes.has(what) && notice.state.name() == verb {
            events.push(remediation(notice, host, activity, name));
        }
    }
    events
}

fn finding(notice: &Notice, host: &str) -> Value {
    let (class, name) = match notice.source {
        Source::Alert => (DETECTION_FINDING, "Detection Finding"),
        Source::Finding => (COMPLIANCE_FINDING, "Compliance Finding"),
    };
    let is_over = !notice.is_firing();
    let (activity, activity_name) = if notice.number == 1 && !is_over {
        (1, "Create")
    } else if is_over {
        (3, "Close")
    } else {
        (2, "Update")
    };
    let (status, status_name) = match (is_over, notice.state) {
        (true, _) => (RESOLVED, "Resolved"),
        (false, State::Open) => (NEW, "New"),
        (false, _) => (IN_PROGRESS, "In Progress"),
    };
    let mut event = base(notice, host, class, name, activity, activity_name);
    event["status_id"] = json!(status);
    event["status"] = json!(status_name);
    event["finding_info"] = finding_info(notice, host);
    let resource = json!({
        "uid": if notice.resource.is_host() { host } else { &notice.resource.vm },
        "name": if notice.resource.is_host() { host } else { notice.resource.shown() },
        "type": if notice.resource.is_host() { "Hypervisor Host" } else { "Virtual Machine" },
    });
    event["resources"] = json!([resource]);
    if !notice.evidence.is_empty() {
        let evidences = notice.evidence.iter().map(|one| json!({ "name": one.name, "data": one.json() }));
        event["evidences"] = evidences.collect();
    }
    if class == COMPLIANCE_FINDING {
        let (status, status_name) = if is_over { (1, "Pass") } else { (3, "Fail") };
        event["compliance"] = json!({
            "control": notice.detector,
            "standards": ["Bartizan"],
            "status_id": status,
            "status": status_name,
            "status_details": [notice.message],
        });
    } else {
        event["is_alert"] = json!(true);
    }
    event
}

fn incident(notice: &Notice, host: &str) -> Value {
    let (activity, activity_name) = match notice.state {
        State::Closed => (3, "Close"),
        State::Open if notice.number == 1 => (1, "Create"),
        _ => (2, "Update"),
    };
    let (status, status_name) = match notice.state {
        State::Open => (NEW, "New"),
        State::Acknowledged | State::Contained => (IN_PROGRESS, "In Progress"),
        State::Recovered => (RESOLVED, "Resolved"),
        State::Closed => (CLOSED, "Closed"),
    };
    let mut event = base(notice, host, INCIDENT_FINDING, "Incident Finding", activity, activity_name);
    event["status_id"] = json!(status);
    event["status"] = json!(status_name);
    event["desc"] = json!(notice.message);
    event["finding_info_list"] = json!([finding_info(notice, host)]);
    let group = if notice.resource.tenant.is_empty() { "provider" } else { &notice.resource.tenant };
    event["assignee_group"] = json!({ "name": group });
    if !notice.by.is_empty() {
        event["assignee"] = json!({ "name": notice.by });
    }
    if !notice.note.is_empty() {
        event["comment"] = json!(notice.note);
    }
    if let Some(closure) = &notice.closure {
        event["verdict_id"] = json!(closure.verdict as u8);
        event["verdict"] = json!(caption(closure.verdict.name()));
        event["status_detail"] = json!(closure.outcome);
        event["unmapped"]["root_cause"] = json!(closure.root_cause);
        event["unmapped"]["response"] = json!(closure.response);
    }
    event
}

fn remediation(notice: &Notice, host: &str, activity: u32, activity_name: &str) -> Value {
    let mut event = base(notice, host, REMEDIATION_ACTIVITY, "Remediation Activity", activity, activity_name);
    event["category_uid"] = json!(7);
    event["category_name"] = json!("Remediation");
    event["command_uid"] = json!(format!("{}/{}", incident_uid(notice, host), notice.state.name()));
    event["status_id"] = json!(1);
    event["status"] = json!("Success");
    if !notice.note.is_empty() {
        event["remediation"] = json!({ "desc": notice.note });
    }
    event
}

/// What every event has.
fn base(
    notice: &Notice,
    host: &str,
    class: u32,
    class_name: &str,
    activity: u32,
    activity_name: &str,
) -> Value {
    let (severity, severity_name) = match notice.severity {
        Severity::Info => (1, "Informational"),
        Severity::Warning => (3, "Medium"),
        Severity::Critical => (5, "Critical"),
    };
    let incident = incident_uid(notice, host);
    let mut metadata = json!({
        "version": VERSION,
        "product": { "name": "Bartizan", "vendor_name": "Bartizan", "version": env!("CARGO_PKG_VERSION") },
        "uid": format!("{incident}/{}/{class}", notice.number),
        "correlation_uid": incident,
        "sequence": notice.number,
    });
    if !notice.resource.tenant.is_empty() {
        metadata["tenant_uid"] = json!(notice.resource.tenant);
    }
    json!({
        "class_uid": class,
        "class_name": class_name,
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": activity,
        "activity_name": activity_name,
        "type_uid": class * 100 + activity,
        "type_name": format!("{class_name}: {activity_name}"),
        "time": millis(notice.at_ns),
        "start_time": millis(notice.opened_ns),
        "severity_id": severity,
        "severity": severity_name,
        "message": notice.message,
        "count": notice.count,
        "metadata": metadata,
        "unmapped": {
            "state": notice.state.name(),
            "changes": notice.changes.all().map(What::name).collect::<Vec<_>>(),
            "conditions_left_out": notice.members_left_out,
        },
    })
}

fn finding_info(notice: &Notice, host: &str) -> Value {
    let mut info = json!({
        "uid": format!("{}/finding", incident_uid(notice, host)),
        "title": format!("{} on {}", notice.detector, notice.resource.shown()),
        "desc": notice.message,
        "types": [notice.cause],
        "created_time": millis(notice.opened_ns),
        "modified_time": millis(notice.at_ns),
        "first_seen_time": millis(notice.members.iter().map(|one| one.first_ns).min().unwrap_or(notice.opened_ns)),
        "last_seen_time": millis(notice.members.iter().map(|one| one.last_ns).max().unwrap_or(notice.at_ns)),
        "analytic": { "type_id": 1, "type": "Rule", "name": notice.detector },
    });
    let parts: Vec<&str> =
        notice.members.iter().map(|one| one.part.as_str()).filter(|part| !part.is_empty()).collect();
    if !parts.is_empty() {
        info["data_sources"] = json!(parts);
    }
    info
}

/// Names an incident among those of all hosts.
fn incident_uid(notice: &Notice, host: &str) -> String {
    format!("{host}/{}", notice.incident)
}

/// `true-positive` as OCSF writes it: `True Positive`.
fn caption(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
            .unwrap_or_default()
    };
    name.split('-').map(word).collect::<Vec<_>>().join(" ")
}

fn millis(at_ns: i64) -> i64 {
    at_ns.div_euclid(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents::state::Verdict;

    #[test]
    fn captions_are_ocsfs() {
        assert_eq!(caption(Verdict::TruePositive.name()), "True Positive");
        assert_eq!(caption(Verdict::InsufficientData.name()), "Insufficient Data");
        assert_eq!(caption(Verdict::ManagedExternally.name()), "Managed Externally");
    }
}
