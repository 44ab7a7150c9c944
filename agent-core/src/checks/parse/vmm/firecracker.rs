//! Firecracker's command line and its configuration file. (Firecracker's `docs/`, `src/firecracker/swagger`,
//! `src/firecracker/src/main.rs`.)

use super::Malformed;
use crate::sampling::discovery::identify::long_option;
use serde::Deserialize;

/// A configuration larger than this is not read: a VM's takes a few KiB.
pub const CONFIG_BYTES_MAX: usize = 1 << 20;

/// What the arguments ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `--id`.
    pub id: Option<String>,
    /// `--api-sock`, as the VMM sees it; `None` when not given, which is `/run/firecracker.socket`.
    pub api_socket: Option<String>,
    /// `--no-api`: there is no API.
    pub no_api: bool,
    /// `--config-file`, as the VMM sees it.
    pub config_file: Option<String>,
    /// `--metadata`: what the metadata service starts with.
    pub metadata_file: Option<String>,
    /// `--no-seccomp`: system calls are not filtered.
    pub no_seccomp: bool,
    /// `--seccomp-filter`: a filter of somebody's own replaces the built-in one.
    pub seccomp_filter: Option<String>,
    /// `--log-path`.
    pub log_path: Option<String>,
}

/// Reads the arguments, without `argv[0]`. Never fails: what is not known is passed over.
#[must_use]
pub fn parse_arguments(arguments: &[String]) -> Arguments {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut found = Arguments::default();
    let mut index = 0;
    while index < arguments.len() {
        let Some((name, value, next)) = long_option(&arguments, index) else {
            index += 1;
            continue;
        };
        let text = value.map(str::to_owned);
        let flag = match name {
            "no-api" => &mut found.no_api,
            "no-seccomp" => &mut found.no_seccomp,
            _ => {
                index = next;
                match name {
                    "id" => found.id = text,
                    "api-sock" => found.api_socket = text,
                    "config-file" => found.config_file = text,
                    "metadata" => found.metadata_file = text,
                    "seccomp-filter" => found.seccomp_filter = text,
                    "log-path" => found.log_path = text,
                    _ => {}
                }
                continue;
            }
        };
        *flag = true;
        // What follows a flag is an option of its own.
        index += 1;
    }
    found
}

/// The configuration file, or the answer to `GET /vm/config`. Parts that are not there are `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Config {
    /// The machine.
    pub machine_config: Option<MachineConfig>,
    /// Disks.
    pub drives: Vec<DriveConfig>,
    /// Network interfaces.
    pub network_interfaces: Vec<NetworkConfig>,
    /// The metadata service.
    pub mmds_config: Option<MmdsConfig>,
    /// The virtual socket.
    pub vsock: Option<VsockConfig>,
    /// The source of entropy.
    pub entropy: Option<EntropyConfig>,
}

/// `machine-config`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct MachineConfig {
    /// How many vCPUs.
    pub vcpu_count: u64,
    /// Memory, in MiB.
    pub mem_size_mib: u64,
    /// Whether the guest sees hyperthreads.
    pub smt: bool,
    /// Whether writes to memory are tracked, for snapshots.
    pub track_dirty_pages: bool,
    /// `None` or `2M`.
    pub huge_pages: Option<String>,
}

/// One of `drives`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DriveConfig {
    /// Its name.
    pub drive_id: String,
    /// The image, as the VMM sees it.
    pub path_on_host: Option<String>,
    /// Whether the guest may only read.
    pub is_read_only: bool,
    /// Whether it is the guest's root.
    pub is_root_device: bool,
    /// `Unsafe` (no flushes) or `Writeback`.
    pub cache_type: Option<String>,
    /// `Sync` or `Async`.
    pub io_engine: Option<String>,
    /// A vhost-user backend's socket in the place of an image.
    pub socket: Option<String>,
    /// Its limits.
    pub rate_limiter: Option<RateLimiter>,
}

/// One of `network-interfaces`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NetworkConfig {
    /// Its name.
    pub iface_id: String,
    /// The tap.
    pub host_dev_name: String,
    /// Limits of what the guest receives.
    pub rx_rate_limiter: Option<RateLimiter>,
    /// Limits of what the guest sends.
    pub tx_rate_limiter: Option<RateLimiter>,
}

/// `mmds-config`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct MmdsConfig {
    /// `V1` asks for nothing, `V2` for a session's token; `None` is `V1`.
    pub version: Option<String>,
    /// The interfaces that reach it.
    pub network_interfaces: Vec<String>,
}

impl MmdsConfig {
    /// Whether the guest needs a session's token, which a tricked web server in it cannot get.
    #[must_use]
    pub fn needs_session(&self) -> bool {
        self.version.as_deref() == Some("V2")
    }
}

/// `vsock`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct VsockConfig {
    /// The guest's address.
    pub guest_cid: u64,
    /// The host's socket.
    pub uds_path: String,
}

/// `entropy`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EntropyConfig {
    /// Its limits.
    pub rate_limiter: Option<RateLimiter>,
}

/// A limit in bytes and one in operations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RateLimiter {
    /// Bytes.
    pub bandwidth: Option<TokenBucket>,
    /// Operations.
    pub ops: Option<TokenBucket>,
}

impl RateLimiter {
    /// Whether it limits anything: a bucket of nothing, or one that fills in no time, does not.
    #[must_use]
    pub fn limits(&self) -> bool {
        [&self.bandwidth, &self.ops]
            .into_iter()
            .flatten()
            .any(|bucket| bucket.size > 0 && bucket.refill_time > 0)
    }
}

/// How much may be taken, and how long it takes to fill again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TokenBucket {
    /// Tokens, bytes or operations.
    pub size: u64,
    /// Milliseconds from empty to full.
    pub refill_time: u64,
    /// Tokens that are there once, at first.
    pub one_time_burst: Option<u64>,
}

/// Reads a configuration file. Parts that are not known are passed over.
///
/// # Errors
/// When it is larger than [`CONFIG_BYTES_MAX`], no JSON, or a part has another shape.
pub fn parse_config(bytes: &[u8]) -> Result<Config, Malformed> {
    if bytes.len() > CONFIG_BYTES_MAX {
        return Err(Malformed { line: 0, column: 0, what: "larger than a configuration" });
    }
    serde_json::from_slice(bytes).map_err(|error| Malformed {
        line: error.line(),
        column: error.column(),
        what: if error.is_data() { "not of the shape expected" } else { "no JSON" },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(arguments: &str) -> Arguments {
        parse_arguments(&arguments.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn arguments() {
        let found = of("--no-seccomp --api-sock /run/a.sock --id vm1 --config-file=/c.json");
        assert!(found.no_seccomp && !found.no_api);
        assert_eq!(found.api_socket.as_deref(), Some("/run/a.sock"));
        assert_eq!((found.id.as_deref(), found.config_file.as_deref()), (Some("vm1"), Some("/c.json")));
        assert_eq!(of("--seccomp-filter /own --no-api").seccomp_filter.as_deref(), Some("/own"));
        assert!(!of("--id=a --start-time-us=1").no_seccomp);
    }

    const CONFIG: &[u8] = br#"{
        "boot-source": {"kernel_image_path": "/vmlinux", "boot_args": "console=ttyS0"},
        "machine-config": {"vcpu_count": 2, "mem_size_mib": 1024, "smt": false},
        "drives": [{"drive_id": "rootfs", "path_on_host": "/root.ext4", "is_root_device": true,
            "is_read_only": false, "cache_type": "Unsafe",
            "rate_limiter": {"bandwidth": {"size": 1000, "refill_time": 100}}}],
        "network-interfaces": [{"iface_id": "eth0", "host_dev_name": "tap0", "rx_rate_limiter": null}],
        "mmds-config": {"network_interfaces": ["eth0"]},
        "vsock": {"guest_cid": 3, "uds_path": "/v.sock"}
    }"#;

    #[test]
    fn a_configuration() {
        let config = parse_config(CONFIG).expect("a configuration");
        assert_eq!(config.machine_config.expect("a machine").mem_size_mib, 1024);
        let limiter = config.drives[0].rate_limiter.as_ref().expect("a limiter");
        assert!(limiter.limits());
        assert!(!RateLimiter { ops: Some(TokenBucket::default()), bandwidth: None }.limits());
        assert_eq!(config.network_interfaces[0].host_dev_name, "tap0");
        assert!(!config.mmds_config.expect("mmds").needs_session(), "V1 unless said otherwise");
        assert_eq!(config.vsock.expect("vsock").guest_cid, 3);
    }

    #[test]
    fn errors_say_where() {
        let wrong = parse_config(b"{\n \"drives\": 7}").expect_err("wrong");
        assert_eq!((wrong.line, wrong.what), (2, "not of the shape expected"));
        assert_eq!(parse_config(b"{").expect_err("cut").what, "no JSON");
        assert!(parse_config(&vec![b' '; CONFIG_BYTES_MAX + 1]).is_err());
        let deep = "[".repeat(100_000);
        assert!(parse_config(format!("{{\"x\":{deep}").as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn anything_comes_back(
            bytes in prop::collection::vec(any::<u8>(), 0..100),
            arguments in prop::collection::vec(".{0,30}", 0..6),
        ) {
            let _ = parse_config(&bytes);
            let _ = parse_arguments(&arguments);
        }
    }
}
