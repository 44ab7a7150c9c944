//! What decisions are made under: who owns which VM, what was agreed, what is nobody's to touch, and how much there may be.

use super::claim::{Claim, Mode};
use super::error::ClaimError;
use super::party::{Contract, Owners, Role};
use super::path::ResourcePath;

/// The terms. They are the caller's and are not recorded: what was decided under them is.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Which VMs there are, by UUID, and whose each is.
    pub owners: Owners,
    /// What was agreed with customers.
    pub contract: Contract,
    /// What nobody may change: rule 2.
    pub protected: Vec<ResourcePath>,
    /// VMs that may be disrupted at a time: rule 2.
    pub disrupted_vms_max: usize,
    /// Claims that may live at a time.
    pub claims_max: usize,
    /// Claims of one party that may live at a time.
    pub party_claims_max: usize,
}

impl Default for Terms {
    /// No VMs; the agent and the host's management are protected; 8 VMs disrupted; 65,536 claims, 16,384 of one party.
    fn default() -> Self {
        let protected =
            ["host/agent", "host/management"].into_iter().filter_map(|path| ResourcePath::parse(path).ok());
        Self {
            owners: Owners::new(),
            contract: Contract::default(),
            protected: protected.collect(),
            disrupted_vms_max: 8,
            claims_max: 65_536,
            party_claims_max: 16_384,
        }
    }
}

impl Terms {
    /// Whether every VM that a claim names is on this host.
    ///
    /// # Errors
    /// [`ClaimError::UnknownVm`] with the first that is not.
    pub(super) fn knows(&self, claim: &Claim) -> Result<(), ClaimError> {
        let unknown = |vm: &&str| !self.owners.contains_key(*vm);
        let vm = claim.parts.iter().filter_map(|part| part.path.vm()).find(unknown);
        vm.map_or(Ok(()), |vm| Err(ClaimError::UnknownVm(super::path::shown(vm))))
    }

    /// Why the party may not claim this, whatever else is claimed; `None` when it may.
    pub(super) fn forbids(&self, claim: &Claim) -> Option<String> {
        let party = &claim.party;
        claim.parts.iter().find_map(|part| {
            let of_tenant = |tenant: &str| {
                part.path.vm().is_some_and(|vm| self.owners.get(vm).is_some_and(|owner| owner == tenant))
            };
            match party.role {
                Role::Csc if party.tenant.as_deref().is_none_or(|tenant| !of_tenant(tenant)) => {
                    Some(format!("a customer claims below its own VMs, and {} is not of one", part.path))
                }
                Role::Csp | Role::Csc => None,
                Role::Csn if !matches!(part.mode, Mode::Hold | Mode::Reads | Mode::Stable) => Some(format!(
                    "a partner reads and holds, and does not {} {}",
                    part.mode.name(),
                    part.path
                )),
                // What must not change would let an auditor stop the host's work.
                Role::Csn if part.mode == Mode::Stable && claim.parts.len() == 1 => {
                    Some(format!("a partner cannot ask that {} stays as it is", part.path))
                }
                Role::Csn => {
                    let tenant = party.tenant.as_deref().filter(|tenant| !of_tenant(tenant))?;
                    Some(format!("{party} is a partner for {tenant}, and {} is not {tenant}'s", part.path))
                }
            }
        })
    }

    /// The protected path that a claim would change, if there is one.
    pub(super) fn protects(&self, claim: &Claim) -> Option<&ResourcePath> {
        let changes = |mode: Mode| mode.sets() || mode == Mode::Destroys;
        let parts = claim.parts.iter().filter(|part| changes(part.mode));
        let mut touched =
            parts.filter_map(|part| self.protected.iter().find(|path| path.overlaps(&part.path)));
        touched.next()
    }
}
