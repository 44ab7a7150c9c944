//! Work of QEMU's that is under way: a migration, a backup, a job of its block layer. Asked over QMP, once, and never waited
//! for longer than half a second.

use super::{Guest, Host};
use crate::checks::Unavailable;
use crate::checks::facts::Gather;
use crate::coordination::{Action, Claim, Origin, Party, ResourcePath};
use crate::sampling::discovery::VmmKind;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket, sockopt};
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a monitor may take for all of it.
const WAIT: Duration = Duration::from_millis(500);
/// Bytes that it may say.
const BYTES_MAX: usize = 1 << 20;

/// What is asked. None of it changes anything.
const QUERIES: [&str; 3] = ["query-migrate", "query-block-jobs", "query-jobs"];

pub(super) fn look(gather: &Gather, guests: &[Guest], host: &mut Host) {
    for guest in guests.iter().filter(|guest| guest.vm.vmm == VmmKind::Qemu) {
        let (what, path) = (format!("jobs of {}", guest.vm), format!("vm/{}", guest.key));
        let Some(monitor) = guest.monitor.as_ref().filter(|_| gather.host().is_live()) else {
            let why = if gather.host().is_live() {
                "it has no monitor to ask"
            } else {
                "monitors are not recorded"
            };
            host.unseen(&path, &what, &Unavailable::NotExposed(why.to_owned()).to_string());
            continue;
        };
        match ask(monitor, guest.vm.id.pid) {
            Ok(answers) => {
                for job in under_way(&answers) {
                    host.claims.extend(claim(&guest.key, &job, monitor));
                }
            }
            Err(why) => host.unseen(&path, &what, &why),
        }
    }
}

/// Work that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The action that it is: see [`crate::coordination::effects`].
    pub action: &'static str,
    /// Its kind and state, as QEMU says them.
    pub says: String,
}

/// The jobs in the answers to `query-migrate`, `query-block-jobs` and `query-jobs`. (QEMU's QMP reference:
/// `MigrationInfo`, `BlockJobInfo`, `JobInfo`.)
#[must_use]
pub fn under_way(answers: &[Value]) -> Vec<Job> {
    let mut found: Vec<Job> = Vec::new();
    let mut add = |action: &'static str, says: String| {
        if !found.iter().any(|job| job.action == action) {
            found.push(Job { action, says });
        }
    };
    let text =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    for answer in answers {
        if let Some(jobs) = answer.as_array() {
            for job in jobs {
                // `JobInfo` calls it id and status, `BlockJobInfo` device and status; ended ones wait to be dismissed.
                let (kind, status) = (text(job, "type"), text(job, "status"));
                if matches!(status.as_str(), "concluded" | "null" | "undefined") {
                    continue;
                }
                let action = match kind.as_str() {
                    "snapshot-save" => "snapshot-memory",
                    "backup" | "mirror" | "commit" | "stream" => "backup",
                    "snapshot-load" => "restart",
                    _ => continue,
                };
                add(action, format!("{kind}: {status}"));
            }
        } else {
            let status = text(answer, "status");
            if !matches!(status.as_str(), "" | "none" | "completed" | "failed" | "cancelled") {
                add("migrate", format!("migration: {status}"));
            }
        }
    }
    found
}

fn claim(key: &str, job: &Job, monitor: &Path) -> Option<Claim> {
    let target = ResourcePath::of_vm(key, "").ok()?;
    let reason = format!("found in {} ({})", monitor.display(), job.says);
    let claim = Action::named(job.action)?.claim(Party::csp("qemu"), "qmp", &target, None, &reason).ok()?;
    Some(Claim { origin: Origin::Found, ..claim })
}

fn ask(path: &Path, pid: i32) -> Result<Vec<Value>, String> {
    let deadline = Instant::now() + WAIT;
    let failed = |errno| format!("{}: {errno}", path.display());
    // A connect that would wait, because a VMM that hangs accepts nobody, fails at once.
    let address = UnixAddr::new(path).map_err(failed)?;
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(failed)?;
    connect(socket.as_raw_fd(), &address).map_err(failed)?;
    let listener = getsockopt(&socket, sockopt::PeerCredentials).map_err(failed)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false).map_err(|error| error.to_string())?;
    if listener.pid() != pid {
        return Err(format!(
            "{} is listened on by process {}, not by the VMM",
            path.display(),
            listener.pid()
        ));
    }
    let mut conversation = Conversation { stream, deadline, rest: Vec::new(), received: 0 };
    if conversation.next()?.get("QMP").is_none() {
        return Err("its first message is no QMP greeting".to_owned());
    }
    conversation.execute("qmp_capabilities")?;
    // An old QEMU does not know each of them.
    let answers: Vec<Option<Value>> =
        QUERIES.iter().map(|query| conversation.execute(query)).collect::<Result<_, _>>()?;
    Ok(answers.into_iter().flatten().collect())
}

struct Conversation {
    stream: UnixStream,
    deadline: Instant,
    /// What came and was not looked at yet.
    rest: Vec<u8>,
    received: usize,
}

impl Conversation {
    /// The answer; `None` when it refused.
    fn execute(&mut self, command: &str) -> Result<Option<Value>, String> {
        let left = self.left()?;
        self.stream.set_write_timeout(Some(left)).map_err(|error| error.to_string())?;
        let request = format!("{{\"execute\":\"{command}\",\"id\":\"{command}\"}}\n");
        self.stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
        loop {
            let mut answer = self.next()?;
            if answer.get("id").and_then(Value::as_str) == Some(command) {
                return Ok(answer.get_mut("return").map(Value::take));
            }
        }
    }

    /// The next line, whatever it is.
    fn next(&mut self) -> Result<Value, String> {
        let mut chunk = [0; 16 * 1024];
        let end = loop {
            if let Some(end) = memchr::memchr(b'\n', &self.rest) {
                break end;
            }
            let left = self.left()?;
            self.stream.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
            let count = self.stream.read(&mut chunk).map_err(|error| match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => late(),
                _ => error.to_string(),
            })?;
            self.received += count;
            if count == 0 || self.received > BYTES_MAX {
                return Err("it hung up, or said more than this agent reads".to_owned());
            }
            self.rest.extend_from_slice(&chunk[..count]);
        };
        let line: Vec<u8> = self.rest.drain(..=end).collect();
        serde_json::from_slice(&line).map_err(|error| format!("it sent JSON that is none: {error}"))
    }

    fn left(&self) -> Result<Duration, String> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(late()) } else { Ok(left) }
    }
}

fn late() -> String {
    format!("its monitor did not answer within {} ms", WAIT.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io::{BufRead, BufReader};
    use std::os::unix::net::UnixListener;

    #[test]
    fn what_has_ended_is_not_under_way() {
        let answers = [
            json!({"status": "active", "ram": {"remaining": 1}}),
            json!([{"device": "d0", "type": "backup", "status": "running"}, {"device": "d1", "type": "mirror", "status": "ready"}]),
            json!([{"id": "s", "type": "snapshot-save", "status": "created"}, {"id": "o", "type": "backup", "status": "concluded"}]),
        ];
        let actions: Vec<_> = under_way(&answers).into_iter().map(|job| job.action).collect();
        assert_eq!(actions, ["migrate", "backup", "snapshot-memory"]);
        for quiet in [
            json!({}),
            json!({"status": "completed"}),
            json!({"status": "none"}),
            json!([]),
            json!(7),
            json!(null),
        ] {
            assert!(under_way(&[quiet]).is_empty());
        }
    }

    /// A monitor that greets and then says nothing, or ever more.
    #[test]
    fn a_monitor_that_hangs_or_floods_is_left() {
        for flood in [false, true] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("qmp");
            let listener = UnixListener::bind(&path).expect("a socket");
            let server = std::thread::spawn(move || {
                let (mut peer, _) = listener.accept().expect("a client");
                peer.write_all(b"{\"QMP\": {}}\n").expect("greeted");
                if flood {
                    while peer.write_all(&[b'x'; 4096]).is_ok() {}
                } else {
                    let _ = BufReader::new(peer).lines().count();
                }
            });
            let begun = Instant::now();
            let why = ask(&path, i32::try_from(std::process::id()).expect("a PID")).expect_err("no answer");
            assert!(begun.elapsed() < WAIT * 4, "{why}");
            assert!(why.contains(if flood { "more than" } else { "did not answer" }), "{why}");
            server.join().expect("the server");
        }
    }
}
