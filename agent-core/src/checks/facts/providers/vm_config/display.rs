//! Where displays are and what they ask of whoever comes: in the same words whether QEMU was told or libvirt.
//!
//! `unix`, `nowhere`, or `loopback` or `network` with `login` or `no login`, and `tls` or `no tls`.

use super::place::is_loopback;
use crate::checks::parse::vmm::domain_xml::Graphics;
use crate::checks::parse::vmm::qemu::{Qemu, Spice, Vnc, VncPlace};

/// Displays by where they are, each with what it asks for.
pub(super) type Displays = Vec<(String, String)>;

/// What libvirt's `qemu.conf` says of displays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "libvirt's own switches")]
pub(super) struct Defaults {
    /// `vnc_tls`, or `spice_tls`.
    pub(super) tls: bool,
    /// `vnc_tls_x509_verify`.
    pub(super) verify: bool,
    /// `vnc_sasl`, or `spice_sasl`.
    pub(super) sasl: bool,
    /// `vnc_password`, or `spice_password`, is set.
    pub(super) password: bool,
}

/// QEMU's VNC servers.
pub(super) fn vnc(qemu: &Qemu) -> Displays {
    qemu.vnc.iter().map(|vnc| one_vnc(qemu, vnc)).collect()
}

/// QEMU's VNC servers that answer in a web browser too, and whether that is encrypted.
pub(super) fn websockets(qemu: &Qemu) -> Displays {
    let with = qemu.vnc.iter().filter(|vnc| vnc.websocket.as_deref().is_some_and(|port| port != "off"));
    with.map(|vnc| {
        let (place, asks) = one_vnc(qemu, vnc);
        let port = vnc.websocket.clone().unwrap_or_default();
        (format!("{place} websocket {port}"), asks)
    })
    .collect()
}

fn one_vnc(qemu: &Qemu, vnc: &Vnc) -> (String, String) {
    let (place, host) = match &vnc.place {
        VncPlace::None => return ("none".to_owned(), "nowhere".to_owned()),
        VncPlace::Unix(path) => return (format!("unix:{path}"), "unix".to_owned()),
        VncPlace::Reverse(host, port) => (format!("to {}", shown(host, *port)), host),
        VncPlace::Tcp(host, port) => (shown(host, *port), host),
    };
    let credentials = vnc
        .tls_creds
        .as_ref()
        .and_then(|id| qemu.tls_credentials.iter().find(|creds| creds.id.as_ref() == Some(id)));
    let known = credentials.is_some_and(|creds| match creds.kind.as_str() {
        "x509" => creds.verifies_peer,
        "psk" => true,
        _ => false,
    });
    let login = vnc.password || vnc.sasl || known;
    (place, asks(host, login, vnc.tls_creds.is_some()))
}

/// QEMU's SPICE server: its ports.
pub(super) fn spice(spice: &Spice) -> Displays {
    if spice.unix {
        let path = spice.address.clone().unwrap_or_default();
        return vec![(format!("unix:{path}"), "unix".to_owned())];
    }
    let host = spice.address.as_deref().unwrap_or_default();
    let login = spice.sasl || !spice.ticketing_disabled;
    let at = |port: u64, tls: bool| (shown(host, u32::try_from(port).ok()), asks(host, login, tls));
    let ports = [(spice.port, false), (spice.tls_port, true)];
    ports.into_iter().filter_map(|(port, tls)| Some(at(port?, tls))).collect()
}

/// libvirt's displays of a kind (`vnc`, `spice`) as a definition has them.
pub(super) fn defined(graphics: &[Graphics], kind: &str, defaults: Defaults, listen: &str) -> Displays {
    let mut found = Displays::new();
    for display in graphics.iter().filter(|display| display.kind == kind) {
        for socket in &display.sockets {
            found.push((format!("unix:{socket}"), "unix".to_owned()));
        }
        let mut hosts: Vec<&str> = display.listen.iter().map(String::as_str).collect();
        if hosts.is_empty() && display.sockets.is_empty() {
            hosts.push(listen);
        }
        for host in hosts {
            let login = defaults.sasl
                || display.password
                || defaults.password
                || (kind == "vnc" && defaults.tls && defaults.verify);
            // SPICE has a port for each; VNC is encrypted or is not.
            let plain = display.port.is_some_and(|port| port != 0) || display.tls_port.is_none();
            if kind == "vnc" || plain {
                let port = display.port.and_then(|port| u32::try_from(port).ok());
                found.push((shown(host, port), asks(host, login, kind == "vnc" && defaults.tls)));
            }
            if kind == "spice" && display.tls_port.is_some_and(|port| port != 0) {
                let port = display.tls_port.and_then(|port| u32::try_from(port).ok());
                found.push((format!("{} with TLS", shown(host, port)), asks(host, login, true)));
            }
        }
    }
    found
}

fn asks(host: &str, login: bool, tls: bool) -> String {
    let place = if is_loopback(host) { "loopback" } else { "network" };
    let login = if login { "login" } else { "no login" };
    let tls = if tls { "tls" } else { "no tls" };
    format!("{place}, {login}, {tls}")
}

fn shown(host: &str, port: Option<u32>) -> String {
    let host = match host {
        "" => "*",
        host => host,
    };
    match port {
        Some(port) => format!("{host}:{port}"),
        None => format!("{host}:auto"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::parse::vmm::qemu;

    fn of(line: &str) -> Qemu {
        qemu::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_a_vnc_server_asks_for() {
        for (line, expected) in [
            ("-vnc :1", "network, no login, no tls"),
            ("-vnc 127.0.0.1:1", "loopback, no login, no tls"),
            ("-vnc localhost:1,password=on", "loopback, login, no tls"),
            ("-vnc [::1]:1,sasl=on", "loopback, login, no tls"),
            ("-vnc 10.0.0.1:1,tls-creds=t -object tls-creds-anon,id=t", "network, no login, tls"),
            ("-vnc :1,tls-creds=t -object tls-creds-x509,id=t,verify-peer=no", "network, no login, tls"),
            ("-vnc :1,tls-creds=t -object tls-creds-x509,id=t", "network, login, tls"),
            ("-vnc :1,tls-creds=missing", "network, no login, tls"),
            ("-vnc unix:/run/v", "unix"),
            ("-vnc none", "nowhere"),
        ] {
            assert_eq!(vnc(&of(line))[0].1, expected, "{line}");
        }
        assert!(vnc(&of("-S")).is_empty());
        let web = websockets(&of("-vnc :1,websocket=on"));
        assert_eq!(web[0].0, "*:5901 websocket on");
    }

    #[test]
    fn what_a_spice_server_asks_for() {
        let of = |line| spice(&of(line).spice.expect("spice"));
        let both = of("-spice port=1,tls-port=2,addr=10.0.0.1");
        assert_eq!(both[0], ("10.0.0.1:1".into(), "network, login, no tls".into()));
        assert_eq!(both[1], ("10.0.0.1:2".into(), "network, login, tls".into()));
        assert_eq!(of("-spice port=1,disable-ticketing=on")[0].1, "network, no login, no tls");
        assert_eq!(of("-spice unix=on,addr=/run/s")[0].1, "unix");
    }

    #[test]
    fn definitions_get_what_they_do_not_say_from_qemu_conf() {
        let bare = Graphics { kind: "vnc".into(), port: Some(-1), ..Graphics::default() };
        let told = |graphics: &Graphics, defaults, listen| {
            defined(std::slice::from_ref(graphics), "vnc", defaults, listen)[0].1.clone()
        };
        assert_eq!(told(&bare, Defaults::default(), "127.0.0.1"), "loopback, no login, no tls");
        let strict = Defaults { tls: true, verify: true, ..Defaults::default() };
        assert_eq!(told(&bare, strict, "0.0.0.0"), "network, login, tls");
        let open = Graphics { listen: vec!["0.0.0.0".into()], password: true, ..bare };
        assert_eq!(told(&open, Defaults::default(), "127.0.0.1"), "network, login, no tls");
        let spice = Graphics { kind: "spice".into(), tls_port: Some(5901), ..Graphics::default() };
        let found = defined(&[spice], "spice", Defaults::default(), "0.0.0.0");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].1, "network, no login, tls");
    }
}
