//! Playbook files: TOML with a `[[playbook]]` table for each. Every mistake is told with its line and its cure.

use super::action::Action;
use super::playbook::{Approval, Closing, OnFailure, Otherwise, PLAYBOOKS_MAX, Playbook, Step, Trigger};
use crate::config::{in_short, line_of, nearest};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Bytes of one file.
pub(super) const FILE_BYTES_MAX: usize = 256 * 1024;
const TIMEOUT_S: u32 = 30;
const TIMEOUT_S_MAX: u32 = 3_600;

/// A playbook file that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong, and the cure.
    pub message: String,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Declared {
    id: String,
    title: String,
    when: Trigger,
    lease_s: u32,
    approval: Option<DeclaredApproval>,
    closing: Option<Closing>,
    step: Vec<Spanned<DeclaredStep>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct DeclaredApproval {
    within_s: u32,
    otherwise: Otherwise,
}

/// A step's keys, those of every action: which of them an action takes is said by [`DeclaredStep::action`].
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct DeclaredStep {
    #[serde(rename = "do")]
    name: String,
    percent: Option<u32>,
    bytes_per_s: Option<u64>,
    cgroup: Option<String>,
    folder: Option<PathBuf>,
    command: Option<Vec<String>>,
    verify: Option<Vec<String>>,
    undo: Option<Vec<String>>,
    text: Option<String>,
    timeout_s: Option<u32>,
    #[serde(default)]
    on_failure: OnFailure,
}

const ACTIONS: [&str; 11] = [
    "throttle-cpu",
    "throttle-io",
    "freeze",
    "pause",
    "cut-network",
    "confine",
    "dump-memory",
    "copy-disks",
    "restart",
    "run",
    "notify",
];

/// All playbooks of a text, or all that is wrong with it.
pub(super) fn document(file: &Path, text: &str) -> Result<Vec<Playbook>, Vec<Mistake>> {
    let mistake = |line: usize, message: String| Mistake { file: file.to_owned(), line, message };
    if text.len() > FILE_BYTES_MAX {
        return Err(vec![mistake(0, format!("is larger than {FILE_BYTES_MAX} bytes; split it"))]);
    }
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(0, |span| line_of(text, span.start));
        vec![mistake(line, format!("this is not TOML: {}", error.message()))]
    })?;
    let (mut playbooks, mut mistakes) = (Vec::<Playbook>::new(), Vec::new());
    for (key, value) in table.get_ref() {
        let line = line_of(text, key.span().start);
        let declared = match value.get_ref() {
            DeValue::Array(declared) if key.get_ref() == "playbook" => declared,
            _ => {
                let message = format!("unknown key `{}`; a file holds [[playbook]] tables", key.get_ref());
                mistakes.push(mistake(line, message));
                continue;
            }
        };
        for one in declared {
            match playbook(text, one) {
                Ok(playbook) if playbooks.iter().any(|other| other.id == playbook.id) => {
                    let message = format!("a second playbook `{}`", playbook.id);
                    mistakes.push(mistake(line_of(text, one.span().start), message));
                }
                Ok(_) if playbooks.len() >= PLAYBOOKS_MAX => {
                    let message = format!("more than {PLAYBOOKS_MAX} playbooks");
                    mistakes.push(mistake(line_of(text, one.span().start), message));
                }
                Ok(playbook) => playbooks.push(playbook),
                Err((line, message)) => mistakes.push(mistake(line, message)),
            }
        }
    }
    mistakes.sort_by_key(|mistake| mistake.line);
    if mistakes.is_empty() { Ok(playbooks) } else { Err(mistakes) }
}

fn playbook(text: &str, declared: &Spanned<DeValue<'_>>) -> Result<Playbook, (usize, String)> {
    let line = line_of(text, declared.span().start);
    let read =
        Declared::deserialize(toml::de::ValueDeserializer::from(declared.clone())).map_err(|error| {
            let line = error.span().map_or(line, |span| line_of(text, span.start));
            (line, in_short(error.message()))
        })?;
    let mut steps = Vec::new();
    for step in read.step {
        let line = line_of(text, step.span().start);
        steps.push(step.into_inner().step().map_err(|message| (line, message))?);
    }
    let approval = match read.approval {
        None => Approval::None,
        Some(DeclaredApproval { within_s, otherwise }) => Approval::Asked { within_s, otherwise },
    };
    let playbook = Playbook {
        id: read.id,
        title: read.title,
        when: read.when,
        lease_s: read.lease_s,
        approval,
        steps,
        closing: read.closing,
    };
    match playbook.mistake() {
        None => Ok(playbook),
        Some((key, message)) => {
            let table = declared.get_ref().as_table();
            let at = table.and_then(|table| table.get(key));
            Err((at.map_or(line, |value| line_of(text, value.span().start)), message))
        }
    }
}

impl DeclaredStep {
    fn step(mut self) -> Result<Step, String> {
        let timeout_s = self.timeout_s.take().unwrap_or(TIMEOUT_S);
        if timeout_s == 0 || timeout_s > TIMEOUT_S_MAX {
            return Err(format!("`timeout-s` is 1 to {TIMEOUT_S_MAX}"));
        }
        let on_failure = self.on_failure;
        let action = self.action()?;
        if let Some(key) = self.left_over() {
            return Err(format!("`{}` takes no `{key}`", self.name));
        }
        Ok(Step { action, timeout_s, on_failure })
    }

    /// Takes the keys that this action needs.
    fn action(&mut self) -> Result<Action, String> {
        let name = self.name.as_str();
        let wants = |key: &str| format!("`{name}` wants `{key}`");
        let program = |command: Option<Vec<String>>, key: &str| match command {
            Some(command) if command.first().is_some_and(|program| program.starts_with('/')) => Ok(command),
            Some(_) => Err(format!(
                "`{key}` is a list that begins with a program's absolute path; there is no shell"
            )),
            None => Ok(Vec::new()),
        };
        Ok(match name {
            "throttle-cpu" => match self.percent.take().ok_or_else(|| wants("percent"))? {
                0 => return Err("`percent` is at least 1; `freeze` stops a VM".to_owned()),
                percent => Action::ThrottleCpu { percent },
            },
            "throttle-io" => match self.bytes_per_s.take().ok_or_else(|| wants("bytes-per-s"))? {
                0 => return Err("`bytes-per-s` is at least 1".to_owned()),
                bytes_per_s => Action::ThrottleIo { bytes_per_s },
            },
            "freeze" => Action::Freeze,
            "pause" => Action::Pause,
            "cut-network" => Action::CutNetwork,
            "confine" => Action::Confine { cgroup: self.cgroup.take().ok_or_else(|| wants("cgroup"))? },
            "dump-memory" | "copy-disks" => {
                let folder = self.folder.take().ok_or_else(|| wants("folder"))?;
                if !folder.is_absolute() {
                    return Err("`folder` is an absolute path".to_owned());
                }
                if name == "copy-disks" {
                    Action::CopyDisks { folder }
                } else {
                    Action::DumpMemory { folder }
                }
            }
            "restart" => match program(self.command.take(), "command")? {
                command if command.is_empty() => return Err(wants("command")),
                command => Action::Restart { command },
            },
            "run" => Action::Run {
                command: match program(self.command.take(), "command")? {
                    command if command.is_empty() => return Err(wants("command")),
                    command => command,
                },
                verify: program(self.verify.take(), "verify")?,
                undo: program(self.undo.take(), "undo")?,
            },
            "notify" => Action::Notify { text: self.text.take().ok_or_else(|| wants("text"))? },
            other => {
                let like = nearest(other, ACTIONS.iter().copied()).map_or_else(
                    || format!("known are {}", ACTIONS.join(", ")),
                    |like| format!("did you mean `{like}`?"),
                );
                return Err(format!("`{other}` is no action; {like}"));
            }
        })
    }

    fn left_over(&self) -> Option<&'static str> {
        [
            ("percent", self.percent.is_some()),
            ("bytes-per-s", self.bytes_per_s.is_some()),
            ("cgroup", self.cgroup.is_some()),
            ("folder", self.folder.is_some()),
            ("command", self.command.is_some()),
            ("verify", self.verify.is_some()),
            ("undo", self.undo.is_some()),
            ("text", self.text.is_some()),
        ]
        .into_iter()
        .find_map(|(key, is_set)| is_set.then_some(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = r#"[[playbook]]
id = "cpu-hog"
title = "A VM that starves its neighbours is slowed down"
when = { causes = ["vm-cpu-*"], severity-min = "critical", signs-min = 2 }
lease-s = 600
approval = { within-s = 300, otherwise = "decline" }

[[playbook.step]]
do = "throttle-cpu"
percent = 50
timeout-s = 5
on-failure = "stop"

[[playbook.step]]
do = "run"
command = ["/bin/true", "x y"]
undo = ["/bin/false"]
"#;

    fn mistakes(text: &str) -> Vec<String> {
        let found = document(Path::new("p.toml"), text).expect_err("a mistake");
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_one_is_read_whole() {
        let playbooks = document(Path::new("p.toml"), GOOD).unwrap();
        let [playbook] = playbooks.as_slice() else { panic!("{playbooks:?}") };
        assert_eq!(playbook.approval, Approval::Asked { within_s: 300, otherwise: Otherwise::Decline });
        assert_eq!(playbook.steps[0].action, Action::ThrottleCpu { percent: 50 });
        assert_eq!(playbook.steps[0].on_failure, OnFailure::Stop);
        assert_eq!((playbook.steps[1].timeout_s, playbook.when.signs_within_s), (30, 60));
    }

    #[test]
    fn every_mistake_has_its_line_and_its_cure() {
        for (from, to, expected) in [
            ("lease-s = 600", "leese-s = 600", "p.toml:5: unknown key `leese-s`; did you mean `lease-s`?"),
            ("percent = 50\n", "", "p.toml:8: `throttle-cpu` wants `percent`"),
            (
                "\"throttle-cpu\"",
                "\"throtle-cpu\"",
                "p.toml:8: `throtle-cpu` is no action; did you mean `throttle-cpu`?",
            ),
            ("do = \"throttle-cpu\"\n", "do = \"freeze\"\n", "p.toml:8: `freeze` takes no `percent`"),
            (
                "\"/bin/true\", \"x y\"",
                "\"true\"",
                "p.toml:14: `command` is a list that begins with a program's absolute path; there is no shell",
            ),
            (
                "id = \"cpu-hog\"",
                "id = \"CPU hog\"",
                "p.toml:2: an id has 1 to 64 lower-case letters, digits and dashes",
            ),
            ("lease-s = 600", "lease-s = 6000000", "p.toml:5: a lease lasts at most 604800 seconds, a week"),
            (
                "[[playbook]]",
                "[[playbok]]",
                "p.toml:1: unknown key `playbok`; a file holds [[playbook]] tables",
            ),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            let text = if to.starts_with("[[") { text.replace("[[playbook.", "[[playbok.") } else { text };
            assert_eq!(mistakes(&text), [expected], "{from} -> {to}");
        }
        assert_eq!(mistakes(&format!("{GOOD}{GOOD}")), ["p.toml:18: a second playbook `cpu-hog`"]);
        assert!(mistakes("= 3")[0].starts_with("p.toml:1: this is not TOML"));
    }

    #[test]
    fn orders_that_cannot_work_are_refused() {
        let step = |name: &str| format!("[[playbook.step]]\ndo = \"{name}\"\n");
        let head = GOOD.split("[[playbook.step]]").next().unwrap();
        let frozen = mistakes(&format!("{head}{}{}", step("freeze"), step("pause")));
        assert!(frozen[0].contains("a frozen VMM answers no monitor"), "{frozen:?}");
        assert!(document(Path::new("p"), &format!("{head}{}{}", step("pause"), step("freeze"))).is_ok());
        let restart = "[[playbook.step]]\ndo = \"restart\"\ncommand = [\"/bin/true\"]\n";
        assert!(mistakes(&format!("{head}{restart}{}", step("freeze")))[0].contains("stands alone"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,300}", cut in 0usize..400, byte in any::<char>()) {
            let _ = document(Path::new("p"), &text);
            let mut damaged: String = GOOD.chars().take(cut).collect();
            damaged.push(byte);
            damaged.extend(GOOD.chars().skip(cut));
            let _ = document(Path::new("p"), &damaged);
        }
    }
}
