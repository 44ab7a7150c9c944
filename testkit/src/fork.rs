//! A forked child of a test: what is left of a library in a process whose other threads did not come along.

#![expect(unsafe_code, reason = "fork is unsafe in a program with threads")]

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use crate::error::{Error, Result};

/// Runs `work` in a forked child, and says whether it returned true. A child that hangs is not waited for: it is ended
/// by SIGALRM after a minute.
pub fn in_child(work: impl FnOnce() -> bool) -> Result<bool> {
    // SAFETY: the child runs `work` and leaves by `_exit`; glibc makes its allocator usable in the child.
    match unsafe { fork() }.map_err(|errno| Error::new("fork", errno.to_string()))? {
        ForkResult::Child => {
            nix::unistd::alarm::set(60);
            let good = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(false);
            // SAFETY: ends this process at once; the parent's buffers and exit handlers are left alone.
            unsafe { libc::_exit(i32::from(!good)) }
        }
        ForkResult::Parent { child } => match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, code)) => Ok(code == 0),
            Ok(status) => Err(Error::new("wait for the child", format!("{status:?}"))),
            Err(errno) => Err(Error::new("wait for the child", errno.to_string())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_childs_word_comes_back() {
        assert!(in_child(|| true).expect("a child"));
        assert!(!in_child(|| false).expect("a child"));
        assert!(!in_child(|| panic!("as expected")).expect("a child"));
    }
}
