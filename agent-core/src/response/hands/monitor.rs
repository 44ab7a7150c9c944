//! Pausing a guest and copying what it holds, through QMP. QEMU, `docs/interop/qmp-spec` and `qapi/*.json`.
//!
//! One conversation at a time and short ones: a QMP socket takes one client, and others want it too.

use super::super::action::{Target, Undo};
use super::{Deadline, Standing, Trouble, Undone};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the name of a file that is not whole yet ends with.
const PART: &str = ".part";
/// The longest line that is taken from a monitor.
const LINE_BYTES_MAX: u64 = 1024 * 1024;
/// Events and stray answers before an answer.
const LINES_MAX: usize = 1_000;
/// How long a monitor that another client holds is waited for.
const CONNECT_AGAIN: Duration = Duration::from_millis(20);

/// Whether the guest can be paused, and is not.
pub(super) fn plan_pause(target: &Target, deadline: Deadline) -> Result<Undo, Trouble> {
    let state = Conversation::begin(target, deadline)?.state()?;
    match state.as_str() {
        "running" => Ok(Undo::Resume),
        "paused" => Ok(Undo::Nothing),
        // Postmigrate, finish-migrate, save-vm and their like belong to somebody else's work.
        other => Err(Trouble::Refused(format!("the VM is in state `{other}`"))),
    }
}

/// Whether files can be written, and none of ours are there.
pub(super) fn plan_files(target: &Target, folder: &Path) -> Result<Undo, Trouble> {
    monitor(target)?;
    if !folder.is_absolute() {
        return Err(Trouble::Refused(format!("{} is not an absolute path", folder.display())));
    }
    match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(Undo::Nothing),
        Ok(_) => Err(Trouble::Refused(format!("{} is not a folder", folder.display()))),
        Err(error) => Err(Trouble::Refused(format!("{}: {error}", folder.display()))),
    }
}

/// Stops the guest.
pub(super) fn pause(target: &Target, deadline: Deadline) -> Result<(), Trouble> {
    Conversation::begin(target, deadline)?.ask("stop", None).map(drop)
}

/// Whether the guest stands still.
pub(super) fn verify_pause(target: &Target, deadline: Deadline) -> Standing {
    match Conversation::begin(target, deadline).and_then(|mut talk| talk.state()) {
        Ok(state) if state == "paused" => Standing::InForce("paused".to_owned()),
        Ok(state) => Standing::NotInForce(state),
        Err(trouble) => Standing::Unknown(trouble.to_string()),
    }
}

/// Lets the guest go on.
pub(super) fn resume(target: &Target, deadline: Deadline) -> Result<Undone, Trouble> {
    let mut talk = Conversation::begin(target, deadline)?;
    match talk.state()?.as_str() {
        "paused" => {
            talk.ask("cont", None)?;
            Ok(Undone::Restored(talk.state()?))
        }
        state @ "running" => Ok(Undone::Restored(state.to_owned())),
        state => Ok(Undone::LeftToOthers(format!("the VM is in state `{state}`"))),
    }
}

/// Writes the guest's memory to a file, which gets its name only when it is whole.
pub(super) fn dump_memory(
    target: &Target,
    folder: &Path,
    id: &str,
    deadline: Deadline,
) -> Result<(), Trouble> {
    let (part, whole) = names(folder, id, "core");
    let arguments =
        json!({ "paging": false, "protocol": format!("file:{}", part.display()), "detach": true });
    let mut talk = Conversation::begin(target, deadline)?;
    talk.ask("dump-guest-memory", Some(arguments))?;
    let status = deadline.poll(|| match talk.ask("query-dump", None) {
        Ok(answer) if answer["status"] == "active" => None,
        other => Some(other),
    });
    match status {
        Some(Ok(answer)) if answer["status"] == "completed" => publish(&part, &whole),
        Some(Ok(answer)) => Err(Trouble::Failed(format!("the dump ended as {}", answer["status"]))),
        Some(Err(trouble)) => Err(trouble),
        None => Err(Trouble::Failed("the dump was not done in time; QEMU goes on with it".to_owned())),
    }
}

/// Copies every disk that the guest has inserted.
pub(super) fn copy_disks(
    target: &Target,
    folder: &Path,
    id: &str,
    deadline: Deadline,
) -> Result<(), Trouble> {
    let mut talk = Conversation::begin(target, deadline)?;
    let blocks = talk.ask("query-block", None)?;
    let inserted = blocks.as_array().into_iter().flatten().filter(|block| block["inserted"].is_object());
    let mut copies = Vec::new();
    for (number, block) in inserted.enumerate() {
        let device = match (block["device"].as_str(), block["inserted"]["node-name"].as_str()) {
            (Some(device), _) if !device.is_empty() => device,
            (_, Some(node)) => node,
            _ => return Err(Trouble::Refused("a disk has neither a device nor a node name".to_owned())),
        };
        let (part, whole) = names(folder, id, &format!("disk{number}"));
        let job = format!("bartizan-{number}");
        let arguments = json!({
            "job-id": job, "device": device, "target": part.display().to_string(), "sync": "full", "format": "raw",
        });
        talk.ask("drive-backup", Some(arguments))?;
        copies.push((job, part, whole));
    }
    if copies.is_empty() {
        return Err(Trouble::Refused("the VM has no disk".to_owned()));
    }
    let ended = deadline.poll(|| match talk.ask("query-block-jobs", None) {
        Ok(jobs) if runs(&jobs, &copies) => None,
        other => Some(other),
    });
    match ended {
        Some(Ok(_)) => copies.iter().try_for_each(|(_, part, whole)| publish(part, whole)),
        Some(Err(trouble)) => Err(trouble),
        None => {
            for (job, ..) in &copies {
                talk.ask("block-job-cancel", Some(json!({ "device": job, "force": true })))?;
            }
            Err(Trouble::Failed("the copies were not done in time, and were given up".to_owned()))
        }
    }
}

/// Whether a file of this action is there, whole.
pub(super) fn verify_files(folder: &Path, id: &str) -> Standing {
    let stem = format!("{}.", stem(id));
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return Standing::Unknown(format!("{}: {error}", folder.display())),
    };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut ours: Vec<String> = names.filter(|name| name.starts_with(&stem)).collect();
    ours.sort();
    if ours.is_empty() || ours.iter().any(|name| name.ends_with(PART)) {
        return Standing::NotInForce(format!("no whole file {stem}* in {}", folder.display()));
    }
    Standing::InForce(ours.join(", "))
}

fn runs(jobs: &Value, copies: &[(String, PathBuf, PathBuf)]) -> bool {
    let running = jobs.as_array().into_iter().flatten();
    running.filter_map(|job| job["device"].as_str()).any(|job| copies.iter().any(|(ours, ..)| ours == job))
}

/// Identifiers go into file names.
fn stem(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

fn names(folder: &Path, id: &str, what: &str) -> (PathBuf, PathBuf) {
    let whole = folder.join(format!("{}.{what}", stem(id)));
    (folder.join(format!("{}.{what}{PART}", stem(id))), whole)
}

fn publish(part: &Path, whole: &Path) -> Result<(), Trouble> {
    let failed = |error: std::io::Error| Trouble::Failed(format!("{}: {error}", part.display()));
    std::fs::File::open(part).and_then(|file| file.sync_all()).map_err(failed)?;
    std::fs::rename(part, whole).map_err(failed)
}

fn monitor(target: &Target) -> Result<&Path, Trouble> {
    target
        .monitor
        .as_deref()
        .ok_or_else(|| Trouble::Refused("the VM has no QMP socket that is known".to_owned()))
}

/// One conversation with a monitor.
struct Conversation {
    reader: BufReader<UnixStream>,
    deadline: Deadline,
}

impl Conversation {
    fn begin(target: &Target, deadline: Deadline) -> Result<Self, Trouble> {
        let path = monitor(target)?;
        let connected = loop {
            match UnixStream::connect(path) {
                // Its backlog is full: somebody else is speaking with it.
                Err(error)
                    if error.kind() == std::io::ErrorKind::WouldBlock && !deadline.left().is_zero() =>
                {
                    std::thread::sleep(CONNECT_AGAIN);
                }
                connected => break connected,
            }
        };
        let stream = connected.map_err(|error| Trouble::Refused(format!("{}: {error}", path.display())))?;
        let mut talk = Self { reader: BufReader::new(stream), deadline };
        let greeting = talk.line()?;
        if !greeting["QMP"].is_object() {
            return Err(Trouble::Failed(format!("{} does not speak QMP", path.display())));
        }
        talk.ask("qmp_capabilities", None)?;
        Ok(talk)
    }

    fn state(&mut self) -> Result<String, Trouble> {
        let answer = self.ask("query-status", None)?;
        answer["status"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| Trouble::Failed("the monitor tells no state".to_owned()))
    }

    fn ask(&mut self, command: &str, arguments: Option<Value>) -> Result<Value, Trouble> {
        let mut request = json!({ "execute": command, "id": command });
        if let Some(arguments) = arguments {
            request["arguments"] = arguments;
        }
        self.time()?;
        let failed = |error: std::io::Error| Trouble::Failed(format!("the monitor at `{command}`: {error}"));
        self.reader.get_mut().write_all(format!("{request}\n").as_bytes()).map_err(failed)?;
        for _ in 0..LINES_MAX {
            let mut line = self.line()?;
            if line["id"] != command {
                continue;
            }
            if let Some(answer) = line.get_mut("return") {
                return Ok(answer.take());
            }
            let said = line["error"]["desc"].as_str().unwrap_or("an error without a text");
            return Err(Trouble::Failed(format!("the monitor refuses `{command}`: {said}")));
        }
        Err(Trouble::Failed(format!("the monitor says much and does not answer `{command}`")))
    }

    fn line(&mut self) -> Result<Value, Trouble> {
        self.time()?;
        let mut line = Vec::new();
        let count = (&mut self.reader)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .map_err(|error| Trouble::Failed(format!("the monitor does not answer: {error}")))?;
        if count == 0 {
            return Err(Trouble::Failed("the monitor hung up".to_owned()));
        }
        serde_json::from_slice(&line)
            .map_err(|error| Trouble::Failed(format!("the monitor sends no JSON: {error}")))
    }

    /// No single read or write takes longer than what is left.
    fn time(&mut self) -> Result<(), Trouble> {
        let left = self.deadline.left();
        if left.is_zero() {
            return Err(Trouble::Failed("the monitor did not answer in time".to_owned()));
        }
        let stream = self.reader.get_ref();
        stream
            .set_read_timeout(Some(left))
            .and_then(|()| stream.set_write_timeout(Some(left)))
            .map_err(|error| Trouble::Failed(format!("the monitor's socket: {error}")))
    }
}
