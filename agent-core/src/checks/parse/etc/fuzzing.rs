//! The parsers of this module, as the fuzz targets call them: whatever the bytes, they must come back.

#![allow(clippy::missing_panics_doc, reason = "a panic is what a fuzz target is to find")]

use super::ini::{Ini, Style};
use super::{
    apt_sources, audit_rules, chrony, exports, fstab, grub, kernel_cmdline, kernel_config, libvirt_conf,
    modprobe_d, mountinfo, os_release, pam, rsyslog, shell, sshd_config, sudoers, swaps, sysctl_d, users,
};

/// What the kernel was built with, is given at boot and shows of mounts and swap; packed bytes, too.
pub fn kernel(data: &[u8]) {
    if let Ok(unpacked) = kernel_config::unpack(data) {
        assert!(unpacked.len() as u64 <= kernel_config::UNPACKED_BYTES_MAX);
    }
    let text = String::from_utf8_lossy(data);
    let config = kernel_config::KernelConfig::parse(&text);
    assert!(config.len() <= text.lines().count());
    let line = kernel_cmdline::Cmdline::parse(&text);
    assert!(line.mitigations().dropped.len() <= 5);
    let (mounts, _) = mountinfo::parse(&text);
    let _ = (mountinfo::holding(&mounts, &text), swaps::parse(&text));
}

/// Drop-in files of sysctls and modules. The first line feed parts a key or module from the files, and NUL those.
pub fn drop_ins(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (key, texts) = text.split_once('\n').unwrap_or((&text, ""));
    let names = ["/a/20.conf", "/a/10.conf", "/b/20.conf", "/b/30.conf", "/b/none"];
    let files: Vec<_> = names.into_iter().zip(texts.split('\0')).collect();
    let merged = sysctl_d::merge(&files);
    if let Some(setting) = merged.setting(key) {
        assert!(files.iter().any(|(path, _)| *path == &*setting.winner.origin.file), "a winner is of a file");
    }
    let modules = modprobe_d::Modprobe::merge(&files);
    let _ = (modules.blocked(key), modules.option(key, key));
}

/// The SSH server. NUL parts files, which include one another.
pub fn sshd(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut files = text.split('\0');
    let first = files.next().unwrap_or_default();
    let others: Vec<_> = files.take(4).map(|text| ("/b".to_owned(), text.to_owned())).collect();
    let config = sshd_config::Config::parse("/a", first, &mut |_| others.clone());
    for keyword in ["PermitRootLogin", "Ciphers", "AllowUsers"] {
        let _ = (config.global(keyword), config.algorithms(keyword));
        assert!(config.loosened(keyword).iter().all(|entry| entry.block.is_some()));
    }
}

/// Settings: libvirt's, sections, shell assignments and boot loaders.
pub fn settings(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let conf = libvirt_conf::LibvirtConf::parse(&text);
    assert!(conf.settings.iter().all(|setting| setting.line <= text.matches('\n').count() + 1));
    for style in [Style::Systemd, Style::Repository] {
        let ini = Ini::parse("/a", &text, style);
        let _ = (ini.values("Service", "User"), ini.sections().count(), chrony::timesyncd(&ini));
    }
    let _ = (shell::parse(&text), os_release::OsRelease::parse(&text), grub::defaults(&text));
    let _ = (grub::GrubCfg::parse(&text), grub::loader_entry(&text));
}

/// Accounts and what they may do.
pub fn accounts(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = (users::passwd(&text), users::shadow(&text), users::group(&text));
    let sudoers = sudoers::Sudoers::parse(&text);
    assert!(sudoers.rules.iter().all(|rule| !rule.commands.is_empty()));
    let _ = (sudoers.flag("use_pty"), pam::Pam::parse(&text));
}

/// Services: package sources, exports, time, audit, logs, and what is mounted at boot.
pub fn services(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (found, _) = apt_sources::sources(&text);
    assert!(found.iter().all(|source| !source.uris.is_empty()));
    let _ = (apt_sources::list(&text), exports::parse(&text), chrony::Chrony::parse(&text));
    let _ = (audit_rules::AuditRules::parse(&text), fstab::fstab(&text), fstab::crypttab(&text));
    let logs = rsyslog::Rsyslog::parse(&text);
    assert!(logs.targets.iter().all(|target| !target.host.is_empty()));
}
