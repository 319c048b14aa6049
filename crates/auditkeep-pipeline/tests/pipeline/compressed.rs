//! Aurora for PostgreSQL compresses log files where they lie when its disk fills, and deletes them early.

use auditkeep_core::engine::Engine;
use auditkeep_pipeline::collect::{FileError, FileOutcome};
use auditkeep_pipeline::source::SourceErrorKind;
use futures::FutureExt;

use crate::logs::File;
use crate::records::Grammar;
use crate::table::RecordingTable;
use crate::world::{World, failure, key_of, now_ms, outcome, wait_ms, wait_until_settled};

const OLD: &str = "error/postgresql.log.2026-11-21-0300.csv";
const NEW: &str = "error/postgresql.log.2026-11-21-0400.csv";

async fn world() -> World {
    let world = World::new(Engine::AuroraPostgresql, 1).await;
    for name in [OLD, NEW] {
        world.logs.create(name, Grammar::Csv, now_ms());
        world.logs.write(name, 20, now_ms());
    }
    world
}

fn old(world: &World) -> File {
    world.logs.files().into_iter().find(|file| file.name.starts_with(OLD)).unwrap()
}

fn compress(world: &World) {
    wait_ms(1000);
    world.logs.compress(OLD, now_ms());
}

fn gz() -> String {
    format!("{OLD}.gz")
}

/// Whatever was read of it before, the rest comes out of the compressed file, once.
#[tokio::test]
async fn a_file_goes_on_where_it_was_left() {
    for (read_before, grows) in [(false, false), (true, false), (true, true)] {
        let world = world().await;
        if read_before {
            world.collect().await;
        }
        if grows {
            wait_ms(1000);
            world.logs.write(OLD, 7, now_ms());
        }
        compress(&world);
        let pass = world.collect().await;
        assert!(matches!(outcome(&pass, &gz()), FileOutcome::Archived { .. }), "{pass:?}");
        world.assert_archived(&world.logs.files()).await;
        let again = world.collect().await;
        assert_eq!(again.commits, 0);
        assert!(matches!(outcome(&again, &gz()), FileOutcome::Unchanged), "it is not downloaded for ever");
        let table = RecordingTable::default();
        world.derive(&table).await;
        assert_eq!(table.events(), world.expected_events(&world.logs.files()));
    }
}

#[tokio::test]
async fn what_was_read_out_of_it_is_no_gap_when_it_is_deleted() {
    let world = world().await;
    world.collect().await;
    compress(&world);
    world.collect().await;
    let whole = old(&world);
    world.logs.delete(&gz());
    wait_ms(1000);
    world.logs.write(NEW, 2, now_ms());
    let pass = world.collect().await;
    assert_eq!((pass.commits, pass.gaps_opened.len()), (1, 0), "{pass:?}");
    world.assert_archived(&[whole, world.logs.files().remove(0)]).await;
}

#[tokio::test]
async fn what_was_deleted_before_that_is_a_gap() {
    let world = world().await;
    world.collect().await;
    let read = old(&world);
    world.logs.write(OLD, 7, now_ms());
    compress(&world);
    world.logs.delete(&gz());
    let pass = world.collect().await;
    assert_eq!(pass.gaps_opened, [format!("{}@{}", key_of(&read), read.shown)]);
}

/// Between the listing and the download, and while both are listed.
#[tokio::test]
async fn it_is_compressed_while_a_pass_runs() {
    let world = world().await;
    world.collect().await;
    wait_ms(1000);
    world.logs.write(OLD, 7, now_ms());
    let logs = world.logs.clone();
    world.logs.when_opened(OLD, move || {
        logs.compress(OLD, now_ms());
        futures::future::ready(()).boxed()
    });
    let pass = world.collect().await;
    assert!(
        matches!(failure(&pass, OLD), FileError::Source(error) if error.kind == SourceErrorKind::NotFound)
    );
    assert!(pass.gaps_opened.is_empty());
    world.logs.drop_hooks();

    let both = File { name: OLD.to_owned(), gzip: false, ..old(&world) };
    world.logs.restore(both.clone());
    assert_eq!(world.collect().await.failures().count(), 0);
    world.logs.delete(OLD);
    world.collect().await;
    world.assert_archived(&world.logs.files()).await;
}

/// A file that is still being compressed, or whose transfer broke off, ends before its end.
#[tokio::test]
async fn one_that_is_not_whole_is_read_again() {
    let world = world().await;
    world.collect().await;
    let read = old(&world).shown;
    world.logs.write(OLD, 7, now_ms());
    compress(&world);
    wait_until_settled();
    for end in [1, 2, 10, 100] {
        world.logs.edit(&gz(), |file| file.ends_after = Some(end));
        let pass = world.collect().await;
        let kind = match failure(&pass, &gz()) {
            FileError::Source(error) => Some(error.kind),
            // One byte is not enough to tell that it is compressed.
            FileError::NotAnAuditLog(_) if end == 1 => None,
            error => panic!("{error:?}"),
        };
        assert!(kind.is_none_or(|kind| kind == SourceErrorKind::Unreachable), "{end}: {kind:?}");
        assert!(pass.gaps_opened.is_empty() && pass.logs_replaced.is_empty());
    }
    let archived = world.archived().await;
    assert_eq!(archived[&key_of(&old(&world))].len(), read);
    world.logs.edit(&gz(), |file| file.ends_after = None);
    world.collect().await;
    world.assert_archived(&world.logs.files()).await;
}

/// The source may decode it before it sends it.
#[tokio::test]
async fn one_that_comes_decoded() {
    let world = world().await;
    world.collect().await;
    world.logs.write(OLD, 7, now_ms());
    compress(&world);
    wait_until_settled();
    // Without a checksum in it, its end cannot be told from a transfer that ended early.
    let end = old(&world).shown - 100;
    world.logs.edit(&gz(), |file| (file.gzip, file.ends_after) = (false, Some(end)));
    world.collect().await;
    assert_eq!(world.archived().await[&key_of(&old(&world))].len(), end);
    world.logs.edit(&gz(), |file| file.ends_after = None);
    world.collect().await;
    world.assert_archived(&world.logs.files()).await;
}
