//! Control fights: a setting that goes back and forth because two parties each set it their way.
//!
//! One change is an administrator's; what comes back again and again is a fight. A change counts when the setting returns
//! to a value that it had within the window.

use super::conflict::{Class, Conflict, Side};
use super::party::Party;
use super::path::ResourcePath;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Settings that are followed at a time; of more, those seen least recently are forgotten.
pub(super) const SETTINGS_MAX: usize = 4_096;
/// Changes that are remembered of each.
const CHANGES_MAX: usize = 64;

/// Follows settings.
#[derive(Clone, Debug)]
pub struct Drift {
    window_ns: u64,
    returns_max: usize,
    settings: BTreeMap<ResourcePath, Setting>,
    /// Settings by when they were seen last.
    seen: BTreeSet<(u64, ResourcePath)>,
}

#[derive(Clone, Debug, Default)]
struct Setting {
    /// Values, when each came, and who set it if anybody knows.
    values: VecDeque<(u64, String, Option<Party>)>,
    seen_ns: u64,
    /// A fight was told and is not over.
    told: bool,
}

impl Drift {
    /// Tells a fight when a setting returns to an earlier value more than `returns_max` times within `window_ns`.
    #[must_use]
    pub fn new(window_ns: u64, returns_max: usize) -> Self {
        Self { window_ns, returns_max, settings: BTreeMap::new(), seen: BTreeSet::new() }
    }

    /// Takes note of what a setting is, and of who set it where that is known. Tells a fight once; again only after it
    /// was over for a whole window.
    pub fn observe(
        &mut self,
        path: &ResourcePath,
        value: &str,
        by: Option<&Party>,
        now_ns: u64,
    ) -> Option<Conflict> {
        self.touch(path, now_ns);
        let setting = self.settings.entry(path.clone()).or_default();
        while setting.values.len() > 1
            && setting
                .values
                .front()
                .is_some_and(|(at_ns, ..)| now_ns.saturating_sub(*at_ns) > self.window_ns)
        {
            setting.values.pop_front();
        }
        if setting.values.back().is_none_or(|(_, last, _)| last != value) {
            setting.values.push_back((now_ns, value.to_owned(), by.cloned()));
            if setting.values.len() > CHANGES_MAX {
                setting.values.pop_front();
            }
        }
        let values: Vec<_> = setting.values.iter().collect();
        let returns = values.iter().enumerate().filter(|(at, (_, value, _))| {
            values[..at.saturating_sub(1)].iter().any(|(_, earlier, _)| earlier == value)
        });
        let returns = returns.count();
        if returns == 0 {
            setting.told = false;
        }
        if returns <= self.returns_max || std::mem::replace(&mut setting.told, true) {
            return None;
        }
        Some(fight(path, &values, returns, self.window_ns))
    }

    fn touch(&mut self, path: &ResourcePath, now_ns: u64) {
        if let Some(setting) = self.settings.get_mut(path) {
            self.seen.remove(&(setting.seen_ns, path.clone()));
            setting.seen_ns = now_ns;
        } else {
            if self.settings.len() >= SETTINGS_MAX
                && let Some((_, oldest)) = self.seen.pop_first()
            {
                self.settings.remove(&oldest);
            }
            self.settings.insert(path.clone(), Setting { seen_ns: now_ns, ..Setting::default() });
        }
        self.seen.insert((now_ns, path.clone()));
    }
}

fn fight(
    path: &ResourcePath,
    values: &[&(u64, String, Option<Party>)],
    returns: usize,
    window_ns: u64,
) -> Conflict {
    let mut sides: Vec<Side> = Vec::new();
    for (_, value, by) in values.iter().rev() {
        let unknown = || Party::csp("somebody");
        let says = format!("sets {path} = {value}");
        if !sides.iter().any(|side| side.says == says) {
            let party = by.clone().unwrap_or_else(unknown);
            sides.push(Side { party, mechanism: String::new(), says, token: None });
        }
    }
    let all: Vec<&str> = sides.iter().filter_map(|side| side.says.rsplit(" = ").next()).collect();
    let sentence = format!(
        "{path} went back {returns} times within {} s, between {}: two parties each set it their way, and one of them \
         has to stop",
        window_ns / 1_000_000_000,
        all.join(" and ")
    );
    Conflict { class: Class::ControlFight, about: path.to_string(), sides, rule: None, sentence }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn path(text: &str) -> ResourcePath {
        ResourcePath::parse(text).expect("a path")
    }

    #[test]
    fn what_comes_back_again_and_again_is_told_once() {
        let mut drift = Drift::new(100 * S, 2);
        let at = path("host/sysctl/net/ipv4/ip_forward");
        let (docker, tuned) = (Party::csp("docker"), Party::csp("tuned"));
        let told: Vec<_> = (0..8)
            .map(|n| {
                let (value, by) = if n % 2 == 0 { ("1", &docker) } else { ("0", &tuned) };
                drift.observe(&at, value, Some(by), n * S).is_some()
            })
            .collect();
        assert_eq!(told, [false, false, false, false, true, false, false, false]);
        // Quiet for a window: over. Then it begins again.
        assert!(drift.observe(&at, "0", None, 300 * S).is_none());
        let again: Vec<_> = (0..6)
            .map(|n| drift.observe(&at, if n % 2 == 0 { "1" } else { "0" }, None, (301 + n) * S))
            .collect();
        let fight = again.into_iter().flatten().next().expect("a fight");
        assert_eq!((fight.class, fight.sides.len(), fight.rule), (Class::ControlFight, 2, None));
        assert!(
            fight.sentence.contains("went back 3 times within 100 s, between 1 and 0"),
            "{}",
            fight.sentence
        );
    }

    #[test]
    fn a_ramp_a_repeated_reading_and_slow_changes_are_no_fight() {
        let mut drift = Drift::new(10 * S, 2);
        let at = path("host/sysctl/vm/swappiness");
        for n in 0..50 {
            assert!(drift.observe(&at, &n.to_string(), None, n * S).is_none());
            assert!(drift.observe(&path("host/sysctl/a"), "1", None, n * S).is_none());
            assert!(
                drift
                    .observe(&path("host/sysctl/b"), if n % 2 == 0 { "1" } else { "0" }, None, n * 9 * S)
                    .is_none()
            );
        }
    }

    #[test]
    fn memory_is_bounded_and_the_newest_are_kept() {
        let mut drift = Drift::new(10 * S, 2);
        for n in 0..(SETTINGS_MAX as u64 + 10) {
            drift.observe(&path(&format!("host/sysctl/k{n}")), "1", None, n);
        }
        assert_eq!((drift.settings.len(), drift.seen.len()), (SETTINGS_MAX, SETTINGS_MAX));
        assert!(drift.settings.contains_key(&path(&format!("host/sysctl/k{}", SETTINGS_MAX + 9))));
    }
}
