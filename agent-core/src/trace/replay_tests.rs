use super::*;
use crate::engine::build;
use crate::sys::clock::Clock;
use crate::trace::framing::{write, write_file_head};
use crate::trace::record::{Cell, sample};
use crate::trace::{Captured, Recorder};

/// What a frame holds, in a form that can be compared.
fn rows(frame: &Frame) -> Vec<(Scope, u32, crate::sampling::frame::RawRow)> {
    let mut rows = Vec::new();
    for scope in Scope::ALL {
        for entity in frame.entities(scope) {
            let mut row = crate::sampling::frame::RawRow::default();
            assert!(frame.copy_row(scope, entity.row, &mut row));
            rows.push((scope, entity.row, row));
        }
    }
    rows
}

#[test]
fn a_replayed_frame_is_the_recorded_one_tick_by_tick() {
    let (mut sampler, mut planner, reader) = build(Config::default(), Clock::System).unwrap();
    let mut recorder = Recorder::new(Vec::new(), reader.clone(), Some("here".into())).unwrap();
    let mut frames = Vec::new();
    for number in 1..=5 {
        planner.maintain();
        sampler.tick();
        assert_eq!(recorder.capture().unwrap(), Captured::Tick { number, missed: 0 });
        frames.push((reader.tick(), rows(reader.frame())));
    }
    assert_eq!(recorder.capture().unwrap(), Captured::Nothing);
    let trace = recorder.finish().unwrap();

    let mut replay = Replay::new(trace.as_slice(), None).unwrap();
    assert_eq!(replay.header().host.as_deref(), Some("here"));
    for (tick, wanted) in frames {
        assert_eq!(replay.next_tick().unwrap(), Some(tick));
        assert_eq!(rows(replay.frame()), wanted);
    }
    assert_eq!(replay.next_tick().unwrap(), None);
    let replayed = super::replay(trace.as_slice(), None).unwrap();
    assert!(replayed.is_exact(), "{replayed:?}");
    assert_eq!(replayed.ticks, 5);
}

#[test]
fn missed_ticks_are_counted_in_the_trace_and_in_the_replay() {
    let (mut sampler, _planner, reader) = build(Config::default(), Clock::System).unwrap();
    let mut recorder = Recorder::new(Vec::new(), reader, None).unwrap();
    sampler.tick();
    recorder.capture().unwrap();
    for _ in 0..3 {
        sampler.tick();
    }
    assert_eq!(recorder.capture().unwrap(), Captured::Tick { number: 4, missed: 2 });
    assert_eq!(recorder.written().0.ticks_missed, 2);
    let replayed = super::replay(recorder.finish().unwrap().as_slice(), None).unwrap();
    assert_eq!((replayed.ticks, replayed.ticks_missed), (2, 2));
    assert!(!replayed.is_exact());
}

#[test]
fn a_writer_that_fails_ends_the_recording() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (mut sampler, _planner, reader) = build(Config::default(), Clock::System).unwrap();
    assert!(Recorder::new(Full(10), reader.clone(), None).is_err());
    let (_, header_bytes) = Recorder::new(Vec::new(), reader.clone(), None).unwrap().written();
    let room = usize::try_from(header_bytes).unwrap() + 4_000;
    let mut recorder = Recorder::new(Full(room), reader, None).unwrap();
    let error = (0..100_000).find_map(|_| {
        sampler.tick();
        recorder.capture().err()
    });
    assert!(error.unwrap().to_string().contains("could not be written"));
    assert!(recorder.capture().unwrap_err().to_string().contains("failed before"));
}

fn trace_of(deltas: &[Delta], vms: &[VmRecord]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_file_head(&mut bytes).unwrap();
    let mut header = sample::header();
    header.metrics.push("vm_threads".into());
    write(&mut bytes, &header).unwrap();
    for vm in vms {
        write(&mut bytes, vm).unwrap();
    }
    for delta in deltas {
        write(&mut bytes, delta).unwrap();
    }
    bytes
}

#[test]
fn metrics_that_are_no_longer_known_are_named_and_passed_over() {
    let replayed = super::replay(trace_of(&[sample::delta()], &[]).as_slice(), None).unwrap();
    assert_eq!(replayed.metrics_unknown, ["no_longer_known"]);
    assert_eq!(replayed.tail, Tail::Open);
    assert!(!replayed.is_exact());
    let trace = trace_of(&[sample::delta()], &[]);
    let mut replay = Replay::new(trace.as_slice(), None).unwrap();
    replay.next_tick().unwrap();
    let metric = MetricId::by_name("host_cpu_user_seconds").unwrap();
    assert_eq!(replay.frame().read(Entity::HOST, metric).value, 77);
}

#[test]
fn a_trace_that_does_not_fit_the_limits_says_so() {
    let row = RowDelta { scope: Scope::Vm as u8, row: 9, generation: 1, ..RowDelta::default() };
    let trace = trace_of(&[Delta { tick: 1, rows: vec![row], ..Delta::default() }], &[]);
    let mut config = Config::default();
    config.limits.vms = 4;
    let error = super::replay(trace.as_slice(), Some(&config)).unwrap_err();
    assert!(error.to_string().contains("row 9"), "{error}");
    assert!(super::replay(trace.as_slice(), None).is_ok());
}

#[test]
fn nonsense_with_a_good_checksum_is_refused() {
    let row = |scope: Scope, metric| RowDelta {
        scope: scope as u8,
        row: 0,
        generation: 1,
        cells: vec![Cell { metric, value: 1, availability: 1 }],
        stamps: vec![(200, 1)],
    };
    for (what, rows) in [
        ("another scope", vec![row(Scope::Vm, 0)]),
        ("does not", vec![row(Scope::Host, 99)]),
        ("does not exist", vec![RowDelta { scope: 77, ..RowDelta::default() }]),
    ] {
        let trace = trace_of(&[Delta { tick: 1, rows, ..Delta::default() }], &[]);
        let error = super::replay(trace.as_slice(), None).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    }
    let backwards = [Delta { tick: 2, ..Delta::default() }, Delta { tick: 1, ..Delta::default() }];
    assert!(super::replay(trace_of(&backwards, &[]).as_slice(), None).is_err());
}

#[test]
fn the_roster_follows_the_rows() {
    let entity = |scope: Scope, row, generation| EntityRecord { scope: scope as u8, row, generation };
    let vm = |name: &str, row, generation| VmRecord {
        entity: entity(Scope::Vm, row, generation),
        vmm: 1,
        name: name.into(),
        uuid: [7; 16],
        tenant: "acme".into(),
        pid: 9,
        start_ticks: 1,
        parts: vec![(entity(Scope::Vcpu, 7, generation), "0".into())],
    };
    let row = |row, generation| RowDelta { scope: Scope::Vm as u8, row, generation, ..RowDelta::default() };
    // The second VM takes over a vCPU row of the first, in the tick in which the first ends.
    let event = |what, row, generation| VmEvent { what: what as u8, row, generation };
    let first = Delta {
        tick: 1,
        events: vec![event(What::Entered, 3, 1)],
        rows: vec![row(3, 1)],
        ..Delta::default()
    };
    let second = Delta {
        tick: 2,
        events: vec![event(What::Entered, 2, 2), event(What::Exited, 3, 1)],
        rows: vec![row(2, 2), row(3, 0)],
        ..Delta::default()
    };
    let trace = trace_of(&[first, second], &[vm("one", 3, 1), vm("two", 2, 2)]);
    let mut replay = Replay::new(trace.as_slice(), None).unwrap();
    let vcpu = Entity { scope: Scope::Vcpu, row: 7, generation: 1 };
    let owner =
        |replay: &Replay<&[u8]>| replay.roster.vm_of(vcpu).map(|(_, identity)| identity.name.to_string());
    replay.next_tick().unwrap();
    assert_eq!(owner(&replay).as_deref(), Some("one"));
    replay.next_tick().unwrap();
    assert_eq!(owner(&replay).as_deref(), Some("two"));
    assert_eq!(replay.frame().entity(Scope::Vm, 3), None);
}
