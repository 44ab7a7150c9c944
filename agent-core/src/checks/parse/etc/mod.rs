//! Configuration as text: what an administrator or a package wrote.

pub mod apt_sources;
pub mod fstab;
pub mod grub;
pub mod ini;
pub mod kernel_cmdline;
pub mod kernel_config;
pub mod libvirt_conf;
pub mod modprobe_d;
pub mod mountinfo;
pub mod os_release;
pub mod shell;
pub mod sshd_config;
pub mod swaps;
pub mod sysctl_d;
pub mod text;
pub mod users;
