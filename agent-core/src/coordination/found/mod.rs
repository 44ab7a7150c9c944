//! What there is on a host without anybody having said so: who holds which part of it, and where they are in each other's
//! way. What could not be looked at is told too.

mod confinement;
mod firewall;
pub mod jobs;
mod sysctl;
mod units;
mod vms;

use super::claim::{Claim, Mode, Origin, Part};
use super::conflict::{Class, Conflict, Side};
use super::party::{Contract, Owners, Party};
use super::path::ResourcePath;
use super::survey::survey;
use crate::checks::facts::{Facts, Gather};
use crate::checks::host::HostFiles;
use crate::checks::{Unavailable, Vm};
use crate::config::Config;
use crate::sampling::discovery::inspect::{Evidence, Inspection, inspect};
use crate::sampling::discovery::scan::candidates;
use crate::sys::clock::Clock;
use std::path::PathBuf;
use std::sync::Arc;

/// All that was found.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Who holds what.
    pub claims: Vec<Claim>,
    /// Where they are in each other's way, the gravest kinds first.
    pub conflicts: Vec<Conflict>,
    /// What is worth knowing and no mistake: exceptions of firewall rules, rules whose order decides.
    pub remarks: Vec<Conflict>,
    /// What could not be looked at, and why.
    pub unknown: Vec<(String, String)>,
    /// Where nothing could be learnt, so that what was known of it before still stands.
    pub unseen: Vec<ResourcePath>,
    /// The VMs, by UUID or `pid-N` where they have none, and whose each is.
    pub owners: Owners,
}

/// A VM, as it is looked at here.
pub(super) struct Guest {
    vm: Arc<Vm>,
    /// What it is called in paths.
    key: String,
    monitor: Option<PathBuf>,
}

/// Looks at a host, live or recorded. Reads files, asks the packet filter and the VMs' monitors; takes up to half a second
/// for each monitor that does not answer.
#[must_use]
pub fn look(config: &Config) -> Host {
    let found = candidates(config, |_| false).into_iter();
    let guests: Vec<Guest> = found
        .filter_map(|pid| match inspect(config, pid, Evidence::default()) {
            Inspection::Vm(found) => {
                let vm = Arc::new(Vm::from(&*found));
                let key = if vm.uuid.is_empty() { format!("pid-{}", vm.id.pid) } else { vm.uuid.clone() };
                Some(Guest { vm, key, monitor: found.monitor.clone() })
            }
            Inspection::Not | Inspection::Gone => None,
        })
        .collect();
    let gather = Gather::new(HostFiles::new(config.roots.clone()), Clock::System);
    let mut facts = Facts::of_host(Gather::new(HostFiles::new(config.roots.clone()), Clock::System));
    facts.set_vms(guests.iter().map(|guest| Arc::clone(&guest.vm)).collect());
    let mut host = Host {
        owners: guests.iter().map(|guest| (guest.key.clone(), guest.vm.tenant.clone())).collect(),
        ..Host::default()
    };
    firewall::look(&gather, &mut host);
    sysctl::look(&gather, &mut host);
    units::look(&gather, &mut host);
    confinement::look(&facts, &guests, &mut host);
    vms::look(&gather, &guests, &mut host);
    jobs::look(&gather, &guests, &mut host);
    let between = survey(&host.claims, &Contract::default());
    host.conflicts.extend(between);
    host.conflicts.sort_by(|a, b| (a.class, &a.about, &a.sentence).cmp(&(b.class, &b.about, &b.sentence)));
    host.conflicts.dedup();
    host
}

impl Host {
    /// Adds a claim that was found; a path that cannot be one is told instead.
    fn claim(
        &mut self,
        party: &str,
        mechanism: &str,
        path: &str,
        mode: Mode,
        value: Option<&str>,
        where_: &str,
    ) {
        let fit = |text: &str| {
            text.chars()
                .map(|char| if char.is_whitespace() || char.is_control() { '_' } else { char })
                .collect::<String>()
        };
        match ResourcePath::parse(&fit(path)) {
            Ok(path) => {
                let mut cut = value.map(str::to_owned);
                if let Some(value) = &mut cut {
                    truncate(value, super::claim::VALUE_BYTES_MAX);
                }
                let mut reason = format!("found in {where_}");
                truncate(&mut reason, super::claim::REASON_BYTES_MAX);
                let mut name = fit(party);
                truncate(&mut name, super::party::NAME_BYTES_MAX);
                let claim =
                    Claim::new(Party::csp(name), mechanism, Part::new(path, mode, cut.as_deref()), &reason);
                self.claims.push(Claim { origin: Origin::Found, ..claim });
            }
            Err(error) => self.unknown.push((path.to_owned(), error.to_string())),
        }
    }

    fn conflict(&mut self, class: Class, about: &str, sides: Vec<Side>, sentence: String) {
        self.conflicts.push(Conflict { class, about: about.to_owned(), sides, rule: None, sentence });
    }

    fn unknown(&mut self, what: &str, why: &Unavailable) {
        self.unknown.push((what.to_owned(), why.to_string()));
    }

    /// The same about all that is held below a path.
    fn unseen(&mut self, path: &str, what: &str, why: &str) {
        self.unknown.push((what.to_owned(), why.to_owned()));
        self.unseen.extend(ResourcePath::parse(path));
    }
}

fn side(party: &str, mechanism: &str, says: impl Into<String>) -> Side {
    Side { party: Party::csp(party), mechanism: mechanism.to_owned(), says: says.into(), token: None }
}

fn truncate(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        let mut end = bytes_max;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests;
