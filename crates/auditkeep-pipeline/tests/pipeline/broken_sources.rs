//! Sources that changed what was archived, break off, end early or are not audit logs: one file fails, and says why.

use auditkeep_archive::journal;
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::segment::MAX_RAW_BYTES;
use auditkeep_archive::trail::Stamp;
use auditkeep_core::engine::Engine;
use auditkeep_pipeline::collect::{CollectError, FileError, FileOutcome};
use auditkeep_pipeline::source::SourceErrorKind;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::logs::{File, LIVE};
use crate::records::Grammar;
use crate::table::RecordingTable;
use crate::world::{
    World, assert_rows, failure, generation, key, now, now_ms, outcome, wait_ms, wait_until_settled,
};

const BAD: &str = "audit/audit.log.1.2026-11-21-03-58.0";
const GOOD: [&str; 2] = ["audit/audit.log.0.2026-11-21-03-58.0", "audit/audit.log.2.2026-11-21-03-58.0"];
const MIB: usize = 1 << 20;

async fn three_files() -> World {
    let world = World::new(Engine::AuroraMysql, 1).await;
    for name in [BAD, GOOD[0], GOOD[1]] {
        world.logs.create(name, Grammar::ServerAudit, now_ms());
        world.logs.write(name, 20, now_ms());
        world.logs.cut_last_record(name);
    }
    world
}

fn grow_all(world: &World) {
    wait_ms(1000);
    for name in [BAD, GOOD[0], GOOD[1]] {
        world.logs.complete(name, now_ms());
        world.logs.write(name, 5, now_ms());
    }
}

/// Breaks the file in one way, and checks that only this file suffers, and only until it is repaired.
async fn breaks(collected_before: bool, damage: impl Fn(&mut File), expected: impl Fn(&FileError) -> bool) {
    let world = three_files().await;
    if collected_before {
        world.collect().await;
    }
    let before = world.archived().await;
    let commits = world.commit_count().await;
    grow_all(&world);
    let whole = world.logs.files().into_iter().find(|file| file.name == BAD).unwrap();
    world.logs.edit(BAD, &damage);

    let pass = world.collect().await;
    assert!(expected(failure(&pass, BAD)), "{:?}", failure(&pass, BAD));
    for name in GOOD {
        assert!(matches!(outcome(&pass, name), FileOutcome::Archived { bytes } if *bytes > 0), "{pass:?}");
    }
    assert_eq!(world.commit_count().await, commits + 1);
    let key = format!("{BAD}#{}", generation(&whole));
    let after = world.archived().await;
    assert_eq!(after.get(&key), before.get(&key), "of the broken file nothing was added");
    assert_eq!(after.len(), 2 + usize::from(collected_before));
    let again = world.collect().await;
    assert!(expected(failure(&again, BAD)));
    assert_eq!(again.commits, 0, "a file that goes on failing is no news");

    world.logs.edit(BAD, |file| *file = whole);
    grow_all(&world);
    assert_eq!(world.collect().await.failures().count(), 0);
    world.assert_archived(&world.logs.files()).await;
}

#[tokio::test]
async fn a_file_that_became_shorter() {
    let shrink = |file: &mut File| file.shown = usize::try_from(file.records[10].0).unwrap();
    breaks(true, shrink, |error| matches!(error, FileError::Shrunk { log, .. } if log == BAD)).await;
}

#[tokio::test]
async fn a_transfer_that_breaks_off() {
    for collected_before in [false, true] {
        for position in [0, 1, 100, 1500] {
            let cut = |file: &mut File| file.breaks_after = Some(position);
            let expected = |error: &FileError| matches!(error, FileError::Source(error) if error.kind == SourceErrorKind::Unreachable);
            breaks(collected_before, cut, expected).await;
        }
        let cut_at_the_end = |file: &mut File| file.breaks_after = Some(file.shown);
        breaks(collected_before, cut_at_the_end, |error| matches!(error, FileError::Source(_))).await;
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_opened() {
    for kind in [SourceErrorKind::NotFound, SourceErrorKind::Denied, SourceErrorKind::Throttled] {
        let close = |file: &mut File| file.unreadable = Some(kind);
        breaks(true, close, |error| matches!(error, FileError::Source(error) if error.kind == kind)).await;
    }
}

#[tokio::test]
async fn a_file_that_is_not_an_audit_log() {
    for text in [&b"<html>\n<h1>503</h1>\n</html>\n"[..], b"\x1f\x8b\x08\0\0\0"] {
        for collected_before in [false, true] {
            let replace = |file: &mut File| {
                file.bytes = text.to_vec();
                file.shown = text.len();
            };
            breaks(collected_before, replace, |error| matches!(error, FileError::NotAnAuditLog(_))).await;
        }
    }
}

#[tokio::test]
async fn a_listing_that_fails_ends_the_pass() {
    let world = three_files().await;
    world.logs.list_fails(true);
    let error = world.collect_from(&world.archive, &world.logs).await.unwrap_err();
    assert!(matches!(error, CollectError::Source(error) if error.kind == SourceErrorKind::Throttled));
    assert_eq!(world.commit_count().await, 0);
}

/// The listing does not change any more when what broke off is to be read again.
#[tokio::test]
async fn what_broke_off_is_read_again_although_the_listing_is_the_same() {
    let segment = usize::try_from(MAX_RAW_BYTES).unwrap();
    for settled_before in [false, true] {
        let world = World::new(Engine::Mariadb, 1).await;
        world.logs.largest_chunk(MIB);
        world.logs.create(LIVE, Grammar::ServerAudit, now_ms());
        world.logs.write(LIVE, 10, now_ms());
        if settled_before {
            wait_until_settled();
            world.collect().await;
        }
        world.logs.write_bytes(LIVE, segment + MIB, 50_000, now_ms());
        wait_until_settled();
        world.logs.edit(LIVE, |file| file.breaks_after = Some(segment + MIB / 2));
        let pass = world.collect().await;
        assert!(matches!(failure(&pass, LIVE), FileError::Source(_)));
        assert_eq!(pass.new_bytes, MAX_RAW_BYTES, "a full segment is kept");

        world.logs.edit(LIVE, |file| file.breaks_after = None);
        world.collect().await;
        world.assert_archived(&world.logs.files()).await;
    }
}

#[tokio::test]
async fn a_transfer_that_ends_early_without_saying_so() {
    let world = World::new(Engine::Mariadb, 1).await;
    world.logs.create(LIVE, Grammar::ServerAudit, now_ms());
    world.logs.write(LIVE, 10, now_ms());
    let table = RecordingTable::default();
    wait_until_settled();
    for ends_after in [10, 1000, 700, 1001] {
        world.logs.edit(LIVE, |file| file.ends_after = Some(ends_after));
        world.collect().await;
        world.derive(&table).await;
    }
    world.logs.edit(LIVE, |file| file.ends_after = None);
    world.collect().await;
    world.derive(&table).await;
    world.assert_archived(&world.logs.files()).await;
    assert_rows(&table.events(), &world.expected_events(&world.logs.files()), "no record was torn");
}

#[tokio::test]
async fn a_name_that_is_taken_by_other_bytes() {
    let world = three_files().await;
    let tried = World { logs: world.logs.clone(), ..World::new(Engine::AuroraMysql, 1).await };
    tried.collect().await;
    let leaves = tried.commits().await.remove(0).leaves;
    let object = leaves.iter().find_map(|leaf| match leaf {
        Leaf::Segment(leaf) if leaf.log == BAD => Some(leaf.object.clone()),
        _ => None,
    });
    let path = Path::from(object.unwrap());
    let stamp = Stamp { time: now(), writer: "test".to_owned() };
    journal::begin(&world.archive, &key(), &stamp).await.unwrap();
    world.store.put(&path, "something else".into()).await.unwrap();

    let pass = world.collect().await;
    assert!(matches!(failure(&pass, BAD), FileError::Incident(_)));
    assert_eq!(world.archived().await.len(), 2);
    assert_eq!(world.store.get(&path).await.unwrap().bytes().await.unwrap(), "something else");
    // What comes after is another segment, under another name.
    grow_all(&world);
    assert_eq!(world.collect().await.failures().count(), 0);
    world.assert_archived(&world.logs.files()).await;
}
