//! Configuration as text: what an administrator or a package wrote.

pub mod ini;
pub mod kernel_cmdline;
pub mod kernel_config;
pub mod libvirt_conf;
pub mod modprobe_d;
pub mod sshd_config;
pub mod sysctl_d;
pub mod text;
pub mod users;
