//! Configuration as text: what an administrator or a package wrote.

pub mod apt_sources;
pub mod audit_rules;
pub mod chrony;
pub mod exports;
pub mod fstab;
pub mod fuzzing;
pub mod grub;
pub mod ini;
pub mod kernel_cmdline;
pub mod kernel_config;
pub mod libvirt_conf;
pub mod modprobe_d;
pub mod mountinfo;
pub mod os_release;
pub mod pam;
pub mod rsyslog;
pub mod shell;
pub mod sshd_config;
pub mod sudoers;
pub mod swaps;
pub mod sysctl_d;
pub mod text;
pub mod users;
