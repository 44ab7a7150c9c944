//! What systemd-coredump does with dumps: coredump.conf(5) and its drop-ins.

use super::dropins;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::ini::{Ini, Style};
use std::collections::BTreeMap;

const MAIN: [&str; 4] = [
    "/etc/systemd/coredump.conf",
    "/run/systemd/coredump.conf",
    "/usr/local/lib/systemd/coredump.conf",
    "/usr/lib/systemd/coredump.conf",
];

pub(super) fn setting(gather: &Gather, key: &str) -> Found {
    let configuration = gather.memo("coredump.conf", read);
    match &*configuration {
        Ok(ini) => match ini.last("Coredump", key) {
            // An empty value brings the default back.
            Some(entry) if !entry.value.is_empty() => {
                let source = format!("{}:{}", entry.origin.file, entry.origin.line);
                Found::value(entry.value.as_str(), source)
            }
            _ => Found::unavailable(Unavailable::Absent, MAIN[0]),
        },
        Err(why) => Found::unavailable(why.clone(), MAIN[0]),
    }
}

fn read(gather: &Gather) -> Result<Ini, Unavailable> {
    let mut ini = Ini::default();
    for path in MAIN {
        match gather.text(path) {
            Ok(text) => {
                ini.add(path, &text, Style::Systemd);
                break;
            }
            Err(Unavailable::Absent) => {}
            Err(why) => return Err(why),
        }
    }
    // By file name; the first folder's masks the others.
    let mut by_name: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (path, text) in dropins::files(gather, "systemd/coredump.conf.d")? {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        by_name.entry(name).or_insert((path, text));
    }
    for (path, text) in by_name.values() {
        ini.add(path, text, Style::Systemd);
    }
    Ok(ini)
}

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;
    use crate::checks::fact::Value;

    #[test]
    fn drop_ins_win() {
        let (_folder, gather) = host(&[
            ("/etc/systemd/coredump.conf", "[Coredump]\n#Storage=external\nProcessSizeMax=0\n"),
            ("/usr/lib/systemd/coredump.conf", "[Coredump]\nStorage=journal\n"),
            ("/usr/lib/systemd/coredump.conf.d/50-a.conf", "[Coredump]\nStorage=external\n"),
            ("/etc/systemd/coredump.conf.d/50-a.conf", "[Coredump]\nStorage=none\n"),
            ("/etc/systemd/coredump.conf.d/10-b.conf", "[Coredump]\nStorage=external\n[Other]\nStorage=x\n"),
        ]);
        let found = setting(&gather, "Storage");
        assert_eq!(
            (found.value, &*found.source),
            (Ok(Value::from("none")), "/etc/systemd/coredump.conf.d/50-a.conf:2")
        );
        assert_eq!(setting(&gather, "ProcessSizeMax").value, Ok(Value::from("0")));
        assert_eq!(setting(&gather, "Compress").value, Err(Unavailable::Absent));
    }
}
