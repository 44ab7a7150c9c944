use super::*;
use proptest::prelude::*;

/// A root with an elliptic curve, a host's with RSA and SHA-1 signed by it, and a root with Ed25519.
const BUNDLE: &[u8] = include_bytes!("../../../../tests/fixtures/x509/bundle.pem");
const PSS: &[u8] = include_bytes!("../../../../tests/fixtures/x509/pss.pem");

/// What `openssl x509 -dates` says of the first two.
const DATES: [(i64, i64); 2] = [(1_795_699_929, 2_111_059_929), (1_795_699_929, 2_741_779_929)];

#[test]
fn a_bundle() {
    let text = [b"Subject: whatever\n", BUNDLE].concat();
    let found: Vec<_> = certificates(&text).collect::<Result<_, _>>().expect("certificates");
    let names: Vec<_> = found.iter().filter_map(|found| found.common_name.as_deref()).collect();
    assert_eq!(names, ["Example CA", "host1.example", "ed"]);
    let keys: Vec<_> = found.iter().map(|found| found.key).collect();
    assert_eq!(keys, [Key::Ec(256), Key::Rsa(1024), Key::Ed25519]);
    let weak: Vec<_> = found.iter().map(|found| found.signature.is_weak()).collect();
    assert_eq!(weak, [false, true, false]);
    let roots: Vec<_> = found.iter().map(|found| found.self_issued).collect();
    assert_eq!(roots, [true, false, true]);
    assert_eq!((found[0].not_before, found[0].not_after), DATES[0]);
    assert_eq!((found[1].not_before, found[1].not_after), DATES[1], "after 2050 in four digits");
    let pss: Vec<_> = certificates(PSS).collect::<Result<_, _>>().expect("certificates");
    assert_eq!(pss[0].signature, Signature::Sha2);
}

#[test]
fn der_and_what_is_none() {
    let begin = BUNDLE.iter().position(|byte| *byte == b'\n').unwrap();
    let end = memchr::memmem::find(BUNDLE, b"-----END").unwrap();
    let der = base64(&BUNDLE[begin..end]).expect("base64");
    let found: Vec<_> = certificates(&der).collect::<Result<_, _>>().expect("a certificate");
    assert_eq!(found[0].common_name.as_deref(), Some("Example CA"));
    assert_eq!(certificate(&der[..40]), Err(Malformed { offset: 0, what: "certificate" }));
    assert_eq!(certificates(b"-----BEGIN PRIVATE KEY-----").count(), 0);
    let cut: Vec<_> = certificates(&BUNDLE[..100]).collect();
    assert_eq!(cut, [Err(Malformed { offset: 0, what: "PEM without an end" })]);
    let wrong: Vec<_> = certificates(b"-----BEGIN CERTIFICATE-----!-----END CERTIFICATE-----").collect();
    assert_eq!(wrong, [Err(Malformed { offset: 0, what: "base64" })]);
}

#[test]
fn dates() {
    assert_eq!(days(1970, 1, 1), 0);
    assert_eq!(days(2000, 2, 29), 11_016);
    assert_eq!(days(1969, 12, 31), -1);
    let of = |tag: u8, text: &[u8]| {
        let bytes = [&[tag, u8::try_from(text.len()).unwrap()], text].concat();
        time(&mut Der { bytes: &bytes, offset: 0 })
    };
    assert_eq!(of(0x17, b"700101000000Z"), Ok(0));
    assert_eq!(of(0x17, b"491231235959Z"), of(0x18, b"20491231235959Z"));
    assert!(of(0x17, b"701301000000Z").is_err() && of(0x17, b"700101000000+").is_err());
    assert!(of(0x18, b"700101000000Z").is_err());
}

proptest! {
    #[test]
    fn any_bytes_come_back(noise in prop::collection::vec(any::<u8>(), 0..200), at in 0..BUNDLE.len(), byte: u8) {
        certificates(&noise).for_each(drop);
        let mut damaged = BUNDLE.to_vec();
        damaged[at] = byte;
        certificates(&damaged).for_each(drop);
        if let Some(mut der) = base64(&noise) {
            der.insert(0, SEQUENCE);
            let _ = certificate(&der);
        }
    }
}
