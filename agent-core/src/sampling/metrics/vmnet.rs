//! Metrics of one network interface of a VM, counted on its tap. Directions are the host's: what the tap receives,
//! the guest sent.

super::metrics! { VmNet, "vmnet", "VMNET";
    RECEIVE = 0, "receive_bytes", Counter, Bytes, Tap, "2.6.0", "Bytes the tap received, that is, the guest sent.";
}
