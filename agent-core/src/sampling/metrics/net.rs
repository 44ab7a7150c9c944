//! Metrics of one network device of the host.

super::metrics! { Net, "net", "NET";
    RECEIVE = 0, "receive_bytes", Counter, Bytes, NetDev, "2.6.0", "Bytes received.";
    RECEIVE_PACKETS = 1, "receive_packets", Counter, Count, NetDev, "2.6.0", "Packets received.";
    RECEIVE_ERRORS = 2, "receive_errors", Counter, Count, NetDev, "2.6.0", "Packets not received because of an error.";
    RECEIVE_DROPS = 3, "receive_drops", Counter, Count, NetDev, "2.6.0", "Packets dropped that were to be received.";
    RECEIVE_FIFO_ERRORS = 4, "receive_fifo_errors", Counter, Count, NetDev, "2.6.0", "Errors of the device's queue.";
    RECEIVE_FRAME_ERRORS = 5, "receive_frame_errors", Counter, Count, NetDev, "2.6.0", "Packets with a bad frame: length, checksum or alignment.";
    RECEIVE_COMPRESSED = 6, "receive_compressed", Counter, Count, NetDev, "2.6.0", "Compressed packets received.";
    RECEIVE_MULTICAST = 7, "receive_multicast", Counter, Count, NetDev, "2.6.0", "Multicast packets received.";
    TRANSMIT = 8, "transmit_bytes", Counter, Bytes, NetDev, "2.6.0", "Bytes sent.";
    TRANSMIT_PACKETS = 9, "transmit_packets", Counter, Count, NetDev, "2.6.0", "Packets sent.";
    TRANSMIT_ERRORS = 10, "transmit_errors", Counter, Count, NetDev, "2.6.0", "Packets not sent because of an error.";
    TRANSMIT_DROPS = 11, "transmit_drops", Counter, Count, NetDev, "2.6.0", "Packets dropped that were to be sent.";
    TRANSMIT_FIFO_ERRORS = 12, "transmit_fifo_errors", Counter, Count, NetDev, "2.6.0", "Errors of the device's queue.";
    TRANSMIT_COLLISIONS = 13, "transmit_collisions", Counter, Count, NetDev, "2.6.0", "Collisions.";
    TRANSMIT_CARRIER_ERRORS = 14, "transmit_carrier_errors", Counter, Count, NetDev, "2.6.0", "Losses of carrier and other errors of the line.";
    TRANSMIT_COMPRESSED = 15, "transmit_compressed", Counter, Count, NetDev, "2.6.0", "Compressed packets sent.";
}
