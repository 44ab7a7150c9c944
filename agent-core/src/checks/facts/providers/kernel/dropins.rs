//! Folders of drop-in files in their order of precedence, as sysctl.d(5) and modprobe.d(5) have them.

use crate::checks::fact::Unavailable;
use crate::checks::facts::Gather;

/// Where drop-ins are, the folder that takes precedence first.
const PLACES: [&str; 5] = ["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"];

/// Every file of the folders of one name (`sysctl.d`), with its text, in the order of precedence.
///
/// # Errors
/// When one cannot be read: it might say anything. When none of the folders' parents is there at all, which is a
/// recording without configuration.
pub(in super::super) fn files(gather: &Gather, folder: &str) -> Result<Vec<(String, String)>, Unavailable> {
    let mut found = Vec::new();
    let mut seen = false;
    for place in PLACES {
        seen |= matches!(place, "/etc" | "/usr/lib") && gather.host().meta(place).is_ok();
        let folder = format!("{place}/{folder}");
        let names = match gather.list(&folder) {
            Ok(names) => names,
            Err(Unavailable::Absent) => continue,
            Err(why) => return Err(why),
        };
        for name in names.iter().filter(|name| name.strip_suffix(".conf").is_some()) {
            let path = format!("{folder}/{name}");
            if let Some(text) = text(gather, &path)? {
                found.push((path, text));
            }
        }
    }
    if seen {
        Ok(found)
    } else {
        Err(Unavailable::NotExposed("neither /etc nor /usr/lib is there".to_owned()))
    }
}

/// A file's text: empty for a link to `/dev/null`, which masks; none for a link that leads nowhere.
fn text(gather: &Gather, path: &str) -> Result<Option<String>, Unavailable> {
    if gather.host().link(path).as_deref() == Ok("/dev/null") {
        gather.note(path);
        return Ok(Some(String::new()));
    }
    match gather.text(path) {
        Ok(text) => Ok(Some(text)),
        Err(Unavailable::Absent) => Ok(None),
        Err(why) => Err(why),
    }
}
