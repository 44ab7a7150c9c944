//! Accounts: passwd(5), shadow(5) and group(5). No password hash is kept, nor any part of one.

use super::text::{Mistake, keep, note};

/// What stands in a password's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// Nothing: no password is asked for.
    Empty,
    /// `x` in passwd and group: it is in the shadow file.
    Shadowed,
    /// `*` or other text that no password leads to. Keys and `su` from root still work.
    None,
    /// A `!` in front: locked, and whether a password would be behind it.
    Locked {
        /// Whether unlocking brings a password back.
        password_behind: bool,
    },
    /// A password; the method as in crypt(5), such as `6` or `y`, empty for traditional DES.
    Set {
        /// The method's name.
        method: String,
    },
}

impl Password {
    fn read(field: &str) -> Self {
        match field {
            "" => Self::Empty,
            "x" => Self::Shadowed,
            _ => match field.strip_prefix('!') {
                Some(behind) => {
                    let behind = behind.trim_start_matches('!');
                    Self::Locked { password_behind: method(behind).is_some() }
                }
                None => method(field).map_or(Self::None, |method| Self::Set { method }),
            },
        }
    }
}

/// The method of what looks like a hash of crypt(5).
fn method(hash: &str) -> Option<String> {
    const METHOD_BYTES_MAX: usize = 16;
    if let Some(rest) = hash.strip_prefix('$') {
        let (method, rest) = rest.split_once('$')?;
        let plain = method.len() <= METHOD_BYTES_MAX
            && !method.is_empty()
            && method.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        return (plain && !rest.is_empty()).then(|| method.to_owned());
    }
    let des = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
    // DES has 13 characters, its extension 20 with a `_` in front.
    let rest = hash.strip_prefix('_').unwrap_or(hash);
    let length = if rest.len() == hash.len() { 13 } else { 19 };
    (rest.len() == length && rest.bytes().all(des)).then(String::new)
}

/// A line of `/etc/passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its password's place.
    pub password: Password,
    /// Its ID.
    pub uid: u32,
    /// Its first group's ID.
    pub gid: u32,
    /// Its home.
    pub home: String,
    /// Its shell; empty is `/bin/sh`.
    pub shell: String,
    /// The line, counted from 1.
    pub line: usize,
}

impl User {
    /// Whether its shell lets nobody in: `nologin`, `false` and their like by their file names.
    #[must_use]
    pub fn has_no_shell(&self) -> bool {
        let name = self.shell.rsplit('/').next().unwrap_or_default();
        matches!(name, "nologin" | "false" | "true" | "sync" | "halt" | "shutdown" | "git-shell")
    }
}

/// A line of `/etc/shadow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// The account's name.
    pub name: String,
    /// Its password's state.
    pub password: Password,
    /// Days since 1970 on which it was last set; 0 asks for a new one at once. `None` turns ageing off.
    pub changed_days: Option<u64>,
    /// Days after which a new one is asked for.
    pub age_days_max: Option<u64>,
    /// Days since 1970 after which the account is closed.
    pub expires_days: Option<u64>,
    /// The line, counted from 1.
    pub line: usize,
}

/// A line of `/etc/group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its password's place.
    pub password: Password,
    /// Its ID.
    pub gid: u32,
    /// Its members, without those who have it as their first group.
    pub members: Vec<String>,
    /// The line, counted from 1.
    pub line: usize,
}

/// What a file holds, and the lines that are none of its kind. A line that begins with `+` or `-`, which brings in
/// NIS accounts, is a mistake too: what it stands for is not in the file.
pub type Parsed<T> = (Vec<T>, Vec<Mistake>);

fn parse<T>(text: &str, read: impl Fn(usize, &[&str]) -> Result<T, &'static str>) -> Parsed<T> {
    let (mut entries, mut mistakes) = (Vec::new(), Vec::new());
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim_end_matches('\r');
        if content.trim().is_empty() || content.starts_with('#') {
            continue;
        }
        if content.starts_with(['+', '-']) {
            note(&mut mistakes, line, "accounts from elsewhere");
            continue;
        }
        // One more than any of the files has.
        let fields: Vec<_> = content.splitn(10, ':').collect();
        match fields.first() {
            Some(name) if !name.is_empty() => match read(line, &fields) {
                Ok(entry) => keep(&mut entries, entry, &mut mistakes, line),
                Err(why) => note(&mut mistakes, line, why),
            },
            _ => note(&mut mistakes, line, "no name"),
        }
    }
    (entries, mistakes)
}

/// `/etc/passwd`.
#[must_use]
pub fn passwd(text: &str) -> Parsed<User> {
    parse(text, |line, fields| {
        let &[name, password, uid, gid, _, home, shell] = fields else { return Err("not seven fields") };
        Ok(User {
            name: name.to_owned(),
            password: Password::read(password),
            uid: uid.parse().map_err(|_| "not a user's ID")?,
            gid: gid.parse().map_err(|_| "not a group's ID")?,
            home: home.to_owned(),
            shell: shell.to_owned(),
            line,
        })
    })
}

/// `/etc/shadow`.
#[must_use]
pub fn shadow(text: &str) -> Parsed<Shadow> {
    let days = |field: &str| match field {
        // shadow(5) calls both the absence of a number.
        "" | "-1" => Ok(None),
        _ => field.parse().map(Some).map_err(|_| "not a number of days"),
    };
    parse(text, |line, fields| {
        let &[name, password, changed, _, max, _, _, expires, _] = fields else {
            return Err("not nine fields");
        };
        Ok(Shadow {
            name: name.to_owned(),
            password: Password::read(password),
            changed_days: days(changed)?,
            age_days_max: days(max)?,
            expires_days: days(expires)?,
            line,
        })
    })
}

/// `/etc/group`.
#[must_use]
pub fn group(text: &str) -> Parsed<Group> {
    parse(text, |line, fields| {
        let &[name, password, gid, members] = fields else { return Err("not four fields") };
        let members = members.split(',').map(str::trim).filter(|member| !member.is_empty());
        Ok(Group {
            name: name.to_owned(),
            password: Password::read(password),
            gid: gid.parse().map_err(|_| "not a group's ID")?,
            members: members.map(str::to_owned).collect(),
            line,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(mistakes: &[Mistake]) -> Vec<usize> {
        mistakes.iter().map(|(line, _)| *line).collect()
    }

    #[test]
    fn users_are_read() {
        let (users, mistakes) = passwd(
            "root:x:0:0:root:/root:/bin/bash\nsync:x:4:65534:s:/bin:/bin/sync\r\n# no\ntoor::0:0::/:\nbad:x:a:0:::\n\
             short:x:1:1\n+nis::::::\n::0:0:::\nlibvirt-qemu:x:64055:106:L,,,:/var/lib/libvirt:/usr/sbin/nologin",
        );
        assert_eq!(users.iter().filter(|user| user.uid == 0).count(), 2);
        assert_eq!((users[2].password.clone(), users[2].line), (Password::Empty, 4));
        assert!(users[1].has_no_shell() && users[3].has_no_shell() && !users[2].has_no_shell());
        assert_eq!(lines(&mistakes), [5, 6, 7, 8]);
    }

    #[test]
    fn lock_states_are_told_apart_and_no_hash_is_kept() {
        let text = "a:$6$salt$SECRETsecret:19000:0:99999:7:::\nb:!$y$j9T$SECRET:19000:0:99999:7::20000:\n\
            c:*:19000::::::\nd:!!:19000::::::\ne::0::::::\nf:!*:1::::::\ng:abSECRETabcde:1:0:-1:7:::\nh:*LK*:1::::::\n\
            i:SECRET\nj:$SECRET:1::::::\nk:!:x::::::";
        let (accounts, mistakes) = shadow(text);
        let set = |method: &str| Password::Set { method: method.to_owned() };
        let locked = |password_behind| Password::Locked { password_behind };
        let found: Vec<_> = accounts.iter().map(|account| account.password.clone()).collect();
        let (none, empty) = (Password::None, Password::Empty);
        let expected = [
            set("6"),
            locked(true),
            none.clone(),
            locked(false),
            empty,
            locked(false),
            set(""),
            none.clone(),
            none,
        ];
        assert_eq!(found, expected);
        assert_eq!((accounts[1].expires_days, accounts[6].age_days_max), (Some(20_000), None));
        assert_eq!(lines(&mistakes), [9, 11]);
        assert!(!format!("{accounts:?}{mistakes:?}").contains("SECRET"));
    }

    #[test]
    fn groups_are_read() {
        let (groups, mistakes) = group("kvm:x:104:a, b,\nlibvirt:x:105:\ndocker:x\n");
        assert_eq!(groups[0].members, ["a", "b"]);
        assert!(groups[1].members.is_empty());
        assert_eq!(lines(&mistakes), [3]);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "([a:!$*0+]{0,12}\n?){0,8}|.{0,60}") {
            let _ = (passwd(&text), shadow(&text), group(&text));
        }

        #[test]
        fn no_hash_comes_through(salt in "[a-z]{4,8}", hash in "[A-Z./]{8,40}", front in "!?") {
            let (accounts, mistakes) = shadow(&format!("u:{front}$6${salt}${hash}:1:0:9:7:::\n"));
            prop_assert_eq!((accounts.len(), mistakes.len()), (1, 0));
            let shown = format!("{accounts:?}");
            prop_assert!(!shown.contains(&hash) && !shown.contains(&salt));
        }
    }
}
