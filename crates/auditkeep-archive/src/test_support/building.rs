//! Small archives to test with.

use std::collections::BTreeMap;
use std::sync::Arc;

use auditkeep_core::integrity::key::SigningKey;
use jiff::Timestamp;
use object_store::ObjectStore;

use crate::archive::{Archive, ArchiveError};
use crate::commit::{CHAIN_START, Cursor, Listed, Source, chain};
use crate::control::Event;
use crate::journal;
use crate::layout::GenerationPrefix;
use crate::leaf::{Leaf, SegmentLeaf};
use crate::segment::{self, Segment, SegmentWriter};
use crate::trail::{self, Addition, Append, Head, Stamp, TrailError};

pub const TRAIL: &str = "local.local.db.log-files";

/// The one log of the trail.
pub const PREFIX: GenerationPrefix<'static> = GenerationPrefix {
    account: "local",
    region: "local",
    resource_id: "db",
    day: "2026/11/21",
    log: "a.log",
    generation: "00",
};

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&format!("key-{seed}"), &[seed; 32]).unwrap()
}

pub fn stamp() -> Stamp {
    Stamp { time: Timestamp::UNIX_EPOCH, writer: "test".to_owned() }
}

/// An archive whose journal has begun.
pub async fn create(store: Arc<dyn ObjectStore>) -> Result<Archive, ArchiveError> {
    let archive =
        Archive::create(store, "0".repeat(32), key(1).public().clone(), Timestamp::UNIX_EPOCH).await?;
    match journal::begin(&archive, &key(1), &stamp()).await {
        Err(TrailError::Archive(error)) => Err(error),
        begun => {
            begun.unwrap();
            Ok(archive)
        }
    }
}

pub async fn archive(store: Arc<dyn ObjectStore>) -> Archive {
    create(store).await.unwrap()
}

/// One segment with all of `raw`, which must not be longer than a segment.
pub async fn segment_of(from: u64, raw: &[u8]) -> Segment {
    let mut writer = SegmentWriter::new(from);
    assert_eq!(writer.push(raw).await.unwrap(), raw.len());
    writer.finish().await.unwrap()
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
    let stored = segment::store(archive, &PREFIX, segment_of(from, raw).await).await.unwrap();
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
    Addition { stamp: stamp(), source: source(), leaves, cursors: BTreeMap::from([(cursor.key(), cursor)]) }
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
