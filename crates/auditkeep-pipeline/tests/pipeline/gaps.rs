//! Files that vanish before they were read to their end: a gap is opened, once, and only if it can be told; and is closed when
//! the file is seen again.

use std::time::Duration;

use auditkeep_archive::control::{ControlLeaf, Event};
use auditkeep_core::engine::Engine;
use auditkeep_pipeline::source::SourceErrorKind;
use futures::FutureExt;

use crate::logs::{File, LIVE};
use crate::records::Grammar;
use crate::world::{World, key_of, now_ms, wait_ms, wait_until_settled};

const OLD: &str = "audit/audit.log.0.2026-11-21-03-58.0";
const NEW: &str = "audit/audit.log.0.2026-11-21-04-58.1";

async fn world_with(engine: Engine, name: &str) -> World {
    let world = World::new(engine, 1).await;
    world.logs.create("error/mysql-error-running.log", Grammar::ServerAudit, now_ms());
    world.logs.create(name, Grammar::ServerAudit, now_ms());
    world.logs.write(name, 20, now_ms());
    world
}

fn file(world: &World, name: &str) -> File {
    world.logs.files().into_iter().find(|file| file.name == name).unwrap()
}

fn grow(world: &World, name: &str) {
    wait_ms(1000);
    world.logs.write(name, 5, now_ms());
}

fn begin(world: &World, name: &str) {
    wait_ms(1000);
    world.logs.create(name, Grammar::ServerAudit, now_ms());
    world.logs.write(name, 3, now_ms());
}

async fn opened(world: &World) -> Vec<ControlLeaf> {
    world.controls_of(Event::GapOpened).await
}

/// The one gap there is, from what was archived of the file on; and nothing more is said of it.
async fn assert_one_gap(world: &World, lost: &File, from: usize, to: Option<u64>) {
    let leaves = opened(world).await;
    assert_eq!(leaves.len(), 1, "{leaves:?}");
    let (leaf, key) = (&leaves[0], key_of(lost));
    assert_eq!((leaf.text("cursor"), leaf.number("from")), (Some(key.as_str()), Some(from as u64)));
    assert_eq!((leaf.text("gap"), leaf.number("to")), (Some(format!("{key}@{from}").as_str()), to));
    assert!(leaf.text("cause").is_some() && leaf.text("log").is_some());
    assert_eq!(world.standing().await.gaps.keys().collect::<Vec<_>>(), [leaf.text("gap").unwrap()]);
    wait_until_settled();
    for _ in 0..2 {
        assert_eq!(world.collect().await.gaps_opened, [""; 0]);
    }
    assert_eq!(world.collect().await.commits, 0, "nothing new");
    assert_eq!(opened(world).await.len(), 1);
    world.assert_verified().await;
}

async fn assert_no_gap(world: &World) {
    for _ in 0..2 {
        assert_eq!(world.collect().await.gaps_opened, [""; 0]);
    }
    assert_eq!(opened(world).await, []);
    world.assert_verified().await;
}

#[tokio::test]
async fn rotation_beyond_the_last_number() {
    // A live file that was quiet for long may have grown all the same before it was rotated.
    for was_quiet in [false, true] {
        let world = world_with(Engine::Mariadb, LIVE).await;
        if was_quiet {
            wait_until_settled();
        }
        world.collect().await;
        let read = file(&world, LIVE).shown;
        let mut deleted = Vec::new();
        for _ in 0..3 {
            grow(&world, LIVE);
            deleted.extend(world.logs.rotate_keeping(2, now_ms()));
        }
        let pass = world.collect().await;
        assert_eq!(pass.gaps_opened, [format!("{}@{read}", key_of(&deleted[0]))]);
        assert_one_gap(&world, &deleted[0], read, None).await;
        world.assert_verified().await;
    }
}

#[tokio::test]
async fn a_file_that_was_read_after_it_was_renamed_is_whole() {
    for quiet in [false, true] {
        let world = world_with(Engine::Mariadb, LIVE).await;
        world.collect().await;
        grow(&world, LIVE);
        world.logs.rotate_keeping(1, now_ms());
        if quiet {
            wait_until_settled();
        }
        world.collect().await;
        grow(&world, LIVE);
        assert_eq!(world.logs.rotate_keeping(1, now_ms()).len(), 1);
        assert_no_gap(&world).await;
    }
}

/// It is not read again under its new name, so the name must be known in another way.
#[tokio::test]
async fn a_file_that_was_recognised_after_it_was_renamed_is_whole() {
    let world = world_with(Engine::Mariadb, LIVE).await;
    wait_until_settled();
    world.collect().await;
    world.logs.rotate_keeping(1, now_ms());
    grow(&world, LIVE);
    world.logs.opened();
    world.collect().await;
    assert_eq!(world.logs.opened(), [LIVE]);
    grow(&world, LIVE);
    assert_eq!(world.logs.rotate_keeping(1, now_ms()).len(), 1);
    assert_no_gap(&world).await;
}

#[tokio::test]
async fn an_hourly_file_that_was_deleted_before_it_was_read_to_its_end() {
    let world = world_with(Engine::AuroraMysql, OLD).await;
    world.collect().await;
    let read = file(&world, OLD).shown;
    grow(&world, OLD);
    let lost = world.logs.delete(OLD);
    // There is no other audit log, but there are other files: this is no empty listing.
    world.collect().await;
    assert_one_gap(&world, &lost, read, None).await;
}

#[tokio::test]
async fn an_hourly_file_that_had_ended_may_go() {
    let world = world_with(Engine::AuroraMysql, OLD).await;
    wait_until_settled();
    world.collect().await;
    begin(&world, NEW);
    world.logs.delete(OLD);
    assert_no_gap(&world).await;
}

/// Only the transfer ended early; the listing told how long the file was.
#[tokio::test]
async fn the_end_of_a_gap_in_a_renamed_file() {
    let world = world_with(Engine::Mariadb, LIVE).await;
    world.logs.rotate_keeping(1, now_ms());
    let renamed = format!("{LIVE}.1");
    let size = file(&world, &renamed).shown;
    world.logs.edit(&renamed, |file| file.ends_after = Some(size - 100));
    world.collect().await;
    begin_live(&world);
    let deleted = world.logs.rotate_keeping(1, now_ms());
    world.collect().await;
    assert_one_gap(&world, &deleted[0], size - 100, Some(size as u64)).await;
}

fn begin_live(world: &World) {
    wait_ms(1000);
    world.logs.write(LIVE, 3, now_ms());
}

#[tokio::test]
async fn an_empty_listing_says_nothing() {
    for (name, engine) in [(LIVE, Engine::Mariadb), (OLD, Engine::AuroraMysql)] {
        let world = world_with(engine, name).await;
        world.collect().await;
        let commits = world.commit_count().await;
        world.logs.lists_nothing(true);
        assert_no_gap(&world).await;
        assert_eq!(world.commit_count().await, commits);
        world.logs.lists_nothing(false);
        assert_no_gap(&world).await;
    }
}

/// Only the first listing of the pass lacks the file.
#[tokio::test]
async fn a_listing_that_is_not_confirmed_says_nothing() {
    let world = world_with(Engine::AuroraMysql, OLD).await;
    begin(&world, NEW);
    world.collect().await;
    let hidden = world.logs.delete(OLD);
    grow(&world, NEW);
    let logs = world.logs.clone();
    world.logs.when_opened(NEW, move || {
        logs.restore(hidden);
        futures::future::ready(()).boxed()
    });
    let pass = world.collect().await;
    assert_eq!((pass.commits, pass.gaps_opened.len()), (1, 0));
    assert_no_gap(&world).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_may_be_the_missing_one() {
    type Damage = fn(&mut File);
    let damages: [Damage; 4] = [
        |file| file.unreadable = Some(SourceErrorKind::Throttled),
        |file| file.breaks_after = Some(10),
        |file| file.ends_after = Some(10),
        |file| file.ends_after = Some(0),
    ];
    for damage in damages {
        let world = world_with(Engine::Mariadb, LIVE).await;
        world.collect().await;
        let read = file(&world, LIVE).shown;
        grow(&world, LIVE);
        world.logs.rotate_keeping(1, now_ms());
        grow(&world, LIVE);
        let deleted = world.logs.rotate_keeping(1, now_ms());
        let other = format!("{LIVE}.1");
        world.logs.edit(&other, damage);
        assert_no_gap(&world).await;
        world.logs.edit(&other, |file| {
            (file.unreadable, file.breaks_after, file.ends_after) = (None, None, None);
        });
        assert_eq!(world.collect().await.gaps_opened.len(), 1);
        assert_one_gap(&world, &deleted[0], read, None).await;
    }
}

/// A file that fails behind the point where it is known which one it is, is not missing; one that another has taken the place of is.
#[tokio::test]
async fn a_file_that_became_shorter_is_not_missing_and_one_that_was_changed_is() {
    let world = world_with(Engine::Mariadb, LIVE).await;
    world.logs.rotate(now_ms());
    grow(&world, LIVE);
    world.collect().await;
    let changed = file(&world, LIVE);
    world.logs.edit(LIVE, |file| *file.bytes.last_mut().unwrap() ^= 1);
    grow(&world, LIVE);
    let renamed = format!("{LIVE}.1");
    world.logs.edit(&renamed, |file| file.shown -= 1);
    let pass = world.collect().await;
    assert_eq!(pass.failures().count(), 1, "{pass:?}");
    assert_eq!(pass.gaps_opened, [format!("{}@{}", key_of(&changed), changed.shown)]);
}

/// The file was neither read under its old name, which another one had by then, nor under the new one.
#[tokio::test]
async fn rotation_in_the_middle_of_a_pass() {
    for keeping in [2, 9] {
        let world = world_with(Engine::Mariadb, LIVE).await;
        for _ in 0..2 {
            world.logs.rotate(now_ms());
            grow(&world, LIVE);
        }
        world.collect().await;
        grow(&world, LIVE);
        let logs = world.logs.clone();
        world.logs.when_opened(LIVE, move || {
            logs.rotate_keeping(keeping, now_ms());
            logs.write(LIVE, 7, now_ms());
            futures::future::ready(()).boxed()
        });
        let pass = world.collect().await;
        assert!(pass.new_bytes > 0 && pass.gaps_opened.is_empty(), "{pass:?}");
        assert_no_gap(&world).await;
        let whole = world.logs.files().into_iter().filter(|file| file.name.starts_with(LIVE));
        let archived = world.archived().await;
        for file in whole {
            assert_eq!(archived[&key_of(&file)], file.exposed(), "{}", file.name);
        }
    }
}

/// While the first collector reads, the second one does a whole pass.
async fn second_collector(world: &World, opened: &str, view: &crate::logs::ScriptedLogs) {
    let (other, view) = (world.clone(), view.clone());
    world.logs.when_opened(opened, move || {
        async move { drop(other.collect_as("test 2", Duration::MAX, &other.archive, &view).await.unwrap()) }
            .boxed()
    });
    world.collect().await;
    world.logs.drop_hooks();
}

#[tokio::test]
async fn two_collectors_open_a_gap_once() {
    for first_has_news in [false, true] {
        let world = world_with(Engine::AuroraMysql, OLD).await;
        begin(&world, NEW);
        world.collect().await;
        let read = file(&world, OLD).shown;
        grow(&world, OLD);
        let lost = world.logs.delete(OLD);
        let view = world.logs.view(2, |_| true);
        if first_has_news {
            grow(&world, NEW);
        }
        second_collector(&world, NEW, &view).await;
        assert_one_gap(&world, &lost, read, None).await;
    }
}

/// The first one's listing lacks a file, which the second one reads further.
#[tokio::test]
async fn a_gap_that_another_collector_knows_better_is_not_opened() {
    let world = world_with(Engine::AuroraMysql, OLD).await;
    begin(&world, NEW);
    world.collect().await;
    grow(&world, OLD);
    let view = world.logs.view(2, |_| true);
    let hidden = world.logs.delete(OLD);
    grow(&world, NEW);
    second_collector(&world, NEW, &view).await;
    assert_eq!(opened(&world).await, []);
    world.logs.restore(hidden);
    assert_no_gap(&world).await;
}

/// The first one reads a file to its end; then the file grows, and is deleted, and the second one notices.
#[tokio::test]
async fn a_gap_is_not_closed_by_who_looked_before_it_was_opened() {
    let world = world_with(Engine::AuroraMysql, OLD).await;
    begin(&world, NEW);
    world.collect().await;
    // Both are read again.
    world.logs.edit(OLD, |file| file.last_written_ms += 1000);
    grow(&world, NEW);
    drop(world.logs.opened());
    let (logs, other) = (world.logs.clone(), world.clone());
    world.logs.when_opened(NEW, move || {
        assert_eq!(logs.opened(), [OLD, NEW], "the order in which files are read");
        grow(&other, OLD);
        logs.delete(OLD);
        let view = logs.view(2, |_| true);
        async move { drop(other.collect_as("test 2", Duration::MAX, &other.archive, &view).await.unwrap()) }
            .boxed()
    });
    let read = file(&world, OLD).shown;
    world.collect().await;
    world.logs.drop_hooks();
    let gaps: Vec<String> = world.standing().await.gaps.into_keys().collect();
    assert!(gaps.len() == 1 && gaps[0].ends_with(&format!("@{read}")), "{gaps:?}");
}

/// The first one reads more of a file; then the file is deleted, and the second one notices.
#[tokio::test]
async fn a_gap_is_closed_by_bytes_that_were_read_before_it_was_opened() {
    let world = world_with(Engine::AuroraMysql, OLD).await;
    begin(&world, NEW);
    world.collect().await;
    grow(&world, OLD);
    grow(&world, NEW);
    drop(world.logs.opened());
    let (logs, other) = (world.logs.clone(), world.clone());
    world.logs.when_opened(NEW, move || {
        assert_eq!(logs.opened(), [OLD, NEW], "the order in which files are read");
        logs.delete(OLD);
        let view = logs.view(2, |_| true);
        async move { drop(other.collect_as("test 2", Duration::MAX, &other.archive, &view).await.unwrap()) }
            .boxed()
    });
    let all = file(&world, OLD).shown;
    world.collect().await;
    world.logs.drop_hooks();
    assert_eq!(opened(&world).await.len(), 1);
    let closed = world.controls_of(Event::GapClosed).await;
    assert_eq!(closed.len(), 1);
    assert_eq!(closed[0].text("how"), Some("more of the file had been read before"));
    // Whether that was all of it, nobody knows; the next pass says so.
    world.collect().await;
    let gaps: Vec<String> = world.standing().await.gaps.into_keys().collect();
    assert!(gaps.len() == 1 && gaps[0].ends_with(&format!("@{all}")), "{gaps:?}");
}

#[tokio::test]
async fn a_file_that_comes_back_closes_its_gap() {
    for grown in [false, true] {
        for (engine, name) in [(Engine::AuroraMysql, OLD), (Engine::Mariadb, LIVE)] {
            let world = world_with(engine, name).await;
            world.collect().await;
            let away = world.logs.delete(name);
            world.collect().await;
            assert_one_gap(&world, &away, away.shown, None).await;
            world.logs.restore(away);
            if grown {
                grow(&world, name);
            }
            world.collect().await;
            let closed = world.controls_of(Event::GapClosed).await;
            assert_eq!(closed.len(), 1);
            assert_eq!(closed[0].text("gap"), opened(&world).await[0].text("gap"));
            assert_eq!(closed[0].text("how"), Some("the file was seen again"));
            assert!(world.standing().await.gaps.is_empty());
            let files = world.logs.files();
            world.assert_archived(&files).await;
            wait_until_settled();
            world.collect().await;
            assert_eq!(world.collect().await.commits, 0);
            assert_eq!(world.controls_of(Event::GapClosed).await.len(), 1);
        }
    }
}

/// It goes and comes back more than once; a gap that begins elsewhere is another one.
#[tokio::test]
async fn a_file_that_vanishes_twice() {
    let world = world_with(Engine::AuroraMysql, OLD).await;
    for round in 1..=3 {
        grow(&world, OLD);
        world.collect().await;
        let away = world.logs.delete(OLD);
        assert_eq!(world.collect().await.gaps_opened, [format!("{}@{}", key_of(&away), away.shown)]);
        assert_eq!(opened(&world).await.len(), round);
        world.logs.restore(away);
        assert_eq!(world.collect().await.commits, 1);
        assert!(world.standing().await.gaps.is_empty());
    }
    world.assert_verified().await;
}

/// The cursor of a file that has gone for good is only dropped together with the record of what was lost.
#[tokio::test]
async fn what_is_forgotten_was_accounted_for() {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let world = world_with(Engine::AuroraMysql, OLD).await;
    world.collect().await;
    let away = world.logs.delete(OLD);
    wait_ms(61 * DAY_MS);
    begin(&world, NEW);
    let pass = world.collect().await;
    assert_eq!(pass.gaps_opened, [format!("{}@{}", key_of(&away), away.shown)]);
    let last = world.commits().await.pop().unwrap();
    assert!(!last.cursors.contains_key(&key_of(&away)));
    assert_one_gap(&world, &away, away.shown, None).await;
}
