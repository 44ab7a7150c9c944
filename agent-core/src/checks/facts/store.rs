//! Where facts are kept: by name, and for each name by subject, as densely as thousands of VMs ask for.

use crate::checks::fact::Fact;
use crate::checks::facts::providers::Provider;
use crate::checks::vm::VmId;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Cells that are made room for at a time.
const ROOM: usize = 16;

/// A name of a fact, counted in the order they were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameId(u32);

/// Which fact, in short: see [`FactId`](super::FactId).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The VM; `None` for the host.
    pub vm: Option<VmId>,
    /// Its name.
    pub name: NameId,
}

/// A name, and who provides it.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    /// The name.
    pub key: &'a Arc<str>,
    /// Its provider; `None` when no fact is named so.
    pub provider: Option<&'static Provider>,
}

/// Every name that was asked for, once.
#[derive(Default)]
pub(super) struct Names {
    by_key: HashMap<Arc<str>, NameId>,
    list: Vec<(Arc<str>, Option<&'static Provider>)>,
}

impl Names {
    /// The number of a name, known or new.
    pub(super) fn id(&mut self, key: &str) -> NameId {
        if let Some(id) = self.by_key.get(key) {
            return *id;
        }
        let id = NameId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        let key: Arc<str> = key.into();
        self.list.push((Arc::clone(&key), super::provider(&key)));
        self.by_key.insert(key, id);
        id
    }

    pub(super) fn name(&self, id: NameId) -> Name<'_> {
        let (key, provider) = &self.list[id.0 as usize];
        Name { key, provider: *provider }
    }
}

/// One fact that was read.
pub(super) struct Cell {
    name: NameId,
    /// Whether it is known to have changed since.
    pub(super) dirty: bool,
    pub(super) fact: Arc<Fact>,
    /// The paths that were read for it.
    pub(super) inputs: Box<[Arc<str>]>,
}

/// Every fact that was read: of each subject, in the order of names.
#[derive(Default)]
pub(super) struct Cells(BTreeMap<Option<VmId>, Vec<Cell>>);

impl Cells {
    pub(super) fn get(&self, place: Place) -> Option<&Cell> {
        let column = self.0.get(&place.vm)?;
        column.binary_search_by_key(&place.name, |cell| cell.name).ok().map(|at| &column[at])
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Cell> {
        let column = self.0.get_mut(&place.vm)?;
        column.binary_search_by_key(&place.name, |cell| cell.name).ok().map(|at| &mut column[at])
    }

    /// Puts a fact in its place; the paths of the one that was there.
    pub(super) fn put(&mut self, place: Place, fact: Arc<Fact>, inputs: Box<[Arc<str>]>) -> Box<[Arc<str>]> {
        let column = self.0.entry(place.vm).or_default();
        let cell = Cell { name: place.name, dirty: false, fact, inputs };
        match column.binary_search_by_key(&place.name, |cell| cell.name) {
            Ok(at) => std::mem::replace(&mut column[at], cell).inputs,
            Err(at) => {
                if column.len() == column.capacity() {
                    column.reserve_exact(ROOM);
                }
                column.insert(at, cell);
                Box::default()
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    pub(super) fn keep_subjects(&mut self, keep: impl Fn(Option<VmId>) -> bool) {
        self.0.retain(|vm, _| keep(*vm));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, &Cell)> {
        self.0
            .iter()
            .flat_map(|(vm, column)| column.iter().map(|cell| (Place { vm: *vm, name: cell.name }, cell)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Place, &mut Cell)> {
        self.0
            .iter_mut()
            .flat_map(|(vm, column)| column.iter_mut().map(|cell| (Place { vm: *vm, name: cell.name }, cell)))
    }

    /// The facts of one subject, to be changed.
    pub(super) fn of_mut(&mut self, vm: Option<VmId>) -> impl Iterator<Item = (Place, &mut Cell)> {
        let column = self.0.get_mut(&vm).into_iter().flatten();
        column.map(move |cell| (Place { vm, name: cell.name }, cell))
    }
}
