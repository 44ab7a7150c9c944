//! What stat(2) says of a path: who owns it, who may do what with it, what it is.

use super::kernel::expand;
use super::{Provider, Read, Refresh};
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;

/// Facts about paths.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "path.mode",
        help: "permission bits in octal digits (0640) as a text; with * for all of a folder",
        read: Read::Host(|gather, path| each(gather, path, |meta| format!("{:04o}", meta.permissions()))),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "path.others",
        help: "what others may do: a sum of 4 (read), 2 (write) and 1 (search or run), as a number",
        read: Read::Host(|gather, path| each(gather, path, |meta| (meta.mode & 0o7).to_string())),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "path.group-others",
        help: "what the group and others may do: their six permission bits, as a number",
        read: Read::Host(|gather, path| each(gather, path, |meta| (meta.mode & 0o77).to_string())),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "path.uid",
        help: "the owner's number",
        read: Read::Host(|gather, path| each(gather, path, |meta| meta.uid.to_string())),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "path.gid",
        help: "the group's number",
        read: Read::Host(|gather, path| each(gather, path, |meta| meta.gid.to_string())),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "path.kind",
        help: "file, directory, socket, fifo, block, character",
        read: Read::Host(|gather, path| each(gather, path, |meta| meta.kind().to_owned())),
        refresh: Refresh::Paths,
    },
];

fn each(gather: &Gather, path: &str, tell: impl Fn(&crate::checks::host::Meta) -> String) -> Found {
    if !path.contains('*') {
        return Found::either(gather.meta(path).map(|meta| tell(&meta)), path);
    }
    let paths = match expand(gather, path) {
        Ok(paths) => paths,
        Err(why) => return Found::unavailable(why, path),
    };
    let mut map = Vec::with_capacity(paths.len());
    for (_, one) in paths {
        match gather.meta(&one) {
            Ok(meta) => map.push((one, tell(&meta))),
            Err(Unavailable::Absent) => {}
            Err(why) => return Found::unavailable(why, one),
        }
    }
    if map.is_empty() {
        return Found::unavailable(Unavailable::Absent, path);
    }
    Found::value(Value::Map(map), path)
}
