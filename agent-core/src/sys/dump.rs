//! Asks the kernel for a whole table over netlink (`NLM_F_DUMP`): sockets, links, packet filter chains. (netlink(7).)
//!
//! The kernel answers while the question is sent and while answers are taken, so nothing here waits: an answer that is
//! not there at once never comes.

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recvfrom, sendto, socket,
};
use std::os::fd::AsRawFd;

/// One answer's buffer: the kernel fills what it is given, up to 32 KiB.
const BUFFER_BYTES: usize = 32 * 1024;
/// Bytes of a message's header.
const HEADER_BYTES: usize = 16;
/// The kernel says so when the table changed while it was told.
const ATTEMPTS: usize = 3;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_DUMP: u16 = 0x300;

/// The messages of one table: the type of each, and what it holds.
pub type Messages = Vec<(u16, Vec<u8>)>;

/// Asks for a table, of at most `bytes_max` bytes.
///
/// # Errors
/// The kernel's own; `EMSGSIZE` when the table is larger, `EINTR` when it changed each time it was asked for, `EBADMSG`
/// when an answer makes no sense.
pub fn dump(protocol: SockProtocol, kind: u16, body: &[u8], bytes_max: usize) -> nix::Result<Messages> {
    let length = u32::try_from(HEADER_BYTES + body.len()).map_err(|_| Errno::EMSGSIZE)?;
    let mut request = Vec::with_capacity(HEADER_BYTES + body.len());
    request.extend_from_slice(&length.to_ne_bytes());
    request.extend_from_slice(&kind.to_ne_bytes());
    request.extend_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    // A sequence number and a port: one question is asked, so neither tells anything.
    request.extend_from_slice(&[0; 8]);
    request.extend_from_slice(body);
    let answer = ask(protocol, &request, bytes_max)?;
    let (mut messages, mut rest) = (Messages::new(), answer.as_slice());
    while !rest.is_empty() {
        let (kind, _, payload, after) = message(rest).ok_or(Errno::EBADMSG)?;
        if kind != NLMSG_DONE {
            messages.push((kind, payload.to_vec()));
        }
        rest = after;
    }
    Ok(messages)
}

/// Sends a request for a table and gives the answers as they came, the message that ends them included.
///
/// # Errors
/// See [`dump`].
pub fn ask(protocol: SockProtocol, request: &[u8], bytes_max: usize) -> nix::Result<Vec<u8>> {
    let mut result = Err(Errno::EINTR);
    for _ in 0..ATTEMPTS {
        result = once(protocol, request, bytes_max);
        if result != Err(Errno::EINTR) {
            break;
        }
    }
    result
}

fn once(protocol: SockProtocol, request: &[u8], bytes_max: usize) -> nix::Result<Vec<u8>> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
    sendto(socket.as_raw_fd(), request, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut answer, mut interrupted) = (Vec::new(), false);
    loop {
        let (length, sender) = recvfrom::<NetlinkAddr>(socket.as_raw_fd(), &mut buffer)?;
        if sender.is_none_or(|sender| sender.pid() != 0) {
            continue;
        }
        let datagram = &buffer[..length.min(buffer.len())];
        if datagram.is_empty() {
            return Err(Errno::EBADMSG);
        }
        if answer.len() + datagram.len() > bytes_max {
            return Err(Errno::EMSGSIZE);
        }
        answer.extend_from_slice(datagram);
        let mut rest = datagram;
        while !rest.is_empty() {
            let (kind, flags, payload, after) = message(rest).ok_or(Errno::EBADMSG)?;
            interrupted |= flags & NLM_F_DUMP_INTR != 0;
            if kind == NLMSG_DONE || kind == NLMSG_ERROR {
                let code = payload.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                return match (code, interrupted) {
                    (0, true) => Err(Errno::EINTR),
                    (0, false) => Ok(answer),
                    (code, _) => Err(Errno::from_raw(code.saturating_neg())),
                };
            }
            rest = after;
        }
    }
}

/// Type, flags and payload of the first message, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk()?)).ok()?;
    let payload = bytes.get(HEADER_BYTES..length)?;
    let kind = u16::from_ne_bytes(*bytes[4..].first_chunk()?);
    let flags = u16::from_ne_bytes(*bytes[6..].first_chunk()?);
    let after = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, flags, payload, after))
}

/// The attributes of a message: the type of each without its flags, and its bytes. What is cut off is not there.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    /// `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
    const FLAGS: u16 = 0xc000;
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?);
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & !FLAGS, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTM_GETLINK: u16 = 18;
    const IFLA_IFNAME: u16 = 3;

    #[test]
    fn links_are_told_and_the_loopback_is_among_them() {
        let links = dump(SockProtocol::NetlinkRoute, RTM_GETLINK, &[0; 16], 1 << 20).expect("links");
        let named_lo = |link: &[u8]| {
            attributes(&link[16..]).any(|(kind, value)| kind == IFLA_IFNAME && value == b"lo\0")
        };
        assert!(links.iter().any(|(_, link)| named_lo(link)));
        let small = dump(SockProtocol::NetlinkRoute, RTM_GETLINK, &[0; 16], 10);
        assert_eq!(small, Err(Errno::EMSGSIZE), "no table is half told");
    }

    #[test]
    fn a_question_the_kernel_does_not_know_is_its_error() {
        assert!(dump(SockProtocol::NetlinkRoute, 4_000, &[0; 16], 1 << 20).is_err());
    }

    #[test]
    fn messages_that_are_cut_or_empty_are_no_messages() {
        assert_eq!(message(&[]), None);
        assert_eq!(message(&[0; 16]), None, "a length of nothing would never end");
        assert_eq!(message(&[64, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(attributes(&[3, 0, 0, 0]).count(), 0);
        assert_eq!(attributes(&[5, 0, 1, 0x80, 7]).collect::<Vec<_>>(), [(1, &[7][..])]);
    }
}
