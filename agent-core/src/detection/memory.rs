//! What a detector has learned and what fires, kept across a restart.
//!
//! ```text
//! running   Detector ── a few rows a tick ──▶ Copy ──▶ Memory ── snapshot ──▶ the disk
//! starting  the disk ── restore, replay of alerts ──▶ Memory ──▶ Recall ── row by row, as they appear ──▶ Detector
//! ```
//! Rows are numbered anew by every process; what is remembered is therefore named by what it is about: the rule, the VM
//! with its process, the part of it. What fired goes on firing and is not told twice; what is over is resolved, with the
//! id it fired with.

use super::Detector;
use super::baseline::Baseline;
use super::program::{Memory as Kept, Rule};
use super::series::Series;
use super::speak::{Because, Subject, alert_id, fnv1a, resolves, series};
use super::window::Window;
use crate::alerts::{Alert, AlertSink, AlertState, Severity};
use crate::codec;
use crate::ledger::{Kind, Record};
use crate::recovery::Participant;
use crate::sampling::frame::{Entity, Frame, Tick};
use crate::sampling::roster::Roster;
use bytemuck::Zeroable;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rows looked at in one tick while a copy is made.
const ROWS_PER_TICK: usize = 128;
/// What did not come back within this time after a start is forgotten.
const RECALL_NS: u64 = 600_000_000_000;
/// So many entries are encoded in one piece.
const PIECE: usize = 4_096;
/// The most that is remembered: one entry for each rule and row.
const ENTRIES_MAX: usize = 1 << 18;

/// One rule on one row.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Entry {
    /// What it is about: see [`Alert::series`](crate::alerts::Alert::series).
    series: u64,
    /// The rule as it judged then; 0 when only an alert told of it.
    rule: u64,
    state: Series,
    learned: Learned,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Learned {
    Nothing,
    Window(Window),
    Baseline(Baseline),
}

/// An alert that was told and not resolved yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    since_ns: u64,
    /// A [`Severity`].
    severity: u8,
}

/// What is remembered of all rules and rows.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Names the boot of the host: stamps of another one mean nothing.
    boot: u128,
    /// As of the last copy.
    entries: Vec<Entry>,
    /// Alerts that were told and not resolved yet, by series: exactly what the records say.
    open: BTreeMap<u64, Open>,
}

impl Memory {
    /// Nothing is remembered yet. `boot` names the boot of the host (`/proc/sys/kernel/random/boot_id`); 0 is unknown.
    #[must_use]
    pub fn new(boot: u128) -> Self {
        Self { boot, ..Self::default() }
    }

    /// What a copy holds, as of now.
    pub fn take(&mut self, copy: Copy) {
        self.entries = copy.entries;
    }

    /// An alert was told, and is recorded.
    pub fn note(&mut self, alert: &Alert) {
        let open = Open { since_ns: alert.since_mono_ns, severity: alert.severity as u8 };
        self.note_series(alert.series, open, alert.state == AlertState::Firing);
    }

    fn note_series(&mut self, series: u64, open: Open, is_firing: bool) {
        if !is_firing {
            self.open.remove(&series);
        } else if self.open.len() < ENTRIES_MAX {
            self.open.insert(series, open);
        }
    }

    /// Alerts that were told and not resolved yet.
    /// Each with its id.
    pub fn open_alerts(&self) -> impl Iterator<Item = (u64, Severity)> {
        let severity = |number| Severity::ALL.into_iter().find(|severity| *severity as u8 == number);
        self.open.iter().filter_map(move |(series, open)| {
            Some((alert_id(*series, open.since_ns), severity(open.severity)?))
        })
    }

    /// What a detector is given to go on from. What fires is what was told: an alert that was lost on its way is told
    /// again, with its id, and one that was told is resolved when it is over.
    #[must_use]
    pub fn recall(&self) -> Recall {
        let mut entries = self.entries.clone();
        let mut open = self.open.clone();
        for entry in &mut entries {
            match open.remove(&entry.series) {
                Some(open) => entry.state.told(open.since_ns),
                None => entry.state.untold(),
            }
        }
        entries.extend(open.into_iter().map(|(series, open)| Entry::told(series, open.since_ns)));
        entries.sort_by_key(|entry| entry.series);
        Recall { entries: entries.into_boxed_slice(), since_ns: None }
    }
}

/// A part of a snapshot, as short as the codec wants it.
#[derive(Serialize, Deserialize)]
struct Piece {
    open: Vec<(u64, Open)>,
    entries: Vec<Entry>,
}

/// The payload of an `alert` record: JSON with at least these.
#[derive(Deserialize)]
struct Told {
    series: String,
    since_mono_ns: u64,
    state: String,
    #[serde(default)]
    severity: String,
}

impl Participant for Memory {
    fn name(&self) -> &'static str {
        "detection"
    }

    fn version(&self) -> u32 {
        1
    }

    fn snapshot(&self) -> Result<Vec<u8>, String> {
        let open: Vec<(u64, Open)> = self.open.iter().map(|(series, open)| (*series, *open)).collect();
        let mut bytes = codec::encode(&self.boot)?;
        let open = open.chunks(PIECE).map(|open| Piece { open: open.to_vec(), entries: Vec::new() });
        let entries =
            self.entries.chunks(PIECE).map(|entries| Piece { open: Vec::new(), entries: entries.to_vec() });
        for piece in open.chain(entries) {
            let piece = codec::encode(&piece)?;
            let length = u32::try_from(piece.len()).map_err(|error| error.to_string())?;
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        let (boot, mut rest) = bytes.split_at_checked(size_of::<u128>()).ok_or("it ends within its head")?;
        let boot: u128 = codec::decode(boot)?;
        self.reset();
        while !rest.is_empty() {
            let (length, more) = rest.split_first_chunk().ok_or("it ends within a length")?;
            let length = u32::from_le_bytes(*length) as usize;
            let (piece, more) = more.split_at_checked(length).ok_or("it ends within a piece")?;
            let Piece { open, entries } = codec::decode(piece)?;
            if entries.iter().any(|entry| !entry.is_sound()) {
                return Err("a number in it cannot be".to_owned());
            }
            self.open.extend(open);
            self.entries.extend(entries);
            if self.entries.len() > ENTRIES_MAX || self.open.len() > ENTRIES_MAX {
                return Err("it remembers too much".to_owned());
            }
            rest = more;
        }
        if boot != self.boot || boot == 0 {
            self.entries.iter_mut().for_each(Entry::forget_times);
        }
        Ok(())
    }

    fn replay(&mut self, record: &Record) {
        if record.kind == Kind::ALERT
            && let Ok(told) = serde_json::from_slice::<Told>(record.payload)
            && let Ok(series) = u64::from_str_radix(&told.series, 16)
        {
            let named = Severity::ALL.into_iter().find(|severity| severity.name() == told.severity);
            let severity = named.unwrap_or(Severity::Warning) as u8;
            self.note_series(series, Open { since_ns: told.since_mono_ns, severity }, told.state == "firing");
        }
    }

    fn reset(&mut self) {
        self.entries.clear();
        self.open.clear();
    }
}

impl Entry {
    /// One that only an alert tells of.
    fn told(series: u64, since_ns: u64) -> Self {
        let mut state = Series::zeroed();
        state.told(since_ns);
        Self { series, rule: 0, state, learned: Learned::Nothing }
    }

    fn is_sound(&self) -> bool {
        match &self.learned {
            Learned::Nothing => true,
            Learned::Window(window) => window.is_sound(),
            Learned::Baseline(baseline) => baseline.is_sound(),
        }
    }

    /// The clock that the stamps were read from began anew.
    fn forget_times(&mut self) {
        self.state.forget_times();
        if matches!(self.learned, Learned::Window(_)) {
            self.learned = Learned::Nothing;
        }
    }
}

/// A copy that is being made of what a detector knows. Its memory is set aside by the cold side.
#[derive(Debug)]
pub struct Copy {
    entries: Vec<Entry>,
    table: usize,
    row: u32,
}

impl Copy {
    /// An empty one with room for all that a detector may know.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(crate) fn with_room(series: usize) -> Result<Self, std::collections::TryReserveError> {
        let mut entries = Vec::new();
        entries.try_reserve_exact(series.min(ENTRIES_MAX))?;
        Ok(Self { entries, table: 0, row: 0 })
    }
}

/// What a detector is given to go on from: looked up once for each row, when it appears.
#[derive(Debug, Default)]
pub struct Recall {
    /// By series.
    entries: Box<[Entry]>,
    /// When the detector got it.
    since_ns: Option<u64>,
}

impl Detector {
    /// All series there may be.
    pub(crate) fn series(&self) -> usize {
        self.rules.iter().map(|rule| rule.series.len()).sum()
    }

    /// Copies a few rows more; whether the copy is complete. Allocates nothing.
    pub(crate) fn copy(&self, copy: &mut Copy, frame: &Frame, roster: &Roster) -> bool {
        self.copy_rows(copy, frame, roster, ROWS_PER_TICK)
    }

    /// Copies all rows at once: for where nothing else waits.
    pub(crate) fn copy_all(&self, copy: &mut Copy, frame: &Frame, roster: &Roster) {
        self.copy_rows(copy, frame, roster, usize::MAX);
    }

    fn copy_rows(&self, copy: &mut Copy, frame: &Frame, roster: &Roster, rows_max: usize) -> bool {
        let mut left = rows_max;
        while let Some(table) = self.tables.get(copy.table) {
            for entity in frame.entities(table.scope).filter(|entity| entity.row >= copy.row) {
                if left == 0 {
                    copy.row = entity.row;
                    return false;
                }
                left -= 1;
                let row = entity.row as usize;
                if table.generations[row] != entity.generation {
                    continue;
                }
                let about = Subject::new(entity, roster).about();
                for rule in &self.rules[table.rules.clone()] {
                    if let Some(entry) = rule.remembered(row, about)
                        && copy.entries.len() < copy.entries.capacity()
                    {
                        copy.entries.push(entry);
                    }
                }
            }
            (copy.table, copy.row) = (copy.table + 1, 0);
        }
        true
    }

    /// Goes on from what another process knew: of every row that appears from now on.
    pub(crate) fn go_on_from(&mut self, recall: Box<Recall>) {
        self.recall = Some(recall);
    }

    /// What is no longer waited for, to be freed by the cold side.
    pub(crate) fn forgotten(&mut self, tick: Tick) -> Option<Box<Recall>> {
        let recall = self.recall.as_mut()?;
        let since_ns = *recall.since_ns.get_or_insert(tick.mono_ns);
        if tick.mono_ns.saturating_sub(since_ns) < RECALL_NS { None } else { self.recall.take() }
    }

    /// A row appeared: what is remembered of it is taken over.
    pub(super) fn recall_row(
        &mut self,
        rules: std::ops::Range<usize>,
        entity: Entity,
        tick: Tick,
        roster: &Roster,
        sink: &mut AlertSink,
    ) {
        let Some(recall) = &self.recall else { return };
        let subject = Subject::new(entity, roster);
        let about = subject.about();
        for index in rules {
            let rule = &mut self.rules[index];
            let series = series(rule, about);
            let Ok(at) = recall.entries.binary_search_by_key(&series, |entry| entry.series) else { continue };
            let entry = &recall.entries[at];
            let since_ns = entry.state.since_ns;
            if entry.rule != 0 && entry.rule != rule.identity {
                if entry.state.is_announced() {
                    sink.push(resolves(rule, &subject, since_ns, Because::Rules, None, tick));
                }
                continue;
            }
            rule.take_back(entity.row as usize, entry);
            if entry.state.is_firing() {
                self.firing.take_back(index, entity, since_ns, roster);
            }
        }
    }
}

impl Rule {
    /// What is worth remembering of a row.
    fn remembered(&self, row: usize, about: u64) -> Option<Entry> {
        let state = self.series.get(row)?;
        let learned = match &self.memory {
            Kept::Windows(windows) if windows[row].has_seen() => Learned::Window(windows[row]),
            Kept::Baselines(baselines) if baselines[row].has_seen() => Learned::Baseline(baselines[row]),
            _ => Learned::Nothing,
        };
        let is_worth_it = state.is_firing() || !matches!(learned, Learned::Nothing);
        is_worth_it.then(|| Entry {
            series: series(self, about),
            rule: self.identity,
            state: *state,
            learned,
        })
    }

    fn take_back(&mut self, row: usize, entry: &Entry) {
        self.series[row] = entry.state;
        match (&mut self.memory, &entry.learned) {
            (Kept::Windows(windows), Learned::Window(window)) => windows[row] = *window,
            (Kept::Baselines(baselines), Learned::Baseline(baseline)) => baselines[row] = *baseline,
            _ => {}
        }
    }
}

impl Subject {
    /// Names what it is about, in every process alike.
    pub(super) fn about(&self) -> u64 {
        let mut hash = fnv1a(&[self.entity.scope as u8], super::speak::FNV_BASIS);
        hash = fnv1a(&self.vm.uuid, hash);
        hash = fnv1a(&self.vm.pid.to_le_bytes(), hash);
        hash = fnv1a(self.vm.name.as_bytes(), hash);
        fnv1a(self.part.as_bytes(), fnv1a(&[0], hash))
    }
}
