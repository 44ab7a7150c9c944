//! Goes round the VMs, one at a time, with what is too slow for a tick: their memory maps, open files, and the room for
//! their disks.
//!
//! A VM is not looked at more often than the slow rate says, two VMs never within a tenth of a second, and after one
//! that took long the next waits two hundred times as long: the rounds cost half a percent of a core at most. A VMM
//! that does not run is passed over, for it may hold the lock of its own memory map.

use crate::config::Config;
use crate::sampling::availability::Availability;
use crate::sampling::discovery::VmInfo;
use crate::sampling::frame::Frame;
use crate::sampling::metrics::{Source, vm};
use crate::sampling::vm::{Delivery, cold_readings};
use crate::sys::clock::thread_cpu_ns;
use std::sync::Arc;

/// The least time between two VMs.
const STEP_NS: u64 = 100_000_000;
/// How many times as long as a reading took, the next one waits.
const REST_FACTOR: u64 = 200;
/// `vm_state` of a VMM that runs.
const RUNNING: i64 = 1;
const SOURCES: [Source; 3] = [Source::Smaps, Source::Descriptors, Source::Filesystem];

/// Where the round is.
#[derive(Default)]
pub(super) struct Rounds {
    /// The row that comes next.
    next_row: u32,
    next_ns: u64,
    /// When this round's first VM had its turn.
    began_ns: Option<u64>,
}

impl Rounds {
    /// When the next VM's turn is.
    pub(super) const fn next_deadline_ns(&self) -> u64 {
        self.next_ns
    }

    /// Reads the VM whose turn it is, if one's is.
    pub(super) fn advance<'a>(
        &mut self,
        vms: impl Iterator<Item = &'a Arc<VmInfo>>,
        config: &Config,
        frame: &Frame,
        now_ns: u64,
    ) -> Option<Delivery> {
        if now_ns < self.next_ns {
            return None;
        }
        let began_ns = *self.began_ns.get_or_insert(now_ns);
        let next = vms.filter(|info| info.entity.row >= self.next_row).min_by_key(|info| info.entity.row);
        let Some(info) = next else {
            self.end(began_ns, config, frame, now_ns);
            return None;
        };
        self.next_ns = now_ns + STEP_NS;
        let state = frame.read(info.entity, vm::STATE);
        if state.availability == Availability::Pending {
            // Its first tick is still to come; without it nobody knows whether the VMM runs.
            return None;
        }
        self.next_row = info.entity.row + 1;
        if state.ok() != Some(RUNNING) {
            return None;
        }
        let before_ns = thread_cpu_ns();
        let delivery = cold_readings(info, config, now_ns);
        let cost_ns = thread_cpu_ns().saturating_sub(before_ns);
        self.next_ns = now_ns + STEP_NS.max(cost_ns.saturating_mul(REST_FACTOR));
        Some(delivery)
    }

    /// The next round begins when the slow rate allows; with many VMs a round takes longer than that, and values may
    /// grow as old.
    fn end(&mut self, began_ns: u64, config: &Config, frame: &Frame, now_ns: u64) {
        let interval_ns = u64::from(config.sampling.interval_ms.max(1)) * 1_000_000;
        let slow_ns = u64::from(config.sampling.period_ticks(Source::Smaps)) * interval_ns;
        for source in SOURCES {
            frame.set_period_ns(source, slow_ns.max(now_ns.saturating_sub(began_ns)));
        }
        *self = Self { next_row: 0, next_ns: now_ns.max(began_ns + slow_ns), began_ns: None };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Roots;
    use crate::sampling::discovery::VmmKind;
    use crate::sampling::frame::{Entity, FrameWriter, Tick};
    use crate::sampling::metrics::Scope;

    const SECOND_NS: u64 = 1_000_000_000;

    fn host(rows: u32) -> (tempfile::TempDir, Config, Vec<Arc<VmInfo>>, FrameWriter) {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { roots: Roots::below(folder.path()), ..Config::default() };
        let (mut writer, _) = Frame::new(&config.limits).unwrap();
        let infos = (0..rows).map(|row| {
            let process = config.roots.proc.join((row + 100).to_string());
            std::fs::create_dir_all(&process).unwrap();
            std::fs::write(process.join("smaps_rollup"), format!("0-1 ---p 0 [rollup]\nPss: {row} kB\n"))
                .unwrap();
            let tail = "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 77 ".to_owned() + &"0 ".repeat(30);
            std::fs::write(process.join("stat"), format!("{} (vm) S {tail}\n", row + 100)).unwrap();
            let entity = Entity { scope: Scope::Vm, row, generation: 1 };
            writer.open_row(entity);
            Arc::new(VmInfo {
                entity,
                vmm: VmmKind::Qemu,
                name: String::new(),
                uuid: [0; 16],
                tenant: String::new(),
                pid: i32::try_from(row + 100).unwrap(),
                start_ticks: 77,
                cgroup: String::new(),
                libvirt: false,
                vcpus: Vec::new(),
                other_threads: Vec::new(),
                nics: Vec::new(),
                disks: Vec::new(),
                monitor: None,
                metrics_file: None,
                debugfs_name: None,
                sources: Vec::new(),
            })
        });
        let infos = infos.collect();
        (folder, config, infos, writer)
    }

    fn state(writer: &mut FrameWriter, row: u32, state: i64) {
        let mut writing = writer.row(Scope::Vm, row);
        writing.set(vm::STATE, state);
        writing.stamp(Source::TaskStat, 1);
        drop(writing);
        writer.finish(Tick { number: 1, mono_ns: 1, wall_ns: 0 });
    }

    #[test]
    fn every_vm_has_its_turn_and_none_too_often() {
        let (_folder, config, infos, mut writer) = host(3);
        (0..3).for_each(|row| state(&mut writer, row, RUNNING));
        state(&mut writer, 1, 2);
        let mut rounds = Rounds::default();
        let mut seen = Vec::new();
        for now_ns in (SECOND_NS..22 * SECOND_NS).step_by(50_000_000) {
            if let Some(delivery) = rounds.advance(infos.iter(), &config, writer.frame(), now_ns) {
                let row = delivery.vm.unwrap().row;
                let pss = delivery.values.iter().find(|(_, metric, _)| *metric == vm::MEMORY_PROPORTIONAL);
                assert_eq!(pss.unwrap().2, Ok(i64::from(row) * 1_024));
                seen.push((row, now_ns));
            }
        }
        let rows: Vec<u32> = seen.iter().map(|(row, _)| *row).collect();
        assert_eq!(rows, [0, 2, 0, 2, 0, 2], "the stopped one is passed over");
        for pair in seen.windows(2) {
            assert!(pair[1].1 - pair[0].1 >= STEP_NS);
        }
        assert!(seen[2].1 - seen[0].1 >= 10 * SECOND_NS);
    }

    #[test]
    fn a_vm_is_waited_for_until_its_first_tick() {
        let (_folder, config, infos, mut writer) = host(1);
        let mut rounds = Rounds::default();
        assert_eq!(rounds.advance(infos.iter(), &config, writer.frame(), SECOND_NS), None);
        state(&mut writer, 0, RUNNING);
        let later_ns = rounds.next_deadline_ns();
        assert!(rounds.advance(infos.iter(), &config, writer.frame(), later_ns).is_some());
    }

    #[test]
    fn an_empty_host_is_looked_at_at_the_slow_rate() {
        let (_folder, config, _, writer) = host(0);
        let mut rounds = Rounds::default();
        assert_eq!(rounds.advance([].iter(), &config, writer.frame(), SECOND_NS), None);
        assert_eq!(rounds.next_deadline_ns(), 11 * SECOND_NS);
    }
}
