//! The security modules in force, where securityfs is not mounted: `lsm_list_modules(2)`, Linux 6.8.
#![allow(unsafe_code)]

use nix::errno::Errno;

/// Modules there can be; the kernel has about a dozen.
const IDS_MAX: usize = 64;

/// The numbers (`LSM_ID_*`) of the security modules in force, in their order.
///
/// # Errors
/// `ENOSYS` before Linux 6.8.
pub fn active() -> nix::Result<Vec<u64>> {
    // One number for all architectures, as for every call since 5.0 (alpha apart, which KVM does not run on).
    const LSM_LIST_MODULES: libc::c_long = 461;
    let mut ids = [0_u64; IDS_MAX];
    let mut bytes = u32::try_from(size_of_val(&ids)).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the kernel writes at most `bytes` bytes to `ids`, which has that many, and a u32 to `bytes`; both live
    // through the call.
    let count = unsafe { libc::syscall(LSM_LIST_MODULES, ids.as_mut_ptr(), &raw mut bytes, 0_u32) };
    let count = Errno::result(count)?;
    Ok(ids.into_iter().take(usize::try_from(count).unwrap_or(0)).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_running_kernel_tells_or_is_too_old() {
        match super::active() {
            // Capabilities are always the first to be asked, or one of the few before them.
            Ok(ids) => assert!(ids.is_empty() || ids.contains(&100), "{ids:?}"),
            Err(errno) => assert_eq!(errno, nix::errno::Errno::ENOSYS),
        }
    }
}
