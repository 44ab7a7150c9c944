//! One thread, one `poll`, a bounded number of connections, each with a deadline: a client that is slow, silent or
//! hostile costs its own connection and nothing else.

use super::http::{self, Outgoing, Parsed, Peer, Request, Response, Status};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Connections served at a time; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 16;
/// For the whole request head to arrive.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// For the whole answer to be taken.
const ANSWER_TIME: Duration = Duration::from_secs(20);
/// For the client to close its end after the answer, so that the answer is not reset away.
const LINGER_TIME: Duration = Duration::from_secs(1);

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// The answer to a request.
    fn answer(&self, request: &Request) -> Response;
    /// Counts an answer given, of whatever kind.
    fn count(&self, status: Status);
}

/// Where clients come in.
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket; its file is removed when this is dropped.
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Listens on a TCP address.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn tcp(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self::Tcp(listener))
    }

    /// Listens on a Unix socket that its owner and group may use. A file that nobody listens on any more is replaced,
    /// one that somebody listens on is not.
    ///
    /// # Errors
    /// As the kernel says; `AddrInUse` when another process listens there.
    pub fn unix(path: &Path) -> io::Result<Self> {
        if UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(ErrorKind::AddrInUse, "another process serves there"));
        }
        if std::fs::symlink_metadata(path)
            .is_ok_and(|found| std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()))
        {
            std::fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
        listener.set_nonblocking(true)?;
        Ok(Self::Unix(listener, path.to_owned()))
    }

    /// Where it listens, for people.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => {
                listener.local_addr().map_or_else(|_| "tcp".to_owned(), |address| format!("http://{address}"))
            }
            Self::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }

    fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Ok(Socket::Tcp(stream))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Ok(Socket::Unix(stream))
            }
        }
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener, _) => listener.as_fd(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Gone already: somebody tidied up before us.
            let _ = std::fs::remove_file(path);
        }
    }
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    /// One whose user the kernel does not tell is treated as one from outside.
    fn peer(&self) -> Peer {
        use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
        match self {
            Self::Tcp(_) => Peer::Tcp,
            Self::Unix(stream) => getsockopt(stream, PeerCredentials)
                .map_or(Peer::Tcp, |credentials| Peer::Unix { uid: credentials.uid() }),
        }
    }

    fn end_writing(&self) {
        // A client that closed first is no concern of ours.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(std::net::Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(std::net::Shutdown::Write),
        };
    }
}

enum Stage {
    /// The request's head comes in.
    Reading(Vec<u8>),
    /// The answer goes out: what is left of the piece at hand, and what makes the next.
    Writing { piece: Vec<u8>, written: usize, rest: Option<Outgoing> },
    /// The answer is out; the client's close is awaited.
    Lingering,
}

struct Connection {
    socket: Socket,
    stage: Stage,
    deadline: Instant,
}

/// Whether a connection goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Keep,
    Close,
}

/// The server: dropped, it stops.
pub struct Server {
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
    addresses: Vec<String>,
}

impl Server {
    /// Starts to serve.
    ///
    /// # Errors
    /// When no thread or descriptor can be had.
    pub fn start(listeners: Vec<Listener>, handler: Arc<dyn Handler>) -> io::Result<Self> {
        let stop = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let addresses = listeners.iter().map(Listener::address).collect();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("bartizan-http".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || serve(&listeners, &stopped, handler.as_ref()))?;
        Ok(Self { stop, thread: Some(thread), addresses })
    }

    /// Where it listens, for people.
    #[must_use]
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.write(1);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(listeners: &[Listener], stop: &EventFd, handler: &dyn Handler) {
    let mut connections: Vec<Connection> = Vec::with_capacity(CONNECTIONS_MAX);
    // After a failed accept (descriptors used up) listeners rest, so that the thread does not spin.
    let mut rest_until: Option<Instant> = None;
    loop {
        let now = Instant::now();
        rest_until = rest_until.filter(|until| *until > now);
        let listening = connections.len() < CONNECTIONS_MAX && rest_until.is_none();
        let first_connection = 1 + if listening { listeners.len() } else { 0 };
        let (stopping, ready) = {
            let mut fds = vec![PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
            if listening {
                fds.extend(listeners.iter().map(|l| PollFd::new(l.as_fd(), PollFlags::POLLIN)));
            }
            fds.extend(connections.iter().map(|c| PollFd::new(c.socket.as_fd(), c.interest())));
            let deadlines = connections.iter().map(|c| c.deadline).chain(rest_until);
            let timeout = deadlines.min().map_or(PollTimeout::NONE, |deadline| {
                let wait_ms = deadline.saturating_duration_since(now).as_millis() + 1;
                PollTimeout::try_from(wait_ms).unwrap_or(PollTimeout::MAX)
            });
            if poll(&mut fds, timeout).is_err_and(|errno| errno != nix::errno::Errno::EINTR) {
                return;
            }
            let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(true)).collect();
            (ready[0], ready)
        };
        if stopping {
            return;
        }
        let now = Instant::now();
        let mut index = 0;
        connections.retain_mut(|connection| {
            let ready = ready[first_connection + index];
            index += 1;
            connection.advance(ready, now, handler) == Next::Keep
        });
        if listening && !accept(listeners, &mut connections, now) {
            rest_until = Some(now + Duration::from_millis(200));
        }
    }
}

/// Takes in who waits, as far as there is room; `false` when the kernel has no descriptor left for it.
fn accept(listeners: &[Listener], connections: &mut Vec<Connection>, now: Instant) -> bool {
    for listener in listeners {
        while connections.len() < CONNECTIONS_MAX {
            match listener.accept() {
                Ok(socket) => connections.push(Connection {
                    socket,
                    stage: Stage::Reading(Vec::new()),
                    deadline: now + REQUEST_TIME,
                }),
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
    }
    true
}

impl Connection {
    fn interest(&self) -> PollFlags {
        match self.stage {
            Stage::Reading(_) | Stage::Lingering => PollFlags::POLLIN,
            Stage::Writing { .. } => PollFlags::POLLOUT,
        }
    }

    fn advance(&mut self, ready: bool, now: Instant, handler: &dyn Handler) -> Next {
        if now >= self.deadline {
            return self.expire(now, handler);
        }
        if !ready {
            return Next::Keep;
        }
        match self.step(now, handler) {
            Ok(next) => next,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Next::Keep
            }
            Err(_) => Next::Close,
        }
    }

    /// The time is up: a client that never finished its request is told so, once.
    fn expire(&mut self, now: Instant, handler: &dyn Handler) -> Next {
        if !matches!(self.stage, Stage::Reading(_)) {
            return Next::Close;
        }
        self.answer(Response::refusal(Status::RequestTimeout), &Request::default(), now, handler);
        self.deadline = now + LINGER_TIME;
        Next::Keep
    }

    fn step(&mut self, now: Instant, handler: &dyn Handler) -> io::Result<Next> {
        match &mut self.stage {
            Stage::Reading(head) => {
                let mut buffer = [0; 2048];
                let count = self.socket.read(&mut buffer)?;
                if count == 0 {
                    return Ok(Next::Close);
                }
                head.extend_from_slice(&buffer[..count]);
                match http::parse(head) {
                    Parsed::Incomplete => {}
                    Parsed::Request(mut request) => {
                        request.peer = self.socket.peer();
                        let response = handler.answer(&request);
                        self.answer(response, &request, now, handler);
                    }
                    Parsed::Refused(status) => {
                        self.answer(Response::refusal(status), &Request::default(), now, handler);
                    }
                }
                Ok(Next::Keep)
            }
            Stage::Writing { piece, written, rest } => {
                if *written < piece.len() {
                    *written += self.socket.write(&piece[*written..])?;
                    return Ok(Next::Keep);
                }
                if let Some(outgoing) = rest {
                    piece.clear();
                    *written = 0;
                    if !outgoing.fill(piece) {
                        *rest = None;
                    }
                    return Ok(Next::Keep);
                }
                self.socket.end_writing();
                self.stage = Stage::Lingering;
                self.deadline = now + LINGER_TIME;
                Ok(Next::Keep)
            }
            Stage::Lingering => {
                let mut ignored = [0; 1024];
                Ok(if self.socket.read(&mut ignored)? == 0 { Next::Close } else { Next::Keep })
            }
        }
    }

    fn answer(&mut self, response: Response, request: &Request, now: Instant, handler: &dyn Handler) {
        handler.count(response.status);
        let (piece, rest) = response.begin(request);
        self.stage = Stage::Writing { piece, written: 0, rest };
        self.deadline = now + ANSWER_TIME;
    }
}
