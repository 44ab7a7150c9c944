//! A recorded host of a few files, for tests of providers.

use crate::checks::fact::Found;
use crate::checks::facts::Gather;
use crate::checks::host::HostFiles;
use crate::config::Roots;
use crate::sys::clock::{Clock, Hands};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// 2026-11-26 12:00:00 UTC.
pub(in crate::checks::facts::providers) const NOON: i64 = 1_795_694_400;

/// A folder that is somebody's root.
pub(in crate::checks::facts::providers) struct Tree(pub tempfile::TempDir);

impl Tree {
    /// Files, each a path from the root and its text.
    pub(in crate::checks::facts::providers) fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().expect("a folder"));
        for (path, text) in files {
            tree.add(path, text);
        }
        tree
    }

    pub(in crate::checks::facts::providers) fn add(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.made(path);
        fs::write(path, text).expect("a file");
    }

    pub(in crate::checks::facts::providers) fn link(&self, path: &str, target: &str) {
        symlink(target, self.made(path)).expect("a link");
    }

    pub(in crate::checks::facts::providers) fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.0.path().join(path), fs::Permissions::from_mode(mode)).expect("chmod");
    }

    /// A reader whose clock stands at [`NOON`].
    pub(in crate::checks::facts::providers) fn gather(&self) -> Gather {
        let hands = Arc::new(Hands::default());
        hands.wall_ns.store(NOON * 1_000_000_000, Relaxed);
        Gather::new(HostFiles::new(Roots::below(self.0.path())), Clock::Manual(hands))
    }

    /// What a provider tells of it.
    pub(in crate::checks::facts::providers) fn ask(
        &self,
        provider: fn(&Gather, &str) -> Found,
        argument: &str,
    ) -> Found {
        provider(&self.gather(), argument)
    }

    /// The same as a text, or the word why it is not known.
    pub(in crate::checks::facts::providers) fn told(
        &self,
        provider: fn(&Gather, &str) -> Found,
        argument: &str,
    ) -> String {
        match self.ask(provider, argument).value {
            Ok(value) => value.to_string(),
            Err(why) => format!("!{}", why.name()),
        }
    }

    fn made(&self, path: &str) -> PathBuf {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        path
    }
}
