//! Alerts through the intake of incidents, on one core: known or new, held back or not, grouped, recorded (encoded, as
//! the ledger gets it), told. In three sizes, to show that the cost of one does not grow with their number, and with
//! what it takes in memory.

use bartizan_benches::is_quick;
use bartizan_benches::report::{Goal, Report, Row};
use bartizan_core::alerts::Severity;
use bartizan_core::incidents::{Condition, Evidence, Incidents, Outside, Policy, Resource, Signal, Source};
use bartizan_core::sys::clock::thread_cpu_ns;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const SECOND: i64 = 1_000_000_000;

/// Bytes in use.
struct Counting;
static IN_USE: AtomicU64 = AtomicU64::new(0);

#[expect(unsafe_code, reason = "an allocator is unsafe by nature; this one only counts what System does")]
// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size() as u64, Relaxed);
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size() as u64, Relaxed);
        // SAFETY: the pointer came from `alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Takes every record, and keeps none.
#[derive(Default)]
struct Sink {
    records: u64,
    bytes: u64,
}

impl Outside for Sink {
    fn record(&mut self, _: &str, payload: &[u8]) -> Result<(), String> {
        self.records += 1;
        self.bytes += payload.len() as u64;
        Ok(())
    }

    fn evidence(&mut self, condition: &Condition) -> Vec<Evidence> {
        vec![Evidence::text(condition.cause.as_str(), "bench", "x".repeat(256))]
    }
}

/// A whole number that is the same in every run.
fn noise(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// As many signals of distinct keys, of VMs with ten conditions each.
fn signals(keys: u32) -> Vec<Signal> {
    let one = |key: u32| {
        let vm = key / 10;
        let condition = Condition {
            source: Source::Alert,
            detector: if key.is_multiple_of(10) { "vm-exit-storm" } else { "vcpu-wait" }.to_owned(),
            resource: Resource {
                vm: format!("{vm:08x}-0000-4000-8000-000000000000"),
                name: format!("vm-{vm}"),
                tenant: format!("tenant-{}", vm % 100),
            },
            part: format!("vcpu {}", key % 10),
            cause: if key.is_multiple_of(10) { "vm_kvm_exits" } else { "vcpu_wait_seconds" }.to_owned(),
        };
        Signal::new(condition, true, Severity::Warning, "vm: vCPU wait 43 % for 10 s (limit 20 %)")
    };
    (0..keys).map(one).collect()
}

struct Run {
    ns_each: f64,
    bytes: u64,
    records: u64,
    recorded_bytes: u64,
}

fn run(signals: &mut [Signal], count: u32) -> Run {
    let before = IN_USE.load(Relaxed);
    let mut sink = Sink::default();
    let mut incidents = Incidents::new();
    let policy =
        Policy { incidents_max: 16_384, rate_per_minute: 100_000, rate_burst: 100_000, ..Policy::default() };
    let mut now_ns = 1_700_000_000 * SECOND;
    incidents.begin(policy, now_ns, &mut sink).expect("a sink takes everything");
    let mut state = 0x9E37_79B9_7F4A_7C15;
    let keys = signals.len() as u64;
    let began = thread_cpu_ns();
    for number in 0..count {
        let draw = noise(&mut state);
        let at = usize::try_from(draw % keys).unwrap_or(0);
        // One in ten says that it is over.
        signals[at].is_firing = draw >> 40 & 0xff > 25;
        incidents.offer(&signals[at], now_ns, &mut sink);
        if number % 10_000 == 0 {
            now_ns += SECOND;
            incidents.tick(now_ns, &mut sink);
        }
    }
    let ns = thread_cpu_ns() - began;
    assert!(incidents.accounts().balances(), "{:?}", incidents.accounts());
    assert!(incidents.accounts().produced >= u64::from(count), "every one is in the accounts");
    let bytes = IN_USE.load(Relaxed).saturating_sub(before);
    let float = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    Run {
        ns_each: float(ns / 1_000) * 1_000.0 / f64::from(count),
        bytes,
        records: sink.records,
        recorded_bytes: sink.bytes,
    }
}

fn main() {
    let mut report =
        Report::new("incidents: alerts through dedup, grouping, inhibition, damping, rate and record");
    let sizes: &[(u32, u32)] = if is_quick() {
        &[(5_000, 100_000)]
    } else {
        &[(12_500, 250_000), (50_000, 1_000_000), (50_000, 4_000_000)]
    };
    for (keys, count) in sizes {
        let mut signals = signals(*keys);
        let mut runs: Vec<Run> = (0..3).map(|_| run(&mut signals, *count)).collect();
        runs.sort_by(|a, b| a.ns_each.total_cmp(&b.ns_each));
        let median = &runs[1];
        let rate = 1e9 / median.ns_each;
        report.push(Row {
            name: format!("{count} alerts, {keys} keys"),
            mode: "hot".into(),
            value: median.ns_each,
            unit: "ns",
            ratio: Some((rate / 1e6, "million alerts/s")),
            goal: Goal::AtLeast(1.0),
        });
        report.remark(format!(
            "{count} alerts, {keys} keys: {} MiB in use at the end, {} records of {} bytes on average",
            median.bytes >> 20,
            median.records,
            median.recorded_bytes / median.records.max(1)
        ));
    }
    report.finish("incidents");
}
