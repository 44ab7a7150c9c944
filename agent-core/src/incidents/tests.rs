//! The life of incidents, signal by signal; and what holds whatever happens.

use super::*;
use crate::alerts::Severity;
use proptest::prelude::*;

const SECOND: i64 = 1_000_000_000;

/// A ledger in memory that can be told to refuse.
#[derive(Default)]
struct World {
    records: Vec<(String, Vec<u8>)>,
    notices: Vec<Notice>,
    refuses: bool,
    evidence: Vec<Evidence>,
}

impl Outside for World {
    fn record(&mut self, tenant: &str, payload: &[u8]) -> Result<(), String> {
        if self.refuses {
            return Err("the queue is full".to_owned());
        }
        self.records.push((tenant.to_owned(), payload.to_vec()));
        if let Ok(Event::Told { notice }) = Event::decode(payload) {
            self.notices.push(*notice);
        }
        Ok(())
    }

    fn evidence(&mut self, _: &Condition) -> Vec<Evidence> {
        self.evidence.clone()
    }
}

/// Incidents, their world, and the time.
struct Desk {
    incidents: Incidents,
    world: World,
    now_ns: i64,
}

impl Desk {
    fn new(policy: Policy) -> Self {
        let mut desk =
            Self { incidents: Incidents::new(), world: World::default(), now_ns: 1_000_000 * SECOND };
        desk.incidents.begin(policy, desk.now_ns, &mut desk.world).unwrap();
        desk
    }

    fn offer(&mut self, signal: &Signal) {
        self.incidents.offer(signal, self.now_ns, &mut self.world);
        assert!(self.incidents.accounts().balances(), "{:?}", self.incidents.accounts());
    }

    /// Time passes, and what it brings happens.
    fn pass(&mut self, seconds: i64) -> Vec<Notice> {
        self.now_ns += seconds * SECOND;
        self.incidents.tick(self.now_ns, &mut self.world);
        assert!(self.incidents.accounts().balances());
        std::mem::take(&mut self.world.notices)
    }

    fn step(&mut self, id: u64, step: Step, note: &str) -> Result<(), Refused> {
        self.incidents.step(id, step, "ops", note, self.now_ns, &mut self.world)
    }

    fn replayed(&self) -> Incidents {
        let mut again = Incidents::new();
        for (_, payload) in &self.world.records {
            again.replay(payload).unwrap();
        }
        again
    }
}

fn condition(detector: &str, vm: &str, part: &str) -> Condition {
    let resource =
        Resource { vm: vm.into(), name: vm.into(), tenant: if vm.is_empty() { "" } else { "acme" }.into() };
    Condition {
        source: Source::Alert,
        detector: detector.into(),
        resource,
        part: part.into(),
        cause: "vcpu_wait_seconds".into(),
    }
}

fn signal(detector: &str, vm: &str, part: &str, is_firing: bool) -> Signal {
    let word = if is_firing { "waits" } else { "no longer waits" };
    Signal::new(condition(detector, vm, part), is_firing, Severity::Warning, &format!("{vm} {part} {word}"))
}

fn policy() -> Policy {
    Policy { wait_ns: 10 * SECOND, ..Policy::default() }
}

fn closure() -> Closure {
    let text = |text: &str| text.to_owned();
    Closure {
        verdict: Verdict::TruePositive,
        root_cause: text("a noisy neighbour"),
        response: text("throttled it"),
        outcome: text("waiting is gone"),
    }
}

fn whats(notices: &[Notice]) -> Vec<Vec<&'static str>> {
    notices.iter().map(|notice| notice.changes.all().map(What::name).collect()).collect()
}

#[test]
fn what_belongs_together_is_one_incident_told_once() {
    let mut desk = Desk::new(policy());
    for part in ["vcpu 0", "vcpu 1", "vcpu 2"] {
        desk.offer(&signal("vcpu-wait", "web-1", part, true));
    }
    desk.offer(&signal("vcpu-wait", "web-2", "vcpu 0", true));
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", true));
    assert!(desk.pass(9).is_empty(), "it is gathered first");
    let notices = desk.pass(1);
    assert_eq!(whats(&notices), [vec!["opened", "changed"], vec!["opened"]]);
    assert_eq!((notices[0].members.len(), notices[0].count, notices[0].number), (3, 4, 1));
    assert_eq!(notices[0].resource.name, "web-1");
    let accounts = desk.incidents.accounts();
    assert_eq!((accounts.produced, accounts.delivered), (5, 4));
    assert_eq!(accounts.suppressed.deduplicated, 1);
    assert_eq!(desk.world.records[1].0, "acme", "in its tenant's log");

    for part in ["vcpu 0", "vcpu 1"] {
        desk.offer(&signal("vcpu-wait", "web-1", part, false));
    }
    let notices = desk.pass(10);
    assert_eq!(whats(&notices), [["changed"]], "one of three still waits");
    assert!(notices[0].is_firing());
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 2", false));
    let notices = desk.pass(10);
    assert_eq!(whats(&notices), [["changed", "over"]]);
    assert_eq!(
        (notices[0].is_firing(), notices[0].state),
        (false, State::Open),
        "that is for somebody to say"
    );
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 2", true));
    assert_eq!(whats(&desk.pass(10)), [["again"]]);
    assert_eq!(desk.incidents.all().count(), 2);
}

#[test]
fn a_critical_one_is_told_at_once_and_one_that_gets_worse_too() {
    let mut desk = Desk::new(policy());
    let mut first = signal("vcpu-starved", "web-1", "vcpu 0", true);
    desk.offer(&first);
    first.severity = Severity::Critical;
    desk.offer(&first);
    let notices = desk.pass(0);
    assert_eq!(whats(&notices), [["opened", "changed"]]);
    assert_eq!(notices[0].severity, Severity::Critical);
}

#[test]
fn from_first_sign_to_closed_and_back() {
    let mut desk = Desk::new(policy());
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", true));
    let refused = desk.step(1, Step::Contain, "x").unwrap_err();
    assert!(refused.to_string().contains("it is open"), "{refused}");
    assert_eq!(desk.step(7, Step::Acknowledge, ""), Err(Refused::NoIncident(7)));
    desk.step(1, Step::Acknowledge, "").unwrap();
    assert_eq!(whats(&desk.pass(0)), [["opened", "acknowledged"]], "who acts is told at once");
    desk.step(1, Step::Contain, "throttled web-9").unwrap();
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", false));
    desk.step(1, Step::Recover, "waiting is below the limit").unwrap();
    desk.pass(60);
    desk.step(1, Step::Close(closure()), "").unwrap();
    let notices = desk.pass(0);
    assert_eq!(whats(&notices), [["closed"]]);
    assert_eq!((notices[0].closure.as_ref(), notices[0].by.as_str()), (Some(&closure()), "ops"));

    // The same comes again: another incident, and the closed one cannot be opened beside it.
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", true));
    assert_eq!(desk.incidents.get(2).map(|incident| incident.state), Some(State::Open));
    assert_eq!(desk.step(1, Step::Reopen, "not over"), Err(Refused::Superseded { by: 2 }));
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", false));
    for (step, note) in [(Step::Acknowledge, ""), (Step::Contain, "x"), (Step::Recover, "x")] {
        desk.step(2, step, note).unwrap();
    }
    // It holds again before it was closed: it was not recovered.
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", true));
    let second = desk.incidents.get(2).unwrap();
    assert_eq!((second.state, second.reopened, second.by.as_str()), (State::Open, 1, "bartizan"));
}

#[test]
fn what_comes_and_goes_is_told_to_flap_once_and_calms_down() {
    let mut desk = Desk::new(policy());
    let mut told = Vec::new();
    for _ in 0..20 {
        desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", true));
        told.extend(desk.pass(10));
        desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", false));
        told.extend(desk.pass(10));
    }
    let flapping = told.iter().filter(|notice| notice.changes.has(What::Flapping)).count();
    assert_eq!(flapping, 1, "{:?}", whats(&told));
    assert!(told.len() < 8, "{:?}", whats(&told));
    assert!(desk.incidents.accounts().suppressed.flapping > 25);
    assert!(told.last().unwrap().is_firing(), "as long as it flaps it is not over");
    let calm = desk.pass(3_600);
    assert_eq!(whats(&calm), Vec::<Vec<&str>>::new(), "what calmed is gathered");
    let calm = desk.pass(10);
    assert_eq!(whats(&calm), [["changed", "over"]]);
    // Hysteresis: between the two limits it stays what it was.
    let (high, low) = (desk.incidents.policy().flap_high, desk.incidents.policy().flap_low);
    assert!(low < high);
}

#[test]
fn a_sign_of_the_host_holds_back_its_vms() {
    let mut desk = Desk::new(policy());
    // Just before: it is gathered, and what came behind it explains it.
    desk.offer(&signal("vcpu-wait", "web-0", "vcpu 0", true));
    let mut host = signal("host-pressure-cpu", "", "", true);
    host.condition.cause = "host_pressure_cpu_some_seconds".into();
    desk.offer(&host);
    for number in 1..50 {
        desk.offer(&signal("vcpu-wait", &format!("web-{number}"), "vcpu 0", true));
    }
    let mut traced = signal("vm-traced", "web-1", "", true);
    traced.condition.cause = "vm_traced".into();
    desk.offer(&traced);
    let notices = desk.pass(10);
    let detectors: Vec<_> = notices.iter().map(|notice| notice.detector.as_str()).collect();
    assert_eq!(detectors, ["host-pressure-cpu", "vm-traced"]);
    assert_eq!(desk.incidents.accounts().suppressed.inhibited, 49);
    desk.offer(&signal("vcpu-wait", "web-0", "vcpu 0", false));
    desk.pass(10);
    assert_eq!(desk.incidents.accounts().suppressed.inhibited, 51, "over, and never told");
    desk.offer(&signal("vcpu-wait", "web-2", "vcpu 0", false));

    host.is_firing = false;
    desk.offer(&host);
    desk.pass(0);
    let notices = desk.pass(10);
    let vms = notices.iter().filter(|notice| notice.detector == "vcpu-wait").count();
    assert_eq!(vms, 48, "what still holds is told now");
}

#[test]
fn a_silence_holds_back_until_its_end() {
    let mut desk = Desk::new(policy());
    let matcher = Matcher { vm: "web-*".into(), ..Matcher::default() };
    let new = NewSilence {
        matcher,
        until_ns: desk.now_ns + 60 * SECOND,
        by: "ops".into(),
        reason: "maintenance".into(),
    };
    for (wrong, part) in [
        (NewSilence { reason: String::new(), ..new.clone() }, "reason"),
        (NewSilence { by: " ".into(), ..new.clone() }, "who"),
        (NewSilence { until_ns: desk.now_ns, ..new.clone() }, "before it begins"),
        (NewSilence { until_ns: i64::MAX, ..new.clone() }, "366 days"),
        (
            NewSilence { matcher: Matcher { vm: "*".into(), ..Matcher::default() }, ..new.clone() },
            "everything",
        ),
    ] {
        let refused = desk.incidents.silence(wrong, desk.now_ns, &mut desk.world).unwrap_err();
        assert!(refused.to_string().contains(part), "{refused}");
    }
    let id = desk.incidents.silence(new.clone(), desk.now_ns, &mut desk.world).unwrap();
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", true));
    desk.offer(&signal("vcpu-wait", "db", "vcpu 0", true));
    assert_eq!(desk.pass(10).len(), 1, "only the other");
    assert_eq!(desk.incidents.accounts().suppressed.silenced, 1);
    desk.pass(50);
    assert_eq!(desk.incidents.silences().count(), 0, "its time came");
    assert_eq!(whats(&desk.pass(10)), [["opened"]], "and it still holds");

    let until_ns = desk.now_ns + 60 * SECOND;
    let second =
        desk.incidents.silence(NewSilence { until_ns, ..new }, desk.now_ns, &mut desk.world).unwrap();
    assert!(second > id, "numbers are not used again");
    desk.incidents.end_silence(second, "ops", desk.now_ns, &mut desk.world).unwrap();
    assert_eq!(
        desk.incidents.end_silence(second, "ops", desk.now_ns, &mut desk.world),
        Err(Refused::NoSilence(second))
    );
}

#[test]
fn too_many_of_one_tenant_wait_and_no_other_tenant_does() {
    let mut desk = Desk::new(Policy { rate_per_minute: 60, rate_burst: 5, ..policy() });
    for number in 0..20 {
        desk.offer(&signal("vcpu-wait", &format!("web-{number}"), "vcpu 0", true));
    }
    let mut other = signal("vcpu-wait", "other", "vcpu 0", true);
    other.condition.resource.tenant = "umbrella".into();
    desk.offer(&other);
    assert_eq!(desk.incidents.accounts().suppressed.rate_limited, 15);
    assert_eq!(desk.pass(10).len(), 6);
    // Each second one more is let go; none is lost.
    let mut told = 0;
    for _ in 0..40 {
        told += desk.pass(1).len();
    }
    assert_eq!(told, 15);
    assert_eq!(desk.incidents.accounts().in_flight, 0);
}

#[test]
fn what_has_no_room_is_dropped_and_counted() {
    let mut desk = Desk::new(Policy { keys_max: 3, incidents_max: 2, ..policy() });
    for number in 0..5 {
        desk.offer(&signal("vcpu-wait", &format!("web-{number}"), "vcpu 0", true));
    }
    assert_eq!(desk.incidents.accounts().dropped, 3, "two incidents, and three more signals");
    desk.offer(&signal("vcpu-wait", "web-0", "vcpu 0", false));
    for (step, note) in
        [(Step::Acknowledge, ""), (Step::Contain, "x"), (Step::Recover, "x"), (Step::Close(closure()), "")]
    {
        desk.step(1, step, note).unwrap();
    }
    desk.pass(10);
    desk.offer(&signal("vcpu-wait", "web-7", "vcpu 0", true));
    assert!(desk.incidents.get(1).is_none() && desk.incidents.get(3).is_some(), "the closed one made room");
    assert_eq!(desk.incidents.replay_equals(&desk.replayed()), Ok(()));
}

#[test]
fn what_ended_while_the_agent_was_down_is_over() {
    let mut desk = Desk::new(policy());
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", true));
    desk.offer(&signal("vcpu-wait", "web-2", "vcpu 0", true));
    assert_eq!(desk.pass(10).len(), 2);
    // Killed here; the records are what is left.
    desk.incidents = desk.replayed();
    desk.incidents.begin(policy(), desk.now_ns, &mut desk.world).unwrap();
    desk.offer(&signal("vcpu-wait", "web-2", "vcpu 0", true));
    desk.incidents.reconcile(Source::Finding, desk.now_ns, &mut desk.world);
    assert!(desk.pass(10).is_empty(), "alerts have their own time");
    desk.incidents.reconcile(Source::Alert, desk.now_ns, &mut desk.world);
    let notices = desk.pass(10);
    assert_eq!(whats(&notices), [["changed", "over"]]);
    assert_eq!(notices[0].resource.name, "web-1");
    assert!(notices[0].message.contains("not seen again after a restart"), "{}", notices[0].message);
    desk.incidents.reconcile(Source::Alert, desk.now_ns, &mut desk.world);
    assert!(desk.pass(10).is_empty(), "once");
}

#[test]
fn where_the_records_are_gone_a_new_beginning_uses_no_number_again() {
    let mut desk = Desk::new(policy());
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", true));
    // The first record is gone.
    desk.world.records.remove(0);
    let mut again = Incidents::new();
    desk.world.records.remove(0);
    desk.incidents = Incidents::new();
    desk.incidents.begin_afresh(77, policy(), desk.now_ns, &mut desk.world).unwrap();
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", true));
    assert!(desk.incidents.get(78).is_some());
    for (_, payload) in &desk.world.records {
        again.replay(payload).unwrap();
    }
    assert_eq!(desk.incidents.replay_equals(&again), Ok(()));
}

#[test]
fn nobody_took_it_on_and_it_is_over_so_it_is_closed_for_want_of_data() {
    let mut desk = Desk::new(Policy { close_after_ns: 3_600 * SECOND, ..policy() });
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", true));
    desk.pass(7_200);
    assert_eq!(desk.incidents.get(1).unwrap().state, State::Open, "it still holds");
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", false));
    desk.pass(3_590);
    assert_eq!(desk.incidents.get(1).unwrap().state, State::Open);
    let notices = desk.pass(10);
    let closed = notices[0].closure.as_ref().unwrap();
    assert_eq!((notices[0].state, closed.verdict), (State::Closed, Verdict::InsufficientData));
}

#[test]
fn without_a_record_nothing_happens_and_what_was_lost_is_counted() {
    let mut desk = Desk::new(policy());
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", true));
    desk.world.refuses = true;
    desk.offer(&signal("vcpu-wait", "web-2", "vcpu 0", true));
    assert!(matches!(desk.step(1, Step::Acknowledge, ""), Err(Refused::NotRecorded(_))));
    assert!(desk.pass(20).is_empty());
    assert_eq!(desk.incidents.get(1).unwrap().state, State::Open);
    assert_eq!(desk.incidents.accounts().dropped, 1);
    desk.world.refuses = false;
    assert_eq!(desk.pass(0).len(), 1, "what was due is told as soon as it can be recorded");
    assert_eq!(desk.incidents.accounts().dropped, 1);
    assert_eq!(desk.replayed().accounts(), desk.incidents.accounts());
}

#[test]
fn evidence_is_attached_when_it_opens_and_told_once() {
    let mut desk = Desk::new(Policy { evidence_bytes_max: 400, ..policy() });
    desk.world.evidence =
        vec![Evidence::text("fact", "/proc/x", "y".repeat(200)), Evidence::text("more", "", "z".repeat(300))];
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", true));
    let notices = desk.pass(10);
    assert_eq!(notices[0].evidence.len(), 1);
    assert!(notices[0].evidence[0].cut.contains("1 of 2 pieces"), "{:?}", notices[0].evidence[0].cut);
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 1", true));
    assert!(desk.pass(10)[0].evidence.is_empty());
    assert_eq!(desk.incidents.view(1).unwrap().evidence.len(), 1);
}

#[test]
fn a_clock_that_is_set_back_delays_nothing() {
    let mut desk = Desk::new(policy());
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", true));
    desk.now_ns -= 86_400 * SECOND;
    assert!(desk.pass(5).is_empty(), "how much of the wait is over nobody can tell");
    assert_eq!(desk.pass(10).len(), 1);
}

#[test]
fn records_that_do_not_follow_are_refused_and_change_nothing() {
    let mut desk = Desk::new(policy());
    desk.offer(&signal("vcpu-wait", "web-1", "vcpu 0", true));
    desk.pass(10);
    let before = desk.incidents.snapshot().unwrap();
    let mut payload = Vec::new();
    let told = desk.world.records.last().unwrap().1.clone();
    for event in [
        Event::Repeated { at_ns: 0, key: 99 },
        Event::Absorbed { at_ns: 0, incident: 9 },
        Event::Moved {
            at_ns: 0,
            incident: 1,
            to: State::Closed,
            by: "x".into(),
            note: String::new(),
            closure: None,
        },
        Event::decode(&told).unwrap(),
    ] {
        event.encode(&mut payload).unwrap();
        let corrupt = desk.incidents.replay(&payload).unwrap_err();
        assert!(corrupt.to_string().contains("do not follow"), "{corrupt}");
    }
    assert_eq!(desk.incidents.snapshot().unwrap(), before);
    let mut bytes = before.clone();
    *bytes.last_mut().unwrap() ^= 1;
    assert!(Incidents::restore(&bytes).is_err());
    assert!(Incidents::restore(&before[1..]).is_err());
}

impl Incidents {
    fn replay_equals(&self, other: &Self) -> Result<(), String> {
        if self.snapshot()? == other.snapshot()? { Ok(()) } else { Err("they differ".to_owned()) }
    }
}

/// One thing that may happen.
#[derive(Clone, Debug)]
enum Act {
    Signal { detector: u8, vm: u8, part: u8, is_firing: bool, severity: u8 },
    Pass(i64),
    Step { id: u64, step: u8 },
    Silence { vm: u8, seconds: i64 },
    EndSilence(u64),
    Refuse(bool),
    Restart,
    Reconcile,
    Adopt(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (0u8..4, 0u8..5, 0u8..3, any::<bool>(), 1u8..4).prop_map(|(detector, vm, part, is_firing, severity)| {
            Act::Signal { detector, vm, part, is_firing, severity }
        }),
        5 => prop_oneof![0i64..15, -3_600i64..4_000, 0i64..700_000].prop_map(Act::Pass),
        4 => (1u64..8, 0u8..5).prop_map(|(id, step)| Act::Step { id, step }),
        1 => (0u8..5, 1i64..100).prop_map(|(vm, seconds)| Act::Silence { vm, seconds }),
        1 => (1u64..4).prop_map(Act::EndSilence),
        1 => any::<bool>().prop_map(Act::Refuse),
        1 => Just(Act::Restart),
        1 => Just(Act::Reconcile),
        1 => (0u8..3).prop_map(Act::Adopt),
    ]
}

fn small(kind: u8) -> Policy {
    Policy {
        keys_max: 6 + u32::from(kind),
        incidents_max: 3,
        silences_max: 2,
        tenants_max: 2,
        rate_per_minute: 6,
        rate_burst: 3,
        group_by: if kind == 0 { vec![GroupBy::Vm, GroupBy::Cause] } else { vec![GroupBy::Detector] },
        close_after_ns: if kind == 2 { 0 } else { 86_400 * SECOND },
        ..policy()
    }
}

fn perform(desk: &mut Desk, act: &Act) {
    let detectors = ["vcpu-wait", "host-pressure-cpu", "vm-traced", "vmdisk-latency"];
    match *act {
        Act::Signal { detector, vm, part, is_firing, severity } => {
            let detector = detectors[usize::from(detector)];
            let is_host = detector.starts_with("host");
            let vm = if is_host { String::new() } else { format!("web-{vm}") };
            let mut signal = signal(detector, &vm, &part.to_string(), is_firing);
            signal.severity =
                [Severity::Info, Severity::Warning, Severity::Critical][usize::from(severity) - 1];
            if part == 2 && !is_host {
                signal.condition.resource.tenant = format!("tenant-{vm}");
            }
            desk.offer(&signal);
        }
        Act::Pass(seconds) => drop(desk.pass(seconds)),
        Act::Step { id, step } => {
            let step =
                [Step::Acknowledge, Step::Contain, Step::Recover, Step::Close(closure()), Step::Reopen]
                    [usize::from(step)]
                .clone();
            let _ = desk.step(id, step, "because");
        }
        Act::Silence { vm, seconds } => {
            let matcher = Matcher { vm: format!("web-{vm}"), ..Matcher::default() };
            let until_ns = desk.now_ns + seconds * SECOND;
            let new = NewSilence { matcher, until_ns, by: "ops".into(), reason: "x".into() };
            let _ = desk.incidents.silence(new, desk.now_ns, &mut desk.world);
        }
        Act::EndSilence(id) => {
            let _ = desk.incidents.end_silence(id, "ops", desk.now_ns, &mut desk.world);
        }
        Act::Refuse(refuses) => desk.world.refuses = refuses,
        Act::Restart => {
            // What was not recorded is not known to anybody any more.
            desk.incidents = desk.replayed();
            let _ = desk.incidents.begin(small(0), desk.now_ns, &mut desk.world);
        }
        Act::Reconcile => {
            for source in [Source::Alert, Source::Finding] {
                desk.incidents.reconcile(source, desk.now_ns, &mut desk.world);
            }
        }
        Act::Adopt(kind) => {
            let _ = desk.incidents.adopt(small(kind), desk.now_ns, &mut desk.world);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever happens and wherever it stops: the accounts balance, what is in flight is what incidents gathered,
    /// capacities hold, a replay of what was recorded is the same state bit for bit, and so is one from a snapshot.
    #[test]
    fn the_state_is_a_fold_over_its_records(acts in prop::collection::vec(act(), 0..120), cut in any::<prop::sample::Index>()) {
        let mut desk = Desk::new(small(0));
        let mut states = vec![(desk.world.records.len(), desk.incidents.snapshot().unwrap())];
        let mut delivered = 0;
        for act in &acts {
            perform(&mut desk, act);
            let incidents = &desk.incidents;
            let accounts = incidents.accounts();
            prop_assert!(accounts.balances(), "{act:?} {accounts:?}");
            prop_assert_eq!(accounts.in_flight, incidents.all().map(|one| one.pending).sum::<u64>());
            prop_assert!(accounts.delivered >= delivered, "what was delivered stays delivered");
            delivered = accounts.delivered;
            prop_assert!(incidents.all().count() <= 3);
            prop_assert!(incidents.keys() <= 8);
            prop_assert!(incidents.silences().count() <= 2);
            let due: Vec<_> = incidents.all().filter_map(|one| Some((one.due_ns?, one.id))).collect();
            prop_assert_eq!(incidents.due.len(), due.len());
            prop_assert!(due.iter().all(|one| incidents.due.contains(one)));
            for incident in incidents.all() {
                let active = incident.members.iter().filter(|slot| incidents.keys.get(**slot).unwrap().is_active());
                prop_assert_eq!(active.count(), incident.active as usize);
                prop_assert_eq!(incident.over_ns.is_none(), incident.active > 0, "{:?}", incident);
            }
            states.push((desk.world.records.len(), incidents.snapshot().unwrap()));
        }
        // After every prefix of the acts.
        let mut again = Incidents::new();
        let mut done = 0;
        let middle = cut.index(states.len());
        for (index, (count, bytes)) in states.iter().enumerate() {
            for (_, payload) in &desk.world.records[done..*count] {
                prop_assert!(again.replay(payload).is_ok());
            }
            done = *count;
            prop_assert_eq!(&again.snapshot().unwrap(), bytes, "after act {}", index);
            if index == middle {
                again = Incidents::restore(bytes).unwrap();
            }
        }
        // After every single record a replay has exact accounts.
        let mut again = Incidents::new();
        for (_, payload) in &desk.world.records {
            again.replay(payload).unwrap();
            prop_assert!(again.accounts().balances());
        }
    }
}
