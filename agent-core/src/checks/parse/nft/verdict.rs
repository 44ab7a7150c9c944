//! What becomes of a packet that no rule is about, and which rules are about an interface. (nft(8).)

use super::ruleset::{Chain, ChainKey, Expression, Family, Hook, Rule, Ruleset, Verdict};
use std::collections::BTreeMap;

/// As deep as the kernel lets jumps nest (`NFT_JUMP_STACK_SIZE`).
const DEPTH_MAX: usize = 16;

/// What becomes of the first packet of a connection that no rule singles out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultVerdict {
    /// A base chain's policy drops it.
    DropsByPolicy,
    /// A rule that drops everything that comes to it.
    DropsByLastRule,
    /// Every base chain lets it pass.
    Accepts,
    /// No base chain sees it.
    NoChain,
    /// It depends on what cannot be seen here.
    Undecidable(&'static str),
}

/// What a chain does to that packet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Nothing: it goes on where it came from.
    Returns,
    Drops,
    Accepts,
    Unknown(&'static str),
}

/// Whether a rule is about that packet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Everything that comes to it.
    All,
    /// Some packets.
    Some,
    /// All but some packets, or something that cannot be told.
    Most(&'static str),
}

impl Ruleset {
    /// What becomes of the first packet of a connection that no rule singles out, at a hook, in one family. Chains of
    /// `inet` are about IPv4 and IPv6; those of `nat` decide nothing; those of a table that is asleep see nothing. Of
    /// several chains one that drops is enough: what another accepts still has to pass it.
    #[must_use]
    pub fn default_verdict(&self, family: Family, hook: Hook) -> DefaultVerdict {
        let mut memory = BTreeMap::new();
        let (mut seen, mut unknown, mut by_rule) = (false, None, false);
        for chain in self.base_chains(family, hook) {
            let Some(base) = chain.base.as_ref().filter(|base| base.kind != "nat") else { continue };
            seen = true;
            match self.outcome(&chain.key, family, DEPTH_MAX, &mut memory) {
                Outcome::Drops => by_rule = true,
                Outcome::Returns if base.drops => return DefaultVerdict::DropsByPolicy,
                Outcome::Unknown(reason) => unknown = unknown.or(Some(reason)),
                Outcome::Returns | Outcome::Accepts => {}
            }
        }
        match (by_rule, unknown) {
            (true, _) => DefaultVerdict::DropsByLastRule,
            (false, Some(reason)) => DefaultVerdict::Undecidable(reason),
            (false, None) if seen => DefaultVerdict::Accepts,
            (false, None) => DefaultVerdict::NoChain,
        }
    }

    /// The base chains that see a family's packets at a hook, by priority.
    #[must_use]
    pub fn base_chains(&self, family: Family, hook: Hook) -> Vec<&Chain> {
        let asleep = |key: &ChainKey| {
            self.tables.iter().any(|table| table.dormant && table.family == key.0 && table.name == key.1)
        };
        let both = matches!(family, Family::Ipv4 | Family::Ipv6);
        let about = |chain: &&Chain| {
            let at_hook = chain.base.as_ref().is_some_and(|base| base.hook == hook);
            at_hook && (chain.key.0 == family || (both && chain.key.0 == Family::Inet)) && !asleep(&chain.key)
        };
        let mut chains: Vec<_> = self.chains.values().filter(about).collect();
        chains.sort_by_key(|chain| chain.base.as_ref().map(|base| base.priority));
        chains
    }

    fn outcome(
        &self,
        key: &ChainKey,
        family: Family,
        depth: usize,
        memory: &mut BTreeMap<ChainKey, Outcome>,
    ) -> Outcome {
        if let Some(known) = memory.get(key) {
            return *known;
        }
        if depth == 0 || !self.chains.contains_key(key) {
            return Outcome::Unknown("a jump to nowhere, or too deep");
        }
        // A chain that comes back to itself, which the kernel would not take.
        memory.insert(key.clone(), Outcome::Unknown("a loop"));
        let rules = self.rules.get(key).map_or(&[][..], Vec::as_slice);
        let decided = rules.iter().find_map(|rule| self.decision(rule, family, depth, memory));
        let outcome = decided.unwrap_or(Outcome::Returns);
        memory.insert(key.clone(), outcome);
        outcome
    }

    /// What a rule decides of that packet, if anything.
    fn decision(
        &self,
        rule: &Rule,
        family: Family,
        depth: usize,
        memory: &mut BTreeMap<ChainKey, Outcome>,
    ) -> Option<Outcome> {
        let last = rule.expressions.iter().find(|expression| {
            let map = matches!(expression, Expression::Lookup { verdict_map: true, .. });
            map || matches!(expression, Expression::Verdict(_) | Expression::Reject | Expression::Other(_))
        });
        let mut outcome = match last? {
            Expression::Reject | Expression::Verdict(Verdict::Drop) => Outcome::Drops,
            Expression::Verdict(Verdict::Accept) => Outcome::Accepts,
            Expression::Verdict(Verdict::Continue) => return None,
            Expression::Verdict(Verdict::Return) => Outcome::Returns,
            Expression::Verdict(Verdict::Jump(chain) | Verdict::Goto(chain)) => {
                let key = (rule.chain.0, rule.chain.1.clone(), chain.clone());
                self.outcome(&key, family, depth - 1, memory)
            }
            Expression::Verdict(Verdict::Other(_)) => Outcome::Unknown("a program decides"),
            Expression::Lookup { .. } => Outcome::Unknown("a verdict map"),
            _ => return Self::unknown_decision(rule, family),
        };
        match scope(rule, family) {
            Scope::Some => return None,
            Scope::Most(reason) => outcome = Outcome::Unknown(reason),
            Scope::All => {}
        }
        // A jump comes back; a jump to a chain that decides nothing decides nothing.
        let comes_back = matches!(last, Some(Expression::Verdict(Verdict::Jump(_))));
        (!(comes_back && outcome == Outcome::Returns)).then_some(outcome)
    }

    /// A rule with something this code does not know: it matters only if the rule decides something.
    fn unknown_decision(rule: &Rule, family: Family) -> Option<Outcome> {
        let decides = rule.expressions.iter().any(|expression| match expression {
            Expression::Verdict(verdict) => *verdict != Verdict::Continue,
            Expression::Other(name) => name.starts_with("target:") || name == "queue",
            Expression::Reject | Expression::Lookup { verdict_map: true, .. } => true,
            _ => false,
        });
        let about_some = scope(rule, family) == Scope::Some;
        (decides && !about_some).then_some(Outcome::Unknown("an expression that is not known"))
    }
}

/// What a register holds.
#[derive(Clone, Copy)]
struct Loaded {
    source: Source,
    masked: bool,
    mask: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    State,
    Protocol,
    Other,
}

/// How much a rule is about. A condition on a state or on the family is answered; any other is about some packets if
/// it asks for a value, and about most if it asks for any but a value.
fn scope(rule: &Rule, family: Family) -> Scope {
    const NFPROTO: u32 = 15;
    const STATE: u32 = 0;
    let mut registers: BTreeMap<u32, Loaded> = BTreeMap::new();
    let mut scope = Scope::All;
    for expression in &rule.expressions {
        let condition = match expression {
            Expression::Meta { key, register } => {
                let source = if *key == NFPROTO { Source::Protocol } else { Source::Other };
                registers.insert(*register, Loaded { source, masked: false, mask: u32::MAX });
                continue;
            }
            Expression::Ct { key, register } => {
                let source = if *key == STATE { Source::State } else { Source::Other };
                registers.insert(*register, Loaded { source, masked: false, mask: u32::MAX });
                continue;
            }
            Expression::Payload { register, .. } => {
                registers.insert(*register, Loaded { source: Source::Other, masked: false, mask: u32::MAX });
                continue;
            }
            Expression::Bitwise { source, register, mask } => {
                let from = registers.get(source).map_or(Source::Other, |loaded| loaded.source);
                let mask = host_word(mask).unwrap_or(u32::MAX);
                registers.insert(*register, Loaded { source: from, masked: true, mask });
                continue;
            }
            Expression::Compare { register, operation, data } => {
                compare(registers.get(register), *operation, data, family)
            }
            Expression::Lookup { inverted: true, .. } => Scope::Most("all but a set"),
            Expression::Lookup { verdict_map: false, .. } => Scope::Some,
            Expression::Other(name) if name.starts_with("match:") => Scope::Some,
            Expression::Other(_) => Scope::Most("an expression that is not known"),
            // A map decides by itself.
            Expression::Lookup { .. }
            | Expression::Verdict(_)
            | Expression::Reject
            | Expression::Neutral(_) => Scope::All,
        };
        match condition {
            Scope::Some => return Scope::Some,
            Scope::Most(_) => scope = condition,
            Scope::All => {}
        }
    }
    scope
}

fn compare(loaded: Option<&Loaded>, operation: u32, data: &[u8], family: Family) -> Scope {
    const EQUAL: u32 = 0;
    const NOT_EQUAL: u32 = 1;
    /// A packet that begins a connection: bits as `NF_CT_STATE_BIT` has them.
    const NEW: u32 = 8;
    let all = |matches: bool| if matches { Scope::All } else { Scope::Some };
    let zero = data.iter().all(|byte| *byte == 0);
    let Some(loaded) = loaded else { return Scope::Most("a register that nothing filled") };
    match (loaded.source, operation) {
        (Source::State, EQUAL | NOT_EQUAL) => match host_word(data) {
            Some(wanted) => all((NEW & loaded.mask == wanted) == (operation == EQUAL)),
            None => Scope::Most("a state of another width"),
        },
        (Source::Protocol, EQUAL | NOT_EQUAL) if !loaded.masked => {
            let number = match family {
                Family::Ipv4 => 2,
                Family::Ipv6 => 10,
                _ => return Scope::Some,
            };
            all((data.first() == Some(&number)) == (operation == EQUAL))
        }
        // `flags & mask == 0`, and all but a value.
        (_, EQUAL) if loaded.masked && zero => Scope::Most("all without some bits"),
        (_, NOT_EQUAL) if !(loaded.masked && zero) => Scope::Most("all but a value"),
        (_, EQUAL | NOT_EQUAL) => Scope::Some,
        _ => Scope::Most("a range"),
    }
}

/// Registers hold states in the machine's own byte order.
fn host_word(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// An interface that a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceMatch {
    /// Whether it is where packets come in; otherwise where they leave.
    pub incoming: bool,
    /// The name, or how names begin.
    pub name: String,
    /// Whether every name that begins so is meant.
    pub prefix: bool,
    /// Whether all others are meant.
    pub negated: bool,
}

impl InterfaceMatch {
    /// Whether the rule is about an interface by this.
    #[must_use]
    pub fn matches(&self, interface: &str) -> bool {
        let same = if self.prefix { interface.starts_with(&self.name) } else { interface == self.name };
        same != self.negated
    }
}

impl Rule {
    /// The interfaces that it names. Those in sets, and those by number, are not seen.
    #[must_use]
    pub fn interfaces(&self) -> Vec<InterfaceMatch> {
        let mut registers: BTreeMap<u32, bool> = BTreeMap::new();
        let mut found = Vec::new();
        for expression in &self.expressions {
            match expression {
                // `NFT_META_IIFNAME`, `_OIFNAME`, and those of the bridge.
                Expression::Meta { key: 6 | 17, register } => {
                    registers.insert(*register, true);
                }
                Expression::Meta { key: 7 | 18, register } => {
                    registers.insert(*register, false);
                }
                Expression::Meta { register, .. }
                | Expression::Ct { register, .. }
                | Expression::Payload { register, .. }
                | Expression::Bitwise { register, .. } => {
                    registers.remove(register);
                }
                Expression::Compare { register, operation: operation @ (0 | 1), data } => {
                    let Some(incoming) = registers.get(register) else { continue };
                    let end = memchr::memchr(0, data);
                    let name = String::from_utf8_lossy(&data[..end.unwrap_or(data.len())]).into_owned();
                    let (prefix, negated) = (end.is_none(), *operation == 1);
                    found.push(InterfaceMatch { incoming: *incoming, name, prefix, negated });
                }
                _ => {}
            }
        }
        found
    }
}

impl Ruleset {
    /// The rules that name an interface, itself or by how it begins.
    pub fn rules_about<'a>(&'a self, interface: &'a str) -> impl Iterator<Item = &'a Rule> {
        let named = move |rule: &&Rule| {
            rule.interfaces().iter().any(|named| named.matches(interface) && !named.negated)
        };
        self.rules.values().flatten().filter(named)
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
