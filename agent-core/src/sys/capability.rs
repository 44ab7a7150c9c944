//! Gives capabilities up that are no longer needed (capabilities(7)).
#![allow(unsafe_code)]

use nix::errno::Errno;

/// `CAP_BPF`: loads programs into the kernel; running what is loaded needs it no more. (Linux 5.8.)
pub const BPF: u32 = 39;

/// `_LINUX_CAPABILITY_VERSION_3`: capabilities of 64 bits, in two parts.
const VERSION: u32 = 0x2008_0522;
const BITS: u32 = 32;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Part {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

fn read() -> nix::Result<[Part; 2]> {
    let mut header = Header { version: VERSION, pid: 0 };
    let mut parts = [Part::default(); 2];
    // SAFETY: both live through the call, and for this version the kernel writes two parts.
    let result = unsafe {
        libc::syscall(libc::SYS_capget, std::ptr::from_mut(&mut header), std::ptr::from_mut(&mut parts))
    };
    Errno::result(result).map(|_| parts)
}

/// Whether the calling thread has a capability in force.
///
/// # Errors
/// What the kernel said.
pub fn has(capability: u32) -> nix::Result<bool> {
    let parts = read()?;
    let part = parts.get((capability / BITS) as usize).ok_or(Errno::EINVAL)?;
    Ok(part.effective & (1 << (capability % BITS)) != 0)
}

/// Takes a capability from the calling thread, and from those that it starts later, for good.
///
/// # Errors
/// What the kernel said.
pub fn give_up(capability: u32) -> nix::Result<()> {
    let mut header = Header { version: VERSION, pid: 0 };
    let mut parts = read()?;
    let part = parts.get_mut((capability / BITS) as usize).ok_or(Errno::EINVAL)?;
    let others = !(1 << (capability % BITS));
    part.effective &= others;
    part.permitted &= others;
    part.inheritable &= others;
    // SAFETY: both live through the call, and for this version the kernel reads two parts.
    let result = unsafe {
        libc::syscall(libc::SYS_capset, std::ptr::from_mut(&mut header), std::ptr::from_ref(&parts))
    };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_up_is_gone_for_this_thread_alone() {
        let Ok(true) = has(BPF) else { return };
        std::thread::spawn(|| {
            give_up(BPF).expect("less is always allowed");
            assert_eq!(has(BPF), Ok(false));
            give_up(BPF).expect("again");
        })
        .join()
        .expect("the thread");
        assert_eq!(has(BPF), Ok(true));
        assert_eq!(give_up(64), Err(Errno::EINVAL));
    }
}
