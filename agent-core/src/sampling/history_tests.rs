use super::*;
use crate::sampling::frame::FrameWriter;
use crate::sampling::metrics::{Source, agent};
use std::sync::atomic::AtomicBool;

const VM: Entity = Entity { scope: Scope::Vm, row: 1, generation: 7 };

fn limits(history_ticks: u32) -> Limits {
    Limits { vms: 4, vcpus: 4, history_ticks, ..Limits::default() }
}

struct World {
    writer: FrameWriter,
    recorder: HistoryWriter,
    history: Arc<History>,
}

impl World {
    fn new(history_ticks: u32) -> Self {
        let (writer, frame) = Frame::new(&limits(history_ticks)).unwrap();
        for source in Source::ALL {
            frame.set_period_ns(source, 1_000);
        }
        let (recorder, history) = History::new(&limits(history_ticks)).unwrap();
        Self { writer, recorder, history }
    }

    /// One tick in which the VM's thread count is the tick's number times ten.
    fn tick(&mut self, number: u64, entity: Entity) {
        let tick = tick(number);
        if entity.scope == Scope::Vm {
            let mut row = self.writer.row(Scope::Vm, entity.row);
            row.set_u64(vm::THREADS, number * 10);
            row.stamp(Source::TaskStat, tick.mono_ns);
        }
        self.writer.finish(tick);
        self.recorder.begin(tick);
        self.recorder.record(number, self.writer.frame(), entity);
    }

    fn threads(&self, entity: Entity, room: usize) -> Vec<(u64, i64)> {
        let mut points = vec![HistoryPoint::default(); room];
        let count = self.history.read(entity, vm::THREADS, &mut points);
        points[..count].iter().map(|point| (point.tick.number, point.value)).collect()
    }
}

fn tick(number: u64) -> Tick {
    Tick { number, mono_ns: number * 1_000, wall_ns: i64::try_from(number).unwrap() * 1_000 + 5 }
}

#[test]
fn the_newest_points_come_oldest_first_with_the_times_of_their_ticks() {
    let mut world = World::new(4);
    world.writer.open_row(VM);
    for number in 1..=6 {
        world.tick(number, VM);
    }
    assert_eq!(world.threads(VM, 10), [(3, 30), (4, 40), (5, 50), (6, 60)]);
    assert_eq!(world.threads(VM, 2), [(5, 50), (6, 60)]);
    assert_eq!(world.threads(VM, 0), []);
    let mut points = [HistoryPoint::default(); 1];
    assert_eq!(world.history.read(VM, vm::THREADS, &mut points), 1);
    assert_eq!(points[0].tick, tick(6));
    assert_eq!(points[0].availability, Availability::Ok);
}

#[test]
fn what_was_not_available_says_so_and_never_zero() {
    let mut world = World::new(8);
    world.writer.open_row(VM);
    world.writer.row(Scope::Vm, VM.row).fail(vm::KVM_EXITS, Availability::Denied);
    world.writer.row(Scope::Vm, VM.row).set(vm::MEMORY_RESIDENT, i64::MIN);
    world.tick(1, VM);
    let mut points = [HistoryPoint::default(); 8];
    for (metric, value, availability) in [
        (vm::KVM_EXITS, 0, Availability::Denied),
        (vm::STATE, 0, Availability::Pending),
        (vm::MEMORY_RESIDENT, VALUE_MIN, Availability::Ok),
    ] {
        assert_eq!(world.history.read(VM, metric, &mut points), 1);
        assert_eq!((points[0].value, points[0].availability), (value, availability), "{metric:?}");
    }
}

#[test]
fn a_stale_value_is_recorded_as_stale() {
    let mut world = World::new(8);
    world.writer.open_row(VM);
    world.tick(1, VM);
    world.writer.finish(tick(9));
    world.recorder.begin(tick(9));
    world.recorder.record(9, world.writer.frame(), VM);
    let mut points = [HistoryPoint::default(); 8];
    assert_eq!(world.history.read(VM, vm::THREADS, &mut points), 1);
    assert_eq!(points[0].availability, Availability::Stale);
}

#[test]
fn a_dead_vm_stays_readable_until_its_ticks_fall_out_of_the_window() {
    let mut world = World::new(4);
    world.writer.open_row(VM);
    world.tick(1, VM);
    world.tick(2, VM);
    world.writer.close_row(VM);
    world.tick(3, Entity::AGENT);
    world.tick(4, Entity::AGENT);
    assert_eq!(world.threads(VM, 9), [(1, 10), (2, 20)]);
    world.tick(5, Entity::AGENT);
    assert_eq!(world.threads(VM, 9), [(2, 20)]);
    world.tick(6, Entity::AGENT);
    assert_eq!(world.threads(VM, 9), []);
}

#[test]
fn a_row_that_is_used_again_shows_nothing_of_its_former_owner() {
    let mut world = World::new(8);
    world.writer.open_row(VM);
    world.tick(1, VM);
    world.tick(2, VM);
    world.writer.close_row(VM);
    let next = Entity { generation: 8, ..VM };
    world.writer.open_row(next);
    world.tick(3, next);
    assert_eq!(world.threads(next, 9), [(3, 30)]);
    assert_eq!(world.threads(VM, 9), []);
}

#[test]
fn what_is_not_kept_or_outside_the_limits_reads_as_nothing() {
    let mut world = World::new(4);
    world.tick(1, Entity::HOST);
    let mut points = [HistoryPoint::default(); 4];
    assert_eq!(world.history.read(Entity { row: 99, ..VM }, vm::THREADS, &mut points), 0);
    assert_eq!(world.history.read(VM, agent::TICKS, &mut points), 0);
    assert_eq!(world.history.read(Entity { scope: Scope::Cpu, ..VM }, vm::THREADS, &mut points), 0);
    let mut off = World::new(0);
    off.tick(1, Entity::HOST);
    assert_eq!(off.history.read(Entity::HOST, Scope::Host.metrics()[0].id, &mut points), 0);
}

#[test]
fn what_is_reserved_is_what_is_told_beforehand() {
    let limits = limits(16);
    let (_, history) = History::new(&limits).unwrap();
    let sections: usize = history
        .sections
        .iter()
        .map(|section| section.cells.len() * 8 + section.sequence.len() * ROW_BYTES)
        .sum();
    assert_eq!(sections + 16 * STAMP_BYTES, History::bytes(&limits));
}

#[test]
fn readers_beside_the_writer_see_whole_windows_only() {
    let mut world = World::new(16);
    world.writer.open_row(VM);
    world.tick(1, VM);
    let history = Arc::clone(&world.history);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut points = [HistoryPoint::default(); 16];
            let mut seen = 0u64;
            while !stop.load(Relaxed) {
                let count = history.read(VM, vm::THREADS, &mut points);
                for point in &points[..count] {
                    assert_eq!(point.tick, tick(point.tick.number));
                    assert_eq!(point.value, i64::try_from(point.tick.number * 10).unwrap());
                }
                assert!(points[..count].is_sorted_by_key(|point| point.tick.number));
                seen += u64::from(count > 0);
            }
            seen
        });
        for number in 2..20_000 {
            world.tick(number, VM);
        }
        stop.store(true, Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}

#[test]
fn what_the_documentation_says_of_memory_is_so() {
    let bytes = |scope| bytes_per_row(scope, Limits::default().history_ticks);
    assert_eq!(bytes(Scope::Vm), 120 * 16 * 8 + ROW_BYTES);
    assert_eq!(bytes(Scope::Vcpu), 120 * 3 * 8 + ROW_BYTES);
    assert_eq!([bytes(Scope::VmNet), bytes(Scope::VmDisk)], [120 * 2 * 8 + ROW_BYTES; 2]);
}
