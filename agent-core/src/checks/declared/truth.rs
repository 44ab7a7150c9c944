//! What a condition came to: three-valued, since what could not be read is neither good nor bad.

use crate::checks::fact::Unavailable;

/// What a condition came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    Holds,
    /// It does not; the text says why in a few words, with the values.
    Fails(String),
    /// It makes no sense for this host or VM; the text says why.
    NotApplicable(String),
    /// What decides it could not be read: the fact's name and why.
    Unknown(String, Unavailable),
}

impl Truth {
    /// Holds or fails.
    pub fn of(holds: bool, otherwise: impl FnOnce() -> String) -> Self {
        if holds { Self::Holds } else { Self::Fails(otherwise()) }
    }

    /// All must hold. One that fails decides; else one that is unknown does. Parts that do not apply say nothing,
    /// unless none does.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let (mut holds, mut unknown, mut apart) = (false, None, None);
        let mut failures: Vec<String> = Vec::new();
        for part in parts {
            match part {
                Self::Holds => holds = true,
                // Two comparisons of one fact can have the same to say.
                Self::Fails(why) if failures.contains(&why) => {}
                Self::Fails(why) => failures.push(why),
                Self::NotApplicable(_) => apart = Some(part),
                Self::Unknown(..) => unknown = unknown.or(Some(part)),
            }
        }
        if !failures.is_empty() {
            return Self::Fails(failures.join("; "));
        }
        match (unknown, holds, apart) {
            (Some(unknown), ..) => unknown,
            (None, false, Some(apart)) => apart,
            _ => Self::Holds,
        }
    }

    /// One must hold. One that does decides; else one that is unknown does.
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let (mut unknown, mut apart) = (None, None);
        let mut failures: Vec<String> = Vec::new();
        for part in parts {
            match part {
                Self::Holds => return Self::Holds,
                Self::Fails(why) => failures.push(why),
                Self::NotApplicable(_) => apart = apart.or(Some(part)),
                Self::Unknown(..) => unknown = unknown.or(Some(part)),
            }
        }
        match (unknown, apart) {
            (Some(unknown), _) => unknown,
            (None, Some(apart)) if failures.is_empty() => apart,
            _ => Self::Fails(failures.join("; ")),
        }
    }

    /// The opposite; what is unknown stays so.
    #[must_use]
    pub fn not(self, shown: impl FnOnce() -> String) -> Self {
        match self {
            Self::Holds => Self::Fails(shown()),
            Self::Fails(_) => Self::Holds,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{self, Fails, Holds, NotApplicable, Unknown};
    use crate::checks::fact::Unavailable;

    fn fails() -> Truth {
        Fails("f".into())
    }
    fn unknown() -> Truth {
        Unknown("k".into(), Unavailable::Absent)
    }
    fn apart() -> Truth {
        NotApplicable("n".into())
    }

    #[test]
    fn what_is_unknown_never_becomes_good() {
        assert_eq!(Truth::all([Holds, unknown()]), unknown());
        assert_eq!(Truth::all([fails(), unknown()]), fails());
        assert_eq!(Truth::any([fails(), unknown()]), unknown());
        assert_eq!(Truth::any([Holds, unknown()]), Holds);
        assert_eq!(unknown().not(String::new), unknown());
    }

    #[test]
    fn what_does_not_apply_says_nothing_unless_it_is_all_there_is() {
        assert_eq!(Truth::all([Holds, apart()]), Holds);
        assert_eq!(Truth::all([apart(), apart()]), apart());
        assert_eq!(Truth::any([fails(), apart()]), fails());
        assert_eq!(Truth::any([apart()]), apart());
        assert_eq!(Truth::all([apart(), unknown()]), unknown());
    }

    #[test]
    fn failures_are_all_told() {
        let twice = [Fails("a".into()), Holds, Fails("b".into()), Fails("a".into())];
        assert_eq!(Truth::all(twice), Fails("a; b".into()), "once each");
        assert_eq!(Truth::any([Fails("a".into()), Fails("b".into())]), Fails("a; b".into()));
    }
}
