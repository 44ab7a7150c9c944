//! Package sources that are believed without a signature: apt-secure(8), dnf.conf(5).

use super::super::access::texts;
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::apt_sources::{self, Source};
use crate::checks::parse::etc::ini::{Ini, Style, boolean};

const APT: &str = "/etc/apt";
const YUM: [&str; 2] = ["/etc/yum.repos.d", "/etc/zypp/repos.d"];
const MAIN: [&str; 2] = ["/etc/dnf/dnf.conf", "/etc/yum.conf"];

/// `repo.untrusted`
pub(super) fn untrusted(gather: &Gather, _: &str) -> Found {
    let mut found = Vec::new();
    let mut read = Vec::new();
    for (folder, look) in [
        (APT, apt as fn(&Gather, &mut Vec<String>) -> Result<(), Unavailable>),
        (YUM[0], yum),
        (YUM[1], yum_of_suse),
    ] {
        match gather.meta(folder) {
            Ok(_) => read.push(folder),
            Err(Unavailable::Absent) => continue,
            Err(why) => return Found::unavailable(why, folder),
        }
        if let Err(why) = look(gather, &mut found) {
            return Found::unavailable(why, folder);
        }
    }
    if read.is_empty() {
        return Found::unavailable(Unavailable::Absent, APT);
    }
    Found::value(Value::List(found), read.join(", "))
}

fn apt(gather: &Gather, found: &mut Vec<String>) -> Result<(), Unavailable> {
    let mut look = |path: &str, sources: Vec<Source>| {
        for source in sources.into_iter().filter(|source| !source.disabled) {
            for option in ["trusted", "allow-insecure", "allow-weak"] {
                if source.flag(option) == Some(true) {
                    found.push(format!("{} {option}=yes ({path}:{})", source.uris.join(" "), source.line));
                }
            }
        }
    };
    match gather.text("/etc/apt/sources.list") {
        Ok(text) => look("/etc/apt/sources.list", apt_sources::list(&text).0),
        Err(Unavailable::Absent) => {}
        Err(why) => return Err(why),
    }
    for (path, text) in texts(gather, "/etc/apt/sources.list.d", ".list")? {
        look(&path, apt_sources::list(&text).0);
    }
    for (path, text) in texts(gather, "/etc/apt/sources.list.d", ".sources")? {
        look(&path, apt_sources::sources(&text).0);
    }
    let mut settings = texts(gather, "/etc/apt/apt.conf.d", "")?;
    match gather.text("/etc/apt/apt.conf") {
        Ok(text) => settings.push(("/etc/apt/apt.conf".to_owned(), text)),
        Err(Unavailable::Absent) => {}
        Err(why) => return Err(why),
    }
    for (path, text) in settings {
        found.extend(switches(&path, &text));
    }
    Ok(())
}

/// Settings of apt.conf(5) that turn the question for a signature off, in whichever block they stand.
fn switches(path: &str, text: &str) -> Vec<String> {
    const SWITCHES: [&str; 4] = [
        "AllowUnauthenticated",
        "AllowInsecureRepositories",
        "AllowDowngradeToInsecureRepositories",
        "AllowWeakRepositories",
    ];
    let mut found = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let code = content.split("//").next().unwrap_or_default();
        let code = code.trim_start();
        if code.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = code
            .split(|char: char| char.is_ascii_whitespace() || matches!(char, '"' | ';' | '{' | '}'))
            .filter(|word| !word.is_empty())
            .collect();
        for pair in words.windows(2) {
            let [name, value] = pair else { continue };
            let name = name.rsplit("::").next().unwrap_or(name);
            let known = SWITCHES.iter().find(|switch| switch.eq_ignore_ascii_case(name));
            if let (Some(known), Some(true)) = (known, apt_sources::boolean(value)) {
                found.push(format!("{known} ({path}:{line})"));
            }
        }
    }
    found
}

fn yum(gather: &Gather, found: &mut Vec<String>) -> Result<(), Unavailable> {
    repositories(gather, YUM[0], found)
}

fn yum_of_suse(gather: &Gather, found: &mut Vec<String>) -> Result<(), Unavailable> {
    repositories(gather, YUM[1], found)
}

fn repositories(gather: &Gather, folder: &str, found: &mut Vec<String>) -> Result<(), Unavailable> {
    // zypper asks for signatures unless told otherwise; dnf does not unless told to.
    let mut by_default = folder == YUM[1];
    for path in MAIN {
        match gather.text(path) {
            Ok(text) => {
                let ini = Ini::parse(path, &text, Style::Repository);
                by_default = ini
                    .last("main", "gpgcheck")
                    .and_then(|entry| boolean(&entry.value))
                    .unwrap_or(by_default);
                break;
            }
            Err(Unavailable::Absent) => {}
            Err(why) => return Err(why),
        }
    }
    for (path, text) in texts(gather, folder, ".repo")? {
        let ini = Ini::parse(&path, &text, Style::Repository);
        let mut sections: Vec<&str> =
            ini.sections().filter(|name| !name.is_empty() && *name != "main").collect();
        sections.dedup();
        for section in sections {
            let flag = |key: &str| ini.last(section, key).and_then(|entry| boolean(&entry.value));
            if flag("enabled").unwrap_or(true) && !flag("gpgcheck").unwrap_or(by_default) {
                found.push(format!("[{section}] gpgcheck=0 ({path})"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    #[test]
    fn sources_and_switches_of_apt() {
        let tree = Tree::new(&[
            (
                "etc/apt/sources.list",
                "deb http://deb.debian.org/debian bookworm main\n# deb [trusted=yes] http://old x y\n",
            ),
            ("etc/apt/sources.list.d/x.list", "deb [trusted=yes] http://u:SECRET@mirror/x ./\n"),
            (
                "etc/apt/sources.list.d/y.sources",
                "Types: deb\nURIs: http://y\nSuites: z/\nEnabled: no\nTrusted: yes\n",
            ),
            (
                "etc/apt/apt.conf.d/99-x",
                "// APT::Get::AllowUnauthenticated \"true\";\nAPT { Get { AllowUnauthenticated \"1\"; }; };\n\
              Acquire::AllowInsecureRepositories \"false\";\n",
            ),
        ]);
        let told = tree.told(untrusted, "");
        assert_eq!(
            told,
            "http://***@mirror/x trusted=yes (/etc/apt/sources.list.d/x.list:1), AllowUnauthenticated (/etc/apt/apt.conf.d/99-x:2)"
        );
        assert_eq!(Tree::new(&[]).told(untrusted, ""), "!absent");
    }

    #[test]
    fn repositories_of_dnf_take_the_main_setting() {
        let repo = "[a]\nbaseurl=https://a\n[b]\nenabled=0\ngpgcheck=0\n[c]\ngpgcheck=1\n";
        let tree =
            Tree::new(&[("etc/yum.repos.d/x.repo", repo), ("etc/dnf/dnf.conf", "[main]\ngpgcheck=1\n")]);
        assert_eq!(tree.told(untrusted, ""), "none");
        tree.add("etc/dnf/dnf.conf", "[main]\n");
        assert_eq!(tree.told(untrusted, ""), "[a] gpgcheck=0 (/etc/yum.repos.d/x.repo)");
    }
}
