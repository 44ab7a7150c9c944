//! The process behind [`crate::minivmm`] and [`crate::herd`]: what it does once it has been started.
//!
//! No separate program is needed: the launcher starts *its own executable* again, with the options in the
//! environment variable [`OPTIONS_VARIABLE`]. A function in `.init_array` sees that variable before `main`
//! does, becomes the member and never returns. So every test binary that links this crate can be a VMM, and
//! the command line stays free to look like the VMM's that it passes itself off as.
//!
//! Standard input is both the guest's serial port and the lifeline: at its end the process exits. Standard
//! output takes one line: `ready`, or `error: …`.

#![expect(unsafe_code, reason = "code before main, prctl, _exit")]

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Doing, Error, Result};
use crate::guest::Guest;
use crate::kvm::{Exit, Vcpu, Vm};
use crate::shape::Shape;

/// Says that this process is a member, and what it does.
pub(crate) const OPTIONS_VARIABLE: &str = "BARTIZAN_TESTKIT_MEMBER";
/// Enough for our loops in a debug build; only pages that are touched count.
const STACK_BYTES: usize = 128 << 10;
const COM1_DATA: u16 = 0x3f8;
const COM1_LINE_STATUS: u16 = 0x3fd;
/// Our guests write it for one purpose only: to be reset.
const KEYBOARD_CONTROLLER: u16 = 0x64;

/// What a member does. Travels as text in the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) shape: Shape,
    pub(crate) vcpus: u32,
    pub(crate) other_threads: u32,
    pub(crate) memory_mib: u32,
    /// Holds a KVM VM with its vCPUs.
    pub(crate) kvm: bool,
    /// Holds the binary statistics fds of the vCPUs, as QEMU does from 8.1 on.
    pub(crate) stats_fds: bool,
    /// What the vCPUs run; when none, they exist and their threads sleep.
    pub(crate) guest: Option<Guest>,
    /// The first so many threads burn this long once a second.
    pub(crate) busy_threads: u32,
    pub(crate) burst_us: u32,
}

impl Options {
    pub(crate) fn to_text(&self) -> String {
        format!(
            "{} {} {} {} {} {} {} {} {}",
            self.shape.program(),
            self.vcpus,
            self.other_threads,
            self.memory_mib,
            self.kvm,
            self.stats_fds,
            self.guest.map_or("none", Guest::name),
            self.busy_threads,
            self.burst_us
        )
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        Some(Self {
            shape: Shape::from_program(words.next()?)?,
            vcpus: words.next()?.parse().ok()?,
            other_threads: words.next()?.parse().ok()?,
            memory_mib: words.next()?.parse().ok()?,
            kvm: words.next()?.parse().ok()?,
            stats_fds: words.next()?.parse().ok()?,
            guest: match words.next()? {
                "none" => None,
                name => Some(Guest::from_name(name)?),
            },
            busy_threads: words.next()?.parse().ok()?,
            burst_us: words.next()?.parse().ok()?,
        })
    }
}

/// Keeps the linker from leaving out the function that runs before `main`. Every launcher calls it.
pub(crate) fn keep() {
    std::hint::black_box(&BEFORE_MAIN);
}

#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = become_member_if_told;

extern "C" fn become_member_if_told() {
    let Ok(text) = std::env::var(OPTIONS_VARIABLE) else { return };
    let outcome = Options::from_text(&text)
        .ok_or_else(|| Error::new(format!("{OPTIONS_VARIABLE}={text}"), "not understood"))
        .and_then(|options| run(&options));
    if let Err(error) = outcome {
        say(&format!("error: {error}\n"));
    }
    exit_at_once(1);
}

/// Runs as a member; returns on failure only.
fn run(options: &Options) -> Result<()> {
    let program = options.shape.program();
    let comm = std::ffi::CString::new(program).map_err(|_| Error::new("name the process", "NUL"))?;
    nix::sys::prctl::set_name(&comm).doing(|| "name the process")?;
    let everyone_started = Arc::new(Barrier::new(
        usize::try_from(options.vcpus + options.other_threads).unwrap_or(usize::MAX).saturating_add(1),
    ));
    let serial = Arc::new(Mutex::new(VecDeque::new()));
    let vm = if options.kvm {
        let memory_mib = usize::try_from(options.memory_mib).unwrap_or(1);
        Some(Vm::new(memory_mib, options.guest.unwrap_or_default())?)
    } else {
        None
    };
    let mut kept_fds = Vec::new();
    for number in 0..options.vcpus {
        let vcpu = vm.as_ref().map(|vm| vm.add_vcpu(number)).transpose()?;
        if let (Some(vcpu), true) = (&vcpu, options.stats_fds) {
            kept_fds.push(vcpu.stats_fd()?);
        }
        let runs = options.guest.is_some() && (number == 0 || options.guest != Some(Guest::Command));
        let (barrier, serial) = (Arc::clone(&everyone_started), Arc::clone(&serial));
        let burst = burst(options, number);
        start_thread(options.shape.vcpu_thread(number), move || {
            barrier.wait();
            match vcpu {
                Some(vcpu) if runs => run_vcpu(vcpu, &serial),
                held => sleep_and_burn(burst, held),
            }
        })?;
    }
    for number in 0..options.other_threads {
        let barrier = Arc::clone(&everyone_started);
        let burst = burst(options, options.vcpus + number);
        start_thread(options.shape.other_thread(number), move || {
            barrier.wait();
            sleep_and_burn(burst, None);
        })?;
    }
    everyone_started.wait();
    say("ready\n");
    feed_serial(&serial);
    Ok(())
}

fn start_thread(name: String, body: impl FnOnce() + Send + 'static) -> Result<()> {
    let what = name.clone();
    std::thread::Builder::new()
        .name(name)
        .stack_size(STACK_BYTES)
        .spawn(body)
        .map(drop)
        .doing(|| format!("start thread {what}"))
}

fn burst(options: &Options, thread: u32) -> Duration {
    let busy = thread < options.busy_threads;
    if busy { Duration::from_micros(options.burst_us.into()) } else { Duration::ZERO }
}

/// What a thread does that runs no guest. `_held` keeps a vCPU open.
fn sleep_and_burn(burst: Duration, _held: Option<Vcpu>) -> ! {
    if burst.is_zero() {
        loop {
            std::thread::park();
        }
    }
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let end = Instant::now() + burst;
        while Instant::now() < end {
            std::hint::spin_loop();
        }
    }
}

/// Runs a vCPU for ever; a reset or a triple fault ends the process with status 0, as with Firecracker.
fn run_vcpu(mut vcpu: Vcpu, serial: &Mutex<VecDeque<u8>>) {
    const DATA_READY_AND_SENDER_EMPTY: u8 = 0x61;
    const SENDER_EMPTY: u8 = 0x60;
    const FLOATING_BUS: u8 = 0xff;
    let queue = || serial.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        match vcpu.run() {
            Ok(Exit::PortRead(COM1_DATA)) => {
                let byte = queue().pop_front().unwrap_or(0);
                vcpu.answer(byte);
            }
            Ok(Exit::PortRead(COM1_LINE_STATUS)) => {
                let status = if queue().is_empty() { SENDER_EMPTY } else { DATA_READY_AND_SENDER_EMPTY };
                vcpu.answer(status);
            }
            Ok(Exit::PortRead(_)) => vcpu.answer(FLOATING_BUS),
            Ok(Exit::PortWrite(KEYBOARD_CONTROLLER) | Exit::Shutdown) => exit_at_once(0),
            Ok(Exit::PortWrite(_) | Exit::Mmio | Exit::Interrupted) => {}
            // Cannot be left by itself without a controller in the kernel; waking up often would be noise.
            Ok(Exit::Halt) => std::thread::park_timeout(Duration::from_millis(10)),
            Ok(Exit::Other(reason)) => {
                eprintln!("vCPU stopped: KVM exit reason {reason}");
                exit_at_once(2);
            }
            Err(error) => {
                eprintln!("vCPU stopped: {error}");
                exit_at_once(2);
            }
        }
    }
}

/// Passes standard input on to the serial port; ends the process at its end.
fn feed_serial(serial: &Mutex<VecDeque<u8>>) {
    let mut buffer = [0_u8; 64];
    loop {
        match std::io::stdin().read(&mut buffer) {
            Ok(0) => exit_at_once(0),
            Ok(count) => {
                serial.lock().unwrap_or_else(PoisonError::into_inner).extend(&buffer[..count]);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => exit_at_once(1),
        }
    }
}

fn say(line: &str) {
    let mut stdout = std::io::stdout();
    // When nobody listens any more there is nobody to tell.
    let _gone = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
}

/// Ends the process without running what `main`'s end would run: `main` was never reached.
fn exit_at_once(status: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(status) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_the_environment() {
        let options = Options {
            shape: Shape::Crosvm,
            vcpus: 3,
            other_threads: 2,
            memory_mib: 17,
            kvm: true,
            stats_fds: true,
            guest: Some(Guest::MmioStorm),
            busy_threads: 4,
            burst_us: 250,
        };
        assert_eq!(Options::from_text(&options.to_text()), Some(options.clone()));
        let without = Options { guest: None, kvm: false, ..options };
        assert_eq!(Options::from_text(&without.to_text()), Some(without));
        assert_eq!(Options::from_text("qemu-system-x86_64 1"), None);
    }
}
