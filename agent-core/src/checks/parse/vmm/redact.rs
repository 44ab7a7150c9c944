//! Takes secrets out of command lines before anybody sees them: QEMU's lists and JSON, long options, and URLs.

use super::settings::switch;
use crate::sampling::discovery::identify::options::Options;
use serde_json::Value;

/// What stands for a secret.
pub(super) const REDACTED: &str = "REDACTED";

/// Words that announce a secret, as a key (`password=...`) or as an option (`--token ...`).
const SECRETS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api-key",
    "credential",
    "private-key",
    "cookie",
    "authorization",
];

/// Keys of QEMU's whose values name a secret object, which is none itself.
const REFERENCES: [&str; 3] = ["password-secret", "key-secret", "cookie-secret"];

/// A command line without what looks like a secret: as many arguments, each as it was or with `REDACTED` in the place
/// of the secret. Arguments that are JSON are written anew.
#[must_use]
pub fn redact(arguments: &[String]) -> Vec<String> {
    let mut value_follows = false;
    let mut redacted = Vec::with_capacity(arguments.len());
    for text in arguments {
        if std::mem::take(&mut value_follows) && !text.starts_with('-') {
            redacted.push(REDACTED.to_owned());
        } else {
            redacted.push(argument(text));
            value_follows = text.starts_with('-') && !text.contains('=') && is_secret_key(text);
        }
    }
    redacted
}

/// One argument.
fn argument(text: &str) -> String {
    if text.starts_with('{')
        && let Ok(json) = serde_json::from_str(text)
    {
        return self::json(json).to_string();
    }
    // `--option=a=b,...`: what comes before the list is an option's name.
    let options = Options::parse(text);
    let holds_secret = is_secret_object(options.leading("qom-type").unwrap_or_default());
    let mut written = String::with_capacity(text.len());
    for (index, (key, value)) in options.entries().enumerate() {
        if index > 0 {
            written.push(',');
        }
        if let Some(key) = key {
            // An address with `=` in it is no pair.
            if key.contains("://") {
                written.push_str(&self::value(&format!("{key}={value}")).replace(',', ",,"));
                continue;
            }
            written.push_str(&key.replace(',', ",,"));
            written.push('=');
        }
        let value = match key {
            Some(key) if is_secret(key, value) || (holds_secret && key == "data") => REDACTED.to_owned(),
            _ => self::value(value),
        };
        written.push_str(&value.replace(',', ",,"));
    }
    written
}

/// A value that may be JSON, a URL with a password, or one of Ceph's with a key.
pub(super) fn value(text: &str) -> String {
    if let Some(inner) = text.strip_prefix("json:") {
        // What cannot be read may hold anything.
        let json = serde_json::from_str(inner).map(|inner| self::json(inner).to_string());
        return format!("json:{}", json.unwrap_or_else(|_| REDACTED.to_owned()));
    }
    if text.starts_with("rbd:") {
        let parts = text.split(':').map(|part| match part.split_once('=') {
            Some((key, _)) if key == "key" || is_secret_key(key) => format!("{key}={REDACTED}"),
            _ => part.to_owned(),
        });
        return parts.collect::<Vec<_>>().join(":");
    }
    // `password:hunter2`, as header lines and other lists have it.
    if let Some((key, rest)) = text.split_once(':')
        && !rest.starts_with('/')
        && is_secret_key(key)
    {
        return format!("{key}:{REDACTED}");
    }
    url(text)
}

/// Whether a value that was given holds a secret: [`value`] would change it.
pub(super) fn value_holds_secret(text: &str) -> bool {
    match text.strip_prefix("json:") {
        Some(inner) => serde_json::from_str(inner).is_ok_and(|inner: Value| json(inner.clone()) != inner),
        None => value(text) != text,
    }
}

/// `scheme://user:password@host`, or iSCSI's `user%password@`, without the password.
fn url(text: &str) -> String {
    let Some(begin) = text.find("://").map(|at| at + 3) else { return text.to_owned() };
    let rest = &text[begin..];
    let authority = &rest[..rest.find('/').unwrap_or(rest.len())];
    let Some(end) = authority.rfind('@') else { return text.to_owned() };
    let marks: &[char] = if text.starts_with("iscsi") { &[':', '%'] } else { &[':'] };
    let Some(mark) = authority[..end].find(marks) else { return text.to_owned() };
    [&text[..=begin + mark], REDACTED, &rest[end..]].concat()
}

/// As deep as the JSON reader lets anything be (128).
fn json(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let kind = object.get("qom-type").and_then(Value::as_str).unwrap_or_default();
            let holds_secret = is_secret_object(kind);
            let pairs = object.into_iter().map(|(key, value)| {
                let is_secret = match &value {
                    Value::String(text) => is_secret(&key, text) || (holds_secret && key == "data"),
                    Value::Number(_) => is_secret_key(&key),
                    _ => false,
                };
                (key, if is_secret { REDACTED.into() } else { json(value) })
            });
            Value::Object(pairs.collect())
        }
        Value::Array(array) => Value::Array(array.into_iter().map(json).collect()),
        Value::String(text) => Value::String(self::value(&text)),
        other => other,
    }
}

/// QEMU's objects that hold a secret in `data`.
pub(super) fn is_secret_object(kind: &str) -> bool {
    kind == "secret" || kind == "secret_keyring"
}

/// Whether a pair is a secret: its key says so, and its value is more than a switch.
pub(super) fn is_secret(key: &str, value: &str) -> bool {
    !value.is_empty() && switch(value).is_none() && is_secret_key(key)
}

fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    // A file that holds the secret may be named, and so may the object that does.
    let names_a_file = ["file", "-id", "path"].iter().any(|end| key.ends_with(end));
    let refers = REFERENCES.iter().any(|end| key.ends_with(end));
    !names_a_file && !refers && SECRETS.iter().any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(arguments: &[&str]) -> Vec<String> {
        redact(&arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn secrets_go_and_everything_else_stays() {
        for (argument, wanted) in [
            ("secret,id=sec0,data=hunter2,format=raw", "secret,id=sec0,data=REDACTED,format=raw"),
            ("secret,id=sec0,data=hun,,ter2,format=raw", "secret,id=sec0,data=REDACTED,format=raw"),
            ("qom-type=secret,id=sec0,data=hunter2", "qom-type=secret,id=sec0,data=REDACTED"),
            ("secret,id=sec0,file=/etc/key", "secret,id=sec0,file=/etc/key"),
            ("user=x,password=hunter2,port=1", "user=x,password=REDACTED,port=1"),
            (":1,password=on,sasl=on", ":1,password=on,sasl=on"),
            ("--api-token=hunter2", "--api-token=REDACTED"),
            ("--client-secret=hunter2", "--client-secret=REDACTED"),
            ("file=rbd:pool/image,password-secret=sec0", "file=rbd:pool/image,password-secret=sec0"),
            ("file=rbd:pool/i:id=a:key=QVFB==:x=y", "file=rbd:pool/i:id=a:key=REDACTED:x=y"),
            ("https://me:hunter2@host/path", "https://me:REDACTED@host/path"),
            ("file=iscsi://me%hunter2@host/iqn/0", "file=iscsi://me%REDACTED@host/iqn/0"),
            ("iscsi://me%hunter2@host/iqn=1/0", "iscsi://me%REDACTED@host/iqn=1/0"),
            ("https://host/path", "https://host/path"),
            ("guest=web,,1,debug-threads=on", "guest=web,,1,debug-threads=on"),
            (
                r#"{"qom-type":"secret","id":"a","data":"hunter2"}"#,
                r#"{"qom-type":"secret","id":"a","data":"REDACTED"}"#,
            ),
            (
                r#"file=json:{"driver":"https",,"password":"hunter2"}"#,
                r#"file=json:{"driver":"https",,"password":"REDACTED"}"#,
            ),
            ("file=json:{\"password\":\"hunter2\"", "file=json:REDACTED"),
            ("--token-file=/run/token", "--token-file=/run/token"),
            ("", ""),
        ] {
            assert_eq!(of(&[argument]), [wanted]);
        }
        assert_eq!(of(&["vmm", "--token", "hunter2", "-m", "1"]), ["vmm", "--token", "REDACTED", "-m", "1"]);
        assert_eq!(of(&["vmm", "--token", "-m", "1"]), ["vmm", "--token", "-m", "1"]);
    }

    proptest! {
        #[test]
        fn noise_never_panics_and_keeps_its_arguments(arguments in prop::collection::vec(".{0,60}", 0..6)) {
            prop_assert_eq!(redact(&arguments).len(), arguments.len());
        }

        #[test]
        fn no_secret_survives(secret in "[a-z,%]{8,20}") {
            let secret = format!("Q{secret}Q");
            let escaped = secret.replace(',', ",,");
            let json = serde_json::json!({"qom-type": "secret", "data": secret});
            for argument in [
                format!("secret,id=a,data={escaped}"),
                format!("port=1,password={escaped},x=y"),
                json.to_string(),
            ] {
                let shown = redact(std::slice::from_ref(&argument)).concat();
                prop_assert!(!shown.contains('Q'), "{} of {}", shown, argument);
            }
        }
    }
}
