//! `/proc/PID/maps` and `/proc/PID/smaps`, a piece at a time: which memory is shared with whom, and which of it would
//! be in a core dump. (`proc_pid_maps(5)`, `proc_pid_smaps(5)`, the kernel's `fs/proc/task_mmu.c`.)

use super::{Malformed, decimal, number, text};

/// Longer than any line of the kernel's: a path of 4,096 bytes, each escaped, and the columns before it.
const LINE_BYTES_MAX: usize = 4 * 4096 + 256;

/// One mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "the kernel's own letters")]
pub struct Mapping {
    /// Its first address.
    pub start: u64,
    /// The address after its last.
    pub end: u64,
    /// Whether it may be read.
    pub readable: bool,
    /// Whether it may be written.
    pub writable: bool,
    /// Whether it may be executed.
    pub executable: bool,
    /// Whether what is written is seen by others (`MAP_SHARED`).
    pub shared: bool,
    /// Where in the file it begins, in bytes.
    pub offset: u64,
    /// The major and minor number of the device of its file; 0:0 without one, or without a device of its own.
    pub device: (u32, u32),
    /// The inode of its file; 0 without one.
    pub inode: u64,
    /// The file, or the kernel's name in brackets; `None` for anonymous memory.
    pub path: Option<String>,
    /// Whether the file has no name any more, as a memfd's never has.
    pub deleted: bool,
    /// The flags of `smaps`; `None` from `maps`.
    pub flags: Option<Flags>,
}

/// The words of `VmFlags:` that say something of a guest's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "the kernel's own flags")]
pub struct Flags {
    /// `dd`: not in a core dump.
    pub dont_dump: bool,
    /// `mg`: offered for merging (KSM).
    pub mergeable: bool,
    /// `ht`: huge pages of hugetlbfs.
    pub huge_tlb: bool,
    /// `lo`: locked.
    pub locked: bool,
    /// `io`: a device's memory, not RAM.
    pub device_memory: bool,
    /// `dc`: not inherited by `fork`.
    pub dont_copy: bool,
}

impl Mapping {
    /// Its size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether it looks like a guest's RAM: at least so large, to be read and written but not executed, and either
    /// shared or anonymous or of a file that stands for memory (a memfd, shared memory, huge pages). The kernel does
    /// not say which memory a guest has; a large heap looks the same.
    #[must_use]
    pub fn looks_like_guest_ram(&self, bytes_min: u64) -> bool {
        let huge_tlb = self.flags.is_some_and(|flags| flags.huge_tlb);
        let device_memory = self.flags.is_some_and(|flags| flags.device_memory);
        self.may_be_guest_ram(bytes_min) && !device_memory && self.is_memory().unwrap_or(huge_tlb)
    }

    /// Whether it looks like a guest's RAM for some flags of `smaps`.
    #[must_use]
    pub fn may_be_guest_ram(&self, bytes_min: u64) -> bool {
        self.is_memory() != Some(false)
            && self.readable
            && self.writable
            && !self.executable
            && self.bytes() >= bytes_min
    }

    /// Whether its file, if it has one, stands for memory; `None` when only the flags tell.
    fn is_memory(&self) -> Option<bool> {
        const MEMORY_FILES: [&str; 5] =
            ["/memfd:", "/dev/shm/", "/dev/zero", "/dev/hugepages", "/anon_hugepage"];
        match self.path.as_deref() {
            None => Some(true),
            Some(path) if path.starts_with("[anon") => Some(true),
            Some(path) if path.starts_with('[') => Some(false),
            Some(path) if MEMORY_FILES.iter().any(|prefix| path.starts_with(prefix)) => Some(true),
            Some(path) if path.starts_with("/dev/") || path.starts_with("anon_inode:") => Some(false),
            Some(_) => self.shared.then_some(true),
        }
    }

    /// What identifies the memory behind a shared mapping, equal in all processes that map it: device and inode.
    /// `None` when nobody else can have it.
    #[must_use]
    pub fn shared_memory(&self) -> Option<((u32, u32), u64)> {
        (self.shared && self.inode != 0).then_some((self.device, self.inode))
    }
}

/// Takes pieces of the file as they are read and gives mappings as they are complete: nothing but the line and the
/// mapping at hand is kept.
#[derive(Debug, Default)]
pub struct Reader {
    rest: Vec<u8>,
    mapping: Option<Mapping>,
    line: usize,
}

impl Reader {
    /// Takes the next piece, of any length.
    ///
    /// # Errors
    /// When a line is not as the kernel writes it. The reader then is of no more use.
    pub fn push(&mut self, mut piece: &[u8], visit: &mut dyn FnMut(Mapping)) -> Result<(), Malformed> {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            let (line, after) = (&piece[..end], &piece[end + 1..]);
            if self.rest.is_empty() {
                self.take(line.get(..LINE_BYTES_MAX).unwrap_or(line), visit)?;
            } else {
                self.keep(line);
                let whole = std::mem::take(&mut self.rest);
                self.take(&whole, visit)?;
                self.rest = whole;
                self.rest.clear();
            }
            piece = after;
        }
        self.keep(piece);
        Ok(())
    }

    /// Takes note that the file has ended.
    ///
    /// # Errors
    /// When the last line is cut.
    pub fn finish(mut self, visit: &mut dyn FnMut(Mapping)) -> Result<(), Malformed> {
        if !self.rest.is_empty() {
            let line = std::mem::take(&mut self.rest);
            self.take(&line, visit)?;
        }
        if let Some(mapping) = self.mapping.take() {
            visit(mapping);
        }
        Ok(())
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = LINE_BYTES_MAX - self.rest.len();
        self.rest.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }

    fn take(&mut self, line: &[u8], visit: &mut dyn FnMut(Mapping)) -> Result<(), Malformed> {
        self.line += 1;
        if let Some(words) = line.strip_prefix(b"VmFlags:") {
            if let Some(mapping) = &mut self.mapping {
                mapping.flags = Some(flags(words));
            }
            return Ok(());
        }
        // Every other line of `smaps` is a word with a colon; a mapping begins with a hexadecimal number and a dash.
        let first = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        if first.is_empty() || first.ends_with(b":") {
            return Ok(());
        }
        let next = mapping(line).map_err(|field| Malformed { line: self.line, field })?;
        if let Some(complete) = self.mapping.replace(next) {
            visit(complete);
        }
        Ok(())
    }
}

/// Takes a whole file that is in memory already.
///
/// # Errors
/// As [`Reader::push`].
pub fn parse(bytes: &[u8], visit: &mut dyn FnMut(Mapping)) -> Result<(), Malformed> {
    let mut reader = Reader::default();
    reader.push(bytes, visit)?;
    reader.finish(visit)
}

fn flags(words: &[u8]) -> Flags {
    let mut flags = Flags::default();
    for word in super::words(words) {
        match word {
            b"dd" => flags.dont_dump = true,
            b"mg" => flags.mergeable = true,
            b"ht" => flags.huge_tlb = true,
            b"lo" => flags.locked = true,
            b"io" => flags.device_memory = true,
            b"dc" => flags.dont_copy = true,
            _ => {}
        }
    }
    flags
}

/// `7f1c40000000-7f1cc0000000 rw-s 00000000 00:01 1039  /memfd:pc.ram (deleted)`.
fn mapping(line: &[u8]) -> Result<Mapping, &'static str> {
    let mut columns = line.splitn(6, |byte| *byte == b' ');
    let mut column = |name| columns.next().ok_or(name);
    let range = column("address")?;
    let dash = memchr::memchr(b'-', range).ok_or("address")?;
    let start = number(&range[..dash], 16).ok_or("address")?;
    let end = number(&range[dash + 1..], 16).filter(|end| *end >= start).ok_or("address")?;
    let &[read, write, execute, share] = column("perms")? else { return Err("perms") };
    if !matches!(share, b's' | b'p') {
        return Err("perms");
    }
    let offset = number(column("offset")?, 16).ok_or("offset")?;
    let device = column("dev")?;
    let colon = memchr::memchr(b':', device).ok_or("dev")?;
    let part = |word| number(word, 16).and_then(|number| u32::try_from(number).ok()).ok_or("dev");
    let device = (part(&device[..colon])?, part(&device[colon + 1..])?);
    let inode = decimal(column("inode")?).ok_or("inode")?;
    let path = columns.next().unwrap_or_default().trim_ascii_start();
    let (path, deleted) = match path.strip_suffix(b" (deleted)") {
        Some(path) => (path, true),
        None => (path, false),
    };
    Ok(Mapping {
        start,
        end,
        readable: read == b'r',
        writable: write == b'w',
        executable: execute == b'x',
        shared: share == b's',
        offset,
        device,
        inode,
        path: (!path.is_empty()).then(|| name(path)),
        deleted,
        flags: None,
    })
}

/// The kernel escapes line feeds only.
fn name(path: &[u8]) -> String {
    let name = text(path);
    if name.contains('\\') { name.replace("\\012", "\n") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SMAPS: &[u8] = b"55d0c0000000-55d0c0400000 r-xp 00000000 08:02 131 /usr/bin/qemu-system-x86_64\n\
        Size:               4096 kB\nVmFlags: rd ex mr mw me \n\
        55d0c2000000-55d0c2900000 rw-p 00000000 00:00 0                          [heap]\n\
        VmFlags: rd wr mr mw me ac \n\
        7f1c40000000-7f1cc0000000 rw-p 00000000 00:00 0 \nSize:            2097152 kB\nRss:              409600 kB\n\
        VmFlags: rd wr mr mw me dc ac dd hg mg \n\
        7f1d00000000-7f1d40000000 rw-s 00000000 00:01 1039                       /memfd:pc.ram (deleted)\n\
        VmFlags: rd wr sh mr mw me ms sd \n\
        7f1d50000000-7f1d60000000 rw-s 100000000 00:06 88                        /dev/vfio/14\n\
        VmFlags: rd wr sh mr mw me ms pf io dc de dd \n";

    fn all(bytes: &[u8]) -> Vec<Mapping> {
        let mut found = Vec::new();
        parse(bytes, &mut |mapping| found.push(mapping)).expect("mappings");
        found
    }

    #[test]
    fn the_ram_of_a_qemu() {
        let found = all(SMAPS);
        assert_eq!(found.len(), 5);
        let ram: Vec<_> = found.iter().filter(|mapping| mapping.looks_like_guest_ram(1 << 26)).collect();
        let [private, shared] = ram[..] else { panic!("{ram:#?}") };
        assert_eq!((private.bytes(), private.path.as_deref(), private.shared), (1 << 31, None, false));
        let flags = private.flags.expect("flags");
        assert!(flags.dont_dump && flags.mergeable && flags.dont_copy && !flags.huge_tlb);
        assert_eq!((shared.path.as_deref(), shared.deleted), (Some("/memfd:pc.ram"), true));
        assert_eq!(shared.shared_memory(), Some(((0, 1), 1039)));
        assert!(!shared.flags.expect("flags").dont_dump);
    }

    #[test]
    fn names_with_spaces_and_line_feeds() {
        let found =
            all(b"1000-2000 r--p 00000000 08:02 7  /a b\\012Size: 1 (deleted)\n3000-4000 ---p 0 0:0 0\n");
        assert_eq!(found[0].path.as_deref(), Some("/a b\nSize: 1"));
        assert_eq!((found[1].path.as_deref(), found[1].flags), (None, None));
    }

    #[test]
    fn errors_name_the_line() {
        let wrong = |bytes: &[u8]| parse(bytes, &mut |_| ()).expect_err("wrong");
        let first = "1000-2000 rw-p 0 0:0 0\n";
        assert_eq!(wrong(format!("{first}junk\n").as_bytes()), Malformed { line: 2, field: "address" });
        assert_eq!(wrong(b"2000-1000 rw-p 0 0:0 0").field, "address");
        assert_eq!(wrong(b"1000-2000 rw-x 0 0:0 0").field, "perms");
        assert_eq!(wrong(b"1000-2000 rw-p 0 00 0").field, "dev");
        assert_eq!(wrong(b"1000-2000 rw-p 0 0:0").field, "inode");
    }

    #[test]
    fn this_process_has_mappings() {
        let found = all(&std::fs::read("/proc/self/smaps").expect("smaps"));
        assert!(found.iter().any(|mapping| mapping.executable));
        assert!(found.iter().any(|mapping| mapping.flags.is_some()));
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes, &mut |_| ());
            let _ = parse(&[b"1000-2000 rw-p 0 0:0 0 ", &bytes[..]].concat(), &mut |_| ());
        }

        #[test]
        fn the_pieces_do_not_matter(size in 1_usize..200) {
            let mut found = Vec::new();
            let mut reader = Reader::default();
            for piece in SMAPS.chunks(size) {
                reader.push(piece, &mut |mapping| found.push(mapping)).expect("mappings");
            }
            reader.finish(&mut |mapping| found.push(mapping)).expect("mappings");
            prop_assert_eq!(found, all(SMAPS));
        }
    }
}
