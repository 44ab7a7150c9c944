//! Runs the shipped detectors, unchanged and with their shipped thresholds, over folders of labelled data.
//!
//! ```text
//! evaluate [--nab DIR [--peer DIR]...]... [--servers DIR]... [--out DIR]
//! ```
//! Prints one table, with what a sample cost. `--peer` scores another detector on the same series, from a folder of
//! scores as `--out` writes them, with the threshold that is best for it. With `--out`, the score of every sample is written too, in the formats that the scorers of these
//! data read: `nab/CATEGORY/NAME.csv` and `servers/NAME.scores.csv`.

use bartizan_benches::cpu::thread_ns;
use bartizan_benches::evaluate::nab::{self, PROFILES, Series};
use bartizan_benches::evaluate::peers::best;
use bartizan_benches::evaluate::servers::{self, Server};
use bartizan_core::detection::streaming::{ALARM_SCORE, Multivariate, Univariate};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

const MINUTE_NS: u64 = 60_000_000_000;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("evaluate: {problem}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Options {
    nab: Vec<PathBuf>,
    peers: Vec<PathBuf>,
    servers: Vec<PathBuf>,
    out: Option<PathBuf>,
}

fn run() -> Result<(), String> {
    let options = options()?;
    for folder in &options.nab {
        evaluate_nab(folder, &options.peers, options.out.as_deref())?;
    }
    for folder in &options.servers {
        evaluate_servers(folder, options.out.as_deref())?;
    }
    Ok(())
}

fn options() -> Result<Options, String> {
    let mut options = Options::default();
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        let mut folder = || words.next().map(PathBuf::from).ok_or_else(|| format!("{word} wants a folder"));
        match word.as_str() {
            "--nab" => options.nab.push(folder()?),
            "--peer" => options.peers.push(folder()?),
            "--servers" => options.servers.push(folder()?),
            "--out" => options.out = Some(folder()?),
            _ => {
                return Err(
                    "usage: evaluate [--nab DIR [--peer DIR]...]... [--servers DIR]... [--out DIR]".into()
                );
            }
        }
    }
    Ok(options)
}

fn evaluate_nab(folder: &Path, peers: &[PathBuf], out: Option<&Path>) -> Result<(), String> {
    let mut by_category = BTreeMap::<String, nab::Tally>::new();
    let mut total = nab::Tally::default();
    let all = nab::load(folder)?;
    let (mut cost_ns, mut samples) = (0, 0);
    for series in &all {
        let before_ns = thread_ns();
        let scores = scores(series);
        cost_ns += thread_ns() - before_ns;
        samples += series.values.len() as u64;
        let alarms: Vec<usize> = (0..scores.len()).filter(|row| scores[*row] >= ALARM_SCORE).collect();
        let tally = series.tally(&alarms);
        let category = series.name.split('/').next().unwrap_or_default().to_owned();
        let sum = by_category.entry(category).or_default();
        *sum = sum.with(tally);
        total = total.with(tally);
        if let Some(out) = out {
            write_nab(&out.join("nab").join(&series.name), series, &scores)?;
        }
    }
    println!("series, by category: shipped threshold {ALARM_SCORE}");
    println!(
        "{:24}{:>9}{:>8}{:>8}{:>9}{:>7}{:>7}",
        "", "standard", "low FP", "low FN", "windows", "found", "false"
    );
    for (name, tally) in
        by_category.iter().map(|(name, tally)| (name.as_str(), tally)).chain([("all", &total)])
    {
        let mut line = format!("{name:24}");
        for profile in &PROFILES {
            let score = tally.score(profile).map_or_else(|| "-".into(), |score| format!("{score:.2}"));
            let _ = write!(line, "{score:>8} ");
        }
        println!("{line}{:>8}{:>7}{:>7}", tally.windows, tally.found, tally.false_alarms);
    }
    println!("CPU time of a sample: {} ns, over {samples} samples", cost_ns / samples.max(1));
    for peer in peers {
        let (threshold, scores) = best(peer, &all)?;
        let scores = scores.map(|score| score.map_or_else(|| "-".into(), |score| format!("{score:.2}")));
        println!(
            "{}: {} with the threshold that is best here, {threshold:.4}",
            peer.display(),
            scores.join(" / ")
        );
    }
    Ok(())
}

fn scores(series: &Series) -> Vec<f32> {
    let mut detector = Univariate::new();
    let samples = series.times_ns.iter().zip(&series.values);
    samples.map(|(time_ns, value)| detector.observe(*time_ns, *value).score).collect()
}

fn write_nab(path: &Path, series: &Series, scores: &[f32]) -> Result<(), String> {
    let mut text = String::from("timestamp,anomaly_score\n");
    for (stamp, score) in series.stamps.iter().zip(scores) {
        let _ = writeln!(text, "{stamp},{score}");
    }
    write(path, &text)
}

fn evaluate_servers(folder: &Path, out: Option<&Path>) -> Result<(), String> {
    println!("servers, by events: shipped threshold {ALARM_SCORE}");
    println!(
        "{:16}{:>9}{:>8}{:>7}{:>9}{:>8}{:>7}{:>7}",
        "", "precision", "recall", "F1", "FA/1000", "AUC-PR", "events", "found"
    );
    let (mut total, mut areas) = (servers::Tally::default(), Vec::new());
    for server in servers::load(folder)? {
        let scores = row_scores(&server);
        let (tally, area) = (server.tally(&scores, ALARM_SCORE), server.area(&scores));
        print_server(&server.name, &tally, area);
        total = total.with(tally);
        areas.push(area);
        if let Some(out) = out {
            let mut lines = String::new();
            for score in &scores {
                let _ = writeln!(lines, "{score}");
            }
            write(&out.join("servers").join(format!("{}.scores.csv", server.name)), &lines)?;
        }
    }
    let servers = f64::from(u32::try_from(areas.len().max(1)).unwrap_or(u32::MAX));
    print_server("all", &total, areas.iter().sum::<f64>() / servers);
    Ok(())
}

fn print_server(name: &str, tally: &servers::Tally, area: f64) {
    let (precision, recall, f1) = tally.precision_recall_f1();
    println!(
        "{name:16}{precision:>9.3}{recall:>8.3}{f1:>7.3}{:>9.3}{area:>8.3}{:>7}{:>7}",
        tally.false_per_1000(),
        tally.events,
        tally.found
    );
}

/// These data are published with every channel scaled to 0 to 1: its full scale. The train part is only watched. Rows
/// carry no time; they follow each other every minute, in the Application Server Dataset (`omi-`) every five.
fn row_scores(server: &Server) -> Vec<f32> {
    let channels = server.test.first().map_or(0, Vec::len);
    let mut detector = Multivariate::new(&vec![1.0; channels]);
    let step_ns = if server.name.starts_with("omi-") { 5 * MINUTE_NS } else { MINUTE_NS };
    let rows = server.train.iter().chain(&server.test);
    let mut scores: Vec<f32> =
        rows.zip(0u64..).map(|(row, number)| detector.observe(number * step_ns, row).score).collect();
    scores.split_off(server.train.len())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    path.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}
