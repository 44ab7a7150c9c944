//! Whether PAM locks accounts after failed logins: `pam_faillock(8)`, and its elder `pam_tally2`.

use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::pam::{Entry, Pam};

/// The services that logins go through: Debian's common file; RHEL's two.
const STACKS: [&str; 3] = ["/etc/pam.d/common-auth", "/etc/pam.d/system-auth", "/etc/pam.d/password-auth"];
const FAILLOCK: &str = "/etc/security/faillock.conf";
/// What `pam_faillock` does where nothing says otherwise.
const DENY: i64 = 3;
const UNLOCK_TIME: i64 = 600;

/// `pam.lockout-deny`
pub(super) fn deny(gather: &Gather, _: &str) -> Found {
    each(gather, "deny", |name| if name == "pam_faillock.so" { DENY } else { 0 })
}

/// `pam.lockout-time`
pub(super) fn unlock_time(gather: &Gather, _: &str) -> Found {
    each(gather, "unlock_time", |name| if name == "pam_faillock.so" { UNLOCK_TIME } else { 0 })
}

/// What a setting is in each of the services, 0 where no module locks.
fn each(gather: &Gather, setting: &str, default: impl Fn(&str) -> i64) -> Found {
    let configured = match configured(gather, setting) {
        Ok(configured) => configured,
        Err(why) => return Found::unavailable(why, FAILLOCK),
    };
    let mut found: Vec<(String, String)> = Vec::new();
    for path in STACKS {
        let text = match gather.text(path) {
            Ok(text) => text,
            Err(Unavailable::Absent) => continue,
            Err(why) => return Found::unavailable(why, path),
        };
        let pam = Pam::parse(&text);
        if let Some((line, why)) = pam.mistakes.first() {
            return Found::unavailable(Unavailable::Malformed(format!("{path}:{line}: {why}")), path);
        }
        let value = match locking(&pam) {
            None => "0".to_owned(),
            Some(entry) => {
                let own = entry.argument(setting).filter(|value| !value.is_empty()).map(str::to_owned);
                let of_file = || configured.clone().filter(|_| entry.name() == "pam_faillock.so");
                let value = own.or_else(of_file).unwrap_or_else(|| default(entry.name()).to_string());
                if value == "never" { "0".to_owned() } else { value }
            }
        };
        found.push((path.to_owned(), value));
    }
    if found.is_empty() {
        return Found::unavailable(Unavailable::Absent, "/etc/pam.d");
    }
    let sources: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).chain([FAILLOCK]).collect();
    let sources = sources.join(", ");
    Found::value(Value::Map(found), sources)
}

/// The line that counts failures. `pam_faillock` counts in `authfail` alone; a `preauth` by itself locks nothing.
fn locking(pam: &Pam) -> Option<&Entry> {
    let auth = |entry: &&Entry| entry.group == "auth";
    let faillock =
        pam.module("pam_faillock.so").filter(auth).find(|entry| entry.argument("authfail").is_some());
    faillock.or_else(|| pam.module("pam_tally2.so").find(auth))
}

fn configured(gather: &Gather, setting: &str) -> Result<Option<String>, Unavailable> {
    let text = match gather.text(FAILLOCK) {
        Ok(text) => text,
        Err(Unavailable::Absent) => return Ok(None),
        Err(why) => return Err(why),
    };
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let pairs = lines.filter_map(|line| line.split_once('='));
    Ok(pairs.filter(|(name, _)| name.trim() == setting).map(|(_, value)| value.trim().to_owned()).next_back())
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    #[test]
    fn only_what_counts_failures_locks() {
        let tree = Tree::new(&[
            (
                "etc/pam.d/system-auth",
                "auth required pam_faillock.so preauth\nauth [default=die] pam_faillock.so authfail deny=4\n",
            ),
            (
                "etc/pam.d/password-auth",
                "auth required pam_faillock.so preauth deny=4\nauth sufficient pam_unix.so\n",
            ),
            ("etc/security/faillock.conf", "# deny = 9\nunlock_time = 900\n"),
        ]);
        assert_eq!(tree.told(deny, ""), "/etc/pam.d/system-auth=4, /etc/pam.d/password-auth=0");
        assert_eq!(tree.told(unlock_time, ""), "/etc/pam.d/system-auth=900, /etc/pam.d/password-auth=0");
        let tree = Tree::new(&[("etc/pam.d/common-auth", "auth [default=die] pam_faillock.so authfail\n")]);
        assert_eq!(tree.told(deny, ""), "/etc/pam.d/common-auth=3", "its own default");
        let tree = Tree::new(&[("etc/pam.d/common-auth", "auth nothing\n")]);
        assert_eq!(tree.told(deny, ""), "!malformed");
        assert_eq!(Tree::new(&[]).told(deny, ""), "!absent");
    }
}
