//! Builds the probe module and carries on the reference's link settings.
#![expect(clippy::expect_used, reason = "a build that cannot go on stops with the reason")]

use std::{env, fs, path::Path, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../fixtures");
    println!("cargo:rerun-if-changed=../docs/spec");
    println!("cargo:rerun-if-changed=probe");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        // Every play of the built-in reference starts this program. Without the relocations of a
        // position-independent one it starts a tenth faster; the reference's own programs keep them.
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
    // The reference inside finds its loaded modules only if they find it (PLUG-ABI-10, -11).
    println!("cargo:rerun-if-changed=../reference/src/abi/symbols.txt");
    let symbols = fs::read_to_string("../reference/src/abi/symbols.txt").expect("the list can be read");
    for symbol in symbols.lines() {
        println!("cargo:rustc-link-arg-bins=-Wl,--export-dynamic-symbol={symbol}");
    }
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let rustc = env::var("RUSTC").expect("cargo sets RUSTC");
    let target = env::var("TARGET").expect("cargo sets TARGET");
    // It has no dependencies: the compiler alone makes it, so that the program carries a loadable
    // module without a second build step for its user.
    let status = Command::new(rustc)
        .args(["--edition", "2024", "--crate-type", "cdylib", "--crate-name", "probe", "--target", &target])
        .args(["-C", "opt-level=s", "-C", "panic=abort", "-C", "strip=symbols"])
        .arg("-o")
        .arg(Path::new(&out).join("probe.so"))
        .arg("probe/probe.rs")
        .status()
        .expect("the compiler starts");
    assert!(status.success(), "the probe module does not compile");
}
