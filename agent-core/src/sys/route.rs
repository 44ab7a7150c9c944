//! The host's links as rtnetlink tells them: what shapes their traffic, their addresses, and the virtual functions of a
//! network card. (rtnetlink(7), the kernel's `include/uapi/linux/{if_link,rtnetlink,pkt_sched}.h`.)

use super::dump::{attributes, dump};
use nix::sys::socket::SockProtocol;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of one table.
const BYTES_MAX: usize = 4 << 20;
const RTM_GETLINK: u16 = 18;
const RTM_GETADDR: u16 = 22;
const RTM_GETQDISC: u16 = 38;

/// What shapes the traffic of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qdisc {
    /// The link's number.
    pub link: i32,
    /// Its kind: `noqueue`, `fq_codel`, `tbf`.
    pub kind: String,
}

/// An address of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The link's number.
    pub link: i32,
    /// The address.
    pub ip: IpAddr,
}

/// A virtual function, as its physical one sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VirtualFunction {
    /// The physical function's link.
    pub link: i32,
    /// Its number.
    pub number: u32,
    /// Whether frames with a forged source are dropped.
    pub spoof_check: Option<bool>,
    /// Whether it may do what only the host should: change its MAC address, receive everything.
    pub trusted: Option<bool>,
    /// Whether the host chose its MAC address.
    pub mac_set: bool,
}

/// A port of a bridge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BridgePort {
    /// Its link.
    pub link: i32,
    /// Whether only addresses that were entered by hand may send; `None` before Linux 5.18.
    pub locked: Option<bool>,
    /// The VLANs that it takes part in, and of each whether untagged frames are of it.
    pub vlans: Vec<(u16, bool)>,
}

/// What shapes the traffic of every link of this thread's network namespace.
///
/// # Errors
/// The kernel's.
pub fn qdiscs() -> nix::Result<Vec<Qdisc>> {
    // `struct tcmsg`
    let messages = dump(SockProtocol::NetlinkRoute, RTM_GETQDISC, &[0; 20], BYTES_MAX)?;
    Ok(messages.iter().filter_map(|(_, message)| qdisc(message)).collect())
}

fn qdisc(message: &[u8]) -> Option<Qdisc> {
    const TCA_KIND: u16 = 1;
    let link = i32::from_ne_bytes(*message.get(4..)?.first_chunk()?);
    let (_, kind) = attributes(message.get(20..)?).find(|(kind, _)| *kind == TCA_KIND)?;
    let kind = String::from_utf8_lossy(kind.strip_suffix(&[0]).unwrap_or(kind)).into_owned();
    Some(Qdisc { link, kind })
}

/// The addresses of every link of this thread's network namespace.
///
/// # Errors
/// The kernel's.
pub fn addresses() -> nix::Result<Vec<Address>> {
    // `struct ifaddrmsg`
    let messages = dump(SockProtocol::NetlinkRoute, RTM_GETADDR, &[0; 8], BYTES_MAX)?;
    Ok(messages.iter().filter_map(|(_, message)| address(message)).collect())
}

fn address(message: &[u8]) -> Option<Address> {
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    let link = i32::from_ne_bytes(*message.get(4..)?.first_chunk()?);
    let told: Vec<(u16, &[u8])> = attributes(message.get(8..)?).collect();
    let of = |wanted| told.iter().find(|(kind, _)| *kind == wanted).map(|(_, bytes)| *bytes);
    // With a peer, the other one is the peer's.
    let bytes = of(IFA_LOCAL).or_else(|| of(IFA_ADDRESS))?;
    let ip = match bytes.len() {
        4 => IpAddr::V4(Ipv4Addr::from(*bytes.first_chunk::<4>()?)),
        16 => IpAddr::V6(Ipv6Addr::from(*bytes.first_chunk::<16>()?)),
        _ => return None,
    };
    Some(Address { link, ip })
}

/// The ports of every bridge.
///
/// # Errors
/// The kernel's.
pub fn bridge_ports() -> nix::Result<Vec<BridgePort>> {
    const RTEXT_FILTER_BRVLAN: u32 = 2;
    let family = u8::try_from(libc::AF_BRIDGE).unwrap_or_default();
    let messages =
        dump(SockProtocol::NetlinkRoute, RTM_GETLINK, &links(family, RTEXT_FILTER_BRVLAN), BYTES_MAX)?;
    Ok(messages.iter().filter_map(|(_, message)| bridge_port(message)).collect())
}

fn bridge_port(message: &[u8]) -> Option<BridgePort> {
    const IFLA_PROTINFO: u16 = 12;
    const IFLA_BRPORT_LOCKED: u16 = 39;
    const IFLA_AF_SPEC: u16 = 26;
    const IFLA_BRIDGE_VLAN_INFO: u16 = 2;
    const PVID: u16 = 2;
    let (link, body) = link_message(message)?;
    let mut port = BridgePort { link, ..BridgePort::default() };
    for (kind, part) in attributes(body) {
        for (inner, value) in attributes(part) {
            match (kind, inner) {
                (IFLA_PROTINFO, IFLA_BRPORT_LOCKED) => port.locked = value.first().map(|locked| *locked != 0),
                (IFLA_AF_SPEC, IFLA_BRIDGE_VLAN_INFO) => {
                    let flags = u16::from_ne_bytes(*value.first_chunk()?);
                    let vlan = u16::from_ne_bytes(*value.get(2..)?.first_chunk()?);
                    port.vlans.push((vlan, flags & PVID != 0));
                }
                _ => {}
            }
        }
    }
    Some(port)
}

/// `struct ifinfomsg`, and the attribute that asks for more about each link.
fn links(family: u8, mask: u32) -> Vec<u8> {
    const IFLA_EXT_MASK: u16 = 29;
    let mut request = vec![0; 16];
    request[0] = family;
    request.extend_from_slice(&8_u16.to_ne_bytes());
    request.extend_from_slice(&IFLA_EXT_MASK.to_ne_bytes());
    request.extend_from_slice(&mask.to_ne_bytes());
    request
}

/// The number of the link, and the attributes.
fn link_message(message: &[u8]) -> Option<(i32, &[u8])> {
    Some((i32::from_ne_bytes(*message.get(4..)?.first_chunk()?), message.get(16..)?))
}

/// The virtual functions of every network card.
///
/// # Errors
/// The kernel's.
pub fn virtual_functions() -> nix::Result<Vec<VirtualFunction>> {
    const RTEXT_FILTER_VF: u32 = 1;
    let messages = dump(SockProtocol::NetlinkRoute, RTM_GETLINK, &links(0, RTEXT_FILTER_VF), BYTES_MAX)?;
    Ok(messages.iter().flat_map(|(_, message)| functions(message)).collect())
}

fn functions(message: &[u8]) -> Vec<VirtualFunction> {
    const IFLA_VFINFO_LIST: u16 = 22;
    const IFLA_VF_INFO: u16 = 1;
    let Some((link, body)) = link_message(message) else { return Vec::new() };
    let lists = attributes(body).filter(|(kind, _)| *kind == IFLA_VFINFO_LIST);
    let each = lists.flat_map(|(_, list)| attributes(list)).filter(|(kind, _)| *kind == IFLA_VF_INFO);
    each.filter_map(|(_, info)| function(link, info)).collect()
}

/// `IFLA_VF_INFO`: each part begins with the function's number.
fn function(link: i32, info: &[u8]) -> Option<VirtualFunction> {
    const MAC: u16 = 1;
    const SPOOF_CHECK: u16 = 4;
    const TRUST: u16 = 9;
    let word = |bytes: &[u8], at: usize| Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
    // What the driver does not know it tells as all ones.
    let setting = |bytes: &[u8]| word(bytes, 4).filter(|value| *value != u32::MAX).map(|value| value != 0);
    let mut found = VirtualFunction { link, ..VirtualFunction::default() };
    let mut seen = false;
    for (kind, bytes) in attributes(info) {
        match kind {
            MAC => {
                found.number = word(bytes, 0)?;
                found.mac_set = bytes.get(4..10)?.iter().any(|byte| *byte != 0);
                seen = true;
            }
            SPOOF_CHECK => found.spoof_check = setting(bytes),
            TRUST => found.trusted = setting(bytes),
            _ => {}
        }
    }
    seen.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_has_its_address() {
        let found = addresses().expect("addresses");
        assert!(found.iter().any(|address| address.ip.is_loopback()), "{found:?}");
        assert!(qdiscs().is_ok() && virtual_functions().is_ok() && bridge_ports().is_ok());
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).expect("short");
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn virtual_functions_are_taken_apart() {
        let pair = |number: u32, value: u32| [number.to_ne_bytes(), value.to_ne_bytes()].concat();
        let mut mac = 3_u32.to_ne_bytes().to_vec();
        mac.extend([2, 0, 0, 0, 0, 1]);
        mac.resize(36, 0);
        let info = [attribute(1, &mac), attribute(4, &pair(3, 1)), attribute(9, &pair(3, u32::MAX))].concat();
        let list = attribute(0x8016, &attribute(0x8001, &info));
        let mut message = vec![0; 16];
        message[4] = 7;
        message.extend(list);
        let expected =
            VirtualFunction { link: 7, number: 3, spoof_check: Some(true), trusted: None, mac_set: true };
        assert_eq!(functions(&message), [expected]);
        for cut in 0..message.len() {
            let _ = (functions(&message[..cut]), bridge_port(&message[..cut]));
            let _ = (qdisc(&message[..cut]), address(&message[..cut]));
        }
    }
}
