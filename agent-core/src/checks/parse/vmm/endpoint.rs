//! Where QEMU talks: character devices in their long form (`-chardev socket,...`) and their short one
//! (`tcp:host:port,server=on`). (qemu(1), "Character device options"; QEMU's `chardev/char.c`.)

use super::settings::Settings;

/// What an endpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The machine monitor: whoever reaches it owns the VM.
    Qmp,
    /// The human monitor: as QMP.
    Hmp,
    /// The debugger's stub.
    Gdb,
    /// Where a migrating VM comes in.
    Incoming,
    /// A serial or parallel port, or a console.
    Serial,
    /// A vhost-user backend of a network device.
    VhostUser,
    /// A character device that a device uses, or nobody.
    Chardev,
}

/// How an endpoint is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A unix socket in the file system.
    Unix(String),
    /// A unix socket without a file: anybody in the network namespace can connect.
    Abstract(String),
    /// TCP: the host (empty for every address) and the port or service.
    Tcp(String, String),
    /// UDP: the host and the port or service.
    Udp(String, String),
    /// A descriptor that whoever started it opened.
    Fd(String),
    /// The standard streams.
    Stdio,
    /// A pseudo terminal.
    Pty,
    /// A file that is written.
    File(String),
    /// A named pipe.
    Pipe(String),
    /// A device of the host.
    Device(String),
    /// A text console in the display.
    Vc,
    /// A command.
    Exec(String),
    /// Nowhere, a ring in memory, or something inside QEMU: its kind.
    Internal(String),
    /// Something this code does not know: its kind.
    Other(String),
}

/// One place where QEMU talks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What for.
    pub role: Role,
    /// The option that asked for it, without dashes.
    pub option: String,
    /// How it is reached.
    pub transport: Transport,
    /// Whether it waits for connections; otherwise it connects itself.
    pub listens: bool,
    /// The object with the certificates, when TLS is used.
    pub tls_creds: Option<String>,
    /// The object that says which certificates are let in.
    pub tls_authz: Option<String>,
}

impl Endpoint {
    /// Whether it can be reached over a network, loopback included.
    #[must_use]
    pub fn is_network(&self) -> bool {
        matches!(self.transport, Transport::Tcp(..) | Transport::Udp(..))
    }

    pub(super) fn new(role: Role, option: &str, transport: Transport, settings: &Settings) -> Self {
        Self {
            role,
            option: option.to_owned(),
            transport,
            listens: settings.flag("server").unwrap_or(false),
            tls_creds: settings.text("tls-creds"),
            tls_authz: settings.text("tls-authz"),
        }
    }

    /// `-chardev KIND,id=...`.
    pub(super) fn of_chardev(settings: &Settings) -> Self {
        let text = |key| settings.text(key).unwrap_or_default();
        let kind = settings.leading("backend").unwrap_or_default();
        let transport = match kind {
            "socket" if settings.value("fd").is_some() => Transport::Fd(text("fd")),
            "socket" => match settings.text("path") {
                Some(path) if settings.flag("abstract") == Some(true) => Transport::Abstract(path),
                Some(path) => Transport::Unix(path),
                None => Transport::Tcp(text("host"), text("port")),
            },
            // It receives where `localaddr` says, everywhere otherwise.
            "udp" => Transport::Udp(text("host"), text("port")),
            "file" => Transport::File(text("path")),
            "pipe" => Transport::Pipe(text("path")),
            "serial" | "tty" | "parallel" | "parport" => Transport::Device(text("path")),
            other => simple(other).unwrap_or_else(|| Transport::Other(other.to_owned())),
        };
        Self::new(Role::Chardev, "chardev", transport, settings)
    }

    /// The short form that `-serial`, `-monitor`, `-qmp` and `-gdb` take. `chardev:` and `mon:` are for the caller.
    pub(super) fn of_short(role: Role, option: &str, text: &str) -> Self {
        if text.starts_with('/') {
            let device = Transport::Device(text.to_owned());
            return Self::new(role, option, device, &Settings::default());
        }
        let (kind, rest) = text.split_once(':').unwrap_or_else(|| {
            let end = text.find(',').unwrap_or(text.len());
            (&text[..end], text[end..].trim_start_matches(','))
        });
        let settings = Settings::parse(rest);
        let place = || settings.first().unwrap_or_default().to_owned();
        let transport = match kind {
            "tcp" | "telnet" | "tn3270" | "websocket" => {
                let (host, port) = host_and_port(settings.first().unwrap_or_default());
                Transport::Tcp(host, port)
            }
            "udp" => {
                let first = settings.first().unwrap_or_default();
                let (host, port) = host_and_port(first.split('@').next().unwrap_or_default());
                Transport::Udp(host, port)
            }
            "unix" if settings.flag("abstract") == Some(true) => Transport::Abstract(place()),
            "unix" => Transport::Unix(place()),
            "file" => Transport::File(place()),
            "pipe" => Transport::Pipe(place()),
            "fd" => Transport::Fd(place()),
            "exec" => Transport::Exec(rest.to_owned()),
            other => simple(other).unwrap_or_else(|| Transport::Other(other.to_owned())),
        };
        Self::new(role, option, transport, &settings)
    }
}

fn simple(kind: &str) -> Option<Transport> {
    Some(match kind {
        "stdio" => Transport::Stdio,
        "pty" => Transport::Pty,
        "vc" => Transport::Vc,
        "null" | "none" | "ringbuf" | "memory" | "msmouse" | "wctablet" | "braille" | "testdev" | "mux"
        | "hub" | "spicevmc" | "spiceport" | "qemu-vdagent" | "dbus" | "defer" => {
            Transport::Internal(kind.to_owned())
        }
        _ => return None,
    })
}

/// `host:port`, `:port` and `[v6]:port`.
pub(in crate::checks) fn host_and_port(text: &str) -> (String, String) {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (host.to_owned(), port.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn short(text: &str) -> Endpoint {
        Endpoint::of_short(Role::Serial, "serial", text)
    }

    #[test]
    fn short_forms() {
        let tcp = short("tcp:0.0.0.0:4444,server,nowait");
        assert_eq!(tcp.transport, Transport::Tcp("0.0.0.0".into(), "4444".into()));
        assert!(tcp.listens && tcp.is_network());
        assert_eq!(short("telnet:[::1]:5,server=on").transport, Transport::Tcp("::1".into(), "5".into()));
        assert_eq!(short("tcp::1234").transport, Transport::Tcp(String::new(), "1234".into()));
        assert_eq!(short("unix:/run/a,,b.sock,server=on").transport, Transport::Unix("/run/a,b.sock".into()));
        assert_eq!(short("unix:x,abstract=on").transport, Transport::Abstract("x".into()));
        assert_eq!(short("udp:h:1@:2").transport, Transport::Udp("h".into(), "1".into()));
        assert_eq!(short("/dev/ttyS0").transport, Transport::Device("/dev/ttyS0".into()));
        assert_eq!(short("vc:80Cx24C").transport, Transport::Vc);
        assert_eq!(short("stdio,signal=off").transport, Transport::Stdio);
        assert_eq!(short("none").transport, Transport::Internal("none".into()));
        assert_eq!(short("what").transport, Transport::Other("what".into()));
        assert_eq!(short("").transport, Transport::Other(String::new()));
    }

    #[test]
    fn long_forms() {
        let of = |text| Endpoint::of_chardev(&Settings::parse(text));
        let tls = of("socket,id=a,host=::,port=7,server=on,tls-creds=tls0,tls-authz=z");
        assert_eq!(tls.transport, Transport::Tcp("::".into(), "7".into()));
        assert_eq!((tls.tls_creds.as_deref(), tls.tls_authz.as_deref()), (Some("tls0"), Some("z")));
        assert_eq!(of("socket,id=a,fd=31,server=on").transport, Transport::Fd("31".into()));
        assert_eq!(of("file,id=a,path=/log").transport, Transport::File("/log".into()));
        assert_eq!(of("backend=pty,id=a").transport, Transport::Pty);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in ".{0,60}") {
            let _ = short(&text);
            let _ = Endpoint::of_chardev(&Settings::parse(&text));
        }
    }
}
