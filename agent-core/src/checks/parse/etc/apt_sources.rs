//! Where packages come from: sources.list(5), lines and deb822.

use super::text::{Mistake, keep, note};

/// One source. Lists are not multiplied: each type goes with each URI and suite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// `deb`, `deb-src`.
    pub types: Vec<String>,
    /// Without a user and password, which are replaced by `***`.
    pub uris: Vec<String>,
    /// Suites, such as `bookworm-security`; one that ends in `/` is a path.
    pub suites: Vec<String>,
    /// Components, such as `main`.
    pub components: Vec<String>,
    /// Options by lower-case name as in a `.list` (`trusted`, `allow-insecure`, `signed-by`), in order. A key that is
    /// written out in a `.sources` is `(embedded)`.
    pub options: Vec<(String, String)>,
    /// `Enabled: no` of a `.sources`.
    pub disabled: bool,
    /// The line it begins in, counted from 1.
    pub line: usize,
}

impl Source {
    /// The last value of an option.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// Whether an option is on, as apt reads a boolean; `None` when it is absent or neither.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        boolean(self.option(name)?)
    }
}

/// A boolean as apt reads it.
#[must_use]
pub fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "with" | "on" | "enable" | "1" => Some(true),
        "no" | "false" | "without" | "off" | "disable" | "0" => Some(false),
        _ => None,
    }
}

/// A `.list`: `deb [ option=value ... ] uri suite component...`, with `#` where a comment begins.
#[must_use]
pub fn list(text: &str) -> (Vec<Source>, Vec<Mistake>) {
    let (mut sources, mut mistakes) = (Vec::new(), Vec::new());
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.split('#').next().unwrap_or_default().trim();
        if content.is_empty() {
            continue;
        }
        match one_line(line, content) {
            Ok(source) => keep(&mut sources, source, &mut mistakes, line),
            Err(why) => note(&mut mistakes, line, why),
        }
    }
    (sources, mistakes)
}

fn one_line(line: usize, content: &str) -> Result<Source, &'static str> {
    let (kind, rest) = content.split_once([' ', '\t']).ok_or("a source without a place")?;
    if !matches!(kind, "deb" | "deb-src") {
        return Err("not a source's type");
    }
    let mut source = Source { types: vec![kind.to_owned()], line, ..Source::default() };
    let mut rest = rest.trim_start();
    if let Some(inner) = rest.strip_prefix('[') {
        let (options, after) = inner.split_once(']').ok_or("options that do not end")?;
        for option in options.split_ascii_whitespace() {
            let (name, value) = option.split_once('=').ok_or("an option without a value")?;
            // `arch+=` and `arch-=` change a list.
            source.options.push((name.trim_end_matches(['+', '-']).to_ascii_lowercase(), value.to_owned()));
        }
        rest = after;
    }
    // `cdrom:[Debian GNU/Linux ...]/` holds blanks.
    let rest = rest.trim_start();
    let bracket = rest.strip_prefix("cdrom:[").and_then(|inner| Some(inner.find(']')? + "cdrom:[".len()));
    let end = rest.get(bracket.unwrap_or(0)..).and_then(|tail| tail.find([' ', '\t']));
    let (uri, rest) = rest
        .split_at_checked(end.ok_or("a source without a suite")? + bracket.unwrap_or(0))
        .unwrap_or_default();
    source.uris.push(without_password(uri));
    let mut words = rest.split_ascii_whitespace().map(str::to_owned);
    source.suites.extend(words.next());
    source.components.extend(words);
    if source.suites.is_empty() { Err("a source without a suite") } else { Ok(source) }
}

/// A `.sources`: paragraphs of `Field: value`, whose values go on in lines that begin with a blank.
#[must_use]
pub fn sources(text: &str) -> (Vec<Source>, Vec<Mistake>) {
    let (mut found, mut mistakes) = (Vec::new(), Vec::new());
    let mut fields: Vec<(usize, String, String)> = Vec::new();
    // One empty line more ends the last paragraph.
    for (line, content) in (1..).zip(text.lines().chain([""])) {
        if content.starts_with('#') {
            continue;
        }
        if content.trim().is_empty() {
            if let Some((first, ..)) = fields.first() {
                let first = *first;
                match paragraph(first, std::mem::take(&mut fields)) {
                    Ok(source) => keep(&mut found, source, &mut mistakes, first),
                    Err(why) => note(&mut mistakes, first, why),
                }
            }
        } else if content.starts_with([' ', '\t']) {
            match fields.last_mut() {
                Some((.., value)) => {
                    value.push(' ');
                    value.push_str(content.trim());
                }
                None => note(&mut mistakes, line, "goes on without a beginning"),
            }
        } else if let Some((name, value)) = content.split_once(':') {
            fields.push((line, name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        } else {
            note(&mut mistakes, line, "not a field");
        }
    }
    (found, mistakes)
}

fn paragraph(line: usize, fields: Vec<(usize, String, String)>) -> Result<Source, &'static str> {
    let mut source = Source { line, ..Source::default() };
    for (_, name, value) in fields {
        let words = || value.split_ascii_whitespace().map(str::to_owned);
        match name.as_str() {
            "types" => source.types = words().collect(),
            "uris" => source.uris = words().map(|uri| without_password(&uri)).collect(),
            "suites" => source.suites = words().collect(),
            "components" => source.components = words().collect(),
            "enabled" => source.disabled = boolean(&value) == Some(false),
            "signed-by" if value.contains("BEGIN PGP") => {
                source.options.push((name, "(embedded)".to_owned()));
            }
            _ => source.options.push((name, value)),
        }
    }
    if source.types.is_empty() || source.uris.is_empty() || source.suites.is_empty() {
        return Err("a source without types, URIs or suites");
    }
    Ok(source)
}

fn without_password(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else { return uri.to_owned() };
    let host_end = rest.find('/').unwrap_or(rest.len());
    match rest.get(..host_end).and_then(|host| host.rfind('@')).and_then(|at| rest.get(at..)) {
        Some(rest) => format!("{scheme}://***{rest}"),
        None => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_read() {
        let (found, mistakes) = list(
            "deb http://deb.debian.org/debian bookworm main contrib # x\r\n# deb [trusted=yes] http://a b c\n\
             deb [ arch=amd64 trusted=yes signed-by=/k.gpg ] https://u:SECRET@a.example/x ./\n\
             deb cdrom:[Debian 12 _X_]/ bookworm main\ndeb-src [allow-insecure=1] http://b s\ndeb http://c\n\
             rpm http://d e\ndeb [x http://e f\ndeb",
        );
        assert_eq!((found.len(), found[0].components.len()), (4, 2));
        assert_eq!((found[1].flag("trusted"), found[1].option("signed-by")), (Some(true), Some("/k.gpg")));
        assert_eq!(found[1].uris, ["https://***@a.example/x"]);
        assert_eq!(
            (found[2].uris[0].as_str(), found[2].suites[0].as_str()),
            ("cdrom:[Debian 12 _X_]/", "bookworm")
        );
        assert_eq!(
            (found[3].flag("allow-insecure"), found[3].flag("trusted"), found[3].line),
            (Some(true), None, 5)
        );
        assert_eq!(mistakes.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [6, 7, 8, 9]);
    }

    #[test]
    fn paragraphs_are_read() {
        let (found, mistakes) = sources(
            "# c\n\nTypes: deb deb-src\nURIs: http://a/\n# in between\nSuites: bookworm\n bookworm-updates\n\
             Components: main\nTrusted: yes\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ\n\r\n\
             Types: deb\nURIs: https://u:SECRET@b\nSuites: x/\nEnabled: no\nSigned-By: /k.gpg\n\nTypes: deb\nURIs: c",
        );
        assert_eq!((found.len(), found[0].line, found[1].line), (2, 3, 15));
        assert_eq!(found[0].suites, ["bookworm", "bookworm-updates"]);
        assert_eq!(
            (found[0].flag("trusted"), found[0].option("signed-by")),
            (Some(true), Some("(embedded)"))
        );
        assert!(found[1].disabled && !found[0].disabled && found[1].uris == ["https://***@b"]);
        assert_eq!(mistakes.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [21]);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "((deb|Types:|URIs:)?[ a:/\\[\\]=@#]{0,12}\n?){0,8}|.{0,60}") {
            let _ = (list(&text), sources(&text));
        }

        #[test]
        fn no_password_comes_through(password in "[A-Z]{6,12}", path in "[a-z/@]{0,8}") {
            let uri = format!("https://user:{password}@host/{path}");
            let (found, _) = list(&format!("deb {uri} s c\n"));
            let shown = format!("{found:?}");
            prop_assert!(!shown.contains(&password));
        }
    }
}
