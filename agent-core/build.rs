//! Compiles the BPF programs, where there is a clang that can. Where there is none the library is built nevertheless,
//! reads by files, and says why.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each becomes `NAME.bpf.o`, and a constant of its name in `bpf_programs.rs`.
const PROGRAMS: [&str; 2] = ["threads", "kvm"];
/// Another compiler, or none: `BARTIZAN_CLANG=` builds without the programs.
const CLANG: &str = "BARTIZAN_CLANG";

fn main() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpf");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_else(|| OsString::from(".")));
    println!("cargo::rerun-if-changed={}", sources.display());
    println!("cargo::rerun-if-env-changed={CLANG}");
    let clang = std::env::var_os(CLANG).unwrap_or_else(|| OsString::from("clang"));
    let mut text = String::new();
    for name in PROGRAMS {
        let value = match compile(&clang, &sources, name, &out) {
            Ok(()) => format!("Ok(include_bytes!(\"{name}.bpf.o\"))"),
            Err(reason) => {
                println!("cargo::warning=built without the BPF program {name}: {reason}");
                format!("Err({reason:?})")
            }
        };
        let constant = name.to_uppercase();
        let _ = writeln!(text, "pub(crate) const {constant}: Result<&[u8], &str> = {value};");
    }
    if let Err(error) = std::fs::write(out.join("bpf_programs.rs"), text) {
        println!("cargo::error=bpf_programs.rs cannot be written: {error}");
    }
}

/// Compiles one program, and takes what only debuggers read out of it.
fn compile(clang: &OsString, sources: &Path, name: &str, out: &Path) -> Result<(), String> {
    if clang.is_empty() {
        return Err(format!("{CLANG} is empty"));
    }
    let endian = std::env::var("CARGO_CFG_TARGET_ENDIAN").unwrap_or_default();
    let target = if endian == "big" { "bpfeb" } else { "bpfel" };
    let object = out.join(format!("{name}.bpf.o"));
    // No path of this machine gets into the object: the same sources make the same bytes anywhere.
    let mut prefix = OsString::from("-ffile-prefix-map=");
    prefix.push(sources);
    prefix.push("=.");
    let output = Command::new(clang)
        .args(["-target", target, "-mcpu=v3", "-O2", "-g", "-Wall", "-Wextra", "-Werror"])
        .arg(prefix)
        .arg("-c")
        .arg(sources.join(format!("{name}.bpf.c")))
        .arg("-o")
        .arg(&object)
        .current_dir(sources)
        .output()
        .map_err(|error| format!("no clang when it was built ({}: {error})", clang.to_string_lossy()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let first = said.lines().find(|line| line.contains("error")).unwrap_or("no reason given").to_owned();
        return Err(format!("clang refused it when it was built: {first}"));
    }
    // Only makes it smaller: without llvm-strip the object keeps its debugging information.
    let _ = Command::new("llvm-strip").arg("--strip-debug").arg(&object).status();
    Ok(())
}
