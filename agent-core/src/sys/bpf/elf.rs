//! As much of an ELF object as a BPF program needs (elf(5)): 64 bits, of this machine's byte order, not yet linked.

/// Sections of an object that are looked at; clang makes a dozen.
const SECTIONS_MAX: usize = 256;

/// An object that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadObject(pub &'static str);

/// An object file.
pub struct Object<'a> {
    sections: Vec<Section<'a>>,
}

/// One section.
struct Section<'a> {
    name: &'a str,
    kind: u32,
    link: usize,
    info: usize,
    data: &'a [u8],
}

/// Where a symbol's value is to be put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation<'a> {
    /// The byte in the section.
    pub offset: usize,
    /// `R_BPF_64_64` or `R_BPF_64_32`.
    pub kind: u32,
    /// The symbol's name.
    pub symbol: &'a str,
    /// The section it is defined in; empty when it is of nobody here.
    pub section: &'a str,
}

const SECTION_HEADER_BYTES: usize = 64;
const SYMBOL_BYTES: usize = 24;
const RELOCATION_BYTES: usize = 16;
const KIND_NO_DATA: u32 = 8;
const KIND_RELOCATIONS: u32 = 9;
const TYPE_RELOCATABLE: u16 = 1;
const MACHINE_BPF: u16 = 247;

impl<'a> Object<'a> {
    /// Reads the table of sections.
    ///
    /// # Errors
    /// For what is no such object.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BadObject> {
        let class: u8 = 2;
        let order: u8 = if cfg!(target_endian = "little") { 1 } else { 2 };
        let ident = [0x7f, b'E', b'L', b'F', class, order];
        if bytes.get(..ident.len()) != Some(&ident[..]) {
            return Err(BadObject("no ELF object of this machine's kind"));
        }
        if u16_at(bytes, 16)? != TYPE_RELOCATABLE || u16_at(bytes, 18)? != MACHINE_BPF {
            return Err(BadObject("no object of BPF programs"));
        }
        let table = size(u64_at(bytes, 40)?)?;
        let count = usize::from(u16_at(bytes, 60)?);
        let names = usize::from(u16_at(bytes, 62)?);
        if usize::from(u16_at(bytes, 58)?) != SECTION_HEADER_BYTES || count > SECTIONS_MAX {
            return Err(BadObject("a table of sections beyond any compiler's"));
        }
        let header = |number: usize| {
            let begin = table.checked_add(number * SECTION_HEADER_BYTES).ok_or(TRUNCATED)?;
            part(bytes, begin, SECTION_HEADER_BYTES)
        };
        let data = |header: &[u8]| {
            let (offset, length) = (size(u64_at(header, 24)?)?, size(u64_at(header, 32)?)?);
            if u32_at(header, 4)? == KIND_NO_DATA { Ok(&bytes[..0]) } else { part(bytes, offset, length) }
        };
        let names = data(header(names)?)?;
        let sections = (0..count).map(|number| {
            let header = header(number)?;
            Ok(Section {
                name: text(names, u32_at(header, 0)?)?,
                kind: u32_at(header, 4)?,
                link: u32_at(header, 40)? as usize,
                info: u32_at(header, 44)? as usize,
                data: data(header)?,
            })
        });
        Ok(Self { sections: sections.collect::<Result<_, BadObject>>()? })
    }

    /// The bytes of a section.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&'a [u8]> {
        self.sections.iter().find(|section| section.name == name).map(|section| section.data)
    }

    /// The relocations of a section.
    ///
    /// # Errors
    /// When one of them makes no sense.
    pub fn relocations(&self, of: &str) -> Result<Vec<Relocation<'a>>, BadObject> {
        let mut found = Vec::new();
        for section in self.sections.iter().filter(|section| section.kind == KIND_RELOCATIONS) {
            let target = self.sections.get(section.info).ok_or(TRUNCATED)?;
            if target.name != of {
                continue;
            }
            let symbols = self.sections.get(section.link).ok_or(TRUNCATED)?;
            for entry in section.data.chunks_exact(RELOCATION_BYTES) {
                let info = u64_at(entry, 8)?;
                let (symbol, defined_in) = self.symbol(symbols, size(info >> 32)?)?;
                found.push(Relocation {
                    offset: size(u64_at(entry, 0)?)?,
                    kind: (info & 0xffff_ffff) as u32,
                    symbol,
                    section: defined_in,
                });
            }
        }
        Ok(found)
    }

    /// A symbol's name, and that of its section.
    fn symbol(&self, symbols: &Section<'a>, number: usize) -> Result<(&'a str, &'a str), BadObject> {
        let begin = number.checked_mul(SYMBOL_BYTES).ok_or(TRUNCATED)?;
        let symbol = part(symbols.data, begin, SYMBOL_BYTES)?;
        let names = self.sections.get(symbols.link).ok_or(TRUNCATED)?;
        let section = usize::from(u16_at(symbol, 6)?);
        let defined_in =
            if section == 0 { "" } else { self.sections.get(section).map_or("", |own| own.name) };
        Ok((text(names.data, u32_at(symbol, 0)?)?, defined_in))
    }
}

const TRUNCATED: BadObject = BadObject("it ends before what it announces");

fn size(value: u64) -> Result<usize, BadObject> {
    usize::try_from(value).map_err(|_| TRUNCATED)
}

fn part(bytes: &[u8], begin: usize, length: usize) -> Result<&[u8], BadObject> {
    let end = begin.checked_add(length).ok_or(TRUNCATED)?;
    bytes.get(begin..end).ok_or(TRUNCATED)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], BadObject> {
    part(bytes, at, N)?.try_into().map_err(|_| TRUNCATED)
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, BadObject> {
    array(bytes, at).map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, BadObject> {
    array(bytes, at).map(u32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, BadObject> {
    array(bytes, at).map(u64::from_ne_bytes)
}

fn text(names: &[u8], at: u32) -> Result<&str, BadObject> {
    let rest = names.get(at as usize..).ok_or(TRUNCATED)?;
    let end = memchr::memchr(0, rest).ok_or(TRUNCATED)?;
    std::str::from_utf8(&rest[..end]).map_err(|_| BadObject("a name that is no text"))
}
