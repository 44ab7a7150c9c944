//! Where the time comes from: chrony.conf(5) and timesyncd.conf(5).

use super::ini::Ini;
use super::text::{Mistake, keep, note};

/// A source of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// `server`, `pool`, `peer`, `refclock`; `NTP` and `FallbackNTP` of timesyncd.
    pub kind: String,
    /// Its name or address; a reference clock's driver.
    pub name: String,
    /// Whether it has to prove itself with NTS.
    pub nts: bool,
    /// A symmetric key's number.
    pub key: Option<u32>,
    /// The line, counted from 1.
    pub line: usize,
}

/// What `chrony.conf` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chrony {
    /// Sources in order.
    pub servers: Vec<Server>,
    /// `allow` lines, which make it a server: a network, or empty for everyone.
    pub allows: Vec<(String, usize)>,
    /// `port 0` and `cmdport 0` close a port; else they move it.
    pub port: Option<(u16, usize)>,
    /// The same for the port of chronyc.
    pub command_port: Option<(u16, usize)>,
    /// `include`, `confdir` and `sourcedir`, with what follows.
    pub includes: Vec<(String, usize)>,
    /// Directives that lack what they need. Those of no matter here are passed over.
    pub mistakes: Vec<Mistake>,
}

impl Chrony {
    /// Reads `chrony.conf`, or a `*.sources` file.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut chrony = Self::default();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.trim();
            if content.is_empty() || content.starts_with(['!', ';', '#', '%']) {
                continue;
            }
            if let Err(why) = chrony.directive(line, content) {
                note(&mut chrony.mistakes, line, why);
            }
        }
        chrony
    }

    fn directive(&mut self, line: usize, content: &str) -> Result<(), &'static str> {
        let mut words = content.split_ascii_whitespace();
        let word = words.next().unwrap_or_default().to_ascii_lowercase();
        match word.as_str() {
            "server" | "pool" | "peer" | "refclock" => {
                let name = words.next().ok_or("a source without a name")?.to_owned();
                let mut server = Server { kind: word, name, nts: false, key: None, line };
                while let Some(option) = words.next() {
                    match option.to_ascii_lowercase().as_str() {
                        "nts" => server.nts = true,
                        "key" => {
                            let key = words.next().and_then(|key| key.parse().ok());
                            server.key = Some(key.ok_or("a key without a number")?);
                        }
                        _ => {}
                    }
                }
                keep(&mut self.servers, server, &mut self.mistakes, line);
            }
            "allow" => {
                let network =
                    words.filter(|word| !word.eq_ignore_ascii_case("all")).collect::<Vec<_>>().join(" ");
                keep(&mut self.allows, (network, line), &mut self.mistakes, line);
            }
            "port" | "cmdport" => {
                let port = words.next().and_then(|port| port.parse().ok()).ok_or("not a port")?;
                *(if word == "port" { &mut self.port } else { &mut self.command_port }) = Some((port, line));
            }
            "include" | "confdir" | "sourcedir" => {
                let paths = words.collect::<Vec<_>>().join(" ");
                keep(&mut self.includes, (paths, line), &mut self.mistakes, line);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The sources of `timesyncd.conf` and its drop-ins, which know no authentication. Fallbacks count only where there
/// is no other, which is for the caller to see.
#[must_use]
pub fn timesyncd(ini: &Ini) -> Vec<Server> {
    let mut servers = Vec::new();
    for kind in ["NTP", "FallbackNTP"] {
        for entry in ini.values("Time", kind) {
            for name in entry.value.split_ascii_whitespace() {
                let (kind, name) = (kind.to_owned(), name.to_owned());
                servers.push(Server { kind, name, nts: false, key: None, line: entry.origin.line });
            }
        }
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::super::ini::Style;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sources_are_read() {
        let chrony = Chrony::parse(
            "! c\n# server x nts\nserver time.example iburst nts\r\nPool 2.debian.pool.ntp.org key 7\nserver\n\
             allow\nallow 10.0.0.0/8\nport 0\ncmdport x\nsourcedir /etc/chrony/sources.d\nmakestep 1 3\nserver ntsx minpoll 4",
        );
        let found: Vec<_> = chrony.servers.iter().map(|s| (s.kind.as_str(), s.nts, s.key, s.line)).collect();
        assert_eq!(
            found,
            [("server", true, None, 3), ("pool", false, Some(7), 4), ("server", false, None, 12)]
        );
        assert_eq!(chrony.allows, [(String::new(), 6), ("10.0.0.0/8".to_owned(), 7)]);
        assert_eq!((chrony.port, chrony.command_port, chrony.includes.len()), (Some((0, 8)), None, 1));
        assert_eq!(chrony.mistakes.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [5, 9]);
    }

    #[test]
    fn timesyncd_resets() {
        let ini = Ini::parse("/a", "[Time]\nNTP=x\nNTP=\nNTP=a b\nFallbackNTP=c\n", Style::Systemd);
        let found: Vec<_> = timesyncd(&ini).into_iter().map(|server| (server.name, server.line)).collect();
        assert_eq!(found, [("a".to_owned(), 4), ("b".to_owned(), 4), ("c".to_owned(), 5)]);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "((server|key|allow|port)?[ a0]{0,6}){0,8}\n?|.{0,60}") {
            let _ = Chrony::parse(&text);
        }

        #[test]
        fn nts_is_found_among_options(before in "(iburst )?", after in "( prefer)?", nts in any::<bool>()) {
            let word = if nts { "nts" } else { "trust" };
            let chrony = Chrony::parse(&format!("server a {before}{word}{after}\n"));
            prop_assert_eq!(chrony.servers[0].nts, nts);
        }
    }
}
