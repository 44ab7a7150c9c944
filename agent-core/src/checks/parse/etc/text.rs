//! What the formats have in common: where something stands, lines that go on in the next, quotes, and mistakes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// A line that could not be read, counted from 1, and why. The line's own text is not kept: it may hold a secret.
pub type Mistake = (usize, String);

/// Mistakes kept of one text; that there are any is what matters.
pub const MISTAKES_MAX: usize = 64;
/// Entries kept of one text. That there were more is a mistake of its own.
pub const ENTRIES_MAX: usize = 65_536;

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// The file, as the caller named it.
    pub file: Arc<str>,
    /// The line, counted from 1.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

pub(super) fn note<L>(mistakes: &mut Vec<(L, String)>, line: L, why: &str) {
    if mistakes.len() < MISTAKES_MAX {
        mistakes.push((line, why.to_owned()));
    }
}

/// Adds an entry, or the mistake that there are too many.
pub(super) fn keep<T, L>(entries: &mut Vec<T>, entry: T, mistakes: &mut Vec<(L, String)>, line: L) {
    if entries.len() < ENTRIES_MAX {
        entries.push(entry);
    } else if entries.len() == ENTRIES_MAX {
        note(mistakes, line, "more entries than are kept");
    }
}

/// Lines of which one that ends in an odd number of backslashes goes on in the next, each with its first number.
/// What stands in the backslash's place is `joint`.
pub(super) fn logical<'t>(text: &'t str, joint: &'static str) -> impl Iterator<Item = (usize, Cow<'t, str>)> {
    let mut lines = (1..).zip(text.lines());
    std::iter::from_fn(move || {
        let (first, line) = lines.next()?;
        let mut whole = Cow::Borrowed(line);
        while whole.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1 {
            let whole = whole.to_mut();
            whole.pop();
            let Some((_, next)) = lines.next() else { break };
            whole.push_str(joint);
            whole.push_str(next);
        }
        Some((first, whole))
    })
}

/// `\040` and its like, as fstab(5) and proc(5) write what would end a field.
pub(super) fn octal(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (*first, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            (byte, _) => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Words as a shell splits them, without any expansion: both quotes, backslashes, and `#` where a word would begin.
pub(super) fn shell_words(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match (quote, char) {
            (Some(open), _) if open == char => quote = None,
            (Some('"'), '\\') => {
                let next = chars.next().ok_or("a quote that does not end")?;
                let word = word.get_or_insert_default();
                if !matches!(next, '"' | '\\' | '$' | '`') {
                    word.push('\\');
                }
                word.push(next);
            }
            (None, '"' | '\'') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, '#') if word.is_none() => break,
            (None, _) if char.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(char),
        }
    }
    if quote.is_some() {
        return Err("a quote that does not end");
    }
    words.extend(word);
    Ok(words)
}

/// Whether a pattern of glob(7) fits: `*` and `?` do not stand for `separator`; `[a-z]` and `[!a-z]` do as usual.
/// Takes at most the product of both lengths.
pub(super) fn glob(pattern: &str, text: &str, separator: Option<char>) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match (pattern.get(p), text.get(t)) {
            (None, None) => return true,
            (Some('*'), _) => {
                retry = Some((p + 1, t));
                Some((p + 1, t))
            }
            (Some('?'), Some(char)) => (Some(*char) != separator).then_some((p + 1, t + 1)),
            (Some('['), Some(char)) => bracket(&pattern, p, *char).map(|next| (next, t + 1)),
            (Some(a), Some(b)) if a == b => Some((p + 1, t + 1)),
            _ => None,
        };
        (p, t) = match (step, retry) {
            (Some(step), _) => step,
            // One more character for the last star, if it may stand for it.
            (None, Some((star, at))) if text.get(at).is_some_and(|char| Some(*char) != separator) => {
                retry = Some((star, at + 1));
                (star, at + 1)
            }
            _ => return false,
        };
    }
}

/// Where a pattern goes on when the bracket at `start` holds `char`.
fn bracket(pattern: &[char], start: usize, char: char) -> Option<usize> {
    let inner = pattern.get(start + 1..)?;
    let (negated, inner) = match inner {
        ['!' | '^', rest @ ..] => (true, rest),
        _ => (false, inner),
    };
    // A bracket that closes at once is a character.
    let end = inner.iter().skip(1).position(|char| *char == ']').map(|end| end + 1);
    let Some(end) = end else { return (char == '[').then_some(start + 1) };
    let mut set = inner.get(..end)?;
    let mut found = false;
    while let [first, rest @ ..] = set {
        if let ['-', last, after @ ..] = rest {
            found |= (*first..=*last).contains(&char);
            set = after;
        } else {
            found |= *first == char;
            set = rest;
        }
    }
    (found != negated).then_some(start + 1 + usize::from(negated) + end + 1)
}

/// The order in which drop-in files of several directories are read: by file name, the first directory's file
/// masking those of the same name. Gives indices of those that are read, and of those that are not: masked, or
/// without `.conf` at the end. `files` are in the directories' order of precedence.
pub(super) fn drop_ins(files: &[(&str, &str)]) -> (Vec<usize>, Vec<usize>) {
    let name = |path: &'_ str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut first: HashMap<String, usize> = HashMap::new();
    let mut ignored = Vec::new();
    for (index, (path, _)) in files.iter().enumerate() {
        let name = name(path);
        if !name.as_bytes().ends_with(b".conf") || first.contains_key(&name) {
            ignored.push(index);
        } else {
            first.insert(name, index);
        }
    }
    let mut read: Vec<_> = first.into_iter().collect();
    read.sort_unstable();
    (read.into_iter().map(|(_, index)| index).collect(), ignored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_go_on_and_keep_their_first_number() {
        let lines: Vec<_> = logical("a \\\r\nb\nc\\\\\nd\\", " ").collect();
        let lines: Vec<_> = lines.iter().map(|(line, text)| (*line, &**text)).collect();
        assert_eq!(lines, [(1, "a  b"), (3, "c\\\\"), (4, "d")]);
    }

    #[test]
    fn quotes_are_a_shell_s() {
        let words = shell_words(r#"a"b c"'d $e' \"f "\n" '' #x"#).unwrap();
        assert_eq!(words, ["ab cd $e", "\"f", "\\n", ""]);
        assert!(shell_words("'a").is_err() && shell_words("\"a\\").is_err());
        assert_eq!(octal("/a\\040b\\134\\9\\"), "/a b\\\\9\\");
    }

    #[test]
    fn globs_stop_at_separators() {
        assert!(glob("net/*/conf/*/rp_filter", "net/ipv4/conf/all/rp_filter", Some('/')));
        assert!(!glob("net/*/rp_filter", "net/ipv4/conf/all/rp_filter", Some('/')));
        assert!(glob("*a*b", "xaxbxb", None) && !glob("a?", "a/", Some('/')));
        assert!(glob("[!a-c][]]", "d]", None) && !glob("[a-c]", "d", None) && glob("[a", "[a", None));
    }

    proptest! {
        #[test]
        fn any_text_comes_back(a in ".{0,40}", b in ".{0,40}") {
            prop_assert!(octal(&a).len() <= 3 * a.len());
            let _ = (glob(&a, &b, Some('/')), shell_words(&a), logical(&a, " ").count());
            prop_assert!(glob("*", &a, None));
        }

        #[test]
        fn a_name_is_read_once(names in prop::collection::vec("[a-c]{1,2}(\\.conf)?", 0..12)) {
            let files: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
            let (read, ignored) = drop_ins(&files);
            prop_assert_eq!(read.len() + ignored.len(), files.len());
            prop_assert!(read.windows(2).all(|pair| names[pair[0]] < names[pair[1]]));
        }
    }
}
