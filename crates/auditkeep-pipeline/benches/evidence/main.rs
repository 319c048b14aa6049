//! Benches of the evidence path: collecting and verifying, against SHA-256 and zstd alone over the same bytes, and what they
//! hold in memory.
//!
//! `cargo bench -p auditkeep-pipeline --bench evidence [-- quick]`. What counts are the ratios within one run; nothing here
//! asserts a time. Each measurement runs in a process of its own, so that its peak memory is its own, tied to one core or two.

#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench reports to whoever ran it, in numbers that are rounded"
)]

mod corpus;
mod frames;
mod large;
mod many;
mod measure;
mod reference;
mod source;
mod throughput;

use std::error::Error;

use corpus::Kind;
use measure::Run;

/// Whatever goes wrong ends the bench.
type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// How much is measured.
struct Sizes {
    throughput_mib: usize,
    large_mib: usize,
    commits: u64,
}

const FULL: Sizes = Sizes { throughput_mib: 256, large_mib: 4096, commits: 100_000 };
const QUICK: Sizes = Sizes { throughput_mib: 64, large_mib: 256, commits: 2_000 };

fn main() -> Outcome {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo says `--bench` to every bench.
    arguments.retain(|argument| argument != "--bench");
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["case", rest @ ..] => case(rest),
        [] => all(&FULL),
        ["quick"] => all(&QUICK),
        ["frames"] => report_frames(&FULL),
        ["throughput"] => report_throughput(&FULL),
        ["large"] => report_large(&FULL),
        ["many"] => report_many(&FULL),
        _ => Err("expected nothing, `quick`, `frames`, `throughput`, `large` or `many`".into()),
    }
}

/// One measurement, in the process that was started for it.
fn case(words: &[&str]) -> Outcome {
    match words {
        ["frames", kind, mib] => frames::run(named(kind)?, mib.parse()?),
        ["throughput", kind, mib, cores] => throughput::run(named(kind)?, mib.parse()?, cores.parse()?),
        ["large", kind, mib] => large::run(named(kind)?, mib.parse()?),
        ["many", step, directory, commits] => many::run(step, directory.as_ref(), commits.parse()?),
        _ => Err(format!("no case {words:?}").into()),
    }
}

fn named(kind: &str) -> Outcome<Kind> {
    Kind::named(kind).ok_or_else(|| format!("no kind of log `{kind}`").into())
}

fn all(sizes: &Sizes) -> Outcome {
    println!("{}", measure::machine());
    report_frames(sizes)?;
    report_throughput(sizes)?;
    report_large(sizes)?;
    report_many(sizes)
}

fn report_frames(sizes: &Sizes) -> Outcome {
    for kind in Kind::ALL {
        Run::on_cores(1).case(&["frames", kind.name(), &sizes.throughput_mib.min(64).to_string()])?;
    }
    Ok(())
}

fn report_throughput(sizes: &Sizes) -> Outcome {
    for kind in Kind::ALL {
        for cores in [1, 2] {
            let mib = sizes.throughput_mib.to_string();
            Run::on_cores(cores).case(&["throughput", kind.name(), &mib, &cores.to_string()])?;
        }
    }
    Ok(())
}

fn report_large(sizes: &Sizes) -> Outcome {
    Run::on_cores(2).case(&["large", Kind::ServerAudit.name(), &sizes.large_mib.to_string()])
}

fn report_many(sizes: &Sizes) -> Outcome {
    let directory = tempfile::tempdir()?;
    let (path, commits) = (directory.path().to_string_lossy().into_owned(), sizes.commits.to_string());
    for step in many::STEPS {
        Run::on_cores(2).case(&["many", step, &path, &commits])?;
    }
    Ok(())
}
