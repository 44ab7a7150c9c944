//! CO-RE: puts accesses to the kernel's structs right for the running kernel.
//!
//! The compiler notes each access in `.BTF.ext` as the path of members it goes by, in the types that the program was
//! compiled with. The members are looked for by name in the kernel's own types.
//!
//! ```text
//! .BTF.ext         header: magic u16 | version u8 | flags u8 | hdr_len u32 | func_info off, len | line_info off, len
//!                  | core_relo off, len
//! core_relo        record size u32, then for each section: name u32 | count u32 | count records
//! record           insn_off u32 | type u32 | access string u32 | kind u32
//! ```

use super::btf::{BadBtf, Btf, Named, Type, kind, u32_at};

/// `BPF_CORE_FIELD_BYTE_OFFSET` and `BPF_CORE_FIELD_EXISTS` (include/uapi/linux/bpf.h): all that our programs use.
const FIELD_OFFSET: u32 = 0;
const FIELD_EXISTS: u32 = 2;
const RECORD_BYTES: usize = 16;
/// Members within members.
const PATH_MAX: usize = 16;

/// One access as the compiler noted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The byte of the instruction in its section.
    pub offset: u32,
    of: u32,
    path: u32,
    kind: u32,
}

/// What an instruction needs to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The field's offset, or whether it exists.
    Value(u32),
    /// There is no such field here: the instruction must not be reached.
    Absent(String),
}

/// The accesses of one section.
///
/// # Errors
/// When `.BTF.ext` makes no sense.
pub fn accesses(extension: &[u8], local: &Btf, section: &str) -> Result<Vec<Access>, BadBtf> {
    let word = |at: usize| u32_at(extension, at).map(|value| value as usize);
    let (header, at, length) = (word(4)?, word(24)?, word(28)?);
    let begin = header.checked_add(at).ok_or(BadBtf)?;
    let end = begin.checked_add(length).ok_or(BadBtf)?;
    let table = extension.get(begin..end).ok_or(BadBtf)?;
    let mut found = Vec::new();
    if table.is_empty() {
        return Ok(found);
    }
    let size = u32_at(table, 0)? as usize;
    if size < RECORD_BYTES {
        return Err(BadBtf);
    }
    let mut at = 4;
    while at < table.len() {
        let name = local.text(u32_at(table, at)?);
        let count = u32_at(table, at + 4)? as usize;
        let begin = at + 8;
        let end = count.checked_mul(size).and_then(|bytes| bytes.checked_add(begin)).ok_or(BadBtf)?;
        for record in table.get(begin..end).ok_or(BadBtf)?.chunks_exact(size) {
            if name == section.as_bytes() {
                let word = |at| u32_at(record, at);
                found.push(Access { offset: word(0)?, of: word(4)?, path: word(8)?, kind: word(12)? });
            }
        }
        at = end;
    }
    Ok(found)
}

/// The names of the structs that these accesses begin with.
#[must_use]
pub fn roots<'a>(accesses: &[Access], local: &Btf<'a>) -> Vec<&'a [u8]> {
    let names = accesses.iter().filter_map(|access| Some(local.text(local.resolve(access.of)?.1.name)));
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Finds each access's field in the kernel's types. `kernel` are the kernel and its modules; `named` are their structs
/// by name.
#[must_use]
pub fn answer(access: Access, local: &Btf, kernel: &[&Btf], named: &[Named]) -> Answer {
    let Some(path) = Path::follow(access, local) else {
        return Answer::Absent("an access that this loader does not understand".to_owned());
    };
    let mut structs = kernel.iter().zip(named).flat_map(|(btf, named)| {
        named.of(kind::STRUCT, path.root).filter_map(|number| Some((*btf, btf.get(number)?)))
    });
    let found = structs.find_map(|(btf, root)| path.offset(btf, root));
    match (access.kind, found) {
        (FIELD_EXISTS, found) => Answer::Value(u32::from(found.is_some())),
        (FIELD_OFFSET, Some(offset)) => Answer::Value(offset),
        (FIELD_OFFSET, None) => Answer::Absent(path.to_string()),
        (other, _) => Answer::Absent(format!("{path} (relocation of kind {other})")),
    }
}

/// The members an access goes by.
struct Path<'a> {
    root: &'a [u8],
    names: Vec<&'a [u8]>,
    /// Bytes of the last member; none where it is a struct.
    size: Option<u32>,
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "struct {}", String::from_utf8_lossy(self.root))?;
        self.names.iter().try_for_each(|name| write!(f, ".{}", String::from_utf8_lossy(name)))
    }
}

impl<'a> Path<'a> {
    /// An access such as `0:3:1`: the first number counts structs in an array, the rest are members.
    fn follow(access: Access, local: &Btf<'a>) -> Option<Self> {
        let text = std::str::from_utf8(local.text(access.path)).ok()?;
        let mut numbers = text.split(':').map(str::parse::<usize>);
        if numbers.next()? != Ok(0) {
            return None;
        }
        let (mut number, root) = local.resolve(access.of)?;
        let mut names = Vec::new();
        for index in numbers.take(PATH_MAX) {
            let (_, of) = local.resolve(number)?;
            let member = local.members(of).nth(index.ok()?)?;
            names.push(local.text(member.name));
            number = member.of;
        }
        let is_scalar = matches!(local.resolve(number)?.1.kind(), kind::INT | kind::POINTER | kind::ENUM);
        let size = local.size(number).filter(|_| is_scalar);
        Some(Self { root: local.text(root.name), names, size })
    }

    /// The byte offset of the last member. None when one is missing, is a bit field, or is of another size than the
    /// program reads: a value read wrongly is worse than none.
    fn offset(&self, btf: &Btf, root: Type) -> Option<u32> {
        let (mut of, mut bits, mut number) = (root, 0_u32, 0);
        for (depth, name) in self.names.iter().enumerate() {
            if depth > 0 {
                (_, of) = btf.resolve(number)?;
            }
            let (offset, member) = find(btf, of, name)?;
            bits = bits.checked_add(offset)?;
            number = member;
        }
        if bits % 8 != 0 || self.size.is_some_and(|size| btf.size(number) != Some(size)) {
            return None;
        }
        Some(bits / 8)
    }
}

/// A member by name, in structs and unions without a name, too: its offset in bits, and its type.
pub(super) fn find(btf: &Btf, of: Type, name: &[u8]) -> Option<(u32, u32)> {
    let mut looks = LOOKS_MAX;
    find_within(btf, of, name, &mut looks, 0)
}

/// Members that are looked at for one: types that hold each other would go on for ever.
const LOOKS_MAX: u32 = 10_000;

fn find_within(btf: &Btf, of: Type, name: &[u8], looks: &mut u32, depth: usize) -> Option<(u32, u32)> {
    if depth > PATH_MAX {
        return None;
    }
    btf.members(of).find_map(|member| {
        *looks = looks.checked_sub(1)?;
        let own = btf.text(member.name);
        if own == name {
            return (member.bits == 0).then_some((member.bit_offset, member.of));
        }
        if !own.is_empty() {
            return None;
        }
        let (_, inner) = btf.resolve(member.of)?;
        let (offset, found) = find_within(btf, inner, name, looks, depth + 1)?;
        Some((member.bit_offset.checked_add(offset)?, found))
    })
}
