//! The store of facts: each is read when it is first asked for, once, and again when something says that it changed.
//!
//! ```text
//! key ─▶ provider ─(Gather: paths it reads are noted)─▶ Fact ─▶ rules that saw it
//! ```
//! A fact's key is `name` or `name:argument`; the part before the colon finds its provider in [`PROVIDERS`].

mod gather;
pub mod providers;

pub use gather::Gather;
pub use providers::{PROVIDERS, Provider, Read, Refresh};

use super::fact::{Fact, Found, Unavailable};
use super::vm::{Vm, VmId};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

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
    cells: RefCell<HashMap<FactId, Cell>>,
    /// Every name that was asked for, once: thousands of facts share them.
    names: RefCell<HashSet<Arc<str>>>,
    /// One fact of every VM, as long as none of them has changed.
    each: RefCell<HashMap<Arc<str>, Each>>,
    /// Which facts were read from a path.
    readers: RefCell<HashMap<Arc<str>, HashSet<FactId>>>,
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

struct Cell {
    fact: Arc<Fact>,
    /// The paths that were read for it.
    inputs: Vec<Arc<str>>,
    dirty: bool,
}

impl Facts {
    /// Facts of a host.
    #[must_use]
    pub fn of_host(gather: Gather) -> Self {
        Self::new(Supply::Host(Box::new(gather)), HashMap::new(), Vec::new())
    }

    /// Facts that were read elsewhere; every other is absent.
    #[must_use]
    pub fn fixed(facts: impl IntoIterator<Item = (FactId, Found)>, vms: Vec<Arc<Vm>>) -> Self {
        let cell = |(id, found): (FactId, Found)| {
            let fact = fact_of(&id, found, 0);
            (id, Cell { fact, inputs: Vec::new(), dirty: false })
        };
        Self::new(Supply::Fixed, facts.into_iter().map(cell).collect(), vms)
    }

    fn new(supply: Supply, cells: HashMap<FactId, Cell>, vms: Vec<Arc<Vm>>) -> Self {
        Self {
            supply,
            cells: RefCell::new(cells),
            names: RefCell::default(),
            each: RefCell::default(),
            readers: RefCell::default(),
            fresh: RefCell::default(),
            vms,
        }
    }

    /// Which fact a name means, of the host or of a VM.
    #[must_use]
    pub fn id(&self, vm: Option<VmId>, key: &str) -> FactId {
        let mut names = self.names.borrow_mut();
        let known = names.get(key).cloned();
        let key = known.unwrap_or_else(|| {
            let name: Arc<str> = key.into();
            names.insert(Arc::clone(&name));
            name
        });
        FactId { vm, key }
    }

    /// The VMs on the host.
    #[must_use]
    pub fn vms(&self) -> &[Arc<Vm>] {
        &self.vms
    }

    /// Says which VMs there are now. Facts of those that are gone are forgotten; facts about the VMs as a whole are
    /// marked, and returned.
    pub fn set_vms(&mut self, vms: Vec<Arc<Vm>>) -> Vec<FactId> {
        let there: HashSet<VmId> = vms.iter().map(|vm| vm.id).collect();
        let left = |id: &FactId| id.vm.is_some_and(|vm| !there.contains(&vm));
        self.cells.get_mut().retain(|id, _| !left(id));
        self.readers.get_mut().retain(|_, readers| {
            readers.retain(|id| !left(id));
            !readers.is_empty()
        });
        self.vms = vms;
        self.each.get_mut().clear();
        if let Supply::Host(gather) = &mut self.supply {
            gather.set_vms(self.vms.clone());
        }
        let of_all = |refresh| matches!(refresh, Refresh::Vms | Refresh::Joined(_));
        self.mark(|id| provider(&id.key).is_some_and(|provider| of_all(provider.refresh)))
    }

    /// One fact: as it was read last, or read now when it never was or is known to have changed.
    #[must_use]
    pub fn get(&self, id: &FactId, vm: Option<&Arc<Vm>>) -> Arc<Fact> {
        if let Some(cell) = self.cells.borrow().get(id)
            && !cell.dirty
        {
            return Arc::clone(&cell.fact);
        }
        let (fact, inputs) = self.read(id, vm);
        let mut cells = self.cells.borrow_mut();
        let before = cells.get(id).map(|cell| cell.inputs.clone()).unwrap_or_default();
        if before != inputs {
            self.reindex(id, &before, &inputs);
        }
        cells.insert(id.clone(), Cell { fact: Arc::clone(&fact), inputs, dirty: false });
        fact
    }

    /// One fact of every VM, in the order of [`vms`](Self::vms).
    #[must_use]
    pub fn each(&self, key: &str) -> Each {
        if let Some(each) = self.each.borrow().get(key) {
            return Arc::clone(each);
        }
        let of_vm = |vm: &Arc<Vm>| (Arc::clone(vm), self.get(&self.id(Some(vm.id), key), Some(vm)));
        let each: Each = self.vms.iter().map(of_vm).collect();
        self.each.borrow_mut().insert(key.into(), Arc::clone(&each));
        each
    }

    /// Marks facts as changed, and says which they are.
    pub fn mark(&mut self, which: impl Fn(&FactId) -> bool) -> Vec<FactId> {
        let mut marked = Vec::new();
        for (id, cell) in self.cells.get_mut() {
            if which(id) {
                cell.dirty = true;
                marked.push(id.clone());
            }
        }
        marked
    }

    /// Marks the facts that were read from paths for which this holds, and says which they are.
    pub fn mark_paths(&mut self, which: impl Fn(&str) -> bool) -> Vec<FactId> {
        let readers = self.readers.get_mut();
        let hit: HashSet<FactId> =
            readers.iter().filter(|(path, _)| which(path)).flat_map(|(_, ids)| ids.iter().cloned()).collect();
        let cells = self.cells.get_mut();
        for id in &hit {
            if let Some(cell) = cells.get_mut(id) {
                cell.dirty = true;
            }
        }
        hit.into_iter().collect()
    }

    /// Reads a fact again that was marked; whether it now says something else.
    pub fn refresh(&mut self, id: &FactId) -> bool {
        let Some(before) = self.cells.get_mut().get(id).map(|cell| Arc::clone(&cell.fact)) else {
            return false;
        };
        let vm = id.vm.and_then(|wanted| self.vms.iter().find(|vm| vm.id == wanted)).cloned();
        let after = self.get(id, vm.as_ref());
        let changed = !after.same(&before);
        if changed && id.vm.is_some() {
            self.each.get_mut().remove(&id.key);
        }
        changed
    }

    /// Forgets what was read for several facts at once: from now on files are looked at anew.
    pub fn new_round(&mut self) {
        if let Supply::Host(gather) = &mut self.supply {
            gather.new_round();
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
        self.cells.borrow().is_empty()
    }

    /// Every fact that was read, by VM and name.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(FactId, Arc<Fact>)> {
        let cells = self.cells.borrow();
        let mut facts: Vec<_> = cells.iter().map(|(id, cell)| (id.clone(), Arc::clone(&cell.fact))).collect();
        facts.sort_by(|a, b| a.0.cmp(&b.0));
        facts
    }

    fn reindex(&self, id: &FactId, before: &[Arc<str>], after: &[Arc<str>]) {
        let mut readers = self.readers.borrow_mut();
        for path in before {
            if let Some(ids) = readers.get_mut(path) {
                ids.remove(id);
            }
        }
        for path in after {
            let ids = readers.entry(Arc::clone(path)).or_insert_with(|| {
                self.fresh.borrow_mut().push(Arc::clone(path));
                HashSet::new()
            });
            ids.insert(id.clone());
        }
    }

    fn read(&self, id: &FactId, vm: Option<&Arc<Vm>>) -> (Arc<Fact>, Vec<Arc<str>>) {
        let Supply::Host(gather) = &self.supply else {
            return (fact_of(id, Found::unavailable(Unavailable::Absent, "nowhere"), 0), Vec::new());
        };
        let (name, argument) = split(&id.key);
        let (found, inputs) = gather.noting(|gather| match (provider(&id.key).map(|p| p.read), vm) {
            (Some(Read::Host(read)), _) => read(gather, argument),
            (Some(Read::Vm(read)), Some(vm)) => read(gather, vm, argument),
            (Some(Read::Vm(_)), None) => Found::unavailable(Unavailable::Gone, "a VM"),
            (None, _) => {
                let why = format!("no fact is named {name:?} in this version");
                Found::unavailable(Unavailable::NotExposed(why), "nowhere")
            }
        });
        (fact_of(id, found, gather.clock().wall_ns()), inputs)
    }
}

/// The provider of a fact.
#[must_use]
pub fn provider(key: &str) -> Option<&'static Provider> {
    let (name, _) = split(key);
    PROVIDERS.iter().flat_map(|table| table.iter()).find(|provider| provider.name == name)
}

fn split(key: &str) -> (&str, &str) {
    key.split_once(':').unwrap_or((key, ""))
}

fn fact_of(id: &FactId, found: Found, read_at_ns: i64) -> Arc<Fact> {
    let Found { value, source, raw } = found;
    Arc::new(Fact { key: Arc::clone(&id.key), value, source, raw, read_at_ns })
}
