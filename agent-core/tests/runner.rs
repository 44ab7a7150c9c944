//! The agent on its own threads: it starts, stops in time, is stopped again, survives a fork, and takes up a new
//! configuration.

use bartizan_core::config::{Config, Roots};
use bartizan_core::engine::{Agent, AgentState, RunnerError};
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::metrics::agent;
use bartizan_core::sys::clock::Clock;
use bartizan_testkit::{fork, proc};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_mins(1);

fn config(interval_ms: u32) -> Config {
    let mut config = Config::default();
    config.sampling.interval_ms = interval_ms;
    // Tracepoints take the kernel a second to open and to close.
    config.sampling.perf_events = false;
    config
}

fn agent(interval_ms: u32) -> Agent {
    Agent::new(config(interval_ms), Clock::System).expect("an agent")
}

fn ticks(agent: &Agent) -> u64 {
    agent.reader().tick().number
}

/// This process's threads of the agent, and whether each blocks every signal that can be blocked.
fn own_threads() -> Vec<(String, bool)> {
    let threads = proc::threads(std::process::id()).expect("threads");
    let named = threads.into_iter().filter(|thread| thread.comm.starts_with("btz-"));
    named
        .map(|thread| {
            let status =
                std::fs::read_to_string(format!("/proc/self/task/{}/status", thread.tid)).unwrap_or_default();
            let mask =
                status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap_or("0").trim().to_owned();
            let mask = u64::from_str_radix(&mask, 16).unwrap_or(0);
            // SIGKILL and SIGSTOP cannot be blocked; 32 and 33 belong to the C library.
            let unblockable = 1 << 8 | 1 << 18 | 1 << 31 | 1 << 32;
            (thread.comm, mask | unblockable == u64::MAX)
        })
        .collect()
}

// One test, since threads of this process are counted.
#[test]
fn it_runs_on_three_threads_that_block_signals_and_stops_and_starts_again() {
    let mut agent = agent(20);
    assert_eq!(agent.state(), AgentState::Idle);
    agent.start().expect("start");
    assert_eq!(agent.state(), AgentState::Running);
    assert_eq!(agent.start(), Err(RunnerError::Running));
    assert_eq!(agent.step(), Err(RunnerError::Running));
    assert_eq!(agent.maintain(), Err(RunnerError::Running));
    assert!(proc::wait_until(LONG, || ticks(&agent) >= 5));
    let threads = own_threads();
    assert_eq!(threads.len(), 3, "{threads:?}");
    assert!(threads.iter().all(|(_, blocked)| *blocked), "{threads:?}");

    agent.stop(LONG).expect("stop");
    assert_eq!((agent.state(), own_threads().len()), (AgentState::Idle, 0));
    agent.stop(Duration::ZERO).expect("stopping what is stopped is no error");
    let before = ticks(&agent);
    agent.step().expect("the host may drive it now");
    assert_eq!(ticks(&agent), before + 1);
    agent.start().expect("start again");
    assert!(proc::wait_until(LONG, || ticks(&agent) >= before + 5));
    drop(agent);
    assert_eq!(own_threads().len(), 0, "dropping stops");

    stop_wakes_a_sleeper();
    a_fork_leaves_the_child_alone();
    a_new_configuration_is_taken_up();
}

/// An interval of a minute does not make stopping take a minute.
fn stop_wakes_a_sleeper() {
    let mut agent = agent(60_000);
    agent.start().expect("start");
    assert!(proc::wait_until(LONG, || ticks(&agent) >= 1));
    let began = Instant::now();
    agent.stop(LONG).expect("stop");
    assert!(began.elapsed() < Duration::from_secs(50), "{:?}", began.elapsed());
    assert_eq!(ticks(&agent), 1);
}

/// In the child everything is refused, and dropping the agent waits for nobody; the parent's goes on.
fn a_fork_leaves_the_child_alone() {
    let mut agent = agent(20);
    agent.start().expect("start");
    assert!(!agent.forked() && !agent.reader().forked());
    let mut of_child = Some(agent);
    let good = fork::in_child(|| {
        let Some(mut agent) = of_child.take() else { return false };
        let refused = agent.forked()
            && agent.reader().forked()
            && agent.step() == Err(RunnerError::Forked)
            && agent.maintain() == Err(RunnerError::Forked)
            && agent.start() == Err(RunnerError::Forked)
            && agent.stop(LONG) == Err(RunnerError::Forked)
            && agent.reload(config(20)) == Err(RunnerError::Forked);
        drop(agent);
        refused
    });
    assert_eq!(good.map_err(|error| error.to_string()), Ok(true));
    let mut agent = of_child.expect("the parent's agent");
    let before = ticks(&agent);
    assert!(proc::wait_until(LONG, || ticks(&agent) >= before + 3));
    agent.stop(LONG).expect("stop");
}

fn a_new_configuration_is_taken_up() {
    let mut agent = agent(60_000);
    agent.start().expect("start");
    assert!(proc::wait_until(LONG, || ticks(&agent) >= 1));
    let mut roots = config(20);
    roots.roots = Roots::below(std::path::Path::new("/elsewhere"));
    assert_eq!(agent.reload(roots), Err(RunnerError::NeedsRestart("roots")));
    let mut limits = config(20);
    limits.limits.vms += 1;
    assert_eq!(agent.reload(limits), Err(RunnerError::NeedsRestart("limits")));
    assert_eq!(agent.reader().config().sampling.interval_ms, 60_000, "what is refused changes nothing");

    agent.reload(config(20)).expect("reload");
    assert!(proc::wait_until(LONG, || agent.reader().config().sampling.interval_ms == 20));
    // The sampler sleeps through its old interval unless it is woken.
    assert!(proc::wait_until(LONG, || ticks(&agent) >= 5), "{} ticks", ticks(&agent));
    agent.stop(LONG).expect("stop");
}

#[test]
fn a_host_that_drives_it_itself_is_not_late_for_starting_late() {
    let agent = agent(10);
    std::thread::sleep(Duration::from_millis(50));
    agent.step().expect("step");
    let own = |metric| agent.reader().read(Entity::AGENT, metric).value;
    assert_eq!((own(agent::TICKS_MISSED), own(agent::TICK_LATENESS)), (0, 0));
    agent.step().expect("step");
    assert!(agent.next_deadline_ns().is_some());
}
