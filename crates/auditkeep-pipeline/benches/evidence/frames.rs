//! What the size of frames costs: the same log cut otherwise, and gzip.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::Outcome;
use crate::corpus::{Corpus, Kind};
use crate::measure::{Stopwatch, runtime};
use crate::reference::{SEGMENT_BYTES, compress};

pub fn run(kind: Kind, mib: usize) -> Outcome {
    let _tied_to_cores = runtime()?;
    let mut raw = Vec::new();
    Corpus::new(kind, 1)?.fill(&mut raw, mib << 20);
    println!("\n## {}, {mib} MiB: the size of frames\n", kind.name());
    let line = |name: &str, size: usize, speed: String| {
        println!("{name:<28} {size:>10} bytes, 1 : {:>5.2}, {speed}", raw.len() as f64 / size as f64);
    };
    for kib in [64, 128, 256, 512, 1024, 8192] {
        let (took, size) = compress(&raw, (kib << 10).min(SEGMENT_BYTES), 1)?;
        line(&format!("zstd 1, frames of {kib} KiB"), size, took.speed(raw.len() as u64));
    }
    let watch = Stopwatch::start();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(6));
    gzip.write_all(&raw)?;
    let size = gzip.finish()?.len();
    line("gzip 6, whole", size, watch.took().speed(raw.len() as u64));
    Ok(())
}
