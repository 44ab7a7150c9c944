//! An object becomes instructions that the running kernel takes: maps by their descriptors, the kernel's functions by
//! their numbers, fields of its structs by their offsets.

use super::btf::{BadBtf, Btf, Named, kind};
use super::elf::{BadObject, Object};
use super::relocate::{self, Answer};

/// One instruction.
pub type Instruction = [u8; 8];

const BYTES: usize = size_of::<Instruction>();
const RELOCATE_ADDRESS: u32 = 1;
const RELOCATE_CALL: u32 = 10;
const LOAD_CONSTANT: u8 = 0x18;
const CALL: u8 = 0x85;
/// `BPF_PSEUDO_MAP_FD` and `BPF_PSEUDO_KFUNC_CALL`, in the place of the source register.
const IS_MAP: u8 = 1;
const IS_KERNEL_FUNCTION: u8 = 2;
/// A call of a helper that does not exist: the verifier refuses a program that can get there.
const UNREACHABLE: i32 = 195_896_080;

/// Why a program does not fit this kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// The object, which was built with this library, makes no sense.
    Object(&'static str),
    /// The kernel's types make no sense.
    Btf,
    /// The kernel lacks this function.
    Function(String),
    /// The program asks for a map that it is not given.
    Map(String),
}

impl std::fmt::Display for LinkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Object(what) => write!(f, "the built program is damaged: {what}"),
            Self::Btf => write!(f, "the kernel's types: {BadBtf}"),
            Self::Function(name) => write!(f, "this kernel has no function {name}"),
            Self::Map(name) => write!(f, "the program asks for a map {name}"),
        }
    }
}

impl From<BadObject> for LinkError {
    fn from(BadObject(what): BadObject) -> Self {
        Self::Object(what)
    }
}

/// A program that fits this kernel, as far as can be said before its verifier has seen it.
#[derive(Debug, PartialEq, Eq)]
pub struct Linked {
    /// Its instructions.
    pub instructions: Vec<Instruction>,
    /// Fields that it reads and this kernel lacks, or has in another size.
    pub absent: Vec<String>,
}

/// Links the program in one section of an object. `kernel` are the types of the kernel, and behind them those of its
/// modules.
///
/// # Errors
/// See [`LinkError`].
pub fn link(
    object: &[u8],
    section: &str,
    maps: &[(&str, i32)],
    kernel: &[&Btf],
) -> Result<Linked, LinkError> {
    let object = Object::parse(object)?;
    let code = object.section(section).ok_or(LinkError::Object("it has no such program"))?;
    let mut instructions: Vec<Instruction> = Vec::new();
    for bytes in code.chunks(BYTES) {
        instructions.push(bytes.try_into().map_err(|_| LinkError::Object("half an instruction"))?);
    }
    let own = object.section(".BTF").ok_or(LinkError::Object("it has no types"))?;
    let own = Btf::parse(own, None).map_err(|_| LinkError::Object("its types"))?;
    let extension = object.section(".BTF.ext").ok_or(LinkError::Object("it has no accesses"))?;
    let accesses = relocate::accesses(extension, &own, section);
    let accesses = accesses.map_err(|_| LinkError::Object("its accesses"))?;
    let relocations = object.relocations(section)?;

    let functions = relocations.iter().filter(|relocation| relocation.section.is_empty());
    let functions = functions.map(|relocation| relocation.symbol.as_bytes());
    let mut wanted: Vec<&[u8]> = functions.chain(relocate::roots(&accesses, &own)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let named: Vec<_> = kernel.iter().map(|btf| btf.named(&wanted)).collect();

    for relocation in &relocations {
        let place = place(&mut instructions, relocation.offset)?;
        match (relocation.kind, relocation.section) {
            (RELOCATE_ADDRESS, ".maps") if place[0] == LOAD_CONSTANT => {
                let map = maps.iter().find(|(name, _)| *name == relocation.symbol);
                let (_, fd) = map.ok_or_else(|| LinkError::Map(relocation.symbol.to_owned()))?;
                set_source(place, IS_MAP);
                set_immediate(place, *fd);
            }
            (RELOCATE_CALL, "") if place[0] == CALL => {
                let number = function(&named, relocation.symbol)?;
                set_source(place, IS_KERNEL_FUNCTION);
                place[2..4].copy_from_slice(&[0, 0]);
                set_immediate(place, number);
            }
            _ => return Err(LinkError::Object("a relocation of another kind")),
        }
    }
    let mut absent = Vec::new();
    for access in accesses {
        let answer = relocate::answer(access, &own, kernel, &named);
        let place = place(&mut instructions, access.offset as usize)?;
        match answer {
            Answer::Value(value) => put(place, value)?,
            Answer::Absent(field) => {
                // The second half of a wide instruction stays what it is: nothing gets there either.
                *place = [CALL, 0, 0, 0, 0, 0, 0, 0];
                set_immediate(place, UNREACHABLE);
                absent.push(field);
            }
        }
    }
    absent.dedup();
    Ok(Linked { instructions, absent })
}

fn place(instructions: &mut [Instruction], offset: usize) -> Result<&mut Instruction, LinkError> {
    let found = instructions.get_mut(offset / BYTES).filter(|_| offset.is_multiple_of(BYTES));
    found.ok_or(LinkError::Object("a relocation outside of the program"))
}

/// The number of one of the kernel's own functions.
fn function(named: &[Named], name: &str) -> Result<i32, LinkError> {
    let of_kernel = named.first().and_then(|named| named.of(kind::FUNCTION, name.as_bytes()).next());
    let number = of_kernel.and_then(|number| i32::try_from(number).ok());
    number.ok_or_else(|| LinkError::Function(name.to_owned()))
}

/// Puts an offset, or whether a field exists, where the instruction has it.
fn put(place: &mut Instruction, value: u32) -> Result<(), LinkError> {
    const CLASS_MASK: u8 = 7;
    const CLASS_WIDE: u8 = 0;
    match place[0] & CLASS_MASK {
        // Loads and stores: ldx, st, stx.
        1..=3 => {
            let offset = i16::try_from(value).map_err(|_| LinkError::Object("an offset beyond 32 KiB"))?;
            place[2..4].copy_from_slice(&offset.to_ne_bytes());
        }
        // Arithmetic with a constant, of 32 and 64 bits; or a wide constant.
        CLASS_WIDE | 4 | 7 => {
            set_immediate(
                place,
                i32::try_from(value).map_err(|_| LinkError::Object("an offset beyond 2 GiB"))?,
            );
        }
        _ => return Err(LinkError::Object("an access by a jump")),
    }
    Ok(())
}

/// The registers share a byte; which half is which depends on the machine's byte order.
fn set_source(place: &mut Instruction, number: u8) {
    place[1] = if cfg!(target_endian = "little") {
        (place[1] & 0x0f) | (number << 4)
    } else {
        (place[1] & 0xf0) | number
    };
}

fn set_immediate(place: &mut Instruction, value: i32) {
    place[4..8].copy_from_slice(&value.to_ne_bytes());
}
