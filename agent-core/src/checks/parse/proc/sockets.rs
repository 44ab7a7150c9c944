//! `/proc/net/tcp`, `tcp6`, `udp`, `udp6` and `unix`: who listens where. (`proc_pid_net(5)`, the kernel's
//! `Documentation/networking/proc_net_tcp.rst` and `net/unix/af_unix.c`.)

use super::{Malformed, decimal, lines, number, text};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A TCP or UDP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InetSocket {
    /// Its own address.
    pub local: IpAddr,
    /// Its own port.
    pub local_port: u16,
    /// The other end's address; unspecified without one.
    pub remote: IpAddr,
    /// The other end's port; 0 without one.
    pub remote_port: u16,
    /// The state, in TCP's numbers: 1 is established, 7 closed (which is all that an unconnected UDP socket has),
    /// 10 listening.
    pub state: u8,
    /// The user that made it.
    pub uid: u32,
    /// The inode, as a descriptor of it is called: `socket:[INODE]`. 0 when no process has it any more.
    pub inode: u64,
}

impl InetSocket {
    /// Whether a TCP socket waits for connections.
    #[must_use]
    pub fn listens(&self) -> bool {
        const TCP_LISTEN: u8 = 10;
        self.state == TCP_LISTEN
    }

    /// Whether a UDP socket takes what anybody sends.
    #[must_use]
    pub fn is_unconnected(&self) -> bool {
        const TCP_CLOSE: u8 = 7;
        self.state == TCP_CLOSE
    }
}

/// The sockets of `/proc/net/{tcp,tcp6,udp,udp6}`; the width of the addresses says which family it is.
///
/// # Errors
/// Each line of its own: when it is not as the kernel writes it.
pub fn inet(bytes: &[u8]) -> impl Iterator<Item = Result<InetSocket, Malformed>> {
    let entries = lines(bytes).filter(|(line, content)| !is_header(*line, content, b"local_address"));
    entries.map(|(line, content)| inet_line(content).map_err(|field| Malformed { line, field }))
}

fn is_header(line: usize, content: &[u8], word: &[u8]) -> bool {
    line == 1 && super::words(content).any(|found| found == word)
}

fn inet_line(line: &[u8]) -> Result<InetSocket, &'static str> {
    // sl local remote st tx:rx tr:when retrnsmt uid timeout inode
    let mut words = super::words(line);
    words.next().ok_or("sl")?;
    let (local, local_port) = words.next().and_then(address).ok_or("local_address")?;
    let (remote, remote_port) = words.next().and_then(address).ok_or("rem_address")?;
    let state = words.next().and_then(|word| u8::try_from(number(word, 16)?).ok()).ok_or("st")?;
    let uid = words.nth(3).and_then(decimal).ok_or("uid")?;
    let inode = words.nth(1).and_then(decimal).ok_or("inode")?;
    Ok(InetSocket { local, local_port, remote, remote_port, state, uid, inode })
}

/// `0100007F:1538`: the address in 32-bit words of the machine's own byte order, the port as a number.
fn address(word: &[u8]) -> Option<(IpAddr, u16)> {
    let colon = memchr::memchr(b':', word)?;
    let (address, port) = (&word[..colon], u16::try_from(number(&word[colon + 1..], 16)?).ok()?);
    let quad = |digits: &[u8]| Some(u32::try_from(number(digits, 16)?).ok()?.to_ne_bytes());
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(quad(address)?)),
        32 => {
            let mut octets = [0; 16];
            for (bytes, digits) in octets.chunks_exact_mut(4).zip(address.chunks_exact(8)) {
                bytes.copy_from_slice(&quad(digits)?);
            }
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some((address, port))
}

/// A unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixSocket {
    /// What it is bound to; `None` when it is not bound.
    pub name: Option<UnixName>,
    /// Its type: 1 is a stream, 2 datagrams, 5 packets in sequence.
    pub kind: u16,
    /// Whether it waits for connections.
    pub listens: bool,
    /// The inode, as a descriptor of it is called: `socket:[INODE]`.
    pub inode: u64,
}

/// What a unix socket is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnixName {
    /// A file, as it was called when the socket was bound: relative to the process that did so, if not absolute.
    Path(String),
    /// No file: anybody in the network namespace can connect. Without the `@` that the kernel writes in front. (A
    /// file whose relative name begins with `@` looks the same.)
    Abstract(String),
}

/// The sockets of `/proc/net/unix`. The kernel writes names as they are: a name with a line feed is read as a name
/// that ends there, and what is behind it, if it looks like one, as a socket of its own. Whether an inode is a
/// process's is for `/proc/PID/fd` to say.
///
/// # Errors
/// Each line of its own: when it is not as the kernel writes it.
pub fn unix(bytes: &[u8]) -> impl Iterator<Item = Result<UnixSocket, Malformed>> {
    let entries = lines(bytes).filter(|(line, content)| !is_header(*line, content, b"RefCount"));
    entries.map(|(line, content)| unix_line(content).map_err(|field| Malformed { line, field }))
}

fn unix_line(line: &[u8]) -> Result<UnixSocket, &'static str> {
    /// `SO_ACCEPTCON`, of the kernel's `include/uapi/linux/net.h`.
    const ACCEPTS: u64 = 0x1_0000;
    let mut rest = line;
    // The columns, each ended by spaces; the name after the last has spaces of its own.
    let mut column = |name| {
        rest = rest.trim_ascii_start();
        let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        if word.is_empty() { Err(name) } else { Ok(word) }
    };
    column("Num")?;
    column("RefCount")?;
    column("Protocol")?;
    let flags = number(column("Flags")?, 16).ok_or("Flags")?;
    let kind = number(column("Type")?, 16).and_then(|kind| u16::try_from(kind).ok()).ok_or("Type")?;
    column("St")?;
    let inode = decimal(column("Inode")?).ok_or("Inode")?;
    let name = match rest.strip_prefix(b" ").unwrap_or_default() {
        [] => None,
        [b'@', name @ ..] => Some(UnixName::Abstract(text(name))),
        name => Some(UnixName::Path(text(name))),
    };
    Ok(UnixSocket { name, kind, listens: flags & ACCEPTS != 0, inode })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn tcp_of_both_families() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:170C 00000000:0000 0A 00000000:00000000 00:00000000 00000000 64055        0 16532 1 0000 100\n   \
            1: 0500A8C0:0016 0700A8C0:C350 01 00000000:00000000 02:0009C4D6 00000000     0        0 20000 4 0000 20\n";
        let found: Vec<_> = inet(text.as_bytes()).collect::<Result<_, _>>().expect("sockets");
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].local, found[0].local_port), (Ipv4Addr::LOCALHOST.into(), 5900));
        assert_eq!((found[0].listens(), found[0].uid, found[0].inode), (true, 64055, 16532));
        assert_eq!(found[1].remote, IpAddr::from([192, 168, 0, 7]));
        assert!(!found[1].listens());

        let text = "  sl  local_address                         remote_address                        st\n   \
            0: 00000000000000000000000001000000:4064 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 9 1 0 100\n";
        let found: Vec<_> = inet(text.as_bytes()).collect::<Result<_, _>>().expect("sockets");
        assert_eq!((found[0].local, found[0].local_port), (Ipv6Addr::LOCALHOST.into(), 16484));
    }

    #[test]
    fn udp_is_unconnected() {
        let text = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n \
            4711: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 77 2 0000 0\n";
        let found: Vec<_> = inet(text.as_bytes()).collect::<Result<_, _>>().expect("sockets");
        assert!(found[0].is_unconnected() && !found[0].listens() && found[0].local.is_unspecified());
    }

    #[test]
    fn unix_sockets_with_every_kind_of_name() {
        let text = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 22001 /run/q mp.sock\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 22002\n\
            0000000000000000: 00000002 00000000 00010000 0005 01    55 @abstract@\n";
        let found: Vec<_> = unix(text.as_bytes()).collect::<Result<_, _>>().expect("sockets");
        assert_eq!(found[0].name, Some(UnixName::Path("/run/q mp.sock".into())));
        assert!(found[0].listens && found[0].inode == 22001);
        assert!(found[1].name.is_none() && !found[1].listens);
        assert_eq!((found[2].name.clone(), found[2].kind), (Some(UnixName::Abstract("abstract@".into())), 5));
    }

    #[test]
    fn a_wrong_line_is_its_own_error_only() {
        let text = "0: 0100007F:170C 00000000:0000 0A 0:0 0:0 0 1 0 2\njunk\n0: 01:1 0:0 0A\n";
        let found: Vec<_> = inet(text.as_bytes()).collect();
        assert!(found[0].is_ok());
        assert_eq!(found[1], Err(Malformed { line: 2, field: "local_address" }));
        assert_eq!(found[2], Err(Malformed { line: 3, field: "local_address" }));
        assert_eq!(unix(b"a b c 10000 1 1\n").next(), Some(Err(Malformed { line: 1, field: "Inode" })));
    }

    #[test]
    fn this_machine_is_read() {
        for file in ["tcp", "tcp6", "udp", "udp6"] {
            let Ok(bytes) = std::fs::read(format!("/proc/net/{file}")) else { continue };
            assert!(inet(&bytes).all(|socket| socket.is_ok()), "{file}");
        }
        if let Ok(bytes) = std::fs::read("/proc/net/unix") {
            assert!(unix(&bytes).all(|socket| socket.is_ok()));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(inet(&bytes).count() <= bytes.len());
            prop_assert!(unix(&bytes).count() <= bytes.len());
            inet(&[b"0: 0100007F:170C ", &bytes[..]].concat()).for_each(drop);
            unix(&[b"0: 2 0 ", &bytes[..]].concat()).for_each(drop);
        }
    }
}
