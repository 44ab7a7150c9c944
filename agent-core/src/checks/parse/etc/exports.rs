//! What is exported over NFS: exports(5).

use super::text::{Mistake, keep, logical, note, octal};

/// Who may mount, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// A name, pattern, network or `@netgroup`; `*` for everyone, which is also what a blank before the options means.
    pub host: String,
    /// Its own options; see [`Export::options`].
    pub options: Vec<String>,
}

/// One exported folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The folder.
    pub path: String,
    /// Options of every client (`-ro,...`).
    pub defaults: Vec<String>,
    /// Its clients.
    pub clients: Vec<Client>,
    /// The line it begins in, counted from 1.
    pub line: usize,
}

impl Export {
    /// What holds for a client: the line's options, then its own. Where two contradict, the last counts.
    pub fn options<'e>(&'e self, client: &'e Client) -> impl DoubleEndedIterator<Item = &'e str> {
        self.defaults.iter().chain(&client.options).map(String::as_str)
    }
}

/// Reads `/etc/exports` or a file of `/etc/exports.d`.
#[must_use]
pub fn parse(text: &str) -> (Vec<Export>, Vec<Mistake>) {
    let (mut exports, mut mistakes) = (Vec::new(), Vec::new());
    for (line, content) in logical(text, "") {
        match export(line, content.trim()) {
            Ok(Some(export)) => keep(&mut exports, export, &mut mistakes, line),
            Ok(None) => {}
            Err(why) => note(&mut mistakes, line, why),
        }
    }
    (exports, mistakes)
}

fn export(line: usize, content: &str) -> Result<Option<Export>, &'static str> {
    let content = match content.strip_prefix('#') {
        Some(_) => return Ok(None),
        None => content.split_once(" #").map_or(content, |(content, _)| content).trim(),
    };
    if content.is_empty() {
        return Ok(None);
    }
    let (path, rest) = match content.strip_prefix('"') {
        Some(inner) => inner.split_once('"').ok_or("a quote that does not end")?,
        None => content.split_once([' ', '\t']).unwrap_or((content, "")),
    };
    if !path.starts_with('/') {
        return Err("not a path");
    }
    let mut defaults: Vec<String> = Vec::new();
    let mut clients = Vec::new();
    for word in rest.split_ascii_whitespace() {
        let list =
            |text: &str| text.split(',').filter(|o| !o.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        if let Some(options) = word.strip_prefix('-') {
            defaults.extend(list(options));
            continue;
        }
        let (host, options) = match word.split_once('(') {
            Some((host, options)) => (host, options.strip_suffix(')').ok_or("options that do not end")?),
            None => (word, ""),
        };
        let host = if host.is_empty() { "*" } else { host }.to_owned();
        clients.push(Client { host, options: list(options) });
    }
    if clients.is_empty() {
        clients.push(Client { host: "*".to_owned(), options: Vec::new() });
    }
    Ok(Some(Export { path: octal(path), defaults, clients, line }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exports_are_read() {
        let (exports, mistakes) = parse(
            "# c\n/srv/a 10.0.0.0/8(rw,no_root_squash) @g(ro)\r\n/srv/b host (rw)\n\"/srv/c d\" -ro,sync h1 \\\n h2(rw) # x\n\
             /srv/e\\040f\nsrv x\n/srv/g h(rw",
        );
        assert_eq!(exports[0].clients[0].options, ["rw", "no_root_squash"]);
        let hosts: Vec<_> = exports[1].clients.iter().map(|client| client.host.as_str()).collect();
        assert_eq!((hosts, exports[1].clients[0].options.len()), (vec!["host", "*"], 0));
        assert_eq!((exports[2].path.as_str(), exports[2].line, exports[2].clients.len()), ("/srv/c d", 4, 2));
        assert_eq!(exports[2].options(&exports[2].clients[1]).collect::<Vec<_>>(), ["ro", "sync", "rw"]);
        assert_eq!((exports[3].path.as_str(), exports[3].clients[0].host.as_str()), ("/srv/e f", "*"));
        assert_eq!(mistakes.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [7, 8]);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "([/a(),\\-\"#\\\\ ]{0,20}\n?){0,8}|.{0,60}") {
            let (exports, _) = parse(&text);
            prop_assert!(exports.iter().all(|export| !export.clients.is_empty()));
        }
    }
}
