use super::*;
use crate::config::Limits;
use crate::sampling::frame::Frame;
use proptest::prelude::*;

const HEADING: &str =
    "Inter-|   Receive                |  Transmit\n face |bytes    packets errs|bytes packets\n";

fn tick(number: u64) -> Tick {
    Tick { number, mono_ns: number * 1_000_000_000, wall_ns: 0 }
}

fn entity(row: u32) -> Entity {
    Entity { scope: Scope::VmNet, row, generation: 1 }
}

fn device(name: &str, first: u64) -> String {
    let numbers: Vec<_> = (first..first + 16).map(|number| number.to_string()).collect();
    format!("{name:>6}: {}\n", numbers.join("  "))
}

struct Host {
    folder: tempfile::TempDir,
    config: Config,
    writer: FrameWriter,
}

impl Host {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            roots: Roots::below(folder.path()),
            limits: Limits { vm_nics: 600, ..Limits::default() },
            ..Config::default()
        };
        let (mut writer, _) = Frame::new(&config.limits).unwrap();
        (0..600).for_each(|row| writer.open_row(entity(row)));
        std::fs::create_dir_all(folder.path().join("proc/net")).unwrap();
        let host = Self { folder, config, writer };
        host.write(text);
        host
    }

    fn write(&self, text: &str) {
        std::fs::write(self.folder.path().join("proc/net/dev"), text).unwrap();
    }

    fn value(&self, row: u32, metric: MetricId) -> Result<i64, Availability> {
        let reading = self.writer.frame().read(entity(row), metric);
        reading.ok().ok_or(reading.availability)
    }
}

#[test]
fn directions_are_the_hosts() {
    let mut host = Host::new(&format!("{HEADING}{}{}", device("lo", 500), device("tap0", 100)));
    let mut sweep = TapSweep::open(&host.config);
    sweep.enter(&[TapRow::new("tap0", entity(3)).unwrap()]);
    sweep.sample(tick(1), &mut host.writer);
    assert_eq!(host.value(3, vmnet::RECEIVE), Ok(100));
    assert_eq!(host.value(3, vmnet::RECEIVE_DROPS), Ok(103));
    assert_eq!(host.value(3, vmnet::RECEIVE_MULTICAST), Ok(107));
    assert_eq!(host.value(3, vmnet::TRANSMIT), Ok(108));
    assert_eq!(host.value(3, vmnet::TRANSMIT_CARRIER_ERRORS), Ok(114));
    assert_eq!(host.value(2, vmnet::RECEIVE), Err(Availability::Pending));
}

#[test]
fn a_tap_that_went_away_is_gone_and_comes_back() {
    let mut host = Host::new(&format!("{HEADING}{}", device("tap0", 100)));
    let mut sweep = TapSweep::open(&host.config);
    let tap = TapRow::new("tap0", entity(0)).unwrap();
    sweep.enter(&[tap]);
    sweep.sample(tick(1), &mut host.writer);
    host.write(HEADING);
    sweep.sample(tick(2), &mut host.writer);
    assert_eq!(host.value(0, vmnet::RECEIVE), Err(Availability::Gone));
    host.write(&format!("{HEADING}{}", device("tap0", 7)));
    sweep.sample(tick(3), &mut host.writer);
    assert_eq!(host.value(0, vmnet::RECEIVE), Ok(7));
    sweep.leave(&[tap]);
    host.write(&format!("{HEADING}{}", device("tap0", 9)));
    sweep.sample(tick(4), &mut host.writer);
    assert_eq!(host.value(0, vmnet::RECEIVE), Ok(7), "nobody watches it");
}

#[test]
fn lines_that_span_two_reads_are_whole() {
    let mut text = HEADING.to_owned();
    for index in 0..500u32 {
        text.push_str(&device(&format!("tap{index}"), u64::from(index) * 1_000_000_007));
    }
    let mut host = Host::new(&text);
    let mut sweep = TapSweep::open(&host.config);
    assert!(text.len() > 3 * CHUNK_BYTES);
    let taps: Vec<_> =
        (0..500u32).map(|index| TapRow::new(&format!("tap{index}"), entity(index)).unwrap()).collect();
    sweep.enter(&taps);
    sweep.sample(tick(1), &mut host.writer);
    for index in 0..500u32 {
        assert_eq!(host.value(index, vmnet::RECEIVE), Ok(i64::from(index) * 1_000_000_007));
    }
}

#[test]
fn a_file_that_is_no_list_of_devices_gives_no_values() {
    for text in [
        String::new(),
        "x".repeat(3 * CHUNK_BYTES),
        "tap0: 1 2 3\n".to_owned(),
        device("tap0", 1).replace('\n', ""),
    ] {
        let mut host = Host::new(&text);
        let mut sweep = TapSweep::open(&host.config);
        sweep.enter(&[TapRow::new("tap0", entity(0)).unwrap()]);
        sweep.sample(tick(1), &mut host.writer);
        assert!(host.value(0, vmnet::RECEIVE).is_err());
    }
}

#[test]
fn more_taps_than_declared_are_not_watched_and_nothing_grows() {
    let host = Host::new(HEADING);
    let mut sweep = TapSweep::open(&host.config);
    let capacity = sweep.taps.capacity();
    for index in 0..2_000 {
        sweep.enter(&[TapRow::new(&format!("t{index}"), entity(0)).unwrap()]);
    }
    assert_eq!(sweep.taps.capacity(), capacity);
    assert!(TapRow::new("", entity(0)).is_none());
    assert!(TapRow::new("sixteen-bytes-xx", entity(0)).is_none());
}

proptest! {
    #[test]
    fn every_line_is_read_back(name in "[a-z][a-z0-9.@-]{0,14}", numbers: [u32; COLUMNS]) {
        let numbers = numbers.map(u64::from);
        let text = numbers.map(|number| number.to_string()).join(" ");
        let line = format!(" {name}: {text}");
        prop_assert_eq!(Line::parse(line.as_bytes()), Some(Line { name: name.as_bytes(), numbers }));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let _ = Line::parse(&bytes);
    }
}
