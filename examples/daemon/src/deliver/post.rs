//! The smallest HTTP/1.1 client that posts: one request a connection, with a time for each step (RFC 9110, RFC 9112).

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// For a connection to be there.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// For the whole answer.
const ANSWER_TIME: Duration = Duration::from_secs(15);
/// Most header fields looked at.
const HEADERS_MAX: usize = 64;
/// Longest head of an answer; what follows it is not read to its end.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// What the bytes of an answer are, so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// More must come.
    Incomplete,
    /// Its status, and the beginning of its body.
    Status(u16, String),
    /// Never an answer.
    Nonsense,
}

/// Looks at what a server sent so far. Interim answers (1xx) are passed over.
#[must_use]
pub fn parse(bytes: &[u8]) -> Answer {
    let mut rest = bytes;
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(rest) {
            Ok(httparse::Status::Complete(length)) => match response.code {
                Some(100..=199) => rest = &rest[length..],
                Some(code) => {
                    let body = &rest[length..rest.len().min(length + 256)];
                    return Answer::Status(code, String::from_utf8_lossy(body).trim().to_owned());
                }
                None => return Answer::Nonsense,
            },
            Ok(httparse::Status::Partial) if bytes.len() < ANSWER_BYTES_MAX => return Answer::Incomplete,
            _ => return Answer::Nonsense,
        }
    }
}

/// Posts JSON, and returns the answer's status with the beginning of its body.
///
/// # Errors
/// When there is no answer in time, or it is none.
pub fn post(authority: &str, path: &str, body: &[u8]) -> io::Result<(u16, String)> {
    let mut stream = connect(authority)?;
    let deadline = Instant::now() + ANSWER_TIME;
    stream.set_write_timeout(Some(ANSWER_TIME))?;
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: bartizan/{}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        env!("CARGO_PKG_VERSION"),
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    stream.write_all(&request)?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 2_048];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"));
        }
        stream.set_read_timeout(Some(left))?;
        let count = match stream.read(&mut buffer) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed without an answer")),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"));
            }
            Err(error) => return Err(error),
        };
        bytes.extend_from_slice(&buffer[..count]);
        match parse(&bytes) {
            Answer::Incomplete => {}
            Answer::Status(code, body) => return Ok((code, body)),
            Answer::Nonsense => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"));
            }
        }
    }
}

/// Connects to the first of an authority's addresses that takes us.
///
/// # Errors
/// When none does.
pub fn connect(authority: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIME) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_is_its_first_final_status() {
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\n\r\nhi"), Answer::Status(200, "hi".into()));
        assert_eq!(
            parse(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\n\r\n"),
            Answer::Status(503, String::new())
        );
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\nA: b\r\n"), Answer::Incomplete);
        assert_eq!(parse(b"SSH-2.0-OpenSSH\r\n"), Answer::Nonsense);
        assert_eq!(parse(&vec![b'H'; ANSWER_BYTES_MAX]), Answer::Nonsense);
    }

    proptest! {
        #[test]
        fn any_bytes_are_one_of_the_three(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let _ = parse(&bytes);
        }
    }
}
