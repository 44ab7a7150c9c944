//! Text that goes into the page, whatever is in it.

use std::fmt::{self, Display, Write};

/// A text, written so that a browser shows it and does nothing else with it: as an element's content or in a quoted
/// attribute. Control characters, and those that turn the direction of text or take no room, are shown by number: names
/// that only look alike are made of them.
pub(super) struct Text<'a>(pub(super) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' => f.write_char('\n')?,
                c if c.is_control() || is_invisible(c) => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}' | '\u{e0000}'..='\u{e007f}'
    ) || (c as u32) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text_and_tricks_become_visible() {
        assert_eq!(Text("<b a=\"1\" c='2'>&").to_string(), "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;");
        assert_eq!(
            Text("a\u{202e}b\u{0}\u{1b}[0m\u{ffff}").to_string(),
            "a\\u{202e}b\\u{0}\\u{1b}[0m\\u{ffff}"
        );
        assert_eq!(Text("zwei\nZeilen é 漢").to_string(), "zwei\nZeilen é 漢");
    }
}
