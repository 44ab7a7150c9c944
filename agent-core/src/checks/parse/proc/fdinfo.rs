//! `/proc/PID/fdinfo/FD`: how a descriptor was opened, and what is behind it. (`proc_pid_fdinfo(5)`, open(2); `iff:` is
//! of the kernel's `drivers/net/tun.c`, `vfio-device-syspath:` of `drivers/vfio`.)

use super::{Malformed, decimal, field, lines, number, text, words};

/// More locks than a VMM holds on one image; the rest is not looked at.
const LOCKS_MAX: usize = 1024;

/// What a descriptor may be used for (`O_ACCMODE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `O_RDONLY`.
    Read,
    /// `O_WRONLY`.
    Write,
    /// `O_RDWR`.
    ReadWrite,
    /// Neither: 3, which only `ioctl` can use, or `O_PATH`.
    Neither,
}

/// What `fdinfo` says; a line that is not there is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FdInfo {
    /// The flags of open(2), as the kernel holds them.
    pub flags: Option<u32>,
    /// The mount, as `/proc/PID/mountinfo` numbers it.
    pub mount_id: Option<u32>,
    /// The inode (Linux 5.14).
    pub inode: Option<u64>,
    /// The tap device; a queue that is detached has none.
    pub interface: Option<String>,
    /// The device behind a VFIO descriptor, as a path below `/sys` (Linux 6.17).
    pub vfio_syspath: Option<String>,
    /// Locks held through it.
    pub locks: Vec<Lock>,
}

/// A lock on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Its kind.
    pub kind: LockKind,
    /// Whether it keeps others from reading too.
    pub exclusive: bool,
    /// The process that took it; `None` for an open file description's own.
    pub pid: Option<u32>,
    /// The device's major and minor number.
    pub device: (u32, u32),
    /// The inode.
    pub inode: u64,
    /// The first byte that is locked.
    pub start: u64,
    /// The last byte that is locked; `None` to the end of the file.
    pub end: Option<u64>,
}

/// The kind of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// `fcntl`, of a process.
    Posix,
    /// `fcntl`, of an open file description: QEMU's.
    OpenFile,
    /// `flock`.
    Flock,
    /// A lease, or a delegation.
    Lease,
}

impl FdInfo {
    /// What it may be used for.
    #[must_use]
    pub fn access(&self) -> Option<Access> {
        // O_PATH opens nothing; its number is the same on the machines this is built for.
        const O_PATH: u32 = 0o10_000_000;
        let flags = self.flags?;
        Some(match flags & 0o3 {
            _ if flags & O_PATH != 0 => Access::Neither,
            0 => Access::Read,
            1 => Access::Write,
            2 => Access::ReadWrite,
            _ => Access::Neither,
        })
    }

    /// Whether something can be written through it.
    #[must_use]
    pub fn is_writable(&self) -> Option<bool> {
        self.access().map(|access| matches!(access, Access::Write | Access::ReadWrite))
    }
}

/// Takes an `fdinfo` file apart. Unknown lines are passed over.
///
/// # Errors
/// When a known line's value is not one.
pub fn parse(bytes: &[u8]) -> Result<FdInfo, Malformed> {
    let mut found = FdInfo::default();
    for (line, content) in lines(bytes) {
        let Some((key, value)) = field(content) else { continue };
        let wrong = |field| Malformed { line, field };
        match key {
            b"flags" => {
                let flags = number(value, 8).and_then(|flags| u32::try_from(flags).ok());
                found.flags = Some(flags.ok_or(wrong("flags"))?);
            }
            b"mnt_id" => found.mount_id = Some(decimal(value).ok_or(wrong("mnt_id"))?),
            b"ino" => found.inode = Some(decimal(value).ok_or(wrong("ino"))?),
            b"iff" => found.interface = (!value.is_empty()).then(|| text(value)),
            b"vfio-device-syspath" => found.vfio_syspath = Some(text(value)),
            b"lock" if found.locks.len() < LOCKS_MAX => {
                found.locks.push(lock(value).ok_or(wrong("lock"))?);
            }
            _ => {}
        }
    }
    Ok(found)
}

/// `1: OFDLCK ADVISORY  READ  -1 08:02:131074 100 100`.
fn lock(value: &[u8]) -> Option<Lock> {
    let mut words = words(value);
    words.next()?.strip_suffix(b":")?;
    let kind = match words.next()? {
        b"POSIX" | b"ACCESS" => LockKind::Posix,
        b"OFDLCK" => LockKind::OpenFile,
        b"FLOCK" => LockKind::Flock,
        b"LEASE" | b"DELEG" => LockKind::Lease,
        _ => return None,
    };
    let _advisory = words.next()?;
    let exclusive = match words.next()? {
        b"READ" | b"UNLCK" => false,
        b"WRITE" => true,
        _ => return None,
    };
    let pid = match words.next()? {
        b"-1" => None,
        pid => Some(decimal(pid)?),
    };
    let mut place = words.next()?.split(|byte| *byte == b':');
    let device = (hex(place.next()?)?, hex(place.next()?)?);
    let inode = decimal(place.next()?)?;
    let start = decimal(words.next()?)?;
    let end = match words.next()? {
        b"EOF" => None,
        end => Some(decimal(end)?),
    };
    Some(Lock { kind, exclusive, pid, device, inode, start, end })
}

fn hex(word: &[u8]) -> Option<u32> {
    u32::try_from(number(word, 16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_image_that_qemu_locks() {
        let found = parse(
            b"pos:\t0\nflags:\t02140002\nmnt_id:\t29\nino:\t131074\n\
            lock:\t1: OFDLCK ADVISORY  READ  -1 08:02:131074 100 101\n\
            lock:\t2: POSIX  ADVISORY  WRITE 359 fe:1a:131074 0 EOF\n",
        )
        .expect("an fdinfo");
        assert_eq!((found.access(), found.is_writable()), (Some(Access::ReadWrite), Some(true)));
        assert_eq!((found.flags, found.mount_id, found.inode), (Some(0o2_140_002), Some(29), Some(131_074)));
        let ofd = Lock {
            kind: LockKind::OpenFile,
            exclusive: false,
            pid: None,
            device: (8, 2),
            inode: 131_074,
            start: 100,
            end: Some(101),
        };
        let posix = Lock {
            kind: LockKind::Posix,
            exclusive: true,
            pid: Some(359),
            device: (0xfe, 0x1a),
            start: 0,
            end: None,
            ..ofd
        };
        assert_eq!(found.locks, [ofd, posix]);
    }

    #[test]
    fn taps_devices_and_paths() {
        let tap = parse(b"pos:\t0\nflags:\t0104002\nmnt_id:\t24\nino:\t10\niff:\ttap0\n").expect("an fdinfo");
        assert_eq!(tap.interface.as_deref(), Some("tap0"));
        assert_eq!(parse(b"iff:\t\n").expect("detached").interface, None);
        let vfio = parse(b"vfio-device-syspath: /sys/devices/pci0000:e0/0000:e0:01.1/0000:e1:00.0/\n");
        let path = "/sys/devices/pci0000:e0/0000:e0:01.1/0000:e1:00.0/";
        assert_eq!(vfio.expect("an fdinfo").vfio_syspath.as_deref(), Some(path));
        let access = |flags: &str| parse(format!("flags:\t{flags}").as_bytes()).expect("flags").access();
        assert_eq!(access("0100000"), Some(Access::Read));
        assert_eq!(access("0100001"), Some(Access::Write));
        assert_eq!(access("0100003"), Some(Access::Neither));
        assert_eq!(access("012100002"), Some(Access::Neither), "O_PATH");
        assert_eq!(parse(b"").expect("nothing").access(), None);
    }

    #[test]
    fn errors_name_the_line() {
        assert_eq!(parse(b"pos:\t0\nflags:\t09\n"), Err(Malformed { line: 2, field: "flags" }));
        assert!(parse(b"lock:\t1: OFDLCK ADVISORY  READ  -1 08:02 100 101\n").is_err());
        assert!(parse(b"ino:\t-4\n").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let _ = parse(&[b"lock: 1: POSIX A WRITE ", &bytes[..]].concat());
        }
    }
}
