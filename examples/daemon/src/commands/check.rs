//! `bartizan check`: is each VM really isolated, and is this host really configured as promised?

use crate::cli::{CheckArgs, Common};
use crate::exit::{Code, Failure};
use crate::view::catalogue;
use crate::view::findings;
use crate::view::paint::Paint;
use crate::view::table::Table;
use crate::view::units::printable;
use crate::watch::configure;
use bartizan_core::checks::baseline::{self, Snapshot};
use bartizan_core::checks::host::HostFiles;
use bartizan_core::checks::pattern::like;
use bartizan_core::checks::report::{html, json, sarif};
use bartizan_core::checks::{Checker, Finding, Rule, RuleSet, Verdict, rules, run_once};
use bartizan_core::config::Config;
use bartizan_core::sys::clock::Clock;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

pub(super) fn run(common: &Common, args: &CheckArgs) -> Result<(), Failure> {
    let config = configure(common)?;
    if args.list {
        return list(common, args, &config);
    }
    let checker = checked(&config)?;
    let rules = checker.board().rules();
    must_match(&rules, args)?;
    if let Some(path) = &args.save_baseline {
        let text = Snapshot::of(checker.facts()).to_text(Clock::System.wall_ns());
        std::fs::write(path, text).map_err(|error| Failure::output(path, &error))?;
    }
    if let Some(path) = &args.drift {
        return drift(&checker, path, Paint::new(common.color));
    }
    let findings: Vec<Arc<Finding>> =
        checker.board().findings().into_iter().filter(|finding| wanted(finding, args)).collect();
    if findings.is_empty() && !args.vm.is_empty() {
        let known = bartizan_core::checks::vms_of(&config);
        let known: Vec<String> = known.iter().map(|vm| printable(&vm.name)).collect();
        let known = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
        return Err(Failure::new(
            Code::Usage,
            format!("no finding about VM {}; VMs: {known}", args.vm.join(", ")),
        ));
    }
    let mut out = io::stdout().lock();
    if args.json {
        for finding in &findings {
            let rule = rules.find(&finding.rule).map(|(_, rule)| rule);
            writeln!(out, "{}", json::finding(finding, rule))?;
        }
    } else if args.sarif {
        let log = sarif::log(findings.iter().map(Arc::as_ref), &rules, Clock::System.wall_ns());
        serde_json::to_writer_pretty(&mut out, &log).map_err(io::Error::from)?;
        writeln!(out)?;
    } else if args.html {
        let host = host_name(&config);
        let about = html::About { host: &host, finished_ns: Clock::System.wall_ns() };
        out.write_all(html::page(&findings, &rules, &about).as_bytes())?;
    } else {
        findings::write(&mut out, &findings, &rules, args.all, Paint::new(common.color))?;
    }
    drop(out);
    verdict(&findings, args.strict)
}

/// What the host that is looked at calls itself; empty when that was not recorded.
fn host_name(config: &Config) -> String {
    let files = HostFiles::new(config.roots.clone());
    let read = |path| files.read(path, 256).ok().and_then(|content| String::from_utf8(content.bytes).ok());
    let name = read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname"));
    name.map_or_else(String::new, |name| name.trim().to_owned())
}

/// One full run over the host that the configuration speaks of.
pub(super) fn checked(config: &Config) -> Result<Checker, Failure> {
    run_once(config, Clock::System)
        .map_err(|errno| Failure::new(Code::Os, format!("the checks could not be started: {errno}")))
}

/// Whether a finding is about a VM called so: by name, UUID or PID.
pub(super) fn is_about(finding: &Finding, name: &str) -> bool {
    finding.subject.vm().is_some_and(|vm| vm.name == name || vm.uuid == name || vm.id.pid.to_string() == name)
}

fn wanted(finding: &Finding, args: &CheckArgs) -> bool {
    let named = args.rules.is_empty() || args.rules.iter().any(|pattern| like(pattern, &finding.rule));
    let about = args.vm.is_empty() || args.vm.iter().any(|name| is_about(finding, name));
    named && about && finding.severity >= args.severity.0
}

fn must_match(rules: &RuleSet, args: &CheckArgs) -> Result<(), Failure> {
    let known = |pattern: &&String| !rules.rules().iter().any(|rule| like(pattern, &rule.id));
    match args.rules.iter().find(known) {
        None => Ok(()),
        Some(wrong) => {
            let nearest =
                rules.nearest(wrong).map_or_else(String::new, |like| format!("; did you mean {like}?"));
            Err(Failure::new(
                Code::Usage,
                format!("no check is called {wrong:?}{nearest} (all: bartizan check --list)"),
            ))
        }
    }
}

/// What the process exits with. A waived finding is somebody's business already.
fn verdict(findings: &[Arc<Finding>], strict: bool) -> Result<(), Failure> {
    if findings.iter().any(|finding| finding.is_open()) {
        return Err(Failure::new(Code::Fails, ""));
    }
    if strict && findings.iter().any(|finding| finding.verdict == Verdict::Unknown) {
        return Err(Failure::new(Code::Undecided, ""));
    }
    Ok(())
}

fn list(common: &Common, args: &CheckArgs, config: &Config) -> Result<(), Failure> {
    let rules = rules(config);
    must_match(&rules, args)?;
    let named = |rule: &&Rule| {
        let named = args.rules.is_empty() || args.rules.iter().any(|pattern| like(pattern, &rule.id));
        named && rule.severity >= args.severity.0
    };
    let mut out = io::stdout().lock();
    if args.markdown {
        out.write_all(catalogue::markdown().as_bytes())?;
        return Ok(());
    }
    if args.json {
        for rule in rules.rules().iter().filter(named) {
            writeln!(out, "{}", json::rule(rule))?;
        }
        return Ok(());
    }
    let paint = Paint::new(common.color);
    let mut table = Table::new(&["CHECK", "SEVERITY", "SCOPE", "WHAT IS RIGHT"]);
    for rule in rules.rules().iter().filter(named) {
        table.row(vec![
            rule.id.to_string(),
            paint.check_severity(rule.severity, rule.severity.name()),
            rule.scope.name().to_owned(),
            printable(&rule.title),
        ]);
    }
    table.write(&mut out, paint)?;
    for problem in rules.problems() {
        log::warn!("{problem}");
    }
    Ok(())
}

fn drift(checker: &Checker, path: &Path, paint: Paint) -> Result<(), Failure> {
    let text = std::fs::read(path).map_err(|error| Failure::input(path, &error))?;
    if text.len() > baseline::FILE_BYTES_MAX {
        return Err(Failure::new(Code::Data, format!("{}: is too large for a baseline", path.display())));
    }
    let before = Snapshot::parse(&String::from_utf8_lossy(&text))
        .map_err(|error| Failure::new(Code::Data, format!("{}: {error}", path.display())))?;
    let drift = before.drift(&Snapshot::of(checker.facts()));
    let mut out = io::stdout().lock();
    for one in &drift {
        writeln!(out, "{} {}", paint.bold(&printable(&one.subject)), printable(&one.key))?;
        let shown = |value: &Option<String>| printable(value.as_deref().unwrap_or("(not looked at)"));
        writeln!(out, "  {}", paint.bad(&format!("- {}", shown(&one.before))))?;
        writeln!(out, "  {}", paint.good(&format!("+ {}", shown(&one.after))))?;
    }
    writeln!(out, "{} of {} facts have drifted", drift.len(), before.len())?;
    if drift.is_empty() { Ok(()) } else { Err(Failure::new(Code::Fails, "")) }
}
