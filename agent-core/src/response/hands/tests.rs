use super::*;
use std::time::Duration;

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

/// This very process as a target.
fn own() -> Target {
    let pid = i32::try_from(std::process::id()).unwrap();
    let start_ticks = Process::new(std::path::Path::new("/proc"), pid).stat().unwrap().start_ticks;
    Target { name: "own".into(), pid, start_ticks, ..Target::default() }
}

fn command(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_process_that_is_another_one_is_not_touched() {
    let hands = Hands::default();
    let other = Target { start_ticks: own().start_ticks + 1, ..own() };
    assert_eq!(hands.prepare(&Action::Freeze, &other, soon()), Err(Trouble::Gone));
    let run = Action::Run { command: command(&["/bin/true"]), verify: vec![], undo: vec![] };
    assert_eq!(hands.apply(&run, &other, &Undo::Nothing, "1.0", soon()), Err(Trouble::Gone));
    assert_eq!(hands.undo(&other, &Undo::Thaw, "1.0", soon()), Err(Trouble::Gone));
    let restart = Action::Restart { command: command(&["/bin/true"]) };
    let alive = hands.prepare(&restart, &own(), soon());
    assert!(matches!(&alive, Err(Trouble::Refused(why)) if why.contains("still there")), "{alive:?}");
    assert_eq!(hands.prepare(&restart, &other, soon()), Ok(Undo::Nothing));
}

#[test]
fn a_program_gets_the_vm_and_no_shell() {
    let script = "echo \"$BARTIZAN_ACTION $BARTIZAN_VM $1\"; test -z \"$HOME\"";
    let said = command::run(&command(&["/bin/sh", "-c", script, "x", "a;b $(c)"]), &own(), "1.0", soon());
    assert_eq!(said, Ok("1.0 own a;b $(c)".to_owned()));
    let failed = command::run(&command(&["/bin/sh", "-c", "echo no >&2; exit 3"]), &own(), "1.0", soon());
    assert!(matches!(&failed, Err(Trouble::Failed(why)) if why.contains("exit status: 3: no")), "{failed:?}");
    let missing = command::run(&command(&["/nonexistent/program"]), &own(), "1.0", soon());
    assert!(
        matches!(&missing, Err(Trouble::Refused(why)) if why.contains("/nonexistent/program")),
        "{missing:?}"
    );
}

#[test]
fn a_program_that_hangs_ends_with_all_it_started() {
    let marker = format!("{}.5", 60_000 + std::process::id() % 10_000);
    let begun = Instant::now();
    let script = format!("sleep {marker} & sleep {marker}");
    let hung = command::run(
        &command(&["/bin/sh", "-c", &script]),
        &own(),
        "1.0",
        Deadline::after(Duration::from_millis(300)),
    );
    assert!(matches!(&hung, Err(Trouble::Failed(why)) if why.contains("not done in time")), "{hung:?}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    let left =
        std::process::Command::new("pgrep").args(["-f", &format!("^sleep {marker}")]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "", "a child is left");
}

#[test]
fn a_program_that_says_too_much_is_cut_short_and_not_held_up() {
    let said =
        command::run(&command(&["/bin/sh", "-c", "yes | head -c 1000000"]), &own(), "1.0", soon()).unwrap();
    assert!(said.len() <= 64 * 1024 && said.len() > 60 * 1024, "{}", said.len());
}

#[test]
fn what_a_program_verifies_has_three_answers() {
    let hands = Hands::default();
    let verify = |words: &[&str]| {
        let run = Action::Run { command: command(&["/bin/true"]), verify: command(words), undo: vec![] };
        hands.verify(&run, &own(), &Undo::Nothing, "1.0", soon()).unwrap()
    };
    assert!(matches!(verify(&["/bin/true"]), Standing::InForce(_)));
    assert!(matches!(verify(&["/bin/false"]), Standing::NotInForce(_)));
    assert!(matches!(verify(&[]), Standing::Unknown(_)));
    assert!(matches!(verify(&["/bin/sh", "-c", "kill -9 $$"]), Standing::Unknown(_)));
}
