//! What this host is: looked up once, when the agent starts, for people and reports. Nothing here is sampled.

use crate::config::Roots;
use std::path::PathBuf;

/// The host's make-up at the agent's start. What could not be found out is empty or 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The host's name.
    pub host_name: String,
    /// The kernel's release, such as `6.18.44`.
    pub kernel: String,
    /// The distribution, such as `Linux (Debian 12)`.
    pub distribution: String,
    /// The processor architecture, such as `x86_64`.
    pub architecture: String,
    /// The processor's model, as it names itself.
    pub cpu_model: String,
    /// Logical CPUs online.
    pub cpus: usize,
    /// Physical cores; 0 when unknown.
    pub cores: usize,
    /// Usable memory, in bytes.
    pub memory_bytes: u64,
    /// Swap, in bytes.
    pub swap_bytes: u64,
    /// When the host booted, in seconds since the epoch.
    pub boot_time_s: u64,
    /// Mounted file systems on disks.
    pub disks: Vec<InventoryDisk>,
}

/// One mounted file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryDisk {
    /// The device.
    pub name: String,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// Its file system.
    pub file_system: String,
    /// Its size, in bytes.
    pub total_bytes: u64,
    /// What is free on it for ordinary users, in bytes.
    pub available_bytes: u64,
}

impl Inventory {
    /// Looks around. A recorded host has none: this would describe the machine that replays it.
    #[must_use]
    pub fn take(roots: &Roots) -> Self {
        if !roots.is_live() {
            return Self::default();
        }
        let mut inventory = Self {
            host_name: sysinfo::System::host_name().unwrap_or_default(),
            kernel: sysinfo::System::kernel_version().unwrap_or_default(),
            distribution: sysinfo::System::long_os_version().unwrap_or_default(),
            architecture: sysinfo::System::cpu_arch(),
            cores: sysinfo::System::physical_core_count().unwrap_or(0),
            boot_time_s: sysinfo::System::boot_time().unwrap_or(0),
            ..Self::default()
        };
        let refresh = sysinfo::RefreshKind::nothing()
            .with_memory(sysinfo::MemoryRefreshKind::everything())
            .with_cpu(sysinfo::CpuRefreshKind::nothing());
        if let Ok(system) = sysinfo::System::new_with_specifics(refresh) {
            inventory.memory_bytes = system.total_memory();
            inventory.swap_bytes = system.total_swap();
            inventory.cpus = system.cpus().len();
            inventory.cpu_model = system.cpus().first().map(|cpu| cpu.brand().to_owned()).unwrap_or_default();
        }
        let storage = sysinfo::DiskRefreshKind::nothing().with_storage();
        if let Ok(disks) = sysinfo::Disks::new_with_refreshed_list_specifics(storage) {
            inventory.disks = disks.iter().map(InventoryDisk::new).collect();
        }
        inventory
    }
}

impl InventoryDisk {
    fn new(disk: &sysinfo::Disk) -> Self {
        Self {
            name: disk.name().to_string_lossy().into_owned(),
            mount_point: disk.mount_point().to_owned(),
            file_system: disk.file_system().to_string_lossy().into_owned(),
            total_bytes: disk.total_space(),
            available_bytes: disk.available_space(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_a_kernel_a_processor_and_memory() {
        let inventory = Inventory::take(&Roots::default());
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("osrelease");
        assert_eq!(inventory.kernel, release.trim());
        assert_eq!(inventory.cpus, std::thread::available_parallelism().map_or(0, usize::from));
        assert!(inventory.memory_bytes > 0 && !inventory.cpu_model.is_empty(), "{inventory:?}");
        assert_eq!(Inventory::take(&Roots::below(std::path::Path::new("/nowhere"))), Inventory::default());
    }
}
