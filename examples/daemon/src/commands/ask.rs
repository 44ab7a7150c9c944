//! Asking the daemon that runs, over its Unix socket.

use crate::cli::SocketArgs;
use crate::exit::{Code, Failure};
use crate::serve::SOCKET_DEFAULT;
use serde_json::Value;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long the daemon may take.
const ANSWER_TIME: Duration = Duration::from_secs(15);

/// Asks the daemon; an error it tells becomes ours.
pub(super) fn ask(
    args: &SocketArgs,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Failure> {
    let socket = args.socket.as_deref().unwrap_or(Path::new(SOCKET_DEFAULT));
    let failed = |error: &io::Error| {
        let code =
            if error.kind() == ErrorKind::PermissionDenied { Code::NoPermission } else { Code::Unavailable };
        let cure = match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                "; is the daemon running (bartizan run --ledger DIR), and is that its --socket?"
            }
            _ => "",
        };
        Failure::new(code, format!("{}: {error}{cure}", socket.display()))
    };
    let exchange = || -> io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(ANSWER_TIME))?;
        stream.set_write_timeout(Some(ANSWER_TIME))?;
        let text = body.map(Value::to_string).unwrap_or_default();
        let length =
            if body.is_some() { format!("Content-Length: {}\r\n", text.len()) } else { String::new() };
        let request = format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\n{length}\r\n{text}");
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let bytes = exchange().map_err(|error| failed(&error))?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    if status == "200" {
        return Ok(value);
    }
    let why = value["error"]
        .as_str()
        .map_or_else(|| head.lines().next().unwrap_or_default().to_owned(), str::to_owned);
    let code = match status {
        "400" | "404" | "409" => Code::Usage,
        "403" => Code::NoPermission,
        _ => Code::Unavailable,
    };
    Err(Failure::new(code, why))
}

/// Who acts: what they say, or the user behind `sudo`. The daemon adds the user that the kernel sees.
pub(super) fn by(given: Option<&str>) -> String {
    let user = || std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_default();
    given.map_or_else(user, str::to_owned)
}
