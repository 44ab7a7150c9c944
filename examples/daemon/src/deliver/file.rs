//! JSON lines, appended and synced. The file is opened anew each time, so that it may be moved away in between.

use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Longer than any line that was cut off.
const TAIL_BYTES: u64 = 256 * 1024;

/// Appends lines, durably. A line that a crash cut off before is taken away first: it is sent again, whole.
pub(super) fn append(path: &Path, lines: &[String]) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path)?;
    let length = file.metadata()?.len();
    let whole = whole_lines(&mut file, length)?;
    if whole < length {
        file.set_len(whole)?;
    }
    let mut text = String::new();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// Where the last line that is whole ends.
fn whole_lines(file: &mut std::fs::File, length: u64) -> io::Result<u64> {
    let from = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    match tail.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => Ok(from + at as u64 + 1),
        None if from == 0 => Ok(0),
        // Somebody else's file: nothing is taken away from it.
        None => Ok(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_off_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        append(&path, &["{\"a\":1}".into()]).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"b\":").unwrap();
        append(&path, &["{\"c\":3}".into(), "{\"d\":4}".into()]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"c\":3}\n{\"d\":4}\n");
        assert!(append(&folder.path().join("no/x"), &[]).is_err());
    }
}
