//! What `make install` puts into a prefix is enough to build the examples, through pkg-config and through CMake.

use crate::generated::root;
use crate::toolchain::{built, has, succeeded};
use bartizan_testkit::skip;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Installs into a prefix of its own.
fn installed() -> TempDir {
    let prefix = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(root().join("tools/install-library"))
        .env("PREFIX", prefix.path())
        .env("BUILT", built())
        .env_remove("DESTDIR")
        .env_remove("LIBDIR")
        .env_remove("INCLUDEDIR")
        .output()
        .expect("the script runs");
    succeeded("tools/install-library", &output);
    prefix
}

/// A copy of an example, so that nothing is built inside the repository.
fn copied(example: &str) -> TempDir {
    let copy = tempfile::tempdir().expect("a temporary folder");
    for entry in std::fs::read_dir(root().join("examples").join(example)).expect("the example") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("its type").is_file() {
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("a copy");
        }
    }
    copy
}

fn run(what: &str, command: &mut Command) -> String {
    // Cargo's own LD_LIBRARY_PATH would lead past what was installed.
    let output = command.env_remove("LD_LIBRARY_PATH").output().expect("it runs");
    succeeded(what, &output);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A program watches this very host for a moment.
fn watches(program: &Path, option: &str) {
    let said = run(&program.display().to_string(), Command::new(program).args([option, "2"]));
    assert!(said.contains("host") && said.contains("available MiB"), "{said}");
}

/// A program records for a moment, and verifies what it recorded.
fn records(program: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    let said =
        run(&program.display().to_string(), Command::new(program).arg(folder.path().join("ledger")).arg("1"));
    assert!(said.contains("verified with outcome 0"), "{said}");
}

#[test]
fn the_examples_build_through_pkg_config() {
    if !has("pkg-config") || !has("make") {
        skip!("pkg-config or make does not run");
    }
    let prefix = installed();
    let pkg_config = || {
        let mut command = Command::new("pkg-config");
        command.env("PKG_CONFIG_PATH", prefix.path().join("lib/pkgconfig"));
        command
    };
    assert_eq!(
        run("pkg-config", pkg_config().args(["--modversion", "bartizan"])).trim(),
        env!("CARGO_PKG_VERSION")
    );
    assert!(run("pkg-config", pkg_config().args(["--static", "--libs", "bartizan"])).contains("-lgcc_s"));
    for (example, option) in [("c", "--ticks"), ("cpp", "--seconds")] {
        let copy = copied(example);
        let mut make = Command::new("make");
        // Not the flags of a `make test` that runs this.
        make.env_remove("MAKEFLAGS").env_remove("MFLAGS").env_remove("MAKELEVEL");
        run("make", make.current_dir(&copy).env("PKG_CONFIG_PATH", prefix.path().join("lib/pkgconfig")));
        watches(&copy.path().join("watch"), option);
        records(&copy.path().join("record"));
    }
}

#[test]
fn the_examples_build_through_cmake() {
    if !has("cmake") {
        skip!("cmake does not run");
    }
    let prefix = installed();
    for (example, option, programs) in
        [("c", "--ticks", &["watch", "watch_static"][..]), ("cpp", "--seconds", &["watch"])]
    {
        let copy = copied(example);
        let build = copy.path().join("build");
        let mut configure = Command::new("cmake");
        configure.arg("-S").arg(copy.path()).arg("-B").arg(&build);
        configure.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.path().display()));
        run("cmake", &mut configure);
        run("cmake --build", Command::new("cmake").arg("--build").arg(&build));
        for program in programs {
            watches(&build.join(program), option);
        }
        records(&build.join("record"));
    }
}

#[test]
fn what_was_installed_can_be_taken_away_again() {
    let prefix = installed();
    let files = |folder: &Path| {
        let output =
            Command::new("find").arg(folder).args(["-not", "-type", "d"]).output().expect("find runs");
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(files(prefix.path()).len() >= 10, "{:?}", files(prefix.path()));
    let soname = prefix.path().join("lib/libbartizan.so.0");
    assert!(soname.is_symlink() && soname.exists());
    let output = Command::new(root().join("tools/install-library"))
        .arg("--uninstall")
        .env("PREFIX", prefix.path())
        .env_remove("DESTDIR")
        .output()
        .expect("the script runs");
    succeeded("tools/install-library --uninstall", &output);
    assert!(files(prefix.path()).is_empty(), "{:?}", files(prefix.path()));
}

#[test]
fn make_install_puts_the_daemon_and_what_belongs_to_it_beside_the_library() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let daemon = Command::new(cargo)
        .args(["build", "--quiet", "--package", "bartizan", "--bins"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    succeeded("cargo build", &daemon);
    // What is installed, in one folder: as after a build, wherever cargo keeps the parts.
    let parts = tempfile::tempdir().expect("a temporary folder");
    let target = built().parent().expect("a folder").to_path_buf();
    for part in [built().join("libbartizan.so"), built().join("libbartizan.a"), target.join("bartizan")] {
        let link = parts.path().join(part.file_name().expect("a name"));
        std::os::unix::fs::symlink(part, link).expect("a link");
    }
    let root_folder = tempfile::tempdir().expect("a temporary folder");
    let install = |option: &[&str]| {
        let output = Command::new(root().join("tools/install"))
            .args(option)
            .env("PREFIX", "/opt/bartizan")
            .env("DESTDIR", root_folder.path())
            .env("BUILT", parts.path())
            .env_remove("LIBDIR")
            .env_remove("INCLUDEDIR")
            .output()
            .expect("the script runs");
        succeeded("tools/install", &output);
    };
    install(&[]);
    let prefix = root_folder.path().join("opt/bartizan");
    for file in [
        "lib/libbartizan.so.0",
        "lib/libbartizan.a",
        "lib/pkgconfig/bartizan.pc",
        "lib/cmake/bartizan/bartizan-config.cmake",
        "include/bartizan.h",
        "include/bartizan_metrics.h",
        "include/bartizan.hpp",
        "share/man/man1/bartizan.1",
        "share/man/man1/bartizan-run.1",
        "share/bash-completion/completions/bartizan",
        "share/zsh/site-functions/_bartizan",
        "share/fish/vendor_completions.d/bartizan.fish",
        "share/doc/bartizan/bartizan.toml",
        "lib/sysusers.d/bartizan.conf",
        "lib/tmpfiles.d/bartizan.conf",
    ] {
        let length = std::fs::metadata(prefix.join(file)).map_or(0, |metadata| metadata.len());
        assert!(length > 0, "{file} was not installed, or is empty");
    }
    let version = run("bartizan --version", Command::new(prefix.join("bin/bartizan")).arg("--version"));
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    let unit = std::fs::read_to_string(prefix.join("lib/systemd/system/bartizan.service")).expect("the unit");
    assert!(unit.contains("ExecStart=/opt/bartizan/bin/bartizan "), "{unit}");
    install(&["--uninstall"]);
    let left = run("find", Command::new("find").arg(root_folder.path()).args(["-not", "-type", "d"]));
    assert!(left.is_empty(), "{left}");
}
