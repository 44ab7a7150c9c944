//! What is wanted of the network stack's own counters.

use super::{Scale, Want, want};
use crate::sampling::metrics::host;

/// `/proc/net/netstat`. See `Documentation/networking/snmp_counter.rst`.
pub(in crate::sampling::host) const NETSTAT: &[Want] = &[
    want("TcpExt SyncookiesSent", host::TCP_SYN_COOKIES_SENT, Scale::One),
    want("TcpExt SyncookiesFailed", host::TCP_SYN_COOKIES_FAILED, Scale::One),
    want("TcpExt ListenOverflows", host::TCP_LISTEN_OVERFLOWS, Scale::One),
    want("TcpExt ListenDrops", host::TCP_LISTEN_DROPS, Scale::One),
    want("TcpExt PruneCalled", host::TCP_PRUNES, Scale::One),
    want("TcpExt RcvPruned", host::TCP_RECEIVE_PRUNED, Scale::One),
    want("TcpExt TCPBacklogDrop", host::TCP_BACKLOG_DROPS, Scale::One),
    want("TcpExt TCPRcvQDrop", host::TCP_RECEIVE_QUEUE_DROPS, Scale::One),
    want("TcpExt TCPZeroWindowDrop", host::TCP_ZERO_WINDOW_DROPS, Scale::One),
    want("TcpExt TCPOFOQueue", host::TCP_OUT_OF_ORDER, Scale::One),
    want("TcpExt TCPTimeouts", host::TCP_TIMEOUTS, Scale::One),
    want("TcpExt TCPLostRetransmit", host::TCP_RETRANSMITS_LOST, Scale::One),
    want("TcpExt TCPFastRetrans", host::TCP_RETRANSMITS_FAST, Scale::One),
    want("TcpExt TCPSynRetrans", host::TCP_SYN_RETRANSMITS, Scale::One),
    want("TcpExt TCPAbortOnMemory", host::TCP_ABORTS_MEMORY, Scale::One),
    want("TcpExt TCPAbortOnTimeout", host::TCP_ABORTS_TIMEOUT, Scale::One),
    want("TcpExt TCPAbortFailed", host::TCP_ABORTS_FAILED, Scale::One),
    want("TcpExt TCPMemoryPressures", host::TCP_MEMORY_PRESSURES, Scale::One),
    want("TcpExt TCPReqQFullDoCookies", host::TCP_REQUEST_QUEUE_COOKIES, Scale::One),
    want("TcpExt TCPReqQFullDrop", host::TCP_REQUEST_QUEUE_DROPS, Scale::One),
    want("TcpExt TCPTimeWaitOverflow", host::TCP_TIME_WAIT_OVERFLOWS, Scale::One),
    want("TcpExt TCPChallengeACK", host::TCP_CHALLENGE_ACKS, Scale::One),
    want("TcpExt TCPMD5Failure", host::TCP_MD5_FAILURES, Scale::One),
    want("TcpExt IPReversePathFilter", host::IP_REVERSE_PATH_DROPS, Scale::One),
    want("TcpExt PFMemallocDrop", host::IP_MEMORY_DROPS, Scale::One),
    want("IpExt InNoRoutes", host::IP_IN_NO_ROUTES, Scale::One),
    want("IpExt InCEPkts", host::IP_IN_CONGESTED, Scale::One),
    want("IpExt InOctets", host::IP_IN, Scale::One),
    want("IpExt OutOctets", host::IP_OUT, Scale::One),
];

/// `/proc/net/snmp`: RFC 1213 and RFC 4293.
pub(in crate::sampling::host) const SNMP: &[Want] = &[
    want("Ip InReceives", host::IP_IN_PACKETS, Scale::One),
    want("Ip InHdrErrors", host::IP_IN_HEADER_ERRORS, Scale::One),
    want("Ip InAddrErrors", host::IP_IN_ADDRESS_ERRORS, Scale::One),
    want("Ip ForwDatagrams", host::IP_FORWARDED, Scale::One),
    want("Ip InDiscards", host::IP_IN_DISCARDED, Scale::One),
    want("Ip OutRequests", host::IP_OUT_PACKETS, Scale::One),
    want("Ip OutDiscards", host::IP_OUT_DISCARDED, Scale::One),
    want("Ip OutNoRoutes", host::IP_OUT_NO_ROUTES, Scale::One),
    want("Ip ReasmFails", host::IP_REASSEMBLY_FAILED, Scale::One),
    want("Ip FragFails", host::IP_FRAGMENT_FAILED, Scale::One),
    want("Icmp InMsgs", host::ICMP_IN, Scale::One),
    want("Icmp InErrors", host::ICMP_IN_ERRORS, Scale::One),
    want("Icmp OutMsgs", host::ICMP_OUT, Scale::One),
    want("Tcp ActiveOpens", host::TCP_OPENED_ACTIVE, Scale::One),
    want("Tcp PassiveOpens", host::TCP_OPENED_PASSIVE, Scale::One),
    want("Tcp AttemptFails", host::TCP_ATTEMPTS_FAILED, Scale::One),
    want("Tcp EstabResets", host::TCP_RESETS, Scale::One),
    want("Tcp CurrEstab", host::TCP_ESTABLISHED, Scale::One),
    want("Tcp InSegs", host::TCP_IN_SEGMENTS, Scale::One),
    want("Tcp OutSegs", host::TCP_OUT_SEGMENTS, Scale::One),
    want("Tcp RetransSegs", host::TCP_RETRANSMITS, Scale::One),
    want("Tcp InErrs", host::TCP_IN_ERRORS, Scale::One),
    want("Tcp OutRsts", host::TCP_OUT_RESETS, Scale::One),
    want("Tcp InCsumErrors", host::TCP_CHECKSUM_ERRORS, Scale::One),
    want("Udp InDatagrams", host::UDP_IN, Scale::One),
    want("Udp NoPorts", host::UDP_NO_PORTS, Scale::One),
    want("Udp InErrors", host::UDP_IN_ERRORS, Scale::One),
    want("Udp OutDatagrams", host::UDP_OUT, Scale::One),
    want("Udp RcvbufErrors", host::UDP_RECEIVE_BUFFER_DROPS, Scale::One),
    want("Udp SndbufErrors", host::UDP_SEND_BUFFER_DROPS, Scale::One),
    want("Udp InCsumErrors", host::UDP_CHECKSUM_ERRORS, Scale::One),
];

/// `/proc/net/sockstat`.
pub(in crate::sampling::host) const SOCKSTAT: &[Want] = &[
    want("sockets used", host::SOCKETS, Scale::One),
    want("TCP inuse", host::TCP_SOCKETS, Scale::One),
    want("TCP orphan", host::TCP_SOCKETS_ORPHANED, Scale::One),
    want("TCP tw", host::TCP_SOCKETS_TIME_WAIT, Scale::One),
    want("TCP alloc", host::TCP_SOCKETS_ALLOCATED, Scale::One),
    want("TCP mem", host::TCP_MEMORY, Scale::Page),
    want("UDP inuse", host::UDP_SOCKETS, Scale::One),
    want("UDP mem", host::UDP_MEMORY, Scale::Page),
    want("RAW inuse", host::RAW_SOCKETS, Scale::One),
    want("FRAG inuse", host::IP_FRAGMENT_QUEUES, Scale::One),
    want("FRAG memory", host::IP_FRAGMENT_MEMORY, Scale::One),
];

/// `/proc/net/sockstat6`.
pub(in crate::sampling::host) const SOCKSTAT6: &[Want] = &[
    want("TCP6 inuse", host::TCP6_SOCKETS, Scale::One),
    want("UDP6 inuse", host::UDP6_SOCKETS, Scale::One),
    want("RAW6 inuse", host::RAW6_SOCKETS, Scale::One),
];

/// `/proc/net/stat/nf_conntrack`: a line a CPU, added up.
pub(in crate::sampling::host) const CONNTRACK: &[Want] = &[
    want("found", host::CONNTRACK_FOUND, Scale::One),
    want("invalid", host::CONNTRACK_INVALID, Scale::One),
    want("insert", host::CONNTRACK_INSERTED, Scale::One),
    want("insert_failed", host::CONNTRACK_INSERT_FAILED, Scale::One),
    want("drop", host::CONNTRACK_DROPPED, Scale::One),
    want("early_drop", host::CONNTRACK_EARLY_DROPPED, Scale::One),
    want("search_restart", host::CONNTRACK_SEARCH_RESTARTS, Scale::One),
    want("clashres", host::CONNTRACK_CLASHES_RESOLVED, Scale::One),
    want("chainlength", host::CONNTRACK_CHAINS_TOO_LONG, Scale::One),
];
