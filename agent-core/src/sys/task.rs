//! What the kernel tells of a thread, a cgroup or a file by system call alone: core scheduling (prctl(2)), programs that
//! decide over devices (bpf(2)), and extended attributes (xattr(7)).
#![allow(unsafe_code)]

use nix::errno::Errno;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `PR_SCHED_CORE`, `PR_SCHED_CORE_GET` and the kernel's `PIDTYPE_PID`: of one thread. (`include/uapi/linux/prctl.h`.)
const SCHED_CORE: libc::c_int = 62;
const SCHED_CORE_GET: libc::c_ulong = 0;
const ONE_THREAD: libc::c_ulong = 0;

/// A thread's core-scheduling cookie; 0 when it has none. Threads of different cookies never run on one core at once.
///
/// # Errors
/// `EINVAL` from a kernel without core scheduling, `ENODEV` without SMT, `ESRCH` when there is no such thread, `EPERM`
/// when it may not be traced.
pub fn core_cookie(tid: i32) -> nix::Result<u64> {
    let mut cookie = 0_u64;
    let tid = libc::c_ulong::try_from(tid).map_err(|_| Errno::ESRCH)?;
    // SAFETY: the kernel writes 8 bytes at the address given, which is that of a live u64; the rest are integers.
    let result =
        unsafe { libc::prctl(SCHED_CORE, SCHED_CORE_GET, tid, ONE_THREAD, std::ptr::from_mut(&mut cookie)) };
    Errno::result(result)?;
    Ok(cookie)
}

/// The part of `union bpf_attr` that `BPF_PROG_QUERY` uses. (`include/uapi/linux/bpf.h`.)
#[repr(C)]
#[derive(Default)]
#[allow(clippy::struct_field_names, reason = "the kernel's own names")]
struct Query {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    program_ids: u64,
    program_count: u32,
    padding: u32,
}

const BPF_PROG_QUERY: libc::c_long = 16;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_QUERY_EFFECTIVE: u32 = 1;

/// How many programs decide which devices the processes of a cgroup may open, those of its ancestors included. The
/// descriptor is of the cgroup's folder, opened for reading.
///
/// # Errors
/// `EPERM` without `CAP_NET_ADMIN` or `CAP_SYS_ADMIN`, `EINVAL` from a kernel without `CONFIG_CGROUP_BPF`, `EBADF` for
/// what is no cgroup.
pub fn device_programs(cgroup: BorrowedFd<'_>) -> nix::Result<u32> {
    let target_fd = u32::try_from(cgroup.as_raw_fd()).map_err(|_| Errno::EBADF)?;
    let mut query = Query {
        target_fd,
        attach_type: BPF_CGROUP_DEVICE,
        query_flags: BPF_F_QUERY_EFFECTIVE,
        ..Query::default()
    };
    // SAFETY: the kernel reads and writes `size_of::<Query>()` bytes at the address of a live Query; `program_ids` is
    // null with a count of 0, so that nothing else is written.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_PROG_QUERY, std::ptr::from_mut(&mut query), size_of::<Query>())
    };
    Errno::result(result)?;
    Ok(query.program_count)
}

/// Bytes of the longest attribute that is read.
const XATTR_BYTES_MAX: usize = 65_536;

/// An extended attribute of what a path leads to, links followed; `None` when it has none of this name.
///
/// # Errors
/// What the kernel said; `EOPNOTSUPP` from a file system without attributes.
pub fn xattr(path: &CStr, name: &CStr) -> nix::Result<Option<Vec<u8>>> {
    let mut value = vec![0_u8; 512];
    loop {
        // SAFETY: both texts end in NUL, and the kernel writes at most `len` bytes into the vector's own.
        let result =
            unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
        match Errno::result(result) {
            Ok(length) => {
                value.truncate(usize::try_from(length).unwrap_or(0));
                return Ok(Some(value));
            }
            Err(Errno::ENODATA) => return Ok(None),
            Err(Errno::ERANGE) if value.len() < XATTR_BYTES_MAX => value.resize(XATTR_BYTES_MAX, 0),
            Err(errno) => return Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_thread_has_no_cookie_unless_it_was_given_one() {
        match core_cookie(i32::try_from(std::process::id()).expect("a pid")) {
            Ok(cookie) => assert_eq!(cookie, 0),
            Err(errno) => assert!(matches!(errno, Errno::EINVAL | Errno::ENODEV), "{errno}"),
        }
        assert!(core_cookie(-1).is_err());
    }

    #[test]
    fn what_is_no_cgroup_has_no_programs() {
        let file = std::fs::File::open("/").expect("a folder");
        assert!(device_programs(file.as_fd()).is_err());
    }

    #[test]
    fn attributes_are_told_apart_from_their_absence() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let path = std::ffi::CString::new(file.path().to_str().expect("a path")).expect("a path");
        match xattr(&path, c"user.none-of-this-name") {
            Ok(value) => assert_eq!(value, None),
            Err(errno) => assert_eq!(errno, Errno::EOPNOTSUPP),
        }
        assert_eq!(xattr(c"/does/not/exist", c"user.x"), Err(Errno::ENOENT));
    }
}
