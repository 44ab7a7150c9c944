//! `skip!`: a test that cannot run here says so, loudly, instead of passing in silence.

use std::fs::OpenOptions;
use std::io::Write;

/// Prints `skipped: reason` to standard error, appends the same to the file named by `BARTIZAN_SKIP_LOG`
/// if that is set, and returns from the calling function.
///
/// Takes what `format!` takes. `make test` reads the log, so that no skip goes unseen:
/// the test harness hides what a passing test prints.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {{
        $crate::record_skip(module_path!(), &format!($($reason)*));
        return;
    }};
}

/// What [`skip!`] does before it returns.
#[doc(hidden)]
pub fn record_skip(module: &str, reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("unnamed thread");
    let line = format!("skipped: {reason} ({module}, {test})\n");
    let mut stderr = std::io::stderr().lock();
    // A closed standard error is no reason to fail a test that does not run.
    let _closed = stderr.write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("BARTIZAN_SKIP_LOG") {
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut log| log.write_all(line.as_bytes()));
        if let Err(error) = written {
            let _closed = writeln!(stderr, "cannot write BARTIZAN_SKIP_LOG {}: {error}", path.display());
        }
    }
}
