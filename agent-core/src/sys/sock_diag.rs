//! Sockets that wait for connections, as `NETLINK_SOCK_DIAG` tells them: without the walk over every connection that
//! `/proc/net/tcp` costs. (`sock_diag(7)`.)
//!
//! Asking has the kernel load `tcp_diag` or `unix_diag` where they are modules, as ss(8) does.

use super::dump::{attributes, dump};
use nix::sys::socket::SockProtocol;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// Listening sockets alone: the bit of `TCP_LISTEN`, which unix sockets use too.
const LISTENING: u32 = 1 << 10;
/// Bytes of one table: some 10,000 sockets.
const BYTES_MAX: usize = 1 << 20;

/// A TCP socket that waits for connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpListener {
    /// Where.
    pub address: SocketAddr,
    /// The user that made it.
    pub uid: u32,
    /// Its inode, as descriptors of it are named.
    pub inode: u64,
}

/// A unix socket that waits for connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixListener {
    /// Its name as bound; an abstract one begins with a zero byte. Empty when it has none.
    pub name: Vec<u8>,
    /// Its inode, as descriptors of it are named.
    pub inode: u64,
    /// The inode of the file it is bound to.
    pub file_inode: Option<u64>,
}

/// The TCP sockets that wait for connections in this thread's network namespace.
///
/// # Errors
/// When the kernel does not tell, or there are more than some 10,000.
pub fn tcp_listeners() -> nix::Result<Vec<TcpListener>> {
    /// `struct inet_diag_req_v2`: family, protocol, extensions, padding, states, and 48 bytes of a socket's identity.
    const REQUEST_BYTES: usize = 56;
    let mut found = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let mut request = [0; REQUEST_BYTES];
        request[0] = u8::try_from(family).unwrap_or_default();
        request[1] = u8::try_from(libc::IPPROTO_TCP).unwrap_or_default();
        request[4..8].copy_from_slice(&LISTENING.to_ne_bytes());
        let messages = dump(SockProtocol::NetlinkSockDiag, BY_FAMILY, &request, BYTES_MAX)?;
        found.extend(messages.iter().filter_map(|(_, message)| tcp(message)));
    }
    Ok(found)
}

/// `struct inet_diag_msg`.
fn tcp(message: &[u8]) -> Option<TcpListener> {
    let port = u16::from_be_bytes(*message.get(4..)?.first_chunk()?);
    let ip = match i32::from(*message.first()?) {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::from(*message.get(8..)?.first_chunk::<4>()?)),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(*message.get(8..)?.first_chunk::<16>()?)),
        _ => return None,
    };
    let uid = u32::from_ne_bytes(*message.get(64..)?.first_chunk()?);
    let inode = u32::from_ne_bytes(*message.get(68..)?.first_chunk()?);
    Some(TcpListener { address: SocketAddr::new(ip, port), uid, inode: u64::from(inode) })
}

/// The unix sockets that wait for connections in this thread's network namespace.
///
/// # Errors
/// When the kernel does not tell, or there are more than some 10,000.
pub fn unix_listeners() -> nix::Result<Vec<UnixListener>> {
    /// `UDIAG_SHOW_NAME | UDIAG_SHOW_VFS`.
    const SHOW: u32 = 0x1 | 0x2;
    /// `struct unix_diag_req`: family, protocol, padding, states, inode, what to show, and 8 bytes of a cookie.
    const REQUEST_BYTES: usize = 24;
    let mut request = [0; REQUEST_BYTES];
    request[0] = u8::try_from(libc::AF_UNIX).unwrap_or_default();
    request[4..8].copy_from_slice(&LISTENING.to_ne_bytes());
    request[12..16].copy_from_slice(&SHOW.to_ne_bytes());
    let messages = dump(SockProtocol::NetlinkSockDiag, BY_FAMILY, &request, BYTES_MAX)?;
    Ok(messages.iter().filter_map(|(_, message)| unix(message)).collect())
}

/// `struct unix_diag_msg` with `UNIX_DIAG_NAME` and `UNIX_DIAG_VFS`.
fn unix(message: &[u8]) -> Option<UnixListener> {
    const HEADER_BYTES: usize = 16;
    const NAME: u16 = 0;
    const VFS: u16 = 1;
    let inode = u32::from_ne_bytes(*message.get(4..)?.first_chunk()?);
    let mut found = UnixListener { name: Vec::new(), inode: u64::from(inode), file_inode: None };
    for (kind, value) in attributes(message.get(HEADER_BYTES..)?) {
        match kind {
            // The name of a file may be told with the zero byte that ends it.
            NAME if value.first() != Some(&0) => {
                found.name = value.strip_suffix(&[0]).unwrap_or(value).to_vec();
            }
            NAME => found.name = value.to_vec(),
            VFS => found.file_inode = value.first_chunk().map(|inode| u64::from(u32::from_ne_bytes(*inode))),
            _ => {}
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn own_listeners_are_found_and_connections_are_not() {
        let four = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
        let six = std::net::TcpListener::bind("[::1]:0");
        let address = four.local_addr().expect("an address");
        let connected = std::net::TcpStream::connect(address).expect("a connection");
        let Ok(found) = tcp_listeners() else { return };
        assert_eq!(found.iter().filter(|socket| socket.address == address).count(), 1);
        assert!(!found.iter().any(|socket| Ok(socket.address) == connected.local_addr().map_err(|_| ())));
        if let Ok(six) = six {
            assert!(found.iter().any(|socket| socket.address == six.local_addr().expect("an address")));
        }
    }

    #[test]
    fn unix_listeners_have_their_names_and_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        let _bound = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
        let name = format!("bartizan-test-{}", std::process::id());
        let abstract_name = std::os::unix::net::SocketAddr::from_abstract_name(&name).expect("a name");
        let _abstract = std::os::unix::net::UnixListener::bind_addr(&abstract_name).expect("a socket");
        let Ok(found) = unix_listeners() else { return };
        let bytes = path.to_str().expect("a path").as_bytes();
        let file = found.iter().find(|socket| socket.name == bytes).expect("the socket");
        assert_eq!(file.file_inode, Some(std::fs::metadata(&path).expect("the file").ino() & 0xffff_ffff));
        assert!(found.iter().any(|socket| socket.name == format!("\0{name}").as_bytes()));
    }

    #[test]
    fn messages_that_are_cut_are_nobody() {
        for length in 0..72 {
            assert_eq!(tcp(&vec![2; length]), None);
        }
        assert_eq!(unix(&[1; 15]), None);
    }
}
