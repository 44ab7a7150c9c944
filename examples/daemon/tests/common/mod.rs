//! Starts the command as a user would, and ends it whatever happens.

#![allow(dead_code, reason = "every test file uses another part of this")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test, with its place")]

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};

/// The command under test, in an environment that is the same on every machine.
pub(crate) fn bartizan() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bartizan"));
    for variable in
        ["NO_COLOR", "BARTIZAN_LOG", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM"]
    {
        command.env_remove(variable);
    }
    command
}

/// Runs it to its end.
pub(crate) fn output(arguments: &[&str]) -> Output {
    bartizan().args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Its exit code.
pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// Text it wrote.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Longer than anything that is waited for.
const SILENCE_MS_MAX: u16 = 60_000;

/// A running `bartizan run` that writes JSON lines.
pub(crate) struct Daemon {
    child: Child,
    lines: BufReader<ChildStdout>,
    stderr: Option<ChildStderr>,
}

impl Daemon {
    /// Starts it; the arguments follow `run`.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::spawn(bartizan().arg("run").args(arguments))
    }

    /// Starts what was prepared.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let stderr = child.stderr.take();
        Self { child, lines, stderr }
    }

    pub(crate) fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// The next line; `None` when it has ended. One that says nothing for minutes has failed, and holds no test up.
    pub(crate) fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        if self.lines.buffer().is_empty() {
            let mut ready = [PollFd::new(self.lines.get_ref().as_fd(), PollFlags::POLLIN)];
            let count = poll(&mut ready, PollTimeout::from(SILENCE_MS_MAX)).unwrap();
            assert!(count > 0, "it says nothing any more");
        }
        if self.lines.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}")))
    }

    /// Lines up to and including the first of this type.
    pub(crate) fn until(&mut self, kind: &str) -> Value {
        loop {
            let line = self
                .next()
                .unwrap_or_else(|| panic!("it ended before a line of type {kind}: {}", self.complaints()));
            if line["type"] == kind {
                return line;
            }
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(self.pid(), signal).unwrap();
    }

    /// Ends it with SIGTERM, and returns its last line and exit code.
    pub(crate) fn stop(mut self) -> (Value, i32) {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        let last = self.until("stop");
        assert!(self.next().is_none(), "nothing comes after the summary");
        (last, self.child.wait().unwrap().code().unwrap())
    }

    /// The address of the first TCP listener in a `start` line, `127.0.0.1:4711`.
    pub(crate) fn address(start: &Value) -> String {
        let serving = start["serving"].as_array().unwrap();
        let http = serving.iter().find_map(|address| address.as_str()?.strip_prefix("http://"));
        http.unwrap().to_owned()
    }

    /// Its exit code, once it has ended by itself.
    pub(crate) fn wait(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }

    /// The signal that ended it.
    pub(crate) fn killed_by(&mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;
        self.child.wait().unwrap().signal()
    }

    /// What it wrote on standard error, once it has ended.
    pub(crate) fn complaints(&mut self) -> String {
        let mut text = String::new();
        if let Some(stderr) = &mut self.stderr {
            let _ = stderr.read_to_string(&mut text);
        }
        text
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer: its head, and its body with the chunks joined.
pub(crate) struct Answer {
    pub head: String,
    pub body: String,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// Asks over a stream that is connected.
pub(crate) fn ask_on(mut stream: impl Read + Write, path: &str, fields: &str) -> Answer {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    answer(&bytes)
}

/// Asks over TCP.
pub(crate) fn ask(address: &str, path: &str, fields: &str) -> Answer {
    ask_on(TcpStream::connect(address).unwrap(), path, fields)
}

/// Asks over a Unix socket.
pub(crate) fn ask_unix(socket: &Path, path: &str) -> Answer {
    ask_on(UnixStream::connect(socket).unwrap(), path, "")
}

/// Takes an answer apart.
pub(crate) fn answer(bytes: &[u8]) -> Answer {
    let text = text(bytes);
    let (head, rest) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
    if !head.contains("Transfer-Encoding: chunked") {
        return Answer { head: head.to_owned(), body: rest.to_owned() };
    }
    let (mut body, mut rest) = (String::new(), rest);
    loop {
        let (size, after) = rest.split_once("\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            assert_eq!(after, "\r\n", "nothing follows the last chunk");
            return Answer { head: head.to_owned(), body };
        }
        body.push_str(&after[..size]);
        rest = after[size..].strip_prefix("\r\n").expect("the end of a chunk");
    }
}
