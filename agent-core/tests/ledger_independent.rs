//! Verifiers that nobody of Bartizan wrote accept a ledger, and refuse one that was tampered with: Go's
//! `golang.org/x/mod/sumdb` (signature, root, proofs), `pymerkle` (root) and OpenSSL (signature).
//!
//! `wincode` reads the payloads that `bincode` wrote: the format does not hang on one crate.
//!
//! `tools/test-ledger` installs `pymerkle`, and names the interpreter that has it in `BARTIZAN_PYTHON`.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, with its place")]

use bartizan_core::ledger::note::Verifier;
use bartizan_core::ledger::prove::{Proofs, prove};
use bartizan_core::ledger::verify::{Trust, verify};
use bartizan_core::ledger::{Kind, Ledger, RealDisk, Sizes, leaves, read};
use bartizan_core::sys::clock::Clock;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

const ORIGIN: &str = "bartizan/independent";
const TENANT: &str = "acme";

struct Fixture {
    folder: tempfile::TempDir,
    host: Verifier,
    tenant: Verifier,
    id: [u8; 32],
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(RealDisk::new(folder.path()));
    let (ledger, _) = Ledger::open(disk.clone(), Sizes::default(), ORIGIN, Clock::System).unwrap();
    for number in 0..1_500u32 {
        let _ = ledger
            .append(Kind::ALERT, if number % 3 == 0 { "" } else { TENANT }, &number.to_be_bytes())
            .unwrap();
    }
    ledger.stop().unwrap();
    let host = ledger.verifier();
    let report = verify(disk, &Trust::default()).unwrap();
    let id = report.logs.iter().find(|log| log.tenant == TENANT).unwrap().id;
    let tenant = Verifier::log(&format!("{ORIGIN}/tenant/{}", hex(&id)), host.key);
    Fixture { folder, host, tenant, id }
}

impl Fixture {
    fn disk(&self) -> Arc<RealDisk> {
        Arc::new(RealDisk::new(self.folder.path()))
    }

    /// Leaves, proofs, the key and the checkpoint's path of one of the two logs.
    fn log(&self, tenant: &str) -> (Vec<Vec<u8>>, Proofs, &Verifier, PathBuf) {
        let mut found = Vec::new();
        leaves(self.disk(), tenant, |_, leaf| found.push(leaf.to_vec())).unwrap();
        let (id, key, name) = match tenant {
            "" => (None, &self.host, "host".to_owned()),
            _ => (Some(&self.id), &self.tenant, hex(&self.id)),
        };
        let proofs = prove(self.disk(), ORIGIN, id).unwrap().unwrap();
        (found, proofs, key, self.folder.path().join(format!("logs/{name}/checkpoint")))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ledger")
}

fn piped(command: &mut Command, input: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A verifier that has seen enough may go away before all of it is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// What the Go program reads.
fn lines(leaves: &[Vec<u8>], proofs: &Proofs, key: &Verifier) -> String {
    let mut text = format!("key {key}\n");
    for leaf in leaves {
        let _ = writeln!(text, "leaf {}", hex(leaf));
    }
    let size = proofs.checkpoint().size;
    let mut add = |word: &str, number: u64, hashes: Vec<[u8; 32]>| {
        let hashes: Vec<String> = hashes.iter().map(|hash| hex(hash)).collect();
        let _ = writeln!(text, "{word} {number} {}", hashes.join(" "));
    };
    for index in (0..size).step_by(7) {
        add("inclusion", index, proofs.inclusion(index).unwrap());
    }
    for old in [1, 2, 3, 255, 256, 257, size - 1, size] {
        add("consistency", old, proofs.consistency(old).unwrap());
    }
    text
}

#[test]
fn go_accepts_the_log_and_refuses_one_that_was_tampered_with() {
    let has_packages = Path::new("/usr/share/gocode/src/golang.org/x/mod/sumdb").is_dir();
    if !has_packages || Command::new("go").arg("version").output().is_err() {
        bartizan_testkit::skip!("Debian's golang-go and golang-golang-x-mod-dev are not installed");
    }
    let fixture = fixture();
    let program = fixture.folder.path().join("verifier");
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(fixtures().join("main.go"))
        .env("GO111MODULE", "off")
        .env("GOPATH", "/usr/share/gocode")
        .env("GOFLAGS", "")
        .env("GOCACHE", std::env::temp_dir().join("bartizan-go-cache"))
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    for tenant in ["", TENANT] {
        let (leaves, proofs, key, checkpoint) = fixture.log(tenant);
        let good = lines(&leaves, &proofs, key);
        let run = |input: &str, checkpoint: &Path| piped(Command::new(&program).arg(checkpoint), input);
        let output = run(&good, &checkpoint);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));

        let mut changed = leaves.clone();
        changed[40][30] ^= 1;
        let missing = [&leaves[..5], &leaves[6..]].concat();
        let mut swapped = leaves.clone();
        swapped.swap(8, 9);
        for tampered in [changed, missing, swapped] {
            assert!(!run(&lines(&tampered, &proofs, key), &checkpoint).status.success());
        }
        let other = Verifier::log(&key.name, [3; 32]);
        assert!(!run(&lines(&leaves, &proofs, &other), &checkpoint).status.success());
        let text = std::fs::read_to_string(&checkpoint).unwrap();
        let edited = fixture.folder.path().join("edited");
        let size = proofs.checkpoint().size;
        std::fs::write(&edited, text.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size - 1), 1))
            .unwrap();
        assert!(!run(&good, &edited).status.success());
    }
}

#[test]
fn pymerkle_finds_the_same_root_and_another_for_tampered_leaves() {
    let python = std::env::var("BARTIZAN_PYTHON").unwrap_or_else(|_| "python3".into());
    let has_it = Command::new(&python).args(["-c", "import pymerkle"]).output();
    if !has_it.is_ok_and(|output| output.status.success()) {
        bartizan_testkit::skip!("pymerkle is not installed; tools/test-ledger installs it");
    }
    let fixture = fixture();
    let (mut leaves, proofs, ..) = fixture.log(TENANT);
    let root = |leaves: &[Vec<u8>]| {
        let input: String = leaves.iter().map(|leaf| hex(leaf) + "\n").collect();
        let output =
            piped(Command::new(&python).arg("-W").arg("ignore").arg(fixtures().join("root.py")), &input);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(root(&leaves), hex(&proofs.checkpoint().root));
    leaves[3][2] ^= 1;
    assert_ne!(root(&leaves), hex(&proofs.checkpoint().root));
}

#[test]
fn openssl_accepts_the_signature_and_refuses_it_for_another_text() {
    if Command::new("openssl").arg("version").output().is_err() {
        bartizan_testkit::skip!("openssl is not installed");
    }
    let fixture = fixture();
    let (_, proofs, key, _) = fixture.log("");
    let (text, signatures) = proofs.note().split_once("\n\n").unwrap();
    let path = |name: &str| fixture.folder.path().join(name);
    // The key as a SubjectPublicKeyInfo (RFC 8410), and the signature without the id of its key.
    let head = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    std::fs::write(path("key.der"), [&head[..], &key.key].concat()).unwrap();
    let encoded = signatures.trim().rsplit_once(' ').unwrap().1;
    let decoded = piped(Command::new("openssl").args(["base64", "-d", "-A"]), encoded).stdout;
    std::fs::write(path("signature"), &decoded[4..]).unwrap();
    let verify = |text: &str| {
        std::fs::write(path("text"), text).unwrap();
        let mut command = Command::new("openssl");
        command
            .args(["pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey"])
            .arg(path("key.der"));
        command.arg("-in").arg(path("text")).arg("-sigfile").arg(path("signature"));
        command.output().unwrap().status.success()
    };
    assert!(verify(&format!("{text}\n")));
    assert!(!verify(&format!("{text}0\n")));
}

/// The payloads of the ledger's own records, as `wincode` is told of them.
mod payload {
    use wincode::SchemaRead;

    #[derive(Debug, PartialEq, SchemaRead)]
    pub(crate) struct Start {
        pub(crate) agent_version: String,
        pub(crate) last: LastRun,
    }

    #[derive(Debug, PartialEq, SchemaRead)]
    pub(crate) enum LastRun {
        None,
        Clean,
        Cut { torn_bytes: u64 },
    }

    #[derive(Debug, PartialEq, SchemaRead)]
    pub(crate) struct Stop {
        pub(crate) appended: u64,
        pub(crate) refused: u64,
    }

    #[derive(Debug, PartialEq, SchemaRead)]
    pub(crate) struct Heads {
        pub(crate) root: [u8; 32],
        pub(crate) width: u64,
    }
}

#[test]
fn wincode_reads_what_bincode_wrote() {
    let fixture = fixture();
    let (mut starts, mut stops, mut heads) = (Vec::new(), Vec::new(), Vec::new());
    read(fixture.disk(), 0, |record| match record.kind {
        Kind::START => starts.push(wincode::deserialize::<payload::Start>(record.payload).unwrap()),
        Kind::STOP => stops.push(wincode::deserialize::<payload::Stop>(record.payload).unwrap()),
        Kind::HEADS => heads.push(wincode::deserialize::<payload::Heads>(record.payload).unwrap()),
        _ => {}
    })
    .unwrap();
    let first =
        payload::Start { agent_version: env!("CARGO_PKG_VERSION").into(), last: payload::LastRun::None };
    assert_eq!(starts, [first]);
    // The start, the tenant's first record, the alerts and the heads.
    assert_eq!(stops, [payload::Stop { appended: 1_503, refused: 0 }]);
    assert_eq!((heads.len(), heads[0].width), (1, 64));
}
