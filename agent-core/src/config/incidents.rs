//! How alerts and findings become incidents, and who is told.

use crate::alerts::Severity;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;

/// Incidents. They stand on the ledger: where nothing is recorded there are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Incidents {
    /// Conditions that are remembered: 16 to 1,048,576.
    pub keys_max: u32,
    /// Incidents in memory, closed ones too: 1 to 65,536.
    pub incidents_max: u32,
    /// How long what changes about an incident is gathered before it is told, in seconds; a critical one is told at once.
    pub wait_s: u32,
    /// Conditions of one tenant that may begin in a minute, on average; twice as many at once.
    pub per_tenant_per_minute_max: u32,
    /// What is over and was not taken on by anybody is closed after so many hours; 0 is never.
    pub close_after_h: u32,
    /// So long after a start, what was not seen again since is over, in seconds: longer than any rule's patience.
    pub reconcile_s: u32,
    /// The mildest findings of checks that open incidents.
    pub findings: FindingsMin,
}

impl Default for Incidents {
    fn default() -> Self {
        Self {
            keys_max: 65_536,
            incidents_max: 1_024,
            wait_s: 10,
            per_tenant_per_minute_max: 60,
            close_after_h: 168,
            reconcile_s: 600,
            findings: FindingsMin::default(),
        }
    }
}

/// The mildest findings that open incidents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the severities of checks, and none")]
pub enum FindingsMin {
    Info,
    Low,
    Medium,
    #[default]
    High,
    Critical,
    Off,
}

impl FindingsMin {
    /// The name of the severity; `None` when findings open none.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Info => Some("info"),
            Self::Low => Some("low"),
            Self::Medium => Some("medium"),
            Self::High => Some("high"),
            Self::Critical => Some("critical"),
            Self::Off => None,
        }
    }
}

/// Somebody who is told of incidents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deliver {
    /// Its name: what was delivered is remembered under it.
    pub name: String,
    /// What it speaks.
    pub to: DeliverTo,
    /// Where it is: `http://127.0.0.1:9093`, `udp://127.0.0.1:514`, `tcp://127.0.0.1:601`, `unix:/dev/log`,
    /// `file:/var/log/bartizan/incidents.jsonl`.
    pub url: String,
    /// The form of what is sent; syslog and Alertmanager have their own.
    #[serde(default)]
    pub format: DeliverFormat,
    /// Milder incidents are not sent.
    #[serde(default = "mildest")]
    pub severity_min: Severity,
    /// Tenants whose incidents are sent, as patterns in which `*` stands for anything; all when empty.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// Alertmanager forgets: what fires is sent again this often, in seconds: 1 to 3,600.
    #[serde(default = "repeat_s")]
    pub repeat_s: u32,
    /// Lets it be on another machine, although nothing is encrypted.
    #[serde(default)]
    pub in_the_clear: bool,
}

const fn mildest() -> Severity {
    Severity::Info
}

const fn repeat_s() -> u32 {
    30
}

/// What a receiver speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliverTo {
    /// Alertmanager's API v2.
    Alertmanager,
    /// An array of JSON objects, posted.
    Webhook,
    /// RFC 5424.
    Syslog,
    /// JSON lines, appended.
    File,
}

/// The form of what is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliverFormat {
    /// OCSF 1.8.
    #[default]
    Ocsf,
    /// Bartizan's own.
    Native,
}

/// Where a receiver is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// HTTP/1.1 over TCP.
    Http {
        /// A name or an address, and the port: as in `Host`.
        authority: String,
        /// The path, with its query.
        path: String,
    },
    /// Datagrams.
    Udp(String),
    /// A stream.
    Tcp(String),
    /// Datagrams to a Unix socket.
    Unix(PathBuf),
    /// A file.
    File(PathBuf),
}

impl Deliver {
    /// Where it is.
    ///
    /// # Errors
    /// In words, when it makes no sense.
    pub fn target(&self) -> Result<Target, String> {
        let url = &self.url;
        let expected = match self.to {
            DeliverTo::Alertmanager | DeliverTo::Webhook => "http://HOST:PORT/PATH",
            DeliverTo::Syslog => "udp://HOST:PORT, tcp://HOST:PORT or unix:/PATH",
            DeliverTo::File => "file:/PATH",
        };
        let wrong = |why: &str| format!("is {url:?}; {why}, {expected} is expected here");
        if url.starts_with("https:") {
            return Err(format!(
                "is {url:?}; TLS is not spoken here: let a proxy on this host speak it, and send to that"
            ));
        }
        if url.chars().any(|c| c.is_control() || c == ' ') {
            return Err(wrong("it has a space or a control character"));
        }
        let (scheme, rest) = url.split_once(':').ok_or_else(|| wrong("it names no scheme"))?;
        let target = match (self.to, scheme) {
            (DeliverTo::Alertmanager | DeliverTo::Webhook, "http") => {
                let rest = rest.strip_prefix("//").ok_or_else(|| wrong("`//` is missing"))?;
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let authority =
                    if has_port(authority) { authority.to_owned() } else { format!("{authority}:80") };
                Target::Http { authority, path: if path.is_empty() { "/" } else { path }.to_owned() }
            }
            (DeliverTo::Syslog, "udp" | "tcp") => {
                let rest = rest.strip_prefix("//").ok_or_else(|| wrong("`//` is missing"))?;
                if !has_port(rest) {
                    return Err(wrong("the port is missing"));
                }
                if scheme == "udp" { Target::Udp(rest.to_owned()) } else { Target::Tcp(rest.to_owned()) }
            }
            (DeliverTo::Syslog, "unix") | (DeliverTo::File, "file") => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if !path.starts_with('/') {
                    return Err(wrong("the path is not absolute"));
                }
                if scheme == "unix" { Target::Unix(path.into()) } else { Target::File(path.into()) }
            }
            _ => return Err(wrong("that is another scheme")),
        };
        if let Target::Http { authority, .. } | Target::Udp(authority) | Target::Tcp(authority) = &target {
            let host = host_of(authority);
            if host.is_empty() {
                return Err(wrong("the host is missing"));
            }
            let is_here =
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
            if !is_here && !self.in_the_clear {
                return Err(format!(
                    "is {url:?}: that is another machine, and nothing is encrypted; send to a proxy on loopback, or \
                     set in_the_clear = true if that is wanted"
                ));
            }
        }
        Ok(target)
    }
}

fn has_port(authority: &str) -> bool {
    authority.rsplit_once(':').is_some_and(|(host, port)| {
        (!host.contains(':') || host.ends_with(']')) && port.parse::<u16>().is_ok()
    })
}

/// `[::1]:514` is `::1`.
fn host_of(authority: &str) -> &str {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Everything that is wrong with receivers: which, its key, and what.
pub(super) fn mistakes(receivers: &[Deliver]) -> Vec<(usize, &'static str, String)> {
    let mut mistakes = Vec::new();
    let mut names = std::collections::HashSet::new();
    for (index, receiver) in receivers.iter().enumerate() {
        let name = &receiver.name;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
            let message = format!("is {name:?}; 1 to 64 letters, digits, dots, dashes are expected here");
            mistakes.push((index, "name", message));
        } else if !names.insert(name) {
            mistakes.push((index, "name", format!("is {name:?} a second time; give it another name")));
        }
        if let Err(message) = receiver.target() {
            mistakes.push((index, "url", message));
        }
        if !(1..=3_600).contains(&receiver.repeat_s) {
            mistakes.push((index, "repeat_s", format!("is {}; allowed are 1 to 3600", receiver.repeat_s)));
        }
    }
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn target(to: DeliverTo, url: &str) -> Result<Target, String> {
        Deliver {
            name: "x".into(),
            to,
            url: url.into(),
            format: DeliverFormat::Ocsf,
            severity_min: Severity::Info,
            tenants: Vec::new(),
            repeat_s: 30,
            in_the_clear: false,
        }
        .target()
    }

    #[test]
    fn addresses_are_understood_or_refused_with_the_cure() {
        use DeliverTo::{Alertmanager, File, Syslog, Webhook};
        let http =
            |authority: &str, path: &str| Ok(Target::Http { authority: authority.into(), path: path.into() });
        assert_eq!(target(Webhook, "http://127.0.0.1:8080/x?y"), http("127.0.0.1:8080", "/x?y"));
        assert_eq!(target(Alertmanager, "http://localhost"), http("localhost:80", "/"));
        assert_eq!(target(Webhook, "http://[::1]/a"), http("[::1]:80", "/a"));
        assert_eq!(target(Syslog, "udp://127.0.0.1:514"), Ok(Target::Udp("127.0.0.1:514".into())));
        assert_eq!(target(Syslog, "unix:/dev/log"), Ok(Target::Unix("/dev/log".into())));
        assert_eq!(target(File, "file:///a"), Ok(Target::File("/a".into())));
        for (to, url, part) in [
            (Webhook, "https://127.0.0.1", "proxy"),
            (Webhook, "http://example.org/", "in_the_clear"),
            (Webhook, "udp://127.0.0.1:1", "another scheme"),
            (Webhook, "http:///x", "host is missing"),
            (Webhook, "http://127.0.0.1/ x\r\n", "space"),
            (Syslog, "tcp://127.0.0.1", "port is missing"),
            (File, "file:a", "not absolute"),
            (File, "a", "no scheme"),
        ] {
            let said = target(to, url).unwrap_err();
            assert!(said.contains(part), "{url}: {said}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let text = "[[deliver]]\nname = \"a\"\nto = \"webhook\"\nurl = \"http://127.0.0.1:1/\"\n\
                    [[deliver]]\nname = \"a\"\nto = \"file\"\nurl = \"http://x\"\nrepeat_s = 0\n";
        let said = Config::from_toml(text, None).unwrap_err().to_string();
        for part in [
            "6:8: `deliver.name` is \"a\" a second time",
            "8:7: `deliver.url` is \"http://x\"; that is another scheme",
            "9:12: `deliver.repeat_s` is 0",
        ] {
            assert!(said.contains(part), "{said}");
        }
        let said = Config::from_toml("[[deliver]]\nname = \"a\"\nto = \"pigeon\"\nurl = \"x\"\n", None);
        assert!(said.unwrap_err().to_string().contains(":3:6: "));
    }
}
