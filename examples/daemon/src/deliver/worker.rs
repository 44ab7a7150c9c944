//! One receiver: takes notices from its position on, sends, and goes on when they were acknowledged.

use super::alertmanager::Alerts;
use super::feed::{Feed, Numbered};
use super::syslog::{self, Syslog};
use super::{Tally, backoff, file, post};
use bartizan_core::checks::pattern::like;
use bartizan_core::config::incidents::{Deliver, DeliverFormat, DeliverTo, Target};
use bartizan_core::incidents::{Delivery, Notice, ocsf};
use bartizan_core::ledger::Kind;
use bartizan_core::sys::clock::Clock;
use serde_json::{Value, json};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Notices sent at once.
const BATCH_MAX: usize = 32;
/// How long a notice is waited for before the time is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often it is recorded at most how far a receiver has come.
const RECORD_EVERY: Duration = Duration::from_secs(1);
/// A request that a receiver says it will never understand is given up after so many attempts.
const REFUSALS_MAX: u32 = 5;

/// What became of one receiver's notices: `produced = delivered + suppressed + dropped + in flight`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub kind: &'static str,
    /// Notices since it was configured first.
    pub produced: u64,
    /// Acknowledged.
    pub delivered: u64,
    /// Not for it: too mild, or another tenant's.
    pub suppressed: u64,
    /// Refused by it for good.
    pub dropped: u64,
    /// Not dealt with yet.
    pub in_flight: u64,
    /// Attempts that failed in this run.
    pub failures: u64,
}

pub(super) fn kind_of(to: DeliverTo) -> &'static str {
    match to {
        DeliverTo::Alertmanager => "alertmanager",
        DeliverTo::Webhook => "webhook",
        DeliverTo::Syslog => "syslog",
        DeliverTo::File => "file",
    }
}

/// The receiver's end.
pub(super) enum Sink {
    Alertmanager { authority: String, path: String, alerts: Alerts, sent: Option<Instant> },
    Webhook { authority: String, path: String },
    Syslog(Syslog),
    File(std::path::PathBuf),
}

impl Sink {
    pub(super) fn new(receiver: &Deliver) -> Result<Self, String> {
        Ok(match (receiver.to, receiver.target()?) {
            (DeliverTo::Alertmanager, Target::Http { authority, path }) => {
                let path = format!("{}/api/v2/alerts", path.trim_end_matches('/'));
                Self::Alertmanager { authority, path, alerts: Alerts::default(), sent: None }
            }
            (_, Target::Http { authority, path }) => Self::Webhook { authority, path },
            (_, Target::File(path)) => Self::File(path),
            (_, target) => Self::Syslog(Syslog::new(target)),
        })
    }
}

/// Why something was not delivered.
enum Failed {
    /// It may be the next time.
    Now(String),
    /// The receiver will never take it.
    ForGood(String),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Now(error.to_string())
    }
}

pub(super) struct Worker {
    receiver: Deliver,
    sink: Sink,
    feed: Arc<Feed>,
    host: String,
    tally: Arc<Tally>,
    failures: u32,
    refusals: u32,
    /// After a refusal one by one, so that only what is refused is given up.
    batch_max: usize,
    recorded: Option<(Instant, Delivery)>,
    random: u64,
}

impl Worker {
    pub(super) fn new(
        receiver: Deliver,
        mut sink: Sink,
        feed: &Arc<Feed>,
        host: &str,
        tally: &Arc<Tally>,
    ) -> Self {
        if let Sink::Alertmanager { alerts, .. } = &mut sink {
            for notice in feed.latest_before(tally.reached().position) {
                if is_for(&receiver, &notice) {
                    alerts.note(&notice);
                }
            }
        }
        Self {
            receiver,
            sink,
            feed: Arc::clone(feed),
            host: host.to_owned(),
            tally: Arc::clone(tally),
            failures: 0,
            refusals: 0,
            batch_max: BATCH_MAX,
            recorded: None,
            random: RandomState::new().hash_one(std::process::id()) | 1,
        }
    }

    pub(super) fn run(mut self) {
        // A receiver that is new is known from here on, also when nothing is told before the next start.
        self.record(true);
        loop {
            let position = self.tally.reached().position;
            let batch = match self.feed.take(position, self.batch_max, LOOK) {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(error) => {
                    log::error!("deliver {}: older notices cannot be read: {error}", self.receiver.name);
                    if self.feed.pause(backoff::WAIT_MAX) {
                        break;
                    }
                    continue;
                }
            };
            let wanted: Vec<Numbered> =
                batch.iter().filter(|(_, notice)| is_for(&self.receiver, notice)).cloned().collect();
            match self.send(&wanted) {
                Ok(()) => {
                    if self.failures > 0 {
                        log::info!("deliver {}: works again", self.receiver.name);
                    }
                    (self.failures, self.refusals, self.batch_max) = (0, 0, BATCH_MAX);
                    self.advance(&batch, wanted.len(), 0);
                }
                Err(failed) => {
                    if !self.fails(failed, &batch, wanted.len()) {
                        break;
                    }
                }
            }
            self.record(false);
        }
        self.record(true);
    }

    /// Whether to go on.
    fn fails(&mut self, failed: Failed, batch: &[Numbered], wanted: usize) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.tally.failures.fetch_add(1, Relaxed);
        let name = &self.receiver.name;
        let why = match failed {
            Failed::Now(why) => why,
            Failed::ForGood(why) => {
                self.refusals += 1;
                self.batch_max = 1;
                if self.refusals >= REFUSALS_MAX && batch.len() <= 1 {
                    log::error!("deliver {name}: refused for good, {wanted} notices are dropped: {why}");
                    self.refusals = 0;
                    if let Sink::Alertmanager { alerts, .. } = &mut self.sink {
                        alerts.forget(batch.iter().map(|(_, notice)| notice.incident));
                    }
                    self.advance(batch, 0, wanted);
                    return true;
                }
                why
            }
        };
        // Once, and then with every doubling.
        if self.failures.is_power_of_two() {
            log::warn!("deliver {name}: attempt {} failed and is repeated: {why}", self.failures);
        }
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        !self.feed.pause(backoff::wait(self.failures, self.random))
    }

    fn send(&mut self, wanted: &[Numbered]) -> Result<(), Failed> {
        match &mut self.sink {
            Sink::Alertmanager { authority, path, alerts, sent } => {
                for (_, notice) in wanted {
                    alerts.note(notice);
                }
                let repeat = Duration::from_secs(self.receiver.repeat_s.into());
                let is_due = sent.is_none_or(|sent| sent.elapsed() >= repeat);
                if alerts.is_empty() || (wanted.is_empty() && !is_due) {
                    return Ok(());
                }
                let now_ns = Clock::System.wall_ns();
                let body = alerts.body(&self.host, now_ns, i64::from(self.receiver.repeat_s) * 1_000_000_000);
                answered(post::post(authority, path, body.to_string().as_bytes())?)?;
                alerts.acknowledged(now_ns);
                *sent = Some(Instant::now());
                Ok(())
            }
            _ if wanted.is_empty() => Ok(()),
            Sink::Webhook { authority, path } => {
                let objects = objects(wanted, &self.host, self.receiver.format);
                answered(post::post(authority, path, Value::Array(objects).to_string().as_bytes())?)
            }
            Sink::Syslog(syslog) => {
                let pid = std::process::id();
                let messages: Vec<String> =
                    wanted.iter().map(|(_, notice)| syslog::message(notice, &self.host, pid)).collect();
                Ok(syslog.send(&messages)?)
            }
            Sink::File(path) => {
                let objects = objects(wanted, &self.host, self.receiver.format);
                let lines: Vec<String> = objects.iter().map(Value::to_string).collect();
                Ok(file::append(path, &lines)?)
            }
        }
    }

    fn advance(&mut self, batch: &[Numbered], delivered: usize, dropped: usize) {
        let Some((last, _)) = batch.last() else { return };
        let mut reached = self.tally.reached();
        reached.position = last + 1;
        reached.delivered += delivered as u64;
        reached.dropped += dropped as u64;
        reached.suppressed += (batch.len() - delivered - dropped) as u64;
        self.tally.passed.fetch_add(batch.len() as u64, Relaxed);
        self.tally.set(reached);
    }

    /// Records how far it has come. What is delivered after the last such record is delivered again after a crash.
    fn record(&mut self, at_once: bool) {
        let reached = self.tally.reached();
        if let Some((when, recorded)) = &self.recorded
            && (*recorded == reached || (!at_once && when.elapsed() < RECORD_EVERY))
        {
            return;
        }
        let Ok(payload) = reached.encode() else { return };
        match self.feed.ledger().append(Kind::DELIVERY, "", &payload) {
            // Not waited for: what is lost of it is delivered once more.
            Ok(_) => self.recorded = Some((Instant::now(), reached)),
            Err(error) => log::warn!("deliver {}: its position is not recorded: {error}", self.receiver.name),
        }
    }
}

fn is_for(receiver: &Deliver, notice: &Notice) -> bool {
    let tenant = &notice.resource.tenant;
    notice.severity >= receiver.severity_min
        && (receiver.tenants.is_empty() || receiver.tenants.iter().any(|pattern| like(pattern, tenant)))
}

fn objects(notices: &[Numbered], host: &str, format: DeliverFormat) -> Vec<Value> {
    let native = |notice: &Notice| {
        let mut object = notice.json();
        object["host"] = json!(host);
        object
    };
    match format {
        DeliverFormat::Native => notices.iter().map(|(_, notice)| native(notice)).collect(),
        DeliverFormat::Ocsf => notices.iter().flat_map(|(_, notice)| ocsf::events(notice, host)).collect(),
    }
}

/// 2xx is an acknowledgement. What says that the request itself is wrong is for good; anything else may pass: a proxy
/// whose backend is away, a token that expired, a path that is not there yet.
fn answered((status, body): (u16, String)) -> Result<(), Failed> {
    match status {
        200..=299 => Ok(()),
        400 | 413 | 422 => Err(Failed::ForGood(format!("status {status}: {body}"))),
        _ => Err(Failed::Now(format!("status {status}: {body}"))),
    }
}
