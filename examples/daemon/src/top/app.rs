//! What the screen shows, and what keys do to it. Knows nothing of terminals.

use super::SortBy;
use crate::view::hurt;
use crate::view::model::{Parts, View, VmView};
use bartizan_core::alerts::Alert;
use bartizan_core::sampling::SourceReport;
use bartizan_core::sampling::discovery::VmInfo;
use bartizan_core::sampling::frame::Entity;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Alerts kept to be looked at.
const ALERTS_KEPT: usize = 500;
/// Samples kept for a sparkline: as many as the widest can show.
const TRAIL_LENGTH: usize = 120;
/// Rows that a page key moves.
const PAGE: usize = 10;

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It goes on.
    Stay,
    /// The user wants out.
    Quit,
}

/// What fills the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The host and the list of VMs.
    Overview,
    /// One VM.
    Vm(Entity),
    /// The host's sources.
    Sources,
}

/// The last samples of one thing, oldest first; `None` where there was no value.
#[derive(Clone, Debug, Default)]
pub struct Trail(VecDeque<Option<f64>>);

impl Trail {
    fn push(&mut self, value: Option<f64>) {
        if self.0.len() == TRAIL_LENGTH {
            self.0.pop_front();
        }
        self.0.push_back(value);
    }

    /// As many blocks as there are columns, the newest on the right; full height is `full`.
    #[must_use]
    pub fn spark(&self, columns: usize, full: f64) -> String {
        const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let skip = self.0.len().saturating_sub(columns);
        let shown = self.0.iter().skip(skip).map(|value| match value {
            None => ' ',
            Some(value) => {
                let eighths = (value / full).clamp(0.0, 1.0) * 7.0;
                BLOCKS
                    .iter()
                    .zip(0_u8..8)
                    .rev()
                    .find(|(_, step)| eighths >= f64::from(*step))
                    .map_or('▁', |b| *b.0)
            }
        });
        let text: String = shown.collect();
        format!("{text:>columns$}")
    }
}

/// Everything the screen shows.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that one key turns")]
pub struct App {
    pub(super) host_name: String,
    pub(super) view: View,
    pub(super) sources: Vec<SourceReport>,
    pub(super) parts: Parts,
    pub(super) alerts: VecDeque<Alert>,
    pub(super) host_trail: Trail,
    pub(super) wait_trail: Trail,
    pub(super) trails: HashMap<Entity, Trail>,
    pub(super) sort: SortBy,
    pub(super) reversed: bool,
    pub(super) filter: String,
    /// The filter is being typed.
    pub(super) typing: bool,
    pub(super) help: bool,
    pub(super) paused: bool,
    pub(super) tall_alerts: bool,
    pub(super) page: Page,
    /// The VM the cursor is on: it stays on it wherever sorting moves it.
    pub(super) selected: Option<Entity>,
    pub(super) scroll: usize,
}

impl App {
    /// An empty screen.
    #[must_use]
    pub fn new(host_name: String, sort: SortBy, filter: String) -> Self {
        Self {
            host_name,
            view: View::default(),
            sources: Vec::new(),
            parts: Parts::default(),
            alerts: VecDeque::new(),
            host_trail: Trail::default(),
            wait_trail: Trail::default(),
            trails: HashMap::new(),
            sort,
            reversed: false,
            filter,
            typing: false,
            help: false,
            paused: false,
            tall_alerts: false,
            page: Page::Overview,
            selected: None,
            scroll: 0,
        }
    }

    /// Takes over a new view.
    pub fn update(&mut self, view: View, parts: Option<Parts>, sources: Vec<SourceReport>) {
        self.host_trail.push(view.host.cpu_busy);
        self.wait_trail.push(view.host.pressure_cpu);
        let mut trails = std::mem::take(&mut self.trails);
        self.trails = view
            .vms
            .iter()
            .map(|vm| {
                let mut trail = trails.remove(&vm.vm.entity).unwrap_or_default();
                trail.push(vm.cpu_cores);
                (vm.vm.entity, trail)
            })
            .collect();
        self.view = view;
        self.sources = sources;
        if let Some(parts) = parts {
            self.parts = parts;
        }
    }

    /// Takes over the parts of the VM that is looked at.
    pub fn set_parts(&mut self, parts: Parts) {
        self.parts = parts;
    }

    /// Takes note of an alert.
    pub fn note_alert(&mut self, alert: Alert) {
        if self.alerts.len() == ALERTS_KEPT {
            self.alerts.pop_back();
        }
        self.alerts.push_front(alert);
    }

    /// Whether the picture stands still.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// The VM that is looked at.
    #[must_use]
    pub fn drilled(&self) -> Option<Arc<VmInfo>> {
        let Page::Vm(entity) = self.page else { return None };
        self.view.vms.iter().find(|vm| vm.vm.entity == entity).map(|vm| Arc::clone(&vm.vm))
    }

    /// The VMs to list, filtered and sorted.
    #[must_use]
    pub fn listed(&self) -> Vec<&VmView> {
        let needle = self.filter.to_lowercase();
        let mut vms: Vec<_> = self.view.vms.iter().filter(|vm| mentions(vm, &needle)).collect();
        vms.sort_by(|a, b| {
            let order = compare(self.sort, a, b);
            if self.reversed { order.reverse() } else { order }
        });
        vms
    }

    /// Where the cursor is among the listed VMs.
    #[must_use]
    pub fn cursor(&self, listed: &[&VmView]) -> usize {
        let at = |entity| listed.iter().position(|vm| vm.vm.entity == entity);
        self.selected.and_then(at).unwrap_or(0)
    }

    /// Does what a key asks for.
    pub fn key(&mut self, key: KeyEvent) -> Next {
        if key.modifiers.contains(KeyModifiers::CONTROL) && matches!(key.code, KeyCode::Char('c' | 'd')) {
            return Next::Quit;
        }
        if self.typing {
            self.type_filter(key.code);
            return Next::Stay;
        }
        if self.help {
            self.help = false;
            return Next::Stay;
        }
        match key.code {
            KeyCode::Char('q') => return Next::Quit,
            KeyCode::Esc | KeyCode::Backspace | KeyCode::Left => self.back(),
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.help = true,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char('a') => self.tall_alerts = !self.tall_alerts,
            KeyCode::Char('o') => self.open(Page::Sources),
            KeyCode::Enter | KeyCode::Right => self.drill(),
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Char('s') => self.sort = next_sort(self.sort),
            KeyCode::Char('r') => self.reversed = !self.reversed,
            KeyCode::Char(letter @ ('H' | 'C' | 'W' | 'M' | 'D' | 'N' | 'A')) => self.sort = sort_of(letter),
            KeyCode::Up | KeyCode::Char('k') => self.move_by(-1),
            KeyCode::Down | KeyCode::Char('j') => self.move_by(1),
            KeyCode::PageUp => self.move_by(-PAGE.cast_signed()),
            KeyCode::PageDown => self.move_by(PAGE.cast_signed()),
            KeyCode::Home | KeyCode::Char('g') => self.move_by(isize::MIN),
            KeyCode::End | KeyCode::Char('G') => self.move_by(isize::MAX),
            _ => {}
        }
        Next::Stay
    }

    fn type_filter(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(character) => self.filter.push(character),
            _ => {}
        }
    }

    fn back(&mut self) {
        if self.page == Page::Overview {
            self.filter.clear();
        }
        self.open(Page::Overview);
    }

    fn open(&mut self, page: Page) {
        self.page = page;
        self.scroll = 0;
    }

    fn drill(&mut self) {
        if self.page != Page::Overview {
            return;
        }
        let listed = self.listed();
        if let Some(vm) = listed.get(self.cursor(&listed)) {
            let entity = vm.vm.entity;
            self.selected = Some(entity);
            self.open(Page::Vm(entity));
        }
    }

    fn move_by(&mut self, rows: isize) {
        if self.page != Page::Overview {
            self.scroll = self.scroll.saturating_add_signed(rows);
            return;
        }
        let listed = self.listed();
        let target = self.cursor(&listed).saturating_add_signed(rows).min(listed.len().saturating_sub(1));
        self.selected = listed.get(target).map(|vm| vm.vm.entity);
    }
}

fn mentions(vm: &VmView, needle: &str) -> bool {
    needle.is_empty()
        || vm.vm.name.to_lowercase().contains(needle)
        || vm.vm.tenant.to_lowercase().contains(needle)
        || crate::view::units::uuid(&vm.vm.uuid).contains(needle)
}

/// The greatest first, names from A; what has no value last; equals by what hurts.
fn compare(sort: SortBy, a: &VmView, b: &VmView) -> Ordering {
    let value = |vm: &VmView| match sort {
        SortBy::Cpu => vm.cpu_cores,
        SortBy::Wait => vm.wait,
        SortBy::Memory => vm.memory_bytes,
        SortBy::Disk => vm.disk_bytes,
        SortBy::Net => vm.net_bytes,
        SortBy::Hurt | SortBy::Name => None,
    };
    let first = match sort {
        SortBy::Name => a.vm.name.cmp(&b.vm.name),
        _ => value(b).unwrap_or(-1.0).total_cmp(&value(a).unwrap_or(-1.0)),
    };
    first.then_with(|| hurt::order(a, b))
}

const fn next_sort(sort: SortBy) -> SortBy {
    match sort {
        SortBy::Hurt => SortBy::Cpu,
        SortBy::Cpu => SortBy::Wait,
        SortBy::Wait => SortBy::Memory,
        SortBy::Memory => SortBy::Disk,
        SortBy::Disk => SortBy::Net,
        SortBy::Net => SortBy::Name,
        SortBy::Name => SortBy::Hurt,
    }
}

const fn sort_of(letter: char) -> SortBy {
    match letter {
        'C' => SortBy::Cpu,
        'W' => SortBy::Wait,
        'M' => SortBy::Memory,
        'D' => SortBy::Disk,
        'N' => SortBy::Net,
        'A' => SortBy::Name,
        _ => SortBy::Hurt,
    }
}
