//! One look at everything: what the live output, the full screen and the JSON lines are made of.

use super::rates::{Rates, float};
use crate::book::Counts;
use crate::serve::labels::host_row_name;
use bartizan_core::engine::Reader;
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::discovery::VmInfo;
use bartizan_core::sampling::frame::{Entity, Tick};
use bartizan_core::sampling::metrics::{MetricId, Scope, agent, block, host, net, vcpu, vm, vmdisk, vmnet};
use std::sync::Arc;

/// The host, in the exported units; rates are per second. `None` is "no value", never 0.
#[derive(Clone, Debug, Default)]
pub struct HostView {
    /// Logical CPUs online.
    pub cpus: usize,
    /// Share of all CPU time that was not idle.
    pub cpu_busy: Option<f64>,
    /// Share of all CPU time that a hypervisor below took.
    pub cpu_steal: Option<f64>,
    /// Share of all CPU time that guests ran.
    pub cpu_guest: Option<f64>,
    /// Load average of a minute.
    pub load_1m: Option<f64>,
    /// Threads that run or could run.
    pub running: Option<f64>,
    /// Usable memory.
    pub memory_total_bytes: Option<f64>,
    /// Memory that can be had without swapping.
    pub memory_available_bytes: Option<f64>,
    /// Share of time in which some task waited for a CPU.
    pub pressure_cpu: Option<f64>,
    /// Share of time in which some task waited for memory.
    pub pressure_memory: Option<f64>,
    /// Share of time in which some task waited for I/O.
    pub pressure_io: Option<f64>,
    /// The block device that moves most, and what it moves.
    pub disk: Option<Busiest>,
    /// The network device that moves most, and what it moves.
    pub net: Option<Busiest>,
}

/// The device of its kind that moves most.
#[derive(Clone, Debug)]
pub struct Busiest {
    /// Its name.
    pub name: String,
    /// Bytes a second read or received.
    pub input: f64,
    /// Bytes a second written or sent.
    pub output: f64,
}

/// One VM.
#[derive(Clone, Debug)]
pub struct VmView {
    /// Who it is.
    pub vm: Arc<VmInfo>,
    /// Number of the state of the VMM's process.
    pub state: Option<i64>,
    /// CPUs' worth of time the VMM uses, in cores.
    pub cpu_cores: Option<f64>,
    /// Share of time in which a vCPU that could run waited for a CPU: the steal that the guest sees.
    pub wait: Option<f64>,
    /// Share of time in which the VM's cgroup was throttled.
    pub throttled: Option<f64>,
    /// Share of time in which some task of the VM waited for I/O.
    pub pressure_io: Option<f64>,
    /// Share of time in which some task of the VM waited for memory.
    pub pressure_memory: Option<f64>,
    /// Resident memory of the VMM.
    pub memory_bytes: Option<f64>,
    /// Bytes a second its disks moved.
    pub disk_bytes: Option<f64>,
    /// Bytes a second its interfaces moved.
    pub net_bytes: Option<f64>,
    /// VM exits a second.
    pub exits: Option<f64>,
    /// Alerts that fire about it: info, warning, critical.
    pub alerts: [u32; 3],
    /// How much it hurts, and what hurts most.
    pub hurt: super::hurt::Hurt,
}

impl VmView {
    /// The state in a word.
    #[must_use]
    pub const fn state_name(&self) -> &'static str {
        match self.state {
            Some(1) => "running",
            Some(2) => "stopped",
            Some(3) => "frozen",
            Some(4) => "zombie",
            Some(5) => "blocked",
            Some(_) => "other",
            None => "unknown",
        }
    }
}

/// The parts of one VM.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Its vCPUs.
    pub vcpus: Vec<VcpuView>,
    /// Its interfaces, then its disks.
    pub devices: Vec<DeviceView>,
}

/// One vCPU.
#[derive(Clone, Copy, Debug)]
pub struct VcpuView {
    /// Its index in the VM.
    pub index: u32,
    /// Its thread.
    pub tid: i32,
    /// Share of time it ran.
    pub run: Option<f64>,
    /// Share of time it could have run, but waited for a CPU.
    pub wait: Option<f64>,
    /// Times a second it was put on a CPU.
    pub switches: Option<f64>,
    /// VM exits a second.
    pub exits: Option<f64>,
}

/// One interface or disk of a VM.
#[derive(Clone, Debug)]
pub struct DeviceView {
    /// A disk, not an interface.
    pub is_disk: bool,
    /// The tap's name, or the disk's.
    pub name: String,
    /// Bytes a second received by the tap, or read from the disk.
    pub input: Option<f64>,
    /// Bytes a second sent by the tap, or written to the disk.
    pub output: Option<f64>,
}

/// What is known at one tick.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The tick.
    pub tick: Tick,
    /// The host.
    pub host: HostView,
    /// The VMs, by row.
    pub vms: Vec<VmView>,
    /// What the agent has cost: CPU seconds a second.
    pub own_cpu: Option<f64>,
    /// Ticks missed so far.
    pub ticks_missed: Option<f64>,
    /// VMs seen but not watched, for want of room.
    pub vms_refused: Option<f64>,
}

/// Makes views, and remembers the counters between two.
#[derive(Default)]
pub struct Viewer {
    rates: Rates,
}

/// A gauge in its exported unit.
fn gauge(reader: &Reader, entity: Entity, metric: MetricId) -> Option<f64> {
    Some(float(reader.read(entity, metric).ok()?) * metric.metric().unit.scale())
}

/// The sum of those that have a value; `None` when none has.
fn sum(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    values.into_iter().flatten().fold(None, |total, value| Some(total.unwrap_or(0.0) + value))
}

impl Viewer {
    /// Looks at everything; `alerts` fire now.
    pub fn look(&mut self, reader: &Reader, alerts: &Counts) -> View {
        self.rates.begin();
        let host = self.host(reader);
        let vms = reader.vms().into_iter().map(|vm| self.vm(reader, vm, alerts)).collect();
        View {
            tick: reader.tick(),
            host,
            vms,
            own_cpu: sum(
                [agent::TICK_CPU, agent::PLANNER_CPU].map(|metric| self.rate(reader, Entity::AGENT, metric))
            ),
            ticks_missed: gauge(reader, Entity::AGENT, agent::TICKS_MISSED),
            vms_refused: gauge(reader, Entity::AGENT, agent::VMS_REFUSED),
        }
    }

    /// Looks at the parts of one VM, in the same round as [`look`](Self::look).
    pub fn parts(&mut self, reader: &Reader, vm: &VmInfo) -> Parts {
        Parts {
            vcpus: vm
                .vcpus
                .iter()
                .map(|one| VcpuView {
                    index: one.index,
                    tid: one.tid,
                    run: self.rate(reader, one.entity, vcpu::RUN),
                    wait: self.rate(reader, one.entity, vcpu::WAIT),
                    switches: self.rate(reader, one.entity, vcpu::TIMESLICES),
                    exits: self.rate(reader, one.entity, vcpu::EXITS),
                })
                .collect(),
            devices: vm
                .nics
                .iter()
                .map(|nic| (nic.entity, &nic.tap, vmnet::RECEIVE, vmnet::TRANSMIT))
                .chain(vm.disks.iter().map(|disk| (disk.entity, &disk.name, vmdisk::READ, vmdisk::WRITTEN)))
                .map(|(entity, name, input, output)| DeviceView {
                    is_disk: entity.scope == Scope::VmDisk,
                    name: name.clone(),
                    input: self.rate(reader, entity, input),
                    output: self.rate(reader, entity, output),
                })
                .collect(),
        }
    }

    fn rate(&mut self, reader: &Reader, entity: Entity, metric: MetricId) -> Option<f64> {
        self.rates.rate(reader, entity, metric)
    }

    fn host(&mut self, reader: &Reader) -> HostView {
        let cpus = reader.frame().entities(Scope::Cpu).count();
        let all_cpus = if cpus > 0 { Some(float(i64::try_from(cpus).unwrap_or(1))) } else { None };
        let mut share = |metric| Some(self.rate(reader, Entity::HOST, metric)? / all_cpus?);
        let idle = share(host::CPU_IDLE);
        let iowait = share(host::CPU_IOWAIT);
        HostView {
            cpus,
            cpu_busy: idle.map(|idle| (1.0 - idle - iowait.unwrap_or(0.0)).clamp(0.0, 1.0)),
            cpu_steal: share(host::CPU_STEAL),
            cpu_guest: sum([share(host::CPU_GUEST), share(host::CPU_GUEST_NICE)]),
            load_1m: gauge(reader, Entity::HOST, host::LOAD_1M),
            running: gauge(reader, Entity::HOST, host::PROCESSES_RUNNING),
            memory_total_bytes: gauge(reader, Entity::HOST, host::MEMORY_TOTAL),
            memory_available_bytes: gauge(reader, Entity::HOST, host::MEMORY_AVAILABLE),
            pressure_cpu: self.rate(reader, Entity::HOST, host::PRESSURE_CPU_SOME),
            pressure_memory: self.rate(reader, Entity::HOST, host::PRESSURE_MEMORY_SOME),
            pressure_io: self.rate(reader, Entity::HOST, host::PRESSURE_IO_SOME),
            disk: self.busiest(reader, Scope::Block, block::READ, block::WRITTEN),
            net: self.busiest(reader, Scope::Net, net::RECEIVE, net::TRANSMIT),
        }
    }

    fn busiest(
        &mut self,
        reader: &Reader,
        scope: Scope,
        input: MetricId,
        output: MetricId,
    ) -> Option<Busiest> {
        let mut busiest: Option<(f64, Entity, f64, f64)> = None;
        for entity in reader.frame().entities(scope) {
            let (Some(input), Some(output)) =
                (self.rate(reader, entity, input), self.rate(reader, entity, output))
            else {
                continue;
            };
            if busiest.as_ref().is_none_or(|(total, ..)| input + output > *total) {
                busiest = Some((input + output, entity, input, output));
            }
        }
        busiest.map(|(_, entity, input, output)| Busiest {
            name: host_row_name(reader, entity),
            input,
            output,
        })
    }

    fn vm(&mut self, reader: &Reader, vm: Arc<VmInfo>, alerts: &Counts) -> VmView {
        let entity = vm.entity;
        let waits: Vec<_> = vm.vcpus.iter().map(|vcpu| self.rate(reader, vcpu.entity, vcpu::WAIT)).collect();
        let waiting = waits
            .iter()
            .flatten()
            .copied()
            .fold(None, |most: Option<f64>, wait| Some(most.map_or(wait, |most| most.max(wait))));
        let disk_bytes = sum(vm.disks.iter().flat_map(|disk| {
            [vmdisk::READ, vmdisk::WRITTEN].map(|metric| self.rate(reader, disk.entity, metric))
        }));
        let net_bytes = sum(vm.nics.iter().flat_map(|nic| {
            [vmnet::RECEIVE, vmnet::TRANSMIT].map(|metric| self.rate(reader, nic.entity, metric))
        }));
        let state = {
            let reading = reader.read(entity, vm::STATE);
            // A stale state is the last one known, and worth showing; anything else is unknown.
            matches!(reading.availability, Availability::Ok | Availability::Stale).then_some(reading.value)
        };
        let mut view = VmView {
            state,
            cpu_cores: sum([vm::CPU_USER, vm::CPU_SYSTEM].map(|metric| self.rate(reader, entity, metric))),
            wait: waiting.map(|wait| wait.clamp(0.0, 1.0)),
            throttled: self.rate(reader, entity, vm::CGROUP_CPU_THROTTLED),
            pressure_io: self.rate(reader, entity, vm::PRESSURE_IO_SOME),
            pressure_memory: self.rate(reader, entity, vm::PRESSURE_MEMORY_SOME),
            memory_bytes: gauge(reader, entity, vm::MEMORY_RESIDENT),
            disk_bytes,
            net_bytes,
            exits: self.rate(reader, entity, vm::KVM_EXITS),
            alerts: alerts.about(&vm),
            hurt: super::hurt::Hurt::default(),
            vm,
        };
        view.hurt = super::hurt::Hurt::of(&view);
        view
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use bartizan_core::sampling::discovery::VmmKind;

    /// A VM of which nothing is known but its name.
    pub(crate) fn vm(name: &str) -> VmView {
        VmView {
            vm: Arc::new(VmInfo {
                entity: Entity { scope: Scope::Vm, row: 0, generation: 1 },
                vmm: VmmKind::Qemu,
                name: name.to_owned(),
                uuid: [0; 16],
                tenant: String::new(),
                pid: 1,
                start_ticks: 1,
                cgroup: String::new(),
                libvirt: false,
                vcpus: Vec::new(),
                other_threads: Vec::new(),
                nics: Vec::new(),
                disks: Vec::new(),
                monitor: None,
                metrics_file: None,
                debugfs_name: None,
                sources: Vec::new(),
            }),
            state: Some(1),
            cpu_cores: None,
            wait: None,
            throttled: None,
            pressure_io: None,
            pressure_memory: None,
            memory_bytes: None,
            disk_bytes: None,
            net_bytes: None,
            exits: None,
            alerts: [0; 3],
            hurt: super::super::hurt::Hurt::default(),
        }
    }

    #[test]
    fn a_sum_of_nothing_is_nothing_not_zero() {
        assert_eq!(sum([None, None]), None);
        assert_eq!(sum([None, Some(1.5), Some(2.0)]), Some(3.5));
    }
}
