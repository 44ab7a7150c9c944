//! Notices as syslog messages (RFC 5424), over a Unix socket, UDP (RFC 5426) or TCP with counted octets (RFC 6587).
//!
//! Syslog has no acknowledgement: what the kernel took, or the other end of a connection that is still open, counts as
//! delivered. Who needs more takes a webhook.

use super::post::connect;
use bartizan_core::alerts::Severity;
use bartizan_core::checks::report::json::rfc3339;
use bartizan_core::config::incidents::Target;
use bartizan_core::incidents::{Notice, What};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// Facility 13, *log audit*.
const FACILITY: u8 = 13;
/// The number for documentation (RFC 5612) stands behind the name of the structured data: there is no registered one.
const DATA_ID: &str = "bartizan@32473";
/// What every receiver of datagrams takes (RFC 5426 recommends 2,048).
const DATAGRAM_BYTES_MAX: usize = 2_048;
const WRITE_TIME: Duration = Duration::from_secs(10);

/// One message.
#[must_use]
pub fn message(notice: &Notice, host: &str, pid: u32) -> String {
    let severity = match (notice.is_firing(), notice.severity) {
        (false, _) => 5,
        (true, Severity::Critical) => 2,
        (true, Severity::Warning) => 4,
        (true, Severity::Info) => 6,
    };
    let mut text = format!(
        "<{}>1 {} {} bartizan {pid} incident [{DATA_ID}",
        FACILITY * 8 + severity,
        rfc3339(notice.at_ns),
        name(host, 255)
    );
    let changes: Vec<_> = notice.changes.all().map(What::name).collect();
    let fields = [
        ("incident", notice.incident.to_string()),
        ("number", notice.number.to_string()),
        ("changes", changes.join(",")),
        ("state", notice.state.name().to_owned()),
        ("firing", notice.is_firing().to_string()),
        ("severity", notice.severity.name().to_owned()),
        ("detector", notice.detector.clone()),
        ("vm", notice.resource.vm.clone()),
        ("tenant", notice.resource.tenant.clone()),
        ("cause", notice.cause.clone()),
        ("by", notice.by.clone()),
        (
            "verdict",
            notice.closure.as_ref().map_or(String::new(), |closure| closure.verdict.name().to_owned()),
        ),
    ];
    for (key, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        // Writing to a String cannot fail.
        let _ = write!(text, " {key}=\"");
        for c in value.chars() {
            match c {
                '"' | '\\' | ']' => text.extend(['\\', c]),
                c if c.is_control() => text.push('\u{fffd}'),
                c => text.push(c),
            }
        }
        text.push('"');
    }
    // The mark says that what follows is UTF-8.
    text.push_str("] \u{feff}");
    text.extend(notice.message.chars().map(|c| if c.is_control() { ' ' } else { c }));
    text
}

/// A name as the header has it: printable ASCII without spaces.
fn name(text: &str, length_max: usize) -> String {
    let name: String = text.chars().filter(char::is_ascii_graphic).take(length_max).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// Where messages go, and the connection that is open.
pub struct Syslog {
    target: Target,
    stream: Option<TcpStream>,
}

impl Syslog {
    /// Nothing is connected before the first message.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self { target, stream: None }
    }

    /// Sends messages, in order.
    ///
    /// # Errors
    /// When one was not taken; those before it were.
    pub fn send(&mut self, messages: &[String]) -> io::Result<()> {
        match &self.target {
            Target::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(WRITE_TIME))?;
                messages.iter().try_for_each(|text| socket.send_to(datagram(text), path).map(drop))
            }
            Target::Udp(authority) => {
                let is_v6 = authority.starts_with('[');
                let socket = UdpSocket::bind(if is_v6 { "[::]:0" } else { "0.0.0.0:0" })?;
                socket.connect(authority)?;
                messages.iter().try_for_each(|text| socket.send(datagram(text)).map(drop))
            }
            Target::Tcp(authority) => {
                let authority = authority.clone();
                let sent = self.send_counted(&authority, messages);
                if sent.is_err() {
                    self.stream = None;
                }
                sent
            }
            Target::Http { .. } | Target::File(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn send_counted(&mut self, authority: &str, messages: &[String]) -> io::Result<()> {
        // A receiver that went away has closed its end: without a look, the first message after that would be lost.
        if self.stream.as_ref().is_some_and(is_closed) {
            self.stream = None;
        }
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(connect(authority)?),
        };
        stream.set_write_timeout(Some(WRITE_TIME))?;
        let mut bytes = Vec::new();
        for text in messages {
            write!(bytes, "{} {text}", text.len())?;
        }
        stream.write_all(&bytes)?;
        if is_closed(stream) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

fn is_closed(stream: &TcpStream) -> bool {
    let mut byte = [0];
    let looked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut byte));
    let _ = stream.set_nonblocking(false);
    match looked {
        Ok(count) => count == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

/// What fits into a datagram, cut between two characters.
fn datagram(text: &str) -> &[u8] {
    let mut end = text.len().min(DATAGRAM_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text.as_bytes()[..end]
}
