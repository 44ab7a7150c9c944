//! Gives the shared library its SONAME: `libbartizan.so.<ABI major>`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The ABI's major version, which tests compare with BTZ_ABI_MAJOR.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libbartizan.so.0");
}
