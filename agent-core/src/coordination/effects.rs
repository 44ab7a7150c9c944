//! What actions do to resources. Which actions collide follows from this table, and is written nowhere else.

use super::claim::{Claim, Mode, Origin, Part};
use super::error::ClaimError;
use super::party::Party;
use super::path::ResourcePath;

/// What an action does to one part of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The part, below the target: `net`; empty for the target itself.
    pub part: &'static str,
    /// What happens to it.
    pub mode: Mode,
    /// The value it is given. `None` where the request says it, or the mode has none.
    pub value: Option<&'static str>,
}

/// What becomes of an action when the agent that took it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDeath {
    /// It stays: an isolation that fell away with the agent would be worth nothing.
    Persists,
    /// It lapses with its lease.
    Lapses,
}

/// One action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its name.
    pub name: &'static str,
    /// Whether its target is a VM; a path of the host otherwise.
    pub of_vm: bool,
    /// What it does.
    pub effects: &'static [Effect],
    /// Whether it keeps the VM from others.
    pub isolates: bool,
    /// Whether the VM's users notice.
    pub disrupts: bool,
    /// What may be tried instead when it is refused.
    pub milder: Option<&'static str>,
    /// What becomes of it when the agent dies.
    pub on_death: OnDeath,
}

const fn writes(part: &'static str, value: &'static str) -> Effect {
    Effect { part, mode: Mode::Exclusive, value: Some(value) }
}

/// A value that the request says, and that others may give as well.
const fn gives(part: &'static str) -> Effect {
    Effect { part, mode: Mode::Shared, value: None }
}

const fn reads(part: &'static str) -> Effect {
    Effect { part, mode: Mode::Reads, value: None }
}

const fn destroys(part: &'static str) -> Effect {
    Effect { part, mode: Mode::Destroys, value: None }
}

const fn needs(part: &'static str) -> Effect {
    Effect { part, mode: Mode::Stable, value: None }
}

const BASE: Action = Action {
    name: "",
    of_vm: true,
    effects: &[],
    isolates: false,
    disrupts: false,
    milder: None,
    on_death: OnDeath::Lapses,
};

/// Every action that is known. What touches no resource, such as a notice to somebody, needs no decision. Memory is evidence: what destroys it collides with a hold on `evidence` or `memory`.
pub const ACTIONS: &[Action] = &[
    Action { name: "throttle", effects: &[gives("cpu/quota")], ..BASE },
    Action { name: "throttle-io", effects: &[gives("disk/throttle")], ..BASE },
    Action {
        name: "freeze",
        effects: &[Effect { part: "power", mode: Mode::Shared, value: Some("frozen") }],
        isolates: true,
        disrupts: true,
        milder: Some("throttle"),
        on_death: OnDeath::Persists,
        ..BASE
    },
    Action {
        name: "thaw",
        effects: &[Effect { part: "power", mode: Mode::Shared, value: Some("running") }],
        ..BASE
    },
    Action {
        name: "cut-network",
        effects: &[Effect { part: "net", mode: Mode::Shared, value: Some("cut") }, needs("placement")],
        isolates: true,
        disrupts: true,
        on_death: OnDeath::Persists,
        ..BASE
    },
    Action {
        name: "snapshot-memory",
        effects: &[
            writes("evidence/memory", "snapshot"),
            reads("memory/content"),
            needs("power"),
            needs("placement"),
        ],
        ..BASE
    },
    Action {
        name: "snapshot-disk",
        effects: &[writes("evidence/disk", "snapshot"), reads("disk"), needs("image"), needs("placement")],
        ..BASE
    },
    Action {
        name: "migrate",
        effects: &[
            writes("placement", "moving"),
            reads("memory/content"),
            needs("power"),
            destroys("evidence"),
        ],
        ..BASE
    },
    Action {
        name: "backup",
        effects: &[writes("disk/backup", "running"), reads("disk"), needs("placement")],
        ..BASE
    },
    Action { name: "balloon", effects: &[gives("memory/balloon")], ..BASE },
    Action {
        name: "restart",
        effects: &[
            writes("power", "restarting"),
            destroys("memory/content"),
            destroys("evidence/memory"),
            needs("placement"),
        ],
        disrupts: true,
        milder: Some("freeze"),
        ..BASE
    },
    Action {
        name: "stop",
        effects: &[writes("power", "stopped"), destroys("memory/content"), destroys("evidence/memory")],
        disrupts: true,
        milder: Some("freeze"),
        ..BASE
    },
    Action { name: "move-cgroup", effects: &[gives("confinement/cgroup")], ..BASE },
    Action {
        name: "patch-vmm",
        effects: &[
            writes("image", "patching"),
            writes("power", "restarting"),
            destroys("memory/content"),
            destroys("evidence/memory"),
            needs("placement"),
        ],
        disrupts: true,
        ..BASE
    },
    Action { name: "delete", effects: &[destroys("")], disrupts: true, milder: Some("stop"), ..BASE },
    Action { name: "set", of_vm: false, effects: &[gives("")], ..BASE },
    Action {
        name: "roll-back",
        of_vm: false,
        effects: &[Effect { part: "", mode: Mode::Exclusive, value: None }],
        ..BASE
    },
];

impl Action {
    /// The action of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ACTIONS.iter().find(|action| action.name == name)
    }

    /// The claim that the action is while it runs. `value` is for those of its effects that leave it to the request.
    ///
    /// # Errors
    /// [`ClaimError::Malformed`] when the target is not of the kind that the action is for, or a value is missing or not
    /// wanted.
    pub fn claim(
        &self,
        party: Party,
        mechanism: &str,
        target: &ResourcePath,
        value: Option<&str>,
        reason: &str,
    ) -> Result<Claim, ClaimError> {
        let wrong = |why: String| Err(ClaimError::Malformed(why));
        if self.of_vm != target.vm().is_some() {
            let kind = if self.of_vm { "a VM" } else { "a path of the host" };
            return wrong(format!("{} is for {kind}, and {target} is none", self.name));
        }
        if self.of_vm && target.vm_part().is_some() {
            return wrong(format!("{} is for a whole VM, and {target} is a part of one", self.name));
        }
        let open =
            |effect: &Effect| effect.value.is_none() && matches!(effect.mode, Mode::Shared | Mode::Exclusive);
        if value.is_some() != self.effects.iter().any(open) {
            let what = if value.is_some() { "takes no value" } else { "needs a value" };
            return wrong(format!("{} {what}", self.name));
        }
        let part = |effect: &Effect| {
            let value = if open(effect) { value } else { effect.value };
            Ok(Part::new(target.below(effect.part)?, effect.mode, value))
        };
        let touched = self.effects.iter().map(part).collect::<Result<Vec<_>, ClaimError>>()?;
        Ok(Claim {
            party,
            mechanism: mechanism.to_owned(),
            action: Some(self.name.to_owned()),
            parts: touched,
            isolates: self.isolates,
            disrupts: self.disrupts,
            priority: 0,
            expires_ns: None,
            reason: reason.to_owned(),
            origin: Origin::Asked,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordination::collision;

    fn of(name: &str, party: &str) -> Claim {
        let action = Action::named(name).expect(name);
        let target = if action.of_vm { "vm/u" } else { "host/sysctl/kernel/x" };
        let open = action
            .effects
            .iter()
            .any(|effect| effect.value.is_none() && matches!(effect.mode, Mode::Shared | Mode::Exclusive));
        let target = ResourcePath::parse(target).expect("a path");
        action.claim(Party::csp(party), "test", &target, open.then_some("1"), "why").expect(name)
    }

    fn collides(a: &str, b: &str) -> bool {
        let (a, b) = (of(a, "a"), of(b, "b"));
        a.parts
            .iter()
            .any(|mine| b.parts.iter().any(|theirs| collision::of_claims(&a, mine, &b, theirs).is_some()))
    }

    #[test]
    fn every_action_is_valid_and_its_milder_one_exists() {
        for action in ACTIONS {
            of(action.name, "a").validate().expect(action.name);
            assert!(action.milder.is_none_or(|milder| Action::named(milder).is_some()), "{}", action.name);
            assert!(!action.isolates || action.on_death == OnDeath::Persists, "{}", action.name);
        }
    }

    #[test]
    fn which_collide_follows_from_the_table() {
        let yes = [
            ("migrate", "freeze"),
            ("migrate", "restart"),
            ("migrate", "cut-network"),
            ("migrate", "backup"),
            ("snapshot-memory", "restart"),
            ("snapshot-memory", "freeze"),
            ("snapshot-disk", "patch-vmm"),
            ("freeze", "thaw"),
            ("restart", "restart"),
            ("delete", "throttle"),
            ("delete", "backup"),
        ];
        let no = [
            ("throttle", "throttle"),
            ("throttle", "migrate"),
            ("cut-network", "cut-network"),
            ("cut-network", "snapshot-memory"),
            ("backup", "throttle"),
            ("balloon", "restart"),
        ];
        for (a, b) in yes {
            assert!(collides(a, b) && collides(b, a), "{a} and {b} collide");
        }
        for (a, b) in no {
            assert!(!collides(a, b) && !collides(b, a), "{a} and {b} do not");
        }
    }

    #[test]
    fn a_wrong_target_or_value_is_refused_with_the_reason() {
        let path = |text: &str| ResourcePath::parse(text).expect("a path");
        let action = |name: &str, target: &str, value: Option<&str>| {
            let action = Action::named(name).expect(name);
            action.claim(Party::csp("a"), "m", &path(target), value, "r").map_err(|error| error.to_string())
        };
        assert!(action("freeze", "host/nft", None).expect_err("").contains("is for a VM"));
        assert!(action("freeze", "vm/u/cpu", None).expect_err("").contains("a whole VM"));
        assert!(action("throttle", "vm/u", None).expect_err("").contains("needs a value"));
        assert!(action("freeze", "vm/u", Some("1")).expect_err("").contains("takes no value"));
        assert!(action("set", "vm/u", Some("1")).expect_err("").contains("a path of the host"));
    }
}
