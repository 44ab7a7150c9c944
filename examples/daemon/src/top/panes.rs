//! The other panes: alerts, one VM, the sources, the help.

use super::app::App;
use super::theme::Theme;
use crate::view::units::{self, fit, printable};
use bartizan_core::alerts::{Alert, AlertState};
use bartizan_core::sampling::SourceReport;
use bartizan_core::sampling::frame::Entity;
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph};

const HELP: &str = " q, Ctrl-C     quit              ↑ ↓ PgUp PgDn Home End  move, scroll
 Enter →       look into a VM    Esc ← Backspace         back, clear filter
 s             next sort column  H C W M D N A           sort by hurt, CPU,
 r             reverse the order                         wait, memory, disk,
 /             filter by name, tenant or UUID            net, name
 a             more or fewer alerts
 o             sources: how what is read, and why not better
 p, Space      pause             ? h F1                  this help

 CPU    CPUs' worth of time the VMM uses: 100% is one CPU
 WAIT   share of time its worst vCPU waited for a CPU: the guest's steal
 THROT  share of time its cgroup was throttled
 HURT   100 is \"does not work\": stopped 100, alerts 50/20/5 each, WAIT,
        THROT and memory waits up to 100, I/O waits up to 50
 -      no value; the reason: Enter on the VM, or o for the host";

/// The last alerts, the newest first.
pub(super) fn draw_alerts(frame: &mut Frame<'_>, area: Rect, app: &App, theme: Theme) {
    let block = titled(format!(" alerts: {} ", app.alerts.len()), theme);
    if app.alerts.is_empty() {
        frame.render_widget(Paragraph::new("none so far").style(theme.dim()).block(block), area);
        return;
    }
    let lines: Vec<_> = app
        .alerts
        .iter()
        .take(usize::from(area.height))
        .map(|alert| alert_line(alert, usize::from(area.width), theme))
        .collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn alert_line<'a>(alert: &Alert, columns: usize, theme: Theme) -> Line<'a> {
    let (word, style) = match alert.state {
        AlertState::Firing => (alert.severity.name(), theme.severity(alert.severity)),
        AlertState::Resolved => ("resolved", theme.good()),
    };
    let text = format!("{}: {}", printable(&alert.rule), printable(&alert.message));
    Line::from(vec![
        Span::styled(units::time_of_day(alert.at_wall_ns), theme.dim()),
        Span::styled(format!(" {word:<8} "), style),
        Span::raw(fit(&text, columns.saturating_sub(18))),
    ])
}

/// One VM: who it is, its parts, its sources, its alerts.
pub(super) fn draw_vm(frame: &mut Frame<'_>, area: Rect, app: &mut App, entity: Entity, theme: Theme) {
    let Some(view) = app.view.vms.iter().find(|vm| vm.vm.entity == entity) else {
        let gone = Paragraph::new("this VM is gone; Esc goes back").style(theme.warn());
        frame.render_widget(gone.block(titled(" VM ".to_owned(), theme)), area);
        return;
    };
    let vm = &view.vm;
    let columns = usize::from(area.width);
    let text = |text: String| Line::raw(fit(&text, columns));
    let head = |text: String| Line::styled(fit(&text, columns), Theme::heading());
    let or_none = |text: &str| if text.is_empty() { units::NONE.to_owned() } else { printable(text) };
    let uuid = if vm.uuid == [0; 16] { units::NONE.to_owned() } else { units::uuid(&vm.uuid) };
    let percent = |value| units::optional(value, units::percent);
    let bytes = |value| units::optional(value, units::bytes);
    let mut lines = vec![
        text(format!("uuid {uuid}  tenant {}  {} process {}", or_none(&vm.tenant), vm.vmm.name(), vm.pid)),
        text(format!("cgroup {}", or_none(&vm.cgroup))),
        text(format!(
            "state {}  cpu {}  wait {}  throttled {}  memory {}",
            view.state_name(),
            percent(view.cpu_cores),
            percent(view.wait),
            percent(view.throttled),
            bytes(view.memory_bytes),
        )),
        text(format!(
            "waits for memory {} and for I/O {}",
            percent(view.pressure_memory),
            percent(view.pressure_io)
        )),
        Line::raw(""),
        head(format!(
            "{:<6} {:>8} {:>7} {:>7} {:>10} {:>9}",
            "VCPU", "THREAD", "RUN", "WAIT", "SWITCHES/s", "EXITS/s"
        )),
    ];
    for vcpu in &app.parts.vcpus {
        lines.push(Line::styled(
            fit(
                &format!(
                    "{:<6} {:>8} {:>7} {:>7} {:>10} {:>9}",
                    vcpu.index,
                    vcpu.tid,
                    percent(vcpu.run),
                    percent(vcpu.wait),
                    units::optional(vcpu.switches, units::count),
                    units::optional(vcpu.exits, units::count)
                ),
                columns,
            ),
            theme.level(vcpu.wait.or(Some(0.0)), 0.05, 0.25),
        ));
    }
    if !app.parts.devices.is_empty() {
        lines.push(Line::raw(""));
        lines.push(head(format!("{:<20} {:>9} {:>9}", "DEVICE", "IN/s", "OUT/s")));
    }
    for device in &app.parts.devices {
        let kind = if device.is_disk { "disk" } else { "net" };
        let name = fit(&format!("{kind} {}", printable(&device.name)), 20);
        lines.push(text(format!("{name} {:>9} {:>9}", bytes(device.input), bytes(device.output))));
    }
    let about: Vec<_> = app
        .alerts
        .iter()
        .filter(|alert| alert.entity == entity || vm.parts().any(|part| part == alert.entity))
        .take(10)
        .collect();
    if !about.is_empty() {
        lines.push(Line::raw(""));
        lines.push(head("ALERTS".to_owned()));
        lines.extend(about.into_iter().map(|alert| alert_line(alert, columns, theme)));
    }
    lines.push(Line::raw(""));
    lines.extend(source_lines(&vm.sources, columns, theme));
    let title = format!(" {} ", printable(&vm.name));
    app.scroll = app.scroll.min(lines.len().saturating_sub(usize::from(area.height) - 1));
    scrolled(frame, area, lines, app.scroll, titled(title, theme));
}

/// The host's sources.
pub(super) fn draw_sources(frame: &mut Frame<'_>, area: Rect, app: &mut App, theme: Theme) {
    let lines = source_lines(&app.sources, usize::from(area.width), theme);
    app.scroll = app.scroll.min(lines.len().saturating_sub(usize::from(area.height) - 1));
    scrolled(frame, area, lines, app.scroll, titled(" sources of the host ".to_owned(), theme));
}

/// Keys and columns, in the middle of the screen.
pub(super) fn draw_help(frame: &mut Frame<'_>, area: Rect, theme: Theme) {
    let lines = u16::try_from(HELP.lines().count()).unwrap_or(u16::MAX);
    let columns =
        u16::try_from(HELP.lines().map(|l| l.chars().count()).max().unwrap_or(0)).unwrap_or(u16::MAX);
    let middle = area.centered(
        Constraint::Length((columns + 3).min(area.width)),
        Constraint::Length((lines + 2).min(area.height)),
    );
    frame.render_widget(Clear, middle);
    let block = Block::bordered()
        .title(Span::styled(" help: any key closes it ", theme.title()))
        .border_style(theme.dim());
    frame.render_widget(Paragraph::new(HELP).block(block), middle);
}

fn source_lines<'a>(sources: &[SourceReport], columns: usize, theme: Theme) -> Vec<Line<'a>> {
    let mut lines =
        vec![Line::styled(format!("{:<16} {:<12} {:<12} WHY", "SOURCE", "STATE", "TIER"), Theme::heading())];
    for report in sources {
        let mut reason = units::wrap(&printable(&report.reason), columns.saturating_sub(43)).into_iter();
        lines.push(Line::from(vec![
            Span::raw(fit(report.source.name(), 17)),
            Span::styled(fit(report.availability.name(), 13), theme.availability(report.availability)),
            Span::raw(fit(report.tier, 13)),
            Span::raw(reason.next().unwrap_or_default()),
        ]));
        lines.extend(reason.map(|line| Line::raw(format!("{:43}{line}", ""))));
    }
    lines
}

fn titled<'a>(title: String, theme: Theme) -> Block<'a> {
    Block::new().borders(Borders::TOP).border_style(theme.dim()).title(Span::styled(title, Theme::heading()))
}

fn scrolled(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'_>>, scroll: usize, block: Block<'_>) {
    let scroll = u16::try_from(scroll).unwrap_or(u16::MAX);
    frame.render_widget(Paragraph::new(lines).block(block).scroll((scroll, 0)), area);
}
