//! Several collectors at once on one trail, on threads of their own: nothing is lost and nothing doubled.

use std::time::Duration;

use auditkeep_core::engine::Engine;
use auditkeep_pipeline::collect::FileOutcome;
use fastrand::Rng;

use crate::logs::{LIVE, ScriptedLogs};
use crate::records::Grammar;
use crate::table::RecordingTable;
use crate::world::{World, assert_rows, now_ms};

const FILES: usize = 5;

fn name(number: usize) -> String {
    if number == 0 { LIVE.to_owned() } else { format!("{LIVE}.{number}") }
}

fn files(seed: u64) -> ScriptedLogs {
    let logs = ScriptedLogs::new(seed);
    for number in 0..FILES {
        logs.create(&name(number), Grammar::ServerAudit, now_ms() - 1000 * i64::try_from(number).unwrap());
        logs.write(&name(number), 40, now_ms());
    }
    logs
}

/// What one collector sees over time: some of the files, growing.
async fn collect_growing(world: World, seed: u64, task: u64) -> u64 {
    let mut rng = Rng::with_seed(seed * 100 + task);
    let view = world.logs.view(seed * 100 + task, |_| rng.u8(0..4) > 0);
    let mut new_bytes = 0;
    for step in 1..=4 {
        for number in 0..FILES {
            let known = world.logs.files().into_iter().find(|file| file.name == name(number)).unwrap();
            if view.files().iter().any(|file| file.name == known.name) {
                view.edit(&known.name, |file| file.shown = known.shown * step / 4 - rng.usize(0..200));
            }
        }
        let writer = format!("test {task}");
        let settled_after = Duration::from_secs(if rng.bool() { 60 } else { 3600 });
        let pass = world.collect_as(&writer, settled_after, &world.archive, &view).await.unwrap();
        for file in &pass.files {
            // Whoever is slower may find that the archive is further than its view.
            if let FileOutcome::Failed(error) = &file.outcome {
                let text = error.to_string();
                assert!(text.contains("shorter"), "seed {seed}, task {task}: {text}");
            }
        }
        new_bytes += pass.new_bytes;
    }
    new_bytes
}

async fn race(collectors: u64, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let world = World { logs: files(seed), ..World::new(Engine::Mariadb, seed).await };
        let tasks: Vec<_> =
            (0..collectors).map(|task| tokio::spawn(collect_growing(world.clone(), seed, task))).collect();
        let mut new_bytes = 0;
        for task in tasks {
            new_bytes += task.await.unwrap();
        }
        world.assert_verified().await;
        let raced = world.archived().await.values().map(|bytes| bytes.len() as u64).sum::<u64>();
        assert_eq!(new_bytes, raced, "seed {seed}: what the passes say they have added");
        world.collect().await;
        world.assert_archived(&world.logs.files()).await;
        let table = RecordingTable::default();
        world.derive(&table).await;
        assert_rows(&table.events(), &world.expected_events(&world.logs.files()), &format!("seed {seed}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two() {
    race(2, 0..30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four() {
    race(4, 100..120).await;
}
