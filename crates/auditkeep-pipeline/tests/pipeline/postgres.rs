//! PostgreSQL, which may write the same records to two files: one that can be forged and one that cannot.

use auditkeep_core::engine::Engine;
use auditkeep_pipeline::collect::FileOutcome;

use crate::records::Grammar;
use crate::table::RecordingTable;
use crate::world::{World, assert_rows, now_ms, outcome, wait_ms, wait_until_settled};

const STDERR: &str = "error/postgresql.log.2026-11-21-03";
const CSV: &str = "error/postgresql.log.2026-11-21-03.csv";
const ALONE: &str = "error/postgresql.log.2026-11-21-04";

#[tokio::test]
async fn both_twins_are_archived_and_one_becomes_events() {
    let world = World::new(Engine::Postgres, 1).await;
    let table = RecordingTable::default();
    for (name, grammar) in [(STDERR, Grammar::Stderr), (CSV, Grammar::Csv), (ALONE, Grammar::Stderr)] {
        world.logs.create(name, grammar, now_ms());
    }
    for _ in 0..10 {
        wait_ms(1000);
        for name in [STDERR, CSV, ALONE] {
            world.logs.write(name, 5, now_ms());
        }
        world.collect().await;
        world.derive(&table).await;
    }
    wait_until_settled();
    world.collect().await;
    world.derive(&table).await;

    let files = world.logs.files();
    world.assert_archived(&files).await;
    let (evidence_only, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.name == STDERR);
    assert_eq!(evidence_only.len(), 1);
    assert_rows(&table.events(), &world.expected_events(&others), "csv, and stderr without a twin");
    assert!(table.problems().is_empty());
    for body in world.commits().await {
        for cursor in body.cursors.values() {
            assert_eq!(cursor.evidence_only, cursor.log == STDERR, "{}", cursor.log);
        }
    }
}

#[tokio::test]
async fn a_twin_that_was_deleted_first_does_not_double_its_records() {
    let world = World::new(Engine::Postgres, 1).await;
    let table = RecordingTable::default();
    for (name, grammar) in [(STDERR, Grammar::Stderr), (CSV, Grammar::Csv)] {
        world.logs.create(name, grammar, now_ms());
        world.logs.write(name, 5, now_ms());
    }
    world.collect().await;
    let csv: Vec<_> = world.logs.files().into_iter().filter(|file| file.name == CSV).collect();
    wait_until_settled();
    // The last stderr record is known to be complete only now, when its twin is not listed any more.
    let without_csv = world.logs.view(2, |name| name != CSV);
    world.collect_from(&world.archive, &without_csv).await.unwrap();
    world.collect().await;
    world.derive(&table).await;
    assert_rows(&table.events(), &world.expected_events(&csv), "events of the csvlog only");
}

#[tokio::test]
async fn other_files_are_no_audit_logs() {
    let world = World::new(Engine::Postgres, 1).await;
    for name in ["error/postgres.log", "upgrade/pg_upgrade_internal.log", STDERR] {
        world.logs.create(name, Grammar::Stderr, now_ms());
        world.logs.write(name, 5, now_ms());
    }
    let pass = world.collect().await;
    assert_eq!(pass.files.len(), 1);
    assert!(matches!(outcome(&pass, STDERR), FileOutcome::Archived { .. }));
    assert_eq!(world.logs.opened(), [STDERR]);
}
