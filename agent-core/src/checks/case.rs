//! One rule looking at one subject: which facts it saw is what its finding will show, and what makes it look again.

use super::declared::Truth;
use super::fact::{Fact, Unavailable, Value};
use super::facts::{EACH, Facts, Place};
use super::reasoning;
use super::vm::Vm;
use std::cell::RefCell;
use std::sync::Arc;

/// One rule looking at the host or at one VM.
pub struct Case<'a> {
    facts: &'a Facts,
    vm: Option<&'a Arc<Vm>>,
    seen: RefCell<Vec<(Place, Arc<Fact>)>>,
    each: RefCell<Vec<Place>>,
}

impl<'a> Case<'a> {
    /// A case about the host, or about a VM.
    #[must_use]
    pub fn new(facts: &'a Facts, vm: Option<&'a Arc<Vm>>) -> Self {
        Self { facts, vm, seen: RefCell::default(), each: RefCell::default() }
    }

    /// The VM that is looked at; `None` for the host.
    #[must_use]
    pub fn vm(&self) -> Option<&Arc<Vm>> {
        self.vm
    }

    /// A fact: of the VM that is looked at when its name begins with `vm.`, of the host otherwise.
    #[must_use]
    pub fn fact(&self, key: &str) -> Arc<Fact> {
        match self.vm {
            Some(vm) if key.starts_with("vm.") => self.fact_of(vm, key),
            _ => self.saw(self.facts.place(None, key), None),
        }
    }

    /// A fact of some VM.
    #[must_use]
    pub fn fact_of(&self, vm: &Arc<Vm>, key: &str) -> Arc<Fact> {
        self.saw(self.facts.place(Some(vm.id), key), Some(vm))
    }

    /// One fact of every other VM; for a rule about the host, of every VM. The rule looks again when one of them changes, but none is evidence: what matters is
    /// asked for again by [`fact_of`](Self::fact_of), or a finding on a host of a thousand VMs would show a thousand.
    pub fn each_other(&self, key: &str) -> impl Iterator<Item = (Arc<Vm>, Arc<Fact>)> + use<> {
        let id = self.facts.place(None, &format!("{EACH}{key}"));
        let mut each = self.each.borrow_mut();
        if !each.contains(&id) {
            each.push(id);
        }
        let (own, all) = (self.vm.map(|vm| vm.id), self.facts.each(key));
        (0..all.len()).map(move |at| all[at].clone()).filter(move |(vm, _)| Some(vm.id) != own)
    }

    /// The value of a fact, or what a rule that needs it comes to without it.
    ///
    /// # Errors
    /// [`Truth::Unknown`] with the fact's name and why.
    pub fn value(&self, key: &str) -> Result<Value, Truth> {
        let fact = self.fact(key);
        fact.value.clone().map_err(|why| Truth::Unknown(key.to_owned(), why))
    }

    /// The value of a fact that may be absent.
    ///
    /// # Errors
    /// [`Truth::Unknown`] when it could not be read for another reason.
    pub fn optional(&self, key: &str) -> Result<Option<Value>, Truth> {
        match self.fact(key).value.clone() {
            Ok(value) => Ok(Some(value)),
            Err(Unavailable::Absent) => Ok(None),
            Err(why) => Err(Truth::Unknown(key.to_owned(), why)),
        }
    }

    /// What a compiled-in reasoning comes to.
    #[must_use]
    pub fn reason(&self, name: &str) -> Truth {
        match reasoning::find(name) {
            Some(reason) => reason(self).unwrap_or_else(|truth| truth),
            // Rules are checked when they are read; this is one that was not.
            None => Truth::Unknown(name.to_owned(), Unavailable::NotExposed("no such reasoning".to_owned())),
        }
    }

    /// Every fact that was looked at, once each, in that order; and what of all VMs was looked through.
    #[must_use]
    pub fn into_seen(self) -> (Vec<(Place, Arc<Fact>)>, Vec<Place>) {
        (self.seen.into_inner(), self.each.into_inner())
    }

    fn saw(&self, place: Place, vm: Option<&Arc<Vm>>) -> Arc<Fact> {
        if let Some((_, fact)) = self.seen.borrow().iter().find(|(known, _)| *known == place) {
            return Arc::clone(fact);
        }
        let fact = self.facts.get(place, vm);
        self.seen.borrow_mut().push((place, Arc::clone(&fact)));
        fact
    }
}
