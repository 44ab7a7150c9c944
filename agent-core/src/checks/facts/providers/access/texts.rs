//! Folders of small files that are read together.

use crate::checks::fact::Unavailable;
use crate::checks::facts::Gather;

/// Files of one folder that are read.
const FILES_MAX: usize = 512;

/// The files of a folder with some ending, by name: path and text. None where there is no such folder.
///
/// # Errors
/// When the folder, or one of the files, may not be read: what it says is then not known.
pub(in crate::checks::facts::providers) fn texts(
    gather: &Gather,
    folder: &str,
    ending: &str,
) -> Result<Vec<(String, String)>, Unavailable> {
    let names = match gather.list(folder) {
        Ok(names) => names,
        Err(Unavailable::Absent) => return Ok(Vec::new()),
        Err(why) => return Err(why),
    };
    let names: Vec<_> =
        names.into_iter().filter(|name| name.ends_with(ending) && !name.starts_with('.')).collect();
    if names.len() > FILES_MAX {
        return Err(Unavailable::TooMuch(format!("{folder} holds more than {FILES_MAX} files")));
    }
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let path = format!("{folder}/{name}");
        match gather.text(&path) {
            Ok(text) => found.push((path, text)),
            // A link that leads nowhere is passed over by those who read such folders.
            Err(Unavailable::Absent) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(found)
}
