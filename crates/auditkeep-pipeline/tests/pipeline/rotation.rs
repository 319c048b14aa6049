//! Rotation by renaming, between passes and in the middle of one.

use auditkeep_core::engine::Engine;
use auditkeep_pipeline::collect::FileOutcome;
use futures::FutureExt;

use crate::logs::LIVE;
use crate::records::Grammar;
use crate::table::RecordingTable;
use crate::world::{World, assert_rows, now_ms, outcome, wait_ms, wait_until_settled};

async fn with_live_file(seed: u64) -> World {
    let world = World::new(Engine::Mariadb, seed).await;
    world.logs.create(LIVE, Grammar::ServerAudit, now_ms());
    world
}

fn write_and_rotate(world: &World, records: usize) {
    wait_ms(1000);
    world.logs.write(LIVE, records, now_ms());
    wait_ms(1000);
    world.logs.rotate(now_ms());
}

/// Passes until nothing is left to do, and everything is in the archive and in a table.
async fn settle_and_check(world: &World) {
    wait_until_settled();
    for _ in 0..2 {
        world.collect().await;
    }
    assert_eq!(world.collect().await.commits, 0);
    world.assert_archived(&world.logs.files()).await;
    let table = RecordingTable::default();
    world.derive(&table).await;
    assert_rows(&table.events(), &world.expected_events(&world.logs.files()), "events");
    assert!(table.problems().is_empty());
}

#[tokio::test]
async fn three_rotations_between_two_passes() {
    for seed in 0..10 {
        let world = with_live_file(seed).await;
        world.logs.write(LIVE, 20, now_ms());
        world.logs.cut_last_record(LIVE);
        world.collect().await;
        for records in [7, 0, 12] {
            write_and_rotate(&world, records);
        }
        world.logs.write(LIVE, 3, now_ms());
        let pass = world.collect().await;
        assert_eq!(pass.failures().count(), 0);
        world.assert_archived(&world.logs.files()).await;
        settle_and_check(&world).await;
    }
}

#[tokio::test]
async fn a_settled_file_that_was_only_renamed_is_not_read_again() {
    let world = with_live_file(1).await;
    world.logs.write(LIVE, 20, now_ms());
    wait_until_settled();
    world.collect().await;
    let commits = world.commit_count().await;
    world.logs.opened();

    world.logs.rotate(now_ms());
    let renamed = format!("{LIVE}.1");
    assert!(matches!(outcome(&world.collect().await, &renamed), FileOutcome::Unchanged));
    assert_eq!(world.logs.opened(), [LIVE], "only the new live file");
    assert_eq!(world.commit_count().await, commits);
    settle_and_check(&world).await;
}

#[tokio::test]
async fn a_file_that_was_renamed_while_it_grew_goes_on_where_it_was() {
    let world = with_live_file(1).await;
    world.logs.write(LIVE, 20, now_ms());
    world.logs.cut_last_record(LIVE);
    world.collect().await;
    let archived = world.logs.exposed(LIVE).len();
    write_and_rotate(&world, 5);
    let renamed = format!("{LIVE}.1");
    let pass = world.collect().await;
    let more = (world.logs.exposed(&renamed).len() - archived) as u64;
    assert!(
        matches!(outcome(&pass, &renamed), FileOutcome::Archived { bytes } if *bytes == more),
        "{pass:?}"
    );
    assert_eq!(pass.new_bytes, more);
    settle_and_check(&world).await;
}

/// The pass listed one file and was given another one under its name, which is read as one that has ended.
#[tokio::test]
async fn rotation_between_the_listing_and_the_download() {
    for (older, younger) in [(20, 20), (20, 9), (9, 20)] {
        let world = with_live_file(1).await;
        world.logs.write_bytes(LIVE, older * 1000, 900, now_ms());
        wait_ms(1000);
        world.logs.rotate(now_ms());
        wait_ms(5000);
        world.logs.write_bytes(LIVE, younger * 1000, 900, now_ms());
        wait_until_settled();
        let logs = world.logs.clone();
        let rotate = move || {
            logs.rotate(now_ms());
            futures::future::ready(()).boxed()
        };
        world.logs.when_opened(&format!("{LIVE}.1"), rotate);
        world.collect().await;
        settle_and_check(&world).await;
    }
}

/// The listing has the live file first, so that one file is read twice in a pass, under two names.
#[tokio::test]
async fn one_file_under_two_names_in_one_pass() {
    for listed_early in [false, true] {
        let world = with_live_file(1).await;
        world.logs.write(LIVE, 20, now_ms());
        world.logs.rotate(now_ms());
        world.logs.write(LIVE, 10, now_ms());
        let live = world.logs.exposed(LIVE).len() as u64;
        if listed_early {
            world.logs.edit(LIVE, |file| file.listed = Some((live, now_ms() - 5000)));
        }
        let logs = world.logs.clone();
        world.logs.when_opened(&format!("{LIVE}.1"), move || {
            logs.write(LIVE, 5, now_ms());
            logs.rotate(now_ms());
            futures::future::ready(()).boxed()
        });
        world.collect().await;
        world.assert_verified().await;
        let table = RecordingTable::default();
        world.derive(&table).await;
        settle_and_check(&world).await;
    }
}

#[tokio::test]
async fn a_file_that_is_listed_and_gone_is_read_under_its_new_name() {
    let world = with_live_file(1).await;
    world.logs.write(LIVE, 20, now_ms());
    let logs = world.logs.clone();
    world.logs.when_opened(LIVE, move || {
        // Renamed, and the new file is not there yet.
        logs.edit(LIVE, |file| file.name = format!("{LIVE}.1"));
        futures::future::ready(()).boxed()
    });
    let pass = world.collect().await;
    assert_eq!(pass.failures().count(), 1);
    assert_eq!(world.commit_count().await, 0);
    settle_and_check(&world).await;
}

/// Two files of one size, written to in the same second; a spuriously short listing had shown only one of them.
#[tokio::test]
async fn two_files_that_look_the_same_in_the_listing() {
    let world = World::new(Engine::Mariadb, 1).await;
    let twins = [format!("{LIVE}.2"), format!("{LIVE}.1")];
    for name in &twins {
        world.logs.create(name, Grammar::ServerAudit, now_ms());
        world.logs.write_bytes(name, 5000, 200, now_ms());
    }
    wait_until_settled();
    let short = world.logs.view(2, |name| name == twins[0]);
    world.collect_from(&world.archive, &short).await.unwrap();
    world.collect().await;
    settle_and_check(&world).await;
    world.logs.opened();
    world.collect().await;
    assert!(world.logs.opened().is_empty(), "both are known now");
}
