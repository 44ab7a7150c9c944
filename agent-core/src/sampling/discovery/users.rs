//! Names of users, for tenant rules.

use nix::unistd::{Uid, User};

/// The name of a user, or its number when it has none.
pub(super) fn name(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    }
}
