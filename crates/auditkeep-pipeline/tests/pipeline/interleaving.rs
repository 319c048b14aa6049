//! A second collector's whole pass in the middle of the first one's, at a place that is chosen.

use std::time::Duration;

use auditkeep_core::engine::Engine;
use auditkeep_pipeline::collect::FileOutcome;
use futures::FutureExt;

use crate::logs::{LIVE, ScriptedLogs};
use crate::records::Grammar;
use crate::table::RecordingTable;
use crate::world::{World, assert_rows, now_ms, outcome, wait_ms};

/// Before the first collector opens `name`, another one, that takes a quiet file for ended after `settled_after`, does a whole
/// pass over its own view.
fn second_collector(world: &World, name: &str, settled_after: Duration, view: ScriptedLogs) {
    let other = World { logs: view.clone(), ..world.clone() };
    world.logs.when_opened(name, move || {
        async move {
            other.collect_as("test 2", settled_after, &other.archive, &view).await.unwrap();
        }
        .boxed()
    });
}

fn older() -> String {
    format!("{LIVE}.1")
}

async fn two_files() -> World {
    let world = World::new(Engine::Mariadb, 1).await;
    for name in [older(), LIVE.to_owned()] {
        wait_ms(1000);
        world.logs.create(&name, Grammar::ServerAudit, now_ms());
        world.logs.write(&name, 20, now_ms());
    }
    world
}

async fn finish_and_check(world: &World) {
    world.logs.drop_hooks();
    world.collect_as("test 1", Duration::ZERO, &world.archive, &world.logs).await.unwrap();
    world.assert_archived(&world.logs.files()).await;
    let table = RecordingTable::default();
    world.derive(&table).await;
    assert_rows(&table.events(), &world.expected_events(&world.logs.files()), "events");
}

#[tokio::test]
async fn the_same_files() {
    for opened in [older(), LIVE.to_owned()] {
        let world = two_files().await;
        second_collector(&world, &opened, Duration::MAX, world.logs.view(2, |_| true));
        let pass = world.collect().await;
        for name in [older(), LIVE.to_owned()] {
            assert!(matches!(outcome(&pass, &name), FileOutcome::Overtaken), "{pass:?}");
        }
        assert_eq!((pass.new_bytes, pass.commits, world.commit_count().await), (0, 0, 1));
        finish_and_check(&world).await;
    }
}

#[tokio::test]
async fn another_file() {
    let world = two_files().await;
    second_collector(&world, LIVE, Duration::MAX, world.logs.view(2, |name| name == LIVE));
    let pass = world.collect().await;
    assert!(matches!(outcome(&pass, &older()), FileOutcome::Archived { bytes } if *bytes > 0), "{pass:?}");
    assert!(matches!(outcome(&pass, LIVE), FileOutcome::Overtaken), "{pass:?}");
    assert_eq!(world.commit_count().await, 2);
    finish_and_check(&world).await;
}

#[tokio::test]
async fn less_and_more_of_the_same_file() {
    for (first, second) in [(7, 15), (15, 7)] {
        let world = two_files().await;
        let records = world.logs.files().remove(1).records;
        let end = |record: usize| usize::try_from(records[record].0).unwrap() + 9;
        let view = world.logs.view(2, |_| true);
        view.edit(LIVE, |file| file.shown = end(second));
        world.logs.edit(LIVE, |file| file.shown = end(first));
        second_collector(&world, LIVE, Duration::MAX, view);
        world.collect().await;
        world.logs.complete(LIVE, now_ms());
        finish_and_check(&world).await;
    }
}

/// The other collector took an unfinished record for ended. Taking that back would derive its bytes twice.
#[tokio::test]
async fn what_is_complete_stays_complete() {
    let world = two_files().await;
    world.logs.cut_last_record(LIVE);
    world.collect().await;
    wait_ms(5000);
    // The listing changes and the bytes do not, so that the first collector has something to say of the file.
    world.logs.edit(LIVE, |file| file.last_written_ms += 2000);
    second_collector(&world, LIVE, Duration::ZERO, world.logs.view(2, |_| true));
    world.collect().await;

    let table = RecordingTable::default();
    let mut complete_to = 0;
    for body in world.commits().await {
        let cursor = body.cursors.values().find(|cursor| cursor.log == LIVE).unwrap();
        assert!(cursor.complete_to >= complete_to, "commit {}", body.number);
        complete_to = cursor.complete_to;
    }
    world.collect_as("test 1", Duration::ZERO, &world.archive, &world.logs).await.unwrap();
    let passes = world.derive(&table).await;
    let bytes: u64 = passes.iter().map(|pass| pass.accounting.bytes()).sum();
    assert_eq!(bytes, world.archived().await.values().map(|bytes| bytes.len() as u64).sum::<u64>());
}
