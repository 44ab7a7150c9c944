//! The host as responses see it: the VMs there are, and those that were.

use bartizan_core::coordination::{Owners, Terms};
use bartizan_core::engine::Reader;
use bartizan_core::incidents::Resource;
use bartizan_core::response::Target;
use bartizan_core::response::book::Book;
use bartizan_core::response::responder::World;
use bartizan_core::sampling::discovery::identify::uuid_text;
use std::collections::BTreeMap;

/// VMs that are gone and still remembered: one that died may be brought back.
const GONE_MAX: usize = 1_024;

/// The VMs of a host.
pub(super) struct Place {
    reader: Reader,
    now: Vec<Target>,
    /// By UUID, or by name where a VM tells none; each as it was seen last, and when in rounds.
    known: BTreeMap<String, (u64, Target)>,
    round: u64,
}

impl Place {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader, now: Vec::new(), known: BTreeMap::new(), round: 0 }
    }

    /// Another agent watches from now on.
    pub(super) fn follow(&mut self, reader: Reader) {
        self.reader = reader;
    }

    /// Looks which VMs there are. Those of responses are known from their records.
    pub(super) fn look(&mut self, book: &Book) {
        self.round += 1;
        self.now = self.reader.vms().iter().map(|vm| Target::from(&**vm)).collect();
        for response in book.open() {
            let target = &response.proposal.target;
            self.known.entry(key(target)).or_insert_with(|| (self.round, target.clone()));
        }
        for target in &self.now {
            self.known.insert(key(target), (self.round, target.clone()));
        }
        while self.known.len() > GONE_MAX + self.now.len() {
            let oldest = self.known.iter().min_by_key(|(_, (round, _))| *round).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.known.remove(&oldest);
            }
        }
    }

    /// The VM that an incident is about, as it is or as it was.
    pub(super) fn target(&self, resource: &Resource) -> Option<Target> {
        self.known.get(&resource.vm).map(|(_, target)| target.clone())
    }

    /// Whose each VM is. A VM that is gone may still be claimed: to be brought back.
    pub(super) fn terms(&self) -> Terms {
        let owner = |(_, target): &(u64, Target)| (target.key(), target.tenant.clone());
        let owners: Owners = self.known.values().map(owner).collect();
        let vms_max = usize::try_from(self.reader.config().response.vms_max).unwrap_or(usize::MAX);
        Terms { owners, disrupted_vms_max: vms_max, ..Terms::default() }
    }
}

impl World for Place {
    fn vms(&self) -> Vec<Target> {
        // Asked while a VM is waited for: what was looked at before would be too old.
        self.reader.vms().iter().map(|vm| Target::from(&**vm)).collect()
    }

    fn notify(&mut self, target: &Target, text: &str) {
        log::warn!("{}: {text}", target.name);
    }
}

/// What incidents call a VM by.
fn key(target: &Target) -> String {
    match uuid_text(&target.uuid) {
        uuid if uuid.is_empty() => target.name.clone(),
        uuid => uuid,
    }
}
