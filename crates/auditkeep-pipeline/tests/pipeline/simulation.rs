//! Random histories: growth, rotation, collections and derivations that succeed, fail and get in each other's way.
//!
//! At the end, everything that was exposed is in the archive exactly once and has become events exactly once. No file is
//! deleted here, and a quiet file never ends inside a record: what happens then is no matter of chance.

use std::sync::Arc;

use auditkeep_archive::archive::Archive;
use auditkeep_core::engine::Engine;
use auditkeep_pipeline::source::SourceErrorKind;
use fastrand::Rng;
use futures::FutureExt;
use object_store::ObjectStore;

use crate::faults::{Fault, FaultyStore};
use crate::logs::{File, LIVE};
use crate::records::Grammar;
use crate::table::RecordingTable;
use crate::world::{World, assert_rows, now_ms, wait_ms, wait_until_settled};

/// Fewer than the seconds after which a file is settled.
const STEPS: usize = 40;

struct Simulation {
    world: World,
    table: RecordingTable,
    rng: Rng,
    hour: u32,
}

impl Simulation {
    async fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let engine = if rng.bool() { Engine::Mariadb } else { Engine::Postgres };
        let world = World::new(engine, seed).await;
        world.logs.largest_chunk(if rng.bool() { 50 } else { 10_000 });
        let mut simulation = Self { world, table: RecordingTable::default(), rng, hour: 0 };
        simulation.begin_files();
        simulation
    }

    fn postgres(&self) -> bool {
        self.world.instance.engine.is_postgres()
    }

    fn begin_files(&mut self) {
        let logs = &self.world.logs;
        if self.postgres() {
            let name = format!("error/postgresql.log.2026-11-21-{:02}", self.hour);
            logs.create(&format!("{name}.csv"), Grammar::Csv, now_ms());
            logs.create(&name, Grammar::Stderr, now_ms());
        } else {
            logs.create("error/mysql-error-running.log", Grammar::ServerAudit, now_ms());
            logs.create(LIVE, Grammar::ServerAudit, now_ms());
        }
        self.hour += 1;
    }

    fn files(&self) -> Vec<File> {
        let files = self.world.logs.files();
        files.into_iter().filter(|file| !file.name.contains("mysql-error")).collect()
    }

    fn any_file(&mut self) -> String {
        let files = self.files();
        files[self.rng.usize(..files.len())].name.clone()
    }

    /// The files that are written to at present.
    fn live(&self) -> Vec<String> {
        if !self.postgres() {
            return vec![LIVE.to_owned()];
        }
        let name = format!("error/postgresql.log.2026-11-21-{:02}", self.hour - 1);
        vec![format!("{name}.csv"), name]
    }

    fn grow(&mut self) {
        for name in self.live() {
            let logs = &self.world.logs;
            let file = logs.files().into_iter().find(|file| file.name == name).unwrap();
            let listed_before = (file.shown as u64, file.last_written_ms);
            logs.complete(&name, now_ms());
            let records = self.rng.usize(0..12);
            logs.write(&name, records, now_ms());
            if records > 0 && self.rng.bool() {
                logs.cut_last_record(&name);
            }
            let late = self.rng.u8(0..4) == 0;
            logs.edit(&name, |file| file.listed = late.then_some(listed_before));
        }
    }

    fn rotate(&mut self) {
        self.complete_all();
        if self.postgres() {
            self.begin_files();
        } else {
            self.world.logs.rotate(now_ms());
        }
    }

    fn complete_all(&self) {
        for file in self.files() {
            self.world.logs.complete(&file.name, now_ms());
            self.world.logs.edit(&file.name, |file| file.listed = None);
        }
    }

    fn pause(&self) {
        self.complete_all();
        wait_until_settled();
    }

    async fn collect(&self) {
        self.world.collect().await;
    }

    async fn collect_with_store_fault(&mut self) {
        let fault = if self.rng.bool() { Fault::Failed } else { Fault::FailedButDone };
        let store = FaultyStore::new(self.world.store.clone(), fault, self.rng.u64(1..8));
        let archive = Archive::open(Arc::new(store) as Arc<dyn ObjectStore>).await.unwrap();
        drop(self.world.collect_from(&archive, &self.world.logs).await);
    }

    async fn collect_with_source_fault(&mut self) {
        let logs = self.world.logs.clone();
        let name = self.any_file();
        let length = logs.exposed(&name).len();
        let at = self.rng.usize(..=length);
        match self.rng.u8(0..6) {
            0 => logs.list_fails(true),
            1 => logs.lists_nothing(true),
            2 => logs.edit(&name, |file| file.breaks_after = Some(at)),
            3 => logs.edit(&name, |file| file.ends_after = Some(at)),
            4 => logs.edit(&name, |file| file.unreadable = Some(SourceErrorKind::Throttled)),
            _ => self.rotate_when_opened(&name),
        }
        drop(self.world.collect_from(&self.world.archive, &logs).await);
        logs.list_fails(false);
        logs.lists_nothing(false);
        logs.drop_hooks();
        for file in self.files() {
            logs.edit(&file.name, |file| {
                (file.breaks_after, file.ends_after, file.unreadable) = (None, None, None);
            });
        }
    }

    fn rotate_when_opened(&self, name: &str) {
        if self.postgres() {
            return;
        }
        let logs = self.world.logs.clone();
        self.world.logs.when_opened(name, move || {
            logs.rotate(now_ms());
            futures::future::ready(()).boxed()
        });
    }

    async fn collect_with_another(&mut self) {
        let name = self.any_file();
        let seed = self.rng.u64(..);
        let hidden = self.any_file();
        // Whoever sees a stderr log without its twin takes it for one that has none.
        let stem = |name: &str| name.trim_end_matches(".csv").to_owned();
        let view = self.world.logs.view(seed, |name| stem(name) != stem(&hidden));
        let other = World { logs: view, ..self.world.clone() };
        self.world.logs.when_opened(&name, move || async move { drop(other.collect().await) }.boxed());
        self.world.collect().await;
        self.world.logs.drop_hooks();
    }

    async fn derive(&mut self) {
        match self.rng.u8(0..4) {
            0 => self.table.fail(Fault::Failed, 1),
            1 => self.table.fail(Fault::FailedButDone, 1),
            _ => {}
        }
        drop(auditkeep_pipeline::derive::derive(&self.world.archive, &self.table, &|_| {}).await.unwrap());
        self.table.works();
    }

    async fn step(&mut self) {
        wait_ms(self.rng.i64(0..1000));
        match self.rng.u8(0..20) {
            0..=6 => self.grow(),
            7..=8 => self.rotate(),
            9 => self.pause(),
            10..=12 => self.collect().await,
            13 => self.collect_with_store_fault().await,
            14..=15 => self.collect_with_source_fault().await,
            16..=17 => self.collect_with_another().await,
            _ => self.derive().await,
        }
    }

    async fn end(&mut self, seed: u64) {
        self.pause();
        for _ in 0..2 {
            self.collect().await;
        }
        assert_eq!(self.world.collect().await.commits, 0, "it comes to rest");
        let files = self.files();
        self.world.assert_archived(&files).await;
        self.world.derive(&self.table).await;
        let rebuilt = RecordingTable::default();
        self.world.derive(&rebuilt).await;
        assert_rows(&self.table.events(), &rebuilt.events(), "in steps and at once");
        // A stderr log has a csvlog beside it in this simulation.
        let evidence: Vec<File> = files.into_iter().filter(|file| file.grammar != Grammar::Stderr).collect();
        assert_rows(&self.table.events(), &self.world.expected_events(&evidence), &format!("seed {seed}"));
        assert!(self.table.problems().is_empty());
    }
}

/// Says which seed it was if a test ends in the middle of it.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("it was seed {}", self.0);
        }
    }
}

async fn nothing_is_lost_and_nothing_doubled(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let _told = Seed(seed);
        let mut simulation = Simulation::new(seed).await;
        for _ in 0..STEPS {
            simulation.step().await;
        }
        simulation.end(seed).await;
    }
}

// In two halves, which run at the same time.

#[tokio::test]
async fn whatever_happens_first_half() {
    nothing_is_lost_and_nothing_doubled(0..100).await;
}

#[tokio::test]
async fn whatever_happens_second_half() {
    nothing_is_lost_and_nothing_doubled(100..200).await;
}
