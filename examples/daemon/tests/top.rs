//! `bartizan top` in a real terminal (tmux), driven as a user drives it.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, with its place")]

mod common;

use bartizan_testkit::proc::wait_until;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A tmux server of our own, with one window; it ends when this is dropped.
struct Terminal {
    folder: tempfile::TempDir,
}

impl Terminal {
    fn start(columns: u16, rows: u16, arguments: &str) -> Self {
        let terminal = Self { folder: tempfile::tempdir().unwrap() };
        let command = format!("{} {arguments}; echo ended with $?", env!("CARGO_BIN_EXE_bartizan"));
        let shell = format!("printf 'before\\n'; {command}; exec sleep 600");
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns.to_string(),
            "-y",
            &rows.to_string(),
            &shell,
        ]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let socket = self.folder.path().join("tmux");
        let output = Command::new("tmux")
            .arg("-S")
            .arg(socket)
            .args(arguments)
            .env_remove("TMUX")
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", common::text(&output.stderr));
        common::text(&output.stdout)
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// The process that runs in the window.
    fn pid(&self) -> i32 {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let children = format!("/proc/{0}/task/{0}/children", shell.trim());
        std::fs::read_to_string(children).unwrap().trim().parse().unwrap()
    }

    /// The other screen is left, and the cursor is visible.
    fn is_given_back(&self) {
        assert_eq!(self.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]).trim(), "0 1");
    }

    fn until(&self, text: &str) -> String {
        let seen = wait_until(Duration::from_secs(30), || self.screen().contains(text));
        let screen = self.screen();
        assert!(seen, "never saw {text:?}:\n{screen}");
        screen
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let socket = self.folder.path().join("tmux");
        let _ = Command::new("tmux").arg("-S").arg(socket).arg("kill-server").output();
    }
}

fn no_tmux() -> bool {
    Command::new("tmux").arg("-V").stdout(Stdio::null()).status().is_err()
}

#[test]
fn it_draws_answers_keys_and_gives_the_terminal_back() {
    if no_tmux() {
        bartizan_testkit::skip!("tmux is not installed");
    }
    let terminal = Terminal::start(80, 24, "top --interval 100ms");
    let screen = terminal.until("quit");
    assert!(screen.contains("bartizan") && screen.contains("alerts"), "{screen}");
    terminal.keys(&["?"]);
    terminal.until("any key closes it");
    terminal.keys(&["x"]);
    terminal.keys(&["o"]);
    terminal.until("sources of the host");
    terminal.keys(&["Escape"]);
    terminal.until("VMs:");
    terminal.tmux(&["resize-window", "-x", "200", "-y", "50"]);
    let wide = wait_until(Duration::from_secs(30), || {
        let screen = terminal.screen();
        screen.lines().count() == 50 && screen.lines().last().is_some_and(|line| line.contains("quit"))
    });
    assert!(wide, "not drawn anew after the resize:\n{}", terminal.screen());
    terminal.keys(&["q"]);
    terminal.until("ended with 0");
    terminal.is_given_back();
}

#[test]
fn a_signal_gives_the_terminal_back_too() {
    if no_tmux() {
        bartizan_testkit::skip!("tmux is not installed");
    }
    let terminal = Terminal::start(100, 30, "top");
    terminal.until("quit");
    let pid = terminal.pid();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).unwrap();
    terminal.until("ended with 0");
    terminal.is_given_back();
}

#[test]
fn a_terminal_that_goes_away_ends_it() {
    if no_tmux() {
        bartizan_testkit::skip!("tmux is not installed");
    }
    for command in ["top", "run --no-socket --interval 100ms"] {
        let terminal = Terminal::start(100, 30, command);
        terminal.until("CPUs");
        let pid = terminal.pid();
        drop(terminal);
        let ended =
            wait_until(Duration::from_secs(10), || !std::path::Path::new(&format!("/proc/{pid}")).exists());
        if !ended {
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        assert!(ended, "{command:?} goes on without anybody to see it");
    }
}

#[test]
fn the_live_picture_of_run_stays_in_place_and_ends_with_a_summary() {
    if no_tmux() {
        bartizan_testkit::skip!("tmux is not installed");
    }
    let terminal = Terminal::start(80, 24, "run --no-socket --interval 100ms --duration 1500ms");
    terminal.until("ended with 0");
    // All that was ever written and not drawn over, above the screen too: other tests' VMs may fill it.
    let after = terminal.tmux(&["capture-pane", "-p", "-S", "-"]);
    assert_eq!(after.matches("· tick ").count(), 1, "one picture, drawn over and over: {after}");
    assert!(after.contains("stopped (duration) after"), "{after}");
}
