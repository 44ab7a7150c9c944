//! `bartizan record`: values to a trace, or files to a folder.

use crate::cli::{Common, RecordArgs};
use crate::exit::{Code, Failure};
use crate::signals::{Request, Signals};
use crate::view::live::host_name;
use crate::view::{rates, units};
use crate::watch::{Watch, configure, look, raise_descriptor_limit};
use bartizan_core::trace::{RecordError, Recorder, record_tree};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often it is looked whether a tick was completed, of an interval.
const LOOKS_PER_INTERVAL: u32 = 10;

pub(super) fn run(common: &Common, args: &RecordArgs) -> Result<(), Failure> {
    match (&args.tree, &args.out) {
        (Some(folder), _) => tree(common, folder),
        (None, Some(file)) => trace(common, file, *args.duration),
        (None, None) => Err(Failure::new(Code::Usage, "say --out TRACE or --tree DIR")),
    }
}

fn tree(common: &Common, folder: &Path) -> Result<(), Failure> {
    let config = configure(common)?;
    let roots = config.roots.clone();
    let reader = look(config, |_| {})?;
    let vms: Vec<_> = reader.vms().iter().map(|vm| vm.as_ref().clone()).collect();
    let report = record_tree(&roots, &vms, folder).map_err(|error| Failure::output(folder, &error))?;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "copied {} files ({}) of the host and {} VMs; {} could not be read, {} cut, {} left out",
        report.files,
        size(report.bytes),
        vms.len(),
        report.unreadable,
        report.cut,
        report.left_out
    )?;
    writeln!(out, "look at it with: bartizan --root {} run", folder.display())?;
    Ok(())
}

fn trace(common: &Common, file: &Path, duration: Duration) -> Result<(), Failure> {
    let signals = Signals::block()?;
    let config = configure(common)?;
    raise_descriptor_limit();
    let out = File::options()
        .write(true)
        .create_new(true)
        .open(file)
        .map_err(|error| Failure::output(file, &error))?;
    let failed = |error: &RecordError| Failure::new(Code::Io, format!("{}: {error}", file.display()));
    let mut watch = Watch::prepare(config)?;
    let host = host_name(watch.reader());
    // Made before the first tick, so that a replay sees everything from the beginning.
    let mut recorder = Recorder::new(BufWriter::new(out), watch.reader().clone(), Some(host))
        .map_err(|error| failed(&error))?;
    watch.begin()?;
    let end = Instant::now().checked_add(duration);
    let interval = Duration::from_millis(u64::from(watch.reader().config().sampling.interval_ms));
    while end.is_none_or(|end| Instant::now() < end) {
        recorder.capture().map_err(|error| failed(&error))?;
        // Nobody else takes them, and a full ring would count them as lost.
        while watch.reader().alerts().next().is_some() {}
        let timeout = PollTimeout::try_from((interval / LOOKS_PER_INTERVAL).as_millis() + 1);
        let _ =
            poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], timeout.unwrap_or(PollTimeout::MAX));
        if signals.next() == Some(Request::Stop) {
            break;
        }
    }
    watch.stop();
    recorder.capture().map_err(|error| failed(&error))?;
    let (written, bytes) = recorder.written();
    recorder.finish().map_err(|error| failed(&error))?;
    writeln!(
        io::stdout().lock(),
        "recorded {} ticks ({}), {} missed; judge them again with: bartizan replay {}",
        written.ticks,
        size(bytes),
        written.ticks_missed,
        file.display()
    )?;
    Ok(())
}

fn size(bytes: u64) -> String {
    units::bytes(rates::float(i64::try_from(bytes).unwrap_or(i64::MAX)))
}
