//! Small archives to test with.

use std::collections::BTreeMap;
use std::sync::Arc;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::commit::{CHAIN_START, Cursor, Listed, Source, chain};
use auditkeep_archive::control::Event;
use auditkeep_archive::layout::GenerationPrefix;
use auditkeep_archive::leaf::{Leaf, SegmentLeaf};
use auditkeep_archive::segment::{self, SegmentWriter};
use auditkeep_archive::trail::{self, Addition, Append, Head, Stamp};
use auditkeep_archive::verify::{Verdict, verify};
use auditkeep_core::integrity::key::SigningKey;
use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::ObjectStore;

pub const TRAIL: &str = "local.local.db.log-files";

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&format!("key-{seed}"), &[seed; 32]).unwrap()
}

pub async fn archive(store: Arc<dyn ObjectStore>) -> Archive {
    Archive::create(store, "0".repeat(32), key(1).public().clone(), Timestamp::UNIX_EPOCH).await.unwrap()
}

fn source() -> Source {
    Source {
        kind: "log-files".to_owned(),
        account: "local".to_owned(),
        region: "local".to_owned(),
        resource_id: "db".to_owned(),
        instance: "db".to_owned(),
        engine: "mariadb".to_owned(),
        cluster: None,
    }
}

/// What appending `raw` to the one log of the trail adds to it; the segment is stored.
pub async fn addition(archive: &Archive, head: Option<&Head>, raw: &[u8]) -> Addition {
    let before = head.and_then(|head| head.body.cursors.values().next().cloned());
    let from = before.as_ref().map_or(0, |cursor| cursor.offset);
    let mut writer = SegmentWriter::new(from).unwrap();
    assert_eq!(writer.push(raw).unwrap(), raw.len());
    let prefix = GenerationPrefix {
        account: "local",
        region: "local",
        resource_id: "db",
        day: "2026/11/21",
        log: "a.log",
        generation: "00",
    };
    let stored = segment::store(archive, &prefix, writer.finish().unwrap()).await.unwrap();
    let leaf = SegmentLeaf {
        log: "a.log".to_owned(),
        family: "a.log".to_owned(),
        generation: "00".to_owned(),
        from: stored.from,
        to: stored.to,
        complete_to: stored.to,
        raw_sha256: stored.raw_sha256,
        object: stored.name,
        object_sha256: stored.object_sha256,
        object_size: stored.object_size,
        frames: stored.frames,
        format: "server-audit".to_owned(),
        received: Timestamp::UNIX_EPOCH,
    };
    let mut cuts = before.as_ref().map(|cursor| cursor.cuts.clone()).unwrap_or_default();
    cuts.push(leaf.to);
    let cursor = Cursor {
        log: "a.log".to_owned(),
        family: "a.log".to_owned(),
        generation: "00".to_owned(),
        format: "server-audit".to_owned(),
        day: "2026/11/21".to_owned(),
        offset: leaf.to,
        complete_to: leaf.to,
        cuts,
        chain: chain(&before.map_or(CHAIN_START, |cursor| cursor.chain), &leaf.raw_sha256),
        unfinished: Vec::new(),
        listed: Listed { size: leaf.to, last_written_ms: 0 },
        settled: false,
        evidence_only: false,
    };
    let started = Leaf::Control(Event::SourceStarted.at(Timestamp::UNIX_EPOCH));
    let mut leaves: Vec<Leaf> = head.is_none().then_some(started).into_iter().collect();
    leaves.push(Leaf::Segment(leaf));
    Addition {
        time: Timestamp::UNIX_EPOCH,
        writer: "test".to_owned(),
        source: source(),
        leaves,
        cursors: BTreeMap::from([(cursor.key(), cursor)]),
    }
}

/// Appends one commit and expects to be alone.
pub async fn append(archive: &Archive, head: Option<&Head>, raw: &[u8]) -> Head {
    let addition = addition(archive, head, raw).await;
    match trail::append(archive, &key(1), TRAIL, head, addition).await.unwrap() {
        Append::Done(head) => head,
        Append::Overtaken(head) => panic!("overtaken by {}", head.body.number),
    }
}

/// An archive with one trail of so many commits, each with a segment of its own.
pub async fn with_commits(store: Arc<dyn ObjectStore>, commits: u64) -> Archive {
    let archive = archive(store).await;
    let mut head = None;
    for number in 1..=commits {
        head = Some(append(&archive, head.as_ref(), format!("record {number}\n").repeat(9).as_bytes()).await);
    }
    archive
}

/// So many days after 1970-01-01.
pub fn day(number: i64) -> Timestamp {
    Timestamp::from_second(number * 24 * 60 * 60).unwrap()
}

pub fn stamp(number: i64) -> Stamp {
    Stamp { time: day(number), writer: "test".to_owned() }
}

/// Appends a commit of that day to the trail; the last record of its bytes may go on in the next one.
pub async fn append_on(archive: &Archive, number: i64, raw: &[u8], goes_on: bool) -> Head {
    let head = trail::head(archive, TRAIL).await.unwrap();
    let mut addition = addition(archive, head.as_ref(), raw).await;
    addition.time = day(number);
    let Some(Leaf::Segment(leaf)) = addition.leaves.last_mut() else { panic!("no segment") };
    let cursor = addition.cursors.values_mut().next().unwrap();
    if goes_on {
        leaf.complete_to = leaf.to - 1;
        cursor.complete_to = leaf.to - 1;
        cursor.unfinished = vec![leaf.clone()];
    }
    match trail::append(archive, &key(1), TRAIL, head.as_ref(), addition).await.unwrap() {
        Append::Done(head) => head,
        Append::Overtaken(head) => panic!("overtaken by {}", head.body.number),
    }
}

/// All records of these trails, as `event` or `seal`, with their commits.
pub async fn records_of(archive: &Archive, trails: &[&str]) -> Vec<(u64, String)> {
    let trails: Vec<String> = trails.iter().map(|trail| (*trail).to_owned()).collect();
    let records = auditkeep_archive::records::merged(archive, &trails).await.unwrap();
    let records: Vec<_> = records.try_collect().await.unwrap();
    let name = |leaf: &Leaf| leaf.control().map_or("seal".to_owned(), |leaf| leaf.event.clone());
    records.into_iter().map(|record| (record.commit, name(&record.leaf))).collect()
}

/// What verification under the keys of these seeds finds.
pub async fn findings(archive: &Archive, seeds: &[u8]) -> Vec<(Verdict, String)> {
    let keys: Vec<_> = seeds.iter().map(|seed| key(*seed).public().clone()).collect();
    let report = verify(archive, &keys, &|_| {}).await.unwrap();
    report.findings.into_iter().map(|finding| (finding.verdict, finding.object)).collect()
}
