//! Collecting and verifying at speed, and where the time goes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::local::DurableDirectory;
use auditkeep_archive::verify::{Depth, Verification};
use auditkeep_core::format::{Format, Framer};
use auditkeep_core::integrity::key::SigningKey;
use auditkeep_pipeline::collect::Collector;
use auditkeep_pipeline::source::{LogFiles, SourceKind};
use bytes::Bytes;
use jiff::Timestamp;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

use crate::Outcome;
use crate::corpus::{Corpus, Kind};
use crate::measure::{Stopwatch, Took, runtime};
use crate::reference;
use crate::source::{CHUNK_BYTES, InMemory, WRITTEN_MS, instance};

const ROUNDS: usize = 3;

/// The best of the rounds, each.
struct Best {
    framing: Took,
    hash: Took,
    zstd_whole: Took,
    zstd_frames: Took,
    hash_and_compress: Took,
    collect: Took,
    collect_unflushed: Took,
    hash_and_decompress: Took,
    deep: Took,
    shallow: Took,
}

impl Best {
    const NONE: Self = Self {
        framing: Took::NEVER,
        hash: Took::NEVER,
        zstd_whole: Took::NEVER,
        zstd_frames: Took::NEVER,
        hash_and_compress: Took::NEVER,
        collect: Took::NEVER,
        collect_unflushed: Took::NEVER,
        hash_and_decompress: Took::NEVER,
        deep: Took::NEVER,
        shallow: Took::NEVER,
    };
}

pub fn run(kind: Kind, mib: usize, cores: usize) -> Outcome {
    let runtime = runtime()?;
    let mut raw = Vec::new();
    Corpus::new(kind, 1)?.fill(&mut raw, mib << 20);
    let objects = reference::objects(&raw)?;
    let raw = Bytes::from(raw);
    let mut best = Best::NONE;
    for _ in 0..ROUNDS {
        best.framing = best.framing.or_less(frame(kind, &raw));
        best.hash = best.hash.or_less(reference::hash(&raw, cores)?);
        let whole = reference::compress(&raw, reference::SEGMENT_BYTES, cores)?.0;
        best.zstd_whole = best.zstd_whole.or_less(whole);
        let frames = reference::compress(&raw, reference::FRAME_BYTES, cores)?.0;
        best.zstd_frames = best.zstd_frames.or_less(frames);
        best.hash_and_compress = best.hash_and_compress.or_less(reference::hash_and_compress(&raw, cores)?);
        let decompress = reference::hash_and_decompress(&objects, cores)?;
        best.hash_and_decompress = best.hash_and_decompress.or_less(decompress);
        runtime.block_on(ours(kind, &raw, &mut best))?;
    }
    report(kind, raw.len() as u64, cores, &best);
    Ok(())
}

async fn ours(kind: Kind, raw: &Bytes, best: &mut Best) -> Outcome {
    let files = InMemory { kind, raw: raw.clone() };
    let directory = tempfile::tempdir()?;
    best.collect = best.collect.or_less(collect(kind, durable(directory.path())?, &files).await?);
    let unflushed = tempfile::tempdir()?;
    let store = Arc::new(LocalFileSystem::new_with_prefix(unflushed.path())?);
    best.collect_unflushed = best.collect_unflushed.or_less(collect(kind, store, &files).await?);
    best.deep = best.deep.or_less(verify(directory.path(), Depth::Deep).await?);
    best.shallow = best.shallow.or_less(verify(directory.path(), Depth::Shallow).await?);
    Ok(())
}

fn frame(kind: Kind, raw: &[u8]) -> Took {
    let mut framer = Framer::new(match kind {
        Kind::ServerAudit => Format::ServerAudit,
        Kind::Csvlog => Format::PostgresCsv,
    });
    let watch = Stopwatch::start();
    raw.chunks(CHUNK_BYTES).for_each(|chunk| framer.push(chunk));
    std::hint::black_box(framer.complete_to());
    watch.took()
}

pub fn durable(directory: &Path) -> Outcome<Arc<dyn ObjectStore>> {
    Ok(Arc::new(DurableDirectory::new(directory)?))
}

pub fn key() -> Outcome<SigningKey> {
    Ok(SigningKey::from_seed("bench", &[1; 32])?)
}

/// Long after everything was written.
fn now() -> Timestamp {
    Timestamp::from_millisecond(WRITTEN_MS + 3_600_000).unwrap_or_default()
}

/// One pass into an archive that is new.
pub async fn collect(kind: Kind, store: Arc<dyn ObjectStore>, files: &dyn LogFiles) -> Outcome<Took> {
    let key = key()?;
    let archive = Archive::create(store, "0".repeat(32), key.public().clone(), now()).await?;
    let collector = Collector {
        archive: &archive,
        key: &key,
        writer: "bench",
        now,
        kind: SourceKind::LogFiles,
        settled_after: Duration::from_mins(1),
        silent_after: None,
        progress: &|_| {},
    };
    let watch = Stopwatch::start();
    let pass = collector.collect(&instance(kind), files).await?;
    let took = watch.took();
    match pass.failures().next() {
        Some((log, error)) => Err(format!("{log}: {error}").into()),
        None if pass.new_bytes == 0 => Err("nothing was collected".into()),
        None => Ok(took),
    }
}

async fn verify(directory: &Path, depth: Depth) -> Outcome<Took> {
    let verification =
        Verification { roots: vec![key()?.public().clone()], depth, ..Verification::default() };
    let watch = Stopwatch::start();
    let report = verification.run(durable(directory)?, &|_| {}).await?;
    let took = watch.took();
    if report.holds(true) { Ok(took) } else { Err(format!("{:?}", report.findings).into()) }
}

fn report(kind: Kind, bytes: u64, cores: usize, best: &Best) {
    println!("\n## {}, {} MiB, {cores} core(s)\n", kind.name(), bytes >> 20);
    let line = |name: &str, took: &Took| println!("{name:<52} {}", took.speed(bytes));
    line("framing alone, one thread", &best.framing);
    line("SHA-256 alone", &best.hash);
    line("zstd 1 alone, 8 MiB frames", &best.zstd_whole);
    line("zstd 1 alone, 512 KiB frames", &best.zstd_frames);
    line("reference: SHA-256 and zstd 1, 8 MiB frames", &best.hash_and_compress);
    line("collect, durable directory", &best.collect);
    line("collect, without flushing", &best.collect_unflushed);
    line("reference: SHA-256, decompression, SHA-256", &best.hash_and_decompress);
    line("verify, deep", &best.deep);
    line("verify, shallow", &best.shallow);
    println!("collect / reference: {}", best.collect.ratio(&best.hash_and_compress));
    println!(
        "collect without flushing / reference: {}",
        best.collect_unflushed.ratio(&best.hash_and_compress)
    );
    println!("verify deep / reference: {}", best.deep.ratio(&best.hash_and_decompress));
}
