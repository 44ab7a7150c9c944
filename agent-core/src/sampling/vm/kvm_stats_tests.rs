use super::*;
use proptest::prelude::*;

/// Bytes of the header.
const HEADER_BYTES: usize = 24;

const WANTED: [(&str, Unit); 3] =
    [("exits", Unit::Count), ("halt_wait_ns", Unit::Nanoseconds), ("blocking", Unit::Count)];

struct Descriptor {
    flags: u32,
    exponent: i16,
    elements: u16,
    offset: u32,
    name: &'static str,
}

const SECONDS: u32 = UNIT_SECONDS << UNIT_SHIFT;

fn counter(name: &'static str, offset: u32) -> Descriptor {
    Descriptor { flags: 0, exponent: 0, elements: 1, offset, name }
}

/// A file as the kernel lays it out.
fn file(descriptors: &[Descriptor]) -> Vec<u8> {
    const NAME: usize = 48;
    let id = HEADER_BYTES;
    let first = id + NAME;
    let data = first + descriptors.len() * (DESCRIPTOR_BYTES + NAME);
    let mut bytes = Vec::new();
    for field in [0, NAME, descriptors.len(), id, first, data] {
        bytes.extend(u32::try_from(field).unwrap().to_ne_bytes());
    }
    bytes.extend(b"kvm-42/vcpu-3");
    bytes.resize(first, 0);
    for descriptor in descriptors {
        bytes.extend(descriptor.flags.to_ne_bytes());
        bytes.extend(descriptor.exponent.to_ne_bytes());
        bytes.extend(descriptor.elements.to_ne_bytes());
        bytes.extend(descriptor.offset.to_ne_bytes());
        bytes.extend(0u32.to_ne_bytes());
        let end = bytes.len() + NAME;
        bytes.extend(descriptor.name.as_bytes());
        bytes.resize(end, 0);
    }
    bytes
}

fn learn(bytes: &[u8]) -> Result<Layout, LayoutError> {
    Layout::learn(bytes, &WANTED)
}

#[test]
fn values_are_found_by_name_and_scaled_to_their_unit() {
    let bytes = file(&[
        counter("unknown", 0),
        Descriptor { flags: SECONDS, exponent: -9, ..counter("halt_wait_ns", 8) },
        Descriptor { flags: 4, elements: 32, ..counter("exits", 16) },
        counter("exits", 272),
    ]);
    assert_eq!(id(&bytes), "kvm-42/vcpu-3");
    let layout = learn(&bytes).unwrap();
    assert_eq!(size(layout.data_offset), bytes.len());
    assert_eq!(layout.data_bytes, 280, "no more is read than is wanted");
    assert_eq!(layout.known().collect::<Vec<_>>(), [1, 0]);
    let mut data = vec![0; 280];
    data[8..16].copy_from_slice(&5u64.to_ne_bytes());
    data[272..280].copy_from_slice(&u64::MAX.to_ne_bytes());
    assert_eq!(layout.values(&data).collect::<Vec<_>>(), [(1, 5), (0, i64::MAX)]);
    assert_eq!(layout.values(&data[..100]).collect::<Vec<_>>(), [(1, 5)], "a short read gives what it has");
}

#[test]
fn coarser_times_are_scaled_and_strange_units_refused() {
    let micro = file(&[Descriptor { flags: SECONDS, exponent: -6, ..counter("halt_wait_ns", 0) }]);
    assert_eq!(learn(&micro).unwrap().values(&7u64.to_ne_bytes()).collect::<Vec<_>>(), [(1, 7_000)]);
    for descriptor in [
        counter("halt_wait_ns", 0),
        Descriptor { flags: SECONDS, exponent: -9, ..counter("exits", 0) },
        Descriptor { flags: SECONDS, exponent: -12, ..counter("halt_wait_ns", 0) },
        Descriptor { flags: SECONDS | 1 << BASE_SHIFT, exponent: -9, ..counter("halt_wait_ns", 0) },
        Descriptor { exponent: 3, ..counter("exits", 0) },
    ] {
        assert!(learn(&file(&[descriptor])).unwrap().known().next().is_none());
    }
}

#[test]
fn what_is_announced_but_absent_is_refused() {
    let bytes = file(&[counter("exits", 0), counter("blocking", 8)]);
    for end in 0..bytes.len() {
        assert_eq!(learn(&bytes[..end]), Err(LayoutError::Truncated), "{end}");
    }
    let mut many = bytes.clone();
    many[8..12].copy_from_slice(&(DESCRIPTORS_MAX + 1).to_ne_bytes());
    assert_eq!(learn(&many), Err(LayoutError::TooLarge));
    let mut long = bytes;
    long[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert_eq!(learn(&long), Err(LayoutError::TooLarge));
    assert_eq!(learn(&file(&[counter("exits", u32::MAX)])), Err(LayoutError::OutOfRange));
    assert_eq!(learn(&file(&[counter("exits", 4_096)])), Err(LayoutError::OutOfRange));
    assert_eq!(id(b""), "");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_read_out_of_bounds(mut bytes: Vec<u8>, flips in prop::collection::vec((0usize..200, any::<u8>()), 0..6)) {
        let _ = learn(&bytes);
        bytes = file(&[counter("exits", 0), counter("blocking", 8)]);
        for (at, byte) in flips {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let _ = id(&bytes);
        if let Ok(layout) = learn(&bytes) {
            prop_assert!(layout.data_bytes <= DATA_BYTES_MAX);
            for (index, _) in layout.values(&[0xff; 64]) {
                prop_assert!(index < WANTED.len());
            }
        }
    }
}
