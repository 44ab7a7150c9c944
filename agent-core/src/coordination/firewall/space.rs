//! Sets of packets as boxes: an interval of each header field. What a rule matches is a few of them.

/// The fields that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The network protocol (`meta nfproto`).
    Network,
    /// The transport protocol (`meta l4proto`).
    Transport,
    /// The interface it came in by, as a number of the analysis.
    In,
    /// The interface it leaves by.
    Out,
    /// The IPv4 source.
    Source4,
    /// The IPv4 destination.
    Destination4,
    /// The IPv6 source.
    Source6,
    /// The IPv6 destination.
    Destination6,
    /// The source port: the first two bytes behind the network header, which are type and code of ICMP.
    SourcePort,
    /// The destination port.
    DestinationPort,
    /// The state of its connection: 0 invalid, 1 established, 2 related, 3 new, 4 untracked.
    State,
}

/// How many fields there are.
pub const FIELDS: usize = 11;

impl Field {
    /// All fields, in their order.
    pub const ALL: [Self; FIELDS] = [
        Self::Network,
        Self::Transport,
        Self::In,
        Self::Out,
        Self::Source4,
        Self::Destination4,
        Self::Source6,
        Self::Destination6,
        Self::SourcePort,
        Self::DestinationPort,
        Self::State,
    ];

    /// The largest value.
    #[must_use]
    pub const fn max(self) -> u128 {
        match self {
            Self::Network | Self::Transport => 0xff,
            Self::In | Self::Out | Self::Source4 | Self::Destination4 => 0xffff_ffff,
            Self::Source6 | Self::Destination6 => u128::MAX,
            Self::SourcePort | Self::DestinationPort => 0xffff,
            Self::State => 4,
        }
    }

    const fn at(self) -> usize {
        self as usize
    }
}

/// Packets whose every field is within an interval.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cube([(u128, u128); FIELDS]);

impl Cube {
    /// All packets.
    pub const ALL: Self = {
        let mut sides = [(0, 0); FIELDS];
        let mut at = 0;
        while at < FIELDS {
            sides[at].1 = Field::ALL[at].max();
            at += 1;
        }
        Self(sides)
    };

    /// A field's interval, both ends included.
    #[must_use]
    pub fn side(&self, field: Field) -> (u128, u128) {
        self.0[field.at()]
    }

    /// Those of them whose field is from `low` to `high` too; `None` when there are none.
    #[must_use]
    pub fn narrowed(mut self, field: Field, low: u128, high: u128) -> Option<Self> {
        let side = &mut self.0[field.at()];
        *side = (side.0.max(low), side.1.min(high));
        (side.0 <= side.1).then_some(self)
    }

    /// What both have.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        // Nearly all pairs differ in some field: looked for before anything is made.
        let apart = self.0.iter().zip(&other.0).any(|(mine, theirs)| mine.0 > theirs.1 || theirs.0 > mine.1);
        (!apart).then(|| {
            Self(std::array::from_fn(|at| (self.0[at].0.max(other.0[at].0), self.0[at].1.min(other.0[at].1))))
        })
    }

    /// Whether every packet of the other is one of these.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(mine, theirs)| mine.0 <= theirs.0 && theirs.1 <= mine.1)
    }

    /// Adds what is left of these without the other: at most two cubes a field, none of which overlap.
    pub fn without(&self, other: &Self, left: &mut Vec<Self>) {
        let Some(common) = self.intersection(other) else {
            left.push(*self);
            return;
        };
        let mut rest = *self;
        for at in 0..FIELDS {
            let (low, high) = common.0[at];
            if rest.0[at].0 < low {
                let mut below = rest;
                below.0[at].1 = low - 1;
                left.push(below);
            }
            if rest.0[at].1 > high {
                let mut above = rest;
                above.0[at].0 = high + 1;
                left.push(above);
            }
            rest.0[at] = (low, high);
        }
    }
}

impl std::fmt::Debug for Cube {
    /// Only what is narrowed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let narrowed = Field::ALL.iter().filter(|field| self.side(**field) != (0, (**field).max()));
        f.debug_map().entries(narrowed.map(|field| (field, self.side(*field)))).finish()
    }
}

/// Cubes that are kept while sets are taken from one another; a set that falls into more is not worked out.
const CUBES_MAX: usize = 512;

/// What is left of some cubes without others; `None` when it falls into too many.
#[must_use]
pub fn difference<'a>(of: &[Cube], without: impl Iterator<Item = &'a Cube>) -> Option<Vec<Cube>> {
    let mut rest = of.to_vec();
    for cube in without {
        let mut left = Vec::new();
        for part in &rest {
            part.without(cube, &mut left);
        }
        if left.len() > CUBES_MAX {
            return None;
        }
        rest = left;
        if rest.is_empty() {
            break;
        }
    }
    Some(rest)
}

/// Whether two sets have a packet in common.
#[must_use]
pub fn overlap(a: &[Cube], b: &[Cube]) -> bool {
    a.iter().any(|mine| b.iter().any(|theirs| mine.intersection(theirs).is_some()))
}

/// Whether every packet of `inner` is in `outer`; `None` when it could not be worked out.
#[must_use]
pub fn within(inner: &[Cube], outer: &[Cube]) -> Option<bool> {
    if inner.iter().all(|cube| outer.iter().any(|over| over.covers(cube))) {
        return Some(true);
    }
    difference(inner, outer.iter()).map(|rest| rest.is_empty())
}
