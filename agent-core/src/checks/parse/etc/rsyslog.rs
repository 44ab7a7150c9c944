//! Whether logs leave the host, and how: rsyslog.conf(5).
//!
//! Best effort. Found are `@host`, `@@host` and `:omrelp:` behind a selector, and `action(...)` of omfwd and omrelp
//! with the settings they take from `global(...)`, `module(...)` and `$...` lines before them. Not evaluated: filters
//! (an action that no message reaches is found all the same), `if` with conditions that never hold, templates that
//! make up a host, `target` from a lookup, `omfwd` through a port forwarder or `stunnel`, and files that are included,
//! which are listed for the caller.

use super::text::{ENTRIES_MAX, Mistake, keep, note};

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A connection.
    Tcp,
    /// RELP, which acknowledges.
    Relp,
}

/// Who else can read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Everyone on the way.
    Clear,
    /// TLS, to whoever answers (`anon`, or no mode at all).
    Encrypted,
    /// TLS, to a peer that proves who it is.
    Authenticated,
}

/// One place that logs go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A name or address.
    pub host: String,
    /// As written; empty where it is the default.
    pub port: String,
    /// How.
    pub transport: Transport,
    /// Whether in TLS. UDP never is.
    pub protection: Protection,
    /// The line it begins in, counted from 1.
    pub line: usize,
}

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rsyslog {
    /// Places in order.
    pub targets: Vec<Target>,
    /// Patterns of included files.
    pub includes: Vec<(String, usize)>,
    /// What does not end, and places without a host.
    pub mistakes: Vec<Mistake>,
}

/// Settings that hold for what comes after them.
#[derive(Clone, Debug, Default)]
struct Defaults {
    driver: String,
    mode: String,
    authentication: String,
}

impl Rsyslog {
    /// Reads a file's text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut all = Self::default();
        let mut defaults = Defaults::default();
        let clean = uncommented(text);
        let (mut rest, mut line) = (clean.as_str(), 1);
        while !rest.is_empty() {
            let (end, whole) = statement_end(rest);
            let (statement, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            if whole {
                all.statement(line, statement, &mut defaults);
            } else {
                note(&mut all.mistakes, line, "a parenthesis that does not end");
            }
            line += statement.matches('\n').count();
            rest = after;
        }
        all
    }

    fn statement(&mut self, line: usize, text: &str, defaults: &mut Defaults) {
        let trimmed = text.trim();
        if let Some(directive) = trimmed.strip_prefix('$') {
            let (name, value) = directive.split_once([' ', '\t']).unwrap_or((directive, ""));
            let value = value.trim().to_owned();
            match name.to_ascii_lowercase().as_str() {
                "defaultnetstreamdriver" | "actionsendstreamdriver" => defaults.driver = value,
                "actionsendstreamdrivermode" => defaults.mode = value,
                "actionsendstreamdriverauthmode" => defaults.authentication = value,
                "includeconfig" => keep(&mut self.includes, (value, line), &mut self.mistakes, line),
                _ => {}
            }
            return;
        }
        let found = objects(text);
        if found.is_empty() {
            self.legacy(line, trimmed, defaults);
        }
        for (name, parameters) in found {
            self.object(line, name, &parameters, defaults);
        }
    }

    fn object(&mut self, line: usize, name: &str, parameters: &[(String, String)], defaults: &mut Defaults) {
        let get = |name: &str| {
            let found = parameters.iter().rev().find(|(have, _)| have == name);
            found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        let kind = get("type").unwrap_or_default().to_ascii_lowercase();
        match (name, kind.as_str()) {
            ("global", _) => {
                let driver = std::mem::take(&mut defaults.driver);
                defaults.driver = get("defaultnetstreamdriver").unwrap_or(driver);
            }
            ("module", _) if get("load").is_some_and(|load| load.ends_with("omfwd")) => {
                let Defaults { driver, mode, authentication } = defaults;
                *driver = get("streamdriver.name").or(get("streamdriver")).unwrap_or(std::mem::take(driver));
                *mode = get("streamdriver.mode").or(get("streamdrivermode")).unwrap_or(std::mem::take(mode));
                let given = get("streamdriver.authmode").or(get("streamdriverauthmode"));
                *authentication = given.unwrap_or(std::mem::take(authentication));
            }
            ("include", _) => {
                if let Some(file) = get("file") {
                    keep(&mut self.includes, (file, line), &mut self.mistakes, line);
                }
            }
            ("action", "omfwd" | "builtin:omfwd") => {
                let tcp = get("protocol").is_some_and(|protocol| protocol.eq_ignore_ascii_case("tcp"));
                let transport = if tcp { Transport::Tcp } else { Transport::Udp };
                let own = Defaults {
                    driver: get("streamdriver").unwrap_or(defaults.driver.clone()),
                    mode: get("streamdrivermode").unwrap_or(defaults.mode.clone()),
                    authentication: get("streamdriverauthmode").unwrap_or(defaults.authentication.clone()),
                };
                self.target(line, get("target"), get("port"), transport, protection(transport, &own));
            }
            ("action", "omrelp") => {
                let tls = get("tls").is_some_and(|tls| tls.eq_ignore_ascii_case("on"));
                let proven = get("tls.authmode").is_some_and(|mode| !mode.eq_ignore_ascii_case("anon"));
                let protection = match (tls, proven) {
                    (false, _) => Protection::Clear,
                    (true, false) => Protection::Encrypted,
                    (true, true) => Protection::Authenticated,
                };
                self.target(line, get("target"), get("port"), Transport::Relp, protection);
            }
            _ => {}
        }
    }

    /// `SELECTOR @@(options)host:port;template`.
    fn legacy(&mut self, line: usize, text: &str, defaults: &Defaults) {
        for word in text.split_ascii_whitespace() {
            let (word, transport) = if let Some(rest) = word.strip_prefix("@@") {
                (rest, Transport::Tcp)
            } else if let Some(rest) = word.strip_prefix('@') {
                (rest, Transport::Udp)
            } else if let Some(rest) = word.strip_prefix(":omrelp:") {
                (rest, Transport::Relp)
            } else {
                continue;
            };
            let word =
                word.strip_prefix('(').and_then(|inner| inner.split_once(')')).map_or(word, |(_, rest)| rest);
            let word = word.split(';').next().unwrap_or_default();
            let (host, port) = match word.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
                Some((host, rest)) => (host, rest.trim_start_matches(':')),
                None => word.split_once(':').unwrap_or((word, "")),
            };
            let protection = protection(transport, defaults);
            self.target(line, Some(host.to_owned()), Some(port.to_owned()), transport, protection);
        }
    }

    fn target(
        &mut self,
        line: usize,
        host: Option<String>,
        port: Option<String>,
        transport: Transport,
        protection: Protection,
    ) {
        match host.filter(|host| !host.is_empty()) {
            Some(host) => {
                let target = Target { host, port: port.unwrap_or_default(), transport, protection, line };
                keep(&mut self.targets, target, &mut self.mistakes, line);
            }
            None => note(&mut self.mistakes, line, "a place without a host"),
        }
    }
}

/// More than any object; one that goes on for longer does not end.
const OBJECT_BYTES_MAX: usize = 16 * 1024;

fn protection(transport: Transport, settings: &Defaults) -> Protection {
    let tls = matches!(settings.driver.to_ascii_lowercase().as_str(), "gtls" | "ossl" | "mbedtls");
    if transport != Transport::Tcp || !tls || settings.mode != "1" {
        Protection::Clear
    } else if settings.authentication.is_empty() || settings.authentication.eq_ignore_ascii_case("anon") {
        Protection::Encrypted
    } else {
        Protection::Authenticated
    }
}

/// The text with blanks in place of comments, line by line. One does not begin within a word, such as a path with `/*`.
fn uncommented(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let (mut quoted, mut escaped, mut block, mut rest_of_line, mut before) =
        (false, false, false, false, '\n');
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\n' {
            // Texts in quotes end with their lines.
            (quoted, escaped, rest_of_line) = (false, false, false);
        } else if block {
            block = !(before == '*' && char == '/');
            before = char;
            clean.push(' ');
            continue;
        } else if rest_of_line {
            continue;
        } else if !quoted && char == '#' && ends_word(before) {
            rest_of_line = true;
            continue;
        } else if !quoted && char == '/' && ends_word(before) && chars.next_if_eq(&'*').is_some() {
            (block, before) = (true, ' ');
            continue;
        } else if char == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = char == '\\' && !escaped;
        before = char;
        clean.push(char);
    }
    clean
}

fn ends_word(char: char) -> bool {
    char.is_ascii_whitespace() || matches!(char, ')' | '{' | '}' | ';')
}

const OBJECTS: [&str; 4] = ["action", "global", "include", "module"];

/// Where a statement ends: with its line, or with the line in which its last object closes. When one does not, where
/// to go on, and `false`.
fn statement_end(text: &str) -> (usize, bool) {
    let line_end = |from: usize| {
        text.get(from..).and_then(|rest| rest.find('\n')).map_or(text.len(), |length| from + length + 1)
    };
    let (mut from, mut end) = (0, line_end(0));
    while let Some((_, inner)) = text.get(from..end).and_then(next_object) {
        let start = end - inner.len();
        let inner = text.get(start..).unwrap_or_default();
        let window = inner.get(..inner.floor_char_boundary(OBJECT_BYTES_MAX)).unwrap_or(inner);
        match closing(window) {
            Some(length) => from = start + length,
            None => return (line_end(start + window.len()), false),
        }
        end = end.max(line_end(from));
    }
    (end, true)
}

/// The next object's name, and what follows its parenthesis.
fn next_object(text: &str) -> Option<(&'static str, &str)> {
    let mut quoted = false;
    for (at, char) in text.char_indices() {
        quoted ^= char == '"';
        if char != '(' || quoted {
            continue;
        }
        let before = text.get(..at)?.trim_end();
        for name in OBJECTS {
            let start = before.len().checked_sub(name.len());
            let Some((head, tail)) = start.and_then(|start| before.split_at_checked(start)) else { continue };
            if tail.eq_ignore_ascii_case(name)
                && !head.ends_with(|char: char| char.is_alphanumeric() || char == '_')
            {
                return Some((name, text.get(at + 1..)?));
            }
        }
    }
    None
}

/// Where the parenthesis closes.
fn closing(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.find(|char| {
        if char == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = char == '\\' && !escaped;
        char == ')' && !quoted
    })
}

/// The objects of a whole statement, and their parameters with names in lower case.
fn objects(text: &str) -> Vec<(&'static str, Vec<(String, String)>)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, inner)) = next_object(rest)
        && let Some(end) = closing(inner)
        && found.len() < ENTRIES_MAX
    {
        let (body, after) = inner.split_at_checked(end).unwrap_or((inner, ""));
        found.push((name, parameters(body)));
        rest = after;
    }
    found
}

fn parameters(body: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = body;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.split_ascii_whitespace().next_back().unwrap_or_default().to_ascii_lowercase();
        let Some(inner) = after.trim_start().strip_prefix('"') else {
            rest = after;
            continue;
        };
        let mut escaped = false;
        let end = inner.find(|char| {
            let ends = char == '"' && !escaped;
            escaped = char == '\\' && !escaped;
            ends
        });
        let Some((value, after)) = end.and_then(|end| inner.split_at_checked(end)) else { return found };
        found.push((name, value.replace("\\\"", "\"")));
        rest = after.strip_prefix('"').unwrap_or(after);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str) -> Vec<(String, String, Transport, Protection, usize)> {
        let all = Rsyslog::parse(text);
        assert_eq!(all.mistakes, []);
        all.targets.into_iter().map(|t| (t.host, t.port, t.transport, t.protection, t.line)).collect()
    }

    fn target(
        (host, port): (&str, &str),
        transport: Transport,
        protection: Protection,
        line: usize,
    ) -> (String, String, Transport, Protection, usize) {
        (host.to_owned(), port.to_owned(), transport, protection, line)
    }

    #[test]
    fn selectors_with_hosts_are_found() {
        use Protection::{Authenticated, Clear};
        use Transport::{Relp, Tcp, Udp};
        let text = "# *.* @@no:514\n*.* @a:514\r\nauth,authpriv.* /var/log/auth.log\n*.* @@[::1]:6514;T\n\
            $DefaultNetstreamDriver gtls\n$ActionSendStreamDriverMode 1\n$ActionSendStreamDriverAuthMode x509/name\n\
            :msg, contains, \"x\" @@(o)b\n& :omrelp:c:2514";
        assert_eq!(
            found(text),
            [
                target(("a", "514"), Udp, Clear, 2),
                target(("::1", "6514"), Tcp, Clear, 4),
                target(("b", ""), Tcp, Authenticated, 8),
                target(("c", "2514"), Relp, Clear, 9),
            ]
        );
    }

    #[test]
    fn actions_are_found() {
        use Protection::{Authenticated, Clear, Encrypted};
        use Transport::{Relp, Tcp, Udp};
        let text = "global(DefaultNetstreamDriver=\"gtls\") /* action(type=\"omfwd\" target=\"no\") */\n\
            if $msg contains \"a(b\" then {\n  action(type=\"omfwd\" target=\"a\" # why ) \"\n    Port=\"6514\" protocol=\"tcp\"\n\
            \x20   StreamDriverMode=\"1\" StreamDriverAuthMode=\"x509/name\")\n}\n\
            *.* action(type=\"omfwd\" target=\"b\" protocol=\"tcp\" StreamDriverMode=\"1\")\n\
            action(type=\"omfwd\" target=\"c\" StreamDriverMode=\"1\")\naction(type=\"omfile\" file=\"/x\")\n\
            action(type=\"omrelp\" target=\"d\" port=\"1\" tls=\"on\" tls.authMode=\"certvalid\") action(type=\"omrelp\" target=\"e\")";
        assert_eq!(
            found(text),
            [
                target(("a", "6514"), Tcp, Authenticated, 3),
                target(("b", ""), Tcp, Encrypted, 7),
                target(("c", ""), Udp, Clear, 8),
                target(("d", "1"), Relp, Authenticated, 10),
                target(("e", ""), Relp, Clear, 10),
            ]
        );
    }

    #[test]
    fn included_files_and_mistakes_are_named() {
        let all = Rsyslog::parse(
            "$IncludeConfig /etc/rsyslog.d/*.conf\ninclude(file=\"/etc/x\" mode=\"optional\")\n*.* @@\n\
             action(type=\"omfwd\"\n target=\"a\"\n",
        );
        assert_eq!(all.includes, [("/etc/rsyslog.d/*.conf".to_owned(), 1), ("/etc/x".to_owned(), 2)]);
        assert_eq!(all.mistakes.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4]);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "((action|global)?[ (@:)\"=#/*\\\\]{0,10}\n?){0,8}|.{0,60}") {
            let clean = uncommented(&text);
            prop_assert_eq!(clean.matches('\n').count(), text.matches('\n').count());
            let _ = Rsyslog::parse(&text);
        }

        #[test]
        fn a_host_is_found_with_its_port(host in "[a-z][a-z.-]{0,12}", port in 1u16..) {
            let all = Rsyslog::parse(&format!("*.* @@{host}:{port}\n"));
            prop_assert_eq!((&all.targets[0].host, &all.targets[0].port), (&host, &port.to_string()));
        }
    }
}
