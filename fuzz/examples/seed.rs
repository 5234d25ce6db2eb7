//! Writes the seeds of every target, made from the transcripts, below `fuzz/corpus` of the current
//! folder: `cargo run -p mailfront-fuzz --example seed`.

use std::{fs, io, path::Path};

use mailfront_conformance::cases::Cases;
use mailfront_fuzz::{BODIES, seeds};

fn main() -> io::Result<()> {
    let cases = Cases::embedded();
    for (target, _) in BODIES {
        let folder = Path::new("fuzz/corpus").join(target);
        fs::create_dir_all(&folder)?;
        let seeds = seeds::of(target, &cases);
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:04}")), seed)?;
        }
        println!("{}: {} seeds", folder.display(), seeds.len());
    }
    Ok(())
}
