//! How an executable was hardened when it was built. (elf(5), the System V ABI; GNU's `PT_GNU_RELRO` and
//! `PT_GNU_STACK`.) By hand: it is less than what a library would have to be told, and bounded by construction.

use super::Malformed;

/// More program headers than any executable has.
const SEGMENTS_MAX: u16 = 512;
/// Tags of a dynamic section that are looked at.
const DYNAMIC_MAX: usize = 1024;
/// A note segment larger than this holds no build ID of ours.
const NOTES_BYTES_MAX: usize = 64 * 1024;
/// A table of names larger than this is not looked through.
const STRINGS_BYTES_MAX: u64 = 32 << 20;
/// Of a table of names, so much is in memory at a time.
const PIECE_BYTES: usize = 16 * 1024;
/// No name that is looked for is longer.
const NAME_BYTES_MAX: usize = 256;

/// Linking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Relro {
    /// What the linker fills in stays writable.
    #[default]
    None,
    /// All but the table of functions is made read-only.
    Partial,
    /// Everything is filled in at the start and made read-only.
    Full,
}

/// What an executable shows of its hardening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "flags of the format")]
pub struct Hardening {
    /// Whether it can be loaded anywhere (`ET_DYN`). A shared library is too: see `interpreter`.
    pub position_independent: bool,
    /// Whether it is marked as an executable that can be loaded anywhere (`DF_1_PIE`); older linkers did not.
    pub pie_flag: bool,
    /// The dynamic linker; `None` for a static executable and for a library.
    pub interpreter: Option<String>,
    /// Linking. A static executable needs none, and shows what its linker wrote.
    pub relro: Relro,
    /// Whether the stack is not executable; without a word of it, it is.
    pub stack_not_executable: bool,
    /// Whether a segment is both writable and executable.
    pub writable_code: bool,
    /// Whether anything in it checks for overwritten stacks (`__stack_chk_fail`); `None` when its symbols are not
    /// within what was given.
    pub stack_protector: Option<bool>,
    /// Whether it calls checked forms of the C library's functions (`__*_chk`); `None` as above.
    pub fortify: Option<bool>,
    /// The linker's fingerprint of the build, in hexadecimal digits.
    pub build_id: Option<String>,
}

/// Where an executable's bytes come from: memory, or a file of which only the pieces are read that are looked at.
pub trait Source {
    /// Fills the buffer with what is at an offset; whether all of it was there.
    fn fill(&self, offset: u64, buffer: &mut [u8]) -> bool;
}

/// Bytes that are in memory.
struct Pieces<'a>(&'a [u8]);

impl Source for Pieces<'_> {
    fn fill(&self, offset: u64, buffer: &mut [u8]) -> bool {
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let there = begin.checked_add(buffer.len()).and_then(|end| self.0.get(begin..end));
        there.map(|there| buffer.copy_from_slice(there)).is_some()
    }
}

impl Source for std::fs::File {
    fn fill(&self, offset: u64, buffer: &mut [u8]) -> bool {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset).is_ok()
    }
}

/// The reader: width and byte order.
#[derive(Clone, Copy)]
struct Elf<'a> {
    source: &'a dyn Source,
    wide: bool,
    big: bool,
}

impl Elf<'_> {
    /// So many bytes, which the caller has bounded.
    fn bytes(&self, offset: u64, length: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        self.source.fill(offset, &mut bytes).then_some(bytes)
    }

    fn number(&self, offset: u64, width: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        let bytes = &mut bytes[..usize::try_from(width).ok().filter(|width| *width <= 8)?];
        let join = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        self.source
            .fill(offset, bytes)
            .then(|| if self.big { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) })
    }

    /// A field that is a word in one width and a double word in the other, at its place in each.
    fn address(&self, base: u64, narrow: u64, wide: u64) -> Option<u64> {
        let (at, width) = if self.wide { (wide, 8) } else { (narrow, 4) };
        self.number(base.checked_add(at)?, width)
    }

    fn field(&self, base: u64, narrow: u64, wide: u64, width: u64) -> Option<u64> {
        self.number(base.checked_add(if self.wide { wide } else { narrow })?, width)
    }
}

/// A program header.
struct Segment {
    kind: u64,
    flags: u64,
    offset: u64,
    address: u64,
    file_bytes: u64,
}

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const PT_NOTE: u64 = 4;
const PT_GNU_STACK: u64 = 0x6474_e551;
const PT_GNU_RELRO: u64 = 0x6474_e552;
const EXECUTABLE: u64 = 1;
const WRITABLE: u64 = 2;

/// Reads an executable that is in memory, or a prefix of it that holds what is asked for: see [`parse_from`].
///
/// # Errors
/// When it is no ELF file, or its headers lie beyond what was given.
pub fn parse(bytes: &[u8]) -> Result<Hardening, Malformed> {
    parse_from(&Pieces(bytes))
}

/// Reads an executable piece by piece: its headers, its dynamic section, and the names in it, of which one piece is in
/// memory at a time. Names that are not there show in `stack_protector` and `fortify`.
///
/// # Errors
/// When it is no ELF file, or its headers or its dynamic section lie beyond its end.
pub fn parse_from(source: &dyn Source) -> Result<Hardening, Malformed> {
    const ET_DYN: u64 = 3;
    let wrong = |offset: u64, what| Malformed { offset: usize::try_from(offset).unwrap_or(usize::MAX), what };
    let mut magic = [0; 6];
    source.fill(0, &mut magic);
    let [b'\x7f', b'E', b'L', b'F', class @ (1 | 2), order @ (1 | 2)] = magic else {
        return Err(wrong(0, "no ELF file"));
    };
    let elf = Elf { source, wide: class == 2, big: order == 2 };
    let kind = elf.number(16, 2).ok_or(wrong(16, "e_type"))?;
    let segments = segments(&elf).map_err(|(offset, what)| wrong(offset, what))?;
    let mut found = Hardening { position_independent: kind == ET_DYN, ..Hardening::default() };
    let mut dynamic = Dynamic::default();
    for segment in &segments {
        match segment.kind {
            PT_LOAD => {
                found.writable_code |= segment.flags & (WRITABLE | EXECUTABLE) == WRITABLE | EXECUTABLE;
            }
            PT_GNU_STACK => found.stack_not_executable = segment.flags & EXECUTABLE == 0,
            PT_GNU_RELRO if found.relro == Relro::None => found.relro = Relro::Partial,
            PT_INTERP => {
                let bytes = Some(segment.file_bytes).filter(|bytes| *bytes <= 4096);
                let path = bytes.and_then(|bytes| elf.bytes(segment.offset, bytes));
                let path = path.ok_or(wrong(segment.offset, "PT_INTERP"))?;
                let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
                found.interpreter = Some(String::from_utf8_lossy(path).into_owned());
            }
            PT_NOTE if found.build_id.is_none() => {
                let notes = elf.bytes(segment.offset, segment.file_bytes.min(NOTES_BYTES_MAX as u64));
                found.build_id = notes.and_then(|notes| build_id(&elf, &notes));
            }
            PT_DYNAMIC => {
                dynamic = self::dynamic(&elf, segment).ok_or(wrong(segment.offset, "PT_DYNAMIC"))?;
            }
            _ => {}
        }
    }
    if found.relro == Relro::Partial && dynamic.bind_now {
        found.relro = Relro::Full;
    }
    found.pie_flag = dynamic.pie;
    // A static executable has no dynamic strings; what it checks is not to be seen without its symbols.
    if let Some((address, length)) = dynamic.strings {
        let offset = offset_of(&segments, address).filter(|_| length <= STRINGS_BYTES_MAX);
        let (mut stack, mut fortify) = (false, false);
        let whole = offset.is_some_and(|offset| {
            each_name(&elf, offset, length, &mut |name| {
                stack |= name == b"__stack_chk_fail";
                fortify |= name.starts_with(b"__") && name.ends_with(b"_chk") && name != b"__stack_chk";
            })
        });
        (found.stack_protector, found.fortify) = (whole.then_some(stack), whole.then_some(fortify));
    }
    Ok(found)
}

fn segments(elf: &Elf) -> Result<Vec<Segment>, (u64, &'static str)> {
    let table = elf.address(0, 28, 32).ok_or((28, "e_phoff"))?;
    let entry_bytes = elf.field(0, 42, 54, 2).ok_or((42, "e_phentsize"))?;
    let count = elf.field(0, 44, 56, 2).ok_or((44, "e_phnum"))?;
    if count > u64::from(SEGMENTS_MAX) {
        return Err((44, "e_phnum"));
    }
    let segments = (0..count).map(|index| {
        let base = index.checked_mul(entry_bytes).and_then(|offset| table.checked_add(offset));
        let base = base.ok_or((table, "program header"))?;
        let read = || {
            Some(Segment {
                kind: elf.number(base, 4)?,
                flags: elf.field(base, 24, 4, 4)?,
                offset: elf.address(base, 4, 8)?,
                address: elf.address(base, 8, 16)?,
                file_bytes: elf.address(base, 16, 32)?,
            })
        };
        read().ok_or((base, "program header"))
    });
    segments.collect()
}

/// Where in the file an address is.
fn offset_of(segments: &[Segment], address: u64) -> Option<u64> {
    let within = |segment: &&Segment| {
        segment.kind == PT_LOAD
            && address.checked_sub(segment.address).is_some_and(|inside| inside < segment.file_bytes)
    };
    let segment = segments.iter().find(within)?;
    segment.offset.checked_add(address - segment.address)
}

#[derive(Default)]
struct Dynamic {
    bind_now: bool,
    pie: bool,
    /// The address and the length of the strings.
    strings: Option<(u64, u64)>,
}

fn dynamic(elf: &Elf, segment: &Segment) -> Option<Dynamic> {
    const DT_STRTAB: u64 = 5;
    const DT_STRSZ: u64 = 10;
    const DT_BIND_NOW: u64 = 24;
    const DT_FLAGS: u64 = 30;
    const DT_FLAGS_1: u64 = 0x6fff_fffb;
    const DF_BIND_NOW: u64 = 8;
    const DF_1_NOW: u64 = 1;
    const DF_1_PIE: u64 = 0x0800_0000;
    // All of it must be there, though only its beginning is looked at.
    if segment.file_bytes > 0 {
        elf.number(segment.offset.checked_add(segment.file_bytes - 1)?, 1)?;
    }
    let entry_bytes = if elf.wide { 16 } else { 8 };
    let length = segment.file_bytes.min(entry_bytes * DYNAMIC_MAX as u64);
    let entries = elf.bytes(segment.offset, length)?;
    let table = Pieces(&entries);
    let elf = Elf { source: &table, ..*elf };
    let (mut found, mut address, mut length) = (Dynamic::default(), None, None);
    for index in (0..segment.file_bytes / entry_bytes).take(DYNAMIC_MAX) {
        let base = index * entry_bytes;
        let (tag, value) = (elf.address(base, 0, 0)?, elf.address(base, 4, 8)?);
        match tag {
            0 => break,
            DT_STRTAB => address = Some(value),
            DT_STRSZ => length = Some(value),
            DT_BIND_NOW => found.bind_now = true,
            DT_FLAGS => found.bind_now |= value & DF_BIND_NOW != 0,
            DT_FLAGS_1 => {
                found.bind_now |= value & DF_1_NOW != 0;
                found.pie |= value & DF_1_PIE != 0;
            }
            _ => {}
        }
    }
    found.strings = address.zip(length);
    Some(found)
}

/// Every name of a table of strings, a piece at a time; whether all of the table was there. Of a name that is longer
/// than any that is looked for, the beginning is given.
fn each_name(elf: &Elf, offset: u64, length: u64, visit: &mut dyn FnMut(&[u8])) -> bool {
    let mut piece = vec![0; PIECE_BYTES.min(usize::try_from(length).unwrap_or(PIECE_BYTES))];
    let mut name = Vec::new();
    let mut at = 0;
    while at < length {
        let count = usize::try_from(length - at).map_or(piece.len(), |left| left.min(piece.len()));
        let piece = &mut piece[..count];
        if !offset.checked_add(at).is_some_and(|from| elf.source.fill(from, piece)) {
            return false;
        }
        for (index, part) in piece.split(|byte| *byte == 0).enumerate() {
            if index > 0 {
                visit(&name);
                name.clear();
            }
            name.extend(part.iter().take(NAME_BYTES_MAX.saturating_sub(name.len())));
        }
        at += count as u64;
    }
    visit(&name);
    true
}

fn build_id(elf: &Elf, notes: &[u8]) -> Option<String> {
    const NT_GNU_BUILD_ID: u64 = 3;
    let table = Pieces(notes);
    let notes = Elf { source: &table, ..*elf };
    let mut at = 0_u64;
    loop {
        let (name_bytes, content_bytes) = (notes.number(at, 4)?, notes.number(at + 4, 4)?);
        let kind = notes.number(at + 8, 4)?;
        if name_bytes > NOTES_BYTES_MAX as u64 || content_bytes > NOTES_BYTES_MAX as u64 {
            return None;
        }
        let name = notes.bytes(at + 12, name_bytes)?;
        let content_at = at + 12 + name_bytes.next_multiple_of(4);
        let content = notes.bytes(content_at, content_bytes)?;
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" && content.len() <= 64 {
            use std::fmt::Write;
            let mut digits = String::with_capacity(2 * content.len());
            for byte in content {
                let _ = write!(digits, "{byte:02x}");
            }
            return Some(digits);
        }
        at = content_at + content_bytes.next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A small 64-bit executable: its header, its segments, and the dynamic section behind them.
    fn executable(kind: u16, segments: &[(u32, u32)], dynamic: &[(u64, u64)], strings: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(64, 0);
        bytes[16..18].copy_from_slice(&kind.to_le_bytes());
        bytes[32..40].copy_from_slice(&64_u64.to_le_bytes());
        bytes[54..56].copy_from_slice(&56_u16.to_le_bytes());
        bytes[56..58].copy_from_slice(&u16::try_from(segments.len()).unwrap().to_le_bytes());
        let tables = 64 + 56 * segments.len() as u64;
        let dynamic_bytes = 16 * (dynamic.len() as u64 + 3);
        for (kind, flags) in segments {
            let (offset, length) = match *kind {
                1 => (0, tables + dynamic_bytes + strings.len() as u64),
                2 => (tables, dynamic_bytes),
                _ => (0, 0),
            };
            bytes.extend(kind.to_le_bytes());
            bytes.extend(flags.to_le_bytes());
            // Loaded at 0x1000 above its place in the file.
            for value in [offset, offset + 0x1000, 0, length, length, 8] {
                bytes.extend(value.to_le_bytes());
            }
        }
        let own = [(5, 0x1000 + tables + dynamic_bytes), (10, strings.len() as u64), (0, 0)];
        for (tag, value) in dynamic.iter().chain(&own) {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(strings);
        bytes
    }

    const GNU_STACK: u32 = 0x6474_e551;
    const GNU_RELRO: u32 = 0x6474_e552;

    #[test]
    fn hardened_and_not() {
        let segments = [(1, 5), (2, 6), (GNU_STACK, 6), (GNU_RELRO, 4)];
        let flags = [(30, 8), (0x6fff_fffb, 0x0800_0001)];
        let strings = b"\0__stack_chk_fail\0__memcpy_chk\0";
        let hard = parse(&executable(3, &segments, &flags, strings)).expect("an executable");
        let expected = Hardening {
            position_independent: true,
            pie_flag: true,
            relro: Relro::Full,
            stack_not_executable: true,
            stack_protector: Some(true),
            fortify: Some(true),
            ..Hardening::default()
        };
        assert_eq!(hard, expected);
        let soft = executable(2, &[(1, 7), (2, 6), (GNU_STACK, 7)], &[], b"\0__stack_chk_failure\0printf\0");
        let soft = parse(&soft).expect("an executable");
        let expected = Hardening {
            writable_code: true,
            stack_protector: Some(false),
            fortify: Some(false),
            ..Hardening::default()
        };
        assert_eq!(soft, expected);
        let partial = parse(&executable(3, &segments, &[], b"\0")).expect("an executable");
        assert_eq!(partial.relro, Relro::Partial);
    }

    #[test]
    fn a_prefix_shows_what_it_holds() {
        let whole = executable(3, &[(1, 5), (2, 6)], &[], b"\0__stack_chk_fail\0");
        let prefix = parse(&whole[..whole.len() - 1]).expect("an executable");
        assert_eq!((prefix.stack_protector, prefix.fortify), (None, None));
        assert_eq!(parse(&whole[..180]).expect_err("cut").what, "PT_DYNAMIC");
        assert_eq!(parse(&whole[..100]).expect_err("cut").what, "program header");
        assert_eq!(parse(&whole[..40]).expect_err("cut").what, "e_phentsize");
        assert_eq!(parse(b"#!/bin/sh"), Err(Malformed { offset: 0, what: "no ELF file" }));
    }

    #[test]
    fn names_are_found_wherever_the_pieces_end() {
        let filler = "\0some_function".repeat(PIECE_BYTES / 14 - 8);
        for shift in 0..200 {
            let names = format!("{filler}\0{}\0__stack_chk_fail\0__memcpy_chk\0x\0", "y".repeat(shift));
            let found =
                parse(&executable(3, &[(1, 5), (2, 6)], &[], names.as_bytes())).expect("an executable");
            assert_eq!((found.stack_protector, found.fortify), (Some(true), Some(true)), "{shift}");
        }
    }

    #[test]
    fn this_test_is_an_executable() {
        let file = std::fs::File::open("/proc/self/exe").expect("itself");
        let own = parse_from(&file).expect("an executable");
        assert_eq!(Ok(&own), parse(&std::fs::read("/proc/self/exe").expect("itself")).as_ref());
        assert!(own.position_independent && own.stack_not_executable && !own.writable_code);
        assert_eq!(own.relro, Relro::Full);
        assert!(own.interpreter.is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(noise in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..400, byte: u8) {
            let _ = parse(&noise);
            let mut damaged = executable(3, &[(1, 5), (2, 6), (4, 4)], &[(30, 8)], b"\0a\0");
            if let Some(place) = damaged.get_mut(at) {
                *place = byte;
            }
            let _ = parse(&damaged);
        }
    }
}
