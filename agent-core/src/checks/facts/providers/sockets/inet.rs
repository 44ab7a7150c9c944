//! TCP and UDP sockets that take from anybody.

use crate::checks::fact::Unavailable;
use crate::checks::facts::Gather;
use crate::checks::parse::proc::sockets::{InetSocket, inet};
use crate::sys::sock_diag;
use std::net::SocketAddr;
use std::sync::Arc;

/// Bytes of `/proc/net/tcp`: some 100,000 connections.
pub(super) const TABLE_BYTES_MAX: usize = 16 << 20;

/// A socket that takes from anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checks::facts::providers) struct Listener {
    /// Where.
    pub(in crate::checks::facts::providers) address: SocketAddr,
    /// The user that made it.
    pub(super) uid: u32,
    /// The inode, as descriptors of it are named.
    pub(super) inode: u64,
}

type Listeners = Result<Arc<Vec<Listener>>, Unavailable>;

/// TCP on the host.
pub(super) fn tcp(gather: &Gather) -> Listeners {
    let told = gather.memo("tcp listeners", |gather| {
        let told = if gather.host().is_live() { sock_diag::tcp_listeners().ok() } else { None };
        match told {
            Some(sockets) => Ok(Arc::new(sockets.into_iter().map(Listener::from).collect())),
            None => text(gather, "/proc/net", &["tcp", "tcp6"], InetSocket::listens).map(Arc::new),
        }
    });
    (*told).clone()
}

/// UDP on the host: the kernel's table holds few sockets, and its text is as cheap as asking.
pub(super) fn udp(gather: &Gather) -> Listeners {
    let told = gather.memo("udp listeners", |gather| {
        text(gather, "/proc/net", &["udp", "udp6"], InetSocket::is_unconnected).map(Arc::new)
    });
    (*told).clone()
}

/// The sockets of some tables in a folder. The second is not there when IPv6 is off.
pub(super) fn text(
    gather: &Gather,
    folder: &str,
    tables: &[&str],
    counts: impl Fn(&InetSocket) -> bool,
) -> Result<Vec<Listener>, Unavailable> {
    let mut found = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        let path = format!("{folder}/{table}");
        let bytes = match gather.read(&path, TABLE_BYTES_MAX) {
            Ok(content) => content.bytes,
            Err(Unavailable::Absent) if index > 0 => continue,
            Err(Unavailable::Absent) => {
                return Err(Unavailable::NotExposed(format!("{path} is not there, or was not recorded")));
            }
            Err(why) => return Err(why),
        };
        for socket in inet(&bytes) {
            let socket = socket.map_err(|wrong| Unavailable::Malformed(format!("{path}: {wrong}")))?;
            if counts(&socket) {
                found.push(Listener::from(&socket));
            }
        }
    }
    Ok(found)
}

impl From<&InetSocket> for Listener {
    fn from(socket: &InetSocket) -> Self {
        let address = SocketAddr::new(socket.local, socket.local_port);
        Self { address, uid: socket.uid, inode: socket.inode }
    }
}

impl From<sock_diag::TcpListener> for Listener {
    fn from(socket: sock_diag::TcpListener) -> Self {
        Self { address: socket.address, uid: socket.uid, inode: socket.inode }
    }
}
