//! Standard output that never holds the daemon up.
//!
//! What is written goes into a bounded queue, and a thread of its own writes it on. A reader that does not read fills the
//! queue; further pieces are then dropped whole, their lines counted, and the reader is told how many in the place where
//! they would have been: `lines given = written + dropped + queued`, at every instant.

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many bytes may wait. A piece that is longer by itself is taken when nothing else waits.
const QUEUE_BYTES_MAX: usize = 1 << 20;

/// Where lines go. Clones write to the same end, each piece whole.
#[derive(Clone)]
pub struct Outlet {
    shared: Arc<Shared>,
    /// Written, and not flushed yet.
    piece: Vec<u8>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    bytes_max: usize,
    /// Says how many lines were dropped.
    tell: fn(u64) -> String,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines that were dropped since the reader was told the last time, and in all.
    dropped: u64,
    dropped_total: u64,
    is_writing: bool,
    error: Option<ErrorKind>,
}

impl Outlet {
    /// Writes to `out`, on a thread of its own that ends with the process. `tell` makes the line that says how many lines
    /// were dropped.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new(out: impl Write + Send + 'static, tell: fn(u64) -> String) -> io::Result<Self> {
        Self::with_room(out, tell, QUEUE_BYTES_MAX)
    }

    fn with_room(
        out: impl Write + Send + 'static,
        tell: fn(u64) -> String,
        bytes_max: usize,
    ) -> io::Result<Self> {
        let state = Mutex::default();
        let shared = Arc::new(Shared { state, changed: Condvar::new(), bytes_max, tell });
        let serving = Arc::clone(&shared);
        std::thread::Builder::new().name("output".into()).spawn(move || serving.serve(out))?;
        Ok(Self { shared, piece: Vec::new() })
    }

    /// Whether the reader does not keep up: what need not be said may be left out.
    #[must_use]
    pub fn is_congested(&self) -> bool {
        let state = self.shared.state.lock();
        state.dropped > 0 || state.bytes > self.shared.bytes_max / 2
    }

    /// Lines that were dropped so far.
    #[must_use]
    pub fn lines_dropped(&self) -> u64 {
        self.shared.state.lock().dropped_total
    }

    /// Waits until everything was written, but not longer than that; whether it was.
    #[must_use]
    pub fn drain(&self, at_most: Duration) -> bool {
        let end = Instant::now() + at_most;
        let mut state = self.shared.state.lock();
        while !state.is_done() && state.error.is_none() {
            if self.shared.changed.wait_until(&mut state, end).timed_out() {
                return state.is_done();
            }
        }
        state.error.is_none()
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Hands over what was written since the last time as one piece. Never waits; fails when an earlier piece could not be
    /// written.
    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::take(&mut self.piece);
        self.shared.push(piece)
    }
}

impl State {
    fn is_done(&self) -> bool {
        self.pieces.is_empty() && !self.is_writing && self.dropped == 0
    }

    fn add(&mut self, piece: Vec<u8>) {
        self.bytes += piece.len();
        self.pieces.push_back(piece);
    }

    /// What tells the reader of lines that were dropped; `None` when there are none.
    fn notice(&mut self, tell: fn(u64) -> String) -> Option<Vec<u8>> {
        let dropped = std::mem::take(&mut self.dropped);
        (dropped > 0).then(|| (tell(dropped) + "\n").into_bytes())
    }
}

impl Shared {
    fn push(&self, piece: Vec<u8>) -> io::Result<()> {
        let mut state = self.state.lock();
        if let Some(kind) = state.error {
            return Err(kind.into());
        }
        if state.bytes > 0 && state.bytes + piece.len() > self.bytes_max {
            // A last line without its end is a line too.
            let lines = piece.split_inclusive(|byte| *byte == b'\n').count() as u64;
            state.dropped += lines;
            state.dropped_total += lines;
            return Ok(());
        }
        // In the place where they would have been.
        if let Some(notice) = state.notice(self.tell) {
            state.add(notice);
        }
        state.add(piece);
        self.changed.notify_all();
        Ok(())
    }

    fn serve(&self, mut out: impl Write) {
        let mut state = self.state.lock();
        loop {
            let Some(piece) = state.pieces.pop_front().or_else(|| state.notice(self.tell)) else {
                self.changed.wait(&mut state);
                continue;
            };
            state.is_writing = true;
            let written = parking_lot::MutexGuard::unlocked(&mut state, || {
                out.write_all(&piece).and_then(|()| out.flush())
            });
            state.is_writing = false;
            // A notice that was made here was never counted.
            state.bytes = state.pieces.iter().map(Vec::len).sum();
            if let Err(error) = written {
                state.error = Some(error.kind());
                self.changed.notify_all();
                return;
            }
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};

    fn tell(lines: u64) -> String {
        format!("dropped {lines}")
    }

    #[test]
    fn a_reader_that_does_not_read_holds_nobody_up_and_is_told_exactly_what_it_missed() {
        let (reader, writer) = std::io::pipe().unwrap();
        // Less than what is queued: the thread comes to where it has to wait.
        nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_SETPIPE_SZ(4_096)).unwrap();
        let mut outlet = Outlet::with_room(writer, tell, 16_384).unwrap();
        let begin = Instant::now();
        let given = 20_000u64;
        for line in 0..given {
            writeln!(outlet, "line {line}").unwrap();
            outlet.flush().unwrap();
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "it waited for the reader");
        let dropped = outlet.lines_dropped();
        assert!(dropped > 0 && outlet.is_congested());
        assert!(!outlet.drain(Duration::from_millis(10)), "nobody reads");
        let other = outlet.clone();
        let reading = std::thread::spawn(move || {
            let (mut expected, mut missed) = (0, 0);
            for line in BufReader::new(reader).lines() {
                let line = line.unwrap();
                if line == "end" {
                    break;
                }
                if let Some(count) = line.strip_prefix("dropped ") {
                    let count: u64 = count.parse().unwrap();
                    missed += count;
                    // They would have been here.
                    expected += count;
                } else {
                    assert_eq!(line, format!("line {expected}"));
                    expected += 1;
                }
            }
            assert_eq!(expected, given);
            missed
        });
        assert!(other.drain(Duration::from_mins(1)), "what waited and the notice were written");
        writeln!(outlet, "end").unwrap();
        outlet.flush().unwrap();
        assert_eq!(reading.join().unwrap(), dropped);
        assert!(!outlet.is_congested());
    }

    #[test]
    fn a_reader_that_went_away_is_an_error() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut outlet = Outlet::new(writer, tell).unwrap();
        writeln!(outlet, "first").unwrap();
        outlet.flush().unwrap();
        assert!(!outlet.drain(Duration::from_mins(1)));
        writeln!(outlet, "second").unwrap();
        assert_eq!(outlet.flush().unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_piece_that_is_longer_than_all_there_is_room_for_goes_alone() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut outlet = Outlet::with_room(writer, tell, 16).unwrap();
        outlet.write_all(&[b'x'; 100]).unwrap();
        outlet.flush().unwrap();
        let mut bytes = [0; 100];
        io::Read::read_exact(&mut reader, &mut bytes).unwrap();
        assert_eq!((bytes, outlet.lines_dropped()), ([b'x'; 100], 0));
    }
}
