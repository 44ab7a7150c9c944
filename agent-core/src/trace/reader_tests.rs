use super::*;
use crate::trace::framing::{write, write_file_head};
use crate::trace::record::sample;
use proptest::prelude::*;

fn trace(ended: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_file_head(&mut bytes).unwrap();
    write(&mut bytes, &sample::header()).unwrap();
    write(&mut bytes, &sample::delta()).unwrap();
    write(&mut bytes, &Delta { tick: 2, ..sample::delta() }).unwrap();
    if ended {
        write(&mut bytes, &End { ticks: 2, ..End::default() }).unwrap();
    }
    bytes
}

fn read(bytes: &[u8]) -> Result<(Vec<Event>, Tail), TraceError> {
    let mut reader = TraceReader::new(bytes)?;
    let mut events = Vec::new();
    while let Some(event) = reader.next_event()? {
        events.push(event);
    }
    Ok((events, reader.tail()))
}

#[test]
fn what_was_written_is_read() {
    let (events, tail) = read(&trace(true)).unwrap();
    assert_eq!(events[0], Event::Delta(sample::delta()));
    assert_eq!((events.len(), tail), (2, Tail::Complete(End { ticks: 2, ..End::default() })));
    assert_eq!(read(&trace(false)).unwrap().1, Tail::Open);
    assert_eq!(TraceReader::new(&trace(true)[..]).unwrap().header(), &sample::header());
}

#[test]
fn a_trace_cut_anywhere_gives_what_is_before_the_cut() {
    let whole = trace(false);
    let first_event = {
        let mut bytes = Vec::new();
        write_file_head(&mut bytes).unwrap();
        write(&mut bytes, &sample::header()).unwrap();
        bytes.len()
    };
    for cut in first_event..whole.len() {
        let (events, tail) = read(&whole[..cut]).unwrap();
        let record = (whole.len() - first_event) / 2;
        assert_eq!(events.len(), (cut - first_event) / record, "cut at {cut}");
        let offset = (first_event + events.len() * record) as u64;
        let wanted = if offset == cut as u64 { Tail::Open } else { Tail::Torn { offset } };
        assert_eq!(tail, wanted, "cut at {cut}");
    }
    for cut in 0..first_event {
        assert!(TraceReader::new(&whole[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn a_last_record_of_which_only_the_length_reached_the_disk_is_torn() {
    let mut bytes = trace(false);
    let length = bytes.len();
    bytes[length - 20..].fill(0);
    let (events, tail) = read(&bytes).unwrap();
    assert_eq!(events.len(), 1);
    assert!(matches!(tail, Tail::Torn { .. }), "{tail:?}");
}

#[test]
fn every_flipped_bit_is_noticed() {
    let whole = trace(true);
    let wanted = read(&whole).unwrap();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            match read(&bytes) {
                Err(error) => assert!(!error.to_string().is_empty()),
                // In the last record, damage looks like a crash: the record is lost, and that is said.
                Ok((events, tail)) => {
                    assert!(matches!(tail, Tail::Torn { .. }), "byte {at}, bit {bit}: {tail:?}");
                    assert!(wanted.0.starts_with(&events));
                }
            }
        }
    }
}

#[test]
fn errors_say_where_what_and_what_to_do() {
    let message = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert!(message(b"").contains("no trace"));
    assert!(message(b"GIF89a..............").contains("`record`"));
    let mut other = trace(true);
    other[8] = 9;
    assert!(message(&other).contains("format 9"));
    let mut damaged = trace(true);
    let at = damaged.len() - 100;
    damaged[at] ^= 1;
    assert!(message(&damaged).contains("damaged at byte"), "{}", message(&damaged));
}

#[test]
fn a_length_that_lies_takes_no_memory() {
    let mut bytes = trace(false);
    bytes.extend_from_slice(&u32::MAX.to_le_bytes());
    bytes.extend_from_slice(&[4, 0, 0, 0, 0, 0, 0, 0]);
    assert!(read(&bytes).unwrap_err().to_string().contains("makes no sense"));
}

proptest! {
    #[test]
    fn noise_after_a_good_beginning_never_panics(noise in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = trace(false);
        bytes.extend_from_slice(&noise);
        let _ = read(&bytes);
        let _ = read(&noise);
    }
}
