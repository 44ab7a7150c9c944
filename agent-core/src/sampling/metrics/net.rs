//! Metrics of one network device of the host.

super::metrics! { Net, "net", "NET";
    RECEIVE = 0, "receive_bytes", Counter, Bytes, NetDev, "2.6.0", "Bytes received.";
}
