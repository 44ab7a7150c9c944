//! Where logs go: rsyslog's forwarding, journal-upload, auditd's own sender, and syslog-ng as far as its text tells.

use super::super::access::texts;
use super::super::kernel::expand;
use super::super::libvirt::unit;
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::ini::{Ini, Style};
use crate::checks::parse::etc::rsyslog::{Protection, Rsyslog};

const RSYSLOG: &str = "/etc/rsyslog.conf";
const SYSLOG_NG: &str = "/etc/syslog-ng/syslog-ng.conf";
const UPLOAD: &str = "/etc/systemd/journal-upload.conf";
const AUDISP: [&str; 2] = ["/etc/audit/plugins.d/au-remote.conf", "/etc/audisp/plugins.d/au-remote.conf"];
const AUDISP_REMOTE: [&str; 2] = ["/etc/audit/audisp-remote.conf", "/etc/audisp/audisp-remote.conf"];

type Places = Vec<(String, String)>;

/// `log.remote`
pub(super) fn remote(gather: &Gather, _: &str) -> Found {
    let mut places = Vec::new();
    for (read, source) in [
        (rsyslog as fn(&Gather, &mut Places) -> Result<(), Unavailable>, RSYSLOG),
        (syslog_ng, SYSLOG_NG),
        (upload, UPLOAD),
        (audisp, AUDISP[0]),
    ] {
        if let Err(why) = read(gather, &mut places) {
            return Found::unavailable(why, source);
        }
    }
    Found::value(Value::Map(places), format!("{RSYSLOG}, {SYSLOG_NG}, {UPLOAD}, {}", AUDISP[0]))
}

/// Whether a service will not run although its configuration is there.
fn is_off(gather: &Gather, name: &str) -> bool {
    unit::state(gather, name).value.is_ok_and(|value| matches!(value.text(), Some("disabled" | "masked")))
}

fn optional<T>(read: Result<T, Unavailable>) -> Result<Option<T>, Unavailable> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(Unavailable::Absent) => Ok(None),
        Err(why) => Err(why),
    }
}

fn rsyslog(gather: &Gather, places: &mut Places) -> Result<(), Unavailable> {
    /// Files that one includes, and those that they include.
    const FILES_MAX: usize = 256;
    let Some(text) = optional(gather.text(RSYSLOG))? else { return Ok(()) };
    if is_off(gather, "rsyslog.service") {
        return Ok(());
    }
    let mut waiting = vec![text];
    let mut read = 0;
    while let Some(text) = waiting.pop() {
        read += 1;
        if read > FILES_MAX {
            return Err(Unavailable::TooMuch(format!("more than {FILES_MAX} files")));
        }
        let one = Rsyslog::parse(&text);
        for target in one.targets {
            let word = match target.protection {
                Protection::Clear => "clear",
                Protection::Encrypted => "encrypted",
                Protection::Authenticated => "authenticated",
            };
            places.push((format!("rsyslog {}", target.host), word.to_owned()));
        }
        for (pattern, _) in one.includes {
            for (_, path) in optional(expand(gather, &pattern))?.unwrap_or_default() {
                waiting.extend(optional(gather.text(&path))?);
            }
        }
    }
    Ok(())
}

/// `network("host" transport("tls"))`, `syslog(...)`, `tcp("host")`, `udp("host")` within a destination.
fn syslog_ng(gather: &Gather, places: &mut Places) -> Result<(), Unavailable> {
    let Some(text) = optional(gather.text(SYSLOG_NG))? else { return Ok(()) };
    if is_off(gather, "syslog-ng.service") {
        return Ok(());
    }
    let mut all = text;
    for (_, text) in texts(gather, "/etc/syslog-ng/conf.d", ".conf")? {
        all.push('\n');
        all.push_str(&text);
    }
    let code: String =
        all.lines().map(|line| line.split('#').next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    for part in code.split("destination ").skip(1) {
        let body = part.split("};").next().unwrap_or_default();
        for driver in ["network(", "syslog(", "tcp(", "udp("] {
            for inner in body.split(driver).skip(1) {
                let host = inner.split('"').nth(1).unwrap_or("(a host)");
                let tls = inner.contains("tls(") || inner.contains("transport(\"tls\")");
                let trusted = inner.contains("required-trusted");
                let word = if !tls {
                    "clear"
                } else if trusted {
                    "authenticated"
                } else {
                    "encrypted"
                };
                places.push((format!("syslog-ng {host}"), word.to_owned()));
            }
        }
    }
    Ok(())
}

fn upload(gather: &Gather, places: &mut Places) -> Result<(), Unavailable> {
    if !unit::is_enabled(gather, "systemd-journal-upload.service") {
        return Ok(());
    }
    let mut ini = Ini::default();
    if let Some(text) = optional(gather.text(UPLOAD))? {
        ini.add(UPLOAD, &text, Style::Systemd);
    }
    for (path, text) in texts(gather, "/etc/systemd/journal-upload.conf.d", ".conf")? {
        ini.add(&path, &text, Style::Systemd);
    }
    let Some(url) = ini.last("Upload", "URL").filter(|entry| !entry.value.is_empty()) else { return Ok(()) };
    let without_scheme = url.value.split("://").last().unwrap_or_default();
    let place = without_scheme.rsplit('@').next().unwrap_or_default();
    // Without a scheme it is https; the server's certificate is checked against TrustedCertificateFile, which has a
    // default.
    let word = if url.value.starts_with("http://") { "clear" } else { "authenticated" };
    places.push((format!("journal-upload {place}"), word.to_owned()));
    Ok(())
}

fn audisp(gather: &Gather, places: &mut Places) -> Result<(), Unavailable> {
    for (plugin, remote) in AUDISP.into_iter().zip(AUDISP_REMOTE) {
        let Some(text) = optional(gather.text(plugin))? else { continue };
        let setting = |text: &str, name: &str| {
            let pairs = text.lines().filter_map(|line| line.trim().split_once('='));
            pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned()).next_back()
        };
        if setting(&text, "active").as_deref() != Some("yes") {
            continue;
        }
        let Some(text) = optional(gather.text(remote))? else { continue };
        let Some(server) = setting(&text, "remote_server").filter(|server| !server.is_empty()) else {
            continue;
        };
        let kerberos = setting(&text, "enable_krb5").as_deref() == Some("yes")
            || setting(&text, "transport").is_some_and(|way| way.eq_ignore_ascii_case("krb5"));
        places
            .push((format!("auditd {server}"), if kerberos { "authenticated" } else { "clear" }.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    #[test]
    fn every_sender_is_told_with_how_it_sends() {
        let tree = Tree::new(&[
            ("etc/rsyslog.conf", "include(file=\"/etc/rsyslog.d/*.conf\" mode=\"optional\")\n"),
            (
                "etc/rsyslog.d/10.conf",
                "*.* @@plain.example:514\naction(type=\"omfwd\" target=\"tls.example\" protocol=\"tcp\" \
              StreamDriver=\"gtls\" StreamDriverMode=\"1\" StreamDriverAuthMode=\"x509/name\")\n",
            ),
            ("etc/audit/plugins.d/au-remote.conf", "active = yes\n"),
            ("etc/audit/audisp-remote.conf", "remote_server = audit.example\ntransport = KRB5\n"),
            ("etc/systemd/journal-upload.conf", "[Upload]\nURL=http://user:SECRET@journal.example:19532\n"),
            (
                "etc/syslog-ng/syslog-ng.conf",
                "destination d { network(\"ng.example\" transport(\"tls\")); };\n# destination x { udp(\"no\"); };\n",
            ),
        ]);
        let told = tree.told(remote, "");
        assert_eq!(
            told,
            "rsyslog plain.example=clear, rsyslog tls.example=authenticated, syslog-ng ng.example=encrypted, \
             auditd audit.example=authenticated",
            "journal-upload is not started"
        );
        tree.link("etc/systemd/system/multi-user.target.wants/systemd-journal-upload.service", "/x");
        tree.add("usr/lib/systemd/system/rsyslog.service", "[Unit]\n");
        let told = tree.told(remote, "");
        assert!(
            told.contains("journal-upload journal.example:19532=clear") && !told.contains("SECRET"),
            "{told}"
        );
        assert!(!told.contains("rsyslog plain"), "its service is not started: {told}");
        assert_eq!(Tree::new(&[]).told(remote, ""), "none");
    }
}
