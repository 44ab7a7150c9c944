//! The kernel's packet filter, as netlink tells it.
