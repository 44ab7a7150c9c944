//! The running kernel: sysctls, and whatever `/sys` and `/proc` tell in files of one line.

use super::{Provider, Read, Refresh};
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;

/// Facts about the running kernel.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "sysctl",
        help: "a sysctl of the running kernel, such as kernel.kptr_restrict; with * for all of a folder",
        read: Read::Host(sysctl),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "file",
        help: "a small text file below /sys or /proc, as one text",
        read: Read::Host(file),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "cpu-vuln",
        help: "what the kernel says of one CPU vulnerability, or with * of all",
        read: Read::Host(cpu_vuln),
        refresh: Refresh::Paths,
    },
];

/// Bytes of a file that holds one value. Reading `/proc/sys` costs the kernel a buffer of what is asked for.
const VALUE_BYTES_MAX: usize = 4_096;

fn sysctl(gather: &Gather, name: &str) -> Found {
    // A name may hold slashes where a part has a dot in it, as an interface's may: sysctl(8).
    let path = if name.contains('/') {
        format!("/proc/sys/{name}")
    } else {
        format!("/proc/sys/{}", name.replace('.', "/"))
    };
    values(gather, &path)
}

fn cpu_vuln(gather: &Gather, name: &str) -> Found {
    values(gather, &format!("/sys/devices/system/cpu/vulnerabilities/{name}"))
}

fn file(gather: &Gather, path: &str) -> Found {
    if !(path.starts_with("/sys/") || path.starts_with("/proc/")) || path.contains("/../") {
        let why = "only files below /sys and /proc are read whole".to_owned();
        return Found::unavailable(Unavailable::NotExposed(why), path);
    }
    values(gather, path)
}

/// The value of one file, or of all that a path with one `*` part names.
pub(super) fn values(gather: &Gather, path: &str) -> Found {
    if path.contains('*') {
        return match expand(gather, path) {
            Ok(paths) => several(gather, path, paths),
            Err(why) => Found::unavailable(why, path),
        };
    }
    match value(gather, path) {
        Ok(text) => Found::value(text.as_str(), path).with_raw(&text),
        Err(why) => Found::unavailable(why, path),
    }
}

fn several(gather: &Gather, pattern: &str, paths: Vec<(String, String)>) -> Found {
    let mut map = Vec::with_capacity(paths.len());
    for (name, path) in paths {
        match value(gather, &path) {
            Ok(text) => map.push((name, text.trim().to_owned())),
            // One that is not there, or went meanwhile, is none; one that is closed makes the whole unknown.
            Err(Unavailable::Absent) => {}
            Err(why) => return Found::unavailable(why, path),
        }
    }
    if map.is_empty() { Found::unavailable(Unavailable::Absent, pattern) } else { Found::value(map, pattern) }
}

/// The paths that a path with `*` in one of its parts names, each with what the star stands for.
///
/// # Errors
/// When the folder cannot be listed.
pub(super) fn expand(gather: &Gather, pattern: &str) -> Result<Vec<(String, String)>, Unavailable> {
    let parts: Vec<&str> = pattern.split('/').collect();
    let Some(star) = parts.iter().position(|part| part.contains('*')) else {
        return Ok(vec![(String::new(), pattern.to_owned())]);
    };
    let folder = parts[..star].join("/");
    let rest = parts[star + 1..].join("/");
    let names = gather.list(&folder)?;
    let matching = names.into_iter().filter(|name| crate::checks::pattern::like(parts[star], name));
    let path = |name: &str| {
        if rest.is_empty() { format!("{folder}/{name}") } else { format!("{folder}/{name}/{rest}") }
    };
    Ok(matching.map(|name| (name.clone(), path(&name))).collect())
}

fn value(gather: &Gather, path: &str) -> Result<String, Unavailable> {
    let bytes = gather.read(path, VALUE_BYTES_MAX)?.bytes;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// A value as the kernel marks the chosen one among several: `a [b] c`.
#[must_use]
pub fn chosen(text: &str) -> Option<Value> {
    let (_, rest) = text.split_once('[')?;
    rest.split_once(']').map(|(word, _)| Value::from(word))
}
