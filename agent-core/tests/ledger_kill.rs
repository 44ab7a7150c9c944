//! A process that appends is killed at any moment, 200 times: no record that it saw acknowledged is lost.
//!
//! This says nothing about power, since what was written stays in the page cache: that is simulated elsewhere.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, with its place")]

use bartizan_core::ledger::{Kind, LastRun, Ledger, RealDisk, Sizes, Start, decode, read};
use bartizan_core::sys::clock::Clock;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const KILLS: u32 = 200;
const FOLDER: &str = "BARTIZAN_KILL_FOLDER";

fn open(folder: &Path) -> (Ledger, bartizan_core::ledger::Opened) {
    let sizes = Sizes { segment_bytes: 64 * 1024, ..Sizes::default() };
    Ledger::open(Arc::new(RealDisk::new(folder)), sizes, "bartizan/kill", Clock::System).unwrap()
}

/// The process that is killed; nothing when the test runs by itself.
#[test]
fn victim() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (ledger, _) = open(Path::new(&folder));
    let mut out = std::io::stdout();
    for number in 0u64.. {
        let ticket = ledger.append(Kind::ALERT, "acme", &number.to_le_bytes()).unwrap();
        ticket.wait().unwrap();
        writeln!(out, "acknowledged {} {number}", ticket.sequence()).unwrap();
        if number % 50 == 49 {
            ledger.checkpoint().unwrap();
        }
    }
}

#[test]
fn what_a_killed_process_saw_acknowledged_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut cut) = (Vec::new(), 0);
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "victim", "--nocapture", "--quiet"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = Vec::new();
        let mut note = |line: &str| {
            let words: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
            if let (true, [sequence, number]) = (line.contains("acknowledged"), &words[..]) {
                seen.push((*sequence, *number));
            }
        };
        // Not before it has begun; then at any moment.
        for line in lines.by_ref().map_while(Result::ok) {
            note(&line);
            if line.contains("acknowledged") {
                break;
            }
        }
        std::thread::sleep(Duration::from_micros(u64::from(kill % 40) * 311));
        child.kill().unwrap();
        child.wait().unwrap();
        lines.map_while(Result::ok).for_each(|line| note(&line));
        acknowledged.append(&mut seen);
    }
    let (ledger, opened) = open(folder.path());
    assert!(matches!(opened.last, LastRun::Cut { .. }));
    ledger.stop().unwrap();
    let mut expected = acknowledged.iter().peekable();
    read(Arc::new(RealDisk::new(folder.path())), 0, |record| {
        if record.kind == Kind::START {
            cut += u32::from(matches!(decode::<Start>(record.payload).unwrap().last, LastRun::Cut { .. }));
        }
        if let Some((_, number)) = expected.next_if(|(sequence, _)| *sequence == record.sequence) {
            assert_eq!((record.kind, record.payload), (Kind::ALERT, &number.to_le_bytes()[..]));
        }
    })
    .unwrap();
    assert_eq!(expected.next(), None, "an acknowledged record is lost");
    assert_eq!(cut, KILLS, "every kill is told by the run that follows");
    println!("{KILLS} kills, {} records acknowledged", acknowledged.len());
}
