//! Who can log in to the host, how, and what they can become.

mod accounts;
mod bmc;
mod pam;
mod ssh_keys;
mod sshd;
mod sudo;
mod texts;

pub(super) use texts::texts;

use super::{Provider, Read, Refresh};

const fn host(
    name: &'static str,
    help: &'static str,
    read: fn(&super::Gather, &str) -> super::Found,
) -> Provider {
    Provider { name, help, read: Read::Host(read), refresh: Refresh::Paths }
}

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[
    host("sshd.present", "whether an SSH server is installed", sshd::present),
    host(
        "sshd",
        "a keyword of sshd_config(5) as it holds for a connection, or OpenSSH's default; where a Match loosens it, by \
         Match; lists of algorithms as lists, times in seconds",
        sshd::keyword,
    ),
    host("sshd.mistakes", "lines of its configuration that sshd would refuse", sshd::mistakes),
    host("sshd.weak-host-keys", "host keys of DSA, or of RSA with fewer than 3,072 bits", ssh_keys::weak),
    host("account.uid0", "accounts with the number 0", accounts::uid0),
    host("account.empty-password", "accounts that ask for no password", accounts::empty_password),
    host("account.password-login", "accounts with a shell and a password", accounts::password_login),
    host("account.login-count", "how many accounts have a shell and are not closed", accounts::login_count),
    host("account.service-shell", "accounts of services that have a shell", accounts::service_shell),
    host(
        "account.password",
        "what stands in an account's password's place: set, empty, locked, none",
        accounts::password,
    ),
    host("group", "a group's members, those whose first group it is too", accounts::group),
    host("sudo.present", "whether sudo is installed", sudo::present),
    host("sudo", "a flag of sudo's Defaults for everyone: on or off", sudo::flag),
    host(
        "sudo.nopasswd",
        "what sudo lets users do without a password, as `who: command (file:line)`",
        sudo::no_password,
    ),
    host(
        "sudo.unauthenticated",
        "Defaults lines that turn sudo's question for a password off",
        sudo::unauthenticated,
    ),
    host(
        "pam.lockout-deny",
        "failed logins after which PAM locks an account, by file; 0 is never",
        pam::deny,
    ),
    host(
        "pam.lockout-time",
        "seconds for which it stays locked, by file; 0 is until root unlocks it",
        pam::unlock_time,
    ),
    host(
        "bmc.bridged",
        "network interfaces of the management controller that are a bridge's port",
        bmc::bridged,
    ),
];
