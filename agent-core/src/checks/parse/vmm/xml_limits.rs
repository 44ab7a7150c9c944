//! A look at XML before a tree is made of it: a tree takes time and memory with the square of an element's attributes
//! and of nested namespaces, neither of which a definition has many of.

use memchr::memmem;

/// Deeper than any definition is.
const DEPTH_MAX: usize = 64;
/// More than any element has.
const ATTRIBUTES_MAX: usize = 64;
/// More than any definition declares.
const NAMESPACES_MAX: usize = 64;

/// Whether a text stays within the limits, as far as it is XML at all; if not, where it does not (in bytes), and why.
pub(super) fn check(text: &[u8]) -> Result<(), (usize, &'static str)> {
    let (mut at, mut depth, mut namespaces) = (0, 0_usize, 0);
    while let Some(begin) = memchr::memchr(b'<', &text[at..]).map(|found| at + found) {
        let rest = &text[begin..];
        let skipped =
            [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")].iter().find_map(|(open, close)| {
                let inside = rest.strip_prefix(open.as_bytes())?;
                Some(memmem::find(inside, close.as_bytes()).map(|end| open.len() + end + close.len()))
            });
        match skipped {
            Some(Some(length)) => {
                at = begin + length;
                continue;
            }
            // Without an end it is no XML.
            Some(None) => return Ok(()),
            None if rest.starts_with(b"<!") => return Err((begin, "a document type")),
            None => {}
        }
        let Some((length, attributes)) = tag(rest) else { return Ok(()) };
        let tag = &rest[..length];
        if rest.starts_with(b"</") {
            depth = depth.saturating_sub(1);
        } else if !tag.ends_with(b"/>") {
            depth += 1;
        }
        namespaces += memmem::find_iter(tag, b"xmlns").count();
        if depth > DEPTH_MAX {
            return Err((begin, "nested too deep"));
        }
        if attributes > ATTRIBUTES_MAX || namespaces > NAMESPACES_MAX {
            return Err((begin, "more attributes than a definition has"));
        }
        at = begin + length;
    }
    Ok(())
}

/// The length of the tag at the beginning, and how many attributes it has; `None` when it does not end.
fn tag(text: &[u8]) -> Option<(usize, usize)> {
    let (mut quote, mut attributes) = (None, 0);
    for (index, byte) in text.iter().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if byte == open => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'=') => attributes += 1,
            (None, b'>') => return Some((index + 1, attributes)),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_hides_tags_does_not_count() {
        let text = "<?xml v='1'?><a b='/>' c=\"<d><d>\"><!-- </a></a> <x> --><![CDATA[</a><y>]]><e/></a>";
        assert_eq!(check(text.as_bytes()), Ok(()));
        let hidden = "<a b='/>'>".repeat(DEPTH_MAX + 1);
        assert_eq!(check(hidden.as_bytes()), Err((10 * DEPTH_MAX, "nested too deep")));
        let closed = "<a><!-- </a> -->".repeat(DEPTH_MAX + 1);
        assert!(check(closed.as_bytes()).is_err(), "a comment closes nothing");
        assert_eq!(check("<a></a>".repeat(1000).as_bytes()), Ok(()));
    }

    #[test]
    fn attributes_and_namespaces_are_few() {
        assert!(check(format!("<a {}/>", "b='1' ".repeat(ATTRIBUTES_MAX + 1)).as_bytes()).is_err());
        assert!(check("<a xmlns:b='c'/>".repeat(NAMESPACES_MAX + 1).as_bytes()).is_err());
        assert_eq!(check(b"<!DOCTYPE a>"), Err((0, "a document type")));
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(text in "[<>!?/='\"a \\-\\[\\]CDAT]{0,80}", bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = check(text.as_bytes());
            let _ = check(&bytes);
        }
    }
}
