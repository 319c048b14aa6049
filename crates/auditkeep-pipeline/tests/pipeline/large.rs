//! A file that takes more than one commit.

use auditkeep_core::engine::Engine;

use crate::logs::LIVE;
use crate::records::Grammar;
use crate::table::RecordingTable;
use crate::world::{World, assert_rows, now_ms, wait_until_settled};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn records_that_go_on_in_the_next_segment_and_the_next_commit() {
    let world = World::new(Engine::Mariadb, 1).await;
    world.logs.largest_chunk(MIB);
    world.logs.create(LIVE, Grammar::ServerAudit, now_ms());
    world.logs.write_bytes(LIVE, 70 * MIB, 1999, now_ms());
    wait_until_settled();
    let pass = world.collect().await;
    assert_eq!(pass.commits, 2);
    assert_eq!(pass.new_bytes, world.logs.exposed(LIVE).len() as u64);
    let commits = world.commits().await;
    let first = commits[0].cursors.values().next().unwrap();
    assert!(first.complete_to < first.offset && !first.unfinished.is_empty(), "a record spans the commits");
    assert!(!first.settled);
    world.assert_archived(&world.logs.files()).await;

    let table = RecordingTable::default();
    let passes = world.derive(&table).await;
    let expected = world.expected_events(&world.logs.files());
    assert_rows(&table.events(), &expected, "as many events as lines");
    assert!(table.problems().is_empty());
    assert_eq!(passes[0].accounting.bytes(), world.logs.exposed(LIVE).len() as u64);
}

/// A record that is longer than two segments, and is written over several passes.
#[tokio::test]
async fn a_record_over_many_segments_and_passes() {
    let world = World::new(Engine::Mariadb, 1).await;
    world.logs.largest_chunk(MIB);
    world.logs.create(LIVE, Grammar::ServerAudit, now_ms());
    world.logs.write(LIVE, 3, now_ms());
    world.logs.write_bytes(LIVE, 17 * MIB, 17 * MIB, now_ms());
    world.logs.write(LIVE, 3, now_ms());
    let whole = world.logs.exposed(LIVE).len();
    let table = RecordingTable::default();
    for shown in [MIB, 2 * MIB, 12 * MIB, whole] {
        world.logs.edit(LIVE, |file| file.shown = shown);
        world.collect().await;
        world.derive(&table).await;
    }
    world.assert_archived(&world.logs.files()).await;
    assert_rows(&table.events(), &world.expected_events(&world.logs.files()), "one event each");
}
