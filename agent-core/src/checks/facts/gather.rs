//! What providers read the host through: it notes every path, so that a change of the path finds the facts it matters
//! to, and keeps what was parsed, so that a file that did not change is not parsed again.

use super::Texts;
use crate::checks::fact::Unavailable;
use crate::checks::host::{Content, HostFiles, Meta};
use crate::checks::vm::Vm;
use crate::checks::watch::is_announced;
use crate::sys::clock::Clock;
use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

/// Bytes of a small text: the usual limit for one file.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// Paths one fact may be read from; a fact that reads more is read again by the full sweep alone.
const INPUTS_MAX: usize = 4_096;

type Stamp = (u64, u64, u64, i64, i64);
type Parsed = Result<Arc<dyn Any + Send + Sync>, Unavailable>;

/// Reads the host for providers.
pub struct Gather {
    host: HostFiles,
    clock: Clock,
    vms: Vec<Arc<Vm>>,
    round: Cell<u64>,
    inputs: RefCell<Vec<Arc<str>>>,
    /// Every path that was noted, once.
    paths: RefCell<Texts>,
    documents: RefCell<HashMap<(TypeId, String), (Stamp, Parsed)>>,
    memo: RefCell<HashMap<(TypeId, String), Memo>>,
}

struct Memo {
    /// The round it is of, and until when it serves beyond that.
    round: u64,
    until_ns: u64,
    value: Arc<dyn Any + Send + Sync>,
    inputs: Vec<Arc<str>>,
}

impl Gather {
    /// Reads a host's files.
    #[must_use]
    pub fn new(host: HostFiles, clock: Clock) -> Self {
        Self {
            host,
            clock,
            vms: Vec::new(),
            round: Cell::new(0),
            inputs: RefCell::default(),
            paths: RefCell::default(),
            documents: RefCell::default(),
            memo: RefCell::default(),
        }
    }

    /// The host's files, for what the covers below do not do. Paths used there are not noted: see [`note`](Self::note).
    #[must_use]
    pub fn host(&self) -> &HostFiles {
        &self.host
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The VMs on the host.
    #[must_use]
    pub fn vms(&self) -> &[Arc<Vm>] {
        &self.vms
    }

    pub(in crate::checks) fn set_vms(&mut self, vms: Vec<Arc<Vm>>) {
        self.vms = vms;
        self.memo.get_mut().clear();
        self.paths.get_mut().purge();
    }

    pub(super) fn new_round(&mut self) {
        self.round.set(self.round.get() + 1);
        let now = self.clock.mono_ns();
        self.memo.get_mut().retain(|_, memo| memo.until_ns > now);
    }

    /// Forgets what several facts of a process are made of.
    pub(super) fn forget_process(&mut self, pid: i32) {
        let folder = format!("/proc/{pid}/");
        self.memo.get_mut().retain(|(_, name), _| !name.starts_with(&folder));
    }

    /// Notes that a fact depends on a path. Those whose changes nobody announces are not: a VM's facts are read from
    /// hundreds of files of its process.
    pub fn note(&self, path: &str) {
        if !is_announced(path) {
            return;
        }
        let mut inputs = self.inputs.borrow_mut();
        if inputs.len() < INPUTS_MAX && !inputs.iter().any(|known| &**known == path) {
            inputs.push(self.paths.borrow_mut().get(path));
        }
    }

    /// The bytes of a regular file.
    ///
    /// # Errors
    /// See [`HostFiles::read`].
    pub fn read(&self, path: &str, bytes_max: usize) -> Result<Content, Unavailable> {
        self.note(path);
        self.host.read(path, bytes_max)
    }

    /// A text of at most 1 MiB; bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// See [`HostFiles::read`].
    pub fn text(&self, path: &str) -> Result<String, Unavailable> {
        let bytes = self.read(path, TEXT_BYTES_MAX)?.bytes;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// What is said of a file, links followed.
    ///
    /// # Errors
    /// See [`HostFiles::meta`].
    pub fn meta(&self, path: &str) -> Result<Meta, Unavailable> {
        self.note(path);
        self.host.meta(path)
    }

    /// What is said of a file, or of the link if it is one.
    ///
    /// # Errors
    /// See [`HostFiles::meta`].
    pub fn meta_of_link(&self, path: &str) -> Result<Meta, Unavailable> {
        self.note(path);
        self.host.meta_of_link(path)
    }

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// See [`HostFiles::list`].
    pub fn list(&self, path: &str) -> Result<Vec<String>, Unavailable> {
        self.note(path);
        self.host.list(path)
    }

    /// The names of one ending in a folder that may hold thousands, sorted and without that ending; kept for as long
    /// as the folder does not change.
    ///
    /// # Errors
    /// See [`HostFiles::list`].
    pub fn names(&self, path: &str, ending: &str) -> Result<Arc<[Box<str>]>, Unavailable> {
        self.note(path);
        let changed = self.host.meta(path)?.mtime_ns;
        // Within one tick of the file system's clock a folder can change twice and show one time.
        let settled = self.clock.wall_ns().saturating_sub(changed) > 1_000_000_000;
        let list = |gather: &Self| -> Result<Arc<[Box<str>]>, Unavailable> {
            let mut names: Vec<Box<str>> = Vec::new();
            gather
                .host
                .each_name(path, &mut |name| names.extend(name.strip_suffix(ending).map(Box::from)))?;
            names.sort_unstable();
            Ok(names.into())
        };
        if !settled {
            return list(self);
        }
        (*self.kept(&format!("{path}/*{ending}"), changed.cast_unsigned(), list)).clone()
    }

    /// Where a symbolic link points, as it is written.
    ///
    /// # Errors
    /// See [`HostFiles::link`].
    pub fn link(&self, path: &str) -> Result<String, Unavailable> {
        self.note(path);
        self.host.link(path)
    }

    /// A file, parsed. What was parsed is kept for as long as the file does not change (device, inode, size, times);
    /// files of `/proc` and `/sys`, which have no size, are parsed once a round.
    ///
    /// # Errors
    /// When the file cannot be read, or the parser refuses it.
    pub fn document<T: Send + Sync + 'static>(
        &self,
        path: &str,
        bytes_max: usize,
        parse: impl FnOnce(&[u8]) -> Result<T, Unavailable>,
    ) -> Result<Arc<T>, Unavailable> {
        self.note(path);
        let stamp: Stamp = self.host.meta(path)?.into();
        let key = (TypeId::of::<T>(), path.to_owned());
        let lasting = stamp.2 > 0 && !path.starts_with("/proc/") && !path.starts_with("/sys/");
        if !lasting {
            let parsed = self.memo(path, |gather| {
                gather.host.read(path, bytes_max).and_then(|content| parse(&content.bytes)).map(Arc::new)
            });
            return (*parsed).clone();
        }
        self.unless_known(key, stamp, || {
            let content = self.host.read(path, bytes_max)?;
            Ok((content.meta, parse(&content.bytes)))
        })
    }

    /// A file that is too large to be read whole, looked at piece by piece. What came of it is kept for as long as the
    /// file does not change.
    ///
    /// # Errors
    /// When the file cannot be opened, or what looks at it refuses it.
    pub fn looked_through<T: Send + Sync + 'static>(
        &self,
        path: &str,
        look: impl FnOnce(File) -> Result<T, Unavailable>,
    ) -> Result<Arc<T>, Unavailable> {
        self.note(path);
        let stamp: Stamp = self.host.meta(path)?.into();
        self.unless_known((TypeId::of::<T>(), path.to_owned()), stamp, || {
            let (file, meta) = self.host.open_file(path)?;
            Ok((meta, look(file)))
        })
    }

    fn unless_known<T: Send + Sync + 'static>(
        &self,
        key: (TypeId, String),
        stamp: Stamp,
        read: impl FnOnce() -> Result<(Meta, Result<T, Unavailable>), Unavailable>,
    ) -> Result<Arc<T>, Unavailable> {
        if let Some((known, parsed)) = self.documents.borrow().get(&key)
            && *known == stamp
        {
            return parsed.clone().and_then(downcast);
        }
        let (meta, parsed) = read()?;
        let parsed: Parsed = parsed.map(|parsed| Arc::new(parsed) as Arc<dyn Any + Send + Sync>);
        self.documents.borrow_mut().insert(key, (meta.into(), parsed.clone()));
        parsed.and_then(downcast)
    }

    /// Something that several facts are made of, made once a round. `name` and its type say which it is.
    pub fn memo<T: Send + Sync + 'static>(&self, name: &str, make: impl FnOnce(&Self) -> T) -> Arc<T> {
        self.memo_for(name, 0, make)
    }

    /// The same, made once a round and not again for so long, nor before the list of VMs changes: for what is made of
    /// all VMs, while many rounds go through them one by one.
    pub fn memo_for<T: Send + Sync + 'static>(
        &self,
        name: &str,
        kept_ns: u64,
        make: impl FnOnce(&Self) -> T,
    ) -> Arc<T> {
        let key = (TypeId::of::<T>(), name.to_owned());
        let now = self.clock.mono_ns();
        let serves = |memo: &&Memo| memo.round == self.round.get() || memo.until_ns > now;
        let known = self.memo.borrow().get(&key).filter(serves).map(|memo| {
            for path in &memo.inputs {
                self.note(path);
            }
            Arc::clone(&memo.value)
        });
        if let Some(value) = known.and_then(|value| value.downcast::<T>().ok()) {
            return value;
        }
        let (value, mut inputs) = self.noting(make);
        if kept_ns > 0 {
            // Of all VMs: one path that changed would have every VM's facts read again. Time renews them.
            inputs.clear();
        }
        for path in &inputs {
            self.note(path);
        }
        let value = Arc::new(value);
        let memo = Memo {
            round: self.round.get(),
            until_ns: if kept_ns == 0 { 0 } else { now.saturating_add(kept_ns) },
            value: Arc::clone(&value) as Arc<dyn Any + Send + Sync>,
            inputs,
        };
        self.memo.borrow_mut().insert(key, memo);
        value
    }

    /// Something costly that several facts are made of, kept for as long as `stamp` stays the same. `name` and its type
    /// say which it is; paths it reads are not noted.
    pub fn kept<T: Send + Sync + 'static>(
        &self,
        name: &str,
        stamp: u64,
        make: impl FnOnce(&Self) -> T,
    ) -> Arc<T> {
        let key = (TypeId::of::<T>(), name.to_owned());
        let stamp = (stamp, 0, 0, 0, 0);
        let known = self.documents.borrow().get(&key).filter(|(known, _)| *known == stamp).cloned();
        if let Some((_, Ok(value))) = known
            && let Ok(value) = value.downcast::<T>()
        {
            return value;
        }
        let value = Arc::new(self.noting(make).0);
        let erased = Arc::clone(&value) as Arc<dyn Any + Send + Sync>;
        self.documents.borrow_mut().insert(key, (stamp, Ok(erased)));
        value
    }

    /// Does something, and says which paths it noted.
    pub(super) fn noting<T>(&self, work: impl FnOnce(&Self) -> T) -> (T, Vec<Arc<str>>) {
        let before = self.inputs.take();
        let result = work(self);
        (result, self.inputs.replace(before))
    }
}

fn downcast<T: Send + Sync + 'static>(parsed: Arc<dyn Any + Send + Sync>) -> Result<Arc<T>, Unavailable> {
    parsed.downcast::<T>().map_err(|_| Unavailable::Failed("kept under a wrong type".to_owned()))
}
