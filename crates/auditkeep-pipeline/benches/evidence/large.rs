//! A log file that is larger than any memory: what collecting and verifying it hold resident.

use crate::Outcome;
use crate::corpus::Kind;
use crate::measure::{Run, memory, runtime};
use crate::source::Made;
use crate::throughput::{collect, durable};

pub fn run(kind: Kind, mib: u64) -> Outcome {
    let runtime = runtime()?;
    let directory = tempfile::tempdir()?;
    let (_, before) = memory()?;
    let bytes = mib << 20;
    let took =
        runtime.block_on(async { collect(kind, durable(directory.path())?, &Made { kind, bytes }).await })?;
    let (peak, _) = memory()?;
    println!("\n## {}, one file of {mib} MiB, made while it is read\n", kind.name());
    println!("collect: peak memory {peak} MiB ({before} MiB before), {}", took.speed(bytes));
    let path = directory.path().to_string_lossy().into_owned();
    Run::on_cores(2).case(&["many", "verify-deep", &path, "0"])
}
