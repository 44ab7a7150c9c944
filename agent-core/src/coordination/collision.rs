//! Which claims collide, and who prevails: pairs of parts, and nothing else.

use super::claim::{Claim, Mode, Part};
use super::conflict::{Class, Rule};
use super::party::{Contract, Role};
use super::path::ResourcePath;

/// How two parts collide, whoever's they are; `None` when they do not.
pub(super) fn of_parts(a: &Part, b: &Part) -> Option<Class> {
    if !a.path.overlaps(&b.path) {
        return None;
    }
    // Each pair is written once.
    one_way(a, b).or_else(|| one_way(b, a))
}

fn one_way(a: &Part, b: &Part) -> Option<Class> {
    use Mode::{Destroys, Exclusive, Forbid, Hold, Reads, Require, Shared, Stable};
    let same_path = a.path == b.path;
    let same_value = same_path && a.value == b.value;
    match (a.mode, b.mode) {
        (Hold, Destroys) => Some(Class::DestroysHeld),
        (Reads | Stable, Destroys) => Some(Class::BrokenPrecondition),
        (Stable, Require | Exclusive | Shared) => {
            let changes = match &a.value {
                None => b.value.is_some(),
                Some(_) => same_path && b.value.is_some() && !same_value,
            };
            changes.then_some(Class::BrokenPrecondition)
        }
        (Forbid, Require | Exclusive | Shared) => {
            let forbidden = match &a.value {
                None => b.value.is_some(),
                Some(_) => a.path.covers(&b.path) && a.value == b.value,
            };
            forbidden.then_some(Class::Contradiction)
        }
        (Forbid, Destroys) => a.value.is_none().then_some(Class::Contradiction),
        (Exclusive, Exclusive) if same_value && a.value.is_some() => Some(Class::Duplicate),
        (Exclusive, Exclusive | Shared | Destroys) | (Require | Shared, Destroys) => {
            Some(Class::Contradiction)
        }
        (Destroys, Destroys) => Some(Class::Duplicate),
        (Exclusive | Require | Shared, Require | Shared) => {
            (same_path && a.value.is_some() && !same_value).then_some(Class::Contradiction)
        }
        _ => None,
    }
}

/// How a claim collides with another's part.
pub(super) fn of_claims(new: &Claim, new_part: &Part, old: &Claim, old_part: &Part) -> Option<Class> {
    let class = of_parts(new_part, old_part)?;
    let is_lease = |part: &Part| part.mode == Mode::Exclusive && part.value.is_none();
    if new.party == old.party && is_lease(new_part) != is_lease(old_part) {
        // A lease is what its holder acts under.
        return None;
    }
    let forbids = |part: &Part| part.mode == Mode::Forbid;
    let acts = |claim: &Claim, part: &Part| claim.action.is_some() && !forbids(part);
    let obligation = (forbids(new_part) && acts(old, old_part)) || (forbids(old_part) && acts(new, new_part));
    let required = [new_part, old_part].iter().any(|part| part.mode == Mode::Require);
    let confines = |path: &ResourcePath| {
        path.vm_part() == Some("confinement") || matches!(path.parts().nth(1), Some("seccomp" | "lsm"))
    };
    Some(match class {
        Class::Contradiction if obligation => Class::ObligationForbidden,
        // What a confinement takes away is needed.
        Class::Contradiction
            if required && (forbids(new_part) || forbids(old_part)) && confines(&new_part.path) =>
        {
            Class::Starved
        }
        class => class,
    })
}

/// Whether the claim that is judged prevails over one in force, and by which rule. `is_older`: it had been in force
/// before that one.
pub(super) fn resolve(
    class: Class,
    (new, new_part): (&Claim, &Part),
    (old, old_part): (&Claim, &Part),
    contract: &Contract,
    is_older: bool,
) -> (Rule, bool) {
    if class == Class::DestroysHeld {
        return (Rule::Hold, new_part.mode == Mode::Hold);
    }
    if class == Class::Duplicate {
        return (Rule::Incumbent, false);
    }
    // Work that is under way is finished, whoever wants something else meanwhile; a state that was set is not work.
    let is_work = matches!(old_part.mode, Mode::Exclusive | Mode::Stable | Mode::Reads | Mode::Destroys);
    let under_way = old.action.is_some() && is_work;
    if !(under_way && class == Class::BrokenPrecondition) {
        let restrains = |claim: &Claim, part: &Part| part.mode == Mode::Forbid || claim.isolates;
        // A forbid that the contract does not give a customer does not stand against isolation.
        let void = |claim: &Claim, part: &Part, other: &Claim| {
            let customers = claim.party.role == Role::Csc && part.mode == Mode::Forbid;
            customers && other.isolates && !contract.customer_may_forbid_isolation
        };
        match (void(new, new_part, old), void(old, old_part, new)) {
            (true, _) => return (Rule::Isolation, false),
            (_, true) => return (Rule::Isolation, true),
            _ => {}
        }
        // Between a forbid and an isolation that it may forbid, the forbid.
        let rank = |claim: &Claim, part: &Part| match (part.mode, restrains(claim, part)) {
            (Mode::Forbid, _) => 2,
            (_, true) => 1,
            _ => 0,
        };
        let (mine, theirs) = (rank(new, new_part), rank(old, old_part));
        if mine != theirs {
            return (Rule::Isolation, mine > theirs);
        }
    }
    if under_way {
        return (Rule::Incumbent, false);
    }
    let path = if new_part.path.covers(&old_part.path) { &old_part.path } else { &new_part.path };
    let (mine, theirs) =
        (authority(new.party.role, path, contract), authority(old.party.role, path, contract));
    if mine != theirs {
        return (Rule::Authority, mine > theirs);
    }
    let (mine, theirs) = (new_part.path.depth(), old_part.path.depth());
    if mine != theirs {
        return (Rule::Specific, mine > theirs);
    }
    if new.priority != old.priority {
        return (Rule::Priority, new.priority > old.priority);
    }
    (Rule::Incumbent, is_older)
}

/// Whose word counts more about a path.
pub(super) fn authority(role: Role, path: &ResourcePath, contract: &Contract) -> u8 {
    let customers =
        path.vm_part().is_some_and(|part| contract.customer_decides.iter().any(|known| known == part));
    match (role, customers) {
        (Role::Csp, false) | (Role::Csc, true) => 2,
        (Role::Csp, true) | (Role::Csc, false) => 1,
        (Role::Csn, _) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(mode: Mode, path: &str, value: &str) -> Part {
        Part::new(
            ResourcePath::parse(path).expect("a path"),
            mode,
            Some(value).filter(|value| !value.is_empty()),
        )
    }

    #[test]
    fn pairs() {
        use Mode::{Destroys, Exclusive, Forbid, Hold, Reads, Require, Shared, Stable};
        let (net, tap, cpu) = ("vm/u/net", "vm/u/net/tap0", "vm/u/cpu");
        let expected = [
            ((Require, net, "open"), (Require, net, "cut"), Some("C2")),
            ((Require, net, "open"), (Require, net, "open"), None),
            ((Require, net, "open"), (Require, tap, "cut"), None),
            ((Shared, cpu, "50"), (Shared, cpu, "50"), None),
            ((Shared, cpu, "50"), (Exclusive, cpu, "50"), Some("C2")),
            ((Exclusive, cpu, "50"), (Exclusive, cpu, "50"), Some("C1")),
            ((Exclusive, net, ""), (Exclusive, tap, ""), Some("C2")),
            ((Exclusive, net, ""), (Require, net, "open"), None),
            ((Forbid, net, ""), (Shared, tap, "cut"), Some("C2")),
            ((Forbid, net, "cut"), (Shared, tap, "cut"), Some("C2")),
            ((Forbid, tap, "cut"), (Shared, net, "cut"), None),
            ((Forbid, net, "cut"), (Shared, net, "open"), None),
            ((Hold, net, ""), (Destroys, tap, ""), Some("C3")),
            ((Hold, net, ""), (Exclusive, net, ""), None),
            ((Stable, net, ""), (Exclusive, net, ""), None),
            ((Stable, net, ""), (Exclusive, net, "x"), Some("C4")),
            ((Stable, net, "open"), (Require, net, "open"), None),
            ((Stable, net, "open"), (Require, net, "cut"), Some("C4")),
            ((Reads, net, ""), (Destroys, net, ""), Some("C4")),
            ((Reads, net, ""), (Reads, net, ""), None),
            ((Destroys, net, ""), (Destroys, net, ""), Some("C1")),
            ((Destroys, cpu, ""), (Destroys, net, ""), None),
        ];
        for (a, b, class) in expected {
            let (a, b) = (part(a.0, a.1, a.2), part(b.0, b.1, b.2));
            assert_eq!(of_parts(&a, &b).map(Class::code), class, "{a} / {b}");
            assert_eq!(of_parts(&b, &a).map(Class::code), class, "{b} / {a}");
        }
    }

    fn any_part() -> impl Strategy<Value = Part> {
        let paths = prop::sample::select(vec!["vm/u", "vm/u/net", "vm/u/net/t", "vm/u/cpu", "vm/v/net"]);
        (prop::sample::select(Mode::ALL.to_vec()), paths, prop::sample::select(vec!["", "a", "b"]))
            .prop_map(|(mode, path, value)| part(mode, path, value))
    }

    proptest! {
        #[test]
        fn a_collision_has_no_direction(a in any_part(), b in any_part()) {
            prop_assert_eq!(of_parts(&a, &b), of_parts(&b, &a));
        }
    }
}
