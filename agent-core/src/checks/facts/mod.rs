//! The store of facts: each is read when it is first asked for, once, and again when something says that it changed.
//!
//! ```text
//! key ─▶ provider ─(Gather: paths it reads are noted)─▶ Fact ─▶ rules that saw it
//! ```
//! A fact's key is `name` or `name:argument`; the part before the colon finds its provider in [`PROVIDERS`].

mod gather;
pub mod providers;
mod store;

pub use gather::Gather;
pub use providers::{PROVIDERS, Provider, Read, Refresh};
pub use store::{Name, NameId, Place};

use super::fact::{Fact, Found, Said, Unavailable};
use super::vm::{Vm, VmId};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};
use store::{Cells, Names};

/// Which fact: a name, and the VM it is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FactId {
    /// The VM; `None` for the host.
    pub vm: Option<VmId>,
    /// The name.
    pub key: Arc<str>,
}

/// One fact of every VM.
pub type Each = Arc<[(Arc<Vm>, Arc<Fact>)]>;

/// The name under which a rule depends on one fact of every VM.
pub const EACH: &str = "vms.each:";

/// All facts that were asked for.
pub struct Facts {
    supply: Supply,
    cells: RefCell<Cells>,
    names: RefCell<Names>,
    /// What was said last under each name of a VM's facts: the next VM most often says the same.
    last_said: RefCell<HashMap<NameId, Arc<Said>>>,
    /// Where facts were read, once each.
    sources: RefCell<Texts>,
    /// One fact of every VM, as long as none of them has changed.
    each: RefCell<HashMap<NameId, Each>>,
    /// Which facts were read from a path.
    readers: RefCell<HashMap<Arc<str>, Vec<Place>>>,
    /// Paths that were read for the first time since somebody asked.
    fresh: RefCell<Vec<Arc<str>>>,
    vms: Vec<Arc<Vm>>,
}

/// Where facts come from.
enum Supply {
    /// A host, live or recorded.
    Host(Box<Gather>),
    /// A fixed set, for tests and for findings made elsewhere.
    Fixed,
}

impl Facts {
    /// Facts of a host.
    #[must_use]
    pub fn of_host(gather: Gather) -> Self {
        Self::new(Supply::Host(Box::new(gather)), Vec::new())
    }

    /// Facts that were read elsewhere; every other is absent.
    #[must_use]
    pub fn fixed(facts: impl IntoIterator<Item = (FactId, Found)>, vms: Vec<Arc<Vm>>) -> Self {
        let all = Self::new(Supply::Fixed, vms);
        for (id, found) in facts {
            let place = all.place(id.vm, &id.key);
            let fact = all.fact_of(place, found, 0);
            all.cells.borrow_mut().put(place, fact, Box::default());
        }
        all
    }

    fn new(supply: Supply, vms: Vec<Arc<Vm>>) -> Self {
        Self {
            supply,
            cells: RefCell::default(),
            names: RefCell::default(),
            last_said: RefCell::default(),
            sources: RefCell::default(),
            each: RefCell::default(),
            readers: RefCell::default(),
            fresh: RefCell::default(),
            vms,
        }
    }

    /// Which fact a name means, of the host or of a VM.
    #[must_use]
    pub fn place(&self, vm: Option<VmId>, key: &str) -> Place {
        Place { vm, name: self.names.borrow_mut().id(key) }
    }

    /// What a fact is called.
    #[must_use]
    pub fn key(&self, name: NameId) -> Arc<str> {
        Arc::clone(self.names.borrow().name(name).key)
    }

    /// The VMs on the host.
    #[must_use]
    pub fn vms(&self) -> &[Arc<Vm>] {
        &self.vms
    }

    /// Says which VMs there are now. Facts of those that are gone are forgotten; facts about the VMs as a whole are
    /// marked, and returned.
    pub fn set_vms(&mut self, vms: Vec<Arc<Vm>>) -> Vec<Place> {
        let there: HashSet<VmId> = vms.iter().map(|vm| vm.id).collect();
        let stays = |vm: Option<VmId>| vm.is_none_or(|vm| there.contains(&vm));
        self.cells.get_mut().keep_subjects(stays);
        self.readers.get_mut().retain(|_, readers| {
            readers.retain(|place| stays(place.vm));
            !readers.is_empty()
        });
        self.sources.get_mut().purge();
        self.vms = vms;
        self.each.get_mut().clear();
        if let Supply::Host(gather) = &mut self.supply {
            gather.set_vms(self.vms.clone());
        }
        let of_all = |refresh| matches!(refresh, Refresh::Vms | Refresh::Joined(_));
        self.mark(|_, name| name.provider.is_some_and(|provider| of_all(provider.refresh)))
    }

    /// One fact: as it was read last, or read now when it never was or is known to have changed.
    #[must_use]
    pub fn get(&self, place: Place, vm: Option<&Arc<Vm>>) -> Arc<Fact> {
        if let Some(cell) = self.cells.borrow().get(place)
            && !cell.dirty
        {
            return Arc::clone(&cell.fact);
        }
        let (fact, inputs) = self.read(place, vm);
        let inputs = inputs.into_boxed_slice();
        let before = self.cells.borrow_mut().put(place, Arc::clone(&fact), inputs.clone());
        if before != inputs {
            self.reindex(place, &before, &inputs);
        }
        fact
    }

    /// One fact of every VM, in the order of [`vms`](Self::vms).
    #[must_use]
    pub fn each(&self, key: &str) -> Each {
        let name = self.place(None, key).name;
        if let Some(each) = self.each.borrow().get(&name) {
            return Arc::clone(each);
        }
        let of_vm = |vm: &Arc<Vm>| (Arc::clone(vm), self.get(Place { vm: Some(vm.id), name }, Some(vm)));
        let each: Each = self.vms.iter().map(of_vm).collect();
        self.each.borrow_mut().insert(name, Arc::clone(&each));
        each
    }

    /// Marks every fact as changed.
    pub fn mark_all(&mut self) {
        self.cells.get_mut().iter_mut().for_each(|(_, cell)| cell.dirty = true);
    }

    /// Marks facts as changed, and says which they are.
    pub fn mark(&mut self, which: impl Fn(Option<VmId>, Name<'_>) -> bool) -> Vec<Place> {
        let names = self.names.get_mut();
        let cells = self.cells.get_mut().iter_mut();
        let hit = cells.filter(|(place, _)| which(place.vm, names.name(place.name)));
        hit.map(|(place, cell)| {
            cell.dirty = true;
            place
        })
        .collect()
    }

    /// The same among the facts of one VM.
    pub fn mark_of(&mut self, vm: VmId, which: impl Fn(Name<'_>) -> bool) -> Vec<Place> {
        let names = self.names.get_mut();
        let cells = self.cells.get_mut().of_mut(Some(vm));
        let hit = cells.filter(|(place, _)| which(names.name(place.name)));
        hit.map(|(place, cell)| {
            cell.dirty = true;
            place
        })
        .collect()
    }

    /// Marks the facts that were read from paths for which this holds, and says which they are.
    pub fn mark_paths(&mut self, which: impl Fn(&str) -> bool) -> Vec<Place> {
        let readers = self.readers.get_mut();
        let hit: HashSet<Place> =
            readers.iter().filter(|(path, _)| which(path)).flat_map(|(_, places)| places).copied().collect();
        let cells = self.cells.get_mut();
        for place in &hit {
            if let Some(cell) = cells.get_mut(*place) {
                cell.dirty = true;
            }
        }
        hit.into_iter().collect()
    }

    /// Reads a fact again that was marked; whether it now says something else.
    pub fn refresh(&mut self, place: Place) -> bool {
        let Some(before) = self.cells.get_mut().get(place).map(|cell| Arc::clone(&cell.fact)) else {
            return false;
        };
        let vm = place.vm.and_then(|wanted| self.vms.iter().find(|vm| vm.id == wanted)).cloned();
        let after = self.get(place, vm.as_ref());
        let changed = !after.same(&before);
        if changed && place.vm.is_some() {
            self.each.get_mut().remove(&place.name);
        }
        changed
    }

    /// Forgets what was read for several facts at once: from now on files are looked at anew.
    pub fn new_round(&mut self) {
        if let Supply::Host(gather) = &mut self.supply {
            gather.new_round();
        }
    }

    /// Says that the facts of a VM have been read for now: what several of them are made of is let go.
    pub fn done_with(&mut self, vm: VmId) {
        if let Supply::Host(gather) = &mut self.supply {
            gather.forget_process(vm.pid);
        }
    }

    /// Paths that were read for the first time since the last call.
    pub fn fresh_paths(&mut self) -> Vec<Arc<str>> {
        std::mem::take(self.fresh.get_mut())
    }

    /// Paths that facts were read from, and that are one of these or below one.
    #[must_use]
    pub fn paths_below(&self, folders: &[std::path::PathBuf]) -> Vec<Arc<str>> {
        let readers = self.readers.borrow();
        let below = |path: &&Arc<str>| {
            folders.iter().any(|folder| std::path::Path::new(&***path).starts_with(folder))
        };
        readers.keys().filter(below).cloned().collect()
    }

    /// Where the host's files are.
    #[must_use]
    pub fn roots(&self) -> crate::config::Roots {
        match &self.supply {
            Supply::Host(gather) => gather.host().roots().clone(),
            Supply::Fixed => crate::config::Roots::default(),
        }
    }

    /// How many facts are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.borrow().len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every fact that was read, by VM and name.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(FactId, Arc<Fact>)> {
        let cells = self.cells.borrow();
        let id = |place: Place| FactId { vm: place.vm, key: self.key(place.name) };
        let mut facts: Vec<_> =
            cells.iter().map(|(place, cell)| (id(place), Arc::clone(&cell.fact))).collect();
        facts.sort_by(|a, b| a.0.cmp(&b.0));
        facts
    }

    fn reindex(&self, place: Place, before: &[Arc<str>], after: &[Arc<str>]) {
        let mut readers = self.readers.borrow_mut();
        for path in before {
            if let Some(places) = readers.get_mut(path) {
                places.retain(|known| *known != place);
            }
        }
        for path in after {
            let places = readers.entry(Arc::clone(path)).or_insert_with(|| {
                self.fresh.borrow_mut().push(Arc::clone(path));
                Vec::new()
            });
            places.reserve_exact(1);
            places.push(place);
        }
    }

    fn read(&self, place: Place, vm: Option<&Arc<Vm>>) -> (Arc<Fact>, Vec<Arc<str>>) {
        let Supply::Host(gather) = &self.supply else {
            let found = Found::unavailable(Unavailable::Absent, "nowhere");
            return (self.fact_of(place, found, 0), Vec::new());
        };
        let (key, provider) = {
            let names = self.names.borrow();
            let name = names.name(place.name);
            (Arc::clone(name.key), name.provider)
        };
        let (name, argument) = split(&key);
        let (found, inputs) = gather.noting(|gather| match (provider.map(|p| p.read), vm) {
            (Some(Read::Host(read)), _) => read(gather, argument),
            (Some(Read::Vm(read)), Some(vm)) => read(gather, vm, argument),
            (Some(Read::Vm(_)), None) => Found::unavailable(Unavailable::Gone, "a VM"),
            (None, _) => {
                let why = format!("no fact is named {name:?} in this version");
                Found::unavailable(Unavailable::NotExposed(why), "nowhere")
            }
        });
        (self.fact_of(place, found, gather.clock().wall_ns()), inputs)
    }

    /// What was found as a fact; what is said already under its name, of this VM before or of another, is not kept
    /// twice.
    fn fact_of(&self, place: Place, found: Found, read_at_ns: i64) -> Arc<Fact> {
        let (said, source) = found.into_said();
        let source = self.sources.borrow_mut().get(&source);
        let before = self.cells.borrow().get(place).map(|cell| Arc::clone(&cell.fact.said));
        let said = match before.filter(|before| **before == said) {
            Some(before) => before,
            None if place.vm.is_none() => Arc::new(said),
            None => {
                let mut last = self.last_said.borrow_mut();
                if let Some(last) = last.get(&place.name).filter(|last| ***last == said) {
                    Arc::clone(last)
                } else {
                    let said = Arc::new(said);
                    last.insert(place.name, Arc::clone(&said));
                    said
                }
            }
        };
        Arc::new(Fact { key: self.key(place.name), source, said, read_at_ns })
    }
}

/// Texts, each kept once.
#[derive(Default)]
pub(in crate::checks) struct Texts(HashSet<Arc<str>>);

impl Texts {
    pub(in crate::checks) fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.0.insert(Arc::clone(&text));
        text
    }

    /// Lets go of what nobody else has.
    fn purge(&mut self) {
        self.0.retain(|text| Arc::strong_count(text) > 1);
    }
}

/// The provider of a fact.
#[must_use]
pub fn provider(key: &str) -> Option<&'static Provider> {
    /// By name: it is asked for with every fact that is looked at.
    static BY_NAME: LazyLock<HashMap<&str, &Provider>> = LazyLock::new(|| {
        PROVIDERS.iter().flat_map(|table| table.iter()).map(|provider| (provider.name, provider)).collect()
    });
    BY_NAME.get(split(key).0).copied()
}

fn split(key: &str) -> (&str, &str) {
    key.split_once(':').unwrap_or((key, ""))
}
