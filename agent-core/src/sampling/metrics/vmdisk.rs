//! Metrics of one disk of a VM.

super::metrics! { VmDisk, "vmdisk", "VMDISK";
    READ = 0, "read_bytes", Counter, Bytes, MonitorDisk, "QEMU 0.14", "Bytes the guest read.";
}
