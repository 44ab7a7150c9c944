//! Metrics of one network interface of a VM, counted on its tap. Directions are the host's: what the tap receives,
//! the guest sent.

super::metrics! { VmNet, "vmnet", "VMNET";
    RECEIVE = 0, "receive_bytes", Counter, Bytes, Tap, "2.6.0", "Bytes the tap received, that is, the guest sent.";
    TRANSMIT = 1, "transmit_bytes", Counter, Bytes, Tap, "2.6.0", "Bytes the tap transmitted, that is, the guest received.";
    RECEIVE_PACKETS = 2, "receive_packets", Counter, Count, Tap, "2.6.0", "Packets the tap received, that is, the guest sent.";
    TRANSMIT_PACKETS = 3, "transmit_packets", Counter, Count, Tap, "2.6.0", "Packets the tap transmitted, that is, the guest received.";
    RECEIVE_ERRORS = 4, "receive_errors", Counter, Count, Tap, "2.6.0", "Packets from the guest that were faulty.";
    TRANSMIT_ERRORS = 5, "transmit_errors", Counter, Count, Tap, "2.6.0", "Packets for the guest that could not be transmitted because of an error.";
    RECEIVE_DROPS = 6, "receive_drops", Counter, Count, Tap, "2.6.0", "Packets from the guest that the host dropped.";
    TRANSMIT_DROPS = 7, "transmit_drops", Counter, Count, Tap, "2.6.0", "Packets for the guest that were dropped: the guest does not empty its receive queue fast enough.";
    RECEIVE_OVERRUNS = 8, "receive_overruns", Counter, Count, Tap, "2.6.0", "Packets from the guest lost to a full FIFO.";
    TRANSMIT_OVERRUNS = 9, "transmit_overruns", Counter, Count, Tap, "2.6.0", "Packets for the guest lost to a full FIFO.";
    RECEIVE_FRAME_ERRORS = 10, "receive_frame_errors", Counter, Count, Tap, "2.6.0", "Packets from the guest with a wrong length, checksum or alignment.";
    RECEIVE_MULTICAST = 11, "receive_multicast", Counter, Count, Tap, "2.6.0", "Multicast packets from the guest.";
    COLLISIONS = 12, "collisions", Counter, Count, Tap, "2.6.0", "Collisions on the tap.";
    TRANSMIT_CARRIER_ERRORS = 13, "transmit_carrier_errors", Counter, Count, Tap, "2.6.0", "Packets for the guest lost because the tap had no carrier.";
}
