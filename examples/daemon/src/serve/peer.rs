//! Who may ask for what changes something, and how they are answered: in JSON, over the Unix socket alone.
//!
//! Only root and the user that the daemon runs as may: the socket's group reads metrics. What somebody calls themselves
//! is recorded together with the user id that the kernel vouches for.

use super::http::{Body, Peer, Request, Response, Status};
use serde::Deserialize;
use serde_json::{Value, json};

/// What was found, or why not.
pub type Answered = Result<Value, (Status, String)>;

/// The user who asks, when they may.
///
/// # Errors
/// The answer to somebody who may not.
pub fn allowed(request: &Request, what: &str) -> Result<u32, Response> {
    match request.peer {
        Peer::Unix { uid } if uid == 0 || uid == nix::unistd::geteuid().as_raw() => Ok(uid),
        Peer::Unix { .. } => Err(refusal(
            Status::Forbidden,
            &format!("only root and the daemon's own user may ask for {what}"),
        )),
        Peer::Tcp => Err(refusal(Status::Forbidden, &format!("{what} are served on the Unix socket alone"))),
    }
}

/// What was found, as a response.
#[must_use]
pub fn found(answered: Answered) -> Response {
    match answered {
        Ok(value) => Response {
            status: Status::Ok,
            content_type: "application/json",
            body: Body::Text(format!("{value}\n")),
        },
        Err((status, why)) => refusal(status, &why),
    }
}

/// Why not.
#[must_use]
pub fn refusal(status: Status, why: &str) -> Response {
    let body = Body::Text(format!("{}\n", json!({ "error": why })));
    Response { status, content_type: "application/json", body }
}

/// What was sent.
///
/// # Errors
/// It is not what is expected.
pub fn body<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, (Status, String)> {
    serde_json::from_slice(bytes).map_err(|error| (Status::BadRequest, format!("the body: {error}")))
}

/// Who acts: the name they gave, and the user that the kernel says they are.
#[must_use]
pub fn who(by: &str, uid: u32) -> String {
    let user = nix::unistd::User::from_uid(uid.into()).ok().flatten();
    match user {
        Some(user) if user.name == by.trim() => user.name,
        Some(user) if by.trim().is_empty() => user.name,
        Some(user) => format!("{} ({})", by.trim(), user.name),
        None => format!("{} (uid {uid})", by.trim()),
    }
}
