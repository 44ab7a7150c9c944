//! What others ask over HTTP: `/metrics`, `/healthz`, `/readyz`.

pub mod http;
mod incidents;
pub mod labels;
pub mod ledger;
pub mod openmetrics;
pub mod peer;
pub mod server;

use crate::cli::ServeArgs;
use crate::exit::{Code, Failure};
use crate::incidents::Desk;
use crate::responses::Responses;
use crate::view::units;
use bartizan_core::alerts::Severity;
use bartizan_core::engine::Reader;
use bartizan_core::ledger::Ledger;
use bartizan_core::sampling::metrics::Scope;
use http::{Body, Request, Response, Status};
use log::{info, warn};
use openmetrics::{Exposition, FamilyKind, Format, write_family};
use server::{Handler, Listener};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};

/// Where the Unix socket is when nothing else is said.
pub const SOCKET_DEFAULT: &str = "/run/bartizan/metrics.sock";
/// A sampler that has not finished a tick for so many intervals is not ready.
const FRESH_INTERVALS: u64 = 3;

/// What the daemon knows of itself, shared with the thread that serves it.
pub struct State {
    reader: Mutex<Reader>,
    fingerprint: Mutex<String>,
    reload_successful: AtomicBool,
    reload_at_ns: AtomicI64,
    /// Generation of the configuration, and fencing token; 0 without a state folder.
    generation: AtomicU64,
    token: AtomicU64,
    is_fallback: AtomicBool,
    alerts_active: [AtomicU64; 3],
    answers: [AtomicU64; Status::ALL.len()],
    ledger: Mutex<Option<Ledger>>,
    lines_dropped: AtomicU64,
    /// There from when the ledger was opened, if there is one.
    desk: OnceLock<Arc<Desk>>,
    responses: OnceLock<Arc<Responses>>,
}

impl State {
    /// The state after the configuration was loaded for the first time.
    #[must_use]
    pub fn new(reader: Reader, fingerprint: String) -> Self {
        let loaded_at_ns = reader.clock().wall_ns();
        Self {
            reader: Mutex::new(reader),
            fingerprint: Mutex::new(fingerprint),
            reload_successful: AtomicBool::new(true),
            reload_at_ns: AtomicI64::new(loaded_at_ns),
            generation: AtomicU64::new(0),
            token: AtomicU64::new(0),
            is_fallback: AtomicBool::new(false),
            alerts_active: Default::default(),
            answers: Default::default(),
            ledger: Mutex::default(),
            lines_dropped: AtomicU64::new(0),
            desk: OnceLock::new(),
            responses: OnceLock::new(),
        }
    }

    /// What is in force in a state folder.
    pub fn set_standing(&self, generation: u64, is_fallback: bool, token: u64) {
        self.generation.store(generation, Relaxed);
        self.is_fallback.store(is_fallback, Relaxed);
        self.token.store(token, Relaxed);
    }

    /// Incidents are there.
    pub fn has_incidents(&self, desk: Arc<Desk>) {
        // Opened once, by the daemon: a second one would be a mistake, and changes nothing.
        let _ = self.desk.set(desk);
    }

    /// Responses are there.
    pub fn has_responses(&self, responses: Arc<Responses>) {
        // As above.
        let _ = self.responses.set(responses);
    }

    /// A new configuration is in force.
    pub fn reloaded(&self, reader: Reader, fingerprint: String) {
        self.reload_at_ns.store(reader.clock().wall_ns(), Relaxed);
        *lock(&self.reader) = reader;
        *lock(&self.fingerprint) = fingerprint;
        self.reload_successful.store(true, Relaxed);
    }

    /// A new configuration was refused; the old one stays in force.
    pub fn reload_failed(&self) {
        self.reload_successful.store(false, Relaxed);
    }

    /// Alerts that fire now, of one severity.
    pub fn set_alerts_active(&self, severity: Severity, count: u64) {
        self.alerts_active[severity as usize - 1].store(count, Relaxed);
    }

    /// What is said is recorded there.
    pub fn set_ledger(&self, ledger: Ledger) {
        *lock(&self.ledger) = Some(ledger);
    }

    /// Lines that were not written since the start, because nobody read them.
    pub fn set_lines_dropped(&self, count: u64) {
        self.lines_dropped.store(count, Relaxed);
    }

    fn reader(&self) -> Reader {
        lock(&self.reader).clone()
    }

    /// Whether sampling is fresh; if not, what is wrong.
    fn ready(&self) -> Result<String, String> {
        let reader = self.reader();
        let tick = reader.tick();
        if tick.number == 0 {
            return Err("not ready: no tick has been completed yet\n".to_owned());
        }
        let age_ns = reader.clock().mono_ns().saturating_sub(tick.mono_ns);
        let interval_ns = u64::from(reader.config().sampling.interval_ms) * 1_000_000;
        let age = units::seconds(seconds(age_ns));
        if age_ns > FRESH_INTERVALS * interval_ns {
            Err(format!("not ready: the last tick, {}, is {age} old\n", tick.number))
        } else {
            Ok(format!("ready: the last tick, {}, is {age} old\n", tick.number))
        }
    }

    fn metrics(&self, request: &Request) -> Response {
        let scopes = match wanted_scopes(&request.query) {
            Ok(scopes) => scopes,
            Err(message) => return Response::text(Status::BadRequest, message),
        };
        let format = Format::negotiate(&request.accept);
        let stream = Exposition::new(self.reader(), format, scopes, self.about_self(format));
        Response {
            status: Status::Ok,
            content_type: format.content_type(),
            body: Body::Stream(Box::new(stream)),
        }
    }

    /// The families about the daemon, as text.
    fn about_self(&self, format: Format) -> String {
        use FamilyKind::{Counter, Gauge, Info};
        let mut out = String::new();
        let mut family = |name, kind, unit, help, samples: &[(String, String)]| {
            let name = write_family(&mut out, format, name, kind, unit, help);
            for (labels, value) in samples {
                let _ = writeln!(out, "{name}{labels} {value}");
            }
        };
        let version = env!("CARGO_PKG_VERSION");
        let one = |labels: String| [(labels, "1".to_owned())];
        family(
            "bartizan_build",
            Info,
            "",
            "The version that runs.",
            &one(format!("{{version=\"{version}\"}}")),
        );
        let fingerprint = lock(&self.fingerprint).clone();
        family(
            "bartizan_config",
            Info,
            "",
            "SHA-256 of the effective configuration.",
            &one(format!("{{sha256=\"{fingerprint}\"}}")),
        );
        let successful = u8::from(self.reload_successful.load(Relaxed));
        family(
            "bartizan_config_last_reload_successful",
            Gauge,
            "",
            "Whether the last attempt to load the configuration succeeded.",
            &[(String::new(), successful.to_string())],
        );
        let mut at = String::new();
        openmetrics::write_value(
            &mut at,
            self.reload_at_ns.load(Relaxed),
            bartizan_core::sampling::metrics::Unit::Nanoseconds,
        );
        family(
            "bartizan_config_last_reload_success_timestamp_seconds",
            Gauge,
            "seconds",
            "When the configuration in force was loaded, as Unix time.",
            &[(String::new(), at)],
        );
        let token = self.token.load(Relaxed);
        if token > 0 {
            let number = |number: u64| [(String::new(), number.to_string())];
            let help = "Generation of the configuration in force.";
            family("bartizan_config_generation", Gauge, "", help, &number(self.generation.load(Relaxed)));
            let help =
                "Whether the last good configuration is in force because the file was wrong at the start.";
            let is_fallback = u64::from(self.is_fallback.load(Relaxed));
            family("bartizan_config_fallback", Gauge, "", help, &number(is_fallback));
            let help = "Fencing token: grows each time another agent becomes the active one.";
            family("bartizan_lease_token", Gauge, "", help, &number(token));
        }
        let active: Vec<_> = [Severity::Info, Severity::Warning, Severity::Critical]
            .into_iter()
            .map(|severity| {
                let count = self.alerts_active[severity as usize - 1].load(Relaxed);
                (format!("{{severity=\"{}\"}}", severity.name()), count.to_string())
            })
            .collect();
        family("bartizan_alerts_active", Gauge, "", "Alerts that fire now.", &active);
        let answers: Vec<_> = Status::ALL
            .into_iter()
            .zip(&self.answers)
            .map(|(status, count)| {
                (format!("{{code=\"{}\"}}", status as u16), count.load(Relaxed).to_string())
            })
            .collect();
        family("bartizan_http_answers", Counter, "", "HTTP answers given, by status.", &answers);
        let dropped = [(String::new(), self.lines_dropped.load(Relaxed).to_string())];
        let help = "Lines that were not written to standard output, because nobody read them.";
        family("bartizan_output_dropped_lines", Counter, "", help, &dropped);
        if let Some(desk) = self.desk.get() {
            for (name, kind, help, samples) in incidents::families(desk) {
                family(name, kind, "", help, &samples);
            }
        }
        if let Some(resident) = resident_bytes() {
            family(
                "bartizan_process_resident_memory_bytes",
                Gauge,
                "bytes",
                "Resident memory of the daemon.",
                &[(String::new(), resident.to_string())],
            );
        }
        if let Some(ledger) = &*lock(&self.ledger) {
            out.push_str(&ledger::families(format, &ledger.status()));
        }
        out
    }
}

impl Handler for State {
    fn answer(&self, request: &Request) -> Response {
        let answered = crate::incidents::answer(self.desk.get().map(Arc::as_ref), request)
            .or_else(|| crate::responses::answer(self.responses.get().map(Arc::as_ref), request));
        if let Some(answered) = answered {
            return answered;
        }
        if request.is_post {
            return Response::refusal(Status::MethodNotAllowed);
        }
        match request.path.as_str() {
            "/metrics" => self.metrics(request),
            "/healthz" => Response::text(Status::Ok, "alive\n"),
            "/readyz" => match self.ready() {
                Ok(text) => Response::text(Status::Ok, text),
                Err(text) => Response::text(Status::ServiceUnavailable, text),
            },
            "/" => Response::text(Status::Ok, "bartizan: /metrics /healthz /readyz\n"),
            _ => Response::text(Status::NotFound, "not here; there are /metrics, /healthz and /readyz\n"),
        }
    }

    fn count(&self, status: Status) {
        if let Some(index) = Status::ALL.iter().position(|known| *known == status) {
            self.answers[index].fetch_add(1, Relaxed);
        }
    }
}

/// The scopes a query asks for (`scope=vm&scope=host`); all when it asks for none.
fn wanted_scopes(query: &str) -> Result<Vec<Scope>, String> {
    let mut scopes = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let wanted = pair
            .strip_prefix("scope=")
            .ok_or_else(|| format!("{pair:?} is not understood: the only parameter is scope=NAME\n"))?;
        let scope = Scope::ALL.into_iter().find(|scope| scope.name() == wanted).ok_or_else(|| {
            let names: Vec<_> = Scope::ALL.iter().map(|scope| scope.name()).collect();
            format!("there is no scope {wanted:?}; there are {}\n", names.join(", "))
        })?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(if scopes.is_empty() { Scope::ALL.to_vec() } else { scopes })
}

/// Opens what was asked for. The default socket is a convenience: where it cannot be made, the log says so and the
/// daemon goes on; what was asked for in words must work.
///
/// # Errors
/// When an address that was asked for cannot be had, or is not loopback without leave.
pub fn listeners(args: &ServeArgs) -> Result<Vec<Listener>, Failure> {
    let mut listeners = Vec::new();
    for address in &args.listen {
        if !address.ip().is_loopback() && !args.listen_publicly {
            return Err(Failure::new(
                Code::Usage,
                format!(
                    "--listen {address}: other machines can reach this address, and answers are neither encrypted \
                     nor authenticated; use a loopback address, or add --listen-publicly if that is wanted"
                ),
            ));
        }
        let listener = Listener::tcp(*address).map_err(|error| {
            Failure::new(Code::Unavailable, format!("cannot listen on {address}: {error}"))
        })?;
        listeners.push(listener);
    }
    match &args.socket {
        Some(path) => listeners.push(Listener::unix(path).map_err(|error| {
            Failure::new(Code::Unavailable, format!("cannot listen on {}: {error}", path.display()))
        })?),
        None if args.no_socket => {}
        None => listeners.extend(default_socket()),
    }
    Ok(listeners)
}

fn default_socket() -> Option<Listener> {
    let path = Path::new(SOCKET_DEFAULT);
    let folder = path.parent()?;
    let made = std::fs::create_dir_all(folder).and_then(|()| Listener::unix(path));
    match made {
        Ok(listener) => Some(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            warn!("{SOCKET_DEFAULT}: {error}; not serving there");
            None
        }
        Err(error) => {
            info!("{SOCKET_DEFAULT}: {error}; not serving there");
            None
        }
    }
}

/// Resident memory of this process.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    let page_bytes = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
    pages.checked_mul(u64::try_from(page_bytes).ok()?)
}

fn seconds(ns: u64) -> f64 {
    std::time::Duration::from_nanos(ns).as_secs_f64()
}

/// A poisoned lock holds what it held before the panic, and all that is kept here is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_chosen_by_name_and_unknown_ones_refused() {
        assert_eq!(wanted_scopes("").unwrap().len(), Scope::ALL.len());
        assert_eq!(wanted_scopes("scope=vm&scope=host&scope=vm").unwrap(), [Scope::Vm, Scope::Host]);
        assert!(wanted_scopes("scope=vmm").unwrap_err().contains("vmnet"));
        assert!(wanted_scopes("x=1").is_err());
    }

    #[test]
    fn an_address_that_others_can_reach_needs_leave() {
        let args =
            ServeArgs { listen: vec!["0.0.0.0:0".parse().unwrap()], no_socket: true, ..ServeArgs::default() };
        let failure = listeners(&args).err().unwrap();
        assert_eq!(failure.code, Code::Usage);
        assert!(failure.message.contains("--listen-publicly"));
        assert_eq!(listeners(&ServeArgs { listen_publicly: true, ..args }).unwrap().len(), 1);
    }
}
