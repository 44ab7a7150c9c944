//! Files of shell assignments that programs read: os-release(5), `/etc/default/grub` and its drop-ins.

use super::text::{Mistake, keep, logical, note, shell_words};

/// One assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// Its value without quotes. Nothing is expanded: a `$` stays, and what holds a command's output is as written.
    pub value: String,
    /// `NAME+=VALUE`.
    pub appends: bool,
    /// The line it begins in, counted from 1.
    pub line: usize,
}

/// The assignments of a text in order; every other line that is no comment is a mistake, since what it does is not
/// known. A quote that goes on over lines is one too.
#[must_use]
pub fn parse(text: &str) -> (Vec<Assignment>, Vec<Mistake>) {
    let (mut found, mut mistakes) = (Vec::new(), Vec::new());
    for (line, content) in logical(text, "") {
        match assignment(line, content.trim()) {
            Ok(Some(assignment)) => keep(&mut found, assignment, &mut mistakes, line),
            Ok(None) => {}
            Err(why) => note(&mut mistakes, line, why),
        }
    }
    (found, mistakes)
}

fn assignment(line: usize, content: &str) -> Result<Option<Assignment>, &'static str> {
    if content.is_empty() || content.starts_with('#') {
        return Ok(None);
    }
    let content = content.strip_prefix("export ").map_or(content, str::trim_start);
    let (name, value) = content.split_once('=').ok_or("not an assignment")?;
    let (name, appends) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.is_empty() || !plain || name.starts_with(|char: char| char.is_ascii_digit()) {
        return Err("not a variable's name");
    }
    let value = if value.contains('`') || value.contains("$(") {
        value.to_owned()
    } else if value.is_empty() || value.starts_with(|char: char| char.is_ascii_whitespace()) {
        if !shell_words(value)?.is_empty() {
            return Err("more than an assignment");
        }
        String::new()
    } else {
        let [value] = <[String; 1]>::try_from(shell_words(value)?).map_err(|_| "more than an assignment")?;
        value
    };
    Ok(Some(Assignment { name: name.to_owned(), value, appends, line }))
}

/// A variable's value after all assignments, and the last one's line.
#[must_use]
pub fn last(assignments: &[Assignment], name: &str) -> Option<(String, usize)> {
    let mut found: Option<(String, usize)> = None;
    for assignment in assignments.iter().filter(|assignment| assignment.name == name) {
        found = match found.filter(|_| assignment.appends) {
            Some((value, _)) => Some((value + &assignment.value, assignment.line)),
            None => Some((assignment.value.clone(), assignment.line)),
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn assignments_are_read() {
        let (found, mistakes) = parse(
            "# c\nA=\"x y\"\r\nexport B='z # z' # c\nA+=\" more\"\nC=$(id)\nif true; then\nD=a b\nE=\"open\n1F=x\nG=\nH=a\\\nb",
        );
        assert_eq!(last(&found, "A"), Some(("x y more".to_owned(), 4)));
        assert_eq!(last(&found, "B"), Some(("z # z".to_owned(), 3)));
        assert_eq!(last(&found, "C").unwrap().0, "$(id)");
        assert_eq!(
            (last(&found, "G").unwrap().0.as_str(), last(&found, "H").unwrap().0.as_str()),
            ("", "ab")
        );
        assert_eq!(mistakes.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [6, 7, 8, 9]);
        assert_eq!(parse("A=`x -i 2>/dev/null || echo B`").0[0].value, "`x -i 2>/dev/null || echo B`");
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "([A+=\"'$\\\\ #a]{0,10}\n?){0,8}|.{0,60}") {
            let (found, _) = parse(&text);
            let _ = last(&found, "A");
        }

        #[test]
        fn the_last_assignment_wins(values in prop::collection::vec("[a-z ]{0,8}", 1..5)) {
            let lines: Vec<_> = values.iter().map(|value| format!("V='{value}'")).collect();
            let found = last(&parse(&lines.join("\n")).0, "V").unwrap();
            prop_assert_eq!(found, (values.last().unwrap().clone(), values.len()));
        }
    }
}
