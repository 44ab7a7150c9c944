use super::*;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::{FactId, Facts};
use crate::checks::finding::{Subject, Waived};
use crate::checks::judge::judge;
use crate::checks::vm::{Vm, VmId};
use crate::sampling::discovery::VmmKind;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;

const RULES: &str = r#"
    [[rule]]
    id = "a.fails"
    title = "It is <one>"
    severity = "critical"
    runtime = { fact = "fails", eq = "1" }
    persisted = { fact = "unknown", eq = "1" }
    rationale = "Because & because."
    remediation = "echo 'one' > /there"
    references = ["A \"book\""]
    [[rule]]
    id = "a.unknown"
    title = "It is told"
    severity = "low"
    runtime = { fact = "unknown", eq = "1" }
    rationale = "r"
    remediation = "r"
    [[rule]]
    id = "a.passes"
    title = "It holds"
    severity = "medium"
    runtime = { fact = "fails", ne = "no such value" }
    rationale = "r"
    remediation = "r"
"#;

/// Findings in which every text that comes from outside is this one.
fn findings(hostile: &str) -> (Vec<Arc<Finding>>, RuleSet) {
    let mut rules = RuleSet::default();
    rules.add(Path::new("t"), RULES, &|_| false);
    assert!(rules.problems().is_empty(), "{:?}", rules.problems());
    let vm = |pid| {
        Arc::new(Vm {
            id: VmId { pid, start_ticks: 5 },
            name: hostile.to_owned(),
            uuid: hostile.to_owned(),
            tenant: hostile.to_owned(),
            vmm: VmmKind::Qemu,
            libvirt: false,
            cgroup: hostile.to_owned(),
            vcpu_tids: Vec::new(),
            taps: Vec::new(),
        })
    };
    let id = |key: &str| FactId { vm: None, key: key.into() };
    let facts = Facts::fixed(
        [
            (id("fails"), Found::value(hostile, hostile).with_raw(&format!("raw {hostile}"))),
            (id("unknown"), Found::unavailable(Unavailable::Denied(hostile.to_owned()), hostile)),
        ],
        Vec::new(),
    );
    let mut findings = Vec::new();
    for subject in [Subject::Host, Subject::Vm(vm(7)), Subject::Vm(vm(8))] {
        for rule in rules.rules() {
            findings.push(judge(rule, &facts, &subject, 0).finding);
        }
    }
    findings[0].changed_from = Some(Box::new((Verdict::Pass, hostile.to_owned())));
    findings[3].waived = Some(Box::new(Waived {
        owner: hostile.to_owned(),
        reason: hostile.to_owned(),
        expires: hostile.to_owned(),
    }));
    (findings.into_iter().map(Arc::new).collect(), rules)
}

fn made(hostile: &str) -> String {
    let (findings, rules) = findings(hostile);
    page(&findings, &rules, &About { host: hostile, finished_ns: 0 })
}

/// Takes the page apart as XML would be: every tag closed in its order, every attribute quoted. Returns the tags and
/// the attributes with their values.
fn markup(page: &str) -> (BTreeSet<String>, Vec<(String, String)>) {
    let (mut open, mut tags, mut attributes) = (Vec::new(), BTreeSet::new(), Vec::new());
    let mut rest = page.strip_prefix("<!DOCTYPE html>\n").expect("a doctype");
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "a stray > in {:?}", &rest[..start]);
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed in order");
            continue;
        }
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        tags.insert(name.to_owned());
        while let Some((attribute, value)) = rest.trim_start().split_once("=\"") {
            let (value, after) = value.split_once('"').expect("a quote ends");
            attributes.push((attribute.to_owned(), value.to_owned()));
            rest = after;
        }
        assert!(rest.trim().is_empty(), "left in <{tag}>: {rest:?}");
        if !empty {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    (tags, attributes)
}

/// Everything in the page that looks like markup is this module's.
fn proved(page: &str) {
    const TAGS: &[&str] = &[
        "a",
        "article",
        "body",
        "caption",
        "code",
        "dd",
        "desc",
        "details",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "footer",
        "g",
        "h1",
        "h2",
        "h3",
        "h4",
        "head",
        "header",
        "html",
        "li",
        "main",
        "meta",
        "p",
        "pre",
        "rect",
        "section",
        "span",
        "strong",
        "style",
        "summary",
        "svg",
        "table",
        "tbody",
        "td",
        "text",
        "th",
        "thead",
        "title",
        "tr",
        "ul",
    ];
    const ATTRIBUTES: &[&str] = &[
        "aria-label",
        "aria-labelledby",
        "charset",
        "class",
        "content",
        "height",
        "href",
        "http-equiv",
        "id",
        "lang",
        "name",
        "open",
        "role",
        "scope",
        "text-anchor",
        "viewBox",
        "width",
        "x",
        "y",
    ];
    let (tags, attributes) = markup(page);
    for tag in &tags {
        assert!(TAGS.contains(&tag.as_str()), "<{tag}>");
    }
    let ids: BTreeSet<&str> =
        attributes.iter().filter(|(name, _)| name == "id").map(|(_, value)| value.as_str()).collect();
    for (name, value) in &attributes {
        assert!(ATTRIBUTES.contains(&name.as_str()), "{name}");
        // What leads elsewhere leads to a place in the page.
        if name == "href" {
            assert!(ids.contains(value.strip_prefix('#').expect("a place in the page")), "{value}");
        }
        if name == "aria-labelledby" {
            assert!(value.split(' ').all(|id| ids.contains(id)), "{value}");
        }
    }
    assert_eq!(ids.len(), attributes.iter().filter(|(name, _)| name == "id").count(), "an id stands once");
}

#[test]
fn the_page_is_well_formed_and_needs_nothing_else() {
    let page = made("web-1");
    proved(&page);
    for part in ["url(", "@import", "@font-face", "http:", "https:", "javascript:"] {
        assert!(!page.contains(part), "{part}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn the_page_says_what_is_wrong_why_and_how_it_is_put_right() {
    let page = made("web-1");
    for part in [
        "2 findings need action, on 2 of 3 subjects. 3 could not be judged.",
        "It is &lt;one&gt;",
        "Because &amp; because.",
        "echo &#39;one&#39; &gt; /there",
        "A &quot;book&quot;",
        "What is wrong",
        "Waived",
        "Could not be judged",
        "Everything",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let rows = page.matches("<tr><td><span class=\"v-").count();
    assert_eq!(rows, 9, "every finding is in the table of everything");
}

#[test]
fn nothing_found_is_a_page_too() {
    let page = page(&[], &RuleSet::default(), &About::default());
    proved(&page);
    assert!(page.contains("Nothing found that needs action"));
}

#[test]
fn a_segment_is_as_long_as_its_count_says() {
    let (findings, _) = findings("x");
    let counts = plot::count(findings.iter().map(Arc::as_ref));
    assert_eq!(counts, [2, 0, 1, 3, 3, 0]);
    let mut out = String::new();
    plot::small(&mut out, &counts).expect("a String");
    let widths: Vec<usize> = out
        .split(" width=\"")
        .skip(1)
        .map(|part| part.split('"').next().and_then(|width| width.parse().ok()).expect("a width"))
        .collect();
    assert_eq!((widths.len(), widths.iter().sum()), (4, 160), "{out}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_from_outside_becomes_markup(hostile in "(\\PC|[<>&\"'/=;!\\-\\s\\x00-\\x1f]|</?(script|svg|style|a|td|!--) ?[a-z]{0,5}=?\"?>?){1,40}") {
        let page = made(&hostile);
        proved(&page);
        // The number of tags depends on nothing from outside but on what is empty.
        if !hostile.trim().is_empty() {
            prop_assert_eq!(page.matches('<').count(), made("x").matches('<').count());
        }
    }
}
