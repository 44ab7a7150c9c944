//! Files that hold one number each, many of a kind: thermal zones, throttle counters, energy counters, memory
//! controllers. They are read a few a tick, round and round.

use crate::sampling::availability::Availability;
use crate::sampling::frame::{FrameWriter, Tick};
use crate::sampling::metrics::{MetricId, Scope, Source};
use crate::sampling::parse::{Form, parse_number};
use crate::sys::file::KeptFile;

/// The longest number there is, and a line's end.
const BUFFER_BYTES: usize = 32;

/// What the host's metric is made of the files' numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Combine {
    /// The greatest.
    Max,
    /// The sum of those that count.
    Sum,
    /// The sum of what each grew by: they wrap at a limit of their own.
    Unwrapped,
}

/// One file of a kind.
pub(super) struct Scalar {
    pub(super) file: KeptFile,
    /// Its own place in the frame, if it has one.
    pub(super) place: Option<(Scope, u32, MetricId)>,
    /// Whether it counts for the host: of two hyperthreads that show the same counter, one does.
    pub(super) counts: bool,
    /// Where it starts again from 0 ([`Combine::Unwrapped`]).
    pub(super) range: i64,
    last: Option<i64>,
    grown: i64,
    failure: Option<Availability>,
}

impl Scalar {
    pub(super) fn new(file: KeptFile) -> Self {
        Self { file, place: None, counts: true, range: i64::MAX, last: None, grown: 0, failure: None }
    }
}

/// All files of a kind.
pub(super) struct Scalars {
    source: Source,
    metric: MetricId,
    combine: Combine,
    files: Box<[Scalar]>,
    per_tick: usize,
    next: usize,
    /// What [`Combine::Unwrapped`] had come to in the plan before.
    carried: i64,
}

impl Scalars {
    /// Reads every file once in `period_ticks`.
    pub(super) fn new(
        source: Source,
        metric: MetricId,
        combine: Combine,
        files: Vec<Scalar>,
        period_ticks: u32,
    ) -> Self {
        let per_tick = files.len().div_ceil(usize::try_from(period_ticks.max(1)).unwrap_or(1)).max(1);
        Self { source, metric, combine, files: files.into(), per_tick, next: 0, carried: 0 }
    }

    /// Goes on counting where the plan before left off.
    pub(super) fn take_over(&mut self, before: &Self) {
        if self.combine == Combine::Unwrapped && self.metric == before.metric {
            self.carried = before.total().unwrap_or(before.carried);
        }
    }

    pub(super) fn metric(&self) -> MetricId {
        self.metric
    }

    pub(super) fn descriptors(&self) -> usize {
        self.files.iter().filter(|scalar| scalar.file.is_kept()).count()
    }

    /// Reads the next few; publishes the host's metric when it has been round.
    pub(super) fn sample(&mut self, tick: Tick, writer: &mut FrameWriter) {
        for _ in 0..self.per_tick {
            let Some(scalar) = self.files.get_mut(self.next) else { break };
            let read = scalar.read();
            if let Some((scope, row, metric)) = scalar.place {
                let mut row = writer.row(scope, row);
                match read {
                    Ok(value) => row.set(metric, value),
                    Err(availability) => row.fail(metric, availability),
                }
                row.stamp(self.source, tick.mono_ns);
            }
            self.next += 1;
        }
        if self.next < self.files.len() {
            return;
        }
        self.next = 0;
        let mut row = writer.row(Scope::Host, 0);
        match self.total() {
            Ok(total) => {
                row.set(self.metric, total);
                row.stamp(self.source, tick.mono_ns);
            }
            Err(availability) => row.fail(self.metric, availability),
        }
    }

    /// The host's value. A sum with a part missing is no sum; a maximum is one of what could be read.
    fn total(&self) -> Result<i64, Availability> {
        let mut total: Option<i64> = None;
        let mut failure = None;
        for scalar in self.files.iter().filter(|scalar| scalar.counts) {
            if let Some(availability) = scalar.failure {
                failure = Some(availability);
                continue;
            }
            let Some(last) = scalar.last else { continue };
            let next = match (self.combine, total) {
                (Combine::Max, None) => Some(last),
                (Combine::Max, Some(total)) => Some(total.max(last)),
                (Combine::Sum, total) => total.unwrap_or(0).checked_add(last),
                (Combine::Unwrapped, total) => total.unwrap_or(self.carried).checked_add(scalar.grown),
            };
            total = Some(next.ok_or(Availability::Error)?);
        }
        match (total, failure) {
            (Some(total), None) => Ok(total),
            (Some(total), Some(_)) if self.combine == Combine::Max => Ok(total),
            (_, failure) => Err(failure.unwrap_or(Availability::Error)),
        }
    }
}

impl Scalar {
    fn read(&mut self) -> Result<i64, Availability> {
        let mut buffer = [0; BUFFER_BYTES];
        let value = match self.file.read_whole(&mut buffer) {
            Err(errno) => Err(Availability::from_errno(errno)),
            Ok(length) => parse_number(&buffer[..length], Form::Integer)
                .filter(|number| buffer[number.end..length].iter().all(u8::is_ascii_whitespace))
                .and_then(|number| number.value)
                .ok_or(Availability::Error),
        };
        self.failure = value.err();
        if let Ok(value) = value {
            let before = self.last.replace(value);
            let growth = before.map_or(0, |before| {
                if value >= before {
                    value - before
                } else {
                    self.range.saturating_sub(before).saturating_add(value)
                }
            });
            self.grown = self.grown.saturating_add(growth);
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::sampling::frame::{Entity, Frame};
    use crate::sampling::metrics::host;
    use std::path::Path;

    fn scalars(folder: &Path, metric: MetricId, combine: Combine, numbers: &[&str]) -> Scalars {
        let files = numbers.iter().enumerate().map(|(index, number)| {
            let path = folder.join(index.to_string());
            std::fs::write(&path, number).expect("write");
            let mut scalar = Scalar::new(KeptFile::open(&path).expect("open"));
            scalar.range = 1_000;
            scalar
        });
        Scalars::new(metric.metric().source, metric, combine, files.collect(), 1)
    }

    #[test]
    fn sums_maxima_and_counters_that_wrap() {
        let folder = tempfile::tempdir().expect("folder");
        let limits =
            Limits { vms: 1, vcpus: 1, vm_nics: 1, vm_disks: 1, net_devices: 1, ..Limits::default() };
        let (mut writer, frame) = Frame::new(&limits).expect("frame");
        let tick = Tick { number: 1, mono_ns: 1, wall_ns: 1 };
        let read = |metric| frame.read(Entity::HOST, metric);
        frame.set_period_ns(Source::Thermal, u64::MAX);
        frame.set_period_ns(Source::Rapl, u64::MAX);

        scalars(folder.path(), host::TEMPERATURE, Combine::Max, &["-5\n", "41000\n", "x\n"])
            .sample(tick, &mut writer);
        assert_eq!(read(host::TEMPERATURE).ok(), Some(41_000));

        let mut sum = scalars(folder.path(), host::CORE_THROTTLES, Combine::Sum, &["3\n", "4\n"]);
        sum.sample(tick, &mut writer);
        assert_eq!(read(host::CORE_THROTTLES).ok(), Some(7));
        std::fs::write(folder.path().join("1"), "garbage").expect("write");
        sum.sample(tick, &mut writer);
        assert_eq!(read(host::CORE_THROTTLES).availability, Availability::Error, "no sum without a part");

        let mut energy = scalars(folder.path(), host::ENERGY_PACKAGES, Combine::Unwrapped, &["900\n", "5\n"]);
        energy.sample(tick, &mut writer);
        assert_eq!(read(host::ENERGY_PACKAGES).ok(), Some(0));
        std::fs::write(folder.path().join("0"), "100\n").expect("write");
        energy.sample(tick, &mut writer);
        assert_eq!(read(host::ENERGY_PACKAGES).ok(), Some(200), "wrapped at 1,000");
        let mut next = scalars(folder.path(), host::ENERGY_PACKAGES, Combine::Unwrapped, &["7\n", "5\n"]);
        next.take_over(&energy);
        next.sample(tick, &mut writer);
        assert_eq!(read(host::ENERGY_PACKAGES).ok(), Some(200), "goes on where the plan before left off");
    }
}
