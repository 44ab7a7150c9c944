//! Where endpoints are, in words that rules can look at: `tcp:0.0.0.0:4444`, `tls:...`, `unix:/run/q`, `fd:31`.

use crate::checks::parse::vmm::endpoint::{Endpoint, Transport};
use std::net::{IpAddr, SocketAddr};

/// Whether an address as it was written leads to the loopback alone. Names other than `localhost` are taken for the
/// network's.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// An endpoint in a few words.
pub(super) fn shown(endpoint: &Endpoint) -> String {
    // Where it connects itself, nobody else can; whoever answers there still talks to it.
    let direction = if endpoint.is_network() && !endpoint.listens { " (connects)" } else { "" };
    let tcp = if endpoint.tls_creds.is_some() { "tls" } else { "tcp" };
    let place = match &endpoint.transport {
        Transport::Unix(path) => format!("unix:{path}"),
        Transport::Abstract(name) => format!("abstract:{name}"),
        Transport::Tcp(host, port) => format!("{tcp}:{}:{port}", host_shown(host)),
        Transport::Udp(host, port) => format!("udp:{}:{port}", host_shown(host)),
        Transport::Fd(fd) => format!("fd:{fd}"),
        Transport::Stdio => "stdio".to_owned(),
        Transport::Pty => "pty".to_owned(),
        Transport::File(path) => format!("file:{path}"),
        Transport::Pipe(path) => format!("pipe:{path}"),
        Transport::Device(path) => format!("device:{path}"),
        Transport::Vc => "vc".to_owned(),
        // A command may hold secrets.
        Transport::Exec(_) => "exec".to_owned(),
        Transport::Internal(kind) => kind.clone(),
        Transport::Other(kind) => format!("other:{kind}"),
    };
    format!("{place}{direction}")
}

fn host_shown(host: &str) -> &str {
    if host.is_empty() { "*" } else { host }
}

/// Whether a socket that listens is what an option asked for: the port, and the address unless that is a name or every
/// address.
pub(super) fn matches(listening: &SocketAddr, host: &str, port: &str) -> bool {
    if port.parse() != Ok(listening.port()) {
        return false;
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(ip) => ip.is_unspecified() || ip.to_canonical() == listening.ip().to_canonical(),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_everything_else() {
        for host in ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "0.0.0.0", "::", "10.0.0.1", "localhost.example.org", "*"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn an_option_explains_the_sockets_it_asked_for() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
        assert!(matches(&at("127.0.0.1:4444"), "127.0.0.1", "4444"));
        assert!(matches(&at("0.0.0.0:4444"), "", "4444"));
        assert!(matches(&at("[::]:4444"), "0.0.0.0", "4444"));
        assert!(matches(&at("[::1]:4444"), "localhost", "4444"));
        assert!(!matches(&at("127.0.0.1:4445"), "127.0.0.1", "4444"));
        assert!(!matches(&at("10.0.0.1:4444"), "127.0.0.1", "4444"));
    }
}
