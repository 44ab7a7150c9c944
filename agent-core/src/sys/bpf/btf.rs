//! BTF, the kernel's description of its own types (Documentation/bpf/btf.rst).
//!
//! ```text
//! header (24 bytes)  magic u16 | version u8 | flags u8 | hdr_len u32 | type_off u32 | type_len u32 | str_off u32 | str_len u32
//! types              each: name u32 | info u32 | size or type u32 | what the kind adds
//! strings            zero-terminated, named by their offset
//! ```
//! A module's description goes on where the kernel's ends: its first type has the number after the kernel's last, its
//! strings lie behind the kernel's.

use std::collections::HashMap;

/// A description that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadBtf;

impl std::fmt::Display for BadBtf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no BTF, or one that was cut off")
    }
}

/// A kind of type, by the kernel's number.
pub mod kind {
    /// A number.
    pub const INT: u32 = 1;
    /// A pointer.
    pub const POINTER: u32 = 2;
    /// An array.
    pub const ARRAY: u32 = 3;
    /// A struct.
    pub const STRUCT: u32 = 4;
    /// A union.
    pub const UNION: u32 = 5;
    /// An enum.
    pub const ENUM: u32 = 6;
    /// A function's name, with its type.
    pub const FUNCTION: u32 = 12;
    pub(super) const TYPEDEF: u32 = 8;
    pub(super) const VOLATILE: u32 = 9;
    pub(super) const CONST: u32 = 10;
    pub(super) const RESTRICT: u32 = 11;
    pub(super) const PROTOTYPE: u32 = 13;
    pub(super) const VARIABLE: u32 = 14;
    pub(super) const SECTION: u32 = 15;
    pub(super) const DECLARATION_TAG: u32 = 17;
    pub(super) const TYPE_TAG: u32 = 18;
    pub(super) const ENUM64: u32 = 19;
}

const MAGIC: u16 = 0xeb9f;
const TYPE_BYTES: usize = 12;
const MEMBER_BYTES: usize = 12;
/// Numbers of types by their names, each with its kind.
#[derive(Default)]
pub struct Named<'a>(HashMap<&'a [u8], Vec<(u32, u32)>>);

impl Named<'_> {
    /// Those of this kind and name: mostly one.
    pub fn of<'n>(&'n self, kind: u32, name: &[u8]) -> impl Iterator<Item = u32> + 'n {
        let all = self.0.get(name).map_or(&[][..], Vec::as_slice);
        all.iter().filter(move |(of, _)| *of == kind).map(|(_, number)| *number)
    }
}

/// Types that wrap each other; a chain that is longer is a ring.
const CHAIN_MAX: usize = 32;

/// Types of a kernel, a module or a program.
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Where each type begins, from the first of its own on.
    offsets: Vec<u32>,
    base: Option<&'a Btf<'a>>,
}

/// One type.
#[derive(Clone, Copy)]
pub struct Type<'a> {
    /// Its name, by the offset.
    pub name: u32,
    info: u32,
    /// Its size in bytes, or the type it is made from.
    pub size_or_type: u32,
    rest: &'a [u8],
}

impl Type<'_> {
    /// Its kind: see [`kind`].
    #[must_use]
    pub fn kind(&self) -> u32 {
        (self.info >> 24) & 0x1f
    }
}

/// One member of a struct or union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, by the offset; no text when it has none.
    pub name: u32,
    /// Its type.
    pub of: u32,
    /// Where it begins, in bits.
    pub bit_offset: u32,
    /// Its size in bits when it is a bit field, else 0.
    pub bits: u32,
}

impl<'a> Btf<'a> {
    /// Walks over all types once. `base` is the kernel's description, for a module's.
    ///
    /// # Errors
    /// When it is none, or ends too early.
    pub fn parse(bytes: &'a [u8], base: Option<&'a Btf<'a>>) -> Result<Self, BadBtf> {
        if u16::from_ne_bytes(array(bytes, 0)?) != MAGIC {
            return Err(BadBtf);
        }
        let field = |at| u32_at(bytes, at).map(|value| value as usize);
        let (header, types_at, types_length) = (field(4)?, field(8)?, field(12)?);
        let (strings_at, strings_length) = (field(16)?, field(20)?);
        let types = part(bytes, header.checked_add(types_at).ok_or(BadBtf)?, types_length)?;
        let strings = part(bytes, header.checked_add(strings_at).ok_or(BadBtf)?, strings_length)?;
        let mut offsets = Vec::new();
        let mut at = 0;
        while at < types.len() {
            offsets.push(u32::try_from(at).map_err(|_| BadBtf)?);
            let info = u32_at(types, at + 4)?;
            at += TYPE_BYTES + added_bytes((info >> 24) & 0x1f, (info & 0xffff) as usize)?;
        }
        if at > types.len() {
            return Err(BadBtf);
        }
        Ok(Self { types, strings, offsets, base })
    }

    /// The number of the first type of its own.
    fn first(&self) -> u32 {
        self.base.map_or(1, Btf::end)
    }

    /// The number after that of the last type.
    fn end(&self) -> u32 {
        self.first() + u32::try_from(self.offsets.len()).unwrap_or(0)
    }

    /// A type by its number; none for 0, which is `void`.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<Type<'a>> {
        let Some(index) = number.checked_sub(self.first()) else {
            return self.base.and_then(|base| base.get(number));
        };
        let at = *self.offsets.get(index as usize)? as usize;
        let head = self.types.get(at..at + TYPE_BYTES)?;
        let word = |at| u32_at(head, at).unwrap_or(0);
        Some(Type {
            name: word(0),
            info: word(4),
            size_or_type: word(8),
            rest: self.types.get(at + TYPE_BYTES..)?,
        })
    }

    /// A name by its offset, as bytes; none for what has no name.
    #[must_use]
    pub fn text(&self, offset: u32) -> &'a [u8] {
        let before = self.base.map_or(0, Btf::strings_end);
        let Some(own) = (offset as usize).checked_sub(before) else {
            return self.base.map_or(&[], |base| base.text(offset));
        };
        let rest = self.strings.get(own..).unwrap_or_default();
        &rest[..memchr::memchr(0, rest).unwrap_or(0)]
    }

    fn strings_end(&self) -> usize {
        self.base.map_or(0, Btf::strings_end) + self.strings.len()
    }

    /// The type behind typedefs and qualifiers.
    #[must_use]
    pub fn resolve(&self, mut number: u32) -> Option<(u32, Type<'a>)> {
        for _ in 0..CHAIN_MAX {
            let found = self.get(number)?;
            match found.kind() {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    number = found.size_or_type;
                }
                _ => return Some((number, found)),
            }
        }
        None
    }

    /// Bytes of a type that is a number, a pointer, an enum, a struct or a union.
    #[must_use]
    pub fn size(&self, number: u32) -> Option<u32> {
        let (_, found) = self.resolve(number)?;
        match found.kind() {
            kind::INT | kind::ENUM | kind::ENUM64 | kind::STRUCT | kind::UNION => Some(found.size_or_type),
            kind::POINTER => Some(8),
            _ => None,
        }
    }

    /// The members of a struct or union; nothing for other kinds.
    pub fn members(&self, of: Type<'a>) -> impl Iterator<Item = Member> + 'a {
        let is_compound = matches!(of.kind(), kind::STRUCT | kind::UNION);
        let count = if is_compound { (of.info & 0xffff) as usize } else { 0 };
        let has_bit_fields = of.info >> 31 == 1;
        of.rest.chunks_exact(MEMBER_BYTES).take(count).map(move |member| {
            let word = |at| u32_at(member, at).unwrap_or(0);
            let (bits, bit_offset) =
                if has_bit_fields { (word(8) >> 24, word(8) & 0x00ff_ffff) } else { (0, word(8)) };
            Member { name: word(0), of: word(4), bit_offset, bits }
        })
    }

    /// The numbers of its own types (not those of its base) that have one of these names, in one walk.
    #[must_use]
    pub fn named(&self, names: &[&[u8]]) -> Named<'a> {
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        for (number, at) in (self.first()..).zip(&self.offsets) {
            let Ok(name) = u32_at(self.types, *at as usize) else { continue };
            let text = self.text(name);
            if !text.is_empty()
                && names.contains(&text)
                && let Some(this) = self.get(number)
            {
                found.entry(text).or_default().push((this.kind(), number));
            }
        }
        Named(found)
    }
}

/// Bytes that follow a type's head.
fn added_bytes(of: u32, count: usize) -> Result<usize, BadBtf> {
    Ok(match of {
        kind::INT | kind::VARIABLE | kind::DECLARATION_TAG => 4,
        kind::ARRAY => 12,
        kind::STRUCT | kind::UNION | kind::SECTION | kind::ENUM64 => 12 * count,
        kind::ENUM | kind::PROTOTYPE => 8 * count,
        1..=kind::ENUM64 => 0,
        _ => return Err(BadBtf),
    })
}

fn part(bytes: &[u8], begin: usize, length: usize) -> Result<&[u8], BadBtf> {
    bytes.get(begin..begin.checked_add(length).ok_or(BadBtf)?).ok_or(BadBtf)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], BadBtf> {
    part(bytes, at, N)?.try_into().map_err(|_| BadBtf)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Result<u32, BadBtf> {
    array(bytes, at).map(u32::from_ne_bytes)
}
