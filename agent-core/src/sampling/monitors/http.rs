//! A few `GET`s over one connection, as a state machine: bytes in, bytes out, no sockets.
//!
//! Spoken with the API sockets of Firecracker and Cloud Hypervisor. Nothing but `GET` is ever sent, so nothing is
//! ever changed.

use super::failure::Failure;

/// The longest head of a response.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The longest body.
const BODY_BYTES_MAX: usize = 256 * 1024;
const HEADERS_MAX: usize = 32;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// One conversation.
pub(super) struct Gets {
    paths: &'static [&'static str],
    answers: Vec<Answer>,
    buffer: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Gets {
    pub(super) fn new(paths: &'static [&'static str]) -> Self {
        let mut gets = Self { paths, answers: Vec::new(), buffer: Vec::new(), outgoing: Vec::new() };
        gets.ask();
        gets
    }

    /// Takes what the peer sent. `true` when everything was answered.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        self.buffer.extend_from_slice(bytes);
        while self.answers.len() < self.paths.len() {
            let Some((answer, length)) = answer(&self.buffer)? else { return Ok(false) };
            self.buffer.drain(..length);
            self.answers.push(answer);
            self.ask();
        }
        Ok(true)
    }

    /// What is to be sent; the caller removes what it sent.
    pub(super) fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.outgoing
    }

    /// The answers, in the order of the paths.
    pub(super) fn into_answers(self) -> Vec<Answer> {
        self.answers
    }

    /// What the peer was last waited for.
    pub(super) fn waits_for(&self) -> &'static str {
        self.paths.get(self.answers.len()).copied().unwrap_or("nothing")
    }

    fn ask(&mut self) {
        if let Some(path) = self.paths.get(self.answers.len()) {
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n");
            self.outgoing.extend_from_slice(request.as_bytes());
        }
    }
}

/// The answer at the beginning of the bytes, and how long it is; `None` when it is not complete.
fn answer(bytes: &[u8]) -> Result<Option<(Answer, usize)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let head_length = match head.parse(&bytes[..bytes.len().min(HEAD_BYTES_MAX)]) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => return Ok(None),
        Ok(httparse::Status::Partial) => {
            return Err(Failure::garbage(format!("it sent a head of more than {HEAD_BYTES_MAX} bytes")));
        }
        Err(error) => return Err(Failure::garbage(format!("it sent no HTTP response: {error}"))),
    };
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| String::from_utf8_lossy(header.value).trim().to_owned())
    };
    if let Some(coding) = header("transfer-encoding") {
        return Err(Failure::garbage(format!(
            "it sent the transfer coding {coding:?}, which its API never does"
        )));
    }
    let body_length = match header("content-length") {
        None => 0,
        Some(length) => match length.parse::<usize>() {
            Ok(length) if length <= BODY_BYTES_MAX => length,
            _ => {
                return Err(Failure::garbage(format!(
                    "it announced a body of {length:?} bytes; at most {BODY_BYTES_MAX} are taken"
                )));
            }
        },
    };
    let length = head_length + body_length;
    let Some(body) = bytes.get(head_length..length) else { return Ok(None) };
    Ok(Some((Answer { status: head.code.unwrap_or(0), body: body.to_vec() }, length)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PATHS: &[&str] = &["/a", "/b"];
    const ANSWERS: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{ }HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n";

    #[test]
    fn answers_come_in_order_and_only_get_is_sent() {
        let mut gets = Gets::new(PATHS);
        assert_eq!(gets.waits_for(), "/a");
        assert_eq!(gets.receive(ANSWERS), Ok(true));
        let sent = String::from_utf8(gets.outgoing().clone()).unwrap();
        assert_eq!(sent.matches("GET /").count(), 2);
        assert_eq!(sent.matches("HTTP/1.1\r\n").count(), 2);
        let answers = gets.into_answers();
        assert_eq!(answers[0], Answer { status: 200, body: b"{ }".to_vec() });
        assert_eq!(answers[1], Answer { status: 204, body: Vec::new() });
    }

    #[test]
    fn lies_and_noise_are_refused() {
        for bytes in [
            &b"SSH-2.0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert!(Gets::new(PATHS).receive(bytes).is_err(), "{bytes:?}");
        }
        let mut endless = Gets::new(PATHS);
        assert_eq!(endless.receive(b"HTTP/1.1 200 OK\r\nX: "), Ok(false));
        let refused = (0..64).find_map(|_| endless.receive(&[b'x'; 1_024]).err());
        assert!(refused.unwrap().reason.contains("head"));
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same_answers(cuts in prop::collection::vec(1usize..40, 1..20)) {
            let mut gets = Gets::new(PATHS);
            let mut rest = ANSWERS;
            let mut done = false;
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, left) = rest.split_at((*cut).min(rest.len()));
                done = gets.receive(piece).unwrap();
                rest = left;
            }
            prop_assert!(done);
            prop_assert_eq!(gets.into_answers()[0].body.len(), 3);
        }

        #[test]
        fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let _ = Gets::new(PATHS).receive(&bytes);
        }
    }
}
