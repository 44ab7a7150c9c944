//! Puts the overview on the screen: host, VMs, alerts, keys.

use super::SortBy;
use super::app::{App, Page};
use super::panes;
use super::theme::Theme;
use crate::view::live::host_lines;
use crate::view::model::VmView;
use crate::view::units::{self, fit, printable};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table, TableState};

/// Lines of the alerts pane, its border included.
const ALERTS_LINES: u16 = 6;
/// From this width on, VMs have a sparkline of their CPU.
const SPARK_FROM_COLUMNS: u16 = 100;
/// Columns of that sparkline.
const SPARK_COLUMNS: u16 = 20;

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App, theme: Theme) {
    let area = frame.area();
    if area.width < 40 || area.height < 10 {
        frame.render_widget(Paragraph::new("the terminal is too small: 40 × 10 at least"), area);
        return;
    }
    let [title, body, keys] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)]).areas(area);
    draw_title(frame, title, app, theme);
    match app.page {
        Page::Overview => draw_overview(frame, body, app, theme),
        Page::Vm(entity) => panes::draw_vm(frame, body, app, entity, theme),
        Page::Sources => panes::draw_sources(frame, body, app, theme),
    }
    draw_keys(frame, keys, app, theme);
    if app.help {
        panes::draw_help(frame, area, theme);
    }
}

fn draw_title(frame: &mut Frame<'_>, area: Rect, app: &App, theme: Theme) {
    let view = &app.view;
    let mut left = vec![
        Span::styled("bartizan ", theme.title()),
        Span::styled(printable(&app.host_name), Theme::heading()),
        Span::raw(format!("  {} CPUs  {} VMs  tick {}", view.host.cpus, view.vms.len(), view.tick.number)),
    ];
    if app.paused {
        left.push(Span::styled("  PAUSED", theme.warn()));
    }
    let cost = format!(
        "self {}  {}",
        units::optional(view.own_cpu, |cores| format!("{:.2}% of a core", cores * 100.0)),
        units::time_of_day(view.tick.wall_ns)
    );
    let width = u16::try_from(cost.chars().count()).unwrap_or(0);
    let [wide, narrow] = Layout::horizontal([Constraint::Min(1), Constraint::Length(width)]).areas(area);
    frame.render_widget(Paragraph::new(Line::from(left)), wide);
    frame.render_widget(Paragraph::new(cost).style(theme.dim()), narrow);
}

fn draw_overview(frame: &mut Frame<'_>, area: Rect, app: &mut App, theme: Theme) {
    let alerts_lines = if app.tall_alerts { area.height / 2 } else { ALERTS_LINES.min(area.height / 3) };
    let [host, vms, alerts] =
        Layout::vertical([Constraint::Length(4), Constraint::Min(4), Constraint::Length(alerts_lines)])
            .areas(area);
    draw_host(frame, host, app, theme);
    draw_vms(frame, vms, app, theme);
    panes::draw_alerts(frame, alerts, app, theme);
}

fn draw_host(frame: &mut Frame<'_>, area: Rect, app: &App, theme: Theme) {
    let columns = usize::from(area.width);
    let half = columns.saturating_sub(16) / 2;
    let level = theme.level(app.view.host.cpu_busy, 0.8, 0.95);
    let mut lines: Vec<Line<'_>> =
        host_lines(&app.view.host).into_iter().map(|line| Line::styled(fit(&line, columns), level)).collect();
    if let Some(second) = lines.get_mut(1) {
        second.style = theme.level(app.view.host.pressure_memory, 0.1, 0.3);
    }
    lines.push(Line::from(vec![
        Span::styled("cpu ", theme.dim()),
        Span::styled(app.host_trail.spark(half, 1.0), theme.spark()),
        Span::styled("  cpu wait ", theme.dim()),
        Span::styled(app.wait_trail.spark(half, 1.0), theme.warn()),
    ]));
    frame.render_widget(Paragraph::new(lines), area);
}

/// One column of the VM table.
struct Column {
    title: &'static str,
    width: u16,
    sort: Option<SortBy>,
    /// Columns of a lower rank stay when there is little room.
    rank: u8,
}

const fn column(title: &'static str, width: u16, sort: Option<SortBy>, rank: u8) -> Column {
    Column { title, width, sort, rank }
}

const COLUMNS: [Column; 11] = [
    column("STATE", 8, None, 0),
    column("VCPU", 4, None, 5),
    column("CPU", 6, Some(SortBy::Cpu), 1),
    column("CPU HISTORY", SPARK_COLUMNS, None, 9),
    column("WAIT", 6, Some(SortBy::Wait), 1),
    column("THROT", 6, None, 4),
    column("MEM", 6, Some(SortBy::Memory), 3),
    column("DISK/s", 7, Some(SortBy::Disk), 6),
    column("NET/s", 7, Some(SortBy::Net), 6),
    column("EXITS/s", 7, None, 7),
    column("HURT", 13, Some(SortBy::Hurt), 0),
];

/// The columns that leave a name its room.
fn columns_that_fit(width: u16) -> Vec<&'static Column> {
    let name_min = 14;
    let mut chosen: Vec<&Column> =
        COLUMNS.iter().filter(|column| column.rank < 9 || width >= SPARK_FROM_COLUMNS).collect();
    while chosen.iter().map(|column| column.width + 1).sum::<u16>() + name_min > width && chosen.len() > 2 {
        let last = chosen.iter().enumerate().max_by_key(|(_, column)| column.rank).map(|(index, _)| index);
        let Some(last) = last else { break };
        chosen.remove(last);
    }
    chosen
}

fn draw_vms(frame: &mut Frame<'_>, area: Rect, app: &mut App, theme: Theme) {
    let listed = app.listed();
    let filtered = if app.filter.is_empty() {
        String::new()
    } else {
        format!(" of {} that match “{}”", app.view.vms.len(), printable(&app.filter))
    };
    let block = Block::new()
        .borders(Borders::TOP)
        .border_style(theme.dim())
        .title(Span::styled(format!(" VMs: {}{filtered} ", listed.len()), Theme::heading()));
    if listed.is_empty() {
        let text = if app.view.vms.is_empty() {
            "no VM found; watching for them"
        } else {
            "no VM matches the filter; Esc clears it"
        };
        frame.render_widget(Paragraph::new(text).style(theme.dim()).block(block), area);
        return;
    }
    let columns = columns_that_fit(area.width);
    let name_title = title("VM", Some(SortBy::Name), app);
    let header = std::iter::once(Cell::from(name_title))
        .chain(columns.iter().map(|column| {
            let text = title(column.title, column.sort, app);
            Cell::from(align(column.title, &text, usize::from(column.width)))
        }))
        .collect::<Row<'_>>()
        .style(Theme::heading());
    let rows: Vec<Row<'_>> = listed
        .iter()
        .map(|vm| {
            let name = Cell::from(printable(&vm.vm.name));
            std::iter::once(name).chain(columns.iter().map(|column| cell(vm, column, app, theme))).collect()
        })
        .collect();
    let widths =
        std::iter::once(Constraint::Min(8)).chain(columns.iter().map(|c| Constraint::Length(c.width)));
    let table = Table::new(rows, widths)
        .header(header)
        .block(block)
        .column_spacing(1)
        .row_highlight_style(Theme::selected());
    let cursor = app.cursor(&listed);
    let mut state = TableState::new().with_offset(app.scroll).with_selected(Some(cursor));
    frame.render_stateful_widget(table, area, &mut state);
    app.scroll = state.offset();
}

fn title(text: &str, sort: Option<SortBy>, app: &App) -> String {
    if sort == Some(app.sort) {
        format!("{}{text}", if app.reversed { "▲" } else { "▼" })
    } else {
        text.to_owned()
    }
}

fn align(title: &str, text: &str, width: usize) -> String {
    if matches!(title, "STATE" | "HURT" | "CPU HISTORY") {
        fit(text, width)
    } else {
        format!("{text:>width$}")
    }
}

fn cell<'a>(vm: &VmView, column: &Column, app: &App, theme: Theme) -> Cell<'a> {
    let percent = |value| units::optional(value, units::percent);
    let (text, style) = match column.title {
        "STATE" => {
            let style = match vm.state {
                Some(1) => theme.good(),
                None => theme.dim(),
                Some(_) => theme.bad(),
            };
            (vm.state_name().to_owned(), style)
        }
        "VCPU" => (vm.vm.vcpus.len().to_string(), Style::new()),
        "CPU" => (percent(vm.cpu_cores), Style::new()),
        "CPU HISTORY" => {
            let full = f64::from(u32::try_from(vm.vm.vcpus.len()).unwrap_or(u32::MAX).max(1));
            let trail = app.trails.get(&vm.vm.entity);
            let spark = trail.map(|trail| trail.spark(usize::from(SPARK_COLUMNS), full)).unwrap_or_default();
            (spark, theme.spark())
        }
        "WAIT" => (percent(vm.wait), theme.level(vm.wait, 0.05, 0.25)),
        "THROT" => (percent(vm.throttled), theme.level(vm.throttled, 0.01, 0.25)),
        "MEM" => (units::optional(vm.memory_bytes, units::bytes), Style::new()),
        "DISK/s" => (units::optional(vm.disk_bytes, units::bytes), Style::new()),
        "NET/s" => (units::optional(vm.net_bytes, units::bytes), Style::new()),
        "EXITS/s" => (units::optional(vm.exits, units::count), Style::new()),
        _ => (
            format!("{:>3.0} {}", vm.hurt.score, vm.hurt.reason),
            theme.level(Some(vm.hurt.score / 100.0), 0.1, 0.5),
        ),
    };
    Cell::from(align(column.title, &text, usize::from(column.width))).style(style)
}

fn draw_keys(frame: &mut Frame<'_>, area: Rect, app: &App, theme: Theme) {
    if app.typing {
        let line = Line::from(vec![
            Span::styled("filter: ", theme.key()),
            Span::raw(printable(&app.filter)),
            Span::styled("▏", theme.key()),
            Span::styled("  Enter keeps it, Esc clears it", theme.dim()),
        ]);
        frame.render_widget(Paragraph::new(line), area);
        return;
    }
    let keys: &[(&str, &str)] = match app.page {
        Page::Overview => &[
            ("q", "quit"),
            ("↑↓", "move"),
            ("Enter", "VM"),
            ("s", "sort"),
            ("/", "filter"),
            ("a", "alerts"),
            ("o", "sources"),
            ("?", "help"),
        ],
        Page::Vm(_) | Page::Sources => &[("q", "quit"), ("Esc", "back"), ("↑↓", "scroll"), ("?", "help")],
    };
    let spans: Vec<_> = keys
        .iter()
        .flat_map(|(key, what)| {
            [Span::styled(*key, theme.key()), Span::styled(format!(" {what}  "), theme.dim())]
        })
        .collect();
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

#[cfg(test)]
mod tests;
