//! Where the time comes from, and how well it is kept.

use super::super::access::texts;
use super::super::libvirt::unit;
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::chrony::{Chrony, Server, timesyncd};
use crate::checks::parse::etc::ini::{Ini, Style};
use crate::sys::timex::{ClockState, clock_state};

/// Time daemons by the names of their units: an alias of another is not counted again.
const DAEMONS: [(&str, &[&str]); 5] = [
    ("chrony", &["chrony.service", "chronyd.service"]),
    ("systemd-timesyncd", &["systemd-timesyncd.service"]),
    ("ntp", &["ntp.service", "ntpd.service"]),
    ("ntpsec", &["ntpsec.service"]),
    ("openntpd", &["openntpd.service"]),
];
const CHRONY: [&str; 2] = ["/etc/chrony/chrony.conf", "/etc/chrony.conf"];
const NTP: [&str; 2] = ["/etc/ntpsec/ntp.conf", "/etc/ntp.conf"];
const TIMESYNCD: &str = "/etc/systemd/timesyncd.conf";
const UNITS: &str = "/etc/systemd/system";

/// `clock.synchronised`
pub(super) fn synchronised(gather: &Gather, _: &str) -> Found {
    told(gather, |state| state.synchronised)
}

/// `clock.error-below:MS`
pub(super) fn error_below(gather: &Gather, milliseconds: &str) -> Found {
    let Ok(limit) = milliseconds.parse::<i64>() else {
        let why = "clock.error-below: takes a number of milliseconds".to_owned();
        return Found::unavailable(Unavailable::NotExposed(why), "adjtimex(2)");
    };
    told(gather, |state| state.max_error_us < limit.saturating_mul(1_000))
}

fn told(gather: &Gather, tell: impl Fn(&ClockState) -> bool) -> Found {
    const SOURCE: &str = "adjtimex(2)";
    if !gather.host().is_live() {
        let why = "the state of the kernel's clock is not recorded".to_owned();
        return Found::unavailable(Unavailable::NotExposed(why), SOURCE);
    }
    match clock_state() {
        Ok(state) => Found::value(tell(&state), SOURCE).with_raw(&format!("{state:?}")),
        Err(errno) => Found::unavailable(crate::checks::host::why(errno, SOURCE), SOURCE),
    }
}

/// `time.daemons`
pub(super) fn daemons(gather: &Gather, _: &str) -> Found {
    Found::value(names(gather).into_iter().map(str::to_owned).collect::<Vec<_>>(), UNITS)
}

/// `time.daemon-count`
pub(super) fn daemon_count(gather: &Gather, _: &str) -> Found {
    Found::value(i64::try_from(names(gather).len()).unwrap_or(i64::MAX), UNITS)
}

fn names(gather: &Gather) -> Vec<&'static str> {
    let starts = |units: &[&str]| units.iter().any(|name| unit::is_enabled(gather, name));
    DAEMONS.iter().filter(|(_, units)| starts(units)).map(|(name, _)| *name).collect()
}

/// `time.sources`
pub(super) fn sources(gather: &Gather, _: &str) -> Found {
    let mut servers = Vec::new();
    let mut read = Vec::new();
    for name in names(gather) {
        let found = match name {
            "chrony" => chrony(gather).map(|(path, one)| (path, one.servers)),
            "systemd-timesyncd" => timesyncd_servers(gather).map(|servers| (TIMESYNCD, servers)),
            _ => first(gather, &NTP).map(|(path, text)| (path, Chrony::parse(&text).servers)),
        };
        match found {
            Ok((path, found)) => {
                read.push(path);
                servers.extend(found);
            }
            Err(why) => return Found::unavailable(why, name),
        }
    }
    let word = |server: &Server| match (server.nts, server.key, server.kind.as_str()) {
        (true, ..) => "nts",
        (_, Some(_), _) => "key",
        (.., "refclock") => "local",
        _ => "plain",
    };
    let map: Vec<_> = servers.iter().map(|server| (server.name.clone(), word(server).to_owned())).collect();
    Found::value(Value::Map(map), if read.is_empty() { UNITS.to_owned() } else { read.join(", ") })
}

/// `time.serves`
pub(super) fn serves(gather: &Gather, _: &str) -> Found {
    if !names(gather).contains(&"chrony") {
        return Found::unavailable(Unavailable::Absent, CHRONY[0]);
    }
    match chrony(gather) {
        Ok((path, one)) => {
            let closed = one.port.is_some_and(|(port, _)| port == 0);
            let networks = one
                .allows
                .iter()
                .map(|(network, _)| if network.is_empty() { "everyone".to_owned() } else { network.clone() });
            Found::value(if closed { Vec::new() } else { networks.collect() }, path)
        }
        Err(why) => Found::unavailable(why, CHRONY[0]),
    }
}

fn first(gather: &Gather, paths: &[&'static str]) -> Result<(&'static str, String), Unavailable> {
    for path in paths {
        match gather.text(path) {
            Err(Unavailable::Absent) => {}
            read => return read.map(|text| (*path, text)),
        }
    }
    Err(Unavailable::Absent)
}

/// chrony's configuration with the folders it names.
fn chrony(gather: &Gather) -> Result<(&'static str, Chrony), Unavailable> {
    let (path, text) = first(gather, &CHRONY)?;
    let mut all = Chrony::parse(&text);
    for (folders, _) in all.includes.clone() {
        for folder in folders.split_ascii_whitespace() {
            let mut files = texts(gather, folder, ".conf");
            if matches!(&files, Err(why) if *why != Unavailable::Absent)
                && gather.meta(folder)?.kind() == "file"
            {
                files = gather.text(folder).map(|text| vec![(folder.to_owned(), text)]);
            }
            let sources = texts(gather, folder, ".sources").unwrap_or_default();
            for (_, text) in files?.into_iter().chain(sources) {
                let one = Chrony::parse(&text);
                all.servers.extend(one.servers);
                all.allows.extend(one.allows);
                all.port = one.port.or(all.port);
            }
        }
    }
    Ok((path, all))
}

fn timesyncd_servers(gather: &Gather) -> Result<Vec<Server>, Unavailable> {
    let mut ini = Ini::default();
    match gather.text(TIMESYNCD) {
        Ok(text) => ini.add(TIMESYNCD, &text, Style::Systemd),
        Err(Unavailable::Absent) => {}
        Err(why) => return Err(why),
    }
    for (path, text) in texts(gather, "/etc/systemd/timesyncd.conf.d", ".conf")? {
        ini.add(&path, &text, Style::Systemd);
    }
    let all = timesyncd(&ini);
    let (own, fallback): (Vec<_>, Vec<_>) = all.into_iter().partition(|server| server.kind == "NTP");
    if !own.is_empty() || !fallback.is_empty() {
        return Ok(if own.is_empty() { fallback } else { own });
    }
    // The distribution builds a list in, which no file tells.
    let kind = "NTP".to_owned();
    Ok(vec![Server { kind, name: "(built in)".to_owned(), nts: false, key: None, line: 0 }])
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    #[test]
    fn only_daemons_that_start_are_asked_and_folders_are_followed() {
        let tree = Tree::new(&[
            (
                "etc/chrony/chrony.conf",
                "server a.example nts\nserver b.example\nconfdir /etc/chrony/conf.d\nsourcedir /run/chrony-dhcp\nallow 10.0.0.0/8\n",
            ),
            ("etc/chrony/conf.d/x.conf", "server c.example key 3\nallow\n"),
            ("etc/systemd/timesyncd.conf", "[Time]\nNTP=d.example\n"),
        ]);
        assert_eq!((tree.told(daemons, ""), tree.told(sources, "")), ("none".into(), "none".into()));
        tree.link(
            "etc/systemd/system/multi-user.target.wants/chrony.service",
            "/lib/systemd/system/chrony.service",
        );
        tree.link("etc/systemd/system/chronyd.service", "/lib/systemd/system/chrony.service");
        assert_eq!((tree.told(daemons, ""), tree.told(daemon_count, "")), ("chrony".into(), "1".into()));
        assert_eq!(tree.told(sources, ""), "a.example=nts, b.example=plain, c.example=key");
        assert_eq!(tree.told(serves, ""), "10.0.0.0/8, everyone");
        tree.add("etc/chrony/conf.d/y.conf", "port 0\n");
        assert_eq!(tree.told(serves, ""), "none");
        tree.link("etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service", "/x");
        assert_eq!(tree.told(daemon_count, ""), "2");
    }

    #[test]
    fn the_clock_of_a_recorded_host_is_not_this_one_s() {
        assert_eq!(Tree::new(&[]).told(synchronised, ""), "!not-exposed");
        assert_eq!(Tree::new(&[]).told(error_below, "x"), "!not-exposed");
    }
}
