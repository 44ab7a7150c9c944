//! Configuration files: the main one, and the drop-ins beside it.

use super::error::ConfigError;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A configuration file may be this large.
pub const FILE_BYTES_MAX: u64 = 1 << 20;
/// There may be this many drop-ins.
pub const DROP_INS_MAX: usize = 256;

/// The files that [`Config::load`](super::Config::load) reads for a path, in the order in which they are merged: the
/// file itself, then `<path>.d/*.toml` in the byte order of their names. Names that begin with a dot, and names that
/// do not end in `.toml`, are left alone; a folder that does not exist holds no drop-ins.
///
/// # Errors
/// When the folder cannot be read, or holds more than [`DROP_INS_MAX`] drop-ins.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let mut folder = path.as_os_str().to_owned();
    folder.push(".d");
    let folder = PathBuf::from(folder);
    let failed = |error: &std::io::Error| refusal(&folder, format!("the drop-ins cannot be listed: {error}"));
    let mut drop_ins = Vec::new();
    match std::fs::read_dir(&folder) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry.map_err(|error| failed(&error))?;
                let name = entry.file_name();
                let name = name.as_encoded_bytes();
                if name.ends_with(b".toml") && !name.starts_with(b".") {
                    drop_ins.push(entry.path());
                }
                if drop_ins.len() > DROP_INS_MAX {
                    return Err(refusal(&folder, format!("more than {DROP_INS_MAX} drop-ins")));
                }
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(&error)),
    }
    drop_ins.sort();
    drop_ins.insert(0, path.to_path_buf());
    Ok(drop_ins)
}

/// The text of one file. Never waits: a pipe in a file's place is refused, not read.
pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    let failed = |error: &std::io::Error| {
        let cure = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "; write one, or run without: the defaults watch this host".to_owned()
            }
            std::io::ErrorKind::PermissionDenied => {
                format!("; let user {} read it", nix::unistd::geteuid())
            }
            _ => String::new(),
        };
        refusal(path, format!("cannot be read: {error}{cure}"))
    };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path)
        .map_err(|error| failed(&error))?;
    let metadata = file.metadata().map_err(|error| failed(&error))?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "a folder" } else { "not a regular file" };
        return Err(refusal(path, format!("is {what}; a configuration is a regular file")));
    }
    text(path, file).map_err(|error| failed(&error))?
}

fn text(path: &Path, file: File) -> std::io::Result<Result<String, ConfigError>> {
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let message = format!("is larger than {FILE_BYTES_MAX} bytes; split it into drop-ins");
        return Ok(Err(refusal(path, message)));
    }
    Ok(String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = &error.as_bytes()[..valid];
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        ConfigError {
            position: Some((line, column)),
            ..refusal(path, "is not UTF-8 from here on; TOML is UTF-8".to_owned())
        }
    }))
}

fn refusal(path: &Path, message: String) -> ConfigError {
    ConfigError { file: Some(path.to_path_buf()), ..ConfigError::bare(message) }
}
