//! The daemon's incidents: fed with what the agent says, recorded in the ledger, told to others, and changed by people.
//!
//! The daemon's loop and the thread that serves the socket share one [`Desk`].

mod answer;
mod evidence;

pub use answer::answer;

use crate::deliver::{Accounts as DeliverAccounts, Deliverers, Feed};
use crate::exit::{Code, Failure};
use bartizan_core::alerts::Alert;
use bartizan_core::checks::{Change, Severity as CheckSeverity};
use bartizan_core::config::Config;
use bartizan_core::engine::Reader;
use bartizan_core::incidents::{
    Accounts, Condition, Delivery, Event, Evidence, Incidents, Notice, Outside, Policy, Refused, Returning,
    Signal, Source, State, Step,
};
use bartizan_core::ledger::{Kind, Ledger, LedgerError, RealDisk, Ticket, read};
use bartizan_core::recovery::{restore, save, take};
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sys::clock::Clock;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long somebody who changes something waits for the disk.
const DURABLE_WAIT: Duration = Duration::from_secs(2);
/// How often a snapshot is taken.
const SAVE_EVERY: Duration = Duration::from_mins(10);

/// See the module's documentation.
pub struct Desk {
    inner: Mutex<Inner>,
    feed: Arc<Feed>,
    deliverers: Mutex<Option<Deliverers>>,
}

struct Inner {
    /// All of them; as what returns after a crash.
    returning: Returning,
    world: World,
    folder: PathBuf,
    /// When the last snapshot was taken.
    saved_at: Instant,
    /// When alerts that were not seen again are over; `None` once they were.
    reconcile_alerts_at: Option<Instant>,
    reconciles_findings: bool,
    findings_min: Option<CheckSeverity>,
}

/// What the incidents are told of the world, and where they record.
struct World {
    ledger: Ledger,
    reader: Reader,
    feed: Arc<Feed>,
    /// What the signal at hand is about: a VM that ended is no longer in the directory.
    about: Option<Entity>,
    last: Option<Ticket>,
}

impl Outside for World {
    fn record(&mut self, tenant: &str, payload: &[u8]) -> Result<(), String> {
        let ticket =
            self.ledger.append(Kind::INCIDENT, tenant, payload).map_err(|error| error.to_string())?;
        if let Some(notice) = Event::notice(payload) {
            self.feed.push(ticket.sequence(), Arc::new(notice));
        }
        self.last = Some(ticket);
        Ok(())
    }

    fn evidence(&mut self, condition: &Condition) -> Vec<Evidence> {
        evidence::of(&self.reader, condition, self.about)
    }
}

impl Desk {
    /// Replays the incidents of a ledger, begins a run, and starts to deliver.
    ///
    /// # Errors
    /// When the ledger cannot be read, or a receiver makes no sense.
    pub fn open(ledger: &Ledger, folder: &Path, reader: &Reader, host: &str) -> Result<Self, Failure> {
        let config = reader.config();
        let feed = Arc::new(Feed::new(ledger.clone(), folder.to_owned()));
        let failed = |error: LedgerError| {
            Failure::new(Code::Data, format!("the ledger in {}: {error}", folder.display()))
        };
        let mut returning = Returning::default();
        let disk = Arc::new(RealDisk::new(folder));
        let restored = restore(disk, ledger.status().next, &mut [&mut returning]).map_err(failed)?;
        log::info!("incidents: {restored}");
        let told = Told::of(folder, &feed).map_err(failed)?;
        let world = World {
            ledger: ledger.clone(),
            reader: reader.clone(),
            feed: Arc::clone(&feed),
            about: None,
            last: None,
        };
        let broken = returning.broken.take();
        let mut inner = Inner {
            returning,
            world,
            folder: folder.to_owned(),
            saved_at: Instant::now(),
            reconcile_alerts_at: None,
            reconciles_findings: true,
            findings_min: None,
        };
        inner.adopt_limits(&config);
        inner.begin(&config, broken.as_deref())?;
        let notices = told.notices;
        let before = |position: u64| notices.partition_point(|at| *at < position) as u64;
        let deliverers =
            Deliverers::start(&config.deliver, &feed, host, &told.deliveries, ledger.status().next, before)?;
        Ok(Self { inner: Mutex::new(inner), feed, deliverers: Mutex::new(Some(deliverers)) })
    }

    /// Takes alerts in.
    pub fn alerts(&self, alerts: &[Alert]) {
        let mut inner = self.lock();
        let Inner { returning: Returning { incidents, .. }, world, .. } = &mut *inner;
        for alert in alerts {
            let signal = Signal::of_alert(alert, |entity| evidence::part_of(&world.reader, entity));
            world.about = Some(alert.entity);
            incidents.offer(&signal, now_ns(), world);
            world.about = None;
        }
        incidents.tick(now_ns(), world);
    }

    /// Takes changes of findings in. `is_whole` says that the checks have looked at everything since the start.
    pub fn findings(&self, changes: &[Change], is_whole: bool) {
        let mut inner = self.lock();
        let Inner {
            returning: Returning { incidents, .. }, world, reconciles_findings, findings_min, ..
        } = &mut *inner;
        if let Some(severity_min) = *findings_min {
            for signal in changes.iter().filter_map(|change| Signal::of_finding(change, severity_min)) {
                incidents.offer(&signal, now_ns(), world);
            }
        }
        if is_whole && std::mem::take(reconciles_findings) {
            incidents.reconcile(Source::Finding, now_ns(), world);
        }
        if !changes.is_empty() {
            incidents.tick(now_ns(), world);
        }
    }

    /// Time has passed.
    pub fn tick(&self) {
        let mut inner = self.lock();
        let Inner { returning: Returning { incidents, .. }, world, reconcile_alerts_at, .. } = &mut *inner;
        if reconcile_alerts_at.is_some_and(|at| Instant::now() >= at) {
            *reconcile_alerts_at = None;
            incidents.reconcile(Source::Alert, now_ns(), world);
        }
        incidents.tick(now_ns(), world);
        if inner.saved_at.elapsed() >= SAVE_EVERY {
            inner.save();
        }
    }

    /// A configuration is in force. `is_anew` says that the agent was made anew: it says again what fires.
    pub fn reloaded(&self, reader: &Reader, is_anew: bool) {
        let mut inner = self.lock();
        let config = reader.config();
        inner.world.reader = reader.clone();
        inner.adopt_limits(&config);
        let done = if is_anew {
            inner.begin(&config, None).map_err(|failure| failure.message)
        } else {
            let Inner { returning: Returning { incidents, .. }, world, .. } = &mut *inner;
            let policy = Policy::from(&config.incidents);
            let differs = *incidents.policy() != policy;
            let adopted = if differs { incidents.adopt(policy, now_ns(), world) } else { Ok(()) };
            adopted.map_err(|refused| refused.to_string())
        };
        if let Err(error) = done {
            log::error!("the new policy of incidents is not in force: {error}");
        }
    }

    /// Every incident that is not closed, as a notice would tell of it.
    #[must_use]
    pub fn views(&self) -> Vec<Notice> {
        let inner = self.lock();
        let open = inner.returning.incidents.all().filter(|incident| incident.state != State::Closed);
        let ids: Vec<u64> = open.map(|incident| incident.id).collect();
        ids.into_iter().filter_map(|id| inner.returning.incidents.view(id)).collect()
    }

    /// Takes a step with an incident; done once it is durable.
    ///
    /// # Errors
    /// Why it may not be taken.
    pub fn step(&self, id: u64, step: Step, by: &str, note: &str) -> Result<(), Refused> {
        self.act(|incidents, now_ns, outside| incidents.step(id, step, by, note, now_ns, outside))
    }

    /// The record that must be durable before what was taken in is said.
    pub fn take_last(&self) -> Option<Ticket> {
        self.lock().world.last.take()
    }

    /// What became of every signal.
    #[must_use]
    pub fn accounts(&self) -> Accounts {
        self.lock().returning.incidents.accounts()
    }

    /// Incidents in memory: open or being worked on, by severity, those that fire first.
    #[must_use]
    pub fn counts(&self) -> Vec<(&'static str, &'static str, u64)> {
        let inner = self.lock();
        let mut counts: HashMap<(&str, &str), u64> = HashMap::new();
        for incident in inner.returning.incidents.all() {
            *counts.entry((incident.state.name(), incident.severity.name())).or_default() += 1;
        }
        let mut counts: Vec<_> =
            counts.into_iter().map(|((state, severity), count)| (state, severity, count)).collect();
        counts.sort_unstable();
        counts
    }

    /// What became of every receiver's notices.
    #[must_use]
    pub fn deliveries(&self) -> Vec<DeliverAccounts> {
        let deliverers = self.deliverers.lock().unwrap_or_else(PoisonError::into_inner);
        deliverers.as_ref().map(Deliverers::accounts).unwrap_or_default()
    }

    /// Ends delivery; what was not delivered is delivered by the next run.
    pub fn stop(&self) {
        self.feed.stop();
        let deliverers = self.deliverers.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(deliverers) = deliverers {
            deliverers.stop();
        }
        let mut inner = self.lock();
        // What waits for the disk is in the way of a snapshot; where that is the case the next start replays more.
        let _ = inner.world.ledger.flush();
        inner.save();
    }

    /// Somebody changes something: done once it is durable.
    fn act<T>(
        &self,
        act: impl FnOnce(&mut Incidents, i64, &mut dyn Outside) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let mut inner = self.lock();
        let Inner { returning: Returning { incidents, .. }, world, .. } = &mut *inner;
        let now_ns = now_ns();
        let done = act(incidents, now_ns, world)?;
        incidents.tick(now_ns, world);
        let ticket = world.last.take();
        drop(inner);
        if let Some(ticket) = ticket {
            let end = Instant::now() + DURABLE_WAIT;
            // Whoever serves the ledger writes it; on a disk that hangs it is queued, and becomes durable later.
            while !ticket.is_durable() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(done)
    }

    /// A poisoned lock holds what it held before the panic: a state that follows from its records.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Writes a snapshot, at a moment when all records are durable: older ones may be removed then.
    fn save(&mut self) {
        let status = self.world.ledger.status();
        if status.durable < status.next {
            return;
        }
        self.saved_at = Instant::now();
        let saved = take(&self.world.ledger, now_ns(), &[&self.returning]).and_then(|snapshot| {
            save(Arc::new(RealDisk::new(&self.folder)), &snapshot).map_err(|error| error.to_string())
        });
        if let Err(error) = saved {
            log::warn!("no snapshot of incidents: {error}; the next start replays their records");
        }
    }

    fn adopt_limits(&mut self, config: &Config) {
        self.findings_min = config.incidents.findings.name().and_then(CheckSeverity::from_name);
        if let Some(at) = &mut self.reconcile_alerts_at {
            *at = (*at).max(Instant::now());
        }
    }

    fn begin(&mut self, config: &Config, broken: Option<&str>) -> Result<(), Failure> {
        let policy = Policy::from(&config.incidents);
        let next = self.world.ledger.status().next;
        let begun = match broken {
            None => self.returning.incidents.begin(policy, now_ns(), &mut self.world),
            Some(why) => {
                log::error!("incidents of earlier runs are not known any more, and begin anew: {why}");
                self.returning.incidents.begin_afresh(next, policy, now_ns(), &mut self.world)
            }
        };
        begun.map_err(|refused| Failure::new(Code::Io, format!("incidents cannot begin: {refused}")))?;
        let reconcile = Duration::from_secs(config.incidents.reconcile_s.into());
        self.reconcile_alerts_at = Instant::now().checked_add(reconcile);
        self.reconciles_findings = true;
        Ok(())
    }
}

/// What a ledger says about notices, and how far each receiver has come.
struct Told {
    deliveries: HashMap<String, Delivery>,
    /// The numbers of the records that tell.
    notices: Vec<u64>,
}

impl Told {
    fn of(folder: &Path, feed: &Feed) -> Result<Self, LedgerError> {
        let mut told = Self { deliveries: HashMap::new(), notices: Vec::new() };
        read(Arc::new(RealDisk::new(folder)), 0, |record| match record.kind {
            Kind::INCIDENT => {
                if let Some(notice) = Event::notice(record.payload) {
                    told.notices.push(record.sequence);
                    feed.push(record.sequence, Arc::new(notice));
                }
            }
            Kind::DELIVERY => {
                if let Ok(delivery) = Delivery::decode(record.payload) {
                    told.deliveries.insert(delivery.receiver.clone(), delivery);
                }
            }
            _ => {}
        })?;
        Ok(told)
    }
}

fn now_ns() -> i64 {
    Clock::System.wall_ns()
}
