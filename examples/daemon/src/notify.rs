//! The service manager is told what is true: ready after the first tick, alive only while ticks advance.

use log::warn;
use sd_notify::NotifyState;
use std::time::{Duration, Instant};

/// Talks to the service manager, if there is one (`NOTIFY_SOCKET`).
pub struct Notifier {
    /// Half of what the manager waits for; `None` when it set no watchdog for us.
    ping_every: Option<Duration>,
    last_ping: Option<Instant>,
    last_tick: u64,
    complained: bool,
}

impl Notifier {
    /// Learns from the environment who wants to be told.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::new(sd_notify::watchdog_enabled())
    }

    fn new(watchdog: Option<Duration>) -> Self {
        Self {
            ping_every: watchdog.map(|period| period / 2),
            last_ping: None,
            last_tick: 0,
            complained: false,
        }
    }

    /// Sampling works.
    pub fn ready(&mut self, status: &str) {
        self.tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// The configuration is being loaded again; [`ready`](Self::ready) ends it.
    pub fn reloading(&mut self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(error) => warn!("the monotonic clock cannot be read: {error}"),
        }
    }

    /// The daemon ends on request.
    pub fn stopping(&mut self) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }

    /// One line for `systemctl status`.
    pub fn status(&mut self, status: &str) {
        self.tell(&[NotifyState::Status(status)]);
    }

    /// Pings the watchdog if a ping is due *and* the sampling loop has advanced since the one before.
    pub fn alive(&mut self, tick: u64, now: Instant) {
        if self.ping_due(tick, now) {
            self.last_tick = tick;
            self.last_ping = Some(now);
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    fn ping_due(&self, tick: u64, now: Instant) -> bool {
        let Some(every) = self.ping_every else { return false };
        tick != self.last_tick && self.last_ping.is_none_or(|last| now.duration_since(last) >= every)
    }

    fn tell(&mut self, states: &[NotifyState]) {
        if let Err(error) = sd_notify::notify(states)
            && !self.complained
        {
            self.complained = true;
            warn!("the service manager cannot be told: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tick_no_ping() {
        let mut notifier = Notifier::new(Some(Duration::from_secs(2)));
        let start = Instant::now();
        assert!(!notifier.ping_due(0, start), "not before the first tick");
        assert!(notifier.ping_due(1, start));
        notifier.alive(1, start);
        assert!(!notifier.ping_due(2, start + Duration::from_millis(999)), "not before half the period");
        assert!(notifier.ping_due(2, start + Duration::from_secs(1)));
        assert!(!notifier.ping_due(1, start + Duration::from_mins(1)), "a stuck sampler is not alive");
    }

    #[test]
    fn without_a_watchdog_nothing_is_sent() {
        assert!(!Notifier::new(None).ping_due(1, Instant::now()));
    }
}
