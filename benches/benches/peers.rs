//! What agents that others run on hosts full of VMs use, beside Bartizan's daemon, on the same herds in the same run.
//!
//! Each runs alone, with all its processes, for a while after it has found the VMs; what is compared is CPU time. They
//! do not tell the same: the table says what each tells of a VM.

use bartizan_benches::chart::{Bar, bars};
use bartizan_benches::cpu::as_f64;
use bartizan_benches::http;
use bartizan_benches::is_quick;
use bartizan_benches::peers::{ALL, Peer};
use bartizan_benches::report::{Goal, Report, Row};
use bartizan_testkit::herd::Herd;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
/// How long an agent may take to find all VMs.
const FIND_LIMIT: Duration = Duration::from_secs(90);

/// So many of 100 VMs must be told of: process-exporter never tells of all.
const FOUND_PERCENT: usize = 95;

/// What one agent used.
struct Used {
    cpu_ms_per_s: f64,
    memory_mib: f64,
}

fn main() {
    let (_, limit) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit");
    setrlimit(Resource::RLIMIT_NOFILE, limit, limit).expect("raise the limit to what is allowed");
    let sizes: &[usize] = if is_quick() { &[64] } else { &[256, 1_000] };
    let mut report = Report::new("Peers: CPU time of all processes of an agent, at one sample a second");
    let mut columns = Vec::new();
    for size in sizes {
        let herd = Herd::builder(*size).threads(6).stats_fds().start().expect("a herd");
        let used: Vec<_> = ALL.iter().map(|peer| measure(peer, &herd)).collect();
        drop(herd);
        let ours = used.first().and_then(|used| used.as_ref().ok()).map(|used| used.cpu_ms_per_s);
        for (peer, used) in ALL.iter().zip(&used) {
            match used {
                Ok(used) => report.push(Row {
                    name: peer.name.into(),
                    mode: size.to_string(),
                    value: used.cpu_ms_per_s,
                    unit: "ms/s",
                    ratio: ours.map(|ours| (used.cpu_ms_per_s / ours, "Bartizan")),
                    goal: Goal::None,
                }),
                Err(why) => report.remark(format!("{size} VMs: {} is not measured: {why}", peer.name)),
            }
        }
        columns.push((*size, used));
    }
    report.remark("10 ms/s are 1 % of a core; one kernel runs them all, one after the other");
    if let Some(folder) = std::env::var_os("BARTIZAN_BENCH_DOCS") {
        write_docs(Path::new(&folder), &columns).expect("the documentation is written");
    }
    report.finish("peers");
}

fn measure(peer: &Peer, herd: &Herd) -> Result<Used, String> {
    let vms = herd.members().len();
    alone(herd)?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut running = (peer.start)(folder.path())?;
    let begun = Instant::now();
    loop {
        let seen = (running.vms_seen)();
        if seen.as_ref().is_ok_and(|seen| *seen * 100 >= vms * FOUND_PERCENT) {
            break;
        }
        if !running.tree.is_running() {
            return Err("it has ended by itself".into());
        }
        if begun.elapsed() > FIND_LIMIT {
            return Err(format!("it sees {seen:?} of {vms} VMs"));
        }
        std::thread::sleep(SECOND);
    }
    let (settle, window) = if is_quick() { (3, 5) } else { (6, 15) };
    let pass = |seconds: u32| {
        let begun = Instant::now();
        for second in 1..=seconds {
            if let Some((port, path)) = running.each_second {
                http::get(port, path)?;
            }
            std::thread::sleep((SECOND * second).saturating_sub(begun.elapsed()));
        }
        Ok::<_, String>(begun.elapsed())
    };
    pass(settle)?;
    let before = running.tree.cpu_ns();
    let took = pass(window)?;
    let cpu_ms = as_f64(running.tree.cpu_ns() - before) / 1e6;
    alone(herd)?;
    let memory_mib = as_f64(running.tree.pss_bytes()) / f64::from(1 << 20);
    eprintln!("{vms} VMs: {}: {:.1} ms/s", peer.name, cpu_ms / took.as_secs_f64());
    Ok(Used { cpu_ms_per_s: cpu_ms / took.as_secs_f64(), memory_mib })
}

/// Every agent would count VMs of somebody else's, too, but not all at the same price.
fn alone(herd: &Herd) -> Result<(), String> {
    let ours = herd.pids();
    let is_foreign = |pid: &u32| {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        comm.starts_with("qemu-system") && !ours.contains(pid)
    };
    let entries = std::fs::read_dir("/proc").map_err(|error| error.to_string())?.flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    match pids.filter(is_foreign).count() {
        0 => Ok(()),
        others => Err(format!("{others} VMs of somebody else's ran on this host meanwhile")),
    }
}

type Columns = [(usize, Vec<Result<Used, String>>)];

fn write_docs(folder: &Path, columns: &Columns) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("peers.md"), table(columns))?;
    let groups: Vec<(String, Vec<Bar>)> = columns
        .iter()
        .map(|(size, used)| {
            let bar = |(index, (peer, used)): (usize, (&Peer, &Result<Used, String>))| {
                let value = used.as_ref().ok()?.cpu_ms_per_s;
                Some(Bar { name: peer.name.into(), value, ours: index < 2 })
            };
            (format!("{size} VMs"), ALL.iter().zip(used).enumerate().filter_map(bar).collect())
        })
        .collect();
    let title = "CPU time at one sample a second (10 ms/s are 1 % of a core)";
    std::fs::write(folder.join("peers.svg"), bars(title, "ms/s", &groups))
}

fn table(columns: &Columns) -> String {
    let mut text = String::from(
        "# Beside other agents\n\n\
         Written by `make bench-peers`, which runs all of them on this host, one after the other, on herds of real \
         processes of six threads, each with a KVM VM of four vCPUs; nearly all threads sleep. CPU time is that of all \
         processes of an agent, in milliseconds a second: 10 ms/s are 1 % of a core. Memory is PSS. The ratio is to \
         Bartizan, watching. process-exporter overlooks up to one VM in a hundred, whatever it is asked.\n\n",
    );
    let _ = writeln!(text, "Measured on: {}.\n\n![bars](peers.svg)\n", machine());
    for (size, used) in columns {
        let ours = used.first().and_then(|used| used.as_ref().ok()).map(|used| used.cpu_ms_per_s);
        let _ = writeln!(
            text,
            "## {size} VMs\n\n| agent | CPU, ms/s | ratio | memory, MiB | what it tells of a VM |\n|---|---|---|---|---|"
        );
        for (peer, used) in ALL.iter().zip(used) {
            let figures = match used {
                Ok(used) => {
                    let ratio =
                        ours.map_or(String::new(), |ours| format!("{:.1}×", used.cpu_ms_per_s / ours));
                    format!("{:.1} | {ratio} | {:.0}", used.cpu_ms_per_s, used.memory_mib)
                }
                Err(why) => format!("not measured: {why} | |"),
            };
            let _ = writeln!(text, "| {} | {figures} | {} |", peer.name, peer.tells);
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// The processor, its number, and the kernel.
fn machine() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpus = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cpus} CPUs of {}, Linux {}", model.map_or("an unknown kind", |(_, model)| model), kernel.trim())
}
