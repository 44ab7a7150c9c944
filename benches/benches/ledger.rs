//! Durable appends a second beside `SQLite` (WAL, synchronous=FULL) and redb, on the same disk and in the same run; the
//! latency of one beside a bare `pwrite` and `fdatasync`; hashing in memory, recovery, verification.
//!
//! The folder is below `BARTIZAN_BENCH_DIR`, or the target folder: memory file systems sync for nothing.

use bartizan_benches::report::{Goal, Report, Row};
use bartizan_benches::{is_quick, median};
use bartizan_core::ledger::verify::{Trust, verify};
use bartizan_core::ledger::{Disk, DiskFile, Kind, Ledger, RealDisk, Sizes};
use bartizan_core::sys::clock::Clock;
use redb::{Database, ReadableDatabase, TableDefinition};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// About what an alert has.
const PAYLOAD: [u8; 160] = [7; 160];
const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("records");

fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Calls a second, of so many threads, each with what `make` gives it.
fn rate<F: FnMut() + Send>(writers: usize, time: Duration, make: impl Fn(usize) -> F) -> f64 {
    let (count, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut work: Vec<F> = (0..writers).map(make).collect();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for append in &mut work {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    append();
                    count.fetch_add(1, Relaxed);
                }
            });
        }
        std::thread::sleep(time);
        stop.store(true, Relaxed);
    });
    float(count.load(Relaxed)) / began.elapsed().as_secs_f64()
}

fn ledger(folder: &Path) -> Ledger {
    let disk = Arc::new(RealDisk::new(folder));
    Ledger::open(disk, Sizes::default(), "bartizan/bench", Clock::System).expect("a ledger").0
}

fn sqlite(path: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).expect("SQLite");
    connection.busy_timeout(Duration::from_mins(1)).expect("a timeout");
    connection
        .execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
             CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, payload BLOB NOT NULL);",
        )
        .expect("a table");
    connection
}

fn throughput(report: &mut Report, root: &Path) {
    let time = Duration::from_millis(if is_quick() { 300 } else { 700 });
    for writers in [1, 4, 16] {
        let folder = root.join(format!("writers-{writers}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        let ledger = ledger(&folder.join("ledger"));
        let path = folder.join("sqlite");
        drop(sqlite(&path));
        let database = Database::create(folder.join("redb")).expect("redb");
        let next = AtomicU64::new(0);
        // In turns, so that the disk's moods hit all alike.
        let mut rates = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..if is_quick() { 1 } else { 9 } {
            rates[0].push(rate(writers, time, |_| {
                let ledger = ledger.clone();
                move || ledger.append(Kind::ALERT, "", &PAYLOAD).expect("room").wait().expect("a disk")
            }));
            // One connection for all: with one each, SQLite's writers sleep on each other's locks.
            let connection = Mutex::new(sqlite(&path));
            rates[1].push(rate(writers, time, |_| {
                || {
                    let connection = connection.lock().expect("no panic");
                    connection
                        .execute("INSERT INTO records (payload) VALUES (?1)", [&PAYLOAD[..]])
                        .expect("a row");
                }
            }));
            rates[2].push(rate(writers, time, |_| {
                || {
                    let write = database.begin_write().expect("a transaction");
                    write
                        .open_table(TABLE)
                        .expect("a table")
                        .insert(next.fetch_add(1, Relaxed), &PAYLOAD[..])
                        .expect("a row");
                    write.commit().expect("a disk");
                }
            }));
        }
        ledger.stop().expect("a disk");
        assert!(database.begin_read().is_ok());
        let ratios: Vec<f64> = rates[0].iter().zip(&rates[1]).map(|(ours, lite)| ours / lite).collect();
        let [ours, lite, red] = rates.map(|rates| median(&rates));
        let goal = Goal::AtLeast(if writers == 16 { 3.0 } else { 1.0 });
        let goal = if writers == 4 { Goal::None } else { goal };
        let names = [
            ("ledger", ours, Some((median(&ratios), "SQLite"))),
            ("SQLite, WAL, FULL", lite, None),
            ("redb", red, None),
        ];
        for (name, value, ratio) in names {
            let goal = if ratio.is_some() { goal } else { Goal::None };
            let name = format!("durable appends, {writers} writers: {name}");
            report.push(Row { name, mode: "disk".into(), value, unit: "/s", ratio, goal });
        }
    }
}

fn latency(report: &mut Report, root: &Path) {
    let ledger = ledger(&root.join("latency"));
    let file = File::create(root.join("bare")).expect("a file");
    let bytes = [1; PAYLOAD.len() + 52];
    let (mut at, mut ours, mut bare) = (0, Vec::new(), Vec::new());
    for _ in 0..if is_quick() { 50 } else { 1_000 } {
        let began = Instant::now();
        ledger.append(Kind::ALERT, "", &PAYLOAD).expect("room").wait().expect("a disk");
        ours.push(began.elapsed().as_secs_f64() * 1e6);
        let began = Instant::now();
        file.write_all_at(&bytes, at).expect("a write");
        file.sync_data().expect("a disk");
        bare.push(began.elapsed().as_secs_f64() * 1e6);
        at += bytes.len() as u64;
    }
    let (ours, bare) = (median(&ours), median(&bare));
    let name = "one durable append, p50".to_owned();
    let ratio = Some((ours / bare, "bare pwrite + fdatasync"));
    report.push(Row { name, mode: "disk".into(), value: ours, unit: "us", ratio, goal: Goal::AtMost(1.3) });
}

/// A disk that keeps what was written last and forgets the rest: what is left is the ledger's own work.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<BTreeMap<String, Contents>>>);

type Contents = Arc<Mutex<Vec<u8>>>;

struct MemoryFile(Contents);

impl Disk for Memory {
    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
    fn list_folders(&self, _: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
    fn make_folder(&self, _: &str) -> io::Result<()> {
        Ok(())
    }
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        self.0.lock().expect("no panic").insert(path.to_owned(), Arc::default());
        self.open(path)
    }
    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let files = self.0.lock().expect("no panic");
        Ok(Box::new(MemoryFile(Arc::clone(files.get(path).ok_or(io::ErrorKind::NotFound)?))))
    }
    fn open_to_read(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        self.open(path)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.0.lock().expect("no panic");
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        self.0.lock().expect("no panic").remove(path);
        Ok(())
    }
    fn sync_folder(&self, _: &str) -> io::Result<()> {
        Ok(())
    }
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        Ok(Box::new(()))
    }
}

impl DiskFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.lock().expect("no panic").len() as u64)
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.0.lock().expect("no panic");
        let rest = bytes.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut file = self.0.lock().expect("no panic");
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = begin + bytes.len();
        if file.len() < end {
            file.resize(end, 0);
        }
        file[begin..end].copy_from_slice(bytes);
        Ok(bytes.len())
    }
    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.lock().expect("no panic").resize(usize::try_from(length).unwrap_or(usize::MAX), 0);
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Records of 64 MiB, or less of them.
fn records() -> u64 {
    let all = (64 << 20) / (PAYLOAD.len() as u64 + 52);
    if is_quick() { all / 16 } else { all }
}

fn fill(ledger: &Ledger, count: u64) {
    for number in 0..count {
        let tenant = ["", "acme", "zeta"][usize::try_from(number % 3).unwrap_or(0)];
        let _ = ledger.append(Kind::ALERT, tenant, &PAYLOAD).expect("room");
        if number % 2_000 == 1_999 {
            ledger.flush().expect("a disk");
        }
    }
    ledger.flush().expect("a disk");
}

fn memory(report: &mut Report) {
    let disk = Arc::new(Memory::default());
    let (ledger, _) =
        Ledger::open(disk, Sizes::default(), "bartizan/bench", Clock::System).expect("a ledger");
    let before = bartizan_benches::cpu::thread_ns();
    fill(&ledger, records());
    let spent = bartizan_benches::cpu::thread_ns() - before;
    let value = float(records()) / (bartizan_benches::cpu::as_f64(spent) / 1e9);
    let (name, ratio) = ("appended and hashed in memory, one core".to_owned(), Some((value / 1e6, "1 M/s")));
    report.push(Row { name, mode: "hot".into(), value, unit: "/s", ratio, goal: Goal::AtLeast(1.0) });
}

fn recovery(report: &mut Report, root: &Path) {
    for (name, is_signed) in [("never signed", false), ("stopped in order", true)] {
        let folder = root.join(format!("recovery-{is_signed}"));
        let opened = ledger(&folder);
        fill(&opened, records());
        if is_signed {
            opened.stop().expect("a disk");
        }
        drop(opened);
        let began = Instant::now();
        let again = ledger(&folder);
        let value = began.elapsed().as_secs_f64() * 1e3;
        let row = format!("recovery of {} MiB, {name}", (records() * (PAYLOAD.len() as u64 + 52)) >> 20);
        let ratio = Some((value / 1e3, "1 s"));
        report.push(Row {
            name: row,
            mode: "disk".into(),
            value,
            unit: "ms",
            ratio,
            goal: Goal::AtMost(1.0),
        });
        if is_signed {
            again.stop().expect("a disk");
            let before = bartizan_benches::cpu::thread_ns();
            let checked = verify(Arc::new(RealDisk::new(&folder)), &Trust::default()).expect("a good ledger");
            let spent = bartizan_benches::cpu::thread_ns() - before;
            let value = float(checked.next) / (bartizan_benches::cpu::as_f64(spent) / 1e9);
            let ratio = Some((value / 5e5, "500 k/s"));
            let name = "records verified, one core".to_owned();
            report.push(Row { name, mode: "hot".into(), value, unit: "/s", ratio, goal: Goal::AtLeast(1.0) });
        }
    }
}

fn main() {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    let below = std::env::var_os("BARTIZAN_BENCH_DIR").map_or(target, PathBuf::from);
    let root = tempfile::tempdir_in(below).expect("a folder on a disk");
    let mut report = Report::new("Ledger: durable appends, beside SQLite and redb on the same disk");
    throughput(&mut report, root.path());
    latency(&mut report, root.path());
    memory(&mut report);
    recovery(&mut report, root.path());
    report.finish("ledger");
}
