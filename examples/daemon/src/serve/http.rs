//! The smallest HTTP/1.1 that scrapers, probes and our own command line need: one GET, HEAD or POST a connection, nothing
//! kept (RFC 9110, RFC 9112).

use std::fmt::Write as _;

/// Longest request head taken; beyond it the answer is 431.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Longest body taken; beyond it the answer is 413.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// Most header fields taken; beyond them the answer is 431.
const HEADERS_MAX: usize = 64;
/// Where a streamed body stops growing before it is written out.
pub const CHUNK_BYTES: usize = 32 * 1024;

/// A request that makes sense.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// HEAD: the answer has no body.
    pub head_only: bool,
    /// The client speaks HTTP/1.0: no chunks.
    pub http_1_0: bool,
    /// The path, as sent, without the query.
    pub path: String,
    /// What follows the `?`; empty when there is none.
    pub query: String,
    /// The `Accept` field; empty when there is none.
    pub accept: String,
    /// POST: there is a body.
    pub is_post: bool,
    /// The body of a POST.
    pub body: Vec<u8>,
    /// Who asks; the server knows, the bytes do not.
    pub peer: Peer,
}

/// Who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Peer {
    /// Somebody over TCP.
    #[default]
    Tcp,
    /// A process of a user over a Unix socket, as the kernel says.
    Unix {
        /// The user.
        uid: u32,
    },
}

/// What the bytes of a connection are, so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// More must come.
    Incomplete,
    /// A whole request.
    Request(Request),
    /// Never a request: answer this and close.
    Refused(Status),
}

/// The statuses there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
#[expect(missing_docs, reason = "named as RFC 9110 names them")]
pub enum Status {
    Ok = 200,
    BadRequest = 400,
    Forbidden = 403,
    NotFound = 404,
    MethodNotAllowed = 405,
    RequestTimeout = 408,
    Conflict = 409,
    LengthRequired = 411,
    ContentTooLarge = 413,
    HeaderFieldsTooLarge = 431,
    ServiceUnavailable = 503,
    VersionNotSupported = 505,
}

impl Status {
    /// Every status, to count answers by.
    pub const ALL: [Self; 12] = [
        Self::Ok,
        Self::BadRequest,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::Conflict,
        Self::LengthRequired,
        Self::ContentTooLarge,
        Self::HeaderFieldsTooLarge,
        Self::ServiceUnavailable,
        Self::VersionNotSupported,
    ];

    const fn reason(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::BadRequest => "Bad Request",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "Not Found",
            Self::MethodNotAllowed => "Method Not Allowed",
            Self::RequestTimeout => "Request Timeout",
            Self::Conflict => "Conflict",
            Self::LengthRequired => "Length Required",
            Self::ContentTooLarge => "Content Too Large",
            Self::HeaderFieldsTooLarge => "Request Header Fields Too Large",
            Self::ServiceUnavailable => "Service Unavailable",
            Self::VersionNotSupported => "HTTP Version Not Supported",
        }
    }
}

/// Looks at what a client sent so far.
#[must_use]
pub fn parse(bytes: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length > HEAD_BYTES_MAX => {
            Parsed::Refused(Status::HeaderFieldsTooLarge)
        }
        Ok(httparse::Status::Complete(length)) => understand(&request, &bytes[length..]),
        Ok(httparse::Status::Partial) if bytes.len() >= HEAD_BYTES_MAX => {
            Parsed::Refused(Status::HeaderFieldsTooLarge)
        }
        Ok(httparse::Status::Partial) => Parsed::Incomplete,
        Err(httparse::Error::TooManyHeaders) => Parsed::Refused(Status::HeaderFieldsTooLarge),
        Err(httparse::Error::Version) => Parsed::Refused(Status::VersionNotSupported),
        Err(_) => Parsed::Refused(Status::BadRequest),
    }
}

fn understand(request: &httparse::Request<'_, '_>, behind: &[u8]) -> Parsed {
    let (head_only, is_post) = match request.method {
        Some("GET") => (false, false),
        Some("HEAD") => (true, false),
        Some("POST") => (false, true),
        _ => return Parsed::Refused(Status::MethodNotAllowed),
    };
    let length = if is_post { body_length(request) } else { Ok(0) };
    let body = match length {
        Ok(length) => match behind.get(..length) {
            Some(body) => body.to_vec(),
            None => return Parsed::Incomplete,
        },
        Err(status) => return Parsed::Refused(status),
    };
    let Some(target) = request.path else { return Parsed::Refused(Status::BadRequest) };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if !path.starts_with('/') {
        return Parsed::Refused(Status::BadRequest);
    }
    let mut accept = String::new();
    for header in request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("accept")) {
        let Ok(value) = std::str::from_utf8(header.value) else {
            return Parsed::Refused(Status::BadRequest);
        };
        if !accept.is_empty() {
            accept.push(',');
        }
        accept.push_str(value);
    }
    Parsed::Request(Request {
        head_only,
        http_1_0: request.version == Some(0),
        path: path.to_owned(),
        query: query.to_owned(),
        accept,
        is_post,
        body,
        peer: Peer::default(),
    })
}

/// How long the body is; chunks are not taken.
fn body_length(request: &httparse::Request<'_, '_>) -> Result<usize, Status> {
    let named = |name: &str| {
        let fields: Vec<_> =
            request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name)).collect();
        fields
    };
    if !named("transfer-encoding").is_empty() {
        return Err(Status::LengthRequired);
    }
    let [field] = named("content-length")[..] else {
        let is_missing = named("content-length").is_empty();
        return Err(if is_missing { Status::LengthRequired } else { Status::BadRequest });
    };
    let digits = std::str::from_utf8(field.value).map_err(|_| Status::BadRequest)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Status::BadRequest);
    }
    match digits.parse() {
        Ok(length) if length <= BODY_BYTES_MAX => Ok(length),
        _ => Err(Status::ContentTooLarge),
    }
}

/// A body that is made while it is sent, so that a thousand VMs need no more memory than one chunk.
pub trait Stream: Send {
    /// Appends about [`CHUNK_BYTES`]; `false` when this was the last.
    fn fill(&mut self, out: &mut Vec<u8>) -> bool;
}

/// What is sent after the head.
pub enum Body {
    /// All of it.
    Text(String),
    /// Made while it is sent.
    Stream(Box<dyn Stream>),
}

/// An answer.
pub struct Response {
    /// Its status.
    pub status: Status,
    /// Its media type.
    pub content_type: &'static str,
    /// Its body.
    pub body: Body,
}

impl Response {
    /// A line of text.
    #[must_use]
    pub fn text(status: Status, text: impl Into<String>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: Body::Text(text.into()) }
    }

    /// The answer to what never was a request.
    #[must_use]
    pub fn refusal(status: Status) -> Self {
        Self::text(status, format!("{}\n", status.reason()))
    }

    /// The head, and how the body goes out: the stream that is left to send, and whether in chunks.
    #[must_use]
    pub fn begin(self, request: &Request) -> (Vec<u8>, Option<Outgoing>) {
        let chunked = !request.http_1_0;
        let mut head = format!(
            "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
             Connection: close\r\n",
            self.status as u16,
            self.status.reason(),
            self.content_type
        );
        if self.status == Status::MethodNotAllowed {
            head.push_str("Allow: GET, HEAD, POST\r\n");
        }
        match self.body {
            Body::Text(text) => {
                let _ = write!(head, "Content-Length: {}\r\n\r\n", text.len());
                if !request.head_only {
                    head.push_str(&text);
                }
                (head.into_bytes(), None)
            }
            Body::Stream(stream) => {
                if chunked {
                    head.push_str("Transfer-Encoding: chunked\r\n");
                }
                head.push_str("\r\n");
                let outgoing =
                    (!request.head_only).then_some(Outgoing { stream, chunked, scratch: Vec::new() });
                (head.into_bytes(), outgoing)
            }
        }
    }
}

/// A streamed body on its way.
pub struct Outgoing {
    stream: Box<dyn Stream>,
    chunked: bool,
    scratch: Vec<u8>,
}

impl Outgoing {
    /// Appends the next piece, framed; `false` when this was the last.
    pub fn fill(&mut self, out: &mut Vec<u8>) -> bool {
        if !self.chunked {
            return self.stream.fill(out);
        }
        self.scratch.clear();
        let more = self.stream.fill(&mut self.scratch);
        if !self.scratch.is_empty() {
            out.extend_from_slice(format!("{:x}\r\n", self.scratch.len()).as_bytes());
            out.extend_from_slice(&self.scratch);
            out.extend_from_slice(b"\r\n");
        }
        if !more {
            out.extend_from_slice(b"0\r\n\r\n");
        }
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(text: &str) -> Parsed {
        parse(text.as_bytes())
    }

    #[test]
    fn a_get_is_understood() {
        let text =
            "GET /metrics?scope=vm HTTP/1.1\r\nHost: localhost\r\naccept: text/plain\r\nAccept: */*\r\n\r\n";
        let Parsed::Request(request) = request(text) else { panic!("not understood") };
        assert_eq!((request.path.as_str(), request.query.as_str()), ("/metrics", "scope=vm"));
        assert_eq!(request.accept, "text/plain,*/*");
        assert!(!request.head_only && !request.http_1_0);
    }

    #[test]
    fn what_is_no_request_is_refused_with_the_right_status() {
        assert_eq!(request("GET / HTTP/1.1\r\nHos"), Parsed::Incomplete);
        assert_eq!(request("DELETE / HTTP/1.1\r\n\r\n"), Parsed::Refused(Status::MethodNotAllowed));
        assert_eq!(request("GET / HTTP/3.0\r\n\r\n"), Parsed::Refused(Status::VersionNotSupported));
        assert_eq!(request("\x16\x03\x01\x02\x00"), Parsed::Refused(Status::BadRequest));
        assert_eq!(request("GET http://x/ HTTP/1.1\r\n\r\n"), Parsed::Refused(Status::BadRequest));
        let long = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(HEAD_BYTES_MAX));
        assert_eq!(request(&long), Parsed::Refused(Status::HeaderFieldsTooLarge));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: a\r\n".repeat(HEADERS_MAX + 1));
        assert_eq!(request(&many), Parsed::Refused(Status::HeaderFieldsTooLarge));
        assert_eq!(parse(b"GET / HTTP/1.1\r\nAccept: \xff\xfe\r\n\r\n"), Parsed::Refused(Status::BadRequest));
    }

    #[test]
    fn a_post_has_its_whole_body_or_is_refused() {
        let post = |fields: &str, body: &str| request(&format!("POST /x HTTP/1.1\r\n{fields}\r\n{body}"));
        let Parsed::Request(whole) = post("Content-Length: 2\r\n", "{}") else { panic!("not understood") };
        assert_eq!((whole.is_post, whole.body.as_slice()), (true, &b"{}"[..]));
        assert_eq!(post("Content-Length: 2\r\n", "{"), Parsed::Incomplete);
        for (fields, status) in [
            ("", Status::LengthRequired),
            ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", Status::LengthRequired),
            ("Content-Length: 1\r\nContent-Length: 2\r\n", Status::BadRequest),
            ("Content-Length: +1\r\n", Status::BadRequest),
            ("Content-Length: 99999999999999999999\r\n", Status::ContentTooLarge),
        ] {
            assert_eq!(post(fields, ""), Parsed::Refused(status), "{fields}");
        }
    }

    struct Letters(u8);

    impl Stream for Letters {
        fn fill(&mut self, out: &mut Vec<u8>) -> bool {
            out.push(b'a' + self.0);
            self.0 += 1;
            self.0 < 3
        }
    }

    fn whole(request: &Request) -> String {
        let body = Body::Stream(Box::new(Letters(0)));
        let response = Response { status: Status::Ok, content_type: "text/plain", body };
        let (mut bytes, mut outgoing) = response.begin(request);
        while outgoing.as_mut().is_some_and(|outgoing| outgoing.fill(&mut bytes)) {}
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_stream_is_chunked_for_1_1_plain_for_1_0_and_absent_for_head() {
        let chunked = whole(&Request::default());
        assert!(chunked.contains("Transfer-Encoding: chunked\r\n"));
        assert!(chunked.ends_with("\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"), "{chunked}");
        let plain = whole(&Request { http_1_0: true, ..Request::default() });
        assert!(!plain.contains("chunked") && plain.ends_with("\r\n\r\nabc"), "{plain}");
        assert!(whole(&Request { head_only: true, ..Request::default() }).ends_with("\r\n\r\n"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_one_way_or_the_other(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn a_request_is_understood_the_same_however_it_arrives(cut in 0_usize..60) {
            let text = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
            prop_assert!(matches!(parse(text), Parsed::Request(_)));
            prop_assert_eq!(parse(&text[..cut.min(text.len() - 1)]), Parsed::Incomplete);
        }
    }
}
