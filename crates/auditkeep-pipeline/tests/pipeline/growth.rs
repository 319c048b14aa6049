//! A file that grows while it is collected again and again.

use auditkeep_core::engine::Engine;
use auditkeep_pipeline::collect::FileOutcome;
use fastrand::Rng;

use crate::logs::LIVE;
use crate::records::Grammar;
use crate::world::{World, now_ms, outcome, wait_ms, wait_until_settled};

#[tokio::test]
async fn each_pass_adds_only_what_is_new() {
    for (engine, name, grammar) in [
        (Engine::Mariadb, LIVE, Grammar::ServerAudit),
        (Engine::Postgres, "error/postgresql.log.2026-11-21-03.csv", Grammar::Csv),
        (Engine::Postgres, "error/postgresql.log.2026-11-21-03", Grammar::Stderr),
    ] {
        for seed in 0..6 {
            let world = World::new(engine, seed).await;
            let mut rng = Rng::with_seed(seed);
            world.logs.create(name, grammar, now_ms());
            let mut archived = 0;
            for _ in 0..30 {
                wait_ms(1000);
                world.logs.complete(name, now_ms());
                let records = rng.usize(0..5);
                world.logs.write(name, records, now_ms());
                if records > 0 && rng.bool() {
                    world.logs.cut_last_record(name);
                }
                let pass = world.collect().await;
                let shown = world.logs.exposed(name).len() as u64;
                let outcome = outcome(&pass, name);
                if matches!(outcome, FileOutcome::NoRecordYet) {
                    assert_eq!((archived, pass.commits), (0, 0), "{grammar:?}, seed {seed}");
                    continue;
                }
                let now_archived =
                    world.archived().await.values().map(|bytes| bytes.len() as u64).sum::<u64>();
                assert_eq!(now_archived, shown, "{grammar:?}, seed {seed}: {outcome:?}");
                assert_eq!(pass.new_bytes, shown - archived, "{grammar:?}, seed {seed}");
                archived = shown;
            }
            world.logs.complete(name, now_ms());
            wait_until_settled();
            world.collect().await;
            world.assert_archived(&world.logs.files()).await;
        }
    }
}

#[tokio::test]
async fn nothing_new_is_no_commit() {
    let world = World::new(Engine::Mariadb, 1).await;
    world.logs.lists_nothing(true);
    assert_eq!(world.collect().await.commits, 0);
    assert_eq!(world.commit_count().await, 0, "no trail for an empty listing");
    world.logs.lists_nothing(false);

    world.logs.create(LIVE, Grammar::ServerAudit, now_ms());
    assert!(matches!(outcome(&world.collect().await, LIVE), FileOutcome::Empty));
    assert_eq!(world.commit_count().await, 0, "no trail for an empty file");

    world.logs.write(LIVE, 9, now_ms());
    assert_eq!(world.collect().await.commits, 1);
    for _ in 0..3 {
        let pass = world.collect().await;
        assert_eq!((pass.commits, pass.new_bytes, world.commit_count().await), (0, 0, 1));
    }
    // That it is settled is worth a commit, once; from then on it is not read at all.
    wait_until_settled();
    assert_eq!(world.collect().await.commits, 1);
    world.logs.opened();
    for _ in 0..3 {
        assert!(matches!(outcome(&world.collect().await, LIVE), FileOutcome::Unchanged));
        assert_eq!(world.commit_count().await, 2);
    }
    assert!(world.logs.opened().is_empty());
    world.logs.lists_nothing(true);
    assert_eq!(world.collect().await.commits, 0, "an empty listing is no news");
    world.assert_archived(&world.logs.files()).await;
}

#[tokio::test]
async fn a_first_record_in_the_making_is_waited_for() {
    for (engine, name, grammar) in [
        (Engine::Mariadb, LIVE, Grammar::ServerAudit),
        (Engine::Postgres, "error/postgresql.log.2026-11-21-03.csv", Grammar::Csv),
        (Engine::Postgres, "error/postgresql.log.2026-11-21-03", Grammar::Stderr),
    ] {
        let world = World::new(engine, 1).await;
        world.logs.create(name, grammar, now_ms());
        world.logs.write(name, 1, now_ms());
        for shown in 1..world.logs.exposed(name).len() {
            world.logs.edit(name, |file| file.shown = shown);
            let pass = world.collect().await;
            let outcome = outcome(&pass, name);
            assert!(matches!(outcome, FileOutcome::NoRecordYet), "{grammar:?}, {shown} bytes: {outcome:?}");
        }
        assert_eq!(world.commit_count().await, 0);
        world.logs.complete(name, now_ms());
        wait_until_settled();
        world.collect().await;
        world.assert_archived(&world.logs.files()).await;
    }
}

#[tokio::test]
async fn a_settled_file_may_grow_again() {
    let world = World::new(Engine::Mariadb, 1).await;
    world.logs.create(LIVE, Grammar::ServerAudit, now_ms());
    for _ in 0..3 {
        world.logs.write(LIVE, 5, now_ms());
        wait_until_settled();
        world.collect().await;
    }
    world.assert_archived(&world.logs.files()).await;
}

#[tokio::test]
async fn a_record_longer_than_what_identifies_a_file() {
    let world = World::new(Engine::Mariadb, 1).await;
    world.logs.create(LIVE, Grammar::ServerAudit, now_ms());
    world.logs.write_bytes(LIVE, 200_000, 200_000, now_ms());
    let whole = world.logs.exposed(LIVE).len();
    for shown in [65_535, 65_536, 100_000, whole] {
        world.logs.edit(LIVE, |file| file.shown = shown);
        let pass = world.collect().await;
        let expected = if shown < 65_536 { 0 } else { shown };
        assert_eq!(world.archived().await.values().map(Vec::len).sum::<usize>(), expected, "{pass:?}");
    }
    world.assert_archived(&world.logs.files()).await;
}
