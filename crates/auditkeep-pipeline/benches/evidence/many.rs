//! An archive of very many commits: opening it, appending to it, and verifying it, from the start and since a seal.
//!
//! It is written through `object_store`'s own directory, which does not flush, and then used as every local archive is. Every
//! second commit has one small segment, the others a control leaf; a log file has eight segments, then comes the next one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::checkpoint::Checkpoint;
use auditkeep_archive::commit::{CHAIN_START, Cursor, Listed, Source, chain};
use auditkeep_archive::control::Event;
use auditkeep_archive::layout::GenerationPrefix;
use auditkeep_archive::leaf::{Leaf, SegmentLeaf};
use auditkeep_archive::seal;
use auditkeep_archive::segment::{self, SegmentWriter};
use auditkeep_archive::trail::{self, Addition, Append, Head, Stamp};
use auditkeep_archive::verify::{Depth, Verification};
use jiff::Timestamp;
use object_store::local::LocalFileSystem;

use crate::Outcome;
use crate::measure::{Stopwatch, Took, memory, runtime};
use crate::throughput::{durable, key};

const TRAIL: &str = "111122223333.eu-central-1.db-BENCH.log-files";
const SEAL: &str = "seal.json";
const SEGMENTS_PER_LOG: u64 = 8;
/// Commits that follow the seal.
const SINCE: u64 = 100;

/// In this order, each in a process of its own.
pub const STEPS: [&str; 6] = ["build", "open", "append", "verify-shallow", "verify-since", "verify-deep"];

pub fn run(step: &str, directory: &Path, commits: u64) -> Outcome {
    let runtime = runtime()?;
    let archive = directory.join("archive");
    // The archive of a large file has nothing beside it.
    let archive = if archive.exists() || step == "build" { archive } else { directory.to_owned() };
    let took = runtime.block_on(async {
        match step {
            "build" => build(directory, &archive, commits).await,
            "open" => open(&archive).await,
            "append" => append_one(&archive).await,
            "verify-shallow" => verify(&archive, Depth::Shallow, None).await,
            "verify-deep" => verify(&archive, Depth::Deep, None).await,
            "verify-since" => verify(&archive, Depth::Deep, Some(&directory.join(SEAL))).await,
            _ => Err(format!("no step `{step}`").into()),
        }
    })?;
    let (peak, _) = memory()?;
    println!("{step:<16} {:>10.1?}, CPU {:>10.1?}, peak memory {peak} MiB", took.wall, took.cpu);
    Ok(())
}

async fn build(directory: &Path, archive: &Path, commits: u64) -> Outcome<Took> {
    println!("\n## An archive of {commits} commits\n");
    std::fs::create_dir_all(archive)?;
    let store = Arc::new(LocalFileSystem::new_with_prefix(archive)?);
    let watch = Stopwatch::start();
    let key = key()?;
    let archive = Archive::create(store, "0".repeat(32), key.public().clone(), Timestamp::UNIX_EPOCH).await?;
    let mut head: Option<Head> = None;
    for number in 1..=commits {
        head = Some(append(&archive, head.as_ref(), number).await?);
        if number + SINCE == commits {
            let sealed = seal::seal(&archive, &key, &stamp(number)).await?;
            std::fs::write(directory.join(SEAL), &sealed.bytes)?;
        }
    }
    Ok(watch.took())
}

fn stamp(number: u64) -> Stamp {
    let seconds = i64::try_from(number).unwrap_or(0) * 60;
    Stamp { time: Timestamp::from_second(seconds).unwrap_or_default(), writer: "bench".to_owned() }
}

async fn append(archive: &Archive, head: Option<&Head>, number: u64) -> Outcome<Head> {
    let stamp = stamp(number);
    let time = stamp.time;
    let mut cursors = head.map(|head| head.body.cursors.clone()).unwrap_or_default();
    let leaf = match (head, number % 2) {
        (None, _) => Leaf::Control(Event::SourceStarted.at(time)),
        (_, 0) => Leaf::Segment(store_segment(archive, number / 2 - 1, time, &mut cursors).await?),
        _ => Leaf::Control(
            Event::RawRead.at(time).with("who", "bench").with("what", "nothing").with("bytes", 0),
        ),
    };
    let addition = Addition { stamp, source: source(), leaves: vec![leaf], cursors };
    match trail::append(archive, &key()?, TRAIL, head, addition).await? {
        Append::Done(head) => Ok(head),
        Append::Overtaken(_) => Err("somebody else appends".into()),
    }
}

fn source() -> Source {
    Source {
        kind: "log-files".to_owned(),
        account: "111122223333".to_owned(),
        region: "eu-central-1".to_owned(),
        resource_id: "db-BENCH".to_owned(),
        instance: "bench".to_owned(),
        engine: "mariadb".to_owned(),
        cluster: None,
    }
}

/// The archive's segment of that number, and the cursor after it.
async fn store_segment(
    archive: &Archive,
    number: u64,
    received: Timestamp,
    cursors: &mut BTreeMap<String, Cursor>,
) -> Outcome<SegmentLeaf> {
    let generation = format!("{:016x}", number / SEGMENTS_PER_LOG);
    let log = "audit/server_audit.log";
    let known =
        cursors.pop_first().map(|(_, cursor)| cursor).filter(|cursor| cursor.generation == generation);
    let from = known.as_ref().map_or(0, |cursor| cursor.offset);
    let raw =
        format!("20261121 08:00:00,host,app,10.0.0.1,8,{number},QUERY,shop,'SELECT {number}',0\n").repeat(20);
    let mut writer = SegmentWriter::new(from);
    writer.push(raw.as_bytes()).await?;
    let prefix = GenerationPrefix {
        account: "111122223333",
        region: "eu-central-1",
        resource_id: "db-BENCH",
        day: "2026/11/21",
        log,
        generation: &generation,
    };
    let stored = segment::store(archive, &prefix, writer.finish().await?).await?;
    let leaf = SegmentLeaf {
        log: log.to_owned(),
        family: log.to_owned(),
        generation,
        from: stored.from,
        to: stored.to,
        complete_to: stored.to,
        raw_sha256: stored.raw_sha256,
        object: stored.name,
        object_sha256: stored.object_sha256,
        object_size: stored.object_size,
        frames: stored.frames,
        format: "server-audit".to_owned(),
        received,
    };
    let mut cuts = known.as_ref().map(|cursor| cursor.cuts.clone()).unwrap_or_default();
    cuts.push(leaf.to);
    let cursor = Cursor {
        log: log.to_owned(),
        family: log.to_owned(),
        generation: leaf.generation.clone(),
        format: leaf.format.clone(),
        day: "2026/11/21".to_owned(),
        offset: leaf.to,
        complete_to: leaf.to,
        cuts,
        chain: chain(&known.map_or(CHAIN_START, |cursor| cursor.chain), &leaf.raw_sha256),
        unfinished: Vec::new(),
        listed: Listed { size: leaf.to, last_written_ms: 0 },
        settled: false,
        evidence_only: false,
    };
    cursors.insert(cursor.key(), cursor);
    Ok(leaf)
}

async fn open(path: &Path) -> Outcome<Took> {
    let watch = Stopwatch::start();
    let archive = Archive::open(durable(path)?).await?;
    let took = watch.took();
    let watch = Stopwatch::start();
    let head = trail::head(&archive, TRAIL).await?.ok_or("no head")?;
    println!("{:<16} {:>10.1?}, commit {}", "find the head", watch.took().wall, head.body.number);
    Ok(took)
}

/// The best of some; the first has to flush what building the archive left to the system.
async fn append_one(path: &Path) -> Outcome<Took> {
    let archive = Archive::open(durable(path)?).await?;
    let mut head = trail::head(&archive, TRAIL).await?.ok_or("no head")?;
    let mut best = Took::NEVER;
    for _ in 0..8 {
        let watch = Stopwatch::start();
        head = append(&archive, Some(&head), head.body.number + 1).await?;
        best = best.or_less(watch.took());
    }
    Ok(best)
}

async fn verify(path: &Path, depth: Depth, seal: Option<&Path>) -> Outcome<Took> {
    let since = match seal {
        Some(seal) => Some(Checkpoint::parse("the seal", &std::fs::read(seal)?)?),
        None => None,
    };
    let roots = vec![key()?.public().clone()];
    let verification = Verification { roots, depth, since, ..Verification::default() };
    let watch = Stopwatch::start();
    let report = verification.run(durable(path)?, &|_| {}).await?;
    let took = watch.took();
    println!("{:<16} {} commits, {} segments", "", report.commits, report.segments);
    if report.holds(true) { Ok(took) } else { Err(format!("{:?}", report.findings).into()) }
}
