//! What rules match, as sets of packets: the kernel's expressions, run over intervals instead of packets.
//!
//! What cannot be told exactly (sets, maps, rate limits, masks that are no prefix) makes a rule *inexact*: its cubes then
//! hold at least what it matches, which is enough to say that it is hidden, and never enough to say that it hides.

use super::space::{Cube, Field};
use crate::checks::parse::nft::ruleset::{Expression, Rule, Ruleset, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of a packet that a rule matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Accepted.
    Accept,
    /// Dropped, or refused.
    Drop,
    /// It leaves the chain: back, or for good to another one.
    Leaves(String),
    /// Another chain looks at it, and it may come back.
    Jumps(String),
    /// Nothing: the next rule.
    Nothing,
    /// Something that is not understood.
    Unknown,
}

/// A rule as a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// The kernel's number for it.
    pub handle: u64,
    /// The packets it matches, or more.
    pub cubes: Vec<Cube>,
    /// Whether it matches all of these and no more.
    pub exact: bool,
    /// What becomes of them.
    pub fate: Fate,
}

impl Matched {
    /// Whether no packet that it matches gets to the rules behind it.
    #[must_use]
    pub fn ends(&self) -> bool {
        self.exact && matches!(self.fate, Fate::Accept | Fate::Drop | Fate::Leaves(_))
    }
}

/// Names of interfaces as numbers, in such an order that all that begin alike are neighbours.
pub struct Interfaces {
    names: Vec<(String, bool)>,
}

impl Interfaces {
    /// The names in some rules.
    #[must_use]
    pub fn of(ruleset: &Ruleset) -> Self {
        let mut names = BTreeSet::new();
        for rule in ruleset.rules.values().flatten() {
            names.extend(rule.interfaces().into_iter().map(|interface| (interface.name, interface.prefix)));
        }
        Self { names: names.into_iter().collect() }
    }

    /// The numbers of a name, or of all names that begin like it; of which the last stands for those no rule names.
    fn numbers(&self, name: &str, prefix: bool) -> Option<(u128, u128)> {
        let first = if prefix {
            self.names.partition_point(|(known, _)| known.as_str() < name)
        } else {
            self.names.iter().position(|(known, is_prefix)| known == name && !is_prefix)?
        };
        let count = if prefix {
            self.names[first..].iter().take_while(|(known, _)| known.starts_with(name)).count()
        } else {
            1
        };
        let last = first.checked_add(count)?.checked_sub(1)?;
        Some((u128::try_from(first).ok()?, u128::try_from(last).ok()?))
    }
}

/// A rule as a set of packets.
#[must_use]
pub fn lift(rule: &Rule, interfaces: &Interfaces) -> Matched {
    let mut run = Run { cubes: vec![Cube::ALL], exact: true, registers: BTreeMap::new() };
    let mut fate = Fate::Nothing;
    for expression in &rule.expressions {
        match expression {
            Expression::Verdict(verdict) => {
                fate = match verdict {
                    Verdict::Drop => Fate::Drop,
                    Verdict::Accept => Fate::Accept,
                    Verdict::Continue => Fate::Nothing,
                    Verdict::Return => Fate::Leaves("return".to_owned()),
                    Verdict::Jump(chain) => Fate::Jumps(chain.clone()),
                    Verdict::Goto(chain) => Fate::Leaves(format!("goto {chain}")),
                    Verdict::Other(_) => Fate::Unknown,
                };
                break;
            }
            Expression::Reject => {
                fate = Fate::Drop;
                break;
            }
            Expression::Lookup { verdict_map: true, .. } => {
                fate = Fate::Unknown;
                run.exact = false;
                break;
            }
            other => run.step(other, interfaces),
        }
    }
    Matched { handle: rule.handle, cubes: run.cubes, exact: run.exact, fate }
}

/// What is in a register.
#[derive(Clone)]
enum Loaded {
    /// Bytes of fields, in network order: each field, and how many of its leading bytes.
    Bytes(Vec<(Field, usize)>),
    /// The same with bits masked away: how many leading bits are left.
    Prefix(Field, u32),
    /// The name of an interface.
    Name(Field),
    /// One bit of `linux/netfilter/nf_conntrack_common.h` for the connection's state.
    State,
    /// The same, those of a mask.
    States(u32),
}

struct Run {
    cubes: Vec<Cube>,
    exact: bool,
    registers: BTreeMap<u32, Loaded>,
}

/// Cubes of one rule; each comparison with "not equal" doubles them at most.
const CUBES_MAX: usize = 64;

/// `NF_CT_STATE_BIT`s in the order of [`Field::State`].
const STATE_BITS: [u32; 5] = [1, 2, 4, 8, 64];

impl Run {
    fn step(&mut self, expression: &Expression, interfaces: &Interfaces) {
        match expression {
            Expression::Meta { key, register } => {
                let loaded = match key {
                    6 => Some(Loaded::Name(Field::In)),
                    7 => Some(Loaded::Name(Field::Out)),
                    15 => Some(Loaded::Bytes(vec![(Field::Network, 1)])),
                    16 => Some(Loaded::Bytes(vec![(Field::Transport, 1)])),
                    _ => None,
                };
                self.load(*register, loaded);
            }
            Expression::Ct { key, register } => self.load(*register, (*key == 0).then_some(Loaded::State)),
            Expression::Payload { base, offset, length, register } => {
                self.load(*register, payload(*base, *offset, *length).map(Loaded::Bytes));
            }
            Expression::Bitwise { source, register, mask } => {
                let masked = match self.registers.get(source) {
                    Some(Loaded::Bytes(fields))
                        if fields.len() == 1 && fields[0].1 == bytes_of(fields[0].0) =>
                    {
                        leading_ones(mask).map(|bits| Loaded::Prefix(fields[0].0, bits))
                    }
                    Some(Loaded::State) => {
                        mask.as_slice().try_into().ok().map(|mask| Loaded::States(u32::from_ne_bytes(mask)))
                    }
                    _ => None,
                };
                self.load(*register, masked);
            }
            Expression::Compare { register, operation, data } => {
                match self.registers.get(register).cloned() {
                    Some(loaded) => self.compare(&loaded, *operation, data, interfaces),
                    None => self.exact = false,
                }
            }
            Expression::Neutral(_) => {}
            // A set that is looked up, a limit, something of another kind: fewer packets, unknown which.
            _ => self.exact = false,
        }
    }

    fn load(&mut self, register: u32, loaded: Option<Loaded>) {
        match loaded {
            Some(loaded) => self.registers.insert(register, loaded),
            None => self.registers.remove(&register),
        };
    }

    fn compare(&mut self, loaded: &Loaded, operation: u32, data: &[u8], interfaces: &Interfaces) {
        let intervals = match loaded {
            Loaded::Bytes(fields) => bytes(fields, operation, data),
            Loaded::Prefix(field, bits) => prefix(*field, *bits, operation, data),
            Loaded::Name(field) => name(*field, operation, data, interfaces),
            Loaded::State | Loaded::States(_) => states(loaded, operation, data),
        };
        let Some(intervals) = intervals else {
            self.exact = false;
            return;
        };
        let mut left = Vec::new();
        for cube in &self.cubes {
            for all_of in &intervals {
                let narrow = |cube: Option<Cube>, (field, low, high): &(Field, u128, u128)| {
                    cube.and_then(|cube| cube.narrowed(*field, *low, *high))
                };
                left.extend(all_of.iter().fold(Some(*cube), narrow));
            }
        }
        if left.len() > CUBES_MAX {
            self.exact = false;
        } else {
            self.cubes = left;
        }
    }
}

/// One of these, all of whose intervals hold.
type Intervals = Option<Vec<Vec<(Field, u128, u128)>>>;

const fn bytes_of(field: Field) -> usize {
    match field {
        Field::Network | Field::Transport => 1,
        Field::SourcePort | Field::DestinationPort => 2,
        Field::Source6 | Field::Destination6 => 16,
        _ => 4,
    }
}

/// Which fields the bytes of a header are; several where rules about neighbours were merged.
fn payload(base: u32, offset: u32, length: u32) -> Option<Vec<(Field, usize)>> {
    const NETWORK: u32 = 1;
    const TRANSPORT: u32 = 2;
    /// Where each field begins. Of IPv4 and IPv6 those at the same place are told apart by their length: a rule about an
    /// address of IPv6 loads more of it than an address of IPv4 has.
    const FIELDS: [(u32, u32, Field); 6] = [
        (NETWORK, 12, Field::Source4),
        (NETWORK, 16, Field::Destination4),
        (NETWORK, 8, Field::Source6),
        (NETWORK, 24, Field::Destination6),
        (TRANSPORT, 0, Field::SourcePort),
        (TRANSPORT, 2, Field::DestinationPort),
    ];
    let mut found = Vec::new();
    let (mut at, end) = (offset, offset.checked_add(length)?);
    while at < end {
        let (_, _, field) = FIELDS.iter().find(|(of, begin, _)| *of == base && *begin == at)?;
        let length = bytes_of(*field).min(usize::try_from(end - at).ok()?);
        found.push((*field, length));
        at += u32::try_from(length).ok()?;
    }
    Some(found)
}

fn leading_ones(mask: &[u8]) -> Option<u32> {
    let ones: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    let leading = mask
        .iter()
        .position(|byte| *byte != 0xff)
        .map_or(mask.len() * 8, |at| at * 8 + usize::try_from(mask[at].leading_ones()).unwrap_or(0));
    (u32::try_from(leading) == Ok(ones)).then_some(ones)
}

fn big_endian(data: &[u8]) -> Option<u128> {
    (data.len() <= 16).then(|| data.iter().fold(0, |value, byte| value << 8 | u128::from(*byte)))
}

fn bytes(fields: &[(Field, usize)], operation: u32, data: &[u8]) -> Intervals {
    if data.len() != fields.iter().map(|(_, length)| length).sum::<usize>() {
        return None;
    }
    if let [(field, length)] = fields {
        let value = big_endian(data)?;
        let unseen = u32::try_from(bytes_of(*field) - length).ok()? * 8;
        let low = value.checked_shl(unseen)?;
        let high = if unseen == 0 { low } else { low | ((1 << unseen) - 1) };
        return compared(*field, operation, low, high);
    }
    let mut rest = data;
    let mut all_of = Vec::new();
    for (field, length) in fields {
        let (mine, after) = rest.split_at_checked(*length)?;
        rest = after;
        all_of.extend(bytes(&[(*field, *length)], 0, mine)?.pop()?);
    }
    (operation == 0).then(|| vec![all_of])
}

/// What a comparison with an interval of equal values leaves.
fn compared(field: Field, operation: u32, low: u128, high: u128) -> Intervals {
    let max = field.max();
    let below = |end: u128| end.checked_sub(1).map(|end| (field, 0, end));
    let above =
        |begin: u128| begin.checked_add(1).filter(|begin| *begin <= max).map(|begin| (field, begin, max));
    let one =
        |interval: Option<(Field, u128, u128)>| interval.into_iter().map(|interval| vec![interval]).collect();
    Some(match operation {
        0 => one(Some((field, low, high))),
        1 => below(low).into_iter().chain(above(high)).map(|interval| vec![interval]).collect(),
        2 => one(below(low)),
        3 => one(Some((field, 0, high))),
        4 => one(above(high)),
        5 => one(Some((field, low, max))),
        _ => return None,
    })
}

fn prefix(field: Field, bits: u32, operation: u32, data: &[u8]) -> Intervals {
    let total = u32::try_from(bytes_of(field)).ok()? * 8;
    let low = big_endian(data).filter(|_| data.len() == bytes_of(field))?;
    let unseen = total.checked_sub(bits)?;
    let rest = if unseen == 0 { 0 } else { u128::MAX >> (128 - unseen) };
    if low & rest != 0 || operation > 1 {
        return None;
    }
    compared(field, operation, low, low | rest)
}

fn name(field: Field, operation: u32, data: &[u8], interfaces: &Interfaces) -> Intervals {
    let end = memchr::memchr(0, data);
    let name = String::from_utf8_lossy(&data[..end.unwrap_or(data.len())]).into_owned();
    let (low, high) = interfaces.numbers(&name, end.is_none())?;
    (operation <= 1).then(|| compared(field, operation, low, high)).flatten()
}

fn states(loaded: &Loaded, operation: u32, data: &[u8]) -> Intervals {
    let data = u32::from_ne_bytes(data.try_into().ok()?);
    let holds = |bit: u32| match (loaded, operation) {
        (Loaded::State, 0) => Some(bit == data),
        (Loaded::State, 1) => Some(bit != data),
        (Loaded::States(mask), 0) => Some(bit & mask == data),
        (Loaded::States(mask), 1) => Some(bit & mask != data),
        _ => None,
    };
    let mut found = Vec::new();
    for (state, bit) in (0..).zip(STATE_BITS) {
        if holds(bit)? {
            found.push(vec![(Field::State, state, state)]);
        }
    }
    Some(found)
}
