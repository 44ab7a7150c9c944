//! Runs one mini VMM until it is interrupted: a process that holds a real KVM VM (see `testkit::minivmm`).

use std::process::ExitCode;

use bartizan_testkit::cli::{Words, block_signals, wait_for_the_end};
use bartizan_testkit::guest::Guest;
use bartizan_testkit::minivmm::MiniVmm;
use bartizan_testkit::shape::Shape;
use bartizan_testkit::{Error, Result};

const HELP: &str = "\
Usage: bartizan-minivmm [OPTION]...
Starts a process that holds a real KVM VM and looks like a VMM; prints its pid; ends it on SIGINT or SIGTERM.

  --guest NAME    idle, timer, spin, exit_storm, mmio_storm, memory_touch (default idle)
  --shape NAME    qemu-system-x86_64, firecracker, cloud-hypervisor, crosvm, unknown-vmm
  --name NAME     the VM's name
  --uuid UUID     the VM's UUID
  --vcpus N       number of vCPUs (default 1)
  --memory MIB    guest memory (default 16)
  --threads N     further threads that sleep (default 0)
  --stats-fds     hold each vCPU's statistics fd, as QEMU does from 8.1 on
  --not-running   make the vCPUs but do not run them
  --without-kvm   only look like a VMM
";

fn main() -> ExitCode {
    match run(Words::of_this_process()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bartizan-minivmm: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut words: Words) -> Result<()> {
    let mut builder = MiniVmm::builder().memory_mib(16);
    while let Some(option) = words.word() {
        let unknown = |name: String| Error::new(option.as_str(), format!("'{name}' is unknown; see --help"));
        builder = match option.as_str() {
            "--help" | "-h" => {
                print!("{HELP}");
                return Ok(());
            }
            "--guest" => {
                let name = words.text(&option)?;
                builder.guest(Guest::from_name(&name).ok_or_else(|| unknown(name))?)
            }
            "--shape" => {
                let name = words.text(&option)?;
                builder.shape(Shape::from_program(&name).ok_or_else(|| unknown(name))?)
            }
            "--name" => builder.name(words.text(&option)?),
            "--uuid" => builder.uuid(words.text(&option)?),
            "--vcpus" => builder.vcpus(words.number(&option)?),
            "--memory" => builder.memory_mib(words.number(&option)?),
            "--threads" => builder.other_threads(words.number(&option)?),
            "--stats-fds" => builder.stats_fds(),
            "--not-running" => builder.not_running(),
            "--without-kvm" => builder.without_kvm(),
            _ => return Err(Error::new(option, "unknown option; see --help")),
        };
    }
    let signals = block_signals()?;
    let vm = builder.start()?;
    println!("{}", vm.pid());
    wait_for_the_end(&signals)
}
