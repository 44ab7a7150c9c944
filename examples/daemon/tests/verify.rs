//! `bartizan verify`: its exit codes, and what it names.

mod common;

use bartizan_core::ledger::{Kind, Ledger, RealDisk, Sizes};
use bartizan_core::sys::clock::Clock;
use common::{code, output, text};
use std::sync::Arc;

#[test]
fn a_whole_ledger_exits_with_0_a_changed_one_with_1_and_a_doubtful_one_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let disk = Arc::new(RealDisk::new(folder.path()));
    let (ledger, _) = Ledger::open(disk, Sizes::default(), "bartizan/cli", Clock::System).unwrap();
    for tenant in ["", "acme"] {
        ledger.append(Kind::ALERT, tenant, b"something happened").unwrap().wait().unwrap();
    }
    let key = ledger.verifier().to_string();
    let key_file = folder.path().join("key.pub");
    std::fs::write(&key_file, format!("{key}\n")).unwrap();
    let verify = |more: &[&str]| output(&[&["verify", dir][..], more].concat());

    assert_eq!(code(&verify(&["--key", &key])), 2, "nothing is signed yet");
    ledger.stop().unwrap();
    drop(ledger);
    for key in [&key[..], key_file.to_str().unwrap()] {
        let good = verify(&["--key", key]);
        assert_eq!(code(&good), 0, "{}", text(&good.stderr));
        assert!(text(&good.stdout).contains("acme: 2 records, 2 signed"));
    }
    let doubtful = verify(&[]);
    assert_eq!((code(&doubtful), text(&doubtful.stderr).contains("no key was given")), (2, true));
    let json: serde_json::Value =
        serde_json::from_slice(&verify(&["--key", &key, "--tenant", "acme", "--json"]).stdout).unwrap();
    assert_eq!((&json["verified"], &json["logs"][0]["leaves"]), (&true.into(), &2.into()));
    assert_eq!(code(&verify(&["--key", &key, "--tenant", "nobody"])), 64);
    assert_eq!(code(&verify(&["--key", "no key"])), 64);
    assert_eq!(code(&output(&["verify", "/no/such/ledger"])), 66);

    let kept = folder.path().join("kept");
    std::fs::copy(folder.path().join("logs/host/checkpoint"), &kept).unwrap();
    assert_eq!(code(&verify(&["--key", &key, "--checkpoint", kept.to_str().unwrap()])), 0);

    let segment = folder.path().join("segments/0000000000000000.btzl");
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.windows(9).position(|window| window == b"something").unwrap();
    bytes[at] = b'S';
    std::fs::write(&segment, &bytes).unwrap();
    let changed = verify(&["--key", &key]);
    assert_eq!(
        (code(&changed), text(&changed.stderr).contains("record 1")),
        (1, true),
        "{}",
        text(&changed.stderr)
    );
}

#[test]
fn a_daemon_records_its_configuration_and_ends_its_ledger_in_order() {
    use bartizan_core::ledger::{LastRun, Start, decode, read};
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("ledger");
    let path = dir.to_str().unwrap();
    for run in 1..=2 {
        let arguments = ["run", "--json", "--quiet", "--no-socket", "--duration", "1s", "--ledger", path];
        let daemon = output(&arguments);
        assert_eq!(code(&daemon), 0, "{}", text(&daemon.stderr));
        let (mut kinds, mut last) = (Vec::new(), LastRun::None);
        read(Arc::new(RealDisk::new(&dir)), 0, |record| {
            kinds.push(record.kind);
            if record.kind == Kind::START {
                last = decode::<Start>(record.payload).unwrap().last;
            }
        })
        .unwrap();
        assert_eq!(last, if run == 1 { LastRun::None } else { LastRun::Clean });
        assert_eq!((kinds[0], kinds.last()), (Kind::START, Some(&Kind::STOP)));
        assert!(kinds.contains(&Kind::LEASE) && kinds.contains(&Kind::CONFIG), "{kinds:?}");
    }
    // Without the key it is not proven, but it is whole.
    assert_eq!(code(&output(&["verify", path])), 2);
}
