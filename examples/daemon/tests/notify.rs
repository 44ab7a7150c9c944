//! What the service manager hears: ready, reloading, stopping; and the watchdog only while sampling advances.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, with its place")]

mod common;

use common::{Daemon, bartizan};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

/// The manager's end of `NOTIFY_SOCKET`.
struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        Self { socket, folder }
    }

    fn start(&self, watchdog_us: u64, arguments: &[&str]) -> Daemon {
        let mut command = bartizan();
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify"));
        if watchdog_us > 0 {
            command.env("WATCHDOG_USEC", watchdog_us.to_string());
        }
        Daemon::spawn(command.args(["run", "--no-socket", "--quiet", "--interval", "50ms"]).args(arguments))
    }

    /// The next message within so long.
    fn hear(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut buffer = [0; 4096];
        let count = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..count].to_vec()).unwrap())
    }

    /// Messages up to one that holds this line.
    fn until(&self, line: &str) {
        loop {
            let message = self.hear(Duration::from_secs(20)).unwrap_or_else(|| panic!("never heard {line}"));
            if message.lines().any(|heard| heard == line) {
                return;
            }
        }
    }
}

#[test]
fn ready_reloading_and_stopping_are_told() {
    let manager = Manager::new();
    let mut daemon = manager.start(0, &[]);
    manager.until("READY=1");
    daemon.signal(Signal::SIGHUP);
    manager.until("RELOADING=1");
    manager.until("READY=1");
    daemon.until("reload");
    daemon.signal(Signal::SIGTERM);
    manager.until("STOPPING=1");
    daemon.until("stop");
}

/// The thread of a process that bears this name.
fn thread(pid: Pid, name: &str) -> Option<Pid> {
    let tasks = std::fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task")).unwrap();
    tasks.flatten().find_map(|task| {
        let comm = std::fs::read_to_string(task.path().join("comm")).ok()?;
        let tid = task.file_name().to_str()?.parse().ok()?;
        (comm.trim_end() == name).then(|| Pid::from_raw(tid))
    })
}

/// A thread that stands still until this is dropped: a process whose thread is traced cannot be reaped.
struct Stopped(Pid);

impl Drop for Stopped {
    fn drop(&mut self) {
        // Gone already, when the whole process is.
        let _ = ptrace::detach(self.0, None);
    }
}

#[test]
fn the_watchdog_is_pinged_while_sampling_advances_and_not_when_it_is_stuck() {
    let manager = Manager::new();
    let daemon = manager.start(400_000, &["--listen", "127.0.0.1:0"]);
    manager.until("WATCHDOG=1");
    manager.until("WATCHDOG=1");
    let sampler = thread(daemon.pid(), "btz-sampler").expect("the sampler's thread");
    // Stops this one thread, as a debugger would; the rest of the daemon runs on.
    if let Err(errno) = ptrace::seize(sampler, ptrace::Options::empty()) {
        bartizan_testkit::skip!("ptrace is not allowed here: {errno}");
    }
    let stopped = Stopped(sampler);
    ptrace::interrupt(sampler).unwrap();
    nix::sys::wait::waitpid(sampler, Some(nix::sys::wait::WaitPidFlag::__WALL)).unwrap();
    // One ping may have been on its way. After it, silence for far longer than the watchdog allows.
    while manager.hear(Duration::from_millis(300)).is_some_and(|message| message.contains("STATUS")) {}
    let _ = manager.hear(Duration::from_millis(1));
    assert_eq!(manager.hear(Duration::from_secs(2)), None, "a stuck sampler must not look alive");
    drop(stopped);
    manager.until("WATCHDOG=1");
    daemon.stop();
}
