//! The suite's program built here carries the reference, whose loaded modules must find it
//! (PLUG-ABI-10, -11).

fn main() -> std::io::Result<()> {
    let list = "../reference/src/abi/symbols.txt";
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={list}");
    for symbol in std::fs::read_to_string(list)?.lines() {
        println!("cargo:rustc-link-arg-bin=suite=-Wl,--export-dynamic-symbol={symbol}");
    }
    Ok(())
}
