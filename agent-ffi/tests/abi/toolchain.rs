//! Compilers, and the library where they find it.

use crate::generated::root;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Whether a program can be run.
pub(crate) fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Where cargo put the libraries that belong to this test.
pub(crate) fn built() -> PathBuf {
    let test = std::env::current_exe().expect("this program's path");
    let folder = test.parent().expect("a folder").to_path_buf();
    assert!(folder.join("libbartizan.so").exists(), "no libbartizan.so in {}", folder.display());
    folder
}

/// A folder in which the linker and the loader find a library, and which goes when it is dropped.
pub(crate) struct Linked {
    folder: TempDir,
}

impl Linked {
    /// With the library that belongs to this test.
    pub(crate) fn new() -> Self {
        Self::with(&built().join("libbartizan.so"))
    }

    /// With some other library in its place.
    pub(crate) fn with(library: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["libbartizan.so", "libbartizan.so.0"] {
            std::os::unix::fs::symlink(library, folder.path().join(name)).expect("a link");
        }
        Self { folder }
    }

    /// Compiles a program of `agent-ffi/tests` and links it; `None` when there is no such compiler.
    pub(crate) fn compile(&self, compiler: &str, source: &str, flags: &[&str]) -> Option<PathBuf> {
        if !has(compiler) {
            return None;
        }
        let stem = Path::new(source).file_stem().expect("a name");
        let program = self.folder.path().join(stem);
        let folder = self.folder.path().to_str().expect("UTF-8");
        let output = Command::new(compiler)
            .args(["-g", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
            .args(flags)
            .arg("-I")
            .arg(root().join("include"))
            .arg(root().join("agent-ffi/tests").join(source))
            .arg("-o")
            .arg(&program)
            .args([&format!("-L{folder}"), "-lbartizan", "-lpthread", "-lm"])
            // The old tags: cargo sets LD_LIBRARY_PATH, which goes before the new ones.
            .arg(format!("-Wl,--disable-new-dtags,-rpath,{folder}"))
            .output()
            .expect("the compiler runs");
        succeeded(&format!("{compiler} {source}"), &output);
        Some(program)
    }
}

/// Fails the test with everything a program said, unless it succeeded.
pub(crate) fn succeeded(what: &str, output: &Output) {
    assert!(
        output.status.success(),
        "{what}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
