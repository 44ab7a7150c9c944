//! The command line.

use crate::exit;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Watches a hypervisor host and its virtual machines.
///
/// Without configuration it watches this host: what the kernel tells, every VM it finds, and what is wrong with them.
#[derive(Debug, Parser)]
#[command(name = "bartizan", version, disable_version_flag = true, after_help = exit::HELP, max_term_width = 100)]
#[command(subcommand_required = false, arg_required_else_help = false)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options that every command takes.
    #[command(flatten)]
    pub common: Common,
    /// Print the version; with --json as one object
    #[arg(short = 'V', long, exclusive = false)]
    pub version: bool,
    /// With --version: print one JSON object
    #[arg(long, requires = "version", hide_short_help = true)]
    pub json: bool,
}

/// Options that every command takes.
#[derive(Args, Clone, Debug, Default)]
pub struct Common {
    /// Configuration file [default: /etc/bartizan/bartizan.toml and conf.d/*.toml beside it, where they exist]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Look at a recorded host below this folder instead of this one
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Time between two samples, such as 1s or 250ms [default: 1s, or what the configuration says]
    #[arg(short, long, global = true, value_name = "TIME")]
    pub interval: Option<humantime::Duration>,
    /// When to use colours; `NO_COLOR` in the environment is respected
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorWhen,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch the host: live on a terminal, JSON lines otherwise
    Run(RunArgs),
    /// Watch the host on a full screen
    Top(TopArgs),
    /// List the virtual machines
    Vms(JsonFlag),
    /// List every metric there is
    Metrics(MetricsArgs),
    /// Show values now: of one metric, or of all
    #[command(alias = "read")]
    Show(ShowArgs),
    /// Show how each source is read, and why not better
    Sources(JsonFlag),
    /// List the rules of detection
    Rules(JsonFlag),
    /// Check isolation and configuration of the host and its VMs; exits with 1 when something is wrong
    Check(CheckArgs),
    /// Explain a check: why it matters, what is expected, how it is put right
    Explain(ExplainArgs),
    /// Answer for a finding, for the value it has now and until a day
    Waive(WaiveArgs),
    /// List the incidents of the daemon that runs, the newest first
    Incidents(IncidentsArgs),
    /// Show an incident, or take a step with it: ack, contain, recover, close, reopen
    #[command(subcommand)]
    Incident(IncidentCommand),
    /// Hold back for a time what will begin: add, list, end
    #[command(subcommand)]
    Silence(SilenceCommand),
    /// List what was done about incidents, or waits for somebody's word, the newest first
    Responses(ResponsesArgs),
    /// Give one's word about a response: approve, decline, end
    #[command(subcommand)]
    Response(ResponseCommand),
    /// Show who holds what of this host and its VMs: parties, mechanisms, work that is under way
    Claims(HeldArgs),
    /// Show which mechanisms and parties are in each other's way, and who prevails; exits with 1 when some are
    Conflicts(ConflictsArgs),
    /// Check a configuration; exits with 78 when it is wrong
    CheckConfig(CheckConfigArgs),
    /// Record this host: its values to a trace, or its files to a folder
    Record(RecordArgs),
    /// Judge a recorded trace again, by the same code
    Replay(ReplayArgs),
    /// Explain an alert of a recorded trace: what was seen and what was expected, as a plot
    ExplainAlert(ExplainAlertArgs),
    /// Show what other settings would have said about a recorded trace
    Tune(TuneArgs),
    /// Verify that a ledger is as it was recorded, by its files and a public key alone
    Verify(VerifyArgs),
    /// Look into a ledger by its files: its public key, its records, proofs; or set a damaged one aside
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    Man {
        /// The folder to write them to
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// `bartizan run`.
#[derive(Args, Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct RunArgs {
    /// Write JSON lines, on a terminal too
    #[arg(long)]
    pub json: bool,
    /// Write alerts and changes of state only, no samples
    #[arg(short, long)]
    pub quiet: bool,
    /// Stop after this time, such as 30s
    #[arg(short, long, value_name = "TIME")]
    pub duration: Option<humantime::Duration>,
    /// Record alerts, findings and configurations, durably and signed, in this folder before they are said
    /// [default: what the configuration says, or `ledger` in the service's state directory]
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<PathBuf>,
    /// Wait while another agent is active in this folder, and take over when it ends
    #[arg(long)]
    pub standby: bool,
    /// With --standby: end an active agent that has not sampled for this time, to take over from it; 0s: never
    #[arg(long, requires = "standby", value_name = "TIME", default_value = "10s")]
    pub fence_after: Option<humantime::Duration>,
    /// Do not start with the last good configuration when today's is wrong
    #[arg(long)]
    pub strict_config: bool,
    #[command(flatten)]
    /// Where metrics are served.
    pub serve: ServeArgs,
}

/// Where metrics are served.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeArgs {
    /// Serve /metrics, /healthz and /readyz on this TCP address too, such as 127.0.0.1:9469
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Vec<std::net::SocketAddr>,
    /// Let --listen take an address that other machines can reach
    #[arg(long, requires = "listen")]
    pub listen_publicly: bool,
    /// Serve them on this Unix socket [default: /run/bartizan/metrics.sock where it can be made]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Serve on no Unix socket
    #[arg(long, conflicts_with = "socket")]
    pub no_socket: bool,
}

/// `bartizan top`.
#[derive(Args, Clone, Debug, Default)]
pub struct TopArgs {
    /// Sort by this column at first
    #[arg(long, value_name = "COLUMN", default_value = "hurt")]
    pub sort: crate::top::SortBy,
    /// Show only VMs whose name, tenant or UUID contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub filter: String,
}

/// Commands that can write JSON.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct JsonFlag {
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `bartizan metrics`.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct MetricsArgs {
    /// Write JSON
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Write the Markdown page that docs/metrics.md is
    #[arg(long)]
    pub markdown: bool,
}

/// `bartizan show`.
#[derive(Args, Clone, Debug, Default)]
pub struct ShowArgs {
    /// The metric, such as `vm_state` or `vm_*`; everything when left out
    pub metric: Option<String>,
    /// The entity: the name of a VM, a device, a CPU; all when left out
    pub entity: Option<String>,
    /// Write JSON lines
    #[arg(long)]
    pub json: bool,
}

/// `bartizan check`.
#[derive(Args, Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct CheckArgs {
    /// Checks to show, such as `vmm.uid-nonroot` or `cpu.*`; all when left out
    pub rules: Vec<String>,
    /// Only this VM, by name, UUID or PID; may be given several times
    #[arg(long, value_name = "VM")]
    pub vm: Vec<String>,
    /// Only checks of at least this severity: info, low, medium, high, critical
    #[arg(long, value_name = "SEVERITY", default_value = "info", value_parser = severity)]
    pub severity: CheckSeverity,
    /// Show what passes and what does not apply, too
    #[arg(short, long)]
    pub all: bool,
    /// Exit with 2 when something could not be judged
    #[arg(long)]
    pub strict: bool,
    /// Write JSON lines, one for each finding, whatever its verdict
    #[arg(long, group = "form")]
    pub json: bool,
    /// Write a SARIF 2.1.0 log
    #[arg(long, group = "form")]
    pub sarif: bool,
    /// Write one HTML page that needs nothing else
    #[arg(long, group = "form")]
    pub html: bool,
    /// List the checks, and run none
    #[arg(short, long, conflicts_with_all = ["sarif", "html", "all", "strict"])]
    pub list: bool,
    /// With --list: write the Markdown page that docs/checks-catalogue.md is
    #[arg(long, requires = "list", group = "form")]
    pub markdown: bool,
    /// Save every fact as a baseline to this file
    #[arg(long, value_name = "FILE")]
    pub save_baseline: Option<PathBuf>,
    /// Show which facts have drifted from this baseline instead; exits with 1 when some have
    #[arg(long, value_name = "FILE", conflicts_with_all = ["form", "all", "list"])]
    pub drift: Option<PathBuf>,
}

/// The severity of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckSeverity(pub bartizan_core::checks::Severity);

impl Default for CheckSeverity {
    fn default() -> Self {
        Self(bartizan_core::checks::Severity::Info)
    }
}

fn severity(text: &str) -> Result<CheckSeverity, String> {
    use bartizan_core::checks::Severity;
    let known = || Severity::ALL.map(Severity::name).join(", ");
    Severity::from_name(text).map(CheckSeverity).ok_or_else(|| format!("it is one of {}", known()))
}

/// `bartizan claims`, and what `bartizan conflicts` shares with it.
#[derive(Args, Clone, Debug, Default)]
pub struct HeldArgs {
    /// A file of claims (TOML) to look at together with what is found; may be given several times
    #[arg(long, value_name = "FILE")]
    pub policy: Vec<PathBuf>,
    /// Write JSON lines
    #[arg(long)]
    pub json: bool,
}

/// `bartizan conflicts`.
#[derive(Args, Clone, Debug, Default)]
pub struct ConflictsArgs {
    /// What is looked at.
    #[command(flatten)]
    pub held: HeldArgs,
    /// Show what is worth knowing and no mistake, too: exceptions, rules whose order decides
    #[arg(short, long)]
    pub all: bool,
    /// Exit with 2 when nothing is in conflict, but not everything could be looked at
    #[arg(long)]
    pub strict: bool,
}

/// `bartizan explain`.
#[derive(Args, Clone, Debug, Default)]
pub struct ExplainArgs {
    /// The check, such as `vmm.uid-nonroot`
    pub rule: String,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `bartizan waive`.
#[derive(Args, Clone, Debug, Default)]
pub struct WaiveArgs {
    /// The check, such as `cpu.smt-policy`
    pub rule: String,
    /// The VM, by name, UUID or PID; the host when left out
    #[arg(long, value_name = "VM")]
    pub vm: Option<String>,
    /// Who answers for it
    #[arg(long, value_name = "WHO")]
    pub owner: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The last day it holds, such as 2027-03-31 (UTC)
    #[arg(long, value_name = "DAY")]
    pub until: String,
    /// Where it was decided
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub ticket: String,
}

/// Where the daemon that runs is asked.
#[derive(Args, Clone, Debug, Default)]
pub struct SocketArgs {
    /// The daemon's Unix socket [default: /run/bartizan/metrics.sock]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

/// `bartizan incidents`.
#[derive(Args, Clone, Debug, Default)]
pub struct IncidentsArgs {
    /// Closed ones, too
    #[arg(short, long)]
    pub all: bool,
    /// Write JSON lines
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    /// Where the daemon is.
    pub socket: SocketArgs,
}

/// `bartizan incident`.
#[derive(Clone, Debug, Subcommand)]
pub enum IncidentCommand {
    /// Show one, with its conditions and its evidence
    Show {
        /// Its number
        id: u64,
        /// Write JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        /// Where the daemon is.
        socket: SocketArgs,
    },
    /// Take it on
    Ack(StepArgs),
    /// It no longer spreads: --note says what was done
    Contain(StepArgs),
    /// What it hurt is well again: --note says how that is known
    Recover(StepArgs),
    /// It is over, and what it teaches is written down
    Close(CloseArgs),
    /// It is not over: --note says why
    Reopen(StepArgs),
}

/// A step with an incident.
#[derive(Args, Clone, Debug)]
pub struct StepArgs {
    /// The incident's number
    pub id: u64,
    /// What there is to say
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// Who you are [default: the user]
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
    #[command(flatten)]
    /// Where the daemon is.
    pub socket: SocketArgs,
}

/// `bartizan incident close`.
#[derive(Args, Clone, Debug)]
pub struct CloseArgs {
    #[command(flatten)]
    /// The step.
    pub step: StepArgs,
    /// What it was: true-positive, false-positive, benign, test, duplicate, security-risk, suspicious, disregard,
    /// managed-externally, insufficient-data
    #[arg(long, value_name = "VERDICT")]
    pub verdict: String,
    /// Why it came
    #[arg(long, value_name = "TEXT")]
    pub root_cause: String,
    /// What was done
    #[arg(long, value_name = "TEXT")]
    pub response: String,
    /// What came of it
    #[arg(long, value_name = "TEXT")]
    pub outcome: String,
}

/// `bartizan responses`.
#[derive(Args, Clone, Debug, Default)]
pub struct ResponsesArgs {
    /// Those that have ended, too
    #[arg(short, long)]
    pub all: bool,
    /// Write JSON lines
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    /// Where the daemon is.
    pub socket: SocketArgs,
}

/// `bartizan response`.
#[derive(Clone, Debug, Subcommand)]
pub enum ResponseCommand {
    /// It shall be done
    Approve(WordArgs),
    /// It shall not be done: --why says why
    Decline(WordArgs),
    /// What is in force is taken back: --why says why
    End(WordArgs),
}

/// A person's word about a response.
#[derive(Args, Clone, Debug)]
pub struct WordArgs {
    /// The response's number
    pub id: u64,
    /// Why
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    pub why: String,
    /// Who you are [default: the user]
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
    #[command(flatten)]
    /// Where the daemon is.
    pub socket: SocketArgs,
}

/// `bartizan silence`.
#[derive(Clone, Debug, Subcommand)]
pub enum SilenceCommand {
    /// Hold back what will begin and matches all that is given; `*` stands for anything
    Add(SilenceAdd),
    /// List the silences in force
    List {
        /// Write JSON lines
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        /// Where the daemon is.
        socket: SocketArgs,
    },
    /// End one: what it held back and still holds is told
    End {
        /// Its number
        id: u64,
        /// Who you are [default: the user]
        #[arg(long, value_name = "WHO")]
        by: Option<String>,
        #[command(flatten)]
        /// Where the daemon is.
        socket: SocketArgs,
    },
}

/// `bartizan silence add`.
#[derive(Args, Clone, Debug)]
pub struct SilenceAdd {
    /// For how long, such as 2h
    #[arg(long = "for", value_name = "TIME")]
    pub time: humantime::Duration,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The tenant
    #[arg(long, value_name = "PATTERN")]
    pub tenant: Option<String>,
    /// The VM, by name or UUID; `host` is the host
    #[arg(long, value_name = "PATTERN")]
    pub vm: Option<String>,
    /// The rule or the check
    #[arg(long, value_name = "PATTERN")]
    pub detector: Option<String>,
    /// The metric, or the group of the check
    #[arg(long, value_name = "PATTERN")]
    pub cause: Option<String>,
    /// Only alerts, or only findings
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<String>,
    /// Who you are [default: the user]
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
    #[command(flatten)]
    /// Where the daemon is.
    pub socket: SocketArgs,
}

/// `bartizan check-config`.
#[derive(Args, Clone, Debug, Default)]
pub struct CheckConfigArgs {
    /// The file to check [default: what `bartizan run` would load]
    pub file: Option<PathBuf>,
    /// Print the effective configuration
    #[arg(long)]
    pub print: bool,
    /// Also list the generations that were in force, as the ledger in this folder tells them
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<PathBuf>,
}

/// `bartizan record`.
#[derive(Args, Clone, Debug)]
pub struct RecordArgs {
    /// Write values, tick by tick, to this trace
    #[arg(short, long, value_name = "TRACE", required_unless_present = "tree", conflicts_with = "tree")]
    pub out: Option<PathBuf>,
    /// Copy the files the agent reads to this folder, to be looked at with --root
    #[arg(long, value_name = "DIR")]
    pub tree: Option<PathBuf>,
    /// How long a trace to record
    #[arg(short, long, value_name = "TIME", default_value = "60s")]
    pub duration: humantime::Duration,
}

/// `bartizan replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// The trace
    pub trace: PathBuf,
    /// Write JSON lines
    #[arg(long)]
    pub json: bool,
}

/// `bartizan explain-alert`.
#[derive(Args, Clone, Debug)]
pub struct ExplainAlertArgs {
    /// The trace
    pub trace: PathBuf,
    /// Which alert, counted from 1 in the order in which `bartizan replay` tells them; lists them when left out
    #[arg(long, value_name = "N")]
    pub alert: Option<usize>,
    /// How much of the time before it is shown; a quarter of it is shown after it
    #[arg(long, value_name = "TIME", default_value = "30m")]
    pub window: humantime::Duration,
    /// Write one HTML page that needs nothing else
    #[arg(long, requires = "alert", conflicts_with = "json")]
    pub html: bool,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `bartizan tune`.
#[derive(Args, Clone, Debug)]
pub struct TuneArgs {
    /// The trace
    pub trace: PathBuf,
    /// Try this value of a key of the configuration; several values are tried one after the other [default:
    /// four budgets of false alarms: 0.1, 1, 10 and 100 a week]
    #[arg(long, value_name = "KEY=VALUE[,VALUE...]")]
    pub set: Vec<String>,
    /// Try these rules: a file of configuration that is laid over the trace's own
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Write JSON lines
    #[arg(long)]
    pub json: bool,
}

/// `bartizan verify`.
#[derive(Args, Clone, Debug)]
#[command(after_help = VERIFY_HELP)]
pub struct VerifyArgs {
    /// The ledger's folder
    pub dir: PathBuf,
    /// The public key that is trusted: `origin+id+base64`, or a file that holds it
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Show this tenant's log alone; all are verified
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// A signed checkpoint that was kept elsewhere: the ledger must go on from it
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `bartizan ledger`.
#[derive(Debug, Subcommand)]
#[command(after_help = LEDGER_HELP)]
pub enum LedgerCommand {
    /// Print the public key that signs it: what `bartizan verify --key` is to be given, by another way
    Key {
        /// The ledger's folder
        dir: PathBuf,
    },
    /// Show its records, oldest first; also while it is being written
    #[command(alias = "cat", after_help = LEDGER_HELP)]
    Show(LedgerShowArgs),
    /// Print the proof that a record is in its log, with the signed checkpoint (C2SP tlog-proof)
    #[command(after_help = LEDGER_HELP)]
    Prove(LedgerProveArgs),
    /// Move a damaged ledger away whole, as evidence, and begin another one in its place that says so
    #[command(after_help = LEDGER_HELP)]
    SetAside(LedgerSetAsideArgs),
}

/// `bartizan ledger show`.
#[derive(Args, Clone, Debug)]
pub struct LedgerShowArgs {
    /// The ledger's folder
    pub dir: PathBuf,
    /// Begin with the record of this number
    #[arg(long, value_name = "RECORD", default_value_t = 0)]
    pub from: u64,
    /// Show so many at most
    #[arg(short = 'n', long, value_name = "COUNT")]
    pub count: Option<u64>,
    /// Only the records of this tenant; an empty one is the host
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// Only the records of this kind, such as `alert`, `finding`, `config`, `start`
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// Write JSON lines
    #[arg(long)]
    pub json: bool,
}

/// `bartizan ledger prove`.
#[derive(Args, Clone, Debug)]
pub struct LedgerProveArgs {
    /// The ledger's folder
    pub dir: PathBuf,
    /// The record's number
    pub record: u64,
    /// Write the leaf, which is what the log hashes, to this file
    #[arg(long, value_name = "FILE")]
    pub leaf: Option<PathBuf>,
}

/// `bartizan ledger set-aside`.
#[derive(Args, Clone, Debug)]
pub struct LedgerSetAsideArgs {
    /// The ledger's folder; nobody may have it open
    pub dir: PathBuf,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
}

const LEDGER_HELP: &str = "\
Exit codes: 0 done; 2 the record is not signed yet (prove); 64 there is no such record, or nothing is damaged (set-aside); \
65 the ledger is damaged, with the place; 66 the folder cannot be read; 69 a process has it open (set-aside); \
74 input/output error; 77 permission missing.";

const VERIFY_HELP: &str = "\
Exit codes: 0 every record is as it was signed; 1 something was changed, or is missing: the first bad record is named; \
2 all fits together, but not all is proven: no --key was given, or records at the end are not signed yet; \
64 the key or the tenant makes no sense; 66 the folder cannot be read.";
