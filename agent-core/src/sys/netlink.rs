//! The kernel's own announcements of devices (uevents), received without blocking.
//!
//! Any process may listen (`NETLINK_KOBJECT_UEVENT` is open to ordinary users), but any privileged process may also
//! send to the group: only messages whose sender has netlink port 0, which is the kernel, are passed on.
//! (netlink(7).)

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, setsockopt, socket, sockopt,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The multicast group the kernel sends to; udev's own messages go to group 2.
const GROUP_KERNEL: u32 = 1;
/// Room for bursts: a message takes well under 1 KiB, thus some 250 VMs starting in one instant.
const RECEIVE_BYTES: usize = 256 * 1024;

/// A socket on which the kernel announces devices.
#[derive(Debug)]
pub struct UeventSocket {
    socket: OwnedFd,
}

/// What one attempt to receive brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// A message from the kernel of so many bytes.
    Message(usize),
    /// A message from somebody else, thrown away.
    Foreign,
    /// Messages were lost because the socket's buffer was full: look for yourself.
    Overrun,
    /// Nothing waits.
    Empty,
}

impl UeventSocket {
    /// Opens the socket and joins the kernel's group.
    ///
    /// # Errors
    /// When netlink is not to be had: in some sandboxes, or by a seccomp filter.
    pub fn open() -> nix::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )?;
        // The larger buffer needs CAP_NET_ADMIN; the smaller one only loses messages sooner, which is noticed.
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BYTES).is_err() {
            let _ = setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BYTES);
        }
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUP_KERNEL))?;
        Ok(Self { socket })
    }

    /// Receives one message into `buffer`, if one waits. A message longer than the buffer is cut.
    pub fn receive(&self, buffer: &mut [u8]) -> Received {
        match recvfrom::<NetlinkAddr>(self.socket.as_raw_fd(), buffer) {
            Ok((length, Some(sender))) if sender.pid() == 0 => Received::Message(length.min(buffer.len())),
            Ok(_) | Err(Errno::EINTR) => Received::Foreign,
            Err(Errno::EAGAIN) => Received::Empty,
            Err(_) => Received::Overrun,
        }
    }
}

impl AsFd for UeventSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{MsgFlags, sendto};

    #[test]
    fn an_idle_socket_is_empty_and_never_blocks() {
        let socket = UeventSocket::open().expect("uevents");
        // Other devices may come and go meanwhile; what matters is that the call returns each time.
        for _ in 0..3 {
            let received = socket.receive(&mut [0; 4096]);
            assert!(matches!(received, Received::Empty | Received::Message(_)), "{received:?}");
        }
    }

    #[test]
    fn what_another_process_sends_is_thrown_away() {
        let socket = UeventSocket::open().expect("uevents");
        let own =
            nix::sys::socket::getsockname::<NetlinkAddr>(socket.as_fd().as_raw_fd()).expect("own address");
        let forger = UeventSocket::open().expect("uevents");
        let sent = sendto(forger.as_fd().as_raw_fd(), b"EVENT=create\0PID=1\0", &own, MsgFlags::empty());
        if sent.is_err() {
            // An ordinary user may not send at all, which is as good.
            return;
        }
        let mut buffer = [0; 4096];
        let foreign = (0..64).map(|_| socket.receive(&mut buffer)).take_while(|r| *r != Received::Empty);
        assert!(foreign.into_iter().any(|received| received == Received::Foreign));
    }
}
