//! Starts members: an executable of the right name, a pipe that is its lifeline, and waiting until it is ready.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::error::{Doing, Error, Result};
use crate::member::{self, OPTIONS_VARIABLE, Options};
use crate::spawn;

/// Our own executable under another name, so that `/proc/PID/exe`, `comm` and `argv[0]` all say it.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    _folder: TempDir,
}

impl Program {
    /// Hard-links (or, across file systems, copies) our executable to `name` in a folder of its own.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let own = std::env::current_exe().doing(|| "find our own executable")?;
        let beside = own.parent().unwrap_or(Path::new("/")).to_owned();
        let builder = || {
            let mut builder = tempfile::Builder::new();
            builder.prefix(".bartizan-testkit-");
            builder
        };
        let folder = builder()
            .tempdir_in(&beside)
            .or_else(|_not_writable| builder().tempdir())
            .doing(|| "make a folder for the executable's other name")?;
        let path = folder.path().join(name);
        if fs::hard_link(&own, &path).is_err() {
            fs::copy(&own, &path).doing(|| format!("copy {} to {}", own.display(), path.display()))?;
        }
        Ok(Self { path, _folder: folder })
    }
}

/// Both ends of what members and their parent share.
pub(crate) struct Pipes {
    /// Members read it: serial port and lifeline.
    pub(crate) stdin: (OwnedFd, OwnedFd),
    /// Members write one line each to it.
    pub(crate) stdout: (OwnedFd, OwnedFd),
}

impl Pipes {
    pub(crate) fn new() -> Result<Self> {
        let pipe = || -> Result<(OwnedFd, OwnedFd)> {
            let (reader, writer) = std::io::pipe().doing(|| "make a pipe")?;
            Ok((reader.into(), writer.into()))
        };
        Ok(Self { stdin: pipe()?, stdout: pipe()? })
    }
}

/// Starts one member on the given pipes; does not wait.
pub(crate) fn start(
    program: &Program,
    arguments: &[String],
    options: &Options,
    pipes: &Pipes,
    netns: Option<&Path>,
) -> Result<Child> {
    member::keep();
    let same = |fd: &OwnedFd| fd.try_clone().doing(|| "duplicate a pipe");
    let mut command = Command::new(&program.path);
    command.arg0(options.shape.program()).args(arguments);
    command.env(OPTIONS_VARIABLE, options.to_text());
    command.stdin(Stdio::from(same(&pipes.stdin.0)?)).stdout(Stdio::from(same(&pipes.stdout.1)?));
    if let Some(netns) = netns {
        spawn::enter_netns(&mut command, netns)?;
    }
    spawn::spawn(command).doing(|| format!("start {}", program.path.display()))
}

/// Waits until `count` members have said that they are ready. Every member's writing end must be closed in
/// this process, so that the death of all is seen as the end of the pipe.
pub(crate) fn wait_until_ready(stdout: OwnedFd, count: usize) -> Result<()> {
    let mut lines = BufReader::new(fs::File::from(stdout));
    for _ in 0..count {
        let mut line = String::new();
        lines.by_ref().take(4096).read_line(&mut line).doing(|| "wait for a started process")?;
        match line.trim_end() {
            "ready" => {}
            "" => return Err(Error::new("wait for a started process", "it ended without a word")),
            error => return Err(Error::new("a started process says", error)),
        }
    }
    Ok(())
}
