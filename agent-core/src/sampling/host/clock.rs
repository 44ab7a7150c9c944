//! The clock source in use, and jumps of the wall clock.

use super::schedule::Turn;
use crate::sampling::availability::Availability;
use crate::sampling::frame::{FrameWriter, Tick};
use crate::sampling::metrics::{Scope, Source, host};
use crate::sys::file::KeptFile;

/// How far the wall clock may drift from the monotonic one between two ticks before it counts as a step. NTP slews
/// by at most 500 ppm: 30 ms in the longest period there is.
const STEP_NS_MIN: i128 = 100_000_000;

/// What has been seen; goes from plan to plan.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    offset_ns: Option<i128>,
    steps: u64,
    step_last_ns: i64,
    source: Option<[u8; NAME_BYTES]>,
    changes: u64,
}

const NAME_BYTES: usize = 32;

/// See the module's documentation.
pub(super) struct ClockWatch {
    file: Result<KeptFile, Availability>,
    turn: Turn,
    seen: Seen,
}

impl ClockWatch {
    pub(super) fn new(file: Result<KeptFile, Availability>, turn: Turn) -> Self {
        Self { file, turn, seen: Seen::default() }
    }

    pub(super) fn take_over(&mut self, before: &Self) {
        self.seen = before.seen;
    }

    pub(super) fn descriptors(&self) -> usize {
        usize::from(self.file.as_ref().is_ok_and(KeptFile::is_kept))
    }

    pub(super) fn sample(&mut self, tick: Tick, writer: &mut FrameWriter, firsts_left: &mut usize) {
        self.notice_step(tick);
        let source = self.turn.is_due(tick, firsts_left).then(|| self.read_source());
        let mut row = writer.row(Scope::Host, 0);
        row.set_u64(host::CLOCK_STEPS, self.seen.steps);
        row.set(host::CLOCK_STEP_LAST, self.seen.step_last_ns);
        match source {
            Some(Ok(number)) => {
                row.set(host::CLOCK_SOURCE, number);
                row.set_u64(host::CLOCK_SOURCE_CHANGES, self.seen.changes);
            }
            Some(Err(availability)) => {
                row.fail(host::CLOCK_SOURCE, availability);
                row.fail(host::CLOCK_SOURCE_CHANGES, availability);
            }
            None => {}
        }
        row.stamp(Source::Clock, tick.mono_ns);
    }

    fn notice_step(&mut self, tick: Tick) {
        let offset_ns = i128::from(tick.wall_ns) - i128::from(tick.mono_ns);
        if let Some(before_ns) = self.seen.offset_ns.replace(offset_ns) {
            let step_ns = offset_ns - before_ns;
            if step_ns.abs() >= STEP_NS_MIN {
                self.seen.steps += 1;
                self.seen.step_last_ns =
                    i64::try_from(step_ns).unwrap_or(if step_ns > 0 { i64::MAX } else { i64::MIN });
            }
        }
    }

    fn read_source(&mut self) -> Result<i64, Availability> {
        let file = self.file.as_ref().map_err(|availability| *availability)?;
        let mut name = [0; NAME_BYTES];
        let length = file.read_whole(&mut name).map_err(Availability::from_errno)?;
        let text = name[..length].trim_ascii_end();
        if text.is_empty() {
            return Err(Availability::Error);
        }
        let number = number_of(text);
        if self.seen.source.replace(name).is_some_and(|before| before != name) {
            self.seen.changes += 1;
        }
        Ok(number)
    }
}

/// The number of a clock source, as the metric's help lists them.
fn number_of(name: &[u8]) -> i64 {
    match name {
        b"tsc" => 1,
        b"kvm-clock" => 2,
        b"hpet" => 3,
        b"acpi_pm" => 4,
        b"arch_sys_counter" => 7,
        b"jiffies" => 8,
        name if name.starts_with(b"hyperv") => 5,
        name if name.starts_with(b"xen") => 6,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::sampling::frame::{Entity, Frame};

    #[test]
    fn steps_and_changes_are_counted_and_slewing_is_not() {
        let file = tempfile::NamedTempFile::new().expect("file");
        std::fs::write(file.path(), "tsc\n").expect("write");
        let limits =
            Limits { vms: 1, vcpus: 1, vm_nics: 1, vm_disks: 1, net_devices: 1, ..Limits::default() };
        let (mut writer, frame) = Frame::new(&limits).expect("frame");
        frame.set_period_ns(Source::Clock, u64::MAX);
        let kept = KeptFile::open(file.path()).map_err(Availability::from_errno);
        let mut watch = ClockWatch::new(kept, Turn::new(1, 0));
        let mut at = |number: u64, wall_ns: i64| {
            watch.sample(Tick { number, mono_ns: number * 1_000_000_000, wall_ns }, &mut writer, &mut 0);
            let read = |metric| frame.read(Entity::HOST, metric).ok().expect("read");
            [host::CLOCK_STEPS, host::CLOCK_STEP_LAST, host::CLOCK_SOURCE, host::CLOCK_SOURCE_CHANGES]
                .map(read)
        };
        assert_eq!(at(1, 5_000_000_000), [0, 0, 1, 0]);
        assert_eq!(at(2, 6_000_400_000), [0, 0, 1, 0], "400 ppm is NTP at work");
        assert_eq!(at(3, 3_000_400_000), [1, -4_000_000_000, 1, 0]);
        std::fs::write(file.path(), "hpet\n").expect("write");
        assert_eq!(at(4, 4_000_400_000), [1, -4_000_000_000, 3, 1]);
    }
}
