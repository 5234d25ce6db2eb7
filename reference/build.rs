//! Link settings of every program that carries the reference.
//!
//! A mailfront is started once per connection, so start-up time is its speed. Rust's standard
//! library pulls in the shared `libgcc_s`, whose loading costs more than a whole session of ours; a
//! linker script of that name, found first, takes the unwinder from the static `libgcc_eh` instead.

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |key: &str, value: &str| env::var(key).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        let out = env::var("OUT_DIR")?;
        let script = Path::new(&out).join("libgcc_s.so");
        fs::write(script, "INPUT(-lgcc_eh)\n")?;
        println!("cargo:rustc-link-search=native={out}");
        // What loaded modules look up in the program (PLUG-ABI-10, -11).
        println!("cargo:rerun-if-changed=src/abi/symbols.txt");
        for symbol in fs::read_to_string("src/abi/symbols.txt")?.lines() {
            println!("cargo:rustc-link-arg-bins=-Wl,--export-dynamic-symbol={symbol}");
        }
    }
    Ok(())
}
