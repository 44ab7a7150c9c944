//! Fuzz targets: plain functions that must come back, whatever the bytes, without a panic and in bounded memory.

#![allow(clippy::missing_panics_doc, reason = "a panic is what a fuzz target is to find")]

use bartizan_core::checks::parse as checks;
use bartizan_core::checks::parse::etc::fuzzing as etc;
use bartizan_core::ledger::fuzzing as ledger;
use bartizan_core::recovery::fuzzing as recovery;
use bartizan_core::sampling::monitors::fuzzing as monitors;
use bartizan_core::trace::fuzzing as trace;

/// One target: its name, and what it does with arbitrary bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target. A parser of bytes from outside that is missing here is a mistake.
pub const TARGETS: &[Target] = &[
    ("config_toml", config_toml),
    ("host_files", host_files),
    ("host_layout", host_layout),
    ("http_request", http_request),
    ("http_answer", http_answer),
    ("qmp", monitors::qmp),
    ("monitor_http", monitors::http),
    ("firecracker_metrics", monitors::firecracker),
    ("kvm_uevent", kvm_uevent),
    ("proc_identity", proc_identity),
    ("tenant_pattern", tenant_pattern),
    ("vmm_cmdline", vmm_cmdline),
    ("vm_process_files", bartizan_core::sampling::vm::fuzzing::process_files),
    ("vm_cgroups", bartizan_core::sampling::vm::fuzzing::cgroups),
    ("vm_kvm_statistics", bartizan_core::sampling::vm::fuzzing::kvm_statistics),
    ("vm_network_devices", bartizan_core::sampling::vm::fuzzing::network_devices),
    ("bpf_objects", bartizan_core::sys::bpf::fuzz),
    ("trace", trace::trace),
    ("trace_replay", trace::replay),
    ("redact", trace::redact),
    ("incident_records", bartizan_core::incidents::fuzzing::records),
    ("ledger_segment", ledger::segment),
    ("ledger_checkpoint", ledger::checkpoint),
    ("ledger_proof", ledger::proof),
    ("ledger_key", ledger::key),
    ("recovery_snapshot", recovery::snapshot),
    ("recovery_lease", recovery::lease),
    ("recovery_generations", recovery::generations),
    ("recovery_detection", recovery_detection),
    ("etc_kernel", etc::kernel),
    ("etc_drop_ins", etc::drop_ins),
    ("etc_sshd", etc::sshd),
    ("etc_settings", etc::settings),
    ("etc_accounts", etc::accounts),
    ("etc_services", etc::services),
    ("checks_proc_process", checks::proc::fuzzing::process),
    ("checks_proc_maps", checks::proc::fuzzing::maps),
    ("checks_proc_sockets", checks::proc::fuzzing::sockets),
    ("checks_vmm_arguments", checks::vmm::fuzzing::arguments),
    ("checks_firecracker_config", checks::vmm::fuzzing::firecracker_config),
    ("checks_domain_xml", checks::vmm::fuzzing::domain_xml),
    ("checks_qcow2", checks::files::fuzzing::qcow2),
    ("checks_elf", checks::files::fuzzing::elf),
    ("checks_certificates", checks::files::fuzzing::certificates),
    ("checks_packages", checks::files::fuzzing::packages),
    ("checks_rules", check_rules),
    ("checks_waivers", check_waivers),
    ("checks_nft", checks::nft::fuzzing::netlink),
    ("playbooks", playbooks),
    ("coordination_policy", coordination_policy),
    ("coordination_record", coordination_record),
    ("coordination_jobs", coordination_jobs),
];

/// Playbooks: what is refused says where.
fn playbooks(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(mistakes) =
        bartizan_core::response::playbook::parse(std::path::Path::new("playbooks.toml"), &text)
    {
        assert!(!mistakes.is_empty() && mistakes.iter().all(|mistake| !mistake.message.is_empty()));
    }
}

/// The configuration's TOML: what is accepted is valid, and reads back as the same.
///
/// # Panics
/// When it is not: that is what the fuzzer looks for.
pub fn config_toml(data: &[u8]) {
    use bartizan_core::config::Config;
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Config::from_toml(text, None) {
        Ok(config) => {
            assert_eq!(config.validate(), Ok(()));
            assert_eq!(Config::from_toml(&config.to_toml(), None), Ok(config));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A file of check rules, and a baseline: what is accepted can be judged, without any host.
pub fn check_rules(data: &[u8]) {
    use bartizan_core::checks::baseline::Snapshot;
    use bartizan_core::checks::facts::Facts;
    use bartizan_core::checks::judge::judge;
    use bartizan_core::checks::{RuleSet, Subject};
    let text = String::from_utf8_lossy(data);
    let mut rules = RuleSet::default();
    rules.add(std::path::Path::new("fuzz.toml"), &text, &|_| false);
    let facts = Facts::fixed([], Vec::new());
    for rule in rules.rules() {
        let _ = judge(rule, &facts, &Subject::Host, 0);
    }
    let _ = Snapshot::parse(&text);
}

/// A file of waivers: what is accepted reads back as the same.
///
/// # Panics
/// When it does not: that is what the fuzzer looks for.
pub fn check_waivers(data: &[u8]) {
    use bartizan_core::checks::waiver::Waivers;
    if let Ok(waivers) = Waivers::parse(&String::from_utf8_lossy(data)) {
        assert_eq!(Waivers::parse(&waivers.to_toml()), Ok(waivers));
    }
}

/// A file of claims: what is accepted is valid, and can be decided about.
///
/// # Panics
/// When it is not: that is what the fuzzer looks for.
pub fn coordination_policy(data: &[u8]) {
    use bartizan_core::coordination::{Arbiter, Contract, policy, survey};
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(claims) = policy::parse(text) else { return };
    let _ = survey(&claims, &Contract::default());
    let mut arbiter = Arbiter::default();
    for claim in claims {
        assert_eq!(claim.validate(), Ok(()));
        let _ = arbiter.request(claim, 1);
    }
}

/// Records of changes to claims, as a ledger gives them: what is no change, or does not fit, is refused.
///
/// # Panics
/// When a change reads back as another: that is what the fuzzer looks for.
pub fn coordination_record(data: &[u8]) {
    use bartizan_core::coordination::{Book, Change};
    let Ok(change) = Change::from_bytes(data) else { return };
    assert_eq!(change.to_bytes().and_then(|bytes| Change::from_bytes(&bytes)), Ok(change.clone()));
    let _ = Book::replay([&change, &change]);
}

/// A monitor's answers about work under way.
pub fn coordination_jobs(data: &[u8]) {
    if let Ok(answer) = serde_json::from_slice::<serde_json::Value>(data) {
        let _ = bartizan_core::coordination::found::jobs::under_way(&[answer]);
    }
}

/// The kernel's announcement of a VM: what is believed cannot lead out of debugfs.
pub fn kvm_uevent(data: &[u8]) {
    use bartizan_core::sampling::discovery::uevent::parse;
    let Some(event) = parse(data) else { return };
    assert!(event.pid > 0);
    assert!(event.debugfs_name.is_none_or(|name| !name.contains('/') && name.contains('-')));
}

/// `/proc/PID/stat` and `/proc/PID/cgroup`.
pub fn proc_identity(data: &[u8]) {
    use bartizan_core::sampling::discovery::process::{parse_cgroup, parse_stat};
    let _ = parse_stat(data);
    assert!(parse_cgroup(&String::from_utf8_lossy(data)).len() <= 3 * data.len());
}

/// A tenant rule's pattern, a line feed, and a text: what is found is a part of the text.
pub fn tenant_pattern(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (pattern, text) = text.split_once('\n').unwrap_or(("*{tenant}*", &text));
    if let Some(tenant) = bartizan_core::sampling::discovery::tenant::matched(pattern, text) {
        assert!(!tenant.is_empty() && !tenant.contains('/') && text.contains(tenant));
    }
}

/// A command line as `/proc/PID/cmdline` shows it, read as every VMM's.
pub fn vmm_cmdline(data: &[u8]) {
    use bartizan_core::sampling::discovery::VmmKind;
    use bartizan_core::sampling::discovery::identify::{describe, kind, vcpu_index};
    let arguments: Vec<String> =
        data.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    let comm = arguments.last().map_or("", String::as_str);
    let _ = kind(comm, &arguments);
    for vmm in
        [VmmKind::Qemu, VmmKind::Firecracker, VmmKind::CloudHypervisor, VmmKind::Crosvm, VmmKind::Other]
    {
        let found = describe(vmm, &arguments);
        assert!(found.disks.len() + found.taps.len() <= data.len() + 1);
        let _ = vcpu_index(vmm, comm);
    }
}

/// The daemon's HTTP requests: more bytes never turn a request into another one.
pub fn http_request(data: &[u8]) {
    use bartizan_daemon::serve::http::{BODY_BYTES_MAX, HEAD_BYTES_MAX, Parsed, parse};
    let whole = parse(data);
    if whole == Parsed::Incomplete {
        assert!(data.len() < HEAD_BYTES_MAX + BODY_BYTES_MAX, "an endless request is refused");
    }
    if let Parsed::Request(request) = &whole {
        assert!(request.path.starts_with('/') && !request.path.contains('?'));
        let more = [data, b"GET / HTTP/1.1\r\n\r\n"].concat();
        assert_eq!(parse(&more), whole, "what follows a request is not looked at");
        let _ = bartizan_daemon::serve::openmetrics::Format::negotiate(&request.accept);
    }
}

/// What a receiver of incidents answers: more bytes never turn an answer into another status.
///
/// # Panics
/// When they do: that is what the fuzzer looks for.
pub fn http_answer(data: &[u8]) {
    use bartizan_daemon::deliver::post::{Answer, parse};
    if let Answer::Status(status, body) = parse(data) {
        assert!(status < 1_000 && !(100..200).contains(&status) && body.len() <= 768);
        let more = [data, b" and more"].concat();
        assert!(matches!(parse(&more), Answer::Status(again, _) if again == status));
    }
}

/// A file of the host, as it is when the plan is made and as it is later: from any text to any other.
///
/// The first byte chooses the file, the second where the first text ends.
pub fn host_files(data: &[u8]) {
    use bartizan_core::config::{Config, Limits, Roots};
    use bartizan_core::sampling::frame::{Frame, Tick};
    use bartizan_core::sampling::host::{HostLabels, HostPlan};
    const FILES: [&str; 14] = [
        "proc/stat",
        "proc/meminfo",
        "proc/vmstat",
        "proc/diskstats",
        "proc/net/dev",
        "proc/loadavg",
        "proc/pressure/cpu",
        "proc/interrupts",
        "proc/softirqs",
        "proc/schedstat",
        "proc/net/snmp",
        "proc/net/softnet_stat",
        "proc/net/stat/nf_conntrack",
        "sys/class/thermal/thermal_zone0/temp",
    ];
    let [file, cut, rest @ ..] = data else { return };
    let (first, second) = rest.split_at(rest.len() * usize::from(*cut) / 256);
    // In memory where there is such a place: a disk would be most of the time.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let Ok(folder) = folder else { return };
    let path = folder.path().join(FILES[usize::from(*file) % FILES.len()]);
    let parent = path.parent().expect("every file is in a folder");
    if std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, first)).is_err() {
        return;
    }
    let limits = Limits {
        vms: 1,
        vcpus: 1,
        vm_nics: 1,
        vm_disks: 1,
        cpus: 8,
        nodes: 1,
        block_devices: 8,
        net_devices: 8,
        ..Limits::default()
    };
    let mut config = Config { limits, roots: Roots::below(folder.path()), ..Config::default() };
    config.sampling.slow_every_ticks = 1;
    let Ok((mut writer, _)) = Frame::new(&config.limits) else { return };
    let (mut plan, labels, _) = HostPlan::open(&config, &HostLabels::default());
    plan.install(None, &mut writer);
    for (number, text) in (1..).zip([first, second, first, second]) {
        if std::fs::write(&path, text).is_err() {
            return;
        }
        let pulse = plan.sample(Tick { number, mono_ns: number, wall_ns: 1 }, &mut writer);
        if pulse.layout_changed && number == 3 {
            let (mut next, ..) = HostPlan::open(&config, &labels);
            next.install(Some(&plan), &mut writer);
            plan = next;
        }
    }
}

/// What detectors had learned, as a snapshot has it: what is taken over is written down alike.
pub fn recovery_detection(data: &[u8]) {
    use bartizan_core::detection::Memory;
    use bartizan_core::recovery::Participant;
    let mut memory = Memory::new(1);
    if memory.restore(data).is_ok() {
        let _ = memory.recall();
        let bytes = memory.snapshot().expect("what was read can be written");
        Memory::new(1).restore(&bytes).expect("and read again");
    }
}

/// A learned layout takes in what it knows as a reading from scratch does.
///
/// The first byte chooses the grammar, the second where the learned text ends and the reading begins.
pub fn host_layout(data: &[u8]) {
    use bartizan_core::sampling::parse::{Grammar, Layout, Update, walk};
    const GRAMMARS: [Grammar; 8] = [
        Grammar::Pairs,
        Grammar::Lines,
        Grammar::Stat,
        Grammar::Third,
        Grammar::Bare,
        Grammar::Headed,
        Grammar::HeadedHex,
        Grammar::Hex,
    ];
    let [grammar, cut, rest @ ..] = data else { return };
    let grammar = GRAMMARS[usize::from(*grammar) % GRAMMARS.len()];
    let (first, second) = rest.split_at(rest.len() * usize::from(*cut) / 256);
    let mut count = 0;
    walk(grammar, first, &mut |_| count += 1);
    let mut next = 0;
    let mut layout = Layout::learn(grammar, first, count, &mut |_| {
        next += 1;
        [Some(next - 1), None]
    });
    for reading in [second, first, rest, first] {
        if layout.update(reading) != Update::Known {
            layout.update_from_scratch(reading);
        }
    }
    assert_eq!(layout.update(first), Update::Known, "what was learned is known again");
}
