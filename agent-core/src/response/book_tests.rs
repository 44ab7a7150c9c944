use super::*;
use proptest::prelude::*;

const SECOND: i64 = 1_000_000_000;

fn proposal(id: u64, steps: Vec<Step>, approval: Approval, lease_s: u32) -> Entry {
    Entry::Proposed(Box::new(Proposal {
        id,
        incident: 7,
        playbook: "p".into(),
        target: Target { pid: 4_711, start_ticks: 9, ..Target::default() },
        steps,
        lease_s,
        approval,
        closing: None,
        began_ns: 0,
        at_ns: 0,
    }))
}

fn step(action: Action, on_failure: OnFailure) -> Step {
    Step { action, timeout_s: 1, on_failure }
}

fn freeze_and_cut(on_failure: OnFailure) -> Vec<Step> {
    vec![step(Action::Freeze, on_failure), step(Action::CutNetwork, on_failure)]
}

fn book(entries: &[Entry]) -> Book {
    let mut book = Book::default();
    for entry in entries {
        book.take(entry).unwrap();
    }
    book
}

fn granted(steps: Vec<Step>) -> Vec<Entry> {
    let granted = Entry::Granted { id: 1, why: String::new(), at_ns: 1 };
    vec![proposal(1, steps, Approval::None, 60), granted]
}

fn done(step: u8) -> [Entry; 2] {
    let undo = if step == 0 { Undo::Thaw } else { Undo::Reconnect(vec!["tap0".into()]) };
    [Entry::Intended { id: 1, step, undo }, Entry::Done { id: 1, step, seen: String::new(), at_ns: 0 }]
}

fn failed(step: u8) -> Entry {
    Entry::Failed { id: 1, step, why: "no".into() }
}

#[test]
fn steps_are_taken_in_order_and_taken_back_in_the_reverse() {
    let mut entries = granted(freeze_and_cut(OnFailure::Undo));
    assert_eq!(book(&entries).next(0), Some((1, Next::Take(0))));
    entries.extend(done(0));
    assert_eq!(book(&entries).next(0), Some((1, Next::Take(1))));
    entries.extend(done(1));
    assert_eq!(book(&entries).next(0), Some((1, Next::Hold)));
    entries.push(Entry::Held { id: 1, until_ns: 60 * SECOND });
    let mut holding = book(&entries);
    assert_eq!(holding.next(SECOND * 2), Some((1, Next::Look)));
    holding.looked(1, SECOND * 2);
    assert_eq!(holding.next(SECOND * 3), None, "looked at lately");
    assert_eq!(holding.next(SECOND * 60), Some((1, Next::LeaseOver)));
    assert_eq!(holding.acted_on(), [(4_711, 9)]);
    entries.push(Entry::Ending { id: 1, by: "x".into(), why: "y".into() });
    assert_eq!(book(&entries).next(0), Some((1, Next::TakeBack(1))));
    let undone = |step| Entry::Undone { id: 1, step, seen: String::new(), left_to_others: false };
    entries.push(undone(1));
    assert_eq!(book(&entries).next(0), Some((1, Next::TakeBack(0))));
    entries.push(undone(0));
    assert_eq!(book(&entries).next(0), Some((1, Next::Close(End::Complete))));
    entries.push(Entry::Ended { id: 1, end: End::Complete, at_ns: 0 });
    assert_eq!(book(&entries).next(0), None);
    assert!(book(&entries).has_answered(7, "p") && book(&entries).acted_on().is_empty());
}

#[test]
fn a_failure_does_what_the_playbook_says() {
    for (on_failure, expected) in
        [(OnFailure::Undo, Next::LeaseOver), (OnFailure::Stop, Next::Hold), (OnFailure::Continue, Next::Hold)]
    {
        let mut entries = granted(freeze_and_cut(on_failure));
        entries.extend(done(0));
        entries.push(failed(1));
        assert_eq!(book(&entries).next(0), Some((1, expected)), "{on_failure:?}");
    }
    let mut entries = granted(freeze_and_cut(OnFailure::Continue));
    entries.push(failed(0));
    assert_eq!(book(&entries).next(0), Some((1, Next::Take(1))));
    let mut entries = granted(freeze_and_cut(OnFailure::Stop));
    entries.push(failed(0));
    assert_eq!(book(&entries).next(0), Some((1, Next::Close(End::Failed))), "nothing to hold");
}

#[test]
fn what_was_under_way_is_uncertain_after_a_crash_and_never_simply_repeated() {
    let mut entries = granted(freeze_and_cut(OnFailure::Undo));
    entries.push(done(0)[0].clone());
    let mut after = book(&entries);
    assert_eq!(after.next(0), None, "in the same run it is under way");
    after.resume();
    assert_eq!(after.next(0), Some((1, Next::Settle(0))));
    entries.push(done(0)[1].clone());
    entries.push(Entry::Ending { id: 1, by: "x".into(), why: "y".into() });
    entries.push(Entry::Undoing { id: 1, step: 0 });
    let mut after = book(&entries);
    after.resume();
    assert_eq!(after.next(0), Some((1, Next::SettleBack(0))));
}

#[test]
fn taking_back_is_tried_more_and_more_rarely_and_then_a_person_is_asked() {
    let mut entries = granted(freeze_and_cut(OnFailure::Undo));
    entries.extend(done(0));
    entries.push(Entry::Ending { id: 1, by: "x".into(), why: "y".into() });
    for (tried, pause) in [1, 2, 4, 8, 16].into_iter().enumerate() {
        assert_eq!(book(&entries).next(1_000), Some((1, Next::TakeBack(0))), "after {tried}");
        entries.push(Entry::Undoing { id: 1, step: 0 });
        entries.push(Entry::UndoFailed { id: 1, step: 0, why: "no".into(), at_ns: 0 });
        assert_eq!(book(&entries).next(pause * SECOND - 1), None, "after {tried}");
        let last = entries.len() - 1;
        if let Entry::UndoFailed { at_ns, .. } = &mut entries[last] {
            *at_ns = -100 * SECOND;
        }
    }
    assert_eq!(book(&entries).next(1_000), Some((1, Next::Close(End::NeedsPerson))));
}

#[test]
fn nobody_answering_is_an_answer_too() {
    let ask = Approval::Asked { within_s: 5, otherwise: Otherwise::Decline };
    let mut entries = vec![proposal(1, freeze_and_cut(OnFailure::Undo), ask, 0)];
    assert_eq!(book(&entries).next(0), Some((1, Next::Decide)));
    entries.push(Entry::Asked { id: 1, until_ns: 5 * SECOND });
    assert_eq!(book(&entries).next(0), None);
    assert_eq!(book(&entries).next(5 * SECOND), Some((1, Next::TimeUp(Otherwise::Decline))));
    let answer = |agreed| Entry::Answered { id: 1, agreed, by: "ann".into(), why: String::new() };
    let mut agreed = book(&entries);
    agreed.take(&answer(true)).unwrap();
    assert_eq!(agreed.next(0), Some((1, Next::Decide)), "the rails are asked again after a person");
    let mut declined = book(&entries);
    declined.take(&answer(false)).unwrap();
    assert_eq!(declined.find(1).map(|response| response.phase), Some(Phase::Ended(End::NotDone)));
    assert!(agreed.take(&answer(true)).is_err(), "once");
}

/// If this fails, ledgers of released versions can no longer be read: add another variant instead.
#[test]
fn the_bytes_never_change() {
    let entry = Entry::Undone { id: 7, step: 1, seen: "ok".into(), left_to_others: true };
    let bytes = entry.to_bytes().unwrap();
    assert_eq!(bytes, [14, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 111, 107, 1]);
    assert_eq!(Entry::from_bytes(&bytes), Ok(entry));
    assert!(Entry::from_bytes(&bytes[1..]).is_err());
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let before = book(&granted(freeze_and_cut(OnFailure::Undo)));
    for wrong in [
        Entry::Done { id: 2, step: 0, seen: String::new(), at_ns: 0 },
        Entry::Intended { id: 1, step: 9, undo: Undo::Nothing },
        Entry::Answered { id: 1, agreed: true, by: String::new(), why: String::new() },
        Entry::Undone { id: 1, step: 0, seen: String::new(), left_to_others: false },
        proposal(1, freeze_and_cut(OnFailure::Undo), Approval::None, 0),
        proposal(2, vec![], Approval::None, 0),
    ] {
        let mut after = before.clone();
        assert!(after.take(&wrong).is_err(), "{wrong:?}");
        assert_eq!(after, before);
    }
}

proptest! {
    /// Whatever happens, in whatever order: each step that was done is taken back exactly once or handed to a person,
    /// and the response comes to an end.
    #[test]
    fn every_response_ends_with_nothing_left_in_force(
        outcomes in prop::collection::vec(0u8..4, 3),
        undo_fails in prop::collection::vec(any::<bool>(), 24),
        on_failure in prop::sample::select(vec![OnFailure::Undo, OnFailure::Stop, OnFailure::Continue]),
        crashes in prop::collection::vec(any::<bool>(), 200),
    ) {
        let steps = vec![
            step(Action::Freeze, on_failure),
            step(Action::CutNetwork, on_failure),
            step(Action::Pause, on_failure),
        ];
        let mut entries = granted(steps);
        let (mut now_ns, mut undo_at) = (0i64, 0usize);
        let mut in_force = [false; 3];
        let mut ended = None;
        for crash in crashes {
            let mut now = book(&entries);
            if crash {
                now.resume();
            }
            now_ns += 40 * SECOND;
            let Some((_, next)) = now.next(now_ns) else { continue };
            let at = |step: u8| usize::from(step);
            match next {
                Next::Take(step) | Next::Settle(step) => {
                    entries.push(Entry::Intended { id: 1, step, undo: Undo::Thaw });
                    entries.push(match outcomes[at(step)] {
                        0 | 1 => {
                            prop_assert!(!in_force[at(step)], "done twice");
                            in_force[at(step)] = true;
                            Entry::Done { id: 1, step, seen: String::new(), at_ns: now_ns }
                        }
                        2 => failed(step),
                        _ => Entry::Doubtful { id: 1, step, why: String::new() },
                    });
                }
                Next::Hold => entries.push(Entry::Held { id: 1, until_ns: now_ns + SECOND }),
                Next::Look => now.looked(1, now_ns),
                Next::LeaseOver => entries.push(Entry::Ending { id: 1, by: String::new(), why: String::new() }),
                Next::TakeBack(step) | Next::SettleBack(step) => {
                    prop_assert!(in_force[at(step)], "taken back what was not there");
                    entries.push(Entry::Undoing { id: 1, step });
                    let fails = undo_fails.get(undo_at).copied().unwrap_or(false);
                    undo_at += 1;
                    entries.push(if fails {
                        Entry::UndoFailed { id: 1, step, why: String::new(), at_ns: now_ns - 39 * SECOND }
                    } else {
                        in_force[at(step)] = false;
                        Entry::Undone { id: 1, step, seen: String::new(), left_to_others: false }
                    });
                }
                Next::Close(end) => {
                    entries.push(Entry::Ended { id: 1, end, at_ns: now_ns });
                    ended = Some(end);
                    break;
                }
                Next::Decide | Next::TimeUp(_) => prop_assert!(false, "nothing to decide"),
            }
        }
        prop_assert!(ended.is_some(), "it never ended: {entries:?}");
        prop_assert!(in_force == [false; 3] || ended == Some(End::NeedsPerson), "{in_force:?} {ended:?}");
    }
}
