//! Runs a herd of VM-shaped processes until it is interrupted (see `testkit::herd`).

use std::process::ExitCode;

use bartizan_testkit::cli::{Words, block_signals, wait_for_the_end};
use bartizan_testkit::guest::Guest;
use bartizan_testkit::herd::Herd;
use bartizan_testkit::{Error, Result};

const HELP: &str = "\
Usage: bartizan-herd COUNT [OPTION]...
Starts COUNT processes that look like QEMU; prints 'ready' and then their pids, one a line; ends all of them
on SIGINT or SIGTERM.

  --threads N          threads of each process (default 6)
  --kvm                each holds a real KVM VM with its vCPUs
  --stats-fds          each keeps its vCPUs' statistics fds too, as QEMU does from 8.1 on
  --guest NAME         each runs this guest: idle, timer, spin, ...
  --busy PERMILLE US   so many of 1000 threads burn US microseconds each second
";

fn main() -> ExitCode {
    match run(Words::of_this_process()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bartizan-herd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut words: Words) -> Result<()> {
    let count = match words.word().as_deref() {
        None | Some("--help" | "-h") => {
            print!("{HELP}");
            return Ok(());
        }
        Some(text) => text.parse().map_err(|_| Error::new("COUNT", format!("'{text}' is not a number")))?,
    };
    let mut builder = Herd::builder(count);
    while let Some(option) = words.word() {
        builder = match option.as_str() {
            "--threads" => builder.threads(words.number(&option)?),
            "--kvm" => builder.kvm(),
            "--stats-fds" => builder.stats_fds(),
            "--guest" => {
                let name = words.text(&option)?;
                let unknown = || Error::new(option.as_str(), format!("'{name}' is unknown"));
                builder.guest(Guest::from_name(&name).ok_or_else(unknown)?)
            }
            "--busy" => {
                let permille = words.number(&option)?;
                builder.busy(permille, words.number(&option)?)
            }
            _ => return Err(Error::new(option, "unknown option; see --help")),
        };
    }
    let signals = block_signals()?;
    let herd = builder.start()?;
    println!("ready");
    for pid in herd.pids() {
        println!("{pid}");
    }
    wait_for_the_end(&signals)
}
