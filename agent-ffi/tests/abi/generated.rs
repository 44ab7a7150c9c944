//! The files in `include/` that are made from this crate: they are committed, and may not drift.

use bartizan::layout::LAYOUTS;
use bartizan_core::sampling::metrics::{Scope, Source};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

#[test]
fn the_header_is_what_the_crate_says() {
    compare("bartizan.h", &header());
}

#[test]
fn the_metrics_header_is_what_the_table_says() {
    compare("bartizan_metrics.h", &metrics());
}

#[test]
fn the_layouts_are_those_of_the_crate() {
    compare("bartizan.layout", &layouts());
}

/// Compares with the committed file, or writes it when told to.
pub(crate) fn compare(name: &str, made: &str) {
    let path = root().join("include").join(name);
    if std::env::var_os("BARTIZAN_BLESS").is_some() {
        std::fs::write(&path, made).expect("write the generated file");
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if committed != made {
        let differs = committed.lines().zip(made.lines()).position(|(a, b)| a != b);
        let line = differs.unwrap_or_else(|| committed.lines().count().min(made.lines().count())) + 1;
        panic!(
            "include/{name} differs from what is generated, first in line {line}; if the change is wanted, run \
             BARTIZAN_BLESS=1 cargo test -p bartizan-ffi --test abi, and commit it"
        );
    }
}

const PREAMBLE: &str = include_str!("preamble.h");

fn header() -> String {
    let mut config = cbindgen::Config::from_file(Path::new(env!("CARGO_MANIFEST_DIR")).join("cbindgen.toml"))
        .expect("its settings");
    config.header = Some(PREAMBLE.trim_end().to_owned());
    let bindings = cbindgen::Builder::new()
        .with_crate(env!("CARGO_MANIFEST_DIR"))
        .with_config(config)
        .generate()
        .expect("cbindgen understands the crate");
    let mut bytes = Vec::new();
    bindings.write(&mut bytes);
    let text = String::from_utf8(bytes).expect("UTF-8");
    let (body, end) = text.trim_end().rsplit_once("\n\n").expect("the guard's end");
    assert!(end.starts_with("#endif"), "the include guard ends the header: {end}");
    tidy(&format!("{body}\n\n{}\n{end}\n", init_macros()))
}

/// Comments that C89 knows, in the usual form: `/* one line */`, or a star before each of several.
fn tidy(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let indent = &line[..line.len() - line.trim_start().len()];
        if line.trim_start() != "/*" || out.is_empty() {
            let line = match line.split_once("// ") {
                Some((code, comment)) => format!("{} /* {comment} */", code.trim_end()),
                None => line.to_owned(),
            };
            let _ = writeln!(out, "{}", line.trim_end());
            continue;
        }
        let comment: Vec<&str> = lines.by_ref().map(str::trim).take_while(|line| *line != "*/").collect();
        let comment: Vec<&str> = comment.iter().map(|line| line.strip_prefix("* ").unwrap_or(line)).collect();
        if let [one] = comment[..] {
            let _ = writeln!(out, "{indent}/* {one} */");
        } else {
            let _ = writeln!(out, "{indent}/*");
            for line in comment {
                let _ = writeln!(out, "{}", format!("{indent} * {line}").trim_end());
            }
            let _ = writeln!(out, "{indent} */");
        }
    }
    out
}

fn init_macros() -> String {
    let mut out = String::from(
        "/*\n * Initialisers, equal byte for byte to what the init functions write.\n * Since: 0.1\n */\n",
    );
    for layout in LAYOUTS.iter().filter(|layout| layout.fields[0].name == "struct_size") {
        let upper = layout.name.to_uppercase();
        let mut line = format!("#define {upper}_INIT \\\n    {{ sizeof({})", layout.name);
        for field in &layout.fields[1..] {
            line.push_str(if field.array { ", { 0 }" } else { ", 0" });
        }
        let _ = writeln!(out, "{line} }}");
    }
    out.push_str(
        "\n/*\n * The host, and the agent itself: entities that are always there. \"No value\" in a raw value.\n * Since: 0.1\n \
         */\n#define BTZ_ENTITY_HOST (((btz_entity)BTZ_SCOPE_HOST << 56) | 1u)\n#define BTZ_ENTITY_AGENT \
         (((btz_entity)BTZ_SCOPE_AGENT << 56) | 1u)\n#define BTZ_NO_VALUE INT64_MIN\n",
    );
    out
}

fn metrics() -> String {
    let mut out = String::from(
        "/*\n * The numbers of metrics and sources. Generated from the one table of metrics; included by bartizan.h.\n * \
         Numbers are appended, never moved and never used again. Since: 0.1\n */\n#ifndef BARTIZAN_METRICS_H\n#define \
         BARTIZAN_METRICS_H\n\n/* Where values come from: btz_value.source, btz_metric.source, btz_source.source. */\n",
    );
    for source in Source::ALL {
        let name = source.name().replace('-', "_").to_uppercase();
        let _ = writeln!(out, "#define BTZ_SOURCE_{name} {}", source as u8);
    }
    for scope in Scope::ALL {
        let _ = writeln!(out, "\n/* Metrics of scope \"{}\". */", scope.name());
        for metric in scope.metrics() {
            let _ = writeln!(
                out,
                "/* {}{}: {} */\n#define BTZ_METRIC_{} {}",
                metric.name,
                if metric.kind as u8 == 1 { " (counter)" } else { "" },
                metric.help.replace("*/", "* /"),
                metric.constant,
                metric.id.number()
            );
        }
    }
    out.push_str("\n#endif /* BARTIZAN_METRICS_H */\n");
    out
}

fn layouts() -> String {
    let mut out =
        String::from("# struct NAME size=BYTES align=BYTES, then its fields: NAME offset=BYTES size=BYTES\n");
    for layout in LAYOUTS {
        let _ = writeln!(out, "struct {} size={} align={}", layout.name, layout.size, layout.align);
        for field in layout.fields {
            let _ = writeln!(out, "  {} offset={} size={}", field.name, field.offset, field.size);
        }
    }
    out
}
