//! The live picture of `bartizan run` on a terminal: alerts scroll above, the host and its VMs stay below.

use super::model::{HostView, View, VmView};
use super::paint::Paint;
use super::units::{self, NONE, fit};
use bartizan_core::alerts::{Alert, AlertState};
use bartizan_core::engine::Reader;
use bartizan_core::sampling::SourceReport;
use bartizan_core::sampling::availability::Availability;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Below this width nothing sensible can be shown; lines are cut.
const COLUMNS_MIN: u16 = 20;
/// As the width.
const ROWS_MIN: u16 = 8;

/// Draws, and knows what it drew, to draw over it.
pub struct Live<W: Write> {
    out: W,
    paint: Paint,
    /// What is drawn now, below what was said.
    picture: Vec<String>,
}

/// A column of the VM table: its heading and its width; what matters most comes first.
type Column = (&'static str, usize);

const COLUMNS: [Column; 10] = [
    ("STATE", 8),
    ("HURT", 13),
    ("VCPU", 4),
    ("CPU", 6),
    ("WAIT", 6),
    ("THROT", 6),
    ("MEM", 6),
    ("DISK/s", 7),
    ("NET/s", 7),
    ("EXITS/s", 7),
];

impl<W: Write> Live<W> {
    /// Draws to a terminal.
    pub fn new(out: W, paint: Paint) -> Self {
        Self { out, paint, picture: Vec::new() }
    }

    /// Writes lines that stay, above the picture.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        let lines = std::mem::take(&mut self.picture);
        let result = self.replace(lines.len(), text.lines().chain(lines.iter().map(String::as_str)));
        self.picture = lines;
        result
    }

    /// Draws the picture anew, in the terminal's size of now.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, view: &View, host_name: &str) -> io::Result<()> {
        let (columns, rows) = crossterm::terminal::size().unwrap_or((80, 24));
        let lines = picture(
            view,
            host_name,
            self.paint,
            usize::from(columns.max(COLUMNS_MIN)),
            usize::from(rows.max(ROWS_MIN)),
        );
        self.replace(self.picture.len(), lines.iter().map(String::as_str))?;
        self.picture = lines;
        Ok(())
    }

    /// Leaves the picture where it is: what is said next comes below it.
    pub fn keep(&mut self) {
        self.picture.clear();
    }

    /// Writes lines over the last ones. Line by line, since some terminals keep a copy of a screen that is erased as
    /// a whole; and in one piece, so that nothing flickers.
    fn replace<'a>(&mut self, over: usize, lines: impl Iterator<Item = &'a str>) -> io::Result<()> {
        let mut bytes = if over > 0 { format!("\x1b[{over}F") } else { String::new() };
        for line in lines {
            // Writing to a String cannot fail.
            let _ = writeln!(bytes, "{line}\x1b[K");
        }
        if over > 0 {
            bytes.push_str("\x1b[J");
        }
        self.out.write_all(bytes.as_bytes())?;
        self.out.flush()
    }
}

/// One alert as a line.
#[must_use]
pub fn alert_line(alert: &Alert, paint: Paint) -> String {
    let at = paint.dim(&units::time_of_day(alert.at_wall_ns));
    let word = match alert.state {
        AlertState::Firing => paint.severity(alert.severity, &format!("{:<8}", alert.severity.name())),
        AlertState::Resolved => paint.good("resolved"),
    };
    let message = units::printable(&alert.message);
    format!("{at} {word} {}: {message}", paint.bold(&units::printable(&alert.rule)))
}

/// The sources that are closed, and what opens them: one line each.
#[must_use]
pub fn closed_sources(sources: &[SourceReport], paint: Paint) -> Vec<String> {
    let closed =
        |report: &&SourceReport| matches!(report.availability, Availability::Denied | Availability::Error);
    sources
        .iter()
        .filter(closed)
        .map(|report| {
            format!(
                "{} {}: {}",
                paint.availability(report.availability, &format!("{:<8}", report.availability.name())),
                paint.bold(report.source.name()),
                units::printable(&report.reason)
            )
        })
        .collect()
}

/// The lines of the picture, none wider than the terminal.
fn picture(view: &View, host_name: &str, paint: Paint, columns: usize, rows: usize) -> Vec<String> {
    let mut lines = vec![paint.bold(&fit(
        &format!(
            "{} · {} CPUs · tick {} · {}",
            units::printable(host_name),
            view.host.cpus,
            view.tick.number,
            units::time_of_day(view.tick.wall_ns)
        ),
        columns,
    ))];
    lines.extend(host_lines(&view.host).into_iter().map(|line| fit(&line, columns)));
    lines.push(fit(&self_line(view), columns));
    if view.vms.is_empty() {
        lines.push(paint.dim(&fit("no VM found; watching for them", columns)));
        return lines;
    }
    let mut vms: Vec<&VmView> = view.vms.iter().collect();
    vms.sort_by(|a, b| super::hurt::order(a, b));
    let table_columns = columns_that_fit(columns);
    let name_width = columns - table_columns.iter().map(|(_, width)| width + 1).sum::<usize>();
    let mut heading = fit("VM", name_width);
    for (title, width) in table_columns {
        heading.push(' ');
        heading.push_str(&aligned(title, title, *width));
    }
    lines.push(paint.bold(&fit(&heading, columns)));
    // One line stays free for the cursor, so that the terminal never scrolls the picture.
    let room = rows.saturating_sub(lines.len() + 2).max(1);
    for vm in vms.iter().take(room) {
        lines.push(vm_line(vm, paint, name_width, table_columns));
    }
    if vms.len() > room {
        lines.push(paint.dim(&fit(&format!("… and {} more that hurt less", vms.len() - room), columns)));
    }
    lines
}

/// The host in two lines.
#[must_use]
pub fn host_lines(host: &HostView) -> Vec<String> {
    let percent = |value| units::optional(value, units::percent);
    let used = host.memory_total_bytes.zip(host.memory_available_bytes).map(|(total, free)| total - free);
    let moved = |device: &Option<super::model::Busiest>| {
        device.as_ref().map_or_else(
            || NONE.to_owned(),
            |device| {
                if device.input + device.output <= 0.0 {
                    return "idle".to_owned();
                }
                format!(
                    "{} {}/s in {}/s out",
                    units::printable(&device.name),
                    units::bytes(device.input),
                    units::bytes(device.output)
                )
            },
        )
    };
    vec![
        format!(
            "cpu {}  steal {}  guest {}  load {}  runnable {}  memory {} of {}",
            percent(host.cpu_busy),
            percent(host.cpu_steal),
            percent(host.cpu_guest),
            units::optional(host.load_1m, |load| format!("{load:.2}")),
            units::optional(host.running, units::count),
            units::optional(used, units::bytes),
            units::optional(host.memory_total_bytes, units::bytes),
        ),
        format!(
            "waits: cpu {} memory {} io {}  disk {}  net {}",
            percent(host.pressure_cpu),
            percent(host.pressure_memory),
            percent(host.pressure_io),
            moved(&host.disk),
            moved(&host.net),
        ),
    ]
}

fn self_line(view: &View) -> String {
    let mut line = format!(
        "{} VMs  self {} of a core  ticks missed {}",
        view.vms.len(),
        units::optional(view.own_cpu, |cores| format!("{:.2}%", cores * 100.0)),
        units::optional(view.ticks_missed, units::count),
    );
    if let Some(refused) = view.vms_refused.filter(|refused| *refused > 0.0) {
        let _ = write!(line, "  not watched for want of room: {}", units::count(refused));
    }
    line
}

/// As many columns as leave room for a name; the last ones go first.
fn columns_that_fit(columns: usize) -> &'static [Column] {
    const NAME_MIN: usize = 12;
    let needed = |table: &[Column]| table.iter().map(|(_, width)| width + 1).sum::<usize>() + NAME_MIN;
    let mut count = COLUMNS.len();
    while count > 1 && needed(&COLUMNS[..count]) > columns {
        count -= 1;
    }
    &COLUMNS[..count]
}

fn aligned(title: &str, text: &str, width: usize) -> String {
    if matches!(title, "STATE" | "HURT") { fit(text, width) } else { format!("{text:>width$}") }
}

fn vm_line(vm: &VmView, paint: Paint, name_width: usize, table: &[Column]) -> String {
    let mut line = fit(&units::printable(&vm.vm.name), name_width);
    for (title, width) in table {
        line.push(' ');
        let text = aligned(title, &cell(vm, title), *width);
        line.push_str(&match *title {
            "STATE" if vm.state.is_none() => paint.dim(&text),
            "STATE" if vm.state != Some(1) => paint.bad(&text),
            "WAIT" => paint.level(vm.wait, 0.05, 0.25, &text),
            "THROT" => paint.level(vm.throttled, 0.01, 0.25, &text),
            "HURT" => paint.level(Some(vm.hurt.score / 100.0), 0.1, 0.5, &text),
            _ => text,
        });
    }
    line
}

fn cell(vm: &VmView, title: &str) -> String {
    let percent = |value| units::optional(value, units::percent);
    match title {
        "STATE" => vm.state_name().to_owned(),
        "VCPU" => vm.vm.vcpus.len().to_string(),
        "CPU" => percent(vm.cpu_cores),
        "WAIT" => percent(vm.wait),
        "THROT" => percent(vm.throttled),
        "MEM" => units::optional(vm.memory_bytes, units::bytes),
        "DISK/s" => units::optional(vm.disk_bytes, units::bytes),
        "NET/s" => units::optional(vm.net_bytes, units::bytes),
        "EXITS/s" => units::optional(vm.exits, units::count),
        _ if vm.hurt.reason.is_empty() => format!("{:>3.0}", vm.hurt.score),
        _ => format!("{:>3.0} {}", vm.hurt.score, vm.hurt.reason),
    }
}

/// The name of the machine that is looked at: this one's, or what a recorded host says of itself.
#[must_use]
pub fn host_name(reader: &Reader) -> String {
    host_name_below(&reader.config().roots.proc)
}

/// The host's name, as its `/proc` tells it.
#[must_use]
pub fn host_name_below(proc: &std::path::Path) -> String {
    std::fs::read_to_string(proc.join("sys/kernel/hostname"))
        .map_or_else(|_| "host".to_owned(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ColorWhen;
    use crate::view::model::tests::vm;
    use unicode_width::UnicodeWidthStr;

    fn lines(view: &View, columns: usize, rows: usize) -> Vec<String> {
        picture(view, "host", Paint::new(ColorWhen::Never), columns, rows)
    }

    #[test]
    fn nothing_is_wider_or_higher_than_the_terminal() {
        let vms = (0..300).map(|n| vm(&format!("日本-a-rather-long-name-of-a-machine-{n}"))).collect();
        let view = View { vms, ..View::default() };
        for (columns, rows) in [(20, 8), (40, 10), (80, 24), (200, 50)] {
            let lines = lines(&view, columns, rows);
            assert!(lines.len() < rows, "{} lines in {rows}", lines.len());
            for line in &lines {
                assert!(line.width() <= columns, "{columns}: {line:?}");
            }
        }
    }

    #[test]
    fn what_is_said_goes_above_the_picture_and_the_screen_is_never_erased_whole() {
        let mut bytes = Vec::new();
        let mut live = Live::new(&mut bytes, Paint::new(ColorWhen::Never));
        live.draw(&View::default(), "host").unwrap();
        let height = live.picture.len();
        live.say("an alert").unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (_, after) = text.split_once(&format!("\x1b[{height}F")).unwrap();
        assert!(after.starts_with("an alert\x1b[K\nhost"), "{after:?}");
        assert!(after.contains("watching for them") && after.ends_with("\x1b[K\n\x1b[J"), "{after:?}");
    }

    #[test]
    fn without_a_vm_it_says_that_it_watches() {
        let text = lines(&View::default(), 80, 24).join("\n");
        assert!(text.contains("no VM found; watching for them"), "{text}");
        assert!(text.contains("cpu -"), "unknown is shown as such, never as 0: {text}");
    }

    #[test]
    fn what_hurts_most_comes_first() {
        let mut view = View { vms: vec![vm("idle"), vm("dead")], ..View::default() };
        view.vms[1].hurt = crate::view::hurt::Hurt { score: 100.0, reason: "stopped" };
        let lines = lines(&view, 120, 24);
        let at = |name: &str| lines.iter().position(|line| line.starts_with(name)).unwrap();
        assert!(at("dead") < at("idle"));
    }
}
