use super::merkle::leaf_hash;
use super::proof::{is_consistent, is_included};
use super::prove::{prove, prove_head};
use super::verify::{Finding, Report, Trust, VerifyError, verify};
use super::*;
use crate::sys::clock::Clock;
use std::path::Path;
use std::sync::Arc;

const ORIGIN: &str = "bartizan/verify";

fn disk(folder: &Path) -> Arc<RealDisk> {
    Arc::new(RealDisk::new(folder))
}

/// Two runs, three tenants, several segments, a rotated key; the trusted key is the first.
fn trail(folder: &Path, records: u32) -> Trust {
    let sizes = Sizes { segment_bytes: 64 * 1024, ..Sizes::default() };
    let mut trust = Trust::default();
    for run in 0..2 {
        let (ledger, _) = Ledger::open(disk(folder), sizes, ORIGIN, Clock::System).unwrap();
        trust.key.get_or_insert(ledger.verifier().key);
        for number in 0..records / 2 {
            let tenant = ["", "acme", "zeta", "umbrella"][number as usize % 4];
            let _ = ledger.append(Kind::ALERT, tenant, &number.to_le_bytes()).unwrap();
            if number % 400 == 399 {
                ledger.checkpoint().unwrap();
            }
        }
        if run == 0 {
            ledger.rotate_key().unwrap();
        }
        ledger.stop().unwrap();
    }
    trust
}

fn finding(folder: &Path, trust: &Trust) -> Finding {
    match verify(disk(folder), trust) {
        Err(VerifyError::Bad(finding)) => finding,
        other => panic!("{other:?}"),
    }
}

fn report(folder: &Path, trust: &Trust) -> Report {
    verify(disk(folder), trust).unwrap()
}

#[test]
fn a_good_trail_is_reported_and_another_key_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let trust = trail(folder.path(), 4_000);
    let report = report(folder.path(), &trust);
    assert_eq!((report.first, report.unsigned(), report.torn_bytes), (0, 0, 0));
    assert_eq!(
        report.logs.iter().map(|log| &log.tenant[..]).collect::<Vec<_>>(),
        ["", "acme", "umbrella", "zeta"]
    );
    assert_eq!(report.logs.iter().map(|log| log.size).sum::<u64>(), report.next);
    assert_ne!(Some(report.key), trust.key);
    assert!(verify(disk(folder.path()), &Trust::default()).is_ok());
    finding(folder.path(), &Trust { key: Some([1; 32]), ..Trust::default() });
}

#[test]
fn every_leaf_is_proven_and_every_tree_follows_on_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let trust = trail(folder.path(), 1_200);
    let mut leaves: std::collections::BTreeMap<String, Vec<merkle::Hash>> = std::collections::BTreeMap::new();
    for first in trail::segments(&disk::Files::new(disk(folder.path()))).unwrap() {
        let (bytes, head, at) = trail::load(&disk::Files::new(disk(folder.path())), first).unwrap();
        segment::walk(&bytes, at, first, &head.salt, |_, frame| {
            leaves.entry(frame.record.tenant.to_owned()).or_default().push(leaf_hash(frame.leaf));
        });
    }
    for log in report(folder.path(), &trust).logs {
        let id = (!log.tenant.is_empty()).then_some(log.id);
        let proofs = prove(disk(folder.path()), ORIGIN, id.as_ref()).unwrap().unwrap();
        let (size, root) = (proofs.checkpoint().size, proofs.checkpoint().root);
        let leaves = &leaves[&log.tenant];
        assert_eq!(size, leaves.len() as u64);
        for (index, leaf) in (0u64..).zip(leaves) {
            assert!(is_included(leaf, index, size, &root, &proofs.inclusion(index).unwrap()));
        }
        for old in [1, 2, 255, 256, 257, size] {
            let old_root = merkle::root_of(&leaves[..usize::try_from(old).unwrap()]);
            assert!(is_consistent(old, &old_root, size, &root, &proofs.consistency(old).unwrap()));
        }
        let text = proofs.text(7).unwrap();
        let (index, hashes, note) = prove::parse(text.as_bytes()).unwrap();
        assert_eq!((index, hashes, note.text), (7, proofs.inclusion(7).unwrap(), proofs.checkpoint().text()));
    }
}

/// Somebody who can compute checksums, and changes a record so that the file fits together again.
#[test]
fn a_record_that_was_forged_with_its_checksum_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let trust = trail(folder.path(), 1_000);
    let path = folder.path().join(segment::name(0));
    let good = std::fs::read(&path).unwrap();
    let (head, length) = segment::Head::decode(&good).unwrap();
    for victim in [2u64, 7, 8, 300] {
        let mut forged = good[..length].to_vec();
        segment::walk(&good, length, 0, &head.salt, |_, frame| {
            let payload = if frame.record.sequence == victim { b"forged" } else { frame.record.payload };
            frame::write(&mut forged, &head.salt, frame.place, &Record { payload, ..frame.record });
        });
        std::fs::write(&path, &forged).unwrap();
        assert_eq!(finding(folder.path(), &trust).sequence, Some(victim));
    }
    std::fs::write(&path, &good).unwrap();
    report(folder.path(), &trust);
}

#[test]
fn missing_swapped_and_older_files_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let trust = trail(folder.path(), 4_000);
    let root = folder.path();
    let firsts = trail::segments(&disk::Files::new(disk(root))).unwrap();
    assert!(firsts.len() > 3);
    for first in &firsts {
        let path = root.join(segment::name(*first));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        finding(root, &trust);
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        finding(root, &trust);
        std::fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
        if Some(first) != firsts.last() {
            finding(root, &trust);
        }
        std::fs::write(&path, &bytes).unwrap();
    }
    let (a, b) = (root.join(segment::name(firsts[1])), root.join(segment::name(firsts[2])));
    let (one, other) = (std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
    std::fs::write(&a, &other).unwrap();
    std::fs::write(&b, &one).unwrap();
    assert_eq!(finding(root, &trust).path, segment::name(firsts[1]));
    std::fs::write(&a, &one).unwrap();
    std::fs::write(&b, &other).unwrap();
    let kept = std::fs::read(root.join("logs/host/checkpoint")).unwrap();
    let trust = Trust { checkpoint: Some(kept), ..trust };
    report(root, &trust);
    // The whole ledger is replaced by one that goes another way: its own files fit together.
    let fork = tempfile::tempdir().unwrap();
    trail(fork.path(), 4_000);
    report(fork.path(), &Trust { key: None, ..Trust::default() });
    finding(fork.path(), &Trust { key: None, ..trust });
}

#[test]
fn what_is_pruned_is_told_and_the_rest_still_verifies() {
    let folder = tempfile::tempdir().unwrap();
    trail(folder.path(), 4_000);
    let (ledger, _) = Ledger::open(disk(folder.path()), Sizes::default(), ORIGIN, Clock::System).unwrap();
    let keep = Keep { bytes: 0, age_ns: u64::MAX, cosigned_only: false };
    assert_eq!(ledger.prune(keep, 0), Ok(0), "nothing is covered by a checkpoint of this run");
    ledger.checkpoint().unwrap();
    let pruned = ledger.prune(keep, 0).unwrap();
    assert!(pruned > 2);
    ledger.checkpoint().unwrap();
    let report = report(folder.path(), &Trust { key: Some(ledger.verifier().key), ..Trust::default() });
    assert!(report.first > 0 && report.unsigned() == 0);
    ledger.stop().unwrap();
    drop(ledger);
    let (ledger, opened) =
        Ledger::open(disk(folder.path()), Sizes::default(), ORIGIN, Clock::System).unwrap();
    assert_eq!((opened.run, opened.last), (4, LastRun::Clean));
    ledger.stop().unwrap();
    verify(disk(folder.path()), &Trust::default()).unwrap();
}

#[test]
fn where_a_witness_has_to_cosign_nothing_goes_without_it() {
    use ring::signature::{Ed25519KeyPair, KeyPair};
    let folder = tempfile::tempdir().unwrap();
    let sizes = Sizes { segment_bytes: 4_096, ..Sizes::default() };
    let (ledger, _) = Ledger::open(disk(folder.path()), sizes, ORIGIN, Clock::System).unwrap();
    for number in 0..40u8 {
        ledger.append(Kind::ALERT, "acme", &[number; 300]).unwrap().wait().unwrap();
    }
    ledger.checkpoint().unwrap();
    let keep = Keep { bytes: 0, age_ns: u64::MAX, cosigned_only: true };
    assert_eq!(ledger.prune(keep, 0), Ok(0));
    let pair = Ed25519KeyPair::from_seed_unchecked(&[4; 32]).unwrap();
    let key = pair.public_key().as_ref().try_into().unwrap();
    let witness = note::Verifier { name: "witness.example".into(), key, is_witness: true };
    let ours = std::fs::read_to_string(folder.path().join("logs/host/checkpoint")).unwrap();
    let text = &ours[..=ours.find("\n\n").unwrap()];
    let line = note::signature(text, &witness, |text| {
        let message = [b"cosignature/v1\ntime 5\n", text].concat();
        [&5u64.to_be_bytes()[..], pair.sign(&message).as_ref()].concat()
    });
    assert!(
        ledger.cosigned(ours.as_bytes(), std::slice::from_ref(&witness)).is_err(),
        "the witness has not signed"
    );
    let cosigned = format!("{ours}{line}");
    let another = note::Verifier { key: [1; 32], ..witness.clone() };
    assert!(ledger.cosigned(cosigned.as_bytes(), &[another]).is_err());
    ledger.cosigned(cosigned.as_bytes(), &[witness]).unwrap();
    assert!(ledger.prune(keep, 0).unwrap() > 1);
    ledger.stop().unwrap();
    verify(disk(folder.path()), &Trust::default()).unwrap();
}

#[test]
fn a_tenant_is_shown_that_its_log_is_bound_to_the_hosts() {
    let folder = tempfile::tempdir().unwrap();
    let trust = trail(folder.path(), 1_000);
    let mut recorded = None;
    read(disk(folder.path()), 0, |record| {
        if record.kind == Kind::HEADS {
            recorded = Some(decode::<Heads>(record.payload).unwrap());
        }
    })
    .unwrap();
    let recorded = recorded.unwrap();
    for log in report(folder.path(), &trust).logs.iter().filter(|log| !log.tenant.is_empty()) {
        let signed = prove(disk(folder.path()), ORIGIN, Some(&log.id)).unwrap().unwrap();
        let head = prove_head(disk(folder.path()), ORIGIN, &log.id).unwrap();
        assert_eq!((head.root, head.width, head.width), (recorded.root, recorded.width, 64));
        let (size, root) = (signed.checkpoint().size, signed.checkpoint().root);
        let leaf = heads::leaf(&log.id, size, &root);
        assert!(is_included(&leaf, head.index, head.width, &recorded.root, &head.hashes));
        let shorter = heads::leaf(&log.id, size - 1, &root);
        assert!(!is_included(&shorter, head.index, head.width, &recorded.root, &head.hashes));
    }
    assert!(prove_head(disk(folder.path()), ORIGIN, &[7; 32]).is_err());
}
