//! Entry points for the fuzz targets: each runs a family of this module's parsers over arbitrary bytes.

use super::{fdinfo, ksm, limits, maps, sockets, status};

/// `status`, `limits`, `fdinfo` and `ksm_stat` of a process.
pub fn process(data: &[u8]) {
    let _ = status::parse(data);
    let _ = limits::parse(data);
    let _ = fdinfo::parse(data);
    let _ = ksm::parse(data);
}

/// `maps` and `smaps`, whole and in two pieces.
///
/// # Panics
/// When the pieces matter: that is what the fuzzer looks for.
pub fn maps(data: &[u8]) {
    let mut whole = Vec::new();
    let result = maps::parse(data, &mut |mapping| whole.push(mapping));
    let (first, second) = data.split_at(data.len() / 2);
    let (mut reader, mut pieces) = (maps::Reader::default(), Vec::new());
    let mut visit = |mapping| pieces.push(mapping);
    let again = reader.push(first, &mut visit).and_then(|()| reader.push(second, &mut visit));
    let again = again.and_then(|()| reader.finish(&mut visit));
    assert_eq!((result, whole), (again, pieces), "the pieces do not matter");
}

/// `/proc/net/tcp` and its like, and `/proc/net/unix`.
pub fn sockets(data: &[u8]) {
    sockets::inet(data).for_each(drop);
    sockets::unix(data).for_each(drop);
}
