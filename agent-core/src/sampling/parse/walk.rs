//! The grammars of the kernel's text files: a walk visits every number with its names.

use super::number::{Form, parse_number};
use memchr::memchr;

/// How a file is built up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// `name value` or `name: value kB`, one a line; `Node 0 ` in front is passed over. `meminfo`, `vmstat`.
    Pairs,
    /// `key 1 2 3` or `key: name 1 name 2`, or `key name=1 name=2.50`. `net/dev`, `sockstat`, `pressure/*`.
    Lines,
    /// As `Lines`, but what nobody wants of `intr` and `domain` lines is passed over. `stat`, `schedstat`.
    Stat,
    /// As `Lines`, but the key is the third word. `diskstats`.
    Third,
    /// Numbers without a key, divided by white space or `/`. `loadavg`, single values.
    Bare,
    /// `Key: name name` above `Key: 1 2`. `net/netstat`, `net/snmp`.
    Headed,
    /// One line of names above lines of hexadecimal numbers. `net/stat/nf_conntrack`.
    HeadedHex,
    /// Lines of hexadecimal numbers; the key is the line's number. `net/softnet_stat`.
    Hex,
}

/// A number, and what it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// The line's key; empty where the grammar has none.
    pub key: &'a [u8],
    /// The number's own name; empty where it has only a position.
    pub name: &'a [u8],
    /// Its position among the numbers of its line, from 0.
    pub column: u32,
    /// The number of its line, from 0.
    pub line: u32,
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// How it is written.
    pub form: Form,
}

/// Visits every number of a file. Takes any bytes.
pub fn walk<'a>(grammar: Grammar, bytes: &'a [u8], visit: &mut dyn FnMut(Token<'a>)) {
    match grammar {
        Grammar::Headed => headed(bytes, visit),
        Grammar::HeadedHex => headed_hex(bytes, visit),
        _ => {
            let mut from = 0;
            let mut line = 0;
            while from < bytes.len() {
                let to = end_of_line(bytes, from);
                match grammar {
                    Grammar::Pairs => pair(bytes, from, to, line, visit),
                    Grammar::Third => third(bytes, from, to, line, visit),
                    Grammar::Bare => numbers(bytes, from, to, line, visit),
                    Grammar::Hex => hex_numbers(bytes, from, to, line, visit),
                    Grammar::Stat => keyed(bytes, from, to, line, true, visit),
                    _ => keyed(bytes, from, to, line, false, visit),
                }
                from = to + 1;
                line += 1;
            }
        }
    }
}

fn end_of_line(bytes: &[u8], from: usize) -> usize {
    memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |length| from + length)
}

/// What divides words.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\0')
}

/// The next word of a line, as a range; the characters of `also` divide as blanks do.
fn next_word(bytes: &[u8], mut at: usize, to: usize, also: &[u8]) -> Option<(usize, usize)> {
    let divides = |byte: u8| is_blank(byte) || also.contains(&byte);
    while at < to && divides(bytes[at]) {
        at += 1;
    }
    let start = at;
    while at < to && !divides(bytes[at]) {
        at += 1;
    }
    (at > start).then_some((start, at))
}

/// The form of a word that is a number and nothing else.
fn form_of(word: &[u8]) -> Option<Form> {
    [Form::Integer, Form::Centi]
        .into_iter()
        .find(|form| parse_number(word, *form).is_some_and(|number| number.end == word.len()))
}

fn pair<'a>(bytes: &'a [u8], from: usize, to: usize, line: u32, visit: &mut dyn FnMut(Token<'a>)) {
    let mut at = from;
    if bytes[from..to].starts_with(b"Node ") {
        // "Node 0 MemTotal: ...": two words in front.
        let Some((_, end)) = next_word(bytes, from + 5, to, b"") else { return };
        at = end;
    }
    let Some((start, end)) = next_word(bytes, at, to, b":") else { return };
    let Some((value, value_end)) = next_word(bytes, end, to, b":") else { return };
    if let Some(form) = form_of(&bytes[value..value_end]) {
        let key = &bytes[start..end];
        visit(Token { key, name: b"", column: 0, line, start: value, end: value_end, form });
    }
}

/// Visits the numbers of the rest of a line, with the names that stand before them.
fn named<'a>(
    bytes: &'a [u8],
    key: &'a [u8],
    mut at: usize,
    to: usize,
    line: u32,
    total_only: bool,
    visit: &mut dyn FnMut(Token<'a>),
) {
    let mut name: &[u8] = b"";
    let mut column = 0;
    while let Some((start, end)) = next_word(bytes, at, to, b"=") {
        at = end;
        let word = &bytes[start..end];
        let Some(form) = form_of(word) else {
            name = word;
            continue;
        };
        visit(Token { key, name, column, line, start, end, form });
        column += 1;
        if total_only {
            visit(Token { key, name: b"rest", column, line, start: end, end: to, form: Form::Line });
            return;
        }
    }
}

fn keyed<'a>(
    bytes: &'a [u8],
    from: usize,
    to: usize,
    line: u32,
    is_stat: bool,
    visit: &mut dyn FnMut(Token<'a>),
) {
    let Some((start, mut end)) = next_word(bytes, from, to, b"") else { return };
    // "eth0:123" was written without a space once; an interface's name may itself hold a colon ("eth0:1:").
    if let Some(colon) = bytes[start..end].iter().rposition(|byte| *byte == b':') {
        end = start + colon;
    }
    let key = &bytes[start..end];
    let rest = if bytes.get(end) == Some(&b':') { end + 1 } else { end };
    if is_stat && key.starts_with(b"domain") {
        // Scheduler domains: dozens of numbers a CPU, none of them wanted.
        visit(Token { key, name: b"rest", column: 0, line, start: rest.min(to), end: to, form: Form::Line });
        return;
    }
    // The total of `intr` is followed by one number for every interrupt there could be: thousands.
    named(bytes, key, rest, to, line, is_stat && key == b"intr", visit);
}

fn third<'a>(bytes: &'a [u8], from: usize, to: usize, line: u32, visit: &mut dyn FnMut(Token<'a>)) {
    let mut at = from;
    let mut key = (from, from);
    for _ in 0..3 {
        let Some(word) = next_word(bytes, at, to, b"") else { return };
        key = word;
        at = word.1;
    }
    named(bytes, &bytes[key.0..key.1], at, to, line, false, visit);
}

fn numbers<'a>(bytes: &'a [u8], from: usize, to: usize, line: u32, visit: &mut dyn FnMut(Token<'a>)) {
    let mut at = from;
    let mut column = 0;
    while let Some((start, end)) = next_word(bytes, at, to, b"/") {
        at = end;
        if let Some(form) = form_of(&bytes[start..end]) {
            visit(Token { key: b"", name: b"", column, line, start, end, form });
        }
        column += 1;
    }
}

fn hex_numbers<'a>(bytes: &'a [u8], from: usize, to: usize, line: u32, visit: &mut dyn FnMut(Token<'a>)) {
    let mut at = from;
    let mut column = 0;
    while let Some((start, end)) = next_word(bytes, at, to, b"") {
        at = end;
        if parse_number(&bytes[start..end], Form::Hex).is_some_and(|number| number.end == end - start) {
            visit(Token { key: b"", name: b"", column, line, start, end, form: Form::Hex });
        }
        column += 1;
    }
}

/// Visits the numbers of one line under the names of another.
fn under<'a>(
    bytes: &'a [u8],
    key: &'a [u8],
    mut names: (usize, usize),
    mut values: (usize, usize),
    line: u32,
    hex: bool,
    visit: &mut dyn FnMut(Token<'a>),
) {
    let mut column = 0;
    while let (Some(name), Some((start, end))) =
        (next_word(bytes, names.0, names.1, b""), next_word(bytes, values.0, values.1, b""))
    {
        names.0 = name.1;
        values.0 = end;
        let word = &bytes[start..end];
        let form = if hex {
            parse_number(word, Form::Hex).filter(|number| number.end == word.len()).map(|_| Form::Hex)
        } else {
            form_of(word)
        };
        if let Some(form) = form {
            visit(Token { key, name: &bytes[name.0..name.1], column, line, start, end, form });
        }
        column += 1;
    }
}

fn headed<'a>(bytes: &'a [u8], visit: &mut dyn FnMut(Token<'a>)) {
    let mut from = 0;
    let mut line = 0;
    while from < bytes.len() {
        let names_to = end_of_line(bytes, from);
        let values_from = names_to + 1;
        if values_from >= bytes.len() {
            return;
        }
        let values_to = end_of_line(bytes, values_from);
        let key = |from, to| next_word(bytes, from, to, b":").map(|(start, end)| (&bytes[start..end], end));
        match (key(from, names_to), key(values_from, values_to)) {
            (Some((name, names_at)), Some((same, values_at))) if name == same => {
                // The colon is a word of its own on both sides, and no number.
                let names = (names_at + 1, names_to);
                let values = (values_at + 1, values_to);
                under(bytes, name, names, values, line + 1, false, visit);
                from = values_to + 1;
                line += 2;
            }
            _ => {
                from = values_from;
                line += 1;
            }
        }
    }
}

fn headed_hex<'a>(bytes: &'a [u8], visit: &mut dyn FnMut(Token<'a>)) {
    let names_to = end_of_line(bytes, 0);
    let mut from = names_to + 1;
    let mut line = 1;
    while from < bytes.len() {
        let to = end_of_line(bytes, from);
        under(bytes, b"", (0, names_to), (from, to), line, true, visit);
        from = to + 1;
        line += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(grammar: Grammar, text: &str) -> Vec<String> {
        let mut seen = Vec::new();
        walk(grammar, text.as_bytes(), &mut |token| {
            seen.push(format!(
                "{}/{}/{}={}",
                String::from_utf8_lossy(token.key),
                String::from_utf8_lossy(token.name),
                token.column,
                &text[token.start..token.end]
            ));
        });
        seen
    }

    #[test]
    fn pairs_with_and_without_colon_unit_and_node() {
        assert_eq!(
            seen(Grammar::Pairs, "nr_free 12\nMemTotal:   3 kB\nNode 0 Active(anon):  4 kB\nodd\nx y\n"),
            ["nr_free//0=12", "MemTotal//0=3", "Active(anon)//0=4"]
        );
    }

    #[test]
    fn lines_with_positions_names_and_equal_signs() {
        assert_eq!(
            seen(
                Grammar::Stat,
                "cpu0 1 2\nintr 9 0 0 0\ndomain0 1 2\nTCP: inuse 6 tw 7\nsome avg10=1.25 total=8\n"
            ),
            [
                "cpu0//0=1",
                "cpu0//1=2",
                "intr//0=9",
                "intr/rest/1= 0 0 0",
                "domain0/rest/0= 1 2",
                "TCP/inuse/0=6",
                "TCP/tw/1=7",
                "some/avg10/0=1.25",
                "some/total/1=8"
            ]
        );
        assert_eq!(seen(Grammar::Lines, " eth0:12 3\n lo: 4\n"), ["eth0//0=12", "eth0//1=3", "lo//0=4"]);
        assert_eq!(seen(Grammar::Lines, "eth0:1: 5\n"), ["eth0:1//0=5"]);
        assert_eq!(
            seen(Grammar::Lines, "intr: 1 2\ndomain0: 3\n"),
            ["intr//0=1", "intr//1=2", "domain0//0=3"]
        );
    }

    #[test]
    fn bare_third_headed_and_hexadecimal() {
        assert_eq!(seen(Grammar::Bare, "1.56 4/137 -1\n"), ["//0=1.56", "//1=4", "//2=137", "//3=-1"]);
        assert_eq!(seen(Grammar::Third, " 7  0 loop0 5 6\n7 1\n"), ["loop0//0=5", "loop0//1=6"]);
        assert_eq!(
            seen(Grammar::Headed, "Tcp: A B\nTcp: 1 -1\nstray\nUdp: C\nUdp: 3\n"),
            ["Tcp/A/0=1", "Tcp/B/1=-1", "Udp/C/0=3"]
        );
        assert_eq!(
            seen(Grammar::HeadedHex, "a  b\n0a 0b\n0c 0d\n"),
            ["/a/0=0a", "/b/1=0b", "/a/0=0c", "/b/1=0d"]
        );
        assert_eq!(seen(Grammar::Hex, "0a zz 0b\n"), ["//0=0a", "//2=0b"]);
    }
}
