//! Log files that begin like others and go on differently: somebody wrote to what only the database should write to. Both are kept.

use auditkeep_archive::control::{ControlLeaf, Event};
use auditkeep_core::engine::Engine;
use auditkeep_pipeline::collect::{FileError, FileOutcome, Pass};
use auditkeep_pipeline::source::SourceErrorKind;
use futures::FutureExt;

use crate::logs::File;
use crate::records::Grammar;
use crate::table::RecordingTable;
use crate::world::{World, failure, key_of, now_ms, outcome, wait_ms, wait_until_settled};

const LOG: &str = "audit/audit.log.1.2026-11-21-03-58.0";

async fn collected() -> World {
    let world = World::new(Engine::AuroraMysql, 1).await;
    world.logs.create(LOG, Grammar::ServerAudit, now_ms());
    world.logs.write(LOG, 20, now_ms());
    world.collect().await;
    world
}

fn file(world: &World) -> File {
    world.logs.files().remove(0)
}

fn grow(world: &World) {
    wait_ms(1000);
    world.logs.write(LOG, 3, now_ms());
}

/// Changes a byte of a record, so that the file is of another generation by everything but its first record.
fn alter(world: &World, record: usize) {
    wait_ms(1000);
    world.logs.edit(LOG, |file| {
        let (begin, length, _) = file.records[record];
        let end = usize::try_from(begin + length).unwrap();
        file.bytes[end - 3] ^= 1;
        file.last_written_ms = now_ms();
    });
}

async fn replaced(world: &World) -> Vec<ControlLeaf> {
    world.controls_of(Event::LogReplaced).await
}

/// What is archived of the family, without the names of the generations.
async fn contents(world: &World) -> Vec<Vec<u8>> {
    world.assert_verified().await;
    let mut contents: Vec<_> = world.archived().await.into_values().collect();
    contents.sort();
    contents
}

async fn assert_contents(world: &World, files: &[&File]) {
    let mut expected: Vec<_> = files.iter().map(|file| file.exposed().to_vec()).collect();
    expected.sort();
    let archived = contents(world).await;
    let sizes = |files: &[Vec<u8>]| files.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes(&archived), sizes(&expected));
    assert!(archived == expected, "the bytes differ");
}

fn assert_archived(pass: &Pass, bytes: usize) {
    let FileOutcome::Archived { bytes: archived } = outcome(pass, LOG) else { panic!("{pass:?}") };
    assert_eq!(*archived, bytes as u64);
}

#[tokio::test]
async fn a_changed_beginning_is_archived_beside_what_was_there_before() {
    // In the first record behind the one that the file is known by, and at the end of what is archived.
    for record in [1, 19] {
        let world = collected().await;
        let original = file(&world);
        alter(&world, record);
        grow(&world);
        let changed = file(&world);
        let pass = world.collect().await;
        assert_archived(&pass, changed.shown);
        assert_eq!(pass.logs_replaced, [LOG]);
        assert_contents(&world, &[&original, &changed]).await;
        let leaves = replaced(&world).await;
        assert_eq!(leaves.len(), 1);
        assert_eq!(leaves[0].text("log"), Some(LOG));
        assert_eq!(leaves[0].text("cursor"), Some(key_of(&original).as_str()));
        assert_eq!(leaves[0].number("archived"), Some(original.shown as u64));
        let new = leaves[0].text("as").unwrap().to_owned();
        assert!(world.archived().await.contains_key(&new), "{new}");

        // What comes after belongs to the new one, and nothing more is said.
        assert_eq!(world.collect().await.commits, 0);
        grow(&world);
        let grown = file(&world);
        assert_archived(&world.collect().await, grown.shown - changed.shown);
        assert_contents(&world, &[&original, &grown]).await;
        assert_eq!(replaced(&world).await.len(), 1);
    }
}

/// Of what was behind the archived bytes of the first one nobody knows any more.
#[tokio::test]
async fn what_the_other_one_may_have_had_more_is_a_gap() {
    let world = collected().await;
    let original = file(&world);
    alter(&world, 5);
    let pass = world.collect().await;
    assert_eq!(pass.gaps_opened, [format!("{}@{}", key_of(&original), original.shown)]);
    // The first one comes back: both are known.
    let changed = world.logs.delete(LOG);
    world.logs.restore(original.clone());
    grow(&world);
    let grown = file(&world);
    assert_archived(&world.collect().await, grown.shown - original.shown);
    assert_contents(&world, &[&grown, &changed]).await;
    assert_eq!(replaced(&world).await.len(), 1, "it had been there before");
    assert_eq!(world.controls_of(Event::GapClosed).await.len(), 1);
}

#[tokio::test]
async fn a_third_and_a_fourth_one() {
    let world = collected().await;
    let mut all = vec![file(&world)];
    for record in [3, 4, 5] {
        alter(&world, record);
        assert_eq!(world.collect().await.logs_replaced, [LOG]);
        all.push(file(&world));
        assert_contents(&world, &all.iter().collect::<Vec<_>>()).await;
    }
    for again in all.clone() {
        world.logs.delete(LOG);
        wait_ms(1000);
        world.logs.restore(File { last_written_ms: now_ms(), ..again });
        let pass = world.collect().await;
        assert_eq!((pass.new_bytes, pass.logs_replaced.len()), (0, 0));
    }
    assert_contents(&world, &all.iter().collect::<Vec<_>>()).await;
}

/// A file that is shorter may be a transfer that broke off, as long as it may still grow.
#[tokio::test]
async fn a_file_that_stays_shorter_is_another_one() {
    let world = collected().await;
    let original = file(&world);
    wait_ms(1000);
    world.logs.edit(LOG, |file| {
        file.shown = usize::try_from(file.records[10].0).unwrap();
        file.bytes.truncate(file.shown);
        file.records.truncate(10);
        file.last_written_ms = now_ms();
    });
    let pass = world.collect().await;
    assert!(matches!(failure(&pass, LOG), FileError::Shrunk { .. }), "{pass:?}");
    assert_contents(&world, &[&original]).await;
    wait_until_settled();
    let pass = world.collect().await;
    assert_eq!(pass.logs_replaced, [LOG]);
    assert_contents(&world, &[&original, &file(&world)]).await;
    assert_eq!(world.collect().await.commits, 0);
}

#[tokio::test]
async fn a_transfer_that_breaks_off_says_nothing_of_any_of_them() {
    let world = collected().await;
    let original = file(&world);
    alter(&world, 5);
    world.collect().await;
    let changed = file(&world);
    grow(&world);
    // Before it is known which of the two it is.
    world.logs.edit(LOG, |file| file.breaks_after = Some(original.shown / 2));
    let pass = world.collect().await;
    assert!(
        matches!(failure(&pass, LOG), FileError::Source(error) if error.kind == SourceErrorKind::Unreachable)
    );
    assert_eq!((pass.commits, pass.gaps_opened.len()), (0, 0));
    assert_contents(&world, &[&original, &changed]).await;
    world.logs.edit(LOG, |file| file.breaks_after = None);
    world.collect().await;
    assert_contents(&world, &[&original, &file(&world)]).await;
}

#[tokio::test]
async fn two_collectors_say_it_once() {
    let world = collected().await;
    let original = file(&world);
    alter(&world, 5);
    let other = world.clone();
    world.logs.when_opened(LOG, move || async move { drop(other.collect().await) }.boxed());
    world.collect().await;
    world.logs.drop_hooks();
    world.collect().await;
    assert_eq!(replaced(&world).await.len(), 1);
    assert_contents(&world, &[&original, &file(&world)]).await;
}

#[tokio::test]
async fn events_come_from_both() {
    let world = collected().await;
    let table = RecordingTable::default();
    world.derive(&table).await;
    let before = table.events().len();
    alter(&world, 5);
    world.collect().await;
    world.derive(&table).await;
    assert_eq!(table.events().len(), 2 * before);
    let rebuilt = RecordingTable::default();
    world.derive(&rebuilt).await;
    assert_eq!(rebuilt.events(), table.events());
}
