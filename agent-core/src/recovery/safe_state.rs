//! What each mechanism does while no agent runs: declared here once, documented in `docs/recovery.md`, and looked up by
//! whoever takes an action.
//!
//! Guests go on, isolation stays, evidence is never silently incomplete. What an agent did to a VM for a while ends by
//! itself where its end needs no decision; what protects somebody from that VM stays until somebody decides.

/// What is safe while no agent runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SafeState {
    /// As it was left: nothing changes until an agent, or a person, decides anew.
    Keeps,
    /// As it was left until its lease ends; then whatever enforces it undoes it without an agent.
    LapsesAtLeaseEnd,
    /// What is not known to be allowed is refused.
    FailsClosed,
    /// What is not known to be forbidden goes on.
    FailsOpen,
    /// It stops, and that it stopped can be seen from outside and afterwards.
    FailsVisibly,
}

impl SafeState {
    /// A word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keeps => "keeps",
            Self::LapsesAtLeaseEnd => "lapses-at-lease-end",
            Self::FailsClosed => "fails-closed",
            Self::FailsOpen => "fails-open",
            Self::FailsVisibly => "fails-visibly",
        }
    }
}

/// Something the agent does or holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// VMs that run.
    Guests,
    /// A VM cut off from the network.
    Quarantine,
    /// A VM that is held (paused).
    Pause,
    /// A VM that gets less CPU.
    Throttle,
    /// Claims of other parties that must not be broken: an evidence hold, a migration under way.
    Holds,
    /// Actions that were proposed and not decided, or decided and not begun.
    PendingActions,
    /// Actions that were begun: whether they were done is not known.
    BegunActions,
    /// Bringing a VM back elsewhere.
    Restart,
    /// The configuration in force.
    Configuration,
    /// The trail of records.
    Evidence,
    /// Sampling, detection and checks.
    Monitoring,
    /// Notices that were promised to customers and partners.
    Notices,
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// What.
    pub mechanism: Mechanism,
    /// Its name in documents and records.
    pub name: &'static str,
    /// What it does while no agent runs.
    pub down: SafeState,
    /// What the agent does about it when it starts.
    pub at_start: &'static str,
    /// Why this is safe.
    pub why: &'static str,
}

/// The table.
pub const TABLE: &[Declared] = &[
    Declared {
        mechanism: Mechanism::Guests,
        name: "guests",
        down: SafeState::FailsOpen,
        at_start: "found again; none is touched",
        why: "a guest depends on no agent: its death must not become theirs",
    },
    Declared {
        mechanism: Mechanism::Quarantine,
        name: "quarantine",
        down: SafeState::Keeps,
        at_start: "taken over from the ledger, and compared with the host",
        why: "isolation protects others from this VM; that the agent died is no reason to trust it",
    },
    Declared {
        mechanism: Mechanism::Pause,
        name: "pause",
        down: SafeState::Keeps,
        at_start: "taken over from the ledger; ended when its lease has",
        why: "only a VMM's monitor can end it, and whom to resume is a decision",
    },
    Declared {
        mechanism: Mechanism::Throttle,
        name: "throttle",
        down: SafeState::LapsesAtLeaseEnd,
        at_start: "undone when its lease has ended meanwhile",
        why: "it costs the customer and protects nobody that a limit of the host does not protect",
    },
    Declared {
        mechanism: Mechanism::Holds,
        name: "holds",
        down: SafeState::Keeps,
        at_start: "taken over from the ledger before anything is decided",
        why: "what another party relies on is broken by nobody's death",
    },
    Declared {
        mechanism: Mechanism::PendingActions,
        name: "pending actions",
        down: SafeState::FailsClosed,
        at_start: "forgotten; what is still wrong is proposed anew",
        why: "an old decision was made about a host that may look different by now",
    },
    Declared {
        mechanism: Mechanism::BegunActions,
        name: "begun actions",
        down: SafeState::FailsClosed,
        at_start: "looked at on the host and recorded as done or not done; never begun a second time unseen",
        why: "the record came before the effect: both are possible, and doing it twice may hurt",
    },
    Declared {
        mechanism: Mechanism::Restart,
        name: "restart",
        down: SafeState::FailsClosed,
        at_start: "not before the VM's old process is known to be dead",
        why: "two of one VM destroy its disks",
    },
    Declared {
        mechanism: Mechanism::Configuration,
        name: "configuration",
        down: SafeState::Keeps,
        at_start: "the file's, if it is right; the last good generation otherwise, and that is told",
        why: "a slip of the pen must not leave the host unwatched, and must not go unnoticed",
    },
    Declared {
        mechanism: Mechanism::Evidence,
        name: "evidence",
        down: SafeState::FailsVisibly,
        at_start: "a start record says how the last run ended; what was acknowledged is there",
        why: "a gap that is recorded is evidence; one that is not is a way to hide",
    },
    Declared {
        mechanism: Mechanism::Monitoring,
        name: "monitoring",
        down: SafeState::FailsVisibly,
        at_start: "goes on with what was learned; what fired is not told twice",
        why: "silence shows: checkpoints stop, the service manager and a standby notice",
    },
    Declared {
        mechanism: Mechanism::Notices,
        name: "notices",
        down: SafeState::Keeps,
        at_start: "sent again unless their delivery is recorded: at least once",
        why: "a promise to tell somebody is not kept by having meant to",
    },
];

impl Mechanism {
    /// What is declared of it.
    #[must_use]
    pub fn declared(self) -> &'static Declared {
        // Declared in the order of the enum, every one of them: a test holds that.
        &TABLE[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mechanism_is_declared_in_its_place() {
        for (at, line) in TABLE.iter().enumerate() {
            assert_eq!(line.mechanism as usize, at, "{}", line.name);
            assert_eq!(line.mechanism.declared(), line);
            assert!(!line.at_start.is_empty() && !line.why.is_empty());
        }
        assert_eq!(Mechanism::Notices as usize + 1, TABLE.len(), "the last one is declared");
    }

    /// Guests fail operational, isolation stays, evidence fails visibly, nothing is done twice or elsewhere unseen.
    #[test]
    fn the_rules_that_the_table_stands_on() {
        use {Mechanism as M, SafeState as S};
        let down = |mechanism: M| mechanism.declared().down;
        assert_eq!(down(M::Guests), S::FailsOpen);
        assert_eq!((down(M::Quarantine), down(M::Holds)), (S::Keeps, S::Keeps));
        assert_eq!(down(M::Throttle), S::LapsesAtLeaseEnd);
        assert_eq!((down(M::Evidence), down(M::Monitoring)), (S::FailsVisibly, S::FailsVisibly));
        assert_eq!((down(M::BegunActions), down(M::Restart)), (S::FailsClosed, S::FailsClosed));
    }

    #[test]
    fn the_document_says_the_same() {
        let page = include_str!("../../../docs/recovery.md");
        for line in TABLE {
            let row = format!("| {} | {} | {} | {} |", line.name, line.down.name(), line.at_start, line.why);
            assert!(page.contains(&row), "docs/recovery.md lacks:\n{row}");
        }
    }
}
