//! A VM's cgroups: whose they are, what they bound, and which devices they open.
//!
//! A limit on a cgroup that other VMs are in bounds all of them together, and so bounds none: limits are looked for
//! from the VM's own cgroup upwards for as long as no other VM is below. That finds libvirt's, which stand on the
//! scope above the process's own cgroup.

use super::of_process;
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::host::why;
use crate::checks::vm::Vm;
use crate::sys::task::device_programs;
use nix::fcntl::OFlag;
use std::os::fd::AsFd;
use std::sync::Arc;

const FILE_BYTES_MAX: usize = 65_536;
/// Controllers that say something of isolation, by the names of cgroups v1; v2 calls `blkio` `io`.
const CONTROLLERS: [&str; 5] = ["cpu", "memory", "pids", "blkio", "devices"];
/// v1 has no word for "no limit" but this number, rounded down to pages (`PAGE_COUNTER_MAX`).
const V1_UNLIMITED: u64 = 0x7fff_ffff_0000_0000;

/// Where the VM is in the hierarchy of one controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    controller: &'static str,
    /// Whether it is of the unified hierarchy.
    v2: bool,
    /// The hierarchy's folder.
    root: String,
    /// The path below it, with a slash in front.
    path: String,
}

impl Place {
    /// The same for everybody who is in it.
    pub(super) fn identity(&self) -> String {
        format!("{} {}", v2_name(self.controller), self.path)
    }

    fn folder(&self, path: &str) -> String {
        format!("{}{}", self.root, path.trim_end_matches('/'))
    }
}

type Places = Result<Vec<Place>, Unavailable>;

/// Where a VM is. Read once a round.
pub(super) fn places(gather: &Gather, vm: &Arc<Vm>) -> Arc<Places> {
    gather.memo(&vm.proc("cgroup"), |gather| {
        let content = gather.host().read(&vm.proc("cgroup"), FILE_BYTES_MAX);
        let content = of_process(gather, vm, content)?;
        Ok(parse(gather, &String::from_utf8_lossy(&content.bytes)))
    })
}

fn parse(gather: &Gather, text: &str) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let mut unified = None;
    for line in text.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        // A path that leads upwards is of a cgroup outside the agent's cgroup namespace.
        if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
            continue;
        }
        if controllers.is_empty() {
            unified = Some(path);
        }
        for controller in CONTROLLERS {
            if controllers.split(',').any(|name| name == controller) {
                let root = [controller, controllers].map(|name| format!("/sys/fs/cgroup/{name}"));
                let root = root.into_iter().find(|root| gather.host().meta(root).is_ok());
                if let Some(root) = root {
                    places.push(Place { controller, v2: false, root, path: path.to_owned() });
                }
            }
        }
    }
    if let Some(path) = unified {
        let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
        for root in roots {
            let Ok(there) = gather.host().read(&format!("{root}/cgroup.controllers"), FILE_BYTES_MAX) else {
                continue;
            };
            let there = String::from_utf8_lossy(&there.bytes).into_owned();
            for controller in CONTROLLERS {
                // Devices have no controller in v2: programs decide, in any cgroup.
                let has = controller == "devices"
                    || there.split_whitespace().any(|name| name == v2_name(controller));
                if has && places.iter().all(|place| place.controller != controller) {
                    places.push(Place { controller, v2: true, root: root.to_owned(), path: path.to_owned() });
                }
            }
            break;
        }
    }
    places
}

fn v2_name(controller: &str) -> &str {
    if controller == "blkio" { "io" } else { controller }
}

/// `memory=/machine.slice/vm-1.scope` for each controller.
pub(super) fn cgroup(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    match &*places(gather, vm) {
        Ok(places) if places.is_empty() => {
            let why = "no hierarchy of cgroups that is mounted here shows it".to_owned();
            Found::unavailable(Unavailable::NotExposed(why), vm.proc("cgroup"))
        }
        Ok(places) => {
            let mut map: Vec<(String, String)> = places
                .iter()
                .map(|place| (v2_name(place.controller).to_owned(), place.path.clone()))
                .collect();
            map.sort();
            Found::value(map, vm.proc("cgroup"))
        }
        Err(why) => Found::unavailable(why.clone(), vm.proc("cgroup")),
    }
}

/// The tightest limit on the VM alone, or `none`.
pub(super) fn limit(gather: &Gather, vm: &Arc<Vm>, which: &str) -> Found {
    let controller = match which {
        "memory" => "memory",
        "pids" => "pids",
        "cpu" => "cpu",
        "io" => "blkio",
        other => {
            let why = format!("no limit is named {other:?}: memory, pids, cpu or io");
            return Found::unavailable(Unavailable::NotExposed(why), vm.proc("cgroup"));
        }
    };
    let place = match place(gather, vm, controller) {
        Ok(place) => place,
        Err(why) => return Found::unavailable(why, vm.proc("cgroup")),
    };
    let mut tightest: Option<(Value, String)> = None;
    for path in own(gather, vm, &place) {
        let folder = place.folder(&path);
        match limit_in(gather, &place, &folder) {
            Ok(Some(limit)) => {
                let tighter = match (&limit, &tightest) {
                    (Value::Int(new), Some((Value::Int(known), _))) => new < known,
                    (_, known) => known.is_none(),
                };
                if tighter {
                    tightest = Some((limit, folder));
                }
            }
            // No limit; or the controller is not enabled so far down, or this is the root, which has none.
            Ok(None) | Err(Unavailable::Absent) => {}
            Err(why) => return Found::unavailable(why, folder),
        }
    }
    match tightest {
        Some((limit, folder)) => Found::value(limit, folder),
        None => Found::value("none", place.folder(&place.path)),
    }
}

fn limit_in(gather: &Gather, place: &Place, folder: &str) -> Result<Option<Value>, Unavailable> {
    let text = |file: &str| {
        let content = gather.read(&format!("{folder}/{file}"), FILE_BYTES_MAX)?;
        Ok(String::from_utf8_lossy(&content.bytes).trim().to_owned())
    };
    let number = |text: String| {
        let number = text.parse::<u64>().ok().filter(|number| *number < V1_UNLIMITED);
        number.map(|number| Value::Int(i64::try_from(number).unwrap_or(i64::MAX)))
    };
    Ok(match (place.controller, place.v2) {
        ("memory", true) => number(text("memory.max")?),
        ("memory", false) => number(text("memory.limit_in_bytes")?),
        ("pids", _) => number(text("pids.max")?),
        ("cpu", true) => {
            let text = text("cpu.max")?;
            let mut words = text.split_whitespace().map(str::parse::<i64>);
            match (words.next(), words.next()) {
                (Some(Ok(quota)), Some(Ok(period))) => percent(quota, period),
                _ => None,
            }
        }
        ("cpu", false) => {
            let quota = text("cpu.cfs_quota_us")?.parse::<i64>().unwrap_or(-1);
            let period = text("cpu.cfs_period_us")?.parse::<i64>().unwrap_or(0);
            percent(quota, period)
        }
        (_, true) => {
            let text = text("io.max")?;
            (!text.is_empty()).then_some(Value::Text(text))
        }
        (_, false) => {
            let mut found = Vec::new();
            for file in ["read_bps", "write_bps", "read_iops", "write_iops"] {
                let text = text(&format!("blkio.throttle.{file}_device"))?;
                found.extend(text.lines().map(|line| format!("{file} {line}")));
            }
            (!found.is_empty()).then(|| Value::Text(found.join("; ")))
        }
    })
}

/// Hundredths of one CPU.
fn percent(quota: i64, period: i64) -> Option<Value> {
    (quota > 0 && period > 0).then(|| Value::Int(quota.saturating_mul(100) / period))
}

/// Whether a list says which devices the VM may open: `list`, or `all` when none does.
pub(super) fn devices(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let place = match place(gather, vm, "devices") {
        Ok(place) => place,
        Err(why) => return Found::unavailable(why, vm.proc("cgroup")),
    };
    let folder = place.folder(&place.path);
    if !place.v2 {
        let path = format!("{folder}/devices.list");
        return match gather.read(&path, FILE_BYTES_MAX) {
            Ok(content) => {
                let text = String::from_utf8_lossy(&content.bytes).into_owned();
                let all = text.lines().any(|line| line.trim() == "a *:* rwm");
                Found::value(if all { "all" } else { "list" }, path).with_raw(&text)
            }
            Err(why) => Found::unavailable(why, path),
        };
    }
    if !gather.host().is_live() {
        let why = "programs that decide over devices are not recorded".to_owned();
        return Found::unavailable(Unavailable::NotExposed(why), folder);
    }
    let programs = gather.host().open(&folder, OFlag::O_RDONLY | OFlag::O_DIRECTORY).and_then(|fd| {
        device_programs(fd.as_fd()).map_err(|errno| why(errno, &format!("{folder}: bpf(BPF_PROG_QUERY)")))
    });
    match programs {
        Ok(count) => {
            let raw = format!("{count} programs of the type BPF_CGROUP_DEVICE");
            Found::value(if count == 0 { "all" } else { "list" }, folder).with_raw(&raw)
        }
        Err(why) => Found::unavailable(why, folder),
    }
}

/// Processes in the VM's cgroup other than its own, when no other VM is in it.
pub(super) fn companions(gather: &Gather, vm: &Arc<Vm>) -> Vec<i32> {
    let places = places(gather, vm);
    let Ok(places) = &*places else { return Vec::new() };
    let Some(place) = places.iter().find(|place| place.controller == "memory").or(places.first()) else {
        return Vec::new();
    };
    let Some(path) = own(gather, vm, place).into_iter().next().filter(|path| path != "/") else {
        return Vec::new();
    };
    let procs = gather.host().read(&format!("{}/cgroup.procs", place.folder(&path)), FILE_BYTES_MAX);
    let procs = procs.map(|content| String::from_utf8_lossy(&content.bytes).into_owned()).unwrap_or_default();
    procs.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid != vm.id.pid).collect()
}

fn place(gather: &Gather, vm: &Arc<Vm>, controller: &str) -> Result<Place, Unavailable> {
    let places = places(gather, vm);
    let places = places.as_ref().as_ref().map_err(Clone::clone)?;
    places.iter().find(|place| place.controller == controller).cloned().ok_or_else(|| {
        Unavailable::NotExposed(format!("no hierarchy with the controller {controller} is mounted here"))
    })
}

/// The cgroups that the VM has to itself, its own first and then those above it.
fn own(gather: &Gather, vm: &Arc<Vm>, place: &Place) -> Vec<String> {
    let others: Vec<String> = gather
        .vms()
        .iter()
        .filter(|other| other.id != vm.id)
        .filter_map(|other| {
            let places = places(gather, other);
            let places = places.as_ref().as_ref().ok()?;
            places.iter().find(|p| p.controller == place.controller).map(|place| place.path.clone())
        })
        .collect();
    let holds_other = |path: &str| {
        let path = path.trim_end_matches('/');
        let below = |other: &String| {
            other.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        others.iter().any(below)
    };
    let mut levels = Vec::new();
    let mut path = place.path.as_str();
    loop {
        let shown = if path.is_empty() { "/" } else { path };
        if holds_other(shown) {
            return levels;
        }
        levels.push(shown.to_owned());
        match path.rsplit_once('/') {
            Some((parent, last)) if !last.is_empty() => path = parent,
            _ => return levels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::facts::providers::process::tests::{Recorded, vm};

    fn host(cgroup: &[&str]) -> Recorded {
        let host = Recorded::new();
        for (index, text) in cgroup.iter().enumerate() {
            let pid = 100 + i32::try_from(index).expect("few");
            host.process(pid).file(&format!("proc/{pid}/cgroup"), text);
        }
        host
    }

    #[test]
    fn a_limit_shared_with_another_vm_bounds_neither() {
        let host = host(&["0::/m/a/libvirt/emulator\n", "0::/m/b\n"]);
        host.file("sys/fs/cgroup/cgroup.controllers", "cpu io memory pids\n");
        host.file("sys/fs/cgroup/m/memory.max", "1000\n");
        host.file("sys/fs/cgroup/m/a/memory.max", "2000\n");
        host.file("sys/fs/cgroup/m/a/cpu.max", "150000 100000\n");
        host.file("sys/fs/cgroup/m/a/libvirt/memory.max", "max\n");
        let gather = host.gather(&[vm(100), vm(101)]);
        assert_eq!(limit(&gather, &vm(100), "memory").value, Ok(Value::Int(2000)));
        assert_eq!(limit(&gather, &vm(100), "cpu").value, Ok(Value::Int(150)));
        assert_eq!(limit(&gather, &vm(101), "memory").value, Ok("none".into()));
        assert!(limit(&gather, &vm(100), "strange").value.is_err());
        let gather = host.gather(&[vm(100)]);
        assert_eq!(
            limit(&gather, &vm(100), "memory").value,
            Ok(Value::Int(1000)),
            "alone, all of it is its own"
        );
    }

    #[test]
    fn v1_has_a_folder_for_each_controller() {
        let host = host(&["4:memory:/vm\n3:cpu,cpuacct:/vm\n5:devices:/vm\n0::/\n"]);
        host.file("sys/fs/cgroup/memory/vm/memory.limit_in_bytes", "9223372036854771712\n");
        host.file("sys/fs/cgroup/cpu,cpuacct/vm/cpu.cfs_quota_us", "-1\n");
        host.file("sys/fs/cgroup/cpu,cpuacct/vm/cpu.cfs_period_us", "100000\n");
        host.file("sys/fs/cgroup/devices/vm/devices.list", "a *:* rwm\n");
        let gather = host.gather(&[vm(100)]);
        assert_eq!(limit(&gather, &vm(100), "memory").value, Ok("none".into()));
        assert_eq!(limit(&gather, &vm(100), "cpu").value, Ok("none".into()));
        assert_eq!(devices(&gather, &vm(100), "").value, Ok("all".into()));
        assert!(matches!(limit(&gather, &vm(100), "pids").value, Err(Unavailable::NotExposed(_))));
        host.file("sys/fs/cgroup/devices/vm/devices.list", "c 1:3 rwm\nc 10:232 rwm\n");
        assert_eq!(devices(&host.gather(&[vm(100)]), &vm(100), "").value, Ok("list".into()));
    }
}
