//! A disk in memory that loses power: what was not synced is dropped, reordered and torn, sector by sector.
//!
//! Held to what POSIX promises and no more. A file's contents and length are durable after `sync`, a name after
//! `sync_folder`; until then every sector on its own, every length and every change of names may or may not have
//! arrived. A failed sync drops what was not written, and later syncs do not bring it back: so Linux does.

use super::disk::{Disk, DiskFile};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// An error put in the way of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No space is left.
    Full,
    /// The device failed; a write may have been done in part, a sync loses what it did not write.
    Broken,
    /// The file system was made read-only.
    ReadOnly,
    /// The call was interrupted before it did anything.
    Interrupted,
    /// A write takes only a part of the bytes; other calls are as ever.
    Short,
}

/// Syncs that the disk claims to have done and has not: what a ledger without them would be like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lies {
    /// Those of files.
    pub files: bool,
    /// Those of folders.
    pub folders: bool,
}

/// `xorshift64*`: the same schedule on every machine.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % bound.max(1)
    }
}

/// The disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimulatedDisk {
    world: Arc<Mutex<World>>,
}

struct World {
    dice: Dice,
    sector: usize,
    lies: Lies,
    /// What every program sees.
    names: BTreeMap<String, usize>,
    /// What is on the platter, and what is on its way there.
    durable_names: BTreeMap<String, usize>,
    changes: Vec<Change>,
    files: Vec<Contents>,
    calls: u64,
    /// The power goes with this call.
    fuse: Option<u64>,
    fault: Option<(u64, u64, Fault)>,
    is_locked: bool,
    /// How often the power went: what was opened before is void.
    life: u64,
}

/// Names that change together, all in one folder.
struct Change {
    folder: String,
    names: Vec<(String, Option<usize>)>,
}

#[derive(Default)]
struct Contents {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

enum Pending {
    /// Whole sectors, as the page cache held them after a write.
    Write(usize, Vec<u8>),
    Length(usize),
}

impl SimulatedDisk {
    /// An empty disk with sectors of so many bytes.
    #[must_use]
    pub fn new(seed: u64, sector: usize) -> Self {
        let world = World {
            dice: Dice::new(seed),
            sector,
            lies: Lies::default(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            changes: Vec::new(),
            files: Vec::new(),
            calls: 0,
            fuse: None,
            fault: None,
            is_locked: false,
            life: 0,
        };
        Self { world: Arc::new(Mutex::new(world)) }
    }

    /// From here on syncs are claimed, not done.
    pub fn lie(&self, lies: Lies) {
        self.world.lock().lies = lies;
    }

    /// The power goes within so many calls from now.
    pub fn burn(&self, calls: u64) {
        let mut world = self.world.lock();
        world.fuse = Some(world.calls + calls);
    }

    /// A call, counted from now, and so many behind it meet a fault.
    pub fn fail(&self, call: u64, count: u64, fault: Fault) {
        let mut world = self.world.lock();
        let first = world.calls + call;
        world.fault = Some((first, first.saturating_add(count), fault));
    }

    /// Nothing fails any more.
    pub fn mend(&self) {
        let mut world = self.world.lock();
        (world.fault, world.fuse) = (None, None);
    }

    /// Calls made so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.world.lock().calls
    }

    /// The power goes and comes back: what was not durable arrived in part, or not at all.
    pub fn crash(&self) {
        let mut world = self.world.lock();
        let world = &mut *world;
        // All of it, none of it, or some of it.
        let mood = world.dice.below(4);
        let mut names = std::mem::take(&mut world.durable_names);
        for change in world.changes.drain(..) {
            if mood == 0 || mood > 1 && world.dice.below(2) == 0 {
                apply(&mut names, &change.names);
            }
        }
        world.durable_names = names.clone();
        world.names = names;
        for file in &mut world.files {
            file.settle(&mut world.dice, world.sector, mood);
            file.live.clone_from(&file.durable);
        }
        (world.fuse, world.fault, world.is_locked) = (None, None, false);
        world.life += 1;
    }

    /// Puts a file on the disk, durably, without any call.
    pub fn plant(&self, path: &str, bytes: &[u8]) {
        let mut world = self.world.lock();
        let number = world.files.len();
        world.files.push(Contents { live: bytes.to_vec(), durable: bytes.to_vec(), pending: Vec::new() });
        world.names.insert(path.to_owned(), number);
        world.durable_names.insert(path.to_owned(), number);
    }

    /// The bytes of a file as programs see them.
    #[must_use]
    pub fn contents(&self, path: &str) -> Option<Vec<u8>> {
        let world = self.world.lock();
        world.names.get(path).map(|number| world.files[*number].live.clone())
    }

    fn file(&self, number: usize) -> Box<dyn DiskFile> {
        let life = self.world.lock().life;
        Box::new(SimulatedFile { world: Arc::clone(&self.world), number, life })
    }

    fn change(world: &mut World, folder: &str, names: Vec<(String, Option<usize>)>) {
        apply(&mut world.names, &names);
        world.changes.push(Change { folder: folder.to_owned(), names });
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: &[(String, Option<usize>)]) {
    for (name, number) in change {
        match number {
            Some(number) => names.insert(name.clone(), *number),
            None => names.remove(name),
        };
    }
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn not_found() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOENT)
}

impl Contents {
    /// What is on its way arrives in part: every sector, and the length, as of some moment since the last sync.
    fn settle(&mut self, dice: &mut Dice, sector: usize, mood: u64) {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return;
        }
        let all = pending.len();
        let moment = |dice: &mut Dice| match mood {
            0 => all,
            1 => 0,
            _ => usize::try_from(dice.below(all as u64 + 1)).unwrap_or(0),
        };
        let mut length = self.durable.len();
        let length_moment = moment(dice);
        for change in &pending[..length_moment] {
            match change {
                Pending::Write(at, bytes) => length = length.max(at + bytes.len()),
                Pending::Length(to) => length = *to,
            }
        }
        let sectors = self.live.len().max(self.durable.len()).max(length).div_ceil(sector);
        let moments: Vec<usize> = (0..sectors).map(|_| moment(dice)).collect();
        let mut bytes = std::mem::take(&mut self.durable);
        bytes.resize(sectors * sector, 0);
        for (number, change) in pending.iter().enumerate() {
            match change {
                Pending::Write(at, written) => {
                    for (index, piece) in written.chunks(sector).enumerate() {
                        let place = at / sector + index;
                        if place < sectors && moments[place] > number {
                            bytes[place * sector..][..piece.len()].copy_from_slice(piece);
                        }
                    }
                }
                Pending::Length(to) => {
                    for (place, moment) in moments.iter().enumerate() {
                        if *moment > number {
                            let (begin, end) = (place * sector, (place + 1) * sector);
                            bytes[begin.max(*to).min(end)..end].fill(0);
                        }
                    }
                }
            }
        }
        bytes.resize(length, 0);
        self.durable = bytes;
    }
}

impl World {
    /// Counts a call; says what is in its way.
    fn call(&mut self, life: u64) -> io::Result<Option<Fault>> {
        self.calls += 1;
        if life != self.life || self.fuse.is_some_and(|fuse| self.calls >= fuse) {
            return Err(io::Error::other("the power is off"));
        }
        let fault = self.fault.filter(|(first, end, _)| (*first..*end).contains(&self.calls));
        match fault.map(|(_, _, fault)| fault) {
            Some(Fault::Interrupted) => Err(ErrorKind::Interrupted.into()),
            fault => Ok(fault),
        }
    }

    /// A call that does all or nothing. Errors of the device come before or after it is done.
    fn whole_call(&mut self, life: u64) -> io::Result<Option<io::Error>> {
        match self.call(life)? {
            None | Some(Fault::Short) => Ok(None),
            Some(Fault::Broken) if self.dice.below(2) == 0 => {
                Ok(Some(io::Error::from_raw_os_error(libc::EIO)))
            }
            Some(fault) => Err(error(fault)),
        }
    }
}

fn error(fault: Fault) -> io::Error {
    io::Error::from_raw_os_error(match fault {
        Fault::Full => libc::ENOSPC,
        Fault::ReadOnly => libc::EROFS,
        _ => libc::EIO,
    })
}

fn finish(error: Option<io::Error>) -> io::Result<()> {
    error.map_or(Ok(()), Err)
}

impl Disk for SimulatedDisk {
    fn list(&self, of: &str) -> io::Result<Vec<String>> {
        let mut world = self.world.lock();
        let life = world.life;
        finish(world.whole_call(life)?)?;
        let inside = world.names.keys().filter(|path| folder(path) == of);
        Ok(inside.map(|path| path.rsplit('/').next().unwrap_or(path).to_owned()).collect())
    }

    fn list_folders(&self, of: &str) -> io::Result<Vec<String>> {
        let mut world = self.world.lock();
        let life = world.life;
        finish(world.whole_call(life)?)?;
        let below =
            world.names.keys().filter_map(|path| path.strip_prefix(of)?.strip_prefix('/')?.split_once('/'));
        let mut names: Vec<String> = below.map(|(name, _)| name.to_owned()).collect();
        names.dedup();
        Ok(names)
    }

    fn make_folder(&self, _: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        let life = world.life;
        finish(world.whole_call(life)?)
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world.lock();
        let life = world.life;
        let failure = world.whole_call(life)?;
        let number = world.names.get(path).copied().unwrap_or_else(|| {
            world.files.push(Contents::default());
            world.files.len() - 1
        });
        let file = &mut world.files[number];
        file.live.clear();
        file.pending.push(Pending::Length(0));
        Self::change(&mut world, folder(path), vec![(path.to_owned(), Some(number))]);
        drop(world);
        finish(failure)?;
        Ok(self.file(number))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world.lock();
        let life = world.life;
        finish(world.whole_call(life)?)?;
        let number = *world.names.get(path).ok_or_else(not_found)?;
        drop(world);
        Ok(self.file(number))
    }

    fn open_to_read(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        self.open(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        let life = world.life;
        let failure = world.whole_call(life)?;
        let number = *world.names.get(from).ok_or_else(not_found)?;
        Self::change(&mut world, folder(to), vec![(from.to_owned(), None), (to.to_owned(), Some(number))]);
        finish(failure)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        let life = world.life;
        let failure = world.whole_call(life)?;
        if !world.names.contains_key(path) {
            return Err(not_found());
        }
        Self::change(&mut world, folder(path), vec![(path.to_owned(), None)]);
        finish(failure)
    }

    fn sync_folder(&self, of: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        let life = world.life;
        finish(world.whole_call(life)?)?;
        if !world.lies.folders {
            let changes = std::mem::take(&mut world.changes);
            let (synced, waiting) = changes.into_iter().partition(|change| change.folder == of);
            let synced: Vec<Change> = synced;
            world.changes = waiting;
            for change in synced {
                apply(&mut world.durable_names, &change.names);
            }
        }
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let mut world = self.world.lock();
        let life = world.life;
        finish(world.whole_call(life)?)?;
        if world.is_locked {
            return Err(ErrorKind::WouldBlock.into());
        }
        world.is_locked = true;
        Ok(Box::new(SimulatedLock { world: Arc::clone(&self.world), life }))
    }
}

struct SimulatedLock {
    world: Arc<Mutex<World>>,
    life: u64,
}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        let mut world = self.world.lock();
        if world.life == self.life {
            world.is_locked = false;
        }
    }
}

struct SimulatedFile {
    world: Arc<Mutex<World>>,
    number: usize,
    life: u64,
}

impl DiskFile for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        let mut world = self.world.lock();
        finish(world.whole_call(self.life)?)?;
        Ok(world.files[self.number].live.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut world = self.world.lock();
        let fault = world.call(self.life)?;
        let live = &world.files[self.number].live;
        let rest = live.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
        let mut length = rest.len().min(buffer.len());
        match fault {
            Some(Fault::Short) => length = length.div_ceil(2),
            Some(fault @ (Fault::Broken | Fault::ReadOnly)) => return Err(error(fault)),
            _ => {}
        }
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut world = self.world.lock();
        let power = world.fuse == Some(world.calls + 1);
        let fault = match world.call(self.life) {
            // The write that the power goes in reached the cache in part.
            Err(_) if power => Some(Fault::Broken),
            fault => fault?,
        };
        let length = match fault {
            None => bytes.len(),
            Some(Fault::Full | Fault::ReadOnly) => return Err(error(fault.unwrap_or(Fault::Full))),
            Some(_) => bytes.len() / 2,
        };
        let (sector, number) = (world.sector, self.number);
        let file = &mut world.files[number];
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = begin + length;
        if length > 0 {
            file.live.resize(file.live.len().max(end), 0);
            file.live[begin..end].copy_from_slice(&bytes[..length]);
            let (from, to) = (begin / sector * sector, (end.div_ceil(sector) * sector).min(file.live.len()));
            file.pending.push(Pending::Write(from, file.live[from..to].to_vec()));
        }
        match fault {
            Some(Fault::Broken) => Err(error(Fault::Broken)),
            _ if length == 0 && !bytes.is_empty() => Err(ErrorKind::Interrupted.into()),
            _ => Ok(length),
        }
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut world = self.world.lock();
        let failure = world.whole_call(self.life)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let file = &mut world.files[self.number];
        file.live.resize(length, 0);
        file.pending.push(Pending::Length(length));
        finish(failure)
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.world.lock();
        let fault = world.call(self.life)?;
        let World { dice, sector, lies, files, .. } = &mut *world;
        let file = &mut files[self.number];
        match fault {
            Some(fault @ (Fault::Broken | Fault::Full | Fault::ReadOnly)) => {
                file.settle(dice, *sector, 2);
                Err(error(fault))
            }
            _ if lies.files => Ok(()),
            _ => {
                file.pending.clear();
                file.durable.clone_from(&file.live);
                Ok(())
            }
        }
    }
}
