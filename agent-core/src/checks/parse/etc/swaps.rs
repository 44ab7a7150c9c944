//! What is swapped to: `/proc/swaps` (proc(5)).

use super::text::{Mistake, keep, note, octal};

/// One area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    /// A device or a file. A file that is gone ends in ` (deleted)`.
    pub path: String,
    /// Whether it is a file and not a device (`partition`).
    pub is_file: bool,
    /// Its size, in KiB.
    pub size_kib: u64,
    /// How much of it is in use, in KiB.
    pub used_kib: u64,
    /// The higher, the earlier it is used.
    pub priority: i32,
    /// The line, counted from 1.
    pub line: usize,
}

/// Reads the table. The first line is its head; without it the text is something else, which is a mistake.
#[must_use]
pub fn parse(text: &str) -> (Vec<Swap>, Vec<Mistake>) {
    let (mut swaps, mut mistakes) = (Vec::new(), Vec::new());
    if !text.starts_with("Filename") {
        note(&mut mistakes, 1, "not the table's head");
    }
    for (line, content) in (1..).zip(text.lines()).skip_while(|(_, content)| content.starts_with("Filename"))
    {
        match swap(line, content) {
            Some(swap) => keep(&mut swaps, swap, &mut mistakes, line),
            None => note(&mut mistakes, line, "not a swap area"),
        }
    }
    (swaps, mistakes)
}

fn swap(line: usize, content: &str) -> Option<Swap> {
    let fields: Vec<_> = content.split_ascii_whitespace().take(6).collect();
    let &[path, kind, size, used, priority] = fields.as_slice() else { return None };
    Some(Swap {
        path: octal(path),
        is_file: match kind {
            "file" => true,
            "partition" => false,
            _ => return None,
        },
        size_kib: size.parse().ok()?,
        used_kib: used.parse().ok()?,
        priority: priority.parse().ok()?,
        line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn areas_are_read() {
        let (swaps, mistakes) = parse(
            "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/dm-1                               partition\t\
             8388604\t\t12\t\t-2\n/swap\\040file\\040(deleted) file 1024 0 5\nbad\n",
        );
        assert_eq!(
            (swaps[0].is_file, swaps[0].size_kib, swaps[0].used_kib, swaps[0].priority),
            (false, 8_388_604, 12, -2)
        );
        assert_eq!(
            (swaps[1].path.as_str(), swaps[1].is_file, swaps[1].line),
            ("/swap file (deleted)", true, 3)
        );
        assert_eq!(mistakes.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [4]);
        assert_eq!(parse("Filename Type Size Used Priority\n"), (Vec::new(), Vec::new()));
        assert_eq!(parse("").1.len(), 1);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "(Filename\n)?([a/ 0-9\\\\]{0,20}\n?){0,6}") {
            let (swaps, _) = parse(&text);
            prop_assert!(swaps.len() <= text.lines().count());
        }
    }
}
