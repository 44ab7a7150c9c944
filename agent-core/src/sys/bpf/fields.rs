//! Where a struct of the kernel's has its counters: numbers of 64 bits, by name.

use super::btf::{Btf, Type, kind};
use super::relocate::find;

/// Structs within structs.
const DEPTH_MAX: usize = 8;
/// Members that are looked at; types that hold each other would go on for ever.
const LOOKS_MAX: u32 = 4_096;

/// A counter: its name, and its offset in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Bytes from the beginning of the struct.
    pub offset: u32,
}

/// A struct that holds counters, within another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// Bytes from the beginning of the outer struct.
    pub offset: u32,
    /// The counters, in any order.
    pub fields: Vec<Field>,
}

/// The counters in the member of this name of the struct of that name, in whichever of the types has it: those of the
/// kernel, or of one of its modules.
#[must_use]
pub fn counters(kernel: &[&Btf], outer: &str, member: &str) -> Option<Fields> {
    kernel.iter().find_map(|btf| {
        let named = btf.named(&[outer.as_bytes()]);
        named.of(kind::STRUCT, outer.as_bytes()).find_map(|number| {
            let (bits, of) = find(btf, btf.get(number)?, member.as_bytes())?;
            let mut fields = Vec::new();
            let mut looks = LOOKS_MAX;
            collect(btf, btf.resolve(of)?.1, (0, 0), &mut looks, &mut fields);
            (bits.is_multiple_of(8) && !fields.is_empty()).then_some(Fields { offset: bits / 8, fields })
        })
    })
}

fn collect(btf: &Btf, of: Type, (base, depth): (u32, usize), looks: &mut u32, fields: &mut Vec<Field>) {
    if depth > DEPTH_MAX {
        return;
    }
    for member in btf.members(of) {
        let Some(left) = looks.checked_sub(1) else { return };
        *looks = left;
        let (Some(offset), Some((_, inner))) = (base.checked_add(member.bit_offset), btf.resolve(member.of))
        else {
            continue;
        };
        if member.bits != 0 {
            continue;
        }
        let is_compound = matches!(inner.kind(), kind::STRUCT | kind::UNION);
        if is_compound && !is_atomic(btf, inner) {
            collect(btf, inner, (offset, depth + 1), looks, fields);
        } else if (is_compound || inner.kind() == kind::INT)
            && inner.size_or_type == 8
            && offset.is_multiple_of(8)
        {
            let name = String::from_utf8_lossy(btf.text(member.name)).into_owned();
            fields.push(Field { name, offset: offset / 8 });
        }
    }
}

/// `atomic64_t`: one number in a struct.
fn is_atomic(btf: &Btf, of: Type) -> bool {
    let mut members = btf.members(of);
    let first = members.next().map(|member| btf.text(member.name));
    of.size_or_type == 8 && first == Some(b"counter") && members.next().is_none()
}
