//! The data flows from left to right, and so do the imports: a module may use what stands above it in [`LAYERS`],
//! never what stands below.

use std::fs;
use std::path::{Path, PathBuf};

/// The one table of the order. A path belongs to its longest prefix here; a module may use its own layer and every
/// layer above.
const LAYERS: &[(&str, &[&str])] = &[
    ("sys: thin covers over the kernel", &["sys"]),
    // Words that the configuration is written in, and nothing that does anything.
    (
        "vocabulary",
        &[
            "sampling::metrics",
            "sampling::availability",
            "alerts::severity",
            "alerts::Severity",
            "detection::rule",
            "detection::RuleConfig",
            "detection::RuleError",
        ],
    ),
    ("codec: records become bytes", &["codec"]),
    ("ledger: the durable trail, which knows bytes and nothing of what they mean", &["ledger"]),
    ("recovery: state goes to the disk, and comes back at a start", &["recovery"]),
    ("config: what the host's owner declares", &["config"]),
    ("sampling: kernel bytes become numbers", &["sampling"]),
    ("checks: facts of the host become findings", &["checks"]),
    ("coordination: whose claims prevail", &["coordination"]),
    ("learning: closed incidents become rules", &["learning"]),
    ("alerts: what leaves the agent", &["alerts"]),
    ("detection: numbers become alerts", &["detection"]),
    ("incidents: alerts and findings become incidents", &["incidents"]),
    ("response: what is done about it, and how it is taken back", &["response"]),
    ("engine: the only one that knows the order", &["engine"]),
    ("trace: reads an engine beside its host, and replays what it saw", &["trace"]),
];

/// Edges from right to left that are there for a reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "config::validate",
    "detection",
    "a configuration is checked whole, with its rules, before anything is made of it",
)];

fn layer_of(path: &str) -> usize {
    let under = |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}::"));
    let (_, layer) = LAYERS
        .iter()
        .enumerate()
        .flat_map(|(layer, (_, prefixes))| prefixes.iter().map(move |prefix| (*prefix, layer)))
        .filter(|(prefix, _)| under(prefix))
        .max_by_key(|(prefix, _)| prefix.len())
        .unwrap_or_else(|| panic!("{path} has no layer: put it into the table"));
    layer
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// `src/sampling/vm/mod.rs` is `sampling::vm`.
fn module_of(root: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(root).expect("below the root").with_extension("");
    let parts: Vec<_> =
        relative.iter().map(|part| part.to_string_lossy()).filter(|part| part != "mod").collect();
    parts.join("::")
}

/// Every path that begins with `crate::`, groups in braces taken apart. Tests may look wherever they like.
fn imports(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
        let (path, after) = rest.split_at(end);
        match path.strip_suffix("::") {
            Some(prefix) if after.starts_with('{') => {
                let group = after[1..].split('}').next().unwrap_or("");
                found.extend(group.split(',').map(|item| format!("{prefix}::{}", item.trim())));
            }
            _ => found.push(path.trim_end_matches(':').to_owned()),
        }
    }
    found
}

#[test]
fn imports_follow_the_order() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let (mut edges, mut wrong) = (0, Vec::new());
    for file in files {
        let module = module_of(&root, &file);
        let is_test = module.split("::").any(|part| part == "tests" || part.ends_with("_tests"));
        if module == "lib" || is_test {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file");
        for import in imports(&text) {
            edges += 1;
            let excused = EXCEPTIONS.iter().any(|(from, to, _)| *from == module && import.starts_with(to));
            if layer_of(&import) > layer_of(&module) && !excused {
                wrong.push(format!(
                    "{module} uses {import}: {} uses {}",
                    LAYERS[layer_of(&module)].0,
                    LAYERS[layer_of(&import)].0
                ));
            }
        }
    }
    assert!(edges > 100, "only {edges} imports were found: the test no longer sees them");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn groups_are_taken_apart() {
    let text = "use crate::a::{B, C};\n// crate::comment\nlet x = crate::d::E::new();\n#[cfg(test)]\nmod tests { use crate::t; }";
    assert_eq!(imports(text), ["a::B", "a::C", "d::E::new"]);
}

#[test]
fn every_exception_is_still_needed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (from, to, _) in EXCEPTIONS {
        let file = root.join(from.replace("::", "/")).with_extension("rs");
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(imports(&text).iter().any(|import| import.starts_with(to)), "{from} no longer uses {to}");
    }
}
