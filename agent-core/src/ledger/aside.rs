//! Setting a damaged trail aside: it stays whole, as evidence, under another name, and a new one begins whose second
//! record says so.
//!
//! The two folders change places in one step (renameat2(2), `RENAME_EXCHANGE`): at every instant there is a ledger under
//! the old name, the damaged one or the one that begins behind it. The new one is another log, so it has another origin,
//! `<origin>/2`, `/3` and so on; its keys are those of the old one, so that whoever trusts the old key sees who began it.

use super::commit::Ledger;
use super::disk::{Disk, Files, RealDisk};
use super::error::LedgerError;
use super::log::Place;
use super::merkle::Hash;
use super::record::{Kind, SetAside, encode};
use super::segment::{self, Log};
use super::store::Sizes;
use super::trail;
use super::verify::{Finding, Trust, VerifyError, verify};
use crate::sys::clock::Clock;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// So many trails of one name may be set aside.
const ASIDE_MAX: u32 = 10_000;

/// Why a trail was not set aside. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AsideError {
    /// It is not damaged.
    Whole,
    /// It cannot be read, locked or moved, or the new one cannot be made.
    Ledger(LedgerError),
}

impl From<LedgerError> for AsideError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl std::fmt::Display for AsideError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole => f.write_str("this ledger is not damaged: there is nothing to set aside"),
            Self::Ledger(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AsideError {}

/// The origin of the ledger that begins behind one that was set aside.
fn successor(origin: &str) -> String {
    let number = origin.rsplit_once('/').and_then(|(name, number)| Some((name, generation(number)?)));
    match number {
        Some((name, number)) => format!("{name}/{}", number + 1),
        None => format!("{origin}/2"),
    }
}

/// Whether an origin is that of a ledger that begins behind one of `first`, or is `first` itself.
pub(super) fn is_of(origin: &str, first: &str) -> bool {
    origin == first
        || origin
            .strip_prefix(first)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|number| generation(number).is_some())
}

fn generation(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| *number >= 2 && number.to_string() == text)
}

/// Sets the damaged ledger in a folder aside, beside it, and begins another one in its place; what its second record says.
///
/// # Errors
/// [`AsideError::Whole`] when it is not damaged; [`LedgerError::Locked`] while a process has it open.
pub fn set_aside(folder: &Path) -> Result<SetAside, AsideError> {
    let disk = Arc::new(RealDisk::new(folder));
    let files = Files::new(disk.clone());
    if !folder.is_dir() {
        let missing = io::Error::from_raw_os_error(libc::ENOENT);
        return Err(LedgerError::disk("it cannot be read", &folder.display().to_string(), &missing).into());
    }
    let lock = files.lock()?;
    let finding = match verify(disk, &Trust::default()) {
        Ok(_) => return Err(AsideError::Whole),
        Err(VerifyError::Bad(finding)) => finding,
        Err(VerifyError::Unreadable(error)) => return Err(error.into()),
    };
    let good = Good::before(&files, &finding)?;
    let (aside, name) = free_name(folder)?;
    let record = SetAside {
        folder: name,
        origin: good.origin.clone(),
        path: finding.path,
        offset: finding.offset,
        what: finding.what,
        next: good.next,
        tree_size: good.size,
        root: good.root,
        signed_size: good.signed,
    };
    begin(&files, &aside, &record)?;
    exchange(folder, &aside)?;
    drop(lock);
    Ok(record)
}

/// What is good before the damage.
struct Good {
    origin: String,
    next: u64,
    size: u64,
    root: Hash,
    signed: u64,
}

impl Good {
    /// Walks to the damage, and no further.
    fn before(files: &Files, finding: &Finding) -> Result<Self, LedgerError> {
        let firsts = trail::segments(files)?;
        let mut log = Log::default();
        let (mut origin, mut next) = (String::new(), 0);
        for first in firsts {
            // A segment that cannot be read ends what is good.
            let Ok((bytes, head, length)) = trail::load(files, first) else { break };
            if origin.is_empty() {
                origin.clone_from(&head.origin);
                log = head.logs.get("").cloned().unwrap_or_default();
                next = head.first;
            }
            if head.first != next {
                break;
            }
            let mut is_over = false;
            let walked = segment::walk(&bytes, length, first, &head.salt, |_, frame| {
                let sequence = frame.record.sequence;
                is_over |= finding.sequence.is_some_and(|bad| sequence >= bad);
                if is_over {
                    return;
                }
                if frame.record.tenant.is_empty() {
                    log.push(super::merkle::leaf_hash(frame.leaf));
                }
                next = sequence + 1;
            });
            if is_over || walked.next != next {
                break;
            }
        }
        if origin.is_empty() {
            // Not even the first head can be read: a name for what follows has to be given by whoever opens it.
            return Err(LedgerError::damaged(
                &finding.path,
                usize::try_from(finding.offset).unwrap_or(usize::MAX),
                format!("{}; nothing of it can be read: move the folder away by hand", finding.what),
            ));
        }
        let signed = Place::of(&origin, "", &[0; 32]).read(files).ok().flatten();
        let signed = signed.map_or(0, |(_, checkpoint)| checkpoint.size);
        Ok(Self { origin, next, size: log.tree.size(), root: log.tree.root(), signed })
    }
}

/// A name beside the folder that nobody has.
fn free_name(folder: &Path) -> Result<(PathBuf, String), LedgerError> {
    let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
    let name = name.ok_or_else(|| LedgerError::Key("the folder has no name of its own".into()))?;
    for number in 1..=ASIDE_MAX {
        let name = format!("{name}.damaged-{number}");
        let path = parent(folder).join(&name);
        if !path.exists() {
            return Ok((path, name));
        }
    }
    Err(LedgerError::Key(format!("{ASIDE_MAX} ledgers were set aside beside {}", folder.display())))
}

fn parent(folder: &Path) -> PathBuf {
    match folder.canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned)) {
        Some(parent) => parent,
        None => PathBuf::from("."),
    }
}

/// Makes the ledger that begins behind, under the name that the damaged one will have: its run ends in order.
fn begin(old: &Files, place: &Path, record: &SetAside) -> Result<(), LedgerError> {
    let disk = Arc::new(RealDisk::new(place));
    let new = Files::new(disk.clone());
    new.make_folder("")?;
    super::keys::copy(old, &new)?;
    let disk: Arc<dyn Disk> = disk;
    let (ledger, _) = Ledger::open(disk, Sizes::default(), &successor(&record.origin), Clock::System)?;
    ledger.append(Kind::SET_ASIDE, "", &encode(record))?.wait()?;
    ledger.stop()
}

fn exchange(folder: &Path, aside: &Path) -> Result<(), LedgerError> {
    let error =
        |error: io::Error| LedgerError::disk("it cannot be exchanged", &aside.display().to_string(), &error);
    renameat2(AT_FDCWD, folder, AT_FDCWD, aside, RenameFlags::RENAME_EXCHANGE)
        .map_err(|errno| error(errno.into()))?;
    fs::File::open(parent(folder)).and_then(|parent| parent.sync_all()).map_err(error)
}

#[cfg(test)]
mod tests {
    use super::super::{LastRun, Start, decode, read};
    use super::*;

    const ORIGIN: &str = "bartizan/h";

    #[test]
    fn origins_are_numbered_and_told_apart() {
        assert_eq!(successor("bartizan/h"), "bartizan/h/2");
        assert_eq!(successor("bartizan/h/2"), "bartizan/h/3");
        assert_eq!(successor("bartizan/7x"), "bartizan/7x/2");
        for (origin, is) in [("bartizan/h", true), ("bartizan/h/2", true), ("bartizan/h/12", true)]
            .into_iter()
            .chain([("bartizan/h/1", false), ("bartizan/h/02", false), ("bartizan/hh", false), ("x", false)])
        {
            assert_eq!(is_of(origin, ORIGIN), is, "{origin}");
        }
    }

    fn open(folder: &Path) -> Result<Ledger, LedgerError> {
        let disk = Arc::new(RealDisk::new(folder));
        Ledger::open(disk, Sizes::default(), ORIGIN, Clock::System).map(|(ledger, _)| ledger)
    }

    fn damage(folder: &Path, what: &[u8]) {
        let path = folder.join(segment::name(0));
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.windows(what.len()).position(|window| window == what).unwrap();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
    }

    #[test]
    fn a_damaged_trail_stays_whole_beside_one_that_tells_of_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("ledger");
        let ledger = open(&folder).unwrap();
        for number in 0..9u8 {
            ledger.append(Kind::ALERT, "acme", &[number; 50]).unwrap().wait().unwrap();
        }
        assert_eq!(set_aside(&folder), Err(AsideError::Ledger(LedgerError::Locked)));
        ledger.stop().unwrap();
        let key = ledger.verifier();
        drop(ledger);
        assert_eq!(set_aside(&folder), Err(AsideError::Whole));
        damage(&folder, &[4; 50]);
        let before = fs::read(folder.join(segment::name(0))).unwrap();
        assert!(matches!(open(&folder), Err(LedgerError::Damaged { .. })));
        let told = set_aside(&folder).unwrap();
        assert_eq!((&told.folder[..], &told.origin[..]), ("ledger.damaged-1", ORIGIN));
        // The start and the beginning of the log come before the alerts.
        assert_eq!((told.next, told.tree_size), (6, 1));
        assert!(told.signed_size >= told.tree_size && told.offset > 0);
        assert_eq!(fs::read(parent.path().join(&told.folder).join(segment::name(0))).unwrap(), before);

        // It opens under the first name, goes on, and verifies with the key that was trusted before.
        let ledger = open(&folder).unwrap();
        ledger.append(Kind::ALERT, "acme", b"behind").unwrap().wait().unwrap();
        ledger.stop().unwrap();
        assert_eq!(ledger.verifier().name, "bartizan/h/2");
        assert_eq!(ledger.verifier().key, key.key);
        drop(ledger);
        let trust = Trust { key: Some(key.key), origin: Some(key.name), ..Trust::default() };
        let report = verify(Arc::new(RealDisk::new(&folder)), &trust).unwrap();
        assert!(report.open_ends(true).is_empty());
        let (mut records, mut starts) = (Vec::new(), Vec::new());
        read(Arc::new(RealDisk::new(&folder)), 0, |record| match record.kind {
            Kind::SET_ASIDE => records.push((record.sequence, decode::<SetAside>(record.payload).unwrap())),
            Kind::START => starts.push(decode::<Start>(record.payload).unwrap().last),
            _ => {}
        })
        .unwrap();
        assert_eq!(records, [(1, told)]);
        assert_eq!(starts, [LastRun::None, LastRun::Clean]);

        damage(&folder, b"behind");
        let again = set_aside(&folder).unwrap();
        assert_eq!((&again.folder[..], &again.origin[..]), ("ledger.damaged-2", "bartizan/h/2"));
        assert_eq!(open(&folder).unwrap().verifier().name, "bartizan/h/3");
    }

    #[test]
    fn what_cannot_be_read_at_all_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("ledger");
        assert!(matches!(set_aside(&folder), Err(AsideError::Ledger(LedgerError::Disk { .. }))));
        open(&folder).unwrap().stop().unwrap();
        damage(&folder, b"BTZLEDGR");
        let error = set_aside(&folder).unwrap_err();
        assert!(error.to_string().contains("by hand"), "{error}");
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }
}
