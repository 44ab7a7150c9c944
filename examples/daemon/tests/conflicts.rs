//! `bartizan claims` and `bartizan conflicts`: on recorded hosts, on rules of a network namespace, with files of claims.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, with its place")]

mod common;

use bartizan_testkit::netns::Netns;
use bartizan_testkit::skip;
use common::{bartizan, code, text};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn recorded(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["proc", "sys", "etc", "run", "usr/lib"] {
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    for (path, content) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

fn on(root: &Path, arguments: &[&str]) -> Output {
    common::output(&[&["--root", root.to_str().unwrap()], arguments].concat())
}

fn lines(output: &Output, kind: &str) -> Vec<Value> {
    let all = text(&output.stdout);
    let objects = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    objects.filter(|object| object["type"] == kind).collect()
}

const POLICY: &str = "\
[[claim]]
party = 'app'
role = 'csc'
tenant = 'acme'
path = 'vm/u/net'
mode = 'require'
value = 'open'
reason = 'the shop is public'

[[claim]]
party = 'soc'
role = 'csp'
path = 'vm/u'
action = 'cut-network'
reason = 'playbook 7'
";

#[test]
fn a_recorded_host_is_told_and_the_exit_code_says_whether_something_is_wrong() {
    let quiet = recorded(&[("etc/sysctl.d/a.conf", "vm.swappiness = 1\n")]);
    let told = on(quiet.path(), &["conflicts"]);
    assert_eq!(code(&told), 0, "{}", text(&told.stdout));
    assert!(text(&told.stdout).contains("0 conflicts between 1 claims\n"), "{}", text(&told.stdout));
    assert_eq!(code(&on(quiet.path(), &["conflicts", "--strict"])), 2, "the packet filter is not recorded");
    let loud = recorded(&[
        ("etc/sysctl.d/a.conf", "vm.swappiness = 1\n"),
        ("etc/sysctl.d/b.conf", "vm.swappiness = 9\n"),
    ]);
    let told = on(loud.path(), &["conflicts"]);
    assert_eq!(code(&told), 1);
    let shown = text(&told.stdout);
    assert!(
        shown.starts_with("C5 shadowed host/sysctl/vm/swappiness\n    /etc/sysctl.d/a.conf:1 sets"),
        "{shown}"
    );
    let told = lines(&on(loud.path(), &["conflicts", "--json"]), "conflict");
    assert_eq!(
        (told.len(), &told[0]["class"], &told[0]["sides"][1]["party"]),
        (1, &"C5".into(), &"csp/a".into())
    );
    let claims = lines(&on(loud.path(), &["claims", "--json"]), "claim");
    assert_eq!(claims[0]["parts"][0]["value"], "9");
    assert!(text(&on(loud.path(), &["claims"]).stdout).contains("host/sysctl/vm/swappiness  csp/b"));
}

#[test]
fn a_file_of_claims_is_judged_before_anybody_acts_and_refused_with_its_line() {
    let host = recorded(&[]);
    let file = host.path().join("claims.toml");
    std::fs::write(&file, POLICY).unwrap();
    let path = file.to_str().unwrap();
    let told = on(host.path(), &["conflicts", "--json", "--policy", path]);
    assert_eq!(code(&told), 1);
    let told = lines(&told, "conflict");
    assert_eq!((told.len(), &told[0]["class"], &told[0]["rule"]), (1, &"C2".into(), &3.into()));
    let sentence = told[0]["sentence"].as_str().unwrap();
    assert!(sentence.contains("rule 3: who forbids or isolates goes first"), "{sentence}");
    std::fs::write(&file, POLICY.replace("cut-network", "cut-power")).unwrap();
    let refused = on(host.path(), &["conflicts", "--policy", path]);
    assert_eq!(code(&refused), 78);
    assert!(
        text(&refused.stderr).contains(&format!("{path}:10: there is no action \"cut-power\"")),
        "{}",
        text(&refused.stderr)
    );
    assert!(refused.stdout.is_empty());
}

#[test]
fn rules_of_a_namespace_that_hide_one_another_are_told() {
    if Command::new("nft").arg("--version").output().is_err() {
        skip!("nft is not installed");
    }
    let Ok(namespace) = Netns::new() else { skip!("needs root and iproute2") };
    let file = tempfile::NamedTempFile::new().unwrap();
    let rules = "table inet mine {
      chain in {
        type filter hook input priority 0
        tcp dport 20-30 drop
        tcp dport 22 accept
        tcp dport 80 accept
        ip saddr 10.0.0.0/8 drop
      }
    }
    table ip filter {
      chain DOCKER { }
    }
    ";
    std::fs::write(file.path(), rules).unwrap();
    let run = |command: &mut Command| {
        namespace.enter(command).unwrap();
        command.stdin(Stdio::null()).output().unwrap()
    };
    let loaded = run(Command::new("nft").arg("-f").arg(file.path()));
    assert!(loaded.status.success(), "{}", text(&loaded.stderr));
    let told = run(bartizan().args(["conflicts", "--json", "--all"]));
    assert_eq!(code(&told), 1, "{}", text(&told.stderr));
    let sentences: Vec<String> = lines(&told, "conflict")
        .iter()
        .filter(|conflict| conflict["about"] == "host/nft/inet/mine/in")
        .map(|conflict| conflict["sentence"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(sentences.len(), 2, "{sentences:?}");
    assert!(sentences[0].contains("is never reached: rule 2 before it decides otherwise"), "{sentences:?}");
    assert!(sentences[1].contains("their order decides"), "{sentences:?}");
    let claims = lines(&run(bartizan().args(["claims", "--json"])), "claim");
    let of = |party: &str| claims.iter().filter(|claim| claim["party"] == party).count();
    assert_eq!((of("docker"), of("nft-mine")), (1, 1), "{claims:?}");
}
