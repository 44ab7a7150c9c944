//! libvirt's daemons, and other managers of VMs and containers: what they are configured to do, and who may command
//! them.

mod conf;
mod grants;
mod loose;
mod pki;
#[cfg(test)]
pub(super) mod testing;
pub(super) mod unit;

use super::{Provider, Read, Refresh};

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "libvirt.installed",
        help: "whether one of libvirt's daemons or its configuration is there",
        read: Read::Host(conf::installed),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "libvirt",
        help: "a setting of libvirt's as FILE/KEY, such as qemu.conf/vnc_listen, or libvirt's default; daemon/KEY and \
               remote/KEY are of the daemon that runs VMs and of the one that listens; passwords are told as (set)",
        read: Read::Host(conf::setting),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "libvirt.sasl",
        help: "the mechanisms that /etc/sasl2/libvirt.conf offers",
        read: Read::Host(conf::sasl),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "polkit.grants",
        help: "polkit rules that grant an action without a password, by file: group NAME, user, or anyone",
        read: Read::Host(grants::grants),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "path.loose",
        help: "what others than root own or may change in a folder and below it, as `path (mode uid)`",
        read: Read::Host(loose::loose),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "pki.open-keys",
        help: "TLS keys of libvirt's and QEMU's that others than their owner and group may read",
        read: Read::Host(pki::open_keys),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "pki.ending",
        help: "TLS certificates of libvirt's and QEMU's that end within so many days",
        read: Read::Host(pki::ending),
        refresh: Refresh::Seconds(3_600),
    },
    Provider {
        name: "pki.weak",
        help: "TLS certificates of libvirt's and QEMU's with a short key or a signature that can be forged",
        read: Read::Host(pki::weak),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "unit",
        help: "what systemd makes of a unit at the next boot: enabled, disabled or masked",
        read: Read::Host(unit::state),
        refresh: Refresh::Paths,
    },
    Provider {
        name: "unit.loosened",
        help: "lines of a unit's drop-ins, or of the copy that replaces the packaged unit, that take a protection away",
        read: Read::Host(unit::loosened),
        refresh: Refresh::Paths,
    },
];
