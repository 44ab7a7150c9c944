use super::*;

const U: &str = "u";

fn path(text: &str) -> ResourcePath {
    ResourcePath::parse(text).expect("a path")
}

fn arbiter() -> Arbiter {
    let owners = [("u", "acme"), ("v", "acme"), ("w", "other")];
    let owners = owners.map(|(vm, tenant)| (vm.to_owned(), tenant.to_owned())).into();
    Arbiter::new(Terms { owners, ..Terms::default() })
}

fn act(name: &str, party: Party) -> Claim {
    act_on(name, party, U, None)
}

fn act_on(name: &str, party: Party, vm: &str, value: Option<&str>) -> Claim {
    let target = ResourcePath::of_vm(vm, "").expect("a path");
    Action::named(name).expect(name).claim(party, "test", &target, value, "a test").expect(name)
}

fn says(mode: Mode, at: &str, value: &str, party: Party) -> Claim {
    let value = Some(value).filter(|value| !value.is_empty());
    Claim::new(party, "test", Part::new(path(at), mode, value), "a test")
}

fn tenant() -> Party {
    Party::csc("app", "acme")
}

fn soc() -> Party {
    Party::csp("soc")
}

fn ask(arbiter: &mut Arbiter, claim: Claim) -> Decision {
    arbiter.request(claim, 10).expect("a decision").0
}

fn granted(decision: &Decision) -> Token {
    match decision.outcome {
        Outcome::Granted { token } => token,
        _ => panic!("{}", decision.sentence),
    }
}

#[test]
fn rule_1_what_is_held_is_not_destroyed_by_anybody() {
    let mut arbiter = arbiter();
    granted(&ask(&mut arbiter, says(Mode::Hold, "vm/u/evidence", "", Party::csn("auditor"))));
    let denied = ask(&mut arbiter, act("restart", soc()).with_priority(100));
    assert_eq!(
        (denied.outcome, denied.rule, denied.class),
        (Outcome::Denied, Some(Rule::Hold), Some(Class::DestroysHeld))
    );
    assert_eq!(
        denied.sentence,
        "csp/soc may not restart vm/u: csn/auditor holds vm/u/evidence (by test: \"a test\") (rule 1: what is held is \
         not destroyed); freeze would be granted"
    );
    // A hold that comes while something is being destroyed ends that.
    let mut arbiter = self::arbiter();
    let migrate = granted(&ask(&mut arbiter, act("migrate", soc()).until(99)));
    let hold = ask(&mut arbiter, says(Mode::Hold, "vm/u/evidence", "", Party::csn("auditor")));
    assert_eq!((hold.rule, hold.others.as_slice()), (Some(Rule::Hold), &[migrate][..]));
    assert!(arbiter.book().claim(migrate).is_none());
}

#[test]
fn rule_2_the_hosts_invariants() {
    let mut arbiter = arbiter();
    let set = Action::named("set").expect("set");
    let claim = set.claim(soc(), "nft", &path("host/management/eth0"), Some("down"), "why").expect("a claim");
    assert_eq!(ask(&mut arbiter, claim).rule, Some(Rule::Invariant));
    let mut arbiter = Arbiter::new(Terms { disrupted_vms_max: 1, ..arbiter.terms().clone() });
    let first = granted(&ask(&mut arbiter, act("freeze", soc())));
    let again = ask(&mut arbiter, act("cut-network", soc()));
    granted(&again);
    let second = ask(&mut arbiter, act_on("freeze", soc(), "v", None));
    assert_eq!(second.rule, Some(Rule::Invariant));
    assert!(second.sentence.contains("1 VMs are disrupted already"), "{}", second.sentence);
    assert_eq!(second.alternative, Some("throttle"));
    arbiter.release(first, &soc(), 11).expect("released");
    assert_eq!(ask(&mut arbiter, act_on("freeze", soc(), "v", None)).rule, Some(Rule::Invariant), "u is cut");
}

#[test]
fn rule_3_who_forbids_or_isolates_goes_first() {
    let mut arbiter = arbiter();
    let open = granted(&ask(&mut arbiter, says(Mode::Require, "vm/u/net", "open", tenant())));
    let (cut, answer) = arbiter.request(act("cut-network", soc()), 20).expect("a decision");
    assert_eq!((cut.rule, cut.class), (Some(Rule::Isolation), Some(Class::Contradiction)));
    assert_eq!(arbiter.book().claim(open).and_then(|live| live.asleep), Some(granted(&cut)), "it sleeps");
    assert_eq!(answer.steps.len(), 1);
    assert_eq!((answer.steps[0].path.as_str(), answer.steps[0].value.as_deref()), ("vm/u/net", Some("cut")));
    // Whoever isolated ends it, and the customer has its word again, under a higher fencing number.
    let answer = arbiter.release(granted(&cut), &soc(), 30).expect("released");
    assert_eq!(answer.steps[0].value.as_deref(), Some("open"));
    assert!(answer.steps[0].fence > granted(&cut));
    assert!(!arbiter.book().stands(open, open) && arbiter.book().stands(open, answer.steps[0].fence));

    // A customer's forbid stands against what does not isolate, and against isolation only where the contract says so.
    let forbid = |arbiter: &mut Arbiter| {
        ask(arbiter, says(Mode::Forbid, "vm/v/power", "", tenant()));
        (ask(arbiter, act_on("stop", soc(), "v", None)), ask(arbiter, act_on("freeze", soc(), "v", None)))
    };
    let (stop, freeze) = forbid(&mut arbiter);
    assert_eq!(
        (stop.rule, stop.class, stop.escalate),
        (Some(Rule::Isolation), Some(Class::ObligationForbidden), true)
    );
    granted(&freeze);
    let contract = Contract { customer_may_forbid_isolation: true, ..Contract::default() };
    let mut arbiter = Arbiter::new(Terms { contract, ..arbiter.terms().clone() });
    let (_, freeze) = forbid(&mut arbiter);
    assert_eq!((freeze.outcome, freeze.escalate), (Outcome::Denied, true), "{}", freeze.sentence);
}

#[test]
fn rule_4_authority_by_scope() {
    let mut arbiter = arbiter();
    for (claim, why) in [
        (says(Mode::Require, "vm/w/net", "open", tenant()), "below its own VMs"),
        (says(Mode::Require, "host/sysctl/x", "1", tenant()), "below its own VMs"),
        (says(Mode::Require, "vm/u/net", "open", Party::csn("a")), "a partner reads and holds"),
        (says(Mode::Stable, "vm/u/net", "", Party::csn("a")), "cannot ask that"),
    ] {
        let denied = ask(&mut arbiter, claim);
        assert_eq!((denied.outcome, denied.rule), (Outcome::Denied, Some(Rule::Authority)));
        assert!(denied.sentence.contains(why), "{}", denied.sentence);
    }
    let partner = Party { tenant: Some("other".to_owned()), ..Party::csn("a") };
    assert_eq!(ask(&mut arbiter, says(Mode::Hold, "vm/u/evidence", "", partner)).rule, Some(Rule::Authority));
    // About the VM's CPU the provider's word counts, about its network the customer's.
    granted(&ask(&mut arbiter, says(Mode::Require, "vm/u/cpu/quota", "400", tenant())));
    assert_eq!(ask(&mut arbiter, act_on("throttle", soc(), U, Some("50"))).rule, Some(Rule::Authority));
    granted(&ask(&mut arbiter, says(Mode::Require, "vm/u/net", "open", tenant())));
    let filtered = ask(&mut arbiter, says(Mode::Require, "vm/u/net", "filtered", soc()));
    assert_eq!((filtered.outcome, filtered.rule), (Outcome::Denied, Some(Rule::Authority)));
}

#[test]
fn rules_5_6_and_7_between_equals() {
    let mut arbiter = arbiter();
    granted(&ask(&mut arbiter, says(Mode::Exclusive, "vm/u/net", "", Party::csp("a"))));
    let deeper = ask(&mut arbiter, says(Mode::Exclusive, "vm/u/net/tap0", "", Party::csp("b")));
    assert_eq!((deeper.rule, deeper.class), (Some(Rule::Specific), Some(Class::Contradiction)));
    granted(&deeper);
    assert_eq!(
        ask(&mut arbiter, says(Mode::Exclusive, "vm/u/net", "", Party::csp("a"))).rule,
        Some(Rule::Specific)
    );

    let value = |value, party, priority| {
        says(Mode::Shared, "vm/u/cpu/quota", value, Party::csp(party)).with_priority(priority)
    };
    granted(&ask(&mut arbiter, value("50", "a", 0)));
    granted(&ask(&mut arbiter, value("50", "b", 0)));
    let kept = ask(&mut arbiter, value("60", "c", 0));
    assert_eq!((kept.outcome, kept.rule, kept.others.len()), (Outcome::Denied, Some(Rule::Incumbent), 2));
    assert!(kept.sentence.ends_with("and 1 more stand against it"), "{}", kept.sentence);
    let over = ask(&mut arbiter, value("60", "c", 1));
    assert_eq!((over.rule, over.others.len()), (Some(Rule::Priority), 2));
}

#[test]
fn work_that_is_under_way_is_waited_for() {
    let mut arbiter = arbiter();
    granted(&ask(&mut arbiter, act("snapshot-memory", Party::csp("backup")).until(500)));
    let restart = ask(&mut arbiter, act("restart", Party::csp("autoscaler")).with_priority(9));
    assert_eq!((restart.outcome, restart.rule), (Outcome::Deferred { until_ns: 500 }, Some(Rule::Incumbent)));
    assert!(
        restart.sentence.starts_with("csp/autoscaler must wait to restart vm/u: csp/backup"),
        "{}",
        restart.sentence
    );
    let again = ask(&mut arbiter, act("snapshot-memory", Party::csp("backup")).until(600));
    assert_eq!(again.class, Some(Class::Duplicate));
    arbiter.expire(500).expect("expired");
    granted(&ask(&mut arbiter, act("restart", Party::csp("autoscaler"))));
}

#[test]
fn a_lease_is_what_its_holder_acts_under() {
    let mut arbiter = arbiter();
    let scaler = Party::csp("autoscaler");
    granted(&ask(&mut arbiter, says(Mode::Exclusive, "vm/u/power", "", scaler.clone())));
    granted(&ask(&mut arbiter, act("restart", scaler.clone()).until(100)));
    let other = ask(&mut arbiter, act("stop", Party::csp("operator")));
    assert_eq!(other.outcome, Outcome::Denied, "{}", other.sentence);
    let lease = says(Mode::Exclusive, "vm/u/power", "", scaler);
    assert_eq!(ask(&mut arbiter, lease).outcome, Outcome::Denied, "held already");
}

#[test]
fn preconditions_hold_while_the_claim_lives() {
    let mut arbiter = arbiter();
    granted(&ask(&mut arbiter, says(Mode::Require, "vm/u/power", "running", soc())));
    let while_running =
        |value| says(Mode::Shared, "vm/u/cpu/quota", "50", soc()).while_is(path("vm/u/power"), value);
    assert_eq!(ask(&mut arbiter, while_running("stopped")).class, Some(Class::BrokenPrecondition));
    granted(&ask(&mut arbiter, while_running("running")));
    assert_eq!(ask(&mut arbiter, says(Mode::Require, "vm/u/power", "off", soc())).outcome, Outcome::Denied);
}

#[test]
fn what_makes_no_sense_changes_nothing() {
    let mut arbiter = arbiter();
    let wrong = |arbiter: &mut Arbiter, claim| arbiter.request(claim, 10).expect_err("wrong").to_string();
    assert!(
        wrong(&mut arbiter, says(Mode::Hold, "vm/nobody", "", soc())).contains("there is no VM \"nobody\"")
    );
    assert!(wrong(&mut arbiter, says(Mode::Hold, "vm/u", "", soc()).until(10)).contains("before now"));
    assert!(wrong(&mut arbiter, says(Mode::Require, "vm/u/net", "", soc())).contains("needs a value"));
    assert!(wrong(&mut arbiter, says(Mode::Hold, "vm/u/net", "x", soc())).contains("takes no value"));
    let mut twice = says(Mode::Require, "vm/u/net", "a", soc());
    twice.parts.push(Part::new(path("vm/u/net"), Mode::Require, Some("b")));
    assert!(wrong(&mut arbiter, twice).contains("contradicts itself"));
    let nameless = Claim { party: Party { tenant: None, ..tenant() }, ..says(Mode::Hold, "vm/u", "", soc()) };
    assert!(wrong(&mut arbiter, nameless).contains("names no tenant"));
    assert_eq!(arbiter.book(), &Book::default());
    let hold = granted(&ask(&mut arbiter, says(Mode::Hold, "vm/u", "", soc())));
    assert!(matches!(arbiter.release(hold, &tenant(), 11), Err(ClaimError::NotYours { .. })));
    assert!(matches!(arbiter.release(Token(99), &soc(), 11), Err(ClaimError::UnknownClaim(99))));
    let mut small = Arbiter::new(Terms { claims_max: 1, ..arbiter.terms().clone() });
    granted(&ask(&mut small, says(Mode::Hold, "vm/u", "", soc())));
    assert!(wrong(&mut small, says(Mode::Hold, "vm/v", "", soc())).contains("no room"));
    assert_eq!(small.book().len(), 1);
}

#[test]
fn what_is_found_is_there_and_what_is_gone_has_ended() {
    let mut arbiter = arbiter();
    let lease = granted(&ask(&mut arbiter, says(Mode::Exclusive, "vm/u/placement", "", soc())));
    let mut migration = act("migrate", Party::csp("qemu"));
    migration.origin = Origin::Found;
    arbiter.observe(std::slice::from_ref(&migration), &[], 20).expect("observed");
    assert!(arbiter.book().claim(lease).is_none(), "reality displaces what was only said");
    assert!(arbiter.observe(std::slice::from_ref(&migration), &[], 21).expect("again").changes.is_empty());
    assert_eq!(ask(&mut arbiter, act("restart", soc())).rule, Some(Rule::Incumbent));
    arbiter.observe(&[], &[path("vm/u")], 29).expect("unseen");
    assert_eq!(ask(&mut arbiter, act("restart", soc())).rule, Some(Rule::Incumbent), "not seen is not gone");
    arbiter.observe(&[], &[], 30).expect("gone");
    granted(&ask(&mut arbiter, act("restart", soc())));
}
