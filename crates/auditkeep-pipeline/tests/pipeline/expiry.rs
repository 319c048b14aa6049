//! Collecting and deriving on a trail whose first segments were given up.

use auditkeep_archive::expire;
use auditkeep_archive::retention::{self, Reason, Retention};
use auditkeep_archive::trail::Stamp;
use auditkeep_core::engine::Engine;
use jiff::SignedDuration;

use crate::logs::LIVE;
use crate::records::Grammar;
use crate::table::{RecordingTable, Row};
use crate::world::{World, assert_rows, key, now_ms, wait_ms, wait_until_settled};

/// A log of eight commits, every second of which ends inside a record, and the rows after each.
async fn grown() -> (World, Vec<Vec<Row>>) {
    let world = World::new(Engine::Mysql, 7).await;
    world.logs.create(LIVE, Grammar::ServerAudit, now_ms());
    let (table, mut rows) = (RecordingTable::default(), Vec::new());
    for pass in 1..=8 {
        wait_ms(1000);
        world.logs.complete(LIVE, now_ms());
        world.logs.write(LIVE, 4, now_ms());
        if pass % 2 == 0 {
            world.logs.cut_last_record(LIVE);
        }
        world.collect().await;
        world.derive(&table).await;
        assert_eq!(world.commit_count().await, pass);
        rows.push(table.events());
    }
    (world, rows)
}

/// Gives up the segments of the commits up to this one.
async fn give_up(world: &World, through: u64) {
    let commits = world.commits().await;
    let committed = commits.iter().find(|body| body.number == through).unwrap().time;
    let time = committed.checked_add(SignedDuration::from_hours(24)).unwrap();
    let (trail, stamp) = (world.trail(), Stamp { time, writer: "test".to_owned() });
    let day = Retention { keep_days: Some(1), keep_until: None };
    let why = Reason { who: "test", reason: "test" };
    retention::set(&world.archive, &key(), &trail, &stamp, day, why, true).await.unwrap();
    let plan = expire::plan(&world.archive, &trail, time).await.unwrap();
    assert_eq!(plan.through, through);
    let done = expire::carry_out(&world.archive, &key(), &stamp, &plan, "test").await.unwrap();
    assert!(done.deleted.segments > 0, "{done:?}");
    assert_eq!(done.deleted.segments, plan.segments);
}

fn without(rows: &[Row], known: &[Row]) -> Vec<Row> {
    rows.iter().filter(|row| !known.contains(row)).cloned().collect()
}

#[tokio::test]
async fn an_empty_table_gets_whole_records_from_what_is_kept() {
    for through in 1..=7 {
        let (world, rows) = grown().await;
        give_up(&world, through).await;
        world.assert_verified().await;
        let table = RecordingTable::default();
        let passes = world.derive(&table).await;
        assert_eq!(passes[0].given_up_through, Some(through));
        let [before, all] = [usize::try_from(through).unwrap(), rows.len()].map(|at| &rows[at - 1]);
        assert_rows(&table.events(), &without(all, before), &format!("given up through {through}"));
        assert!(table.problems().is_empty());
        // The retention, and what was given up, are commits, too.
        assert_eq!(passes[0].commits, world.commit_count().await - through);
        let again = world.derive(&table).await;
        assert_eq!((again[0].given_up_through, again[0].commits), (None, 0));
    }
}

#[tokio::test]
async fn a_table_that_lags_behind_is_told_what_it_will_never_have() {
    let (world, rows) = grown().await;
    let table = RecordingTable::default();
    world.derive(&table).await;
    wait_ms(1000);
    world.logs.complete(LIVE, now_ms());
    world.logs.write(LIVE, 4, now_ms());
    world.collect().await;
    let missed = world.commit_count().await;
    wait_ms(1000);
    world.logs.write(LIVE, 4, now_ms());
    world.collect().await;
    give_up(&world, missed).await;
    let passes = world.derive(&table).await;
    assert_eq!(passes[0].given_up_through, Some(missed));
    let found = table.events();
    assert_eq!(found.len(), rows[7].len() + 4, "without the rows of commit {missed}");
}

#[tokio::test]
async fn collecting_goes_on_where_it_was() {
    let (world, rows) = grown().await;
    give_up(&world, 6).await;
    let table = RecordingTable::default();
    for _ in 0..3 {
        wait_ms(1000);
        world.logs.complete(LIVE, now_ms());
        world.logs.write(LIVE, 4, now_ms());
        world.collect().await;
        world.derive(&table).await;
        world.assert_verified().await;
    }
    wait_until_settled();
    let pass = world.collect().await;
    assert!(pass.failures().next().is_none());
    world.derive(&table).await;
    let all = world.expected_events(&world.logs.files());
    assert_rows(&table.events(), &without(&all, &rows[5]), "after what was given up");
}
