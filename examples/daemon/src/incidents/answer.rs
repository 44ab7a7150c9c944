//! What is asked of incidents over the Unix socket, and who may ask.
//!
//! | request | what |
//! |---|---|
//! | `GET /incidents` | all in memory, the silences, the accounts |
//! | `GET /incidents/ID` | one, with its evidence |
//! | `POST /incidents/ID/ack`, `contain`, `recover`, `reopen` | a step: `{"by", "note"}` |
//! | `POST /incidents/ID/close` | and what is written down: `verdict`, `root_cause`, `response`, `outcome` |
//! | `GET /silences`, `POST /silences`, `POST /silences/ID/end` | silences |
//!
//! Only root and the user that the daemon runs as may: the socket's group reads metrics. What somebody calls themselves
//! is recorded together with the user id that the kernel vouches for.

use super::Desk;
use crate::serve::http::{Request, Response, Status};
use crate::serve::peer::{Answered, allowed, body, found, refusal, who};
use bartizan_core::checks::report::json::rfc3339;
use bartizan_core::incidents::{Closure, Matcher, NewSilence, Refused, Silence, Source, Step, Verdict};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepBody {
    by: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    verdict: String,
    #[serde(default)]
    root_cause: String,
    #[serde(default)]
    response: String,
    #[serde(default)]
    outcome: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SilenceBody {
    by: String,
    reason: String,
    /// Nanoseconds since the epoch.
    until_ns: i64,
    #[serde(default)]
    source: String,
    #[serde(default)]
    tenant: String,
    #[serde(default)]
    vm: String,
    #[serde(default)]
    detector: String,
    #[serde(default)]
    cause: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndBody {
    by: String,
}

/// The answer to a request about incidents; `None` when it is about something else.
#[must_use]
pub fn answer(desk: Option<&Desk>, request: &Request) -> Option<Response> {
    let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    if !matches!(parts[0], "incidents" | "silences") {
        return None;
    }
    let uid = match allowed(request, "incidents") {
        Ok(uid) => uid,
        Err(refused) => return Some(refused),
    };
    let Some(desk) = desk else {
        return Some(refusal(
            Status::ServiceUnavailable,
            "there are no incidents without a ledger: [ledger] in the configuration, or --ledger DIR",
        ));
    };
    let answered = match (request.is_post, parts.as_slice()) {
        (false, ["incidents"]) => Ok(list(desk)),
        (false, ["silences"]) => Ok(silences(desk)),
        (false, ["incidents", id]) => show(desk, id),
        (true, ["incidents", id, verb]) => step(desk, id, verb, &request.body, uid),
        (true, ["silences"]) => silence(desk, &request.body, uid),
        (true, ["silences", id, "end"]) => end(desk, id, &request.body, uid),
        _ => Err((Status::NotFound, format!("there is no {}", request.path))),
    };
    Some(found(answered))
}

fn number(text: &str) -> Result<u64, (Status, String)> {
    text.parse().map_err(|_| (Status::BadRequest, format!("{text:?} is no number of an incident or silence")))
}

fn refused(refused: &Refused) -> (Status, String) {
    let status = match refused {
        Refused::NoIncident(_) | Refused::NoSilence(_) => Status::NotFound,
        Refused::Missing(_) | Refused::Until(_) | Refused::Everything => Status::BadRequest,
        Refused::Order { .. } | Refused::AlreadyOpen | Refused::Superseded { .. } | Refused::TooMany(_) => {
            Status::Conflict
        }
        Refused::NotRecorded(_) => Status::ServiceUnavailable,
    };
    (status, refused.to_string())
}

fn list(desk: &Desk) -> Value {
    let inner = desk.lock();
    let accounts = inner.returning.incidents.accounts();
    let ids: Vec<u64> = inner.returning.incidents.all().map(|incident| incident.id).collect();
    let one = |id: u64| {
        let mut object = inner.returning.incidents.view(id)?.json();
        // Evidence is long, and asked for one by one.
        object.as_object_mut().map(|object| object.remove("evidence"));
        Some(object)
    };
    json!({
        "incidents": ids.into_iter().filter_map(one).collect::<Vec<_>>(),
        "silences": inner.returning.incidents.silences().map(silence_json).collect::<Vec<_>>(),
        "accounts": {
            "produced": accounts.produced,
            "delivered": accounts.delivered,
            "suppressed": {
                "deduplicated": accounts.suppressed.deduplicated,
                "inhibited": accounts.suppressed.inhibited,
                "flapping": accounts.suppressed.flapping,
                "silenced": accounts.suppressed.silenced,
                "rate_limited": accounts.suppressed.rate_limited,
            },
            "dropped": accounts.dropped,
            "in_flight": accounts.in_flight,
        },
    })
}

fn silences(desk: &Desk) -> Value {
    let inner = desk.lock();
    json!({ "silences": inner.returning.incidents.silences().map(silence_json).collect::<Vec<_>>() })
}

fn silence_json(silence: &Silence) -> Value {
    json!({
        "id": silence.id,
        "source": silence.matcher.source.map(Source::name),
        "tenant": silence.matcher.tenant,
        "vm": silence.matcher.vm,
        "detector": silence.matcher.detector,
        "cause": silence.matcher.cause,
        "added": rfc3339(silence.added_ns),
        "until": rfc3339(silence.until_ns),
        "by": silence.by,
        "reason": silence.reason,
    })
}

fn show(desk: &Desk, id: &str) -> Answered {
    let id = number(id)?;
    let view = desk.lock().returning.incidents.view(id);
    view.map(|notice| notice.json()).ok_or_else(|| refused(&Refused::NoIncident(id)))
}

fn step(desk: &Desk, id: &str, verb: &str, bytes: &[u8], uid: u32) -> Answered {
    let id = number(id)?;
    let body: StepBody = body(bytes)?;
    let step = match verb {
        "ack" => Step::Acknowledge,
        "contain" => Step::Contain,
        "recover" => Step::Recover,
        "reopen" => Step::Reopen,
        "close" => {
            let verdict = Verdict::from_name(&body.verdict).ok_or_else(|| {
                let known = Verdict::ALL.map(Verdict::name).join(", ");
                (Status::BadRequest, format!("the verdict {:?} is not one of {known}", body.verdict))
            })?;
            Step::Close(Closure {
                verdict,
                root_cause: body.root_cause,
                response: body.response,
                outcome: body.outcome,
            })
        }
        _ => return Err((Status::NotFound, format!("there is no step {verb:?}"))),
    };
    let by = who(&body.by, uid);
    desk.step(id, step, &by, &body.note).map_err(|why| refused(&why))?;
    show(desk, &id.to_string())
}

fn silence(desk: &Desk, bytes: &[u8], uid: u32) -> Answered {
    let body: SilenceBody = body(bytes)?;
    let source = match body.source.as_str() {
        "" => None,
        "alert" => Some(Source::Alert),
        "finding" => Some(Source::Finding),
        other => {
            return Err((Status::BadRequest, format!("the source {other:?} is neither alert nor finding")));
        }
    };
    let matcher =
        Matcher { source, tenant: body.tenant, vm: body.vm, detector: body.detector, cause: body.cause };
    let new = NewSilence { matcher, until_ns: body.until_ns, by: who(&body.by, uid), reason: body.reason };
    let id = desk
        .act(|incidents, now_ns, outside| incidents.silence(new, now_ns, outside))
        .map_err(|why| refused(&why))?;
    Ok(json!({ "id": id }))
}

fn end(desk: &Desk, id: &str, bytes: &[u8], uid: u32) -> Answered {
    let id = number(id)?;
    let body: EndBody = body(bytes)?;
    let by = who(&body.by, uid);
    desk.act(|incidents, now_ns, outside| incidents.end_silence(id, &by, now_ns, outside))
        .map_err(|why| refused(&why))?;
    Ok(json!({ "id": id }))
}
