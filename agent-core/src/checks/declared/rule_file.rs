//! Rule files: TOML with a `[[rule]]` table for each. A rule that is broken does not stop the others.

use super::rule::Rule;
use crate::config::{in_short, line_of, nearest};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Bytes of one rule file.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// Rules in force at most, shipped ones included.
pub const RULES_MAX: usize = 2_048;
/// Conditions within conditions, beyond which a rule is refused rather than followed.
const DEPTH_MAX: usize = 12;

/// All rules in force, and what was wrong with others.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    by_id: HashMap<Arc<str>, usize>,
    problems: Vec<Problem>,
}

/// A rule, or a file of rules, that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file; empty for a shipped one.
    pub file: PathBuf,
    /// The line, counted from 1; 0 for the file as a whole.
    pub line: usize,
    /// The rule's name, when that could be read.
    pub rule: Option<String>,
    /// What is wrong, and the cure.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        match &self.rule {
            Some(rule) => write!(f, ": rule {rule}: {}", self.message),
            None => write!(f, ": {}", self.message),
        }
    }
}

impl RuleSet {
    /// Adds the rules of one text. A rule whose name is known already replaces the earlier one. `codes` says whether a
    /// reasoning of a name is compiled in.
    pub fn add(&mut self, file: &Path, text: &str, codes: &dyn Fn(&str) -> bool) {
        let problem = |line, rule, message| Problem { file: file.to_owned(), line, rule, message };
        if text.len() > FILE_BYTES_MAX {
            let message = format!("is larger than {FILE_BYTES_MAX} bytes; split it");
            return self.problems.push(problem(0, None, message));
        }
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let line = error.span().map_or(0, |span| line_of(text, span.start));
                return self.problems.push(problem(
                    line,
                    None,
                    format!("this is not TOML: {}", error.message()),
                ));
            }
        };
        for (key, value) in table.get_ref() {
            let line = line_of(text, key.span().start);
            match value.get_ref() {
                DeValue::Array(rules) if key.get_ref() == "rule" => {
                    for rule in rules {
                        self.add_one(text, rule, codes, &problem);
                    }
                }
                _ => {
                    let message =
                        format!("unknown key `{}`; a rule file holds [[rule]] tables", key.get_ref());
                    self.problems.push(problem(line, None, message));
                }
            }
        }
    }

    fn add_one(
        &mut self,
        text: &str,
        declared: &Spanned<DeValue<'_>>,
        codes: &dyn Fn(&str) -> bool,
        problem: &dyn Fn(usize, Option<String>, String) -> Problem,
    ) {
        let line = line_of(text, declared.span().start);
        let name = name_of(declared.get_ref());
        if depth(declared.get_ref()) > DEPTH_MAX {
            let message = format!("more than {DEPTH_MAX} levels of conditions");
            return self.problems.push(problem(line, name, message));
        }
        let rule = match Rule::deserialize(toml::de::ValueDeserializer::from(declared.clone())) {
            Ok(rule) => rule,
            Err(error) => {
                let line = error.span().map_or(line, |span| line_of(text, span.start));
                return self.problems.push(problem(line, name, in_short(error.message())));
            }
        };
        if let Some((key, message)) = rule.mistake(codes) {
            let table = declared.get_ref().as_table();
            let at = table
                .and_then(|table| table.get(key))
                .map_or(line, |value| line_of(text, value.span().start));
            return self.problems.push(problem(at, name, message));
        }
        match self.by_id.get(&rule.id) {
            Some(&index) => self.rules[index] = rule,
            None if self.rules.len() >= RULES_MAX => {
                self.problems.push(problem(line, name, format!("more than {RULES_MAX} rules")));
            }
            None => {
                self.by_id.insert(Arc::clone(&rule.id), self.rules.len());
                self.rules.push(rule);
            }
        }
    }

    /// Gives back the room that was kept for more rules.
    pub fn shrink(&mut self) {
        self.rules.shrink_to_fit();
        self.by_id.shrink_to_fit();
    }

    /// Takes a rule out; whether it was there.
    pub fn remove(&mut self, id: &str) -> bool {
        let Some(index) = self.by_id.remove(id) else { return false };
        self.rules.remove(index);
        for place in self.by_id.values_mut().filter(|place| **place > index) {
            *place -= 1;
        }
        true
    }

    /// A file that could not be read at all.
    pub fn unreadable(&mut self, file: &Path, why: &str) {
        let message = why.to_owned();
        self.problems.push(Problem { file: file.to_owned(), line: 0, rule: None, message });
    }

    /// The rules, in the order of their files.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule of a name, and its place in [`rules`](Self::rules).
    #[must_use]
    pub fn find(&self, id: &str) -> Option<(usize, &Rule)> {
        self.by_id.get(id).map(|&index| (index, &self.rules[index]))
    }

    /// The name most like this one, if one is.
    #[must_use]
    pub fn nearest(&self, id: &str) -> Option<&str> {
        nearest(id, self.rules.iter().map(|rule| &*rule.id))
    }

    /// What was wrong.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

fn name_of(value: &DeValue<'_>) -> Option<String> {
    Some(value.as_table()?.get("id")?.get_ref().as_str()?.to_owned())
}

fn depth(value: &DeValue<'_>) -> usize {
    // The parser itself refuses more levels than the stack bears.
    match value {
        DeValue::Table(table) => 1 + table.values().map(|value| depth(value.get_ref())).max().unwrap_or(0),
        DeValue::Array(array) => array.iter().map(|value| depth(value.get_ref())).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = r#"
        [[rule]]
        id = "kernel.one"
        title = "One"
        severity = "high"
        runtime = { fact = "sysctl:a.b", eq = 1 }
        rationale = "because"
        remediation = "sysctl -w a.b=1"
    "#;

    fn add(text: &str) -> RuleSet {
        let mut set = RuleSet::default();
        set.add(Path::new("x.toml"), text, &|code| code == "known");
        set
    }

    #[test]
    fn a_broken_rule_does_not_stop_the_others_and_is_told_with_its_line() {
        let broken = "\n[[rule]]\nid = \"kernel.two\"\ntitel = \"Two\"\nseverity = \"high\"\n";
        let set = add(&format!("{GOOD}{broken}{}", GOOD.replace("kernel.one", "kernel.three")));
        assert_eq!(set.rules().len(), 2);
        let problem = &set.problems()[0];
        assert_eq!(problem.rule.as_deref(), Some("kernel.two"));
        assert_eq!(
            problem.to_string(),
            "x.toml:12: rule kernel.two: unknown key `titel`; did you mean `title`?"
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (change, to, word) in [
            ("kernel.one", "Kernel", "lower case"),
            ("eq = 1", "absent = \"pass\"", "comparison"),
            ("fact = \"sysctl:a.b\", eq = 1", "code = \"strange\"", "no reasoning"),
            ("fact = \"sysctl:a.b\", eq = 1", "code = \"known\"", "`expected`"),
            ("sysctl:a.b", "vm.uid", "scope"),
            ("because", " ", "`rationale` is empty"),
            ("severity = \"high\"", "severity = \"urgent\"", "urgent"),
        ] {
            let set = add(&GOOD.replace(change, to));
            assert!(set.rules().is_empty(), "{to}");
            assert!(set.problems()[0].message.contains(word), "{}", set.problems()[0]);
            assert!(set.problems()[0].line > 1, "{}", set.problems()[0]);
        }
        assert!(add("rule = 3").problems()[0].message.contains("[[rule]]"));
        assert!(add("[[rule").problems()[0].message.contains("not TOML"));
    }

    #[test]
    fn a_later_rule_of_the_same_name_replaces_the_earlier() {
        let set = add(&format!("{GOOD}{}", GOOD.replace("One", "Another")));
        assert_eq!(set.rules().len(), 1);
        assert_eq!(set.find("kernel.one").map(|(_, rule)| &*rule.title), Some("Another"));
        assert_eq!(set.nearest("kernel.ome"), Some("kernel.one"));
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "[\\[\\]a-z={}\"\n. ]{0,200}") {
            let _ = add(&text);
        }
    }
}
