//! Run by an ordinary user, the agent sees less, and says what it lacks.

use bartizan_core::config::Config;
use bartizan_core::engine::Agent;
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::metrics::Source;
use bartizan_core::sys::clock::Clock;
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::{fork, skip};
use nix::unistd::{Gid, Uid, geteuid, setgid, setgroups, setuid};

/// Becomes nobody, looks for the VM, and says whether what it saw is what an ordinary user can see.
fn sees_what_it_may(pid: i32) -> Result<(), String> {
    const NOBODY: u32 = 65_534;
    setgroups(&[]).map_err(|errno| format!("setgroups: {errno}"))?;
    setgid(Gid::from_raw(NOBODY)).map_err(|errno| format!("setgid: {errno}"))?;
    setuid(Uid::from_raw(NOBODY)).map_err(|errno| format!("setuid: {errno}"))?;
    let agent = Agent::new(Config::default(), Clock::System).map_err(|error| error.to_string())?;
    agent.maintain().map_err(|error| error.to_string())?;
    agent.step().map_err(|error| error.to_string())?;
    let vms = agent.reader().vms();
    let vm = vms.iter().find(|vm| vm.pid == pid).ok_or("the VM was not found")?;
    if vm.name != "visible" || vm.vcpus.len() != 2 {
        return Err(format!("found {} with {} vCPUs", vm.name, vm.vcpus.len()));
    }
    let sources = agent.reader().sources(Some(vm.entity));
    let closed = sources
        .iter()
        .find(|report| report.source == Source::Descriptors)
        .ok_or_else(|| format!("nothing is said of descriptors: {sources:?}"))?;
    if closed.availability != Availability::Denied || !closed.reason.contains("CAP_SYS_PTRACE") {
        return Err(format!("{closed:?}"));
    }
    // What needs no privilege works.
    let run = bartizan_core::sampling::metrics::vcpu::RUN;
    match agent.reader().read(vm.vcpus[0].entity, run).availability {
        Availability::Ok => Ok(()),
        other => Err(format!("the vCPU's run time is {}", other.name())),
    }
}

#[test]
fn a_vm_of_another_user_is_found_and_what_is_closed_is_said() {
    if let Some(reason) = minivmm::missing() {
        skip!("{reason}");
    }
    if !geteuid().is_root() {
        skip!("only root can become another user");
    }
    let vm = MiniVmm::builder().name("visible").vcpus(2).start().expect("a VM");
    let pid = i32::try_from(vm.pid()).expect("a pid");
    let good = fork::in_child(|| match sees_what_it_may(pid) {
        Ok(()) => true,
        Err(error) => {
            eprintln!("as nobody: {error}");
            false
        }
    });
    assert_eq!(good.map_err(|error| error.to_string()), Ok(true));
}
