//! Every single write to the store goes wrong once, and a second pass puts it right.

use std::sync::Arc;

use auditkeep_archive::archive::Archive;
use auditkeep_core::engine::Engine;
use object_store::ObjectStore;

use crate::faults::{Fault, FaultyStore};
use crate::logs::{LIVE, ScriptedLogs};
use crate::records::Grammar;
use crate::world::{World, now_ms, wait_ms};

fn names() -> [String; 3] {
    [format!("{LIVE}.2"), format!("{LIVE}.1"), LIVE.to_owned()]
}

/// Three files, the middle one with `middle` bytes.
fn three_files(middle: usize) -> ScriptedLogs {
    let logs = ScriptedLogs::new(1);
    logs.largest_chunk(1 << 20);
    for (name, bytes) in names().iter().zip([5_000, middle, 5_000]) {
        wait_ms(1000);
        logs.create(name, Grammar::ServerAudit, now_ms());
        logs.write_bytes(name, bytes, bytes / 40, now_ms());
    }
    logs.cut_last_record(LIVE);
    logs
}

async fn faulty(world: &World, fault: Fault, at: u64) -> (Archive, Arc<FaultyStore>) {
    let store = Arc::new(FaultyStore::new(world.store.clone(), fault, at));
    let archive = Archive::open(store.clone() as Arc<dyn ObjectStore>).await.unwrap();
    (archive, store)
}

/// A pass over files that the archive knows in part, with one write that goes wrong, and a good pass after it. Returns how
/// many writes there were before the fault or the end.
async fn pass_with_fault(logs: &ScriptedLogs, known: usize, fault: Fault, at: u64) -> u64 {
    let world = World { logs: logs.clone(), ..World::new(Engine::Mariadb, 1).await };
    if known > 0 {
        let early = logs.view(2, |_| true);
        for name in names() {
            early.edit(&name, |file| file.shown = known);
        }
        world.collect_from(&world.archive, &early).await.unwrap();
    }
    let (archive, store) = faulty(&world, fault, at).await;
    let outcome = world.collect_from(&archive, logs).await;
    // Only of the head hint nobody needs to know whether it was written.
    let done = world.commit_count().await == u64::from(known > 0) + 1;
    assert!(outcome.is_err() || done, "{fault:?} at write {at}: {outcome:?}");
    let writes = store.writes();
    world.assert_verified().await;

    world.collect().await;
    assert_eq!(world.collect().await.commits, 0, "{fault:?} at write {at}");
    world.assert_archived(&logs.files()).await;
    writes
}

async fn every_write(logs: &ScriptedLogs, known: usize, at_least: u64) {
    let writes = pass_with_fault(logs, known, Fault::Failed, 0).await;
    assert!(writes >= at_least, "{writes} writes");
    for fault in [Fault::Failed, Fault::FailedButDone] {
        for at in 1..=writes {
            pass_with_fault(logs, known, fault, at).await;
        }
    }
}

#[tokio::test]
async fn small_files() {
    let logs = three_files(5_000);
    // Three segments, a commit and the head hint.
    every_write(&logs, 0, 5).await;
    every_write(&logs, 2_500, 5).await;
}

#[tokio::test]
async fn a_file_of_two_segments() {
    let logs = three_files((8 << 20) + 50_000);
    every_write(&logs, 0, 6).await;
}

#[tokio::test]
async fn the_file_has_grown_when_the_second_pass_comes() {
    for fault in [Fault::Failed, Fault::FailedButDone] {
        for at in 1..=5 {
            let world = World { logs: three_files(5_000), ..World::new(Engine::Mariadb, 1).await };
            let (archive, _) = faulty(&world, fault, at).await;
            drop(world.collect_from(&archive, &world.logs).await);
            for name in names() {
                world.logs.complete(&name, now_ms());
                world.logs.write(&name, 3, now_ms());
            }
            world.collect().await;
            world.assert_archived(&world.logs.files()).await;
        }
    }
}
