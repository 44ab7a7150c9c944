//! `/proc/interrupts` and `/proc/softirqs`: a column a CPU, added up while the file streams by.
//!
//! On a large host the first of them has millions of numbers, and costs more than all other files together. It is
//! never held as a whole: a window of it is read, at most so many bytes a tick, and what is wanted is summed per CPU.

use super::schedule::Turn;
use super::schema::LineWant;
use crate::sampling::availability::Availability;
use crate::sampling::frame::{FrameWriter, Tick};
use crate::sampling::metrics::{MetricId, Scope, Source, cpu, host};
use crate::sys::file::KeptFile;
use memchr::memchr;

/// System calls made for one file in one tick at most; a `seq_file` gives a page or a line by each.
const READS_PER_TICK_MAX: usize = 16;
/// Numbered lines whose rate is followed one by one.
const LINES_MAX: usize = 4_096;
/// The largest share, in parts per million.
const WHOLE_PPM: i128 = 1_000_000;

/// See the module's documentation.
pub(super) struct Columns {
    file: KeptFile,
    source: Source,
    turn: Turn,
    wants: &'static [LineWant],
    /// The first line: which CPUs the columns are.
    header: Box<[u8]>,
    /// The frame's row of each column; `NO_ROW` for a CPU without one.
    rows: Box<[u32]>,
    window: Box<[u8]>,
    filled: usize,
    offset: usize,
    reading: bool,
    /// What is wanted, by line and column, then by line of the host.
    sums: Box<[u64]>,
    host_sums: Box<[u64]>,
    seen: Box<[bool]>,
    /// Which of the wanted lines there were at first.
    present: Box<[bool]>,
    devices: Option<Devices>,
    failed: bool,
}

/// What is kept about numbered lines.
struct Devices {
    total: Box<[u64]>,
    device: Box<[u64]>,
    device_before: Box<[u64]>,
    lines: Vec<Line>,
    line_at: usize,
    busiest: Option<Line>,
    read_at_ns: u64,
    complete_before: bool,
}

#[derive(Clone, Copy)]
struct Line {
    number: u32,
    count: u64,
    delta: u64,
}

const NO_ROW: u32 = u32::MAX;

/// What one turn came to.
enum Step {
    /// More is to come in the next tick.
    Unfinished,
    Finished,
    Failed(Availability),
    /// The CPUs are others.
    Changed,
}

impl Columns {
    /// Learns the columns from a first reading. `row_of` gives the row of a CPU.
    /// Returns the names of the wanted lines that there are, too.
    pub(super) fn open(
        file: KeptFile,
        source: Source,
        turn: Turn,
        wants: &'static [LineWant],
        first: &[u8],
        row_of: impl Fn(u32) -> Option<u32>,
    ) -> Option<(Self, Vec<bool>)> {
        let header_length = memchr(b'\n', first)? + 1;
        let header = &first[..header_length];
        let rows: Vec<u32> = header
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .map(|word| {
                let number = std::str::from_utf8(word).ok()?.strip_prefix("CPU")?.parse().ok()?;
                row_of(number)
            })
            .map(|row| row.unwrap_or(NO_ROW))
            .collect();
        if rows.is_empty() {
            return None;
        }
        let mut present = vec![false; wants.len()];
        for line in first[header_length..].split(|byte| *byte == b'\n') {
            if let Some(index) = label(line).and_then(|(name, _)| index_of(wants, name)) {
                present[index] = true;
            }
        }
        let devices = (source == Source::Interrupts).then(|| Devices::new(rows.len()));
        // A line is as wide as the first, and a description; a window holds four at least.
        let window = (4 * (header_length + 256)).max(8 * 1_024);
        Some((
            Self {
                file,
                source,
                turn,
                wants,
                header: header.into(),
                window: vec![0; window].into(),
                filled: 0,
                offset: 0,
                reading: false,
                sums: vec![0; wants.len() * rows.len()].into(),
                host_sums: vec![0; wants.len()].into(),
                seen: vec![false; wants.len()].into(),
                present: present.clone().into(),
                rows: rows.into(),
                devices,
                failed: false,
            },
            present,
        ))
    }

    /// Reads on when it is its turn. True when the CPUs are others than those learned.
    pub(super) fn sample(&mut self, tick: Tick, writer: &mut FrameWriter, firsts_left: &mut usize) -> bool {
        let due = self.turn.is_due(tick, firsts_left);
        if !self.reading {
            if !due {
                return false;
            }
            self.begin();
        }
        match self.read_on() {
            Step::Unfinished => false,
            Step::Finished => {
                self.reading = false;
                self.failed = false;
                self.publish(tick, writer);
                false
            }
            Step::Failed(availability) => {
                self.reading = false;
                self.fail(writer, availability);
                !std::mem::replace(&mut self.failed, true)
            }
            Step::Changed => {
                self.reading = false;
                self.fail(writer, Availability::Error);
                true
            }
        }
    }

    fn begin(&mut self) {
        self.reading = true;
        self.filled = 0;
        self.offset = 0;
        self.sums.fill(0);
        self.host_sums.fill(0);
        self.seen.fill(false);
        if let Some(devices) = &mut self.devices {
            devices.begin();
        }
    }

    fn read_on(&mut self) -> Step {
        for _ in 0..READS_PER_TICK_MAX {
            let read = if self.file.is_kept() {
                self.file.read_at(&mut self.window[self.filled..], self.offset)
            } else if self.offset == 0 {
                self.file.read_whole(&mut self.window[self.filled..])
            } else {
                Ok(0)
            };
            let length = match read {
                Ok(length) => length,
                Err(errno) => return Step::Failed(Availability::from_errno(errno)),
            };
            let at_start = self.offset == 0;
            self.offset += length;
            self.filled += length;
            if at_start && !self.window[..self.filled].starts_with(&self.header) {
                return if length == 0 { Step::Failed(Availability::Error) } else { Step::Changed };
            }
            if length == 0 {
                // A last line without its end was cut off.
                return if self.filled == 0 { Step::Finished } else { Step::Failed(Availability::Error) };
            }
            let mut from = if at_start { self.header.len() } else { 0 };
            while let Some(to) = memchr(b'\n', &self.window[from..self.filled]).map(|end| from + end) {
                self.line(from, to);
                from = to + 1;
            }
            self.window.copy_within(from..self.filled, 0);
            self.filled -= from;
            if self.filled == self.window.len() {
                return Step::Failed(Availability::Error);
            }
        }
        Step::Unfinished
    }

    fn line(&mut self, from: usize, to: usize) {
        let line = &self.window[from..to];
        let Some((name, mut at)) = label(line) else { return };
        let columns = self.rows.len();
        let number = decimal(name, &mut 0).filter(|_| name.iter().all(u8::is_ascii_digit));
        let wanted = index_of(self.wants, name);
        let mut count = 0;
        let mut sum: u64 = 0;
        while count < columns
            && let Some(value) = decimal(line, &mut at)
        {
            sum = sum.wrapping_add(value);
            if let Some(index) = wanted {
                self.sums[index * columns + count] = value;
            }
            if let Some(devices) = &mut self.devices {
                devices.total[count] = devices.total[count].wrapping_add(value);
                if number.is_some() {
                    devices.device[count] = devices.device[count].wrapping_add(value);
                }
            }
            count += 1;
        }
        if let Some(index) = wanted {
            self.host_sums[index] = sum;
            self.seen[index] = count > 0;
        }
        if let (Some(devices), Some(number)) = (&mut self.devices, number) {
            devices.line(u32::try_from(number).unwrap_or(u32::MAX), sum);
        }
    }

    fn publish(&mut self, tick: Tick, writer: &mut FrameWriter) {
        let columns = self.rows.len();
        for (column, row) in self.rows.iter().enumerate().filter(|(_, row)| **row != NO_ROW) {
            let mut row = writer.row(Scope::Cpu, *row);
            for (index, (_, metric, _)) in self.wants.iter().enumerate() {
                match (metric, self.seen[index], self.present[index]) {
                    (Some(metric), true, _) => row.set_u64(*metric, self.sums[index * columns + column]),
                    (Some(metric), false, true) => row.fail(*metric, Availability::Error),
                    _ => {}
                }
            }
            if let Some(devices) = &self.devices {
                row.set_u64(cpu::INTERRUPTS, devices.total[column]);
                row.set_u64(cpu::INTERRUPTS_DEVICE, devices.device[column]);
            }
            row.stamp(self.source, tick.mono_ns);
        }
        let Some(devices) = &mut self.devices else { return };
        let mut row = writer.row(Scope::Host, 0);
        for (index, (_, _, metric)) in self.wants.iter().enumerate() {
            match (metric, self.seen[index], self.present[index]) {
                (Some(metric), true, _) => row.set_u64(*metric, self.host_sums[index]),
                (Some(metric), false, true) => row.fail(*metric, Availability::Error),
                _ => {}
            }
        }
        row.set_u64(host::INTERRUPTS_DEVICE, devices.device.iter().fold(0, |a, b| a.wrapping_add(*b)));
        let (known, values) = devices.storm(tick.mono_ns);
        for (metric, value) in values {
            if known {
                row.set(metric, value);
            } else {
                row.fail(metric, Availability::Pending);
            }
        }
        row.stamp(self.source, tick.mono_ns);
    }

    fn fail(&mut self, writer: &mut FrameWriter, availability: Availability) {
        let [host_always, cpu_always] = Self::always(self.source);
        let present =
            || self.wants.iter().zip(&self.present).filter(|(_, present)| **present).map(|(want, _)| want);
        for row in self.rows.iter().filter(|row| **row != NO_ROW) {
            let mut row = writer.row(Scope::Cpu, *row);
            present().filter_map(|(_, metric, _)| *metric).for_each(|metric| row.fail(metric, availability));
            for metric in cpu_always {
                row.fail(*metric, availability);
            }
        }
        if let Some(devices) = &mut self.devices {
            devices.complete_before = false;
            let mut row = writer.row(Scope::Host, 0);
            present().filter_map(|(_, _, metric)| *metric).for_each(|metric| row.fail(metric, availability));
            for metric in host_always {
                row.fail(*metric, availability);
            }
        }
    }

    /// The metrics of the host and of each CPU that come from here whatever lines there are.
    pub(super) fn always(source: Source) -> [&'static [MetricId]; 2] {
        if source == Source::Interrupts {
            [
                &[
                    host::INTERRUPTS_DEVICE,
                    host::INTERRUPTS_CPU_SHARE,
                    host::INTERRUPTS_LINE_SHARE,
                    host::INTERRUPTS_LINE_BUSIEST,
                    host::INTERRUPTS_LINE_RATE,
                ],
                &[cpu::INTERRUPTS, cpu::INTERRUPTS_DEVICE],
            ]
        } else {
            [&[], &[]]
        }
    }

    pub(super) fn is_kept(&self) -> bool {
        self.file.is_kept()
    }
}

impl Devices {
    fn new(columns: usize) -> Self {
        Self {
            total: vec![0; columns].into(),
            device: vec![0; columns].into(),
            device_before: vec![0; columns].into(),
            lines: Vec::with_capacity(LINES_MAX),
            line_at: 0,
            busiest: None,
            read_at_ns: 0,
            complete_before: false,
        }
    }

    fn begin(&mut self) {
        self.total.fill(0);
        self.device_before.copy_from_slice(&self.device);
        self.device.fill(0);
        self.line_at = 0;
        self.busiest = None;
    }

    /// Follows one numbered line; lines keep their order, so that the one expected is the one that comes.
    fn line(&mut self, number: u32, count: u64) {
        let at = self.line_at;
        self.line_at += 1;
        match self.lines.get_mut(at) {
            Some(line) if line.number == number => {
                line.delta = count.saturating_sub(line.count);
                line.count = count;
            }
            Some(line) => *line = Line { number, count, delta: 0 },
            None if at < LINES_MAX => self.lines.push(Line { number, count, delta: 0 }),
            None => return,
        }
        let line = self.lines[at];
        if self.busiest.is_none_or(|busiest| line.delta > busiest.delta) {
            self.busiest = Some(line);
        }
    }

    /// How unevenly interrupts fell since the reading before; false after the first, which has none before it.
    fn storm(&mut self, now_ns: u64) -> (bool, [(MetricId, i64); 4]) {
        let elapsed_ns = now_ns.saturating_sub(self.read_at_ns);
        self.read_at_ns = now_ns;
        let deltas =
            self.device.iter().zip(&self.device_before).map(|(now, before)| now.saturating_sub(*before));
        let total: u128 = deltas.clone().map(u128::from).sum();
        let most = deltas.max().unwrap_or(0);
        let known = std::mem::replace(&mut self.complete_before, true);
        let busiest = self.busiest.filter(|_| known);
        let line = busiest.map_or(0, |line| line.delta);
        let rate = i128::from(line) * 1_000_000_000 / i128::from(elapsed_ns.max(1));
        let values = [
            (host::INTERRUPTS_CPU_SHARE, share_ppm(most, total)),
            (host::INTERRUPTS_LINE_SHARE, share_ppm(line, total)),
            (host::INTERRUPTS_LINE_BUSIEST, busiest.map_or(0, |line| i64::from(line.number))),
            (host::INTERRUPTS_LINE_RATE, i64::try_from(rate).unwrap_or(i64::MAX)),
        ];
        (known, values)
    }
}

fn share_ppm(part: u64, total: u128) -> i64 {
    let total = i128::try_from(total).unwrap_or(i128::MAX);
    if total == 0 { 0 } else { i64::try_from(i128::from(part) * WHOLE_PPM / total).unwrap_or(i64::MAX) }
}

/// A line's name, and where its numbers begin.
fn label(line: &[u8]) -> Option<(&[u8], usize)> {
    let colon = memchr(b':', line)?;
    Some((line[..colon].trim_ascii_start(), colon + 1))
}

fn index_of(wants: &[LineWant], name: &[u8]) -> Option<usize> {
    wants.iter().position(|(wanted, _, _)| wanted.as_bytes() == name)
}

/// The number after spaces, if one comes next; wraps where the kernel's own counter would.
fn decimal(line: &[u8], at: &mut usize) -> Option<u64> {
    while line.get(*at) == Some(&b' ') {
        *at += 1;
    }
    let from = *at;
    let mut value: u64 = 0;
    while let Some(digit) = line.get(*at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        *at += 1;
    }
    // "6-edge" and the like belong to the description.
    let ends = line.get(*at).is_none_or(|byte| *byte == b' ');
    (*at > from && ends).then_some(value)
}
