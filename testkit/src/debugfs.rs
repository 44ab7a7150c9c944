//! debugfs, where KVM has its folders and counters.

use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use crate::error::{Doing, Error, Result};

/// Where debugfs usually is.
pub const DEFAULT_PLACE: &str = "/sys/kernel/debug";

/// Makes sure that debugfs is mounted at its usual place, and says where that is. It stays mounted: other
/// tests use it too. Fails when it is not mounted and we may not, or the kernel has none.
pub fn mounted() -> Result<PathBuf> {
    mounted_at(Path::new(DEFAULT_PLACE))
}

/// Makes sure that debugfs is mounted at `place`, an existing folder.
pub fn mounted_at(place: &Path) -> Result<PathBuf> {
    if !is_debugfs(place)? {
        mount(Some("none"), place, Some("debugfs"), MsFlags::empty(), None::<&str>)
            .doing(|| format!("mount debugfs at {}", place.display()))?;
    }
    if is_debugfs(place)? {
        return Ok(place.to_owned());
    }
    Err(Error::new(format!("mount debugfs at {}", place.display()), "it is not there after mounting"))
}

fn is_debugfs(place: &Path) -> Result<bool> {
    let info = nix::sys::statfs::statfs(place).doing(|| format!("ask what {} is", place.display()))?;
    Ok(info.filesystem_type() == nix::sys::statfs::DEBUGFS_MAGIC)
}
