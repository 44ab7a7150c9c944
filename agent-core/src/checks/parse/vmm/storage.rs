//! What QEMU was told about its disks: `-drive`, `-hda` and `-blockdev`. (qemu(1), "Block device options"; QEMU's
//! `docs/system/device-url-syntax.rst.inc`.)

use super::redact;
use super::settings::Settings;
use serde_json::Value;

/// How an image is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// A file, or a device of the host.
    Local,
    /// Network block device.
    Nbd,
    /// iSCSI, by QEMU itself.
    Iscsi,
    /// Ceph.
    Rbd,
    /// HTTP or FTP in the clear.
    Http,
    /// HTTPS or FTPS.
    Https,
    /// SSH.
    Ssh,
    /// NFS, by QEMU itself.
    Nfs,
    /// `GlusterFS`.
    Gluster,
    /// An `NVMe` controller of the host, by VFIO.
    Nvme,
    /// A vhost-user or vDPA backend.
    Vhost,
    /// A node that stands on another: it names no place itself.
    Node,
    /// Something this code does not know.
    Other,
}

impl Protocol {
    /// Whether the data crosses a network.
    #[must_use]
    pub fn is_remote(self) -> bool {
        use Protocol::{Gluster, Http, Https, Iscsi, Nbd, Nfs, Rbd, Ssh};
        matches!(self, Nbd | Iscsi | Rbd | Http | Https | Ssh | Nfs | Gluster)
    }

    fn of_driver(driver: &str) -> Option<Self> {
        Some(match driver {
            "file" | "host_device" | "host_cdrom" | "fat" | "io_uring" => Self::Local,
            "nbd" => Self::Nbd,
            "iscsi" => Self::Iscsi,
            "rbd" => Self::Rbd,
            "http" | "ftp" => Self::Http,
            "https" | "ftps" => Self::Https,
            "ssh" => Self::Ssh,
            "nfs" => Self::Nfs,
            "gluster" => Self::Gluster,
            "nvme" | "nvme-io_uring" => Self::Nvme,
            _ if driver.starts_with("virtio-blk-v") => Self::Vhost,
            _ => return None,
        })
    }

    fn of_url(path: &str) -> Self {
        let Some((scheme, _)) = path.split_once(':').filter(|(scheme, _)| !scheme.contains('/')) else {
            return Self::Local;
        };
        let family = scheme.split('+').next().unwrap_or_default();
        match family {
            "sheepdog" | "blkdebug" | "blkverify" => Self::Other,
            "nbds" => Self::Nbd,
            "fd" | "host_device" | "fat" => Self::Local,
            // A file's name may hold a colon.
            _ => Self::of_driver(family).unwrap_or(Self::Local),
        }
    }
}

/// One disk, or one node of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drive {
    /// The option that gave it, without dashes.
    pub option: String,
    /// Its id or node name.
    pub id: Option<String>,
    /// The image or its address, passwords taken out; `None` for an empty drive, and for a node that stands on another.
    pub path: Option<String>,
    /// How it is reached.
    pub protocol: Protocol,
    /// The format, when it was given; otherwise QEMU guesses it from what the guest may have written.
    pub format: Option<String>,
    /// The node it stands on.
    pub below: Option<String>,
    /// What was said of the backing file: `Some("")` when there shall be none, `None` when the image decides.
    pub backing: Option<String>,
    /// Whether the guest may only read; `None` when nothing was said.
    pub read_only: Option<bool>,
    /// `cache=`, or `cache.direct` and its like as given.
    pub cache: Option<String>,
    /// `aio=`.
    pub aio: Option<String>,
    /// The bus of `-drive if=`; `pflash` is firmware.
    pub interface: Option<String>,
    /// The object with the certificates, when TLS is used.
    pub tls_creds: Option<String>,
    /// Whether it logs in somewhere: a user or a secret is given.
    pub authenticates: bool,
    /// Whether others may write at the same time (`share-rw`, or `locking=off`).
    pub shared: bool,
    /// Whether a limit is set (`throttling.*`, `bps`, `iops`).
    pub throttled: bool,
}

impl Drive {
    /// Whether QEMU looks at the data to find the format out.
    #[must_use]
    pub fn probes_format(&self) -> bool {
        self.format.is_none() && self.path.is_some()
    }

    pub(super) fn of_path(option: &str, path: &str) -> Self {
        Self::new(option, &Settings::default(), Some(path))
    }

    /// `-drive`: a format node, a protocol node and a device in one.
    pub(super) fn of_drive(settings: &Settings) -> Self {
        let path = settings.value("file").or_else(|| settings.value("file.filename"));
        let mut drive = Self::new("drive", settings, path.filter(|path| !path.is_empty()));
        drive.id = settings.text("id").or_else(|| settings.text("node-name"));
        drive.format = settings.text("format").or_else(|| settings.text("driver")).or(drive.format);
        if let Some(protocol) = settings.value("file.driver").and_then(Protocol::of_driver) {
            drive.protocol = protocol;
        }
        drive
    }

    /// `-blockdev`: one node, and any that are nested in it. Formats are never guessed here.
    pub(super) fn of_blockdev(settings: &Settings) -> Self {
        let driver = settings.value("driver").unwrap_or_default();
        let nested = settings.value("file.driver").and_then(Protocol::of_driver);
        let address =
            ["filename", "file.filename", "url", "file.url", "image", "file.image", "path", "file.path"];
        let path = address.iter().find_map(|key| settings.value(key));
        let mut drive = Self::new("blockdev", settings, path);
        drive.id = settings.text("node-name");
        drive.format = Some(driver.to_owned());
        drive.below = settings.text("file");
        drive.protocol = Protocol::of_driver(driver).or(nested).unwrap_or(Protocol::Node);
        drive
    }

    fn new(option: &str, settings: &Settings, path: Option<&str>) -> Self {
        let either = |key: &str| settings.text(key).or_else(|| settings.text(&format!("file.{key}")));
        let any = |keys: &[&str]| keys.iter().any(|key| either(key).is_some());
        let inner = path.and_then(|path| path.strip_prefix("json:"));
        let inner = inner.and_then(|json| serde_json::from_str::<Value>(json).ok());
        let inner = inner.map(|json| Self::of_blockdev(&Settings::of_json(&json)));
        let url_logs_in = path.is_some_and(|path| {
            let authority = path.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or(rest));
            authority.is_some_and(|authority| authority.contains('@')) || path.contains(":id=")
        });
        let cache = either("cache").or_else(|| {
            let pairs = settings.pairs().filter(|(key, _)| key.starts_with("cache."));
            let pairs: Vec<_> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
            (!pairs.is_empty()).then(|| pairs.join(","))
        });
        let throttles = ["throttling.", "throttle-group", "bps", "iops"];
        Self {
            option: option.to_owned(),
            id: None,
            protocol: match &inner {
                Some(inner) => inner.protocol,
                None => path.map_or(Protocol::Node, Protocol::of_url),
            },
            path: path.map(|path| redact::value(path.strip_prefix("file:").unwrap_or(path))),
            format: inner.as_ref().and_then(|inner| inner.format.clone()),
            below: None,
            backing: settings.text("backing").or_else(|| settings.text("backing.filename")),
            read_only: ["readonly", "read-only"].iter().find_map(|key| settings.flag(key)),
            cache,
            aio: either("aio"),
            interface: settings.text("if"),
            tls_creds: either("tls-creds"),
            authenticates: url_logs_in
                || any(&["user", "password-secret", "key-secret"])
                || inner.as_ref().is_some_and(|inner| inner.authenticates),
            shared: settings.flag("share-rw") == Some(true)
                || ["locking", "file.locking"].iter().any(|key| settings.value(key) == Some("off")),
            throttled: settings.pairs().any(|(key, _)| throttles.iter().any(|word| key.starts_with(word))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drive(text: &str) -> Drive {
        Drive::of_drive(&Settings::parse(text))
    }

    fn node(text: &str) -> Drive {
        Drive::of_blockdev(&Settings::parse(text))
    }

    #[test]
    fn drives() {
        let plain = drive("file=/a,,b.img,if=virtio,readonly=on,cache=none,aio=native,bps_rd=1");
        assert_eq!((plain.path.as_deref(), plain.protocol), (Some("/a,b.img"), Protocol::Local));
        assert!(plain.probes_format() && plain.throttled);
        assert_eq!((plain.read_only, plain.cache.as_deref()), (Some(true), Some("none")));
        assert!(!drive("file=/a.img,format=raw").probes_format());
        assert!(!drive("if=none,id=empty,media=cdrom").probes_format());
        assert_eq!(drive("file=/with:colon").protocol, Protocol::Local);
        assert_eq!(drive("file=file:/x").path.as_deref(), Some("/x"));
    }

    #[test]
    fn remote_images() {
        for (url, protocol, authenticates) in [
            ("nbd:10.0.0.1:10809:exportname=a", Protocol::Nbd, false),
            ("nbd+unix:///a?socket=/s", Protocol::Nbd, false),
            ("iscsi://me%hunter2@h/iqn/0", Protocol::Iscsi, true),
            ("rbd:pool/i:id=admin:key=hunter2", Protocol::Rbd, true),
            ("http://h/a.iso", Protocol::Http, false),
            ("https://me:hunter2@h/a.iso", Protocol::Https, true),
            ("ssh://root@h/a", Protocol::Ssh, true),
        ] {
            let found = drive(&format!("file={url},format=raw"));
            assert_eq!((found.protocol, found.authenticates), (protocol, authenticates), "{url}");
            assert!(found.protocol.is_remote());
            assert!(!found.path.expect("a path").contains("hunter2"), "{url}");
        }
        let inner = drive(r#"file=json:{"driver":"raw",,"file":{"driver":"nbd",,"host":"h"}}"#);
        assert_eq!((inner.protocol, inner.format.as_deref()), (Protocol::Nbd, Some("raw")));
    }

    #[test]
    fn nodes() {
        let format =
            node(r#"{"node-name":"f0","driver":"qcow2","file":"s0","backing":null,"read-only":true}"#);
        assert_eq!((format.protocol, format.below.as_deref()), (Protocol::Node, Some("s0")));
        assert_eq!((format.backing.as_deref(), format.read_only), (Some(""), Some(true)));
        assert!(!format.probes_format());
        let file = node(r#"{"driver":"file","filename":"/a","node-name":"s0","cache":{"direct":true}}"#);
        assert_eq!((file.protocol, file.path.as_deref()), (Protocol::Local, Some("/a")));
        assert_eq!(file.cache.as_deref(), Some("cache.direct=on"));
        let nested = node("driver=raw,file.driver=nbd,file.server.host=h,file.tls-creds=t");
        assert_eq!((nested.protocol, nested.tls_creds.as_deref()), (Protocol::Nbd, Some("t")));
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in ".{0,80}") {
            let _ = (drive(&text), node(&text));
            let _ = (drive(&format!("file={text}")), drive(&format!("file=json:{{{text}")));
        }
    }
}
