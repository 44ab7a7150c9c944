//! How often alarms come by themselves, over simulated weeks of series that are heavy in their tails, depend on their
//! past, on the hour and on each other; and that planted faults are found among them.
//!
//! Without optimisation only a part of it is run: `cargo test --profile simulation -p bartizan-core --lib rates`.

use super::harness::{Host, SECOND_NS, config, identity, vm};
use crate::alerts::{Alert, AlertState};
use crate::config::Config;
use crate::sampling::metrics::{MetricId, Source, vm as of_vm};

/// Four kinds of series a VM, of any metrics that are gauges.
const SIGNS: [(&str, MetricId); 4] = [
    ("vm_threads", of_vm::THREADS),
    ("vm_open_files", of_vm::OPEN_FILES),
    ("vm_memory_resident_bytes", of_vm::MEMORY_RESIDENT),
    ("vm_memory_virtual_bytes", of_vm::MEMORY_VIRTUAL),
];
const STEP_NS: u64 = 10 * SECOND_NS;
const STEPS_PER_WEEK: u32 = 60_480;
const STEPS_PER_DAY: u32 = 8_640;

/// `xorshift64*`.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = u32::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32).unwrap_or(0);
        (f64::from(bits) + 0.5) / 4_294_967_296.0
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Student's t with three degrees of freedom: its fourth moment is infinite.
    fn heavy(&mut self) -> f64 {
        let chi_square: f64 = (0..3).map(|_| self.normal().powi(2)).sum();
        self.normal() / (chi_square / 3.0).sqrt()
    }
}

/// What a VM does: its load is shared by all its series.
#[derive(Clone, Copy)]
struct Guest {
    load: f64,
    drift: f64,
    burst: u32,
    idle: u32,
}

struct World {
    host: Host,
    random: Random,
    guests: Vec<Guest>,
    step: u32,
}

impl World {
    fn new(vms: u32, per_week: f64, seed: u64) -> Self {
        let rules = SIGNS.iter().fold(String::new(), |rules, (metric, _)| {
            let name = metric.replace('_', "-");
            rules + &format!("[[rules]]\nname = \"{name}\"\nkind = \"unusual\"\nmetric = \"{metric}\"\n")
        });
        let mut config: Config = config(&format!(
            "{rules}[[rules]]\nname = \"vm-unusual\"\nkind = \"unusual-together\"\nabout = \"vm\"\n\
             [[rules]]\nname = \"host-unusual\"\nkind = \"unusual-together\"\nabout = \"host\"\n"
        ));
        config.sampling.interval_ms = 10_000;
        config.limits.vms = vms;
        config.limits.series = vms * 4;
        config.detection.false_alarms_per_host_week = per_week;
        let mut host = Host::with(&config);
        for source in Source::ALL {
            host.writer.frame().set_period_ns(source, STEP_NS);
        }
        for row in 0..vms {
            let identity = identity(&format!("web-{row}"), 100);
            host.writer.open_row(vm(row, 1));
            host.detector.vm_entered(&identity, host.tick, &mut host.sink);
            host.roster.enter(vm(row, 1), identity, std::iter::empty());
        }
        let guest = Guest { load: 0.0, drift: 0.0, burst: 0, idle: 0 };
        Self { host, random: Random(seed), guests: vec![guest; vms as usize], step: 0 }
    }

    /// Ten seconds pass. `fault` adds to the load of a VM.
    fn step(&mut self, fault: impl Fn(usize) -> f64) -> Vec<Alert> {
        self.host.pass_ns(STEP_NS);
        self.step += 1;
        let day = f64::from(self.step % STEPS_PER_DAY) / f64::from(STEPS_PER_DAY);
        let hour = (std::f64::consts::TAU * day).sin();
        for (index, guest) in self.guests.iter_mut().enumerate() {
            let random = &mut self.random;
            guest.load = 0.9 * guest.load + random.heavy();
            guest.drift = 0.9995 * guest.drift + 0.05 * random.normal();
            let begins = random.uniform() < 1.0 / 700.0;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 60")]
            let length = 3 + (random.uniform() * 60.0) as u32;
            guest.burst = if begins { length } else { guest.burst.saturating_sub(1) };
            guest.idle = guest.idle.saturating_sub(1);
            let off = fault(index);
            let busy = f64::from(u8::from(guest.burst > 0));
            let values = [
                // Heavy tails, autocorrelated, with a day.
                100.0 + 10.0 * hour + 2.0 * guest.load + off,
                // Multiplicative, sharing the load.
                (4.0 + 0.3 * hour + 0.1 * guest.load + 0.1 * random.normal() + 0.05 * off).exp(),
                // Zero but in bursts.
                busy * (50.0 + 20.0 * random.normal().abs()) + 4.0 * off,
                // A random walk that hardly returns.
                200.0 + 10.0 * guest.drift + random.normal() + off,
            ];
            for ((_, metric), value) in SIGNS.iter().zip(values) {
                #[expect(clippy::cast_possible_truncation, reason = "clamped far below")]
                let value = (value.clamp(-1e9, 1e9) * 1e6) as i64;
                self.host.set(u32::try_from(index).expect("few"), *metric, value);
            }
        }
        let alerts = self.host.judge();
        alerts.into_iter().filter(|alert| alert.state == AlertState::Firing).collect()
    }
}

/// Alarms in so many weeks, of which `warm_up` are not counted, with faults planted now and then: those that came by
/// themselves, and how many faults were found of how many.
fn run(
    vms: u32,
    per_week: f64,
    steps: std::ops::Range<u32>,
    every: u32,
    size: f64,
    seed: u64,
) -> (u32, u32, u32) {
    const LASTS: u32 = 60;
    const ECHO: u32 = 180;
    let mut world = World::new(vms, per_week, seed);
    let (mut by_themselves, mut found, mut planted) = (0, 0, 0);
    let mut open = None;
    for step in 0..steps.end {
        if every > 0 && step >= steps.start && step % every == 0 {
            planted += 1;
            open = Some((((step / every) % vms) as usize, step));
        }
        let at = open.filter(|(_, begun)| step < begun + LASTS);
        for alert in world.step(|vm| if at.is_some_and(|(at, _)| at == vm) { size } else { 0.0 }) {
            let of_fault = open.filter(|(at, begun)| alert.entity.row as usize == *at && step < begun + ECHO);
            match of_fault {
                Some((_, begun)) if step < begun + LASTS => found += 1,
                // The end of a fault is a change as well.
                Some(_) => {}
                None => by_themselves += u32::from(step >= steps.start),
            }
        }
    }
    (by_themselves, found, planted)
}

/// One alarm more or less is luck; half as many again as are tolerated is not.
#[test]
fn alarms_keep_to_the_budget_and_faults_are_found() {
    const PER_WEEK: f64 = 10.0;
    let (by_themselves, found, planted) =
        run(3, PER_WEEK, 2 * STEPS_PER_DAY..STEPS_PER_WEEK, STEPS_PER_DAY / 2 + 61, 200.0, 3);
    assert!(f64::from(by_themselves) <= 1.5 * PER_WEEK * 5.0 / 7.0, "{by_themselves} in five days");
    assert!(planted >= 9 && found * 5 >= planted * 4, "{found} of {planted}");
}
