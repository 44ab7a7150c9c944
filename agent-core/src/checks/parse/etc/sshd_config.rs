//! The SSH server's configuration: `sshd_config(5)`, with the files it includes.

use super::text::{ENTRIES_MAX, Origin, note};
use std::sync::Arc;

/// Files within files are followed this far, as sshd does.
pub const DEPTH_MAX: usize = 16;
/// Files read in all: one that includes itself twice would be read without end.
pub const FILES_MAX: usize = 256;

/// What an `Include` stands for: paths and texts of the files that fit its pattern, in lexical order. The pattern is
/// absolute, for glob(7).
pub type Resolver<'r> = dyn FnMut(&str) -> Vec<(String, String)> + 'r;

/// A `Match` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its criteria as written, such as `User git Address 10.0.0.0/8`.
    pub criteria: String,
    /// Where it stands.
    pub origin: Origin,
    /// The block that the file with this one is included in: both have to fit.
    pub outer: Option<usize>,
}

/// One line with a keyword.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The keyword in lower case, under today's name where it had another.
    pub keyword: String,
    /// Its arguments without quotes.
    pub arguments: Vec<String>,
    /// The index in [`Config::blocks`] of the `Match` it belongs to; `None` holds for every connection.
    pub block: Option<usize>,
    /// Where it stands.
    pub origin: Origin,
}

impl Entry {
    /// The arguments as one text.
    #[must_use]
    pub fn value(&self) -> String {
        self.arguments.join(" ")
    }
}

/// The value of a keyword.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The value in one text; yes and no in lower case.
    pub value: String,
    /// Where it is set; `None` where nothing sets it and OpenSSH's own default holds.
    pub origin: Option<Origin>,
}

/// A whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Every keyword in the order in which sshd reads them, files spliced in where they are included.
    pub entries: Vec<Entry>,
    /// Every `Match`.
    pub blocks: Vec<Block>,
    /// `Include` lines: the pattern made absolute, and how many files it stood for.
    pub includes: Vec<(String, usize, Origin)>,
    /// What sshd would refuse, or what was not followed. With any of them sshd may not start as it is.
    pub mistakes: Vec<(Origin, String)>,
}

/// Defaults of OpenSSH 9.2 (Debian 12). A distribution may build in others, or pass them on the command line, as
/// RHEL's crypto policies do; a caller that knows the version can say so.
const DEFAULTS: &[(&str, &str)] = &[
    ("permitrootlogin", "prohibit-password"),
    ("passwordauthentication", "yes"),
    ("kbdinteractiveauthentication", "yes"),
    ("permitemptypasswords", "no"),
    ("pubkeyauthentication", "yes"),
    ("hostbasedauthentication", "no"),
    ("ignorerhosts", "yes"),
    ("gssapiauthentication", "no"),
    ("authenticationmethods", "any"),
    ("usepam", "no"),
    ("strictmodes", "yes"),
    ("allowtcpforwarding", "yes"),
    ("allowstreamlocalforwarding", "yes"),
    ("allowagentforwarding", "yes"),
    ("x11forwarding", "no"),
    ("x11uselocalhost", "yes"),
    ("gatewayports", "no"),
    ("permittunnel", "no"),
    ("permituserenvironment", "no"),
    ("permitopen", "any"),
    ("permitlisten", "any"),
    ("disableforwarding", "no"),
    ("maxauthtries", "6"),
    ("maxsessions", "10"),
    ("maxstartups", "10:30:100"),
    ("logingracetime", "120"),
    ("clientaliveinterval", "0"),
    ("clientalivecountmax", "3"),
    ("loglevel", "INFO"),
    ("requiredrsasize", "1024"),
    ("authorizedkeysfile", ".ssh/authorized_keys .ssh/authorized_keys2"),
    (
        "ciphers",
        "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,\
         aes256-gcm@openssh.com",
    ),
    (
        "macs",
        "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,\
         hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,\
         hmac-sha2-256,hmac-sha2-512,hmac-sha1",
    ),
    (
        "kexalgorithms",
        "sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,\
         ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,\
         diffie-hellman-group18-sha512,diffie-hellman-group14-sha256",
    ),
    (
        "hostkeyalgorithms",
        "ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,\
         ecdsa-sha2-nistp384-cert-v01@openssh.com,ecdsa-sha2-nistp521-cert-v01@openssh.com,\
         sk-ssh-ed25519-cert-v01@openssh.com,sk-ecdsa-sha2-nistp256-cert-v01@openssh.com,\
         rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com,ssh-ed25519,ecdsa-sha2-nistp256,\
         ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,sk-ssh-ed25519@openssh.com,\
         sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256",
    ),
];

/// Keywords of which every line counts, not the first alone.
const ADD_UP: [&str; 9] = [
    "port",
    "listenaddress",
    "hostkey",
    "hostcertificate",
    "acceptenv",
    "allowusers",
    "denyusers",
    "allowgroups",
    "denygroups",
];

/// Former names.
const RENAMED: [(&str, &str); 5] = [
    ("challengeresponseauthentication", "kbdinteractiveauthentication"),
    ("skeyauthentication", "kbdinteractiveauthentication"),
    ("pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms"),
    ("hostbasedacceptedkeytypes", "hostbasedacceptedalgorithms"),
    ("hostdsakey", "hostkey"),
];

/// Values from the strictest on, for keywords that a `Match` can loosen.
const STRICTEST_FIRST: &[(&str, &[&str])] = &[
    ("permitrootlogin", &["no", "forced-commands-only", "prohibit-password", "yes"]),
    ("passwordauthentication", &["no", "yes"]),
    ("kbdinteractiveauthentication", &["no", "yes"]),
    ("permitemptypasswords", &["no", "yes"]),
    ("hostbasedauthentication", &["no", "yes"]),
    ("ignorerhosts", &["yes", "shosts-only", "no"]),
    ("x11forwarding", &["no", "yes"]),
    ("allowagentforwarding", &["no", "yes"]),
    ("disableforwarding", &["yes", "no"]),
];

impl Config {
    /// Reads a file's text and every file it includes.
    #[must_use]
    pub fn parse(path: &str, text: &str, resolver: &mut Resolver<'_>) -> Self {
        let mut reader = Reader { config: Self::default(), files: 1, resolver };
        reader.file(path, text, None, 0);
        reader.config
    }

    /// What holds for a connection that no `Match` fits: the first value, or OpenSSH's default. Keywords of which
    /// every line counts (`AllowUsers`, `ListenAddress`, ...) give all of them. `None`: nothing sets it, and it has
    /// no default here. The keyword may be in any case.
    #[must_use]
    pub fn global(&self, keyword: &str) -> Option<Effective> {
        let keyword = keyword.to_ascii_lowercase();
        let mut lines = self.entries.iter().filter(|entry| entry.block.is_none() && entry.keyword == keyword);
        if let Some(first) = lines.next() {
            let mut value = first.value();
            if ADD_UP.contains(&keyword.as_str()) {
                lines.for_each(|entry| {
                    value.push(' ');
                    value.push_str(&entry.value());
                });
            }
            return Some(Effective { value, origin: Some(first.origin.clone()) });
        }
        let (_, value) = DEFAULTS.iter().find(|(name, _)| *name == keyword)?;
        Some(Effective { value: (*value).to_owned(), origin: None })
    }

    /// The algorithms of `Ciphers`, `MACs`, `KexAlgorithms` or `HostKeyAlgorithms`, with what `+`, `-` and `^` at the
    /// beginning do to the defaults, and where that is set.
    #[must_use]
    pub fn algorithms(&self, keyword: &str) -> Option<(Vec<String>, Option<Origin>)> {
        let Effective { value, origin } = self.global(keyword)?;
        let keyword = keyword.to_ascii_lowercase();
        let default = DEFAULTS.iter().find(|(name, _)| *name == keyword).map_or("", |(_, value)| *value);
        let list = |text: &str| -> Vec<String> {
            text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let given = list(value.trim_start_matches(['+', '-', '^']));
        let defaults = list(default).into_iter();
        let algorithms = match value.chars().next() {
            Some('+') => defaults.chain(given).collect(),
            Some('^') => given.into_iter().chain(defaults).collect(),
            Some('-') => {
                let gone = |name: &String| given.iter().any(|pattern| super::text::glob(pattern, name, None));
                defaults.filter(|name| !gone(name)).collect()
            }
            _ => given,
        };
        Some((algorithms, origin))
    }

    /// Lines within a `Match` that give a keyword a looser value than [`global`](Self::global) does; where the
    /// values have no order known here, every line with another value.
    #[must_use]
    pub fn loosened(&self, keyword: &str) -> Vec<&Entry> {
        let keyword = keyword.to_ascii_lowercase();
        let global = self.global(&keyword).map(|effective| effective.value);
        let order = STRICTEST_FIRST.iter().find(|(name, _)| *name == keyword).map(|(_, values)| *values);
        let rank = |value: &str| order?.iter().position(|known| known.eq_ignore_ascii_case(value));
        let looser = |entry: &&Entry| {
            let value = entry.value();
            match (rank(&value), global.as_deref().and_then(rank)) {
                (Some(here), Some(there)) => here > there,
                _ => global.as_deref() != Some(value.as_str()),
            }
        };
        let within = self.entries.iter().filter(|entry| entry.block.is_some() && entry.keyword == keyword);
        within.filter(looser).collect()
    }
}

struct Reader<'r, 'f> {
    config: Config,
    files: usize,
    resolver: &'r mut Resolver<'f>,
}

impl Reader<'_, '_> {
    /// Recursion goes no deeper than [`DEPTH_MAX`].
    fn file(&mut self, path: &str, text: &str, outer: Option<usize>, depth: usize) {
        let file: Arc<str> = Arc::from(path);
        let mut block = outer;
        for (line, content) in (1..).zip(text.lines()) {
            let origin = Origin { file: Arc::clone(&file), line };
            let (keyword, rest) = match split(content) {
                Ok(Some(parts)) => parts,
                Ok(None) => continue,
                Err(why) => {
                    note(&mut self.config.mistakes, origin, why);
                    continue;
                }
            };
            let arguments = match arguments(rest) {
                Ok(arguments) if !arguments.is_empty() => arguments,
                Ok(_) => {
                    note(&mut self.config.mistakes, origin, "a keyword without a value");
                    continue;
                }
                Err(why) => {
                    note(&mut self.config.mistakes, origin, why);
                    continue;
                }
            };
            if self.config.entries.len() + self.config.blocks.len() + self.config.includes.len()
                >= ENTRIES_MAX
            {
                return note(&mut self.config.mistakes, origin, "more entries than are kept");
            }
            match keyword.as_str() {
                "match"
                    if arguments.len() == 1
                        && arguments.iter().all(|word| word.eq_ignore_ascii_case("all")) =>
                {
                    block = outer;
                }
                "match" => {
                    block = Some(self.config.blocks.len());
                    self.config.blocks.push(Block { criteria: arguments.join(" "), origin, outer });
                }
                "include" => {
                    for pattern in &arguments {
                        self.include(pattern, &origin, block, depth);
                    }
                }
                _ => self.config.entries.push(entry(keyword, arguments, block, origin)),
            }
        }
    }

    fn include(&mut self, pattern: &str, origin: &Origin, block: Option<usize>, depth: usize) {
        if depth >= DEPTH_MAX {
            return note(&mut self.config.mistakes, origin.clone(), "files within files go too deep");
        }
        if self.files >= FILES_MAX {
            return note(&mut self.config.mistakes, origin.clone(), "more files than are read");
        }
        let pattern =
            if pattern.starts_with(['/', '~']) { pattern.to_owned() } else { format!("/etc/ssh/{pattern}") };
        let files = (self.resolver)(&pattern);
        self.config.includes.push((pattern, files.len(), origin.clone()));
        for (path, text) in files {
            if self.files >= FILES_MAX {
                return note(&mut self.config.mistakes, origin.clone(), "more files than are read");
            }
            self.files += 1;
            self.file(&path, &text, block, depth + 1);
        }
    }
}

fn entry(keyword: String, mut arguments: Vec<String>, block: Option<usize>, origin: Origin) -> Entry {
    for word in &mut arguments {
        if ["yes", "no"].iter().any(|known| word.eq_ignore_ascii_case(known)) {
            word.make_ascii_lowercase();
        }
    }
    let keyword =
        RENAMED.iter().find(|(old, _)| *old == keyword).map_or(keyword, |(_, new)| (*new).to_owned());
    if keyword == "permitrootlogin" {
        // Its former name.
        arguments.iter_mut().filter(|word| word.eq_ignore_ascii_case("without-password")).for_each(|word| {
            "prohibit-password".clone_into(word);
        });
    }
    Entry { keyword, arguments, block, origin }
}

/// Keyword in lower case, and the rest of the line; `None` for an empty line or comment. One `=` may part them.
fn split(line: &str) -> Result<Option<(String, &str)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (keyword, rest) = match line.strip_prefix('"') {
        Some(inner) => inner.split_once('"').ok_or("a quote that does not end")?,
        None => line
            .find(|char: char| char == '=' || char == '"' || char.is_ascii_whitespace())
            .and_then(|end| line.split_at_checked(end))
            .unwrap_or((line, "")),
    };
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    Ok(Some((keyword.to_ascii_lowercase(), rest)))
}

/// Words: both quotes, a backslash before a quote, a backslash or (outside quotes) a space, and `#` where a word
/// would begin.
fn arguments(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match (quote, char) {
            (Some(open), _) if open == char => quote = None,
            (None, '"' | '\'') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (_, '\\') => {
                let escaped = chars
                    .next_if(|next| matches!(next, '"' | '\'' | '\\') || quote.is_none() && *next == ' ')
                    .unwrap_or('\\');
                word.get_or_insert_default().push(escaped);
            }
            (None, '#') if word.is_none() => break,
            (None, _) if char.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    if quote.is_some() { Err("a quote that does not end") } else { Ok(words) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn alone(text: &str) -> Config {
        Config::parse("/etc/ssh/sshd_config", text, &mut |_| Vec::new())
    }

    fn value(config: &Config, keyword: &str) -> String {
        config.global(keyword).unwrap().value
    }

    #[test]
    fn the_first_value_wins() {
        let config = alone(
            "# PermitRootLogin no\r\npermitrootlogin=YES # why\r\nPermitRootLogin no\nBanner \"/etc/a b\"\n\
             AllowUsers a b\nAllowUsers c\nMaxAuthTries\nX11Forwarding \"no\nChallengeResponseAuthentication no",
        );
        assert_eq!(value(&config, "PermitRootLogin"), "yes");
        assert_eq!(config.global("permitrootlogin").unwrap().origin.unwrap().line, 2);
        assert_eq!(value(&config, "banner"), "/etc/a b");
        assert_eq!(value(&config, "AllowUsers"), "a b c");
        assert_eq!(value(&config, "KbdInteractiveAuthentication"), "no");
        assert_eq!(config.global("MaxAuthTries"), Some(Effective { value: "6".to_owned(), origin: None }));
        assert_eq!(config.global("PidFile"), None);
        assert_eq!(config.mistakes.iter().map(|(origin, _)| origin.line).collect::<Vec<_>>(), [7, 8]);
    }

    #[test]
    fn included_files_are_spliced_in_and_their_match_ends_with_them() {
        let mut resolver = |pattern: &str| match pattern {
            "/etc/ssh/sshd_config.d/*.conf" => vec![
                (
                    "/etc/ssh/sshd_config.d/1.conf".to_owned(),
                    "Match User git\nX11Forwarding yes\n".to_owned(),
                ),
                ("/etc/ssh/sshd_config.d/2.conf".to_owned(), "PermitRootLogin without-password".to_owned()),
            ],
            _ => Vec::new(),
        };
        let text = "Include sshd_config.d/*.conf\nPermitRootLogin no\nInclude /none/*\n";
        let config = Config::parse("/etc/ssh/sshd_config", text, &mut resolver);
        assert_eq!(value(&config, "PermitRootLogin"), "prohibit-password");
        assert_eq!(value(&config, "X11Forwarding"), "no");
        let origin = config.global("permitrootlogin").unwrap().origin.unwrap();
        assert_eq!(origin.to_string(), "/etc/ssh/sshd_config.d/2.conf:1");
        assert_eq!(config.includes.iter().map(|(_, files, _)| *files).collect::<Vec<_>>(), [2, 0]);
        assert_eq!(config.blocks[config.loosened("X11Forwarding")[0].block.unwrap()].criteria, "User git");
    }

    #[test]
    fn a_match_can_loosen() {
        let config = alone(
            "PermitRootLogin prohibit-password\nPasswordAuthentication no\nMatch Address 10.0.0.0/8\n\
             PermitRootLogin yes\nMatch User x\nPermitRootLogin no\nAllowTcpForwarding local\nMatch all\n\
             PasswordAuthentication yes\nX11Forwarding yes\n",
        );
        let lines = |keyword| config.loosened(keyword).iter().map(|e| e.origin.line).collect::<Vec<_>>();
        assert_eq!(lines("PermitRootLogin"), [4]);
        assert_eq!(lines("AllowTcpForwarding"), [7]);
        assert_eq!(lines("PasswordAuthentication"), [0; 0]);
        assert_eq!((value(&config, "PasswordAuthentication"), value(&config, "x11forwarding").as_str()), {
            ("no".to_owned(), "yes")
        });
    }

    #[test]
    fn algorithms_start_from_the_defaults() {
        let config = alone("Ciphers +aes128-cbc\nMACs -*sha1*,umac-64*\nKexAlgorithms curve25519-sha256\n");
        let ciphers = config.algorithms("Ciphers").unwrap().0;
        assert!(ciphers.contains(&"aes128-cbc".to_owned()) && ciphers.contains(&"aes256-ctr".to_owned()));
        assert_eq!(config.algorithms("macs").unwrap().0.iter().filter(|m| m.contains("sha1")).count(), 0);
        assert_eq!(config.algorithms("KexAlgorithms").unwrap().0, ["curve25519-sha256"]);
        assert_eq!(config.algorithms("HostKeyAlgorithms").unwrap().1, None);
    }

    #[test]
    fn a_file_that_includes_itself_ends() {
        let text = "Include /a\nInclude /a\nPort 22\n";
        let config = Config::parse("/a", text, &mut |_| vec![("/a".to_owned(), text.to_owned())]);
        assert!(config.mistakes.iter().any(|(_, why)| why.contains("deep")));
        assert!(config.includes.len() <= 2 * FILES_MAX);
        assert!(config.entries.len() <= FILES_MAX);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "((Match|Include|Port)? ?['\"= \\\\#a]{0,6}\n?){0,8}|.{0,60}") {
            let config = Config::parse("/a", &text, &mut |_| vec![("/b".to_owned(), text.clone())]);
            let _ = (config.global("port"), config.loosened("port"), config.algorithms("ciphers"));
        }

        #[test]
        fn what_stands_first_wins(values in prop::collection::vec(0u8..9, 1..6)) {
            let lines: Vec<_> = values.iter().map(|value| format!("maxauthTries {value}")).collect();
            let text = lines.join("\n");
            prop_assert_eq!(value(&alone(&text), "MaxAuthTries"), values[0].to_string());
        }
    }
}
