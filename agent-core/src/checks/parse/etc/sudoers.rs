//! Who may become whom: sudoers(5), one file at a time.

use super::text::{Mistake, keep, logical, note};
use std::sync::Arc;

/// One command that a rule allows, or denies with a `!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// As whom, as written between the parentheses; empty where the rule does not say, which means root.
    pub run_as: Arc<str>,
    /// Whether it asks for no password: `NOPASSWD`, for this command or one before it in the list.
    pub no_password: bool,
    /// The command, or an alias, with its arguments; `ALL` is anything.
    pub command: String,
}

/// A rule: users, on hosts, may run commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Users, `%groups`, aliases.
    pub users: Arc<[String]>,
    /// Hosts.
    pub hosts: Vec<String>,
    /// Commands.
    pub commands: Vec<Allowed>,
    /// The line it begins in, counted from 1.
    pub line: usize,
}

/// One setting of a `Defaults` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// For whom: empty for all, else as written, such as `:user`, `@host`, `>runas`, `!command`.
    pub scope: Arc<str>,
    /// Its name, such as `use_pty` and `authenticate`.
    pub name: String,
    /// Turned off with a `!`.
    pub negated: bool,
    /// What follows `=`, `+=` or `-=`.
    pub value: Option<String>,
    /// The line it begins in, counted from 1.
    pub line: usize,
}

/// `User_Alias` and its like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// `User_Alias`, `Runas_Alias`, `Host_Alias`, `Cmnd_Alias`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What it stands for.
    pub items: Vec<String>,
    /// The line it begins in, counted from 1.
    pub line: usize,
}

/// Another file, or folder, that is read at this place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Include {
    /// Its path.
    pub path: String,
    /// `includedir`: files of a folder, but those with a `.` in their names or a `~` at their ends.
    pub folder: bool,
    /// The line, counted from 1.
    pub line: usize,
}

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sudoers {
    /// Its rules in order; the last that fits counts.
    pub rules: Vec<Rule>,
    /// Its settings in order.
    pub settings: Vec<Setting>,
    /// Its aliases.
    pub aliases: Vec<Alias>,
    /// Other files.
    pub includes: Vec<Include>,
    /// Lines that are none of these. What they allow is not known.
    pub mistakes: Vec<Mistake>,
}

const TAGS: [&str; 16] = [
    "EXEC",
    "NOEXEC",
    "FOLLOW",
    "NOFOLLOW",
    "INTERCEPT",
    "NOINTERCEPT",
    "LOG_INPUT",
    "NOLOG_INPUT",
    "LOG_OUTPUT",
    "NOLOG_OUTPUT",
    "MAIL",
    "NOMAIL",
    "PASSWD",
    "NOPASSWD",
    "SETENV",
    "NOSETENV",
];
const DIGESTS: [&str; 4] = ["sha224", "sha256", "sha384", "sha512"];
const OPTIONS: [&str; 10] = [
    "CHROOT=",
    "CWD=",
    "NOTAFTER=",
    "NOTBEFORE=",
    "TIMEOUT=",
    "ROLE=",
    "TYPE=",
    "APPARMOR_PROFILE=",
    "PRIVS=",
    "LIMITPRIVS=",
];

impl Sudoers {
    /// Reads a file's text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut all = Self::default();
        for (line, content) in logical(text, "") {
            let content = uncommented(content.trim());
            if content.is_empty() {
                continue;
            }
            if let Err(why) = all.line(line, content) {
                note(&mut all.mistakes, line, why);
            }
        }
        all
    }

    /// Whether a flag of `Defaults` is on for everyone, and the line that says so: the last. `None` where nothing
    /// does, and sudo's own default holds.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<(bool, usize)> {
        let settings = self.settings.iter().rev();
        settings
            .filter(|setting| setting.scope.is_empty() && setting.name == name)
            .map(|setting| (!setting.negated, setting.line))
            .next()
    }

    fn line(&mut self, line: usize, content: &str) -> Result<(), &'static str> {
        let (word, rest) = content.split_once([' ', '\t']).unwrap_or((content, ""));
        let rest = rest.trim();
        match word {
            "@include" | "#include" | "@includedir" | "#includedir" => {
                let path = rest.trim_matches('"').replace("\\ ", " ");
                if path.is_empty() {
                    return Err("a file without a path");
                }
                let include = Include { path, folder: word.ends_with("dir"), line };
                keep(&mut self.includes, include, &mut self.mistakes, line);
            }
            "User_Alias" | "Runas_Alias" | "Host_Alias" | "Cmnd_Alias" | "Cmd_Alias" => {
                for alias in segments(rest) {
                    let (name, items) = alias.split_once('=').ok_or("an alias without a =")?;
                    let (kind, name) = (word.to_owned(), name.trim().to_owned());
                    let alias = Alias { kind, name, items: list(items), line };
                    keep(&mut self.aliases, alias, &mut self.mistakes, line);
                }
            }
            _ => match content.strip_prefix("Defaults") {
                Some(defaults)
                    if !defaults.starts_with(|char: char| char.is_ascii_alphanumeric() || char == '_') =>
                {
                    self.defaults(line, defaults)?;
                }
                _ => self.rule(line, content)?,
            },
        }
        Ok(())
    }

    fn defaults(&mut self, line: usize, text: &str) -> Result<(), &'static str> {
        let (scope, settings) = text.split_once([' ', '\t']).ok_or("no setting")?;
        let scope: Arc<str> = Arc::from(scope);
        for setting in split(settings, ',') {
            let setting = setting.trim();
            let bare = setting.trim_start_matches('!').trim_start();
            let negated = setting.bytes().take_while(|byte| *byte == b'!').count() % 2 == 1;
            let (name, value) = match bare.split_once('=') {
                Some((name, value)) => (
                    name.trim_end_matches(['+', '-', ' ', '\t']),
                    Some(value.trim().trim_matches('"').to_owned()),
                ),
                None => (bare, None),
            };
            if name.is_empty() {
                return Err("no setting");
            }
            let (scope, name) = (Arc::clone(&scope), name.to_owned());
            keep(&mut self.settings, Setting { scope, name, negated, value, line }, &mut self.mistakes, line);
        }
        Ok(())
    }

    fn rule(&mut self, line: usize, content: &str) -> Result<(), &'static str> {
        let mut users: Arc<[String]> = Arc::from([]);
        for (index, segment) in segments(content).iter().enumerate() {
            let parts = split(segment, '=');
            let (Some(who), true) = (parts.first(), parts.len() > 1) else { return Err("not a rule") };
            let commands = segment.get(who.len() + 1..).unwrap_or_default();
            let lists = word_lists(who);
            let hosts = match (index, lists.as_slice()) {
                (0, [first, hosts]) => {
                    users = Arc::from(first.as_slice());
                    hosts.clone()
                }
                (1.., [hosts]) => hosts.clone(),
                _ => return Err("not users and hosts"),
            };
            let rule = Rule { users: Arc::clone(&users), hosts, commands: allowed(commands)?, line };
            keep(&mut self.rules, rule, &mut self.mistakes, line);
        }
        Ok(())
    }
}

/// The commands of a list. What stands before one holds for those that follow, too.
fn allowed(text: &str) -> Result<Vec<Allowed>, &'static str> {
    let (mut run_as, mut no_password) = (Arc::from(""), false);
    let mut commands = Vec::new();
    for item in split(text, ',') {
        let mut rest = item.trim();
        if let Some(inner) = rest.strip_prefix('(') {
            let (inside, after) = inner.split_once(')').ok_or("a parenthesis that does not end")?;
            run_as = Arc::from(inside.trim());
            rest = after.trim_start();
        }
        loop {
            let word = rest.split([' ', '\t', ':']).next().unwrap_or_default();
            let after = rest.get(word.len()..).unwrap_or_default().trim_start();
            if let (true, Some(after)) = (TAGS.contains(&word), after.strip_prefix(':')) {
                match word {
                    "NOPASSWD" => no_password = true,
                    "PASSWD" => no_password = false,
                    _ => {}
                }
                rest = after.trim_start();
            } else if OPTIONS.iter().any(|option| word.starts_with(option)) {
                rest = after;
            } else {
                break;
            }
        }
        if rest.is_empty() {
            return Err("no command");
        }
        commands.push(Allowed { run_as: Arc::clone(&run_as), no_password, command: rest.to_owned() });
    }
    Ok(commands)
}

/// A line up to its comment. `#include` is none, nor is `#` before a user's number.
fn uncommented(line: &str) -> &str {
    if line.starts_with("#include") {
        return line;
    }
    let bytes = line.as_bytes();
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in bytes.iter().enumerate() {
        let number = bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
            && at
                .checked_sub(1)
                .and_then(|before| bytes.get(before))
                .is_none_or(|before| b" \t,(!%:".contains(before));
        match byte {
            b'"' if !escaped => quoted = !quoted,
            b'#' if !quoted && !escaped && !number => return line.get(..at).unwrap_or_default().trim_end(),
            _ => {}
        }
        escaped = *byte == b'\\' && !escaped;
    }
    line
}

/// Splits at a separator outside quotes and parentheses, and without a backslash before it.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped, mut depth, mut start) = (false, false, 0u32, 0);
    let mut parts = Vec::new();
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => {}
            '"' => quoted = !quoted,
            '(' if !quoted => depth = depth.saturating_add(1),
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ if char == separator && !quoted && depth == 0 => {
                parts.extend(text.get(start..at));
                start = at + char.len_utf8();
            }
            _ => {}
        }
        escaped = char == '\\' && !escaped;
    }
    parts.extend(text.get(start..));
    parts
}

/// Splits at colons, but those behind a tag or a digest's name.
fn segments(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for part in split(text, ':') {
        match found.last_mut() {
            Some(last) if is_tagged(last) => {
                last.push(':');
                last.push_str(part);
            }
            _ => found.push(part.to_owned()),
        }
    }
    found
}

fn is_tagged(text: &str) -> bool {
    let word = text.trim_end().rsplit([' ', '\t', ',', ':', '=', ')']).next().unwrap_or_default();
    TAGS.contains(&word) || DIGESTS.contains(&word)
}

fn list(text: &str) -> Vec<String> {
    split(text, ',').into_iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

/// Lists parted by blanks; a comma before or behind the blank holds a list together.
fn word_lists(text: &str) -> Vec<Vec<String>> {
    let mut lists: Vec<String> = Vec::new();
    for word in split(&text.replace('\t', " "), ' ').into_iter().filter(|word| !word.is_empty()) {
        match lists.last_mut() {
            Some(last) if last.ends_with([',', '!']) || word.starts_with(',') => last.push_str(word),
            _ => lists.push(word.to_owned()),
        }
    }
    lists.iter().map(|items| list(items)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rules_are_read() {
        let all = Sudoers::parse(
            "root ALL=(ALL:ALL) ALL\r\n%sudo\tALL = (ALL : ALL) NOPASSWD: ALL # why\n\
             a, b ALL=(root) NOPASSWD:/bin/x, /bin/y -p a\\,b, PASSWD: /bin/z\n#1000 h1,h2=NOEXEC: NOPASSWD: sha256:ab= /bin/s\n\
             ops ALL = /bin/a : h3 = NOPASSWD: \\\n  VIRSH\n# d ALL=NOPASSWD: ALL\nbroken\nu ALL=(root /bin/x\n\"c d\" ALL=CWD=/ ALL",
        );
        let rule = |index: usize| &all.rules[index];
        let free = |index: usize| rule(index).commands.iter().map(|c| c.no_password).collect::<Vec<_>>();
        assert_eq!((&*rule(0).users, free(0)), (["root".to_owned()].as_slice(), vec![false]));
        assert_eq!(
            (&*rule(1).commands[0].run_as, rule(1).commands[0].command.as_str()),
            ("ALL : ALL", "ALL")
        );
        assert_eq!((rule(2).users.len(), free(2)), (2, vec![true, true, false]));
        assert_eq!(rule(2).commands[1].command, "/bin/y -p a\\,b");
        assert_eq!((rule(3).users[0].as_str(), rule(3).hosts.len(), free(3)), ("#1000", 2, vec![true]));
        assert_eq!((free(4), free(5), rule(5).hosts[0].as_str()), (vec![false], vec![true], "h3"));
        assert_eq!((rule(5).users[0].as_str(), rule(5).commands[0].command.as_str()), ("ops", "VIRSH"));
        assert_eq!((rule(6).users[0].as_str(), rule(6).commands[0].command.as_str()), ("\"c d\"", "ALL"));
        assert_eq!(all.rules.len(), 7);
        assert_eq!(all.mistakes.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [8, 9]);
    }

    #[test]
    fn settings_aliases_and_files_are_read() {
        let all = Sudoers::parse(
            "Defaults env_reset, use_pty\nDefaults:bob !authenticate\nDefaults secure_path=\"/sbin:/bin,x\", !use_pty\n\
             Defaults!/bin/x !authenticate\nUser_Alias A = a, b : B = c\n@includedir /etc/sudoers.d\n#include /etc/x\n\
             Cmnd_Alias V = /usr/bin/virsh\nDefaults",
        );
        assert_eq!((all.flag("use_pty"), all.flag("env_reset"), all.flag("authenticate")), {
            (Some((false, 3)), Some((true, 1)), None)
        });
        let open: Vec<_> = all.settings.iter().filter(|s| s.name == "authenticate" && s.negated).collect();
        assert_eq!(open.iter().map(|s| &*s.scope).collect::<Vec<_>>(), [":bob", "!/bin/x"]);
        assert!(all.settings.iter().any(|s| s.value.as_deref() == Some("/sbin:/bin,x")));
        assert_eq!(
            (all.aliases.len(), all.aliases[0].items.len(), all.aliases[1].name.as_str()),
            (3, 2, "B")
        );
        assert_eq!(
            all.includes.iter().map(|i| (i.folder, i.line)).collect::<Vec<_>>(),
            [(true, 6), (false, 7)]
        );
        assert_eq!(all.mistakes.len(), 1);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "((Defaults|User_Alias|a)?[ a:,=!#()\"\\\\]{0,16}\n?){0,8}|.{0,60}") {
            let _ = Sudoers::parse(&text).flag("a");
        }

        #[test]
        fn nopasswd_is_never_missed(user in "[a-z]{1,8}", command in "/[a-z/]{1,12}", blank in "[ \t]{0,3}") {
            let all = Sudoers::parse(&format!("{user} ALL{blank}={blank}(root){blank}NOPASSWD{blank}:{blank}{command}\n"));
            prop_assert_eq!(all.mistakes.len(), 0);
            prop_assert!(all.rules[0].commands[0].no_password);
            prop_assert_eq!(&all.rules[0].commands[0].command, &command);
        }
    }
}
