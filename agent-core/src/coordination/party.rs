//! Who claims: a party, and the role it has towards this host's cloud service.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The longest name of a party, tenant or mechanism, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 128;

/// The roles of ITU-T X.1601.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// The cloud service provider: whose host this is.
    Csp,
    /// The cloud service customer: a tenant, whose VMs run here.
    Csc,
    /// The cloud service partner: an auditor, who reads and holds.
    Csn,
}

/// A party: one program or team that acts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Party {
    /// Its name, such as `soc`, `autoscaler` or `firewalld`.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// The tenant it acts for. A customer always has one; a partner that has one sees that tenant's VMs alone.
    pub tenant: Option<String>,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Csp, Self::Csc, Self::Csn];

    /// `csp`, `csc` or `csn`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csp => "csp",
            Self::Csc => "csc",
            Self::Csn => "csn",
        }
    }

    /// The role of a name, in lower or upper case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name().eq_ignore_ascii_case(name))
    }
}

impl Party {
    /// A party of the provider's.
    #[must_use]
    pub fn csp(name: impl Into<String>) -> Self {
        Self { name: name.into(), role: Role::Csp, tenant: None }
    }

    /// A party of a tenant's.
    #[must_use]
    pub fn csc(name: impl Into<String>, tenant: impl Into<String>) -> Self {
        Self { name: name.into(), role: Role::Csc, tenant: Some(tenant.into()) }
    }

    /// A partner.
    #[must_use]
    pub fn csn(name: impl Into<String>) -> Self {
        Self { name: name.into(), role: Role::Csn, tenant: None }
    }
}

impl fmt::Display for Party {
    /// `csp/soc`, `csc/acme/backup`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            Some(tenant) => write!(f, "{}/{tenant}/{}", self.role.name(), self.name),
            None => write!(f, "{}/{}", self.role.name(), self.name),
        }
    }
}

/// Which VMs there are, and whose each is; empty for a VM that no tenant owns.
pub type Owners = BTreeMap<String, String>;

/// What the provider has agreed with its customers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// Parts of its own VM (`vm/UUID/PART`) about which the customer's word goes before the provider's; about all others
    /// the provider's goes before the customer's.
    pub customer_decides: Vec<String>,
    /// Whether a customer may forbid that its VM is isolated. Where it may, a forbidden isolation is escalated.
    pub customer_may_forbid_isolation: bool,
}

impl Default for Contract {
    /// The customer decides about its VM's network, power, image and evidence, and cannot forbid isolation.
    fn default() -> Self {
        let customer_decides = ["net", "power", "image", "evidence"].map(str::to_owned).to_vec();
        Self { customer_decides, customer_may_forbid_isolation: false }
    }
}
