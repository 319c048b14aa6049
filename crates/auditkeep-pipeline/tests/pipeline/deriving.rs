//! Deriving in many steps, again and after failures: every record becomes an event exactly once.

use auditkeep_archive::archive::ArchiveError;
use auditkeep_archive::leaf::Leaf;
use auditkeep_core::engine::Engine;
use auditkeep_pipeline::derive::{DeriveError, derive};
use fastrand::Rng;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::faults::Fault;
use crate::logs::{LIVE, ScriptedLogs};
use crate::records::Grammar;
use crate::table::RecordingTable;
use crate::world::{World, assert_rows, instance, now_ms, wait_ms, wait_until_settled};

const CSV: &str = "error/postgresql.log.2026-11-21-03.csv";

/// One random pass after growth that may end inside a record.
async fn grow_and_collect(world: &World, name: &str, rng: &mut Rng) {
    wait_ms(1000);
    world.logs.complete(name, now_ms());
    let records = rng.usize(0..12);
    world.logs.write(name, records, now_ms());
    if records > 0 && rng.bool() {
        world.logs.cut_last_record(name);
    }
    world.collect().await;
}

async fn finish(world: &World, name: &str) {
    world.logs.complete(name, now_ms());
    wait_until_settled();
    world.collect().await;
}

#[tokio::test]
async fn in_many_steps_and_at_once_it_is_the_same() {
    for (engine, name, grammar) in
        [(Engine::Mysql, LIVE, Grammar::ServerAudit), (Engine::AuroraPostgresql, CSV, Grammar::Csv)]
    {
        for seed in 0..10 {
            let (world, mut rng) = (World::new(engine, seed).await, Rng::with_seed(seed));
            world.logs.create(name, grammar, now_ms());
            let table = RecordingTable::default();
            let (mut bytes, mut commits) = (0, 0);
            for _ in 0..25 {
                grow_and_collect(&world, name, &mut rng).await;
                for pass in world.derive(&table).await {
                    bytes += pass.accounting.bytes();
                    commits += pass.commits;
                }
            }
            finish(&world, name).await;
            for pass in world.derive(&table).await {
                bytes += pass.accounting.bytes();
                commits += pass.commits;
            }
            let rebuilt = RecordingTable::default();
            let passes = world.derive(&rebuilt).await;
            let about = format!("{grammar:?}, seed {seed}");
            assert_rows(&table.events(), &rebuilt.events(), &about);
            assert_rows(&table.events(), &world.expected_events(&world.logs.files()), &about);
            assert!(table.problems().is_empty(), "{about}");
            assert_eq!(bytes, world.logs.exposed(name).len() as u64, "{about}: bytes accounted for");
            assert_eq!((bytes, commits), (passes[0].accounting.bytes(), passes[0].commits), "{about}");
            assert_eq!(commits, world.commit_count().await);
        }
    }
}

#[tokio::test]
async fn a_table_that_fails_is_offered_the_same_again() {
    for fault in [Fault::Failed, Fault::FailedButDone] {
        for pass_of_fault in 0..6 {
            let (world, mut rng) = (World::new(Engine::Mariadb, 1).await, Rng::with_seed(pass_of_fault));
            world.logs.create(LIVE, Grammar::ServerAudit, now_ms());
            let table = RecordingTable::default();
            for pass in 0..6 {
                wait_ms(1000);
                world.logs.write(LIVE, 2, now_ms());
                grow_and_collect(&world, LIVE, &mut rng).await;
                if pass == pass_of_fault {
                    table.fail(fault, 1);
                    let passes = derive(&world.archive, &table, &|_| {}).await.unwrap();
                    assert!(matches!(passes[0].error, Some(DeriveError::Table(_))), "{fault:?}: {passes:?}");
                } else {
                    world.derive(&table).await;
                }
            }
            finish(&world, LIVE).await;
            world.derive(&table).await;
            let expected = world.expected_events(&world.logs.files());
            assert_rows(&table.events(), &expected, &format!("{fault:?} in pass {pass_of_fault}"));
        }
    }
}

#[tokio::test]
async fn a_tampered_segment_stops_its_trail_and_no_other() {
    let world = World::new(Engine::Mariadb, 1).await;
    let other =
        World { logs: ScriptedLogs::new(2), instance: instance(Engine::Mariadb, "two"), ..world.clone() };
    let table = RecordingTable::default();
    for world in [&world, &other] {
        world.logs.create(LIVE, Grammar::ServerAudit, now_ms());
        world.logs.write(LIVE, 9, now_ms());
        world.collect().await;
    }
    world.derive(&table).await;
    let before = world.expected_events(&world.logs.files());
    for world in [&world, &other] {
        world.logs.write(LIVE, 9, now_ms());
        world.collect().await;
    }
    let leaves = world.commits().await.remove(1).leaves;
    let object = leaves.iter().find_map(Leaf::segment).unwrap().object.clone();
    let path = Path::from(object);
    let whole = world.store.get(&path).await.unwrap().bytes().await.unwrap();
    let mut tampered = whole.to_vec();
    *tampered.last_mut().unwrap() ^= 1;
    world.store.put(&path, tampered.into()).await.unwrap();

    let of = |trail: String| table.events().into_iter().filter(|row| row.trail == trail).collect::<Vec<_>>();
    for _ in 0..2 {
        let passes = derive(&world.archive, &table, &|_| {}).await.unwrap();
        for pass in passes {
            let damaged = matches!(&pass.error, Some(DeriveError::Archive(ArchiveError::Damaged { object, .. })) if *object == path.to_string());
            assert_eq!(damaged, pass.trail == world.trail(), "{pass:?}");
            assert_eq!(pass.error.is_some(), damaged, "{pass:?}");
        }
        assert_rows(&of(world.trail()), &before, "the tampered trail stands still");
        assert_rows(&of(other.trail()), &other.expected_events(&other.logs.files()), "the other one goes on");
    }
    world.store.put(&path, whole.into()).await.unwrap();
    world.derive(&table).await;
    assert_rows(&of(world.trail()), &world.expected_events(&world.logs.files()), "restored");
}

#[tokio::test]
async fn a_table_that_is_ahead_of_the_archive_is_not_added_to() {
    let world = World::new(Engine::Mariadb, 1).await;
    world.logs.create(LIVE, Grammar::ServerAudit, now_ms());
    world.logs.write(LIVE, 9, now_ms());
    let table = RecordingTable::default();
    world.collect().await;
    world.logs.write(LIVE, 9, now_ms());
    world.collect().await;
    world.derive(&table).await;
    let rows = table.events();
    // Somebody cut off the archive's last commit.
    world.store.delete(&auditkeep_archive::layout::commit(&world.trail(), 2)).await.unwrap();
    let passes = derive(&world.archive, &table, &|_| {}).await.unwrap();
    assert!(matches!(passes[0].error, Some(DeriveError::Ahead { commit: 2, .. })), "{passes:?}");
    assert_rows(&table.events(), &rows, "nothing was added");
}
