//! Injects faults into real VMs while the unchanged agent watches, and prints what it said.
//!
//! ```text
//! faults [--repetitions N] [--seed N] [--short]
//! ```
//! Needs root, KVM and QEMU. A run takes a quarter of an hour to learn what is usual and about half a minute a fault
//! and repetition. `--short` injects what needs nothing learned, in less than a minute. Exits with 1 when a goal is missed.

use bartizan_benches::faults::Dice;
use bartizan_benches::faults::leaks::{self, Leak, Resource};
use bartizan_benches::faults::report::{self, COVERAGE_MIN, DELAY_SAMPLES_MAX, DETECTED_MIN};
use bartizan_benches::faults::stage::{Beside, Stage};
use bartizan_benches::faults::steps::{Fault, Victim};
use bartizan_core::sampling::metrics::agent;
use std::process::ExitCode;
use std::time::Duration;

/// Rules that learn take ten minutes before they speak.
const LEARN: Duration = Duration::from_secs(620);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = match words.first().map(String::as_str) {
        Some("--leak") => leaks::leak(&words[1..]).map(|()| true),
        _ => options(&words).and_then(|options| run(&options)),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("faults: {problem}");
            ExitCode::from(2)
        }
    }
}

struct Options {
    repetitions: u64,
    seed: u64,
    short: bool,
}

fn options(words: &[String]) -> Result<Options, String> {
    let mut options = Options { repetitions: 4, seed: 1, short: false };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number =
            || words.next().and_then(|word| word.parse().ok()).ok_or(format!("{word} wants a number"));
        match word.as_str() {
            "--repetitions" => options.repetitions = number()?,
            "--seed" => options.seed = number()?,
            "--short" => options.short = true,
            _ => return Err("usage: faults [--repetitions N] [--seed N] [--short]".into()),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<bool, String> {
    if let Some(missing) = bartizan_testkit::qemu::missing() {
        return Err(missing);
    }
    let mut dice = Dice::new(options.seed);
    let faults = if options.short { Fault::QUICK.as_slice() } else { &Fault::ALL };
    let resources = if options.short { [].as_slice() } else { &Resource::ALL };
    let mut victims = faults.iter().map(|fault| Victim::start(*fault)).collect::<Result<Vec<_>, _>>()?;
    let mut leaks = resources.iter().map(|resource| Leak::start(*resource)).collect::<Result<Vec<_>, _>>()?;
    let mut stage = Stage::start()?;
    stage.wait_for_vms(victims.len() + leaks.len())?;
    if options.short {
        short(&mut stage, &mut victims, &mut leaks, &mut dice)
    } else {
        full(options, &mut stage, &mut victims, &mut leaks, &mut dice)
    }
}

fn beside(leaks: &mut [Leak]) -> Vec<&mut dyn Beside> {
    leaks.iter_mut().map(|leak| leak as &mut dyn Beside).collect()
}

/// Quiet time, with a burst of work now and then.
fn rest(
    stage: &mut Stage,
    victims: &[Victim],
    leaks: &mut [Leak],
    dice: &mut Dice,
    time: Duration,
) -> Result<(), String> {
    let mut left = time;
    while !left.is_zero() {
        let part = left.min(Duration::from_secs(5));
        stage.pass(part, &mut beside(leaks), |_| false)?;
        left -= part;
        let victim = usize::try_from(dice.below(victims.len() as u64)).unwrap_or(0);
        victims[victim].burst(dice)?;
    }
    Ok(())
}

fn full(
    options: &Options,
    stage: &mut Stage,
    victims: &mut [Victim],
    leaks: &mut [Leak],
    dice: &mut Dice,
) -> Result<bool, String> {
    println!(
        "learning for {} s: {} VMs, seed {}",
        LEARN.as_secs(),
        victims.len() + leaks.len(),
        options.seed
    );
    rest(stage, victims, leaks, dice, LEARN)?;
    let mut outcomes = Vec::new();
    let mut leaked_from = vec![stage.tick(); leaks.len()];
    for repetition in 1..=options.repetitions {
        let mut order: Vec<usize> = (0..victims.len()).collect();
        dice.shuffle(&mut order);
        for index in order {
            for (leak, from) in leaks.iter_mut().zip(&mut leaked_from) {
                if !leak.is_running() {
                    // What is still said of the one before belongs to it.
                    stage.excuse(leak.name(), *from, stage.tick());
                    *from = stage.tick();
                    leak.begin(dice)?;
                }
            }
            let outcome = victims[index].inject(stage, &mut beside(leaks), Duration::from_secs(5))?;
            println!("{repetition}: {} {:?} {:?}", outcome.fault.name(), outcome.delay_ticks, outcome.rules);
            outcomes.push(outcome);
            let quiet = Duration::from_secs(10 + dice.below(10));
            rest(stage, victims, leaks, dice, quiet)?;
        }
    }
    while leaks.iter().any(Leak::is_running) {
        rest(stage, victims, leaks, dice, Duration::from_secs(5))?;
    }
    rest(stage, victims, leaks, dice, Duration::from_secs(20))?;
    for (leak, from) in leaks.iter().zip(leaked_from) {
        stage.excuse(leak.name(), from, stage.tick());
    }
    let foretold: Vec<_> = leaks.iter().flat_map(|leak| leak.foretold.iter().copied()).collect();
    let (table, detected, delay_samples) = report::steps(&outcomes);
    println!("\n{table}");
    let (table, in_time, coverage) = report::predictions(&foretold);
    println!("{table}");
    let (of_vms, of_host) = stage.false_alarms();
    println!(
        "watched for {} min; alerts that no fault explains: {}",
        stage.watched().as_secs() / 60,
        of_vms.len()
    );
    for alert in of_vms.iter().chain(&of_host) {
        println!("  tick {} {}: {}", alert.tick, alert.rule, alert.message);
    }
    println!("(of these {} about the host, which others use too)", of_host.len());
    for (name, metric) in [
        ("made", agent::PREDICTIONS_MADE),
        ("true", agent::PREDICTIONS_TRUE),
        ("within their interval", agent::PREDICTIONS_IN_INTERVAL),
        ("false", agent::PREDICTIONS_FALSE),
        ("missed", agent::PREDICTIONS_MISSED),
    ] {
        println!("the agent's own account of its predictions, {name}: {:?}", stage.agent_metric(metric));
    }
    let goals = [
        ("detected", detected >= DETECTED_MIN),
        ("median delay", delay_samples <= DELAY_SAMPLES_MAX),
        ("foretold at least 60 s ahead", in_time >= DETECTED_MIN),
        ("intervals that held", coverage >= COVERAGE_MIN),
    ];
    for (goal, is_met) in goals {
        println!("{goal}: {}", if is_met { "met" } else { "MISSED" });
    }
    Ok(goals.iter().all(|(_, is_met)| *is_met))
}

/// What needs nothing learned. Leaks need more than a minute to be foretold.
fn short(
    stage: &mut Stage,
    victims: &mut [Victim],
    leaks: &mut [Leak],
    dice: &mut Dice,
) -> Result<bool, String> {
    rest(stage, victims, leaks, dice, Duration::from_secs(10))?;
    let mut outcomes = Vec::new();
    for victim in victims.iter_mut() {
        outcomes.push(victim.inject(stage, &mut beside(leaks), Duration::from_secs(1))?);
    }
    let (table, detected, delay_samples) = report::steps(&outcomes);
    println!("{table}");
    Ok(detected >= DETECTED_MIN && delay_samples <= 5.0)
}
