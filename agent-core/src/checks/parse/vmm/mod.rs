//! How a VM was asked for: QEMU's arguments, libvirt's domain XML, Firecracker's and Cloud Hypervisor's.
