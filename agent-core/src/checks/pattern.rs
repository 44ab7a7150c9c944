//! Patterns in which `*` stands for any text, slashes too.

/// Whether a text is like a pattern. Linear in time for every pattern with one star, and never worse than the product
/// of both lengths.
#[must_use]
pub fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go on when the text does not agree: after the last star, one byte further in the text.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p + 1, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((after_star, from)) = retry {
            p = after_star;
            t = from + 1;
            retry = Some((after_star, t));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::like;
    use proptest::prelude::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text) in
            [("*", ""), ("a*c", "abc"), ("a*c", "ac"), ("*b*", "abc"), ("a**", "a"), ("a*b*c", "axbxbxc")]
        {
            assert!(like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a", ""), ("a*c", "ab"), ("b*", "ab"), ("*b", "ba")] {
            assert!(!like(pattern, text), "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_is_like_itself_and_like_its_beginning_and_end(text in "[a-c]{0,12}", cut in 0usize..12) {
            let cut = cut.min(text.len());
            prop_assert!(like(&text, &text));
            let pattern = format!("{}*{}", &text[..cut], &text[cut..]);
            prop_assert!(like(&pattern, &text));
        }
    }
}
