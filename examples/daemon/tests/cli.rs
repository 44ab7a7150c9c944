//! The command line: exit codes, errors that name the cure, what packaging asks for.

mod common;

use common::{bartizan, code, output, text};
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn wrong_usage_exits_with_64_and_says_why_on_standard_error() {
    for arguments in [
        &["--frobnicate"][..],
        &["run", "--interval", "soon"],
        &["run", "--interval", "1ms"],
        &["run", "--no-socket", "--listen", "0.0.0.0:0"],
        &["record"],
        &["show", "vm_stat"],
        &["top"],
    ] {
        let output = output(arguments);
        assert_eq!(code(&output), 64, "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_wrong_configuration_exits_with_78_and_names_file_line_and_cure() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bartizan.toml");
    std::fs::write(&file, "[sampling]\nintervall_ms = 500\n").unwrap();
    let path = file.to_str().unwrap();
    for arguments in [&["check-config", path][..], &["--config", path, "run"], &["--config", path, "vms"]] {
        let output = output(arguments);
        let complaint = text(&output.stderr);
        assert_eq!(code(&output), 78, "{arguments:?}: {complaint}");
        assert!(complaint.contains(&format!("{path}:2:")), "{complaint}");
        assert!(complaint.contains("interval_ms"), "the cure: {complaint}");
    }
}

#[test]
fn a_right_configuration_is_printed_in_full_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bartizan.toml");
    std::fs::write(&file, "[sampling]\ninterval_ms = 500\n").unwrap();
    let printed = output(&["check-config", "--print", file.to_str().unwrap()]);
    assert_eq!(code(&printed), 0, "{}", text(&printed.stderr));
    let printed = text(&printed.stdout);
    assert!(printed.contains("interval_ms = 500") && printed.contains("[limits]"), "{printed}");
    let again = folder.path().join("again.toml");
    std::fs::write(&again, &printed).unwrap();
    let twice = output(&["check-config", "--print", again.to_str().unwrap()]);
    assert_eq!(text(&twice.stdout), printed);
}

#[test]
fn what_is_missing_exits_with_66() {
    let output = output(&["--root", "/nonexistent", "vms"]);
    assert_eq!(code(&output), 66, "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("bartizan record --tree"), "{}", text(&output.stderr));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child =
        bartizan().args(["metrics", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0);
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn the_version_is_one_object_when_asked() {
    let output = output(&["--version", "--json"]);
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["name"], "bartizan");
    assert_eq!(object["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn colours_only_where_they_are_wanted() {
    let plain = output(&["metrics"]);
    assert!(!text(&plain.stdout).contains('\x1b'), "a pipe gets no colours");
    let forced = output(&["metrics", "--color", "always"]);
    assert!(text(&forced.stdout).contains('\x1b'));
}

#[test]
fn completions_are_what_each_shell_understands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = output(&["completions", shell]);
        assert_eq!(code(&script), 0, "{shell}");
        assert!(text(&script.stdout).contains("check-config"), "{shell}");
    }
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(&output(&["completions", "bash"]).stdout).unwrap();
    assert!(bash.wait().unwrap().success());
}

#[test]
fn manual_pages_are_made_for_every_command_and_groff_accepts_them() {
    let folder = tempfile::tempdir().unwrap();
    let output = output(&["man", "--out", folder.path().to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let pages: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(pages.iter().any(|page| page.ends_with("bartizan.1")), "{pages:?}");
    assert!(pages.iter().any(|page| page.ends_with("bartizan-top.1")), "{pages:?}");
    if Command::new("groff").arg("--version").stdout(Stdio::null()).status().is_err() {
        bartizan_testkit::skip!("groff is not installed");
    }
    for page in pages {
        let groff = Command::new("groff").args(["-ww", "-z", "-man", "-Tutf8"]).arg(&page).output().unwrap();
        assert!(
            groff.status.success() && groff.stderr.is_empty(),
            "{}: {}",
            page.display(),
            text(&groff.stderr)
        );
    }
}

#[test]
fn the_metrics_page_is_what_the_table_says() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    let committed = std::fs::read_to_string(page).unwrap_or_default();
    let made = text(&output(&["metrics", "--markdown"]).stdout);
    assert!(
        committed == made,
        "docs/metrics.md is not what the table says; make it anew: \
         cargo run -p bartizan -- metrics --markdown > docs/metrics.md"
    );
}

#[test]
fn the_catalogue_of_checks_is_what_the_rules_and_facts_say() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/checks-catalogue.md");
    let committed = std::fs::read_to_string(page).unwrap_or_default();
    let made = text(&output(&["check", "--list", "--markdown"]).stdout);
    assert!(
        committed == made,
        "docs/checks-catalogue.md is not what is declared; make it anew: \
         cargo run -p bartizan -- check --list --markdown > docs/checks-catalogue.md"
    );
}

#[test]
fn the_help_says_what_the_exit_codes_mean() {
    let output = output(&["--help"]);
    assert_eq!(code(&output), 0);
    assert!(text(&output.stdout).contains("78"), "{}", text(&output.stdout));
}
