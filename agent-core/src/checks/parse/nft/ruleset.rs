//! Tables, chains and rules, expressions as far as a question about defaults and interfaces needs them. (The kernel's
//! `include/uapi/linux/netfilter/nf_tables.h`.)

use super::message::{Attributes, Dump, Message, messages, number, text};
use super::{Malformed, wrong};
use std::collections::BTreeMap;

/// What a table is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4 and IPv6.
    Inet,
    /// IPv4.
    Ipv4,
    /// ARP.
    Arp,
    /// A device, before anything else sees the packet.
    Netdev,
    /// Bridges.
    Bridge,
    /// IPv6.
    Ipv6,
    /// One that this code does not know.
    Other(u8),
}

impl Family {
    fn of(number: u8) -> Self {
        match number {
            1 => Self::Inet,
            2 => Self::Ipv4,
            3 => Self::Arp,
            5 => Self::Netdev,
            7 => Self::Bridge,
            10 => Self::Ipv6,
            other => Self::Other(other),
        }
    }
}

/// Where a base chain sees packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// As they come in, before it is decided where they go.
    Prerouting,
    /// For this host.
    Input,
    /// Passing through.
    Forward,
    /// From this host.
    Output,
    /// As they leave.
    Postrouting,
    /// At a device, inwards.
    Ingress,
    /// At a device, outwards.
    Egress,
    /// One that this code does not know.
    Other(u32),
}

impl Hook {
    fn of(family: Family, number: u32) -> Self {
        match (family, number) {
            (Family::Netdev, 0) | (Family::Inet, 5) => Self::Ingress,
            (Family::Netdev, 1) => Self::Egress,
            (Family::Netdev, other) => Self::Other(other),
            (Family::Arp, 1) | (_, 3) => Self::Output,
            (Family::Arp, 0) | (_, 1) => Self::Input,
            (_, 0) => Self::Prerouting,
            (_, 2) => Self::Forward,
            (_, 4) => Self::Postrouting,
            (_, other) => Self::Other(other),
        }
    }
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// What it is about.
    pub family: Family,
    /// Its name.
    pub name: String,
    /// Whether it is asleep: its chains see nothing.
    pub dormant: bool,
}

/// Which chain: the family, the table's name and its own.
pub type ChainKey = (Family, String, String);

/// A chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Which one.
    pub key: ChainKey,
    /// Where it sees packets; `None` when it only does what others jump to.
    pub base: Option<Base>,
}

/// What makes a chain a base chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Where it sees packets.
    pub hook: Hook,
    /// Its place among others, the lowest first.
    pub priority: i32,
    /// Whether what no rule decides is dropped.
    pub drops: bool,
    /// `filter`, `nat` or `route`.
    pub kind: String,
    /// The devices of a `netdev` chain.
    pub devices: Vec<String>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its chain.
    pub chain: ChainKey,
    /// The kernel's number for it.
    pub handle: u64,
    /// What it does, in order.
    pub expressions: Vec<Expression>,
}

/// One step of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// A packet's circumstance into a register; `NFT_META_*`.
    Meta {
        /// Which.
        key: u32,
        /// Where to.
        register: u32,
    },
    /// A connection's property into a register; `NFT_CT_*`.
    Ct {
        /// Which.
        key: u32,
        /// Where to.
        register: u32,
    },
    /// A part of the packet into a register.
    Payload {
        /// Of which header: 0 link, 1 network, 2 transport, 3 inner.
        base: u32,
        /// From which byte.
        offset: u32,
        /// How many bytes.
        length: u32,
        /// Where to.
        register: u32,
    },
    /// Bits of a register masked and flipped into another.
    Bitwise {
        /// Where from.
        source: u32,
        /// Where to.
        register: u32,
        /// The bits that stay.
        mask: Vec<u8>,
    },
    /// Goes on only if a register compares.
    Compare {
        /// The register.
        register: u32,
        /// How: 0 equal, 1 not equal, 2 to 5 in order.
        operation: u32,
        /// With what.
        data: Vec<u8>,
    },
    /// Goes on only if a register is in a set, or takes what a map says. The set is not looked at.
    Lookup {
        /// The set.
        set: String,
        /// The register.
        register: u32,
        /// Goes on only if it is not in the set.
        inverted: bool,
        /// What the map says is a verdict.
        verdict_map: bool,
    },
    /// Decides.
    Verdict(Verdict),
    /// Refuses, and says so to the sender.
    Reject,
    /// Counts, logs, marks: nothing that decides or compares.
    Neutral(&'static str),
    /// Something else, by its name; xtables' matches and targets with theirs behind a colon.
    Other(String),
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is dropped.
    Drop,
    /// This hook's chain is done with it.
    Accept,
    /// The next rule.
    Continue,
    /// Back to where the jump came from.
    Return,
    /// Another chain, and back.
    Jump(String),
    /// Another chain, and not back.
    Goto(String),
    /// A program decides, or something this code does not know.
    Other(i32),
}

/// All tables, chains and rules of a network namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// Tables.
    pub tables: Vec<Table>,
    /// Chains.
    pub chains: BTreeMap<ChainKey, Chain>,
    /// The rules of each chain, in order.
    pub rules: BTreeMap<ChainKey, Vec<Rule>>,
    /// Whether rules changed while they were told: ask again.
    pub interrupted: bool,
}

/// Reads what the kernel answered to the three requests of [`Dump`].
///
/// # Errors
/// When an answer is cut, has no end, is a refusal, or a message lacks what it must have.
pub fn parse(tables: &[u8], chains: &[u8], rules: &[u8]) -> Result<Ruleset, Malformed> {
    let mut found = Ruleset::default();
    let interrupted = [
        each(tables, Dump::Tables, &mut |message| {
            found.tables.push(table(message)?);
            Ok(())
        })?,
        each(chains, Dump::Chains, &mut |message| {
            let chain = chain(message)?;
            found.chains.insert(chain.key.clone(), chain);
            Ok(())
        })?,
        each(rules, Dump::Rules, &mut |message| {
            let rule = rule(message)?;
            found.rules.entry(rule.chain.clone()).or_default().push(rule);
            Ok(())
        })?,
    ];
    found.interrupted = interrupted.contains(&true);
    Ok(found)
}

type Visit<'a> = &'a mut dyn FnMut(&Message) -> Result<(), Malformed>;

fn each(bytes: &[u8], dump: Dump, visit: Visit) -> Result<bool, Malformed> {
    let (mut answers, mut interrupted) = (messages(bytes), false);
    for message in answers.by_ref() {
        let message = message?;
        interrupted |= message.interrupted;
        if message.kind == dump.answer_kind() {
            visit(&message)?;
        }
    }
    if answers.is_done() { Ok(interrupted) } else { Err(wrong(bytes.len(), "an answer without an end")) }
}

/// Attributes by their number, the last of equal ones; `N` is one more than the largest that is looked at.
fn collect<const N: usize>(attributes: Attributes<'_>) -> Result<[Option<&[u8]>; N], Malformed> {
    let mut found = [None; N];
    for attribute in attributes {
        let (kind, content) = attribute?;
        if let Some(slot) = found.get_mut(usize::from(kind)) {
            *slot = Some(content);
        }
    }
    Ok(found)
}

fn name(content: Option<&[u8]>, what: &'static str) -> Result<String, Malformed> {
    content.map(text).ok_or(wrong(0, what))
}

fn table(message: &Message) -> Result<Table, Malformed> {
    const DORMANT: u32 = 1;
    let [_, table, flags] = collect::<3>(message.attributes.clone())?;
    Ok(Table {
        family: Family::of(message.family),
        name: name(table, "a table's name")?,
        dormant: flags.and_then(number).unwrap_or(0) & DORMANT != 0,
    })
}

fn chain(message: &Message) -> Result<Chain, Malformed> {
    const ACCEPT: u32 = 1;
    let [_, table, _, own, hook, policy, _, kind] = collect::<8>(message.attributes.clone())?;
    let family = Family::of(message.family);
    let key = (family, name(table, "a chain's table")?, name(own, "a chain's name")?);
    let base = hook.map(|hook| {
        let [_, place, priority, device, devices] = collect::<5>(Attributes::nested(hook))?;
        let mut devices = devices.map_or(Ok(Vec::new()), |devices| {
            Attributes::nested(devices).map(|device| Ok(text(device?.1))).collect::<Result<Vec<_>, _>>()
        })?;
        devices.extend(device.map(text).filter(|device| !devices.contains(device)));
        Ok(Base {
            hook: Hook::of(family, place.and_then(number).ok_or(wrong(0, "a chain's hook"))?),
            priority: priority.and_then(number).ok_or(wrong(0, "a chain's priority"))?.cast_signed(),
            drops: policy.and_then(number).unwrap_or(ACCEPT) != ACCEPT,
            kind: kind.map(text).unwrap_or_default(),
            devices,
        })
    });
    Ok(Chain { key, base: base.transpose()? })
}

fn rule(message: &Message) -> Result<Rule, Malformed> {
    let [_, table, chain, handle, list] = collect::<5>(message.attributes.clone())?;
    let key = (Family::of(message.family), name(table, "a rule's table")?, name(chain, "a rule's chain")?);
    let handle = handle.and_then(|handle| handle.try_into().ok()).map(u64::from_be_bytes);
    let expressions = Attributes::nested(list.unwrap_or_default()).map(|element| {
        let [_, name, data] = collect::<3>(Attributes::nested(element?.1))?;
        expression(&self::name(name, "an expression's name")?, data.unwrap_or_default())
    });
    Ok(Rule {
        chain: key,
        handle: handle.ok_or(wrong(0, "a rule's handle"))?,
        expressions: expressions.collect::<Result<_, _>>()?,
    })
}

fn expression(name: &str, data: &[u8]) -> Result<Expression, Malformed> {
    let [_, first, second, third, fourth, fifth] = collect::<6>(Attributes::nested(data))?;
    let need = |content: Option<&[u8]>, what| content.and_then(number).ok_or(wrong(0, what));
    // A set in the place of a source: it writes, and decides nothing.
    Ok(match name {
        "meta" if first.is_none() => Expression::Neutral("meta set"),
        "meta" => Expression::Meta { key: need(second, "meta")?, register: need(first, "meta")? },
        "ct" if first.is_none() => Expression::Neutral("ct set"),
        "ct" => Expression::Ct { key: need(second, "ct")?, register: need(first, "ct")? },
        "payload" if first.is_none() => Expression::Neutral("payload set"),
        "payload" => Expression::Payload {
            base: need(second, "payload")?,
            offset: need(third, "payload")?,
            length: need(fourth, "payload")?,
            register: need(first, "payload")?,
        },
        "bitwise" => Expression::Bitwise {
            source: need(first, "bitwise")?,
            register: need(second, "bitwise")?,
            mask: value(fourth)?.unwrap_or_default(),
        },
        "cmp" => Expression::Compare {
            register: need(first, "cmp")?,
            operation: need(second, "cmp")?,
            data: value(third)?.ok_or(wrong(0, "cmp"))?,
        },
        "lookup" => Expression::Lookup {
            set: first.map(text).unwrap_or_default(),
            register: need(second, "lookup")?,
            inverted: fifth.and_then(number).unwrap_or(0) & 1 != 0,
            verdict_map: third.and_then(number) == Some(0),
        },
        "immediate" => immediate(need(first, "immediate")?, second)?,
        "reject" => Expression::Reject,
        "counter" => Expression::Neutral("counter"),
        "log" => Expression::Neutral("log"),
        "notrack" => Expression::Neutral("notrack"),
        "match" | "target" => match first.map(text).unwrap_or_default() {
            // iptables' comments are matches.
            comment if comment == "comment" => Expression::Neutral("comment"),
            other => Expression::Other(format!("{name}:{other}")),
        },
        other => Expression::Other(other.to_owned()),
    })
}

/// `NFTA_DATA_VALUE` within a nested attribute.
fn value(data: Option<&[u8]>) -> Result<Option<Vec<u8>>, Malformed> {
    let Some(data) = data else { return Ok(None) };
    let [_, value] = collect::<2>(Attributes::nested(data))?;
    Ok(value.map(<[u8]>::to_vec))
}

fn immediate(register: u32, data: Option<&[u8]>) -> Result<Expression, Malformed> {
    const VERDICT_REGISTER: u32 = 0;
    if register != VERDICT_REGISTER {
        return Ok(Expression::Neutral("immediate"));
    }
    let [_, _, verdict] = collect::<3>(Attributes::nested(data.unwrap_or_default()))?;
    let [_, code, chain] = collect::<3>(Attributes::nested(verdict.unwrap_or_default()))?;
    let code = code.and_then(number).ok_or(wrong(0, "a verdict"))?.cast_signed();
    let chain = || name(chain, "a verdict's chain");
    Ok(Expression::Verdict(match code {
        0 => Verdict::Drop,
        1 => Verdict::Accept,
        // `NFT_BREAK` ends the rule, as what follows the last expression does.
        -1 | -2 => Verdict::Continue,
        -3 => Verdict::Jump(chain()?),
        -4 => Verdict::Goto(chain()?),
        -5 => Verdict::Return,
        other => Verdict::Other(other),
    }))
}
