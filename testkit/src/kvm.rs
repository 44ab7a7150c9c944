//! KVM through raw ioctls: as much as it takes to run a few bytes of real-mode code.
//!
//! Numbers and layouts: `linux/kvm.h` and the kernel's `Documentation/virt/kvm/api.rst` (x86-64).

#![expect(unsafe_code, reason = "ioctl and mmap")]

use std::fs::{File, OpenOptions};
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous};

use crate::error::{Doing, Error, Result};
use crate::guest::{CODE_ADDRESS, Guest};

const CREATE_VM: libc::c_ulong = 0xae01;
const GET_VCPU_MMAP_SIZE: libc::c_ulong = 0xae04;
const CREATE_VCPU: libc::c_ulong = 0xae41;
const SET_USER_MEMORY_REGION: libc::c_ulong = 0x4020_ae46;
const SET_TSS_ADDR: libc::c_ulong = 0xae47;
const CREATE_IRQCHIP: libc::c_ulong = 0xae60;
const CREATE_PIT2: libc::c_ulong = 0x4040_ae77;
const RUN: libc::c_ulong = 0xae80;
const SET_REGS: libc::c_ulong = 0x4090_ae82;
const GET_SREGS: libc::c_ulong = 0x8138_ae83;
const SET_SREGS: libc::c_ulong = 0x4138_ae84;
const SET_MP_STATE: libc::c_ulong = 0x4004_ae99;
const GET_STATS_FD: libc::c_ulong = 0xaece;

/// Where a guest without memory above 1 MiB still has its three pages for Intel's task state segment.
const TSS_ADDRESS: libc::c_ulong = 0xfffb_d000;
/// Conventional memory ends here; above is the hole in which [`Guest::MmioStorm`] writes.
const LOW_MEMORY_BYTES: usize = 0xa_0000;
const MIB: usize = 1 << 20;

/// A VM with its memory. The memory stays mapped for the life of the process.
#[derive(Debug)]
pub(crate) struct Vm {
    fd: OwnedFd,
    run_bytes: NonZeroUsize,
    /// Kept open as VMMs do; it is one of the marks by which a VMM is known.
    _kvm: File,
}

/// One virtual CPU and its shared page.
#[derive(Debug)]
pub(crate) struct Vcpu {
    fd: OwnedFd,
    run: NonNull<u8>,
}

// SAFETY: the shared page belongs to this vCPU alone, and moves with it to the one thread that runs it.
unsafe impl Send for Vcpu {}

/// Why a vCPU came back from the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// `out` to that port.
    PortWrite(u16),
    /// `in` of one byte from that port; the answer goes in with [`Vcpu::answer`].
    PortRead(u16),
    /// A read or write where no memory is.
    Mmio,
    /// `hlt`, when there is no interrupt controller in the kernel.
    Halt,
    /// A signal arrived.
    Interrupted,
    /// Triple fault.
    Shutdown,
    /// Anything else, by KVM's number.
    Other(u32),
}

impl Vm {
    /// Makes a VM with `memory_mib` MiB (at least 1) that has `guest`'s code in place. The interrupt
    /// controllers are in the kernel, so `hlt` blocks there; the timer is made when `guest` needs it (each
    /// costs a kernel thread).
    pub(crate) fn new(memory_mib: usize, guest: Guest) -> Result<Self> {
        let kvm = OpenOptions::new().read(true).write(true).open("/dev/kvm").doing(|| "open /dev/kvm")?;
        let size = ioctl(&kvm, GET_VCPU_MMAP_SIZE, 0).doing(|| "KVM_GET_VCPU_MMAP_SIZE")?;
        let run_bytes = usize::try_from(size)
            .ok()
            .and_then(NonZeroUsize::new)
            .ok_or_else(|| Error::new("KVM_GET_VCPU_MMAP_SIZE", "0"))?;
        let fd = new_fd(ioctl(&kvm, CREATE_VM, 0).doing(|| "KVM_CREATE_VM")?);
        let vm = Self { fd, run_bytes, _kvm: kvm };
        ioctl(&vm.fd, SET_TSS_ADDR, TSS_ADDRESS).doing(|| "KVM_SET_TSS_ADDR")?;
        vm.add_memory(memory_mib.max(1) * MIB, guest)?;
        ioctl(&vm.fd, CREATE_IRQCHIP, 0).doing(|| "KVM_CREATE_IRQCHIP")?;
        if guest.needs_timer() {
            let config = [0_u32; 16];
            ioctl_with(&vm.fd, CREATE_PIT2, config.as_ptr()).doing(|| "KVM_CREATE_PIT2")?;
        }
        Ok(vm)
    }

    /// Adds vCPU number `id`, ready to run the guest's code at once, whichever its number.
    pub(crate) fn add_vcpu(&self, id: u32) -> Result<Vcpu> {
        const RUNNABLE: u32 = 0;
        let state = RUNNABLE;
        let fd = ioctl(&self.fd, CREATE_VCPU, libc::c_ulong::from(id)).doing(|| "KVM_CREATE_VCPU")?;
        let fd = new_fd(fd);
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping of the size that KVM asked for; nothing else refers to it.
        let run = unsafe { mmap(None, self.run_bytes, protection, MapFlags::MAP_SHARED, &fd, 0) }
            .doing(|| "map the vCPU's shared page")?
            .cast();
        let vcpu = Vcpu { fd, run };
        vcpu.point_to_guest()?;
        ioctl_with(&vcpu.fd, SET_MP_STATE, &raw const state).doing(|| "KVM_SET_MP_STATE")?;
        Ok(vcpu)
    }

    fn add_memory(&self, bytes: usize, guest: Guest) -> Result<()> {
        let length = NonZeroUsize::new(bytes).ok_or_else(|| Error::new("map guest memory", "0 bytes"))?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping, never unmapped.
        let memory: NonNull<u8> =
            unsafe { mmap_anonymous(None, length, protection, flags) }.doing(|| "map guest memory")?.cast();
        let code = guest.code();
        let code_start = usize::try_from(CODE_ADDRESS).unwrap_or(0);
        // SAFETY: the mapping has 1 MiB or more, the code starts at 0xF0000 and is shorter than 64 KiB.
        unsafe { memory.add(code_start).as_ptr().copy_from_nonoverlapping(code.as_ptr(), code.len()) };
        let regions = [(0, LOW_MEMORY_BYTES), (code_start, MIB - code_start), (MIB, bytes - MIB)];
        for (slot, (start, size)) in (0_u64..).zip(regions).filter(|(_, (_, size))| *size > 0) {
            // SAFETY: `start` lies within the mapping: the last region ends with it.
            let host = unsafe { memory.add(start) }.as_ptr().expose_provenance();
            // kvm_userspace_memory_region: slot and flags share the first word.
            let region = [slot, start as u64, size as u64, host as u64];
            ioctl_with(&self.fd, SET_USER_MEMORY_REGION, region.as_ptr())
                .doing(|| "KVM_SET_USER_MEMORY_REGION")?;
        }
        Ok(())
    }
}

impl Vcpu {
    /// Opens the vCPU's binary statistics (`anon_inode:kvm-vcpu-stats:N`).
    pub(crate) fn stats_fd(&self) -> Result<OwnedFd> {
        ioctl(&self.fd, GET_STATS_FD, 0).map(new_fd).doing(|| "KVM_GET_STATS_FD of a vCPU")
    }

    /// Runs the guest until it leaves it for us.
    pub(crate) fn run(&mut self) -> Result<Exit> {
        match ioctl(&self.fd, RUN, 0) {
            Ok(_) => Ok(self.exit()),
            Err(error) if error == nix::Error::EINTR || error == nix::Error::EAGAIN => Ok(Exit::Interrupted),
            Err(error) => Err(error).doing(|| "KVM_RUN"),
        }
    }

    /// Gives the guest the byte that it reads from a port.
    pub(crate) fn answer(&mut self, byte: u8) {
        const DATA_OFFSET: usize = 40;
        let offset = usize::try_from(self.field::<u64>(DATA_OFFSET)).unwrap_or(0);
        // SAFETY: after a port exit KVM points data_offset into the shared mapping.
        unsafe { self.run.add(offset).write(byte) };
    }

    fn exit(&self) -> Exit {
        const EXIT_REASON: usize = 8;
        const IO_DIRECTION: usize = 32;
        const IO_PORT: usize = 34;
        const OUT: u8 = 1;
        match self.field::<u32>(EXIT_REASON) {
            2 if self.field::<u8>(IO_DIRECTION) == OUT => Exit::PortWrite(self.field(IO_PORT)),
            2 => Exit::PortRead(self.field(IO_PORT)),
            5 => Exit::Halt,
            6 => Exit::Mmio,
            8 => Exit::Shutdown,
            10 => Exit::Interrupted,
            other => Exit::Other(other),
        }
    }

    fn field<T: Copy>(&self, offset: usize) -> T {
        // SAFETY: all offsets used here lie within struct kvm_run's first 64 bytes, aligned for their type,
        // in a mapping of at least a page; T is an integer.
        unsafe { self.run.add(offset).cast::<T>().read() }
    }

    /// Sets the code segment to 0xF000, the instruction pointer to 0; the rest is as after a reset.
    fn point_to_guest(&self) -> Result<()> {
        /// `struct kvm_sregs` begins with the code segment: base at 0, selector at 12.
        const SREGS_BYTES: usize = 0x138;
        const RFLAGS: usize = 17;
        let mut special = [0_u8; SREGS_BYTES];
        ioctl_with(&self.fd, GET_SREGS, special.as_mut_ptr()).doing(|| "KVM_GET_SREGS")?;
        special[..8].copy_from_slice(&CODE_ADDRESS.to_ne_bytes());
        special[12..14].copy_from_slice(&0xf000_u16.to_ne_bytes());
        ioctl_with(&self.fd, SET_SREGS, special.as_ptr()).doing(|| "KVM_SET_SREGS")?;
        let mut registers = [0_u64; 18];
        registers[RFLAGS] = 2;
        ioctl_with(&self.fd, SET_REGS, registers.as_ptr()).doing(|| "KVM_SET_REGS")
    }
}

fn ioctl(fd: &impl AsRawFd, request: libc::c_ulong, value: libc::c_ulong) -> nix::Result<i32> {
    // SAFETY: only requests that take a plain number come here.
    nix::Error::result(unsafe { libc::ioctl(fd.as_raw_fd(), request, value) })
}

fn ioctl_with<T>(fd: &impl AsRawFd, request: libc::c_ulong, argument: *const T) -> nix::Result<()> {
    // SAFETY: every caller passes a live array of the size that is encoded in the request's number, mutable
    // where the request writes.
    nix::Error::result(unsafe { libc::ioctl(fd.as_raw_fd(), request, argument) }).map(drop)
}

fn new_fd(raw: i32) -> OwnedFd {
    // SAFETY: the kernel just made this fd for us.
    unsafe { OwnedFd::from_raw_fd(raw) }
}
