//! What is asked of responses over the Unix socket.
//!
//! | request | what |
//! |---|---|
//! | `GET /responses` | all that are open, and the last that ended |
//! | `POST /responses/ID/approve`, `decline`, `end` | a person's word: `{"by", "why"}` |
//!
//! Who may ask is told in [`crate::serve::peer`].

use super::{Command, Responses};
use crate::serve::http::{Request, Response, Status};
use crate::serve::peer::{allowed, body, found, refusal, who};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Word {
    by: String,
    #[serde(default)]
    why: String,
}

/// The answer to a request about responses; `None` when it is about something else.
#[must_use]
pub fn answer(responses: Option<&Responses>, request: &Request) -> Option<Response> {
    let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    if parts[0] != "responses" {
        return None;
    }
    let uid = match allowed(request, "responses") {
        Ok(uid) => uid,
        Err(refused) => return Some(refused),
    };
    let Some(responses) = responses else {
        let why = "there are no responses without a ledger: start the daemon with --ledger DIR";
        return Some(refusal(Status::ServiceUnavailable, why));
    };
    let answered = match (request.is_post, parts.as_slice()) {
        (false, ["responses"]) => Ok(responses.shown()),
        (true, ["responses", id, verb]) => word(responses, id, verb, &request.body, uid),
        _ => Err((Status::NotFound, format!("there is no {}", request.path))),
    };
    Some(found(answered))
}

fn word(
    responses: &Responses,
    id: &str,
    verb: &str,
    bytes: &[u8],
    uid: u32,
) -> Result<Value, (Status, String)> {
    let id: u64 =
        id.parse().map_err(|_| (Status::BadRequest, format!("{id:?} is no number of a response")))?;
    let Word { by, why } = body(bytes)?;
    let by = who(&by, uid);
    let command = match verb {
        "approve" => Command::Answer { id, agreed: true, by, why },
        "decline" => Command::Answer { id, agreed: false, by, why },
        "end" => Command::End { id, by, why },
        _ => return Err((Status::NotFound, format!("there is no word {verb:?}"))),
    };
    responses.tell(command).map_err(|why| (Status::Conflict, why))?;
    Ok(json!({ "id": id }))
}
