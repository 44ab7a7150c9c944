//! The SSH server's effective configuration: what holds for a connection, with every file it includes.

use super::super::kernel::expand;
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::sshd_config::Config;
use std::sync::Arc;

/// Where the configuration is; the second is the vendor's, which counts where there is no other.
const PATHS: [&str; 2] = ["/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config"];
/// RHEL 8 hands these to sshd on its command line, which no file of sshd's shows.
const CRYPTO_POLICY: &str = "/etc/crypto-policies/back-ends/opensshserver.config";

const ALGORITHMS: [&str; 4] = ["ciphers", "macs", "kexalgorithms", "hostkeyalgorithms"];
const TIMES: [&str; 2] = ["logingracetime", "clientaliveinterval"];

/// Of these any one is enough.
const METHODS: &str = "authenticationmethods";

type Read = Result<Config, Unavailable>;

/// `sshd.present`
pub(super) fn present(gather: &Gather, _: &str) -> Found {
    const PATH: &str = "/usr/sbin/sshd";
    match gather.meta(PATH) {
        Ok(_) => Found::value(true, PATH),
        Err(Unavailable::Absent) => Found::value(false, PATH),
        Err(why) => Found::unavailable(why, PATH),
    }
}

/// `sshd:Keyword`
pub(super) fn keyword(gather: &Gather, keyword: &str) -> Found {
    let config = config(gather);
    let config = match &*config {
        Ok(config) => config,
        Err(why) => return Found::unavailable(why.clone(), PATHS[0]),
    };
    let name = keyword.to_ascii_lowercase();
    let known = config.global(keyword);
    let loosened = config.loosened(keyword);
    let Some(effective) = known else {
        if loosened.is_empty() {
            return Found::unavailable(Unavailable::Absent, PATHS[0]);
        }
        let lines =
            loosened.iter().map(|entry| (entry.origin.to_string(), entry.value())).collect::<Vec<_>>();
        return Found::value(lines, PATHS[0]);
    };
    let source = match &effective.origin {
        Some(origin) => origin.to_string(),
        None if ALGORITHMS.contains(&name.as_str()) && gather.meta(CRYPTO_POLICY).is_ok() => {
            let why = "a crypto policy may be handed to sshd on its command line: `sshd -T` tells".to_owned();
            return Found::unavailable(Unavailable::NotExposed(why), CRYPTO_POLICY);
        }
        None => "OpenSSH's default".to_owned(),
    };
    if ALGORITHMS.contains(&name.as_str()) {
        let list = config.algorithms(keyword).map(|(list, _)| list).unwrap_or_default();
        return Found::value(list, source);
    }
    let plain = |value: &str| if TIMES.contains(&name.as_str()) { seconds(value) } else { value.to_owned() };
    if loosened.is_empty() && name == METHODS {
        return Found::value(alternatives(&effective.value), source);
    }
    if loosened.is_empty() {
        return Found::value(plain(&effective.value), source);
    }
    let values = if name == METHODS { alternatives(&effective.value) } else { vec![plain(&effective.value)] };
    let mut by_match: Vec<_> = values.into_iter().map(|value| ("everyone".to_owned(), value)).collect();
    let mut sources = vec![source];
    for entry in loosened {
        let criteria =
            entry.block.and_then(|block| config.blocks.get(block)).map_or("", |block| &block.criteria);
        let values = if name == METHODS { alternatives(&entry.value()) } else { vec![plain(&entry.value())] };
        by_match.extend(values.into_iter().map(|value| (format!("Match {criteria}"), value)));
        sources.push(entry.origin.to_string());
    }
    Found::value(Value::Map(by_match), sources.join(", "))
}

fn alternatives(value: &str) -> Vec<String> {
    value.split_ascii_whitespace().map(str::to_owned).collect()
}

/// `sshd.mistakes`
pub(super) fn mistakes(gather: &Gather, _: &str) -> Found {
    match &*config(gather) {
        Ok(config) => {
            let shown =
                config.mistakes.iter().map(|(origin, why)| format!("{origin}: {why}")).collect::<Vec<_>>();
            Found::value(shown, PATHS[0])
        }
        Err(why) => Found::unavailable(why.clone(), PATHS[0]),
    }
}

fn config(gather: &Gather) -> Arc<Read> {
    gather.memo("sshd_config", |gather| {
        let mut text = Err(Unavailable::Absent);
        let mut path = PATHS[0];
        for candidate in PATHS {
            path = candidate;
            text = gather.text(candidate);
            if !matches!(text, Err(Unavailable::Absent)) {
                break;
            }
        }
        // A file that is included and may not be read can say anything.
        let mut closed = None;
        let mut resolve = |pattern: &str| match included(gather, pattern) {
            Ok(files) => files,
            Err(why) => {
                closed.get_or_insert(why);
                Vec::new()
            }
        };
        let config = Config::parse(path, &text?, &mut resolve);
        if let Some(why) = closed {
            return Err(why);
        }
        match config.mistakes.iter().find(|(_, why)| why.contains("too deep") || why.contains("more ")) {
            Some((origin, why)) => Err(Unavailable::TooMuch(format!("{origin}: {why}"))),
            None => Ok(config),
        }
    })
}

fn included(gather: &Gather, pattern: &str) -> Result<Vec<(String, String)>, Unavailable> {
    if pattern.contains(['?', '[']) || pattern.matches('*').count() > 1 || pattern.starts_with('~') {
        return Err(Unavailable::NotExposed(format!("Include {pattern}: such patterns are not followed")));
    }
    let paths = match expand(gather, pattern) {
        Ok(paths) => paths,
        Err(Unavailable::Absent) => return Ok(Vec::new()),
        Err(why) => return Err(why),
    };
    let mut files = Vec::new();
    for (name, path) in paths {
        // As glob(7) has it, a star does not stand for a dot in front.
        if name.starts_with('.') {
            continue;
        }
        match gather.text(&path) {
            Ok(text) => files.push((path, text)),
            Err(Unavailable::Absent) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(files)
}

/// A time of `sshd_config(5)`, such as `1h30m`, in seconds; as it is written when it is none.
fn seconds(text: &str) -> String {
    let (mut total, mut number) = (0_i64, None::<i64>);
    for char in text.chars() {
        let unit = match char.to_ascii_lowercase() {
            digit @ '0'..='9' => {
                let digit = i64::from(digit.to_digit(10).unwrap_or_default());
                number = number.unwrap_or(0).checked_mul(10).and_then(|sum| sum.checked_add(digit));
                if number.is_none() {
                    return text.to_owned();
                }
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return text.to_owned(),
        };
        let Some(sum) = number.take().and_then(|n| n.checked_mul(unit)).and_then(|n| total.checked_add(n))
        else {
            return text.to_owned();
        };
        total = sum;
    }
    total.saturating_add(number.unwrap_or(0)).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    #[test]
    fn a_drop_in_wins_that_is_included_first_and_its_line_is_told() {
        let tree = Tree::new(&[
            (
                "etc/ssh/sshd_config",
                "Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin no\nLoginGraceTime 1m30s\n",
            ),
            ("etc/ssh/sshd_config.d/50-cloud.conf", "\nPermitRootLogin yes\n"),
            ("etc/ssh/sshd_config.d/.60-hidden.conf", "PasswordAuthentication no\n"),
            ("etc/ssh/sshd_config.d/70-off.conf.bak", "PasswordAuthentication no\n"),
        ]);
        let found = tree.ask(keyword, "PermitRootLogin");
        assert_eq!(found.value, Ok(Value::from("yes")));
        assert_eq!(found.source, "/etc/ssh/sshd_config.d/50-cloud.conf:2");
        assert_eq!(tree.told(keyword, "LoginGraceTime"), "90");
        let found = tree.ask(keyword, "PasswordAuthentication");
        assert_eq!((found.value, found.source.as_str()), (Ok(Value::from("yes")), "OpenSSH's default"));
        assert_eq!(tree.told(keyword, "AllowUsers"), "!absent");
    }

    #[test]
    fn what_a_match_loosens_is_told_beside() {
        let tree = Tree::new(&[(
            "etc/ssh/sshd_config",
            "PasswordAuthentication no\nMatch Address 10.0.0.0/8\nPasswordAuthentication yes\n",
        )]);
        let told = tree.told(keyword, "PasswordAuthentication");
        assert_eq!(told, "everyone=no, Match Address 10.0.0.0/8=yes");
    }

    #[test]
    fn each_way_to_log_in_is_an_item() {
        let tree =
            Tree::new(&[("etc/ssh/sshd_config", "AuthenticationMethods publickey,password password\n")]);
        assert_eq!(tree.told(keyword, "AuthenticationMethods"), "publickey,password, password");
        let list = tree.ask(keyword, "AuthenticationMethods").value.expect("a list");
        assert_eq!(list.items().len(), 2);
    }

    #[test]
    fn an_included_file_that_cannot_be_read_leaves_everything_unknown() {
        let tree =
            Tree::new(&[("etc/ssh/sshd_config", "Include sshd_config.d/*.conf\nPermitRootLogin no\n")]);
        std::fs::create_dir_all(tree.0.path().join("etc/ssh/sshd_config.d/a.conf")).expect("a folder");
        assert_eq!(tree.told(keyword, "PermitRootLogin"), "!malformed", "a folder where a file should be");
        assert_eq!(Tree::new(&[]).told(keyword, "PermitRootLogin"), "!absent");
    }

    #[test]
    fn a_crypto_policy_on_the_command_line_is_not_mistaken_for_the_default() {
        let tree = Tree::new(&[("etc/ssh/sshd_config", "Port 22\n")]);
        assert!(tree.told(keyword, "Ciphers").contains("aes256-ctr"));
        tree.add("etc/crypto-policies/back-ends/opensshserver.config", "CRYPTO_POLICY=''\n");
        assert_eq!(tree.told(keyword, "Ciphers"), "!not-exposed");
    }

    #[test]
    fn times_are_seconds() {
        for (text, expected) in
            [("120", "120"), ("2m", "120"), ("1h30M5", "5405"), ("0", "0"), ("m", "m"), ("none", "none")]
        {
            assert_eq!(seconds(text), expected);
        }
        assert_eq!(seconds("99999999999999999999"), "99999999999999999999");
    }
}
