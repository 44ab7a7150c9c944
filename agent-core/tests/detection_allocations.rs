//! Detection and the alert ring allocate nothing and free nothing once they are built: with VMs that come and go,
//! alerts that fire and resolve, limits that are reached and rules that are replaced.

use bartizan_core::alerts::ring;
use bartizan_core::config::Config;
use bartizan_core::detection::Detector;
use bartizan_core::sampling::frame::{Entity, Frame, Tick};
use bartizan_core::sampling::metrics::{Kind, Scope, Source};
use bartizan_core::sampling::roster::Roster;
use bartizan_core::sampling::vm::VmIdentity;
use bartizan_testkit::alloc::{CountingAllocator, count};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const LIMITS: &str = "\
[limits]\nvms = 32\nvcpus = 64\nvm_nics = 32\nvm_disks = 32\ncpus = 8\nnodes = 2\nblock_devices = 4\nnet_devices = 4\n\
alerts = 64\n[alerts]\nper_rule_per_minute_max = 3\n[[rules]]\nname = \"any-move\"\nkind = \"change\"\n\
metric = \"vm_threads\"\nwithin_s = 5\nabove = 0\n";

/// `xorshift64*`: the same happenings every time.
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % bound
    }
}

#[test]
fn two_thousand_stormy_ticks_allocate_nothing_and_free_nothing() {
    let config = Config::from_toml(LIMITS, None).unwrap_or_else(|error| panic!("{error}"));
    let (mut writer, frame) = Frame::new(&config.limits).expect("memory");
    for source in Source::ALL {
        frame.set_period_ns(source, 1_000_000_000);
    }
    let mut detector = Detector::build(&config).expect("builds");
    let mut other = Detector::build(&Config { rules: Vec::new(), ..config.clone() }).expect("builds");
    let roster = Roster::new(&config.limits);
    let (mut sink, reader) = ring(config.limits.alerts as usize).expect("ring");
    let mut tick = Tick { number: 0, mono_ns: 1_000_000_000, wall_ns: 0 };
    let mut noise = Noise(7);
    let mut generations = [[0u32; 64]; Scope::ALL.len()];
    let identity = VmIdentity { pid: 1, ..VmIdentity::default() };
    let mut delivered = 0u64;

    let ((), counts) = count(|| {
        for _ in 0..2_000 {
            tick = Tick {
                number: tick.number + 1,
                mono_ns: tick.mono_ns + 1_000_000_000,
                wall_ns: tick.wall_ns + 1,
            };
            for scope in Scope::ALL {
                let rows = u32::try_from(config.limits.rows(scope)).expect("fits");
                for row in 0..rows {
                    let entity = |generation| Entity { scope, row, generation };
                    let generation = &mut generations[scope.index()][row as usize];
                    if !matches!(scope, Scope::Host | Scope::Agent)
                        && (*generation == 0 || noise.below(50) == 0)
                    {
                        if scope == Scope::Vm && *generation > 0 {
                            detector.vm_left(entity(*generation), &identity, true, tick, &roster, &mut sink);
                            detector.vm_entered(&identity, tick, &mut sink);
                        }
                        *generation += 1;
                        writer.open_row(entity(*generation));
                    }
                    let mut cells = writer.row(scope, row);
                    for metric in scope.metrics() {
                        let size =
                            [1, 100, 1_000_000_000, 1 << 40][usize::try_from(noise.below(4)).expect("fits")];
                        let value = i64::try_from(noise.below(size)).expect("fits");
                        let value = if metric.kind == Kind::Counter && noise.below(20) > 0 {
                            value + i64::try_from(tick.mono_ns).expect("fits")
                        } else {
                            value
                        };
                        cells.set(metric.id, value);
                        cells.stamp(metric.source, tick.mono_ns);
                    }
                }
            }
            writer.finish(tick);
            detector.evaluate(tick, &frame, &roster, &mut sink);
            if tick.number.is_multiple_of(500) {
                std::mem::swap(&mut detector, &mut other);
                detector.take_over(&mut other, tick, &roster, &mut sink);
            }
            while reader.next().is_some() {
                delivered += 1;
                if delivered.is_multiple_of(100) {
                    break;
                }
            }
        }
    });

    assert!(counts.is_zero(), "{counts:?}");
    let accounting = reader.accounting();
    assert!(accounting.balances());
    assert!(delivered > 100 && accounting.suppressed > 100, "nothing happened: {accounting:?}");
    assert!(detector.counter_resets() > 0);
}
