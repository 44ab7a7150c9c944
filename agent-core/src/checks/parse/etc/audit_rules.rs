//! What is audited from boot on: files of auditctl(8) options, `/etc/audit/audit.rules` and `rules.d`.

use super::text::{Mistake, keep, note, shell_words};

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The path of `-w`, of `-F path=` or `-F dir=`.
    pub path: Option<String>,
    /// Accesses: of `rwxa`; a watch without `-p` has all of them.
    pub permissions: String,
    /// The list and action of `-a` and `-A`, such as `exit` and `always` in either order; empty for a watch.
    pub list: Vec<String>,
    /// System calls of `-S`; `all` is any.
    pub system_calls: Vec<String>,
    /// Fields of `-F` and `-C` as written, without paths, permissions and keys.
    pub fields: Vec<String>,
    /// Keys of `-k`.
    pub keys: Vec<String>,
    /// The line, counted from 1.
    pub line: usize,
}

/// Files read one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditRules {
    /// The rules that are left at the end.
    pub rules: Vec<Rule>,
    /// `-e`: 0 off, 1 on, 2 locked until the next boot.
    pub enabled: Option<(u32, usize)>,
    /// `-f`: what a failure does; 0 nothing, 1 prints, 2 panics.
    pub failure: Option<(u32, usize)>,
    /// `-b`: how many records may wait.
    pub backlog: Option<(u32, usize)>,
    /// Lines that auditctl would refuse, and rules that come after the lock.
    pub mistakes: Vec<Mistake>,
}

impl AuditRules {
    /// Reads a text: what augenrules(8) has put together, or one file.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut all = Self::default();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            if let Err(why) = shell_words(content).and_then(|words| all.line(line, &words)) {
                note(&mut all.mistakes, line, why);
            }
        }
        all
    }

    fn line(&mut self, line: usize, words: &[String]) -> Result<(), &'static str> {
        let number = |value: Option<&String>| -> Result<u32, &'static str> {
            value.and_then(|value| value.parse().ok()).ok_or("not a number")
        };
        match words.first().map_or("", String::as_str) {
            "-D" => self.rules.clear(),
            "-e" => self.enabled = Some((number(words.get(1))?, line)),
            "-f" => self.failure = Some((number(words.get(1))?, line)),
            "-b" => self.backlog = Some((number(words.get(1))?, line)),
            "-w" | "-a" | "-A" => {
                let rule = rule(line, words)?;
                if self.enabled.is_some_and(|(enabled, _)| enabled == 2) {
                    return Err("a rule after the lock");
                }
                keep(&mut self.rules, rule, &mut self.mistakes, line);
            }
            // They take a rule away, as far as one can tell.
            "-W" | "-d" => return Err("a rule taken away"),
            "-c" | "-i" | "-r" | "-q" | "-t" | "-R" => {}
            word if word.starts_with("--") => {}
            _ => return Err("not an option"),
        }
        Ok(())
    }
}

fn rule(line: usize, words: &[String]) -> Result<Rule, &'static str> {
    let mut rule = Rule { line, ..Rule::default() };
    let list =
        |text: &str| text.split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let mut is_watch = false;
    let mut words = words.iter();
    while let Some(option) = words.next() {
        let value = words.next().ok_or("an option without a value")?;
        match option.as_str() {
            "-w" => {
                is_watch = true;
                rule.path = Some(value.clone());
            }
            "-a" | "-A" => rule.list = list(value),
            "-p" => value.clone_into(&mut rule.permissions),
            "-S" => rule.system_calls.extend(list(value)),
            "-k" => rule.keys.push(value.clone()),
            "-F" => match value.split_once('=') {
                Some(("path" | "dir", path)) => rule.path = Some(path.to_owned()),
                Some(("perm", permissions)) => permissions.clone_into(&mut rule.permissions),
                Some(("key", key)) => rule.keys.push(key.to_owned()),
                _ => rule.fields.push(value.clone()),
            },
            "-C" => rule.fields.push(value.clone()),
            _ => return Err("not a rule's option"),
        }
    }
    if !is_watch && rule.list.len() != 2 {
        return Err("not a list and an action");
    }
    if !rule.permissions.bytes().all(|byte| b"rwxa".contains(&byte)) {
        return Err("not permissions");
    }
    if is_watch && rule.permissions.is_empty() {
        "rwxa".clone_into(&mut rule.permissions);
    }
    Ok(rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rules_are_read() {
        let all = AuditRules::parse(
            "## c\n-w /gone -p r\n-D\n-b 8192\n-f 1\r\n--backlog_wait_time 60000\n-w /etc/libvirt/ -p wa -k \"virt conf\"\n\
             -a always,exit -F arch=b64 -S init_module,finit_module -S delete_module -F auid>=1000 -F key=modules\n\
             -a exit,always -F dir=/var/lib -F perm=wa\n-w /x\n-w\n-a always\n-z\n-w /y -p q\n-e 2\n-w /late -p wa",
        );
        assert_eq!(all.rules.len(), 4);
        assert_eq!((all.rules[0].permissions.as_str(), all.rules[0].keys[0].as_str()), ("wa", "virt conf"));
        assert_eq!(all.rules[1].system_calls, ["init_module", "finit_module", "delete_module"]);
        assert_eq!((all.rules[1].fields.len(), all.rules[1].keys[0].as_str()), (2, "modules"));
        assert_eq!(
            (all.rules[2].path.as_deref(), all.rules[2].permissions.as_str()),
            (Some("/var/lib"), "wa")
        );
        assert_eq!(all.rules[3].permissions, "rwxa");
        assert_eq!((all.enabled, all.failure, all.backlog), (Some((2, 15)), Some((1, 5)), Some((8192, 4))));
        assert_eq!(all.mistakes.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [11, 12, 13, 14, 16]);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "((-[wapSkFeD])?[ a,=/\"']{0,10}\n?){0,8}|.{0,60}") {
            let _ = AuditRules::parse(&text);
        }

        #[test]
        fn a_watch_is_read(path in "/[a-z/]{0,20}", permissions in "[rwxa]{1,4}", key in "[a-z-]{1,8}") {
            let all = AuditRules::parse(&format!("-w {path} -p {permissions} -k {key}\n"));
            let rule = &all.rules[0];
            prop_assert_eq!((&rule.path, &rule.permissions, &rule.keys), (&Some(path), &permissions, &vec![key]));
        }
    }
}
