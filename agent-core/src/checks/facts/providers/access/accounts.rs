//! Accounts and groups, without any part of a password.

use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::users::{self, Group, Parsed, Password, Shadow, User};
use std::sync::Arc;

const PASSWD: &str = "/etc/passwd";
const SHADOW: &str = "/etc/shadow";
const GROUP: &str = "/etc/group";
const FILE_BYTES_MAX: usize = 4 << 20;
/// Where numbers of people begin (login.defs(5): `UID_MIN`), as every large distribution has it.
const UID_OF_PEOPLE_MIN: u32 = 1_000;
/// Service accounts with numbers beyond that: Debian's QEMU, and `nobody`.
const SERVICES: [&str; 7] =
    ["libvirt-qemu", "libvirt-dnsmasq", "qemu", "kvm", "firecracker", "nobody", "swtpm"];

type Read<T> = Result<Arc<Parsed<T>>, Unavailable>;

fn passwd(gather: &Gather) -> Read<User> {
    gather.document(PASSWD, FILE_BYTES_MAX, |bytes| Ok(users::passwd(&String::from_utf8_lossy(bytes))))
}

fn shadow(gather: &Gather) -> Read<Shadow> {
    gather.document(SHADOW, FILE_BYTES_MAX, |bytes| Ok(users::shadow(&String::from_utf8_lossy(bytes))))
}

fn groups(gather: &Gather) -> Read<Group> {
    gather.document(GROUP, FILE_BYTES_MAX, |bytes| Ok(users::group(&String::from_utf8_lossy(bytes))))
}

/// Lines that are no account may bring in any.
fn strange<T>(parsed: &Parsed<T>) -> impl Iterator<Item = String> + '_ {
    parsed.1.iter().map(|(line, why)| format!("(line {line}: {why})"))
}

fn of_passwd(gather: &Gather, tell: impl Fn(&Parsed<User>) -> Value) -> Found {
    Found::either(passwd(gather).map(|parsed| tell(&parsed)), PASSWD)
}

/// What is made of both files.
fn of_both(gather: &Gather, tell: impl Fn(&Parsed<User>, &Parsed<Shadow>) -> Value) -> Found {
    let users = match passwd(gather) {
        Ok(users) => users,
        Err(why) => return Found::unavailable(why, PASSWD),
    };
    match shadow(gather) {
        Ok(shadow) => Found::value(tell(&users, &shadow), format!("{PASSWD}, {SHADOW}")),
        Err(why) => Found::unavailable(why, SHADOW),
    }
}

/// `account.uid0`
pub(super) fn uid0(gather: &Gather, _: &str) -> Found {
    of_passwd(gather, |parsed| {
        let names = parsed.0.iter().filter(|user| user.uid == 0).map(|user| user.name.clone());
        Value::List(names.chain(strange(parsed)).collect())
    })
}

/// `account.empty-password`
pub(super) fn empty_password(gather: &Gather, _: &str) -> Found {
    of_both(gather, |users, shadow| {
        let open = |user: &&User| *secret(user, shadow) == Password::Empty;
        Value::List(users.0.iter().filter(open).map(|user| user.name.clone()).collect())
    })
}

/// `account.password-login`
pub(super) fn password_login(gather: &Gather, _: &str) -> Found {
    of_both(gather, |users, shadow| {
        let able = |user: &&User| {
            !user.has_no_shell() && matches!(secret(user, shadow), Password::Set { .. } | Password::Empty)
        };
        Value::List(users.0.iter().filter(able).map(|user| user.name.clone()).collect())
    })
}

/// `account.login-count`
pub(super) fn login_count(gather: &Gather, _: &str) -> Found {
    of_both(gather, |users, shadow| {
        let today = u64::try_from(gather.clock().wall_ns() / 1_000_000_000 / 86_400).unwrap_or(0);
        let open = |user: &&User| {
            let own = shadow.0.iter().find(|entry| entry.name == user.name);
            // A locked password does not keep keys out; an account that expired is closed to both.
            !user.has_no_shell() && own.and_then(|own| own.expires_days).is_none_or(|day| day > today)
        };
        Value::Int(i64::try_from(users.0.iter().filter(open).count()).unwrap_or(i64::MAX))
    })
}

/// `account.service-shell`
pub(super) fn service_shell(gather: &Gather, _: &str) -> Found {
    of_passwd(gather, |parsed| {
        let service = |user: &&User| {
            (1..UID_OF_PEOPLE_MIN).contains(&user.uid) || SERVICES.contains(&user.name.as_str())
        };
        let with_shell = parsed.0.iter().filter(service).filter(|user| !user.has_no_shell());
        Value::List(with_shell.map(|user| format!("{} ({})", user.name, shell(user))).collect())
    })
}

fn shell(user: &User) -> &str {
    if user.shell.is_empty() { "/bin/sh" } else { &user.shell }
}

/// `account.password:NAME`
pub(super) fn password(gather: &Gather, name: &str) -> Found {
    let users = match passwd(gather) {
        Ok(users) => users,
        Err(why) => return Found::unavailable(why, PASSWD),
    };
    let Some(user) = users.0.iter().find(|user| user.name == name) else {
        return Found::unavailable(Unavailable::Absent, PASSWD);
    };
    let source = format!("{PASSWD}:{}", user.line);
    match shadow(gather) {
        Ok(shadow) => {
            let word = match secret(user, &shadow) {
                Password::Empty => "empty",
                Password::Set { .. } => "set",
                Password::Locked { .. } => "locked",
                Password::None | Password::Shadowed => "none",
            };
            Found::value(word, source)
        }
        Err(why) => Found::unavailable(why, SHADOW),
    }
}

/// `group:NAME`
pub(super) fn group(gather: &Gather, name: &str) -> Found {
    let all = match groups(gather) {
        Ok(all) => all,
        Err(why) => return Found::unavailable(why, GROUP),
    };
    let Some(group) = all.0.iter().find(|group| group.name == name) else {
        return Found::unavailable(Unavailable::Absent, GROUP);
    };
    let users = match passwd(gather) {
        Ok(users) => users,
        Err(why) => return Found::unavailable(why, PASSWD),
    };
    let first = users.0.iter().filter(|user| user.gid == group.gid).map(|user| user.name.clone());
    let mut members: Vec<String> = group.members.iter().cloned().chain(first).collect();
    members.sort_unstable();
    members.dedup();
    Found::value(members, format!("{GROUP}:{}", group.line))
}

/// The state of an account's password, wherever it is kept.
fn secret<'p>(user: &'p User, shadow: &'p Parsed<Shadow>) -> &'p Password {
    match &user.password {
        Password::Shadowed => {
            let own = shadow.0.iter().find(|entry| entry.name == user.name);
            own.map_or(&Password::None, |entry| &entry.password)
        }
        own => own,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    const PASSWD_TEXT: &str = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\n\
        toor:x:0:0::/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/bash\nold::1001:1001::/:\n\
        left:x:1002:1002::/:/bin/sh\nlibvirt-qemu:x:64055:64055::/:/bin/sh\nsync:x:4:65534::/bin:/bin/sync\n";
    const SHADOW_TEXT: &str = "root:!:1:0:9:7:::\ndaemon:*:1:0:9:7:::\ntoor:$6$salt$HIDDENHASH:1:0:9:7:::\n\
        anna:$y$j9T$HIDDENHASH:1:0:9:7:::\nleft:*:1:0:9:7::100:\n";

    #[test]
    fn accounts_are_told_apart_and_no_hash_gets_out() {
        let tree = Tree::new(&[("etc/passwd", PASSWD_TEXT), ("etc/shadow", SHADOW_TEXT)]);
        assert_eq!(tree.told(uid0, ""), "root, toor");
        assert_eq!(tree.told(empty_password, ""), "old");
        assert_eq!(tree.told(password_login, ""), "toor, anna, old");
        assert_eq!(tree.told(login_count, ""), "5", "all but daemon, sync, and left, which expired");
        assert_eq!(tree.told(service_shell, ""), "libvirt-qemu (/bin/sh)");
        assert_eq!(
            (tree.told(password, "root"), tree.told(password, "toor")),
            ("locked".into(), "set".into())
        );
        assert_eq!(tree.told(password, "nobody-here"), "!absent");
        for provider in [uid0, empty_password, password_login, password] {
            let found = format!("{:?}", tree.ask(provider, "toor"));
            assert!(!found.contains("HIDDEN") && !found.contains("salt"), "{found}");
        }
    }

    #[test]
    fn without_shadow_passwords_are_unknown_and_users_from_elsewhere_are_told() {
        let tree = Tree::new(&[("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n+::::::\n")]);
        assert_eq!(tree.told(empty_password, ""), "!absent");
        assert_eq!(tree.told(uid0, ""), "root, (line 2: accounts from elsewhere)");
    }

    #[test]
    fn members_are_those_of_the_first_group_too() {
        let tree =
            Tree::new(&[("etc/passwd", PASSWD_TEXT), ("etc/group", "libvirt:x:1000:zoe,bob\nkvm:x:99:\n")]);
        let found = tree.ask(group, "libvirt");
        assert_eq!(
            (found.value.expect("members").to_string(), found.source),
            ("anna, bob, zoe".into(), "/etc/group:1".into())
        );
        assert_eq!(tree.told(group, "kvm"), "none");
        assert_eq!(tree.told(group, "docker"), "!absent");
    }
}
