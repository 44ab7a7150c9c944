//! A client for exporters on loopback.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

/// An answer that takes longer is none.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A port that is free now.
///
/// # Errors
/// In words, when there is none.
pub fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    Ok(listener.local_addr().map_err(|error| error.to_string())?.port())
}

/// The whole answer to one request, its head included.
///
/// # Errors
/// In words, when there is no answer or it is not a good one.
pub fn get(port: u16, path: &str) -> Result<String, String> {
    let exchange = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        // In one piece: a server that closes with a part of it unread would reset the connection.
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = exchange().map_err(|error| format!("{path}: {error}"))?;
    let status = answer.lines().next().unwrap_or_default();
    if status.contains(" 200") { Ok(answer) } else { Err(format!("{path}: {status:?}")) }
}

/// Asks until there is an answer, for so long.
///
/// # Errors
/// The last failure, in words.
pub fn get_within(port: u16, path: &str, limit: Duration) -> Result<String, String> {
    let begun = std::time::Instant::now();
    loop {
        match get(port, path) {
            Err(_) if begun.elapsed() < limit => std::thread::sleep(Duration::from_millis(50)),
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_to_its_end_and_a_bad_one_is_an_error() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let port = listener.local_addr().expect("an address").port();
        let server = std::thread::spawn(move || {
            for status in ["200 OK", "404 Not Found"] {
                let (mut stream, _) = listener.accept().expect("accept");
                let _ = stream.read(&mut [0; 1024]);
                write!(stream, "HTTP/1.1 {status}\r\n\r\nbody").expect("write");
            }
        });
        assert!(get(port, "/").is_ok_and(|answer| answer.ends_with("\r\n\r\nbody")));
        assert!(get(port, "/").is_err_and(|error| error.contains("404")));
        server.join().expect("the server");
    }
}
