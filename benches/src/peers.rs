//! Agents that others run on hosts full of VMs, each with a configuration of our own: on loopback, with what shows VMs
//! and the basic counters of the host, and without what only makes them dearer (databases on disk, web pages, alarms).

use crate::http;
use crate::tree::Tree;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long a peer may take before it answers for the first time.
const START_LIMIT: Duration = Duration::from_mins(1);

/// What a benchmark needs to know of an agent.
pub struct Peer {
    /// Its name in the table.
    pub name: &'static str,
    /// What it tells of each VM, so that the figures can be judged.
    pub tells: &'static str,
    /// Starts it; its files go into the folder.
    pub start: fn(&Path) -> Result<Running, String>,
}

/// An agent that runs.
pub struct Running {
    /// Its processes.
    pub tree: Tree,
    /// What must be asked of it once a second for it to do its work.
    pub each_second: Option<(u16, &'static str)>,
    /// How many VMs it says there are.
    pub vms_seen: Box<dyn Fn() -> Result<usize, String>>,
}

/// All of them; ours first.
pub const ALL: [Peer; 6] = [
    Peer {
        name: "Bartizan, watching",
        tells: "every vCPU and thread, KVM's counters, cgroups, disks, taps; rules judged; alerts on standard output",
        start: bartizan_quiet,
    },
    Peer {
        name: "Bartizan, /metrics each second",
        tells: "the same, and all of it as OpenMetrics text once a second",
        start: bartizan_scraped,
    },
    Peer {
        name: "collectd",
        tells: "processes plugin: one sum over all VMMs; nothing is written",
        start: collectd,
    },
    Peer { name: "netdata", tells: "apps.plugin: one sum over all VMMs; kept in memory", start: netdata },
    Peer {
        name: "process-exporter, scraped",
        tells: "each VMM as a process, no threads; scraped once a second",
        start: process_exporter,
    },
    Peer {
        name: "process-exporter with threads",
        tells: "each VMM and its threads by name; scraped once a second",
        start: thread_exporter,
    },
];

/// The daemon that was built beside this benchmark.
fn daemon() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| error.to_string())?;
    let path = here.ancestors().nth(2).map(|release| release.join("bartizan")).filter(|path| path.exists());
    path.ok_or_else(|| "the daemon is not built: cargo build --release --package bartizan".to_owned())
}

fn bartizan(folder: &Path, each_second: bool) -> Result<Running, String> {
    let config = folder.join("bartizan.toml");
    write(&config, "")?;
    let port = http::free_port()?;
    let listen = format!("127.0.0.1:{port}");
    let mut command = Command::new(daemon()?);
    command.arg("run").arg("--quiet").arg("--config").arg(config).args(["--listen", &listen]);
    let tree = Tree::start(&mut command)?;
    http::get_within(port, "/healthz", START_LIMIT)?;
    let vms_seen = move || {
        let text = http::get(port, "/metrics")?;
        Ok(text.lines().filter(|line| line.starts_with("bartizan_vm_vcpu_run_seconds_total{")).count())
    };
    Ok(Running { tree, each_second: each_second.then_some((port, "/metrics")), vms_seen: Box::new(vms_seen) })
}

fn bartizan_quiet(folder: &Path) -> Result<Running, String> {
    bartizan(folder, false)
}

fn bartizan_scraped(folder: &Path) -> Result<Running, String> {
    bartizan(folder, true)
}

fn collectd(folder: &Path) -> Result<Running, String> {
    let socket = folder.join("collectd.sock");
    let plugins = ["cpu", "memory", "swap", "load", "disk", "interface", "vmem", "contextswitch"];
    let loaded = plugins.map(|plugin| format!("LoadPlugin {plugin}\n")).concat();
    let config = folder.join("collectd.conf");
    let text = format!(
        "Hostname \"bench\"\nFQDNLookup false\nInterval 1\nBaseDir \"{folder}\"\nPIDFile \"{folder}/pid\"\n{loaded}\
         LoadPlugin processes\n<Plugin processes>\n  ProcessMatch \"vms\" \"^[^ ]*qemu-system\"\n</Plugin>\n\
         LoadPlugin unixsock\n<Plugin unixsock>\n  SocketFile \"{socket}\"\n  DeleteSocket true\n</Plugin>\n",
        folder = folder.display(),
        socket = socket.display(),
    );
    write(&config, &text)?;
    let tree = Tree::start(Command::new("collectd").arg("-f").arg("-C").arg(config))?;
    let vms_seen = move || {
        use std::io::{BufRead, BufReader, Write};
        let ask = || -> std::io::Result<Vec<String>> {
            let mut stream = std::os::unix::net::UnixStream::connect(&socket)?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(b"GETVAL bench/processes-vms/ps_count\n")?;
            BufReader::new(stream).lines().take(3).collect()
        };
        let lines = ask().map_err(|error| format!("collectd's socket: {error}"))?;
        let value = lines.iter().find_map(|line| line.strip_prefix("processes="));
        let value = value.and_then(|text| text.parse().ok());
        value.map(rounded).ok_or_else(|| format!("collectd says {lines:?}"))
    };
    Ok(Running { tree, each_second: None, vms_seen: Box::new(vms_seen) })
}

fn netdata(folder: &Path) -> Result<Running, String> {
    let port = http::free_port()?;
    let directories = ["cache", "lib", "log", "lock"]
        .map(|name| format!("    {name} = {}\n", folder.join(name).display()))
        .concat();
    for name in ["cache", "lib", "log", "lock"] {
        std::fs::create_dir_all(folder.join(name)).map_err(|error| error.to_string())?;
    }
    let off = [
        "timex",
        "idlejitter",
        "tc",
        "diskspace",
        "cgroups",
        "checks",
        "loops",
        "statsd",
        "slabinfo",
        "perf",
        "nfacct",
        "go.d",
        "charts.d",
        "python.d",
        "ebpf",
        "fping",
        "node.d",
        "ioping",
    ]
    .map(|plugin| format!("    {plugin} = no\n"))
    .concat();
    let config = folder.join("netdata.conf");
    let text = format!(
        "[global]\n    run as user = root\n    hostname = bench\n\
         [directories]\n    config = {folder}\n{directories}\
         [db]\n    mode = ram\n    update every = 1\n    retention = 300\n\
         [ml]\n    enabled = no\n[health]\n    enabled = no\n[registry]\n    enabled = no\n\
         [web]\n    bind to = 127.0.0.1:{port}\n    web server threads = 1\n\
         [plugins]\n    proc = yes\n    apps = yes\n    enable running new plugins = no\n{off}\
         [plugin:apps]\n    update every = 1\n",
        folder = folder.display(),
    );
    write(&config, &text)?;
    write(&folder.join("apps_groups.conf"), "vms: qemu-system*\n")?;
    write(&folder.join(".opt-out-from-anonymous-statistics"), "")?;
    let tree = Tree::start(
        Command::new("netdata")
            .arg("-D")
            .arg("-c")
            .arg(config)
            // Where its plugins look for what `apps_groups.conf` is here.
            .env("NETDATA_USER_CONFIG_DIR", folder),
    )?;
    http::get_within(port, "/api/v1/info", START_LIMIT)?;
    let vms_seen = move || {
        let path = "/api/v1/data?chart=apps.processes&dimensions=vms&after=-5&points=1&format=csv";
        let text = http::get(port, path)?;
        let value = text.lines().last().and_then(|line| line.rsplit(',').next()?.trim().parse().ok());
        value.map(rounded).ok_or_else(|| format!("netdata says {text:?}"))
    };
    Ok(Running { tree, each_second: None, vms_seen: Box::new(vms_seen) })
}

fn exporter(folder: &Path, threads: bool) -> Result<Running, String> {
    let port = http::free_port()?;
    let config = folder.join("process-exporter.yaml");
    // The kernel keeps fifteen characters of a name.
    write(&config, "process_names:\n  - name: \"vm-{{.PID}}\"\n    comm: [qemu-system-x86]\n")?;
    let tree = Tree::start(
        Command::new("prometheus-process-exporter")
            .arg("-config.path")
            .arg(config)
            .arg(format!("-web.listen-address=127.0.0.1:{port}"))
            .arg(format!("-threads={threads}"))
            .arg("-gather-smaps=false"),
    )?;
    http::get_within(port, "/", START_LIMIT)?;
    let vms_seen = move || {
        let text = http::get(port, "/metrics")?;
        Ok(text.lines().filter(|line| line.starts_with("namedprocess_namegroup_num_procs{")).count())
    };
    Ok(Running { tree, each_second: Some((port, "/metrics")), vms_seen: Box::new(vms_seen) })
}

fn process_exporter(folder: &Path) -> Result<Running, String> {
    exporter(folder, false)
}

fn thread_exporter(folder: &Path) -> Result<Running, String> {
    exporter(folder, true)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of processes")]
fn rounded(count: f64) -> usize {
    count.round().clamp(0.0, 1e9) as usize
}
