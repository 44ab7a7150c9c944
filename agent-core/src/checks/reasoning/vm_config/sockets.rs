//! Who can connect.

use super::{map, verdict};
use crate::checks::case::Case;
use crate::checks::declared::Truth;
use crate::checks::fact::Unavailable;

/// Sockets of a kind are closed to others. One that cannot be found from here is unknown.
pub(super) fn closed(case: &Case<'_>, key: &str) -> Result<Truth, Truth> {
    let (mut wrong, mut unknown) = (Vec::new(), None);
    let sockets = map(case, key)?;
    if sockets.is_empty() {
        return Ok(Truth::NotApplicable("the VMM has no such socket".to_owned()));
    }
    for (path, who) in sockets {
        match who.as_str() {
            "others" => wrong.push(format!("everybody on the host can connect to {path}")),
            "abstract" => {
                wrong.push(format!("{path} is abstract: everybody in its network namespace can connect"));
            }
            "owner" => {}
            group if group.starts_with("group ") => {}
            _ => {
                let why = format!("{path} is in the VMM's own view of files");
                unknown = unknown.or(Some((key.to_owned(), Unavailable::NotExposed(why))));
            }
        }
    }
    Ok(verdict(&wrong, unknown))
}
