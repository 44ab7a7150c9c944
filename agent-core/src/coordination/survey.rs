//! Conflicts between claims as they stand, without anybody asking for anything: when policies are loaded, and over what
//! was found on a host.

use super::claim::{Claim, Part, Token};
use super::collision;
use super::conflict::{Class, Conflict, Rule, Side};
use super::index::Index;
use super::party::Contract;

/// Conflicts that are told at most; a host on which everything collides is told so by the first of them.
pub(super) const CONFLICTS_MAX: usize = 4_096;

/// Every pair of claims that collide, with who prevails. Claims are older the earlier they stand.
#[must_use]
pub fn survey(claims: &[Claim], contract: &Contract) -> Vec<Conflict> {
    let mut index = Index::default();
    let mut found = Vec::new();
    for (at, new) in claims.iter().enumerate() {
        let number = |at: usize| Token(u64::try_from(at).unwrap_or(u64::MAX));
        let mut hits: Vec<(usize, Conflict)> = Vec::new();
        for part in &new.parts {
            index.overlapping(&part.path, |(token, other)| {
                let old_at = usize::try_from(token.0).unwrap_or(usize::MAX);
                let Some(old) = claims.get(old_at) else { return };
                let Some(old_part) = old.parts.get(other) else { return };
                if let Some(class) = collision::of_claims(new, part, old, old_part)
                    && !hits.iter().any(|(known, _)| *known == old_at)
                {
                    hits.push((old_at, conflict(class, (new, part), (old, old_part), contract)));
                }
            });
        }
        hits.sort_by_key(|(at, _)| *at);
        found.extend(hits.into_iter().map(|(_, conflict)| conflict));
        for (part_at, part) in new.parts.iter().enumerate() {
            index.insert(&part.path, (number(at), part_at));
        }
        if found.len() >= CONFLICTS_MAX {
            found.truncate(CONFLICTS_MAX);
            break;
        }
    }
    found
}

fn conflict(class: Class, new: (&Claim, &Part), old: (&Claim, &Part), contract: &Contract) -> Conflict {
    let (rule, wins) = collision::resolve(class, new, old, contract, false);
    let (winner, loser) = if wins { (new, old) } else { (old, new) };
    let about = if new.1.path.covers(&old.1.path) { &old.1.path } else { &new.1.path };
    let says = |(claim, part): (&Claim, &Part)| {
        let action = claim.action.as_ref().map(|action| format!(" to {action}")).unwrap_or_default();
        format!("{} says {part}{action}", claim.party)
    };
    let outcome = match (class, rule) {
        (Class::Duplicate, _) => "once is enough".to_owned(),
        (_, Rule::Incumbent) => "neither outranks the other, and who was first keeps it (rule 7)".to_owned(),
        (_, rule) => format!("the former prevails ({rule})"),
    };
    Conflict {
        class,
        about: about.to_string(),
        sides: vec![Side::of(winner.0, winner.1, None), Side::of(loser.0, loser.1, None)],
        rule: Some(rule),
        sentence: format!("{}, and {}: {outcome}", says(winner), says(loser)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Action, Mode, Party, ResourcePath};
    use super::*;

    fn says(mode: Mode, at: &str, value: &str, party: Party) -> Claim {
        let value = Some(value).filter(|value| !value.is_empty());
        Claim::new(party, "test", Part::new(ResourcePath::parse(at).expect("a path"), mode, value), "a test")
    }

    #[test]
    fn policies_that_cannot_both_hold_are_told_before_anybody_acts() {
        let customer = Party::csc("app", "acme");
        let restart = Action::named("restart").expect("restart");
        let target = ResourcePath::parse("vm/u").expect("a path");
        let claims = [
            says(Mode::Require, "vm/u/net", "open", customer.clone()),
            says(Mode::Forbid, "vm/u/net", "open", Party::csp("soc")),
            says(Mode::Forbid, "vm/u/power", "", customer.clone()),
            restart.claim(Party::csp("soc"), "playbook", &target, None, "a playbook").expect("a claim"),
            says(Mode::Require, "vm/u/confinement/seccomp", "io_uring_enter", customer),
            says(Mode::Forbid, "vm/u/confinement/seccomp", "io_uring_enter", Party::csp("hardening")),
            says(Mode::Require, "vm/v/net", "open", Party::csp("soc")),
        ];
        let found = survey(&claims, &Contract::default());
        let classes: Vec<_> = found.iter().map(|conflict| (conflict.class.code(), conflict.rule)).collect();
        let isolation = Some(Rule::Isolation);
        assert_eq!(classes, [("C2", isolation), ("C8", isolation), ("C6", isolation)]);
        assert_eq!(
            found[0].sentence,
            "csp/soc says forbid vm/u/net = open, and csc/acme/app says require vm/u/net = open: the former prevails \
             (rule 3: who forbids or isolates goes first)"
        );
        assert_eq!(found[1].about, "vm/u/power");
    }
}
