//! What `bartizan run` writes: a live picture, plain lines or JSON lines.

use crate::cli::RunArgs;
use crate::outlet::Outlet;
use crate::view::live::{Live, alert_line, closed_sources};
use crate::view::model::View;
use crate::view::paint::Paint;
use crate::view::{findings, json, units};
use bartizan_core::alerts::{Accounting, Alert};
use bartizan_core::checks::{Change, Finding, RuleSet};
use bartizan_core::ledger::{Health, Status};
use bartizan_core::sampling::SourceReport;
use bartizan_core::sampling::discovery::VmInfo;
use serde_json::{Value, json};
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

/// How long the end waits for a reader.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// Where it goes, and in which form.
pub(super) struct Output {
    form: Form,
    paint: Paint,
    quiet: bool,
    host_name: String,
    outlet: Outlet,
}

enum Form {
    Live(Live<Outlet>),
    Lines(Outlet),
    Json(Outlet),
}

/// What is said at the end.
pub(super) struct Summary {
    pub(super) why: &'static str,
    pub(super) ticks: u64,
    pub(super) ticks_missed: Option<f64>,
    pub(super) accounts: Accounting,
}

impl Output {
    /// Chooses the form: JSON lines unless standard output is a terminal.
    pub(super) fn new(args: &RunArgs, paint: Paint, host_name: String) -> io::Result<Self> {
        let is_json = args.json || !io::stdout().is_terminal();
        let outlet = Outlet::new(io::stdout(), if is_json { dropped_json } else { dropped_text })?;
        let form = if is_json {
            Form::Json(outlet.clone())
        } else if args.quiet {
            Form::Lines(outlet.clone())
        } else {
            Form::Live(Live::new(outlet.clone(), paint))
        };
        Ok(Self { form, paint, quiet: args.quiet, host_name, outlet })
    }

    /// Lines that were dropped so far, because nobody read them.
    pub(super) fn dropped(&self) -> u64 {
        self.outlet.lines_dropped()
    }

    /// The disk of the ledger is in another state than before.
    pub(super) fn ledger(&mut self, status: &Status, wall_ns: i64) -> io::Result<()> {
        let waiting = status.waiting();
        let text = match status.health {
            Health::Good => "the disk of the ledger is back, and all that waited is recorded".to_owned(),
            health => format!(
                "the disk of the ledger is {} (error {}): {waiting} records wait, {} were refused",
                health.name(),
                status.errno,
                status.refused
            ),
        };
        match &mut self.form {
            Form::Json(out) => line(
                out,
                &json!({
                    "type": "ledger",
                    "time": units::rfc3339(wall_ns),
                    "disk": status.health.name(),
                    "errno": status.errno,
                    "waiting": waiting,
                    "refused": status.refused,
                    "left_early": status.left_early,
                    "message": text,
                }),
            ),
            _ if status.health == Health::Good => self.say(&text),
            _ => self.say(&self.paint.bad(&text)),
        }
    }

    /// Whether samples are written at all.
    pub(super) fn wants_samples(&self) -> bool {
        !self.quiet
    }

    /// The agent runs.
    pub(super) fn start(&mut self, addresses: &[String], sources: &[SourceReport]) -> io::Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        if let Form::Json(out) = &mut self.form {
            return line(
                out,
                &json!({
                    "type": "start",
                    "version": version,
                    "host": self.host_name,
                    "serving": addresses,
                    "sources": sources.iter().map(json::source).collect::<Vec<_>>(),
                }),
            );
        }
        self.say(&format!("{} {version} watches {}", self.paint.bold("bartizan"), self.host_name))?;
        if !addresses.is_empty() {
            self.say(&format!("metrics at {}", addresses.join(", ")))?;
        }
        let closed = closed_sources(sources, self.paint);
        if !closed.is_empty() {
            self.say("closed, so that less is seen (all sources: bartizan sources):")?;
            for source in closed {
                self.say(&format!("  {source}"))?;
            }
        }
        Ok(())
    }

    /// This is a standby.
    pub(super) fn standby(&mut self, active: u32, token: u64) -> io::Result<()> {
        match &mut self.form {
            Form::Json(out) => line(out, &json!({"type": "standby", "active_pid": active, "token": token})),
            _ => self.say(&format!("standby: process {active} is active; its end is waited for")),
        }
    }

    /// It has taken over, and sampled everything once.
    pub(super) fn takeover(&mut self, from: u32, token: u64, vms: usize, took: Duration) -> io::Result<()> {
        let ms = took.as_secs_f64() * 1e3;
        match &mut self.form {
            Form::Json(out) => line(
                out,
                &json!({"type": "takeover", "from_pid": from, "token": token, "vms": vms, "took_ms": ms}),
            ),
            _ => self.say(&format!("took over from process {from} in {ms:.0} ms; {vms} VMs sampled")),
        }
    }

    /// The configuration in force is not today's file.
    pub(super) fn fallback(&mut self, generation: u64, why: &str) -> io::Result<()> {
        match &mut self.form {
            Form::Json(out) => line(out, &json!({"type": "fallback", "generation": generation, "message": why})),
            _ => self.say(&self.paint.bad(&format!(
                "the configuration is wrong; generation {generation}, the last good one, stays in force: {why}"
            ))),
        }
    }

    /// One sample.
    pub(super) fn sample(&mut self, view: &View) -> io::Result<()> {
        match &mut self.form {
            // The next picture shows the same, and newer.
            Form::Live(_) if self.outlet.is_congested() => Ok(()),
            Form::Live(live) => live.draw(view, &self.host_name),
            Form::Json(out) if !self.quiet => line(out, &json::tick(view)),
            Form::Json(_) | Form::Lines(_) => Ok(()),
        }
    }

    /// One alert.
    pub(super) fn alert(&mut self, alert: &Alert) -> io::Result<()> {
        match &mut self.form {
            Form::Json(out) => line(out, &json::alert(alert)),
            _ => self.say(&alert_line(alert, self.paint)),
        }
    }

    /// A finding changed, after the first full run: what that finds is told as a whole, since finding by finding it
    /// would be the whole report, and nobody may be reading fast enough.
    pub(super) fn finding(&mut self, change: &Change, rules: &RuleSet) -> io::Result<()> {
        match &mut self.form {
            Form::Json(out) => line(out, &json::change(change, rules)),
            _ => self.say(&findings::change_line(change, self.paint)),
        }
    }

    /// The first full run of the checks is over.
    pub(super) fn checked(&mut self, found: &[Arc<Finding>]) -> io::Result<()> {
        match &mut self.form {
            Form::Json(out) => line(out, &json::checked(found)),
            _ => {
                self.say(&format!("checks: {}; see: bartizan check", findings::tally_line(found, self.paint)))
            }
        }
    }

    /// A VM came.
    pub(super) fn vm_found(&mut self, vm: &VmInfo, wall_ns: i64) -> io::Result<()> {
        self.vm_event("vm-found", "found   ", vm, wall_ns)
    }

    /// A VM went.
    pub(super) fn vm_gone(&mut self, vm: &VmInfo, wall_ns: i64) -> io::Result<()> {
        self.vm_event("vm-gone", "gone    ", vm, wall_ns)
    }

    fn vm_event(&mut self, kind: &str, word: &str, vm: &VmInfo, wall_ns: i64) -> io::Result<()> {
        if let Form::Json(out) = &mut self.form {
            return line(out, &json!({"type": kind, "time": units::rfc3339(wall_ns), "vm": json::vm(vm)}));
        }
        let at = self.paint.dim(&units::time_of_day(wall_ns));
        let name = self.paint.bold(&units::printable(&vm.name));
        let vcpus = match vm.vcpus.len() {
            1 => "1 vCPU".to_owned(),
            count => format!("{count} vCPUs"),
        };
        self.say(&format!("{at} {word} VM {name}, {vcpus}, {} {}", vm.vmm.name(), vm.pid))
    }

    /// The configuration was loaded again, or not.
    pub(super) fn reload(&mut self, outcome: Result<&str, &str>) -> io::Result<()> {
        match (&mut self.form, outcome) {
            (Form::Json(out), Ok(text)) => {
                line(out, &json!({"type": "reload", "successful": true, "message": text}))
            }
            (Form::Json(out), Err(text)) => {
                line(out, &json!({"type": "reload", "successful": false, "message": text}))
            }
            (_, Ok(text)) => self.say(text),
            (_, Err(text)) => self.say(&self.paint.bad(text)),
        }
    }

    /// The end; waits for the reader, but not for long.
    pub(super) fn stop(&mut self, summary: &Summary) -> io::Result<()> {
        self.say_stop(summary)?;
        if !self.outlet.drain(DRAIN_TIME) {
            log::warn!("standard output was not read to its end");
        }
        Ok(())
    }

    fn say_stop(&mut self, summary: &Summary) -> io::Result<()> {
        let accounts = &summary.accounts;
        if let Form::Live(live) = &mut self.form {
            live.keep();
        }
        match &mut self.form {
            Form::Json(out) => line(
                out,
                &json!({
                    "type": "stop",
                    "why": summary.why,
                    "ticks": summary.ticks,
                    "ticks_missed": summary.ticks_missed,
                    "alerts": json::accounts(accounts),
                }),
            ),
            _ => self.say(&format!(
                "stopped ({}) after {} ticks, {} missed; alerts: {} produced = {} delivered + {} suppressed + {} \
                 dropped + {} in flight",
                summary.why,
                summary.ticks,
                units::optional(summary.ticks_missed, units::count),
                accounts.produced,
                accounts.delivered,
                accounts.suppressed,
                accounts.dropped,
                accounts.in_flight
            )),
        }
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        match &mut self.form {
            Form::Live(live) => live.say(text),
            Form::Lines(out) | Form::Json(out) => {
                writeln!(out, "{text}")?;
                out.flush()
            }
        }
    }
}

fn dropped_json(lines: u64) -> String {
    json!({ "type": "dropped", "lines": lines, "message": dropped_text(lines) }).to_string()
}

fn dropped_text(lines: u64) -> String {
    format!("{lines} lines are missing here: they were not read in time")
}

/// One object, one line, out at once: whoever reads the other end of a pipe waits for it.
fn line(out: &mut Outlet, value: &Value) -> io::Result<()> {
    writeln!(out, "{value}")?;
    out.flush()
}
