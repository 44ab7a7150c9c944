//! `bartizan check`, `explain` and `waive`: exit codes, forms, baselines, waivers, recorded hosts.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, with its place")]

mod common;

use common::{bartizan, code, text};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

/// A folder with a rule about a file of its own, and a configuration that looks there.
struct Own {
    folder: TempDir,
}

impl Own {
    fn new() -> Self {
        let own = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(own.file(), "x").unwrap();
        own.chmod(0o600);
        fs::create_dir(own.path("rules")).unwrap();
        own.rule("file", &format!("{{ fact = \"path.others:{}\", eq = 0 }}", own.file().display()));
        own.rule("gone", "{ fact = \"path.mode:/nonexistent/file\", eq = 384 }");
        let config = format!(
            "[checks]\nfolder = \"{}\"\nwaivers = \"{}\"\n",
            own.path("rules").display(),
            own.path("waivers.toml").display()
        );
        fs::write(own.path("bartizan.toml"), config).unwrap();
        own
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("file")
    }

    fn chmod(&self, mode: u32) {
        fs::set_permissions(self.file(), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn rule(&self, name: &str, condition: &str) {
        let text = format!(
            "[[rule]]\nid = \"own.{name}\"\ntitle = \"It is <right>\"\nseverity = \"high\"\nruntime = {condition}\n\
             rationale = \"A test.\"\nremediation = \"chmod o= file\"\nreferences = [\"A book\"]\n"
        );
        fs::write(self.path("rules").join(format!("{name}.toml")), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        bartizan().arg("--config").arg(self.path("bartizan.toml")).args(arguments).output().unwrap()
    }

    fn waive(&self, arguments: &[&str]) -> Output {
        let always = ["waive", "own.file", "--owner", "ops@example.com", "--reason", "until the move"];
        self.run(&[&always[..], arguments].concat())
    }
}

fn lines(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_exit_code_says_what_was_found() {
    let own = Own::new();
    for (mode, arguments, expected) in [
        (0o600, &["check", "own.file"][..], 0),
        (0o604, &["check", "own.file"], 1),
        (0o604, &["check", "own.file", "--severity", "critical"], 0),
        (0o600, &["check", "own.gone"], 0),
        (0o600, &["check", "own.gone", "--strict"], 2),
        (0o604, &["check", "own.*", "--strict"], 1),
        (0o600, &["check", "own.fil"], 64),
        (0o600, &["check", "--vm", "nobody"], 64),
        (0o600, &["check", "--severity", "dire"], 64),
        (0o600, &["check", "--json", "--sarif"], 64),
        (0o600, &["explain", "own.fil"], 64),
        (0o600, &["check", "--drift", "/nonexistent/baseline"], 66),
    ] {
        own.chmod(mode);
        let output = own.run(arguments);
        assert_eq!(code(&output), expected, "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn an_unknown_check_is_answered_with_the_nearest() {
    let own = Own::new();
    for arguments in [&["check", "own.fil"][..], &["explain", "own.fil"], &["check", "--list", "own.fil"]] {
        let output = own.run(arguments);
        assert!(text(&output.stderr).contains("did you mean own.file?"), "{}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn the_report_says_what_why_and_how_it_is_put_right() {
    let own = Own::new();
    own.chmod(0o604);
    let report = text(&own.run(&["check", "own.file"]).stdout);
    for part in ["own.file", "It is <right>", "A test.", "chmod o= file", "path.others:"] {
        assert!(report.contains(part), "{part}: {report}");
    }
}

#[test]
fn json_lines_have_every_finding_with_its_evidence() {
    let own = Own::new();
    let output = own.run(&["check", "own.*", "--json"]);
    let lines = lines(&output);
    assert_eq!(lines.len(), 2, "{lines:?}");
    let find = |id: &str| lines.iter().find(|line| line["check_id"] == id).unwrap();
    assert_eq!(find("own.file")["verdict"], "pass");
    assert_eq!(find("own.gone")["verdict"], "unknown");
    assert_eq!(find("own.gone")["facets"][0]["unknown_why"], "absent");
    let evidence = &find("own.file")["facets"][0]["evidence"][0];
    assert_eq!(evidence["value"], "0");
    assert!(evidence["source"].as_str().unwrap().contains(own.file().to_str().unwrap()));
    let all = own.run(&["check", "--json"]);
    assert!(self::lines(&all).len() > 50, "every check says something");
}

#[test]
fn the_list_has_every_check_and_each_is_explained() {
    let own = Own::new();
    let list = own.run(&["check", "--list", "--json"]);
    assert_eq!(code(&list), 0);
    let list = lines(&list);
    assert!(list.iter().any(|rule| rule["check_id"] == "own.file") && list.len() > 50);
    for part in ["It is <right>", "A test.", "chmod o= file", "A book", "high"] {
        let told = text(&own.run(&["explain", "own.file"]).stdout);
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = own.run(&["explain", "own.file", "--json"]);
    assert_eq!(lines(&told)[0]["remediation"], "chmod o= file");
}

#[test]
fn a_sarif_log_has_what_the_standard_requires() {
    let own = Own::new();
    own.chmod(0o604);
    let output = own.run(&["check", "own.*", "--sarif"]);
    assert_eq!(code(&output), 1);
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "bartizan");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for result in results {
        assert_eq!(
            rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()]["id"],
            result["ruleId"]
        );
        assert!(result["message"]["text"].as_str().is_some_and(|text| !text.is_empty()));
        // `kind` other than `fail` goes with `level` `none` (3.27.10).
        assert_eq!(result["kind"] == "fail", result["level"] != "none", "{result}");
    }
    assert!(run["invocations"][0]["executionSuccessful"].is_boolean());
}

#[test]
fn the_page_is_one_file_that_needs_nothing_else() {
    let own = Own::new();
    own.chmod(0o604);
    let output = own.run(&["check", "own.*", "--html"]);
    assert_eq!(code(&output), 1);
    let page = text(&output.stdout);
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(page.contains("It is &lt;right&gt;") && !page.contains("It is <right>"));
    for part in ["<script", "<link", "<img", "src=", "http:", "https:"] {
        assert!(!page.contains(part), "{part}");
    }
    assert!(page.contains("One finding needs action"), "{page}");
}

#[test]
fn a_baseline_shows_what_has_drifted_and_refuses_what_is_none() {
    let own = Own::new();
    let baseline = own.path("baseline");
    let saved = own.run(&["check", "own.file", "--save-baseline", baseline.to_str().unwrap()]);
    assert_eq!(code(&saved), 0, "{}", text(&saved.stderr));
    own.chmod(0o604);
    let drifted = own.run(&["check", "--drift", baseline.to_str().unwrap()]);
    assert_eq!(code(&drifted), 1);
    let told = text(&drifted.stdout);
    assert!(told.contains("path.others:") && told.contains("- 0") && told.contains("+ 4"), "{told}");
    own.chmod(0o600);
    let told = text(&own.run(&["check", "--drift", baseline.to_str().unwrap()]).stdout);
    assert!(!told.contains("path.others:"), "back as it was: {told}");
    let mut damaged = fs::read_to_string(&baseline).unwrap();
    damaged.truncate(damaged.len() / 2);
    fs::write(&baseline, damaged).unwrap();
    let refused = own.run(&["check", "--drift", baseline.to_str().unwrap()]);
    assert_eq!(code(&refused), 65);
    assert!(text(&refused.stderr).contains("checksum"), "{}", text(&refused.stderr));
}

#[test]
fn a_broken_rule_is_told_with_its_file_and_line_and_the_others_go_on() {
    let own = Own::new();
    fs::write(own.path("rules/broken.toml"), "\n[[rule]]\nid = \"own.broken\"\ntitel = \"x\"\n").unwrap();
    let place = format!("{}:", own.path("rules/broken.toml").display());
    let output = own.run(&["check", "--json"]);
    assert_eq!(code(&output), 1, "a broken rule is something to act on");
    let lines = lines(&output);
    let broken = lines.iter().find(|line| line["check_id"] == "rules.broken").unwrap();
    assert_eq!(broken["verdict"], "error");
    assert!(broken["note"].as_str().unwrap().contains(&place), "{broken}");
    assert!(lines.iter().any(|line| line["check_id"] == "own.file" && line["verdict"] == "pass"));
    assert!(text(&own.run(&["check"]).stdout).contains(&place));
    assert!(text(&own.run(&["check", "--html"]).stdout).contains(&place));
}

#[test]
fn a_waived_finding_is_nobody_s_alarm_until_its_value_changes() {
    let own = Own::new();
    let nothing = own.waive(&["--until", "2999-12-31"]);
    assert_eq!(code(&nothing), 64, "it passes: {}", text(&nothing.stderr));
    own.chmod(0o604);
    let wrong = own.waive(&["--until", "someday"]);
    assert_eq!(code(&wrong), 64);
    assert!(text(&wrong.stderr).contains("someday"), "{}", text(&wrong.stderr));
    let waived = own.waive(&["--until", "2999-12-31"]);
    assert_eq!(code(&waived), 0, "{}", text(&waived.stderr));
    let output = own.run(&["check", "own.file", "--json"]);
    assert_eq!(code(&output), 0);
    let finding = &lines(&output)[0];
    assert_eq!(
        (&finding["verdict"], &finding["waived"]["owner"]),
        (&"fail".into(), &"ops@example.com".into())
    );
    let log: Value = serde_json::from_slice(&own.run(&["check", "own.file", "--sarif"]).stdout).unwrap();
    assert_eq!(log["runs"][0]["results"][0]["suppressions"][0]["kind"], "external");
    own.chmod(0o606);
    assert_eq!(code(&own.run(&["check", "own.file"])), 1, "another value");
    // A file of waivers with a mistake lets nothing pass, and is not overwritten.
    fs::write(own.path("waivers.toml"), "[[waiver]]\nrule = 3\n").unwrap();
    let refused = own.waive(&["--until", "2999-12-31"]);
    assert_eq!(code(&refused), 78, "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("line 2"), "{}", text(&refused.stderr));
}

#[test]
fn a_wrong_configuration_of_checks_exits_with_78() {
    let own = Own::new();
    fs::write(own.path("bartizan.toml"), "[checks]\nsweep_s = 1\n").unwrap();
    let output = own.run(&["check"]);
    assert_eq!(code(&output), 78);
    assert!(text(&output.stderr).contains("sweep_s"), "{}", text(&output.stderr));
}

#[test]
fn a_recorded_host_is_judged_by_what_was_recorded() {
    let own = Own::new();
    let tree = own.path("tree");
    let put = |path: &str, content: &str| {
        let path: &Path = &tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    put("proc/stat", "cpu  1 1 1 1\n");
    put("proc/sys/kernel/kptr_restrict", "0\n");
    put("proc/sys/kernel/hostname", "recorded-<host>\n");
    put("sys/README", "");
    let root = tree.to_str().unwrap();
    let judged = |output: &Output| lines(output)[0]["verdict"].clone();
    let arguments = ["--root", root, "check", "kernel.kptr-restrict", "--json"];
    assert_eq!(judged(&own.run(&arguments)), "fail");
    put("proc/sys/kernel/kptr_restrict", "2\n");
    let verdict = judged(&own.run(&arguments));
    assert_ne!(verdict, "fail");
    let page = text(&own.run(&["--root", root, "check", "kernel.kptr-restrict", "--html"]).stdout);
    assert!(page.contains("recorded-&lt;host&gt;"), "{page}");
    let refused = own.run(&[
        "--root",
        root,
        "waive",
        "kernel.kptr-restrict",
        "--owner",
        "o",
        "--reason",
        "r",
        "--until",
        "2999-12-31",
    ]);
    assert_eq!(code(&refused), 64);
}
