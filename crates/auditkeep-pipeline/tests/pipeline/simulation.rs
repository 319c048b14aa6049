//! Random histories of a database, its collectors and the store: growth, rotation, deletion, passes that succeed, fail, are
//! killed and get in each other's way at every call, seals, derivations.
//!
//! Each history follows from its seed. `AUDITKEEP_SEEDS=from..to` says which are run; `cargo xtask simulate` runs many. What
//! must be true at the end is in `judge.rs`. A file that has been quiet for long never ends inside a record here: what happens
//! then is no matter of chance.

#![expect(
    clippy::if_not_else,
    clippy::large_futures,
    clippy::similar_names,
    clippy::single_match_else,
    clippy::unnecessary_wraps,
    reason = "the steps of a history read in the order in which they may happen"
)]

mod database;
mod judge;
mod pace;

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use auditkeep_archive::archive::Archive;
use auditkeep_archive::seal;
use auditkeep_archive::trail::Stamp;
use auditkeep_core::engine::Engine;
use auditkeep_pipeline::collect::Inventory;
use auditkeep_pipeline::source::SourceErrorKind;
use fastrand::Rng;
use futures::FutureExt;
use object_store::ObjectStore;

use self::database::Database;
use self::pace::{Blow, Pace, Plan, SlowLogs, SlowStore};
use crate::faults::Fault;
use crate::logs::ScriptedLogs;
use crate::table::RecordingTable;
use crate::world::{World, key, now, now_ms, reset_clock, wait_ms, wait_until_settled};

/// Few enough that no file is settled while it ends inside a record.
const STEPS: usize = 30;
/// What `cargo test` runs.
const SEEDS: Range<u64> = 0..2000;
/// Seeds that have shown a mistake once: the same file under two names in one pass, and nothing left to say of it.
const SHOWN: [u64; 2] = [5_001_817, 5_004_697];

/// In so many histories every kind of thing happens that can be recorded.
const ENOUGH: usize = 1000;
const EVENTS: [&str; 7] = [
    "clock-went-back",
    "gap-closed",
    "gap-opened",
    "source-resumed",
    "source-silent",
    "source-started",
    "source-stopped",
];

struct Simulation {
    world: World,
    database: Database,
    table: RecordingTable,
    rng: Rng,
    store_is_gone: Arc<AtomicBool>,
    /// Some listings lack files that are there, so that gaps are opened and closed again.
    hides: bool,
    /// The highest that the clock ever showed.
    latest_ms: i64,
}

impl Simulation {
    async fn new(seed: u64) -> Self {
        reset_clock();
        let mut rng = Rng::with_seed(seed);
        let engine = if rng.bool() { Engine::Mariadb } else { Engine::Postgres };
        let mut world = World::new(engine, seed).await;
        world.silent_after = rng.bool().then(|| Duration::from_secs(rng.u64(1..5)));
        world.logs.largest_chunk(if rng.bool() { 500 } else { 10_000 });
        let database = Database::new(engine, world.logs.clone(), rng.u32(1..6));
        let hides = rng.bool();
        Self {
            world,
            database,
            table: RecordingTable::default(),
            rng,
            store_is_gone: Arc::default(),
            hides,
            latest_ms: now_ms(),
        }
    }

    fn store_is_gone(&self) -> bool {
        self.store_is_gone.load(Ordering::SeqCst)
    }

    fn pace(&mut self, plan: Option<Plan>, throttled: u8) -> Pace {
        Pace::new(self.rng.u64(..), plan, throttled, &self.store_is_gone)
    }

    fn plan(&mut self, blow: Blow) -> Option<Plan> {
        Some(Plan { blow, at: self.rng.u64(1..24), done: self.rng.bool() })
    }

    /// A pass of a process of its own, which may be killed.
    async fn pass(world: &World, logs: ScriptedLogs, pace: &Pace) {
        let store = SlowStore { inner: world.store.clone(), pace: pace.clone() };
        let logs = SlowLogs { inner: logs, pace: pace.clone() };
        let pass = async {
            if let Ok(archive) = Archive::open(Arc::new(store) as Arc<dyn ObjectStore>).await {
                // What fails here must not matter later.
                drop(world.collect_from(&archive, &logs).await);
            }
        };
        pace.run(pass).await;
    }

    async fn collect(&mut self, plan: Option<Plan>, throttled: u8) {
        let pace = self.pace(plan, throttled);
        Self::pass(&self.world, self.world.logs.clone(), &pace).await;
    }

    async fn collect_with_source_fault(&mut self) {
        let logs = self.world.logs.clone();
        let name = self.database.any_file(&mut self.rng);
        let at = self.rng.usize(..=logs.exposed(&name).len());
        match self.rng.u8(0..7) {
            0 => logs.list_fails(true),
            1 => logs.lists_nothing(true),
            2 => logs.edit(&name, |file| file.breaks_after = Some(at)),
            3 => logs.edit(&name, |file| file.ends_after = Some(at)),
            4 => logs.edit(&name, |file| file.unreadable = Some(SourceErrorKind::NotFound)),
            _ => self.rotate_when_opened(&name),
        }
        self.collect(None, 0).await;
        logs.list_fails(false);
        logs.lists_nothing(false);
        logs.drop_hooks();
        for file in self.database.files() {
            logs.edit(&file.name, |file| {
                (file.breaks_after, file.ends_after, file.unreadable) = (None, None, None);
            });
        }
    }

    fn rotate_when_opened(&mut self, name: &str) {
        let (database, mut rng) = (self.database.clone(), self.rng.fork());
        self.world.logs.when_opened(name, move || {
            database.rotate();
            database.grow(&mut rng);
            futures::future::ready(()).boxed()
        });
    }

    /// Two collectors, the database and somebody who seals, all at the same time.
    async fn collect_at_once(&mut self) {
        let with_seal = self.rng.u8(0..4) == 0;
        let blow = [Blow::Killed, Blow::Failed][self.rng.usize(..2)];
        let plan = self.plan(blow).filter(|plan| plan.at % 3 == 0);
        let (first, second) = (self.pace(None, 0), self.pace(plan, 0));
        let (writing, sealing) = (self.pace(None, 0), self.pace(None, 0));
        let view = self.partial_view();
        let mut rng = self.rng.fork();
        let (world, database) = (&self.world, &self.database);
        let writer = async {
            for _ in 0..rng.u8(0..6) {
                for _ in 0..rng.u8(0..20) {
                    writing.pause().await;
                }
                if rng.u8(0..4) == 0 {
                    database.rotate();
                }
                database.grow(&mut rng);
            }
        };
        let sealer = async {
            if with_seal {
                let store = SlowStore { inner: world.store.clone(), pace: sealing.clone() };
                if let Ok(archive) = Archive::open(Arc::new(store) as Arc<dyn ObjectStore>).await {
                    drop(seal::seal(&archive, &key(), &stamp()).await);
                }
            }
        };
        futures::join!(
            Self::pass(world, world.logs.clone(), &first),
            Self::pass(world, view, &second),
            writer,
            sealer
        );
    }

    /// What a second collector sees: everything as it will be, or a part of it as it is now.
    fn partial_view(&mut self) -> ScriptedLogs {
        if !self.hides || self.rng.bool() {
            return self.world.logs.clone();
        }
        let hidden = self.database.any_file(&mut self.rng);
        // Whoever sees a stderr log without its twin takes it for one that has none.
        let stem = |name: &str| name.trim_end_matches(".csv").to_owned();
        self.world.logs.view(self.rng.u64(..), |name| stem(name) != stem(&hidden))
    }

    async fn derive(&mut self) {
        if self.store_is_gone() {
            return;
        }
        match self.rng.u8(0..4) {
            0 => self.table.fail(Fault::Failed, 1),
            1 => self.table.fail(Fault::FailedButDone, 1),
            _ => {}
        }
        drop(auditkeep_pipeline::derive::derive(&self.world.archive, &self.table, &|_| {}).await.unwrap());
        self.table.works();
    }

    async fn seal(&mut self) {
        let plan = if self.rng.bool() { self.plan(Blow::Killed) } else { None };
        let pace = self.pace(plan, 0);
        let store = SlowStore { inner: self.world.store.clone(), pace: pace.clone() };
        let sealing = async {
            if let Ok(archive) = Archive::open(Arc::new(store) as Arc<dyn ObjectStore>).await {
                drop(seal::seal(&archive, &key(), &stamp()).await);
            }
        };
        pace.run(sealing).await;
    }

    /// An inventory in which the instance is missing.
    async fn miss(&mut self) {
        let mut inventory = Inventory {
            account: self.world.instance.account.clone(),
            region: self.world.instance.region.clone(),
            ..Inventory::default()
        };
        inventory.collected.insert("db-another".to_owned());
        if !self.store_is_gone() {
            inventory.record_stopped(&self.world.archive, &key(), &stamp()).await.unwrap();
        }
    }

    /// Nobody collects for a while, and files are deleted that were not read to their end.
    fn neglect(&mut self) {
        for _ in 0..self.rng.u32(1..=self.database.keeps + 1) {
            self.database.grow(&mut self.rng);
            wait_ms(self.rng.i64(0..1500));
            self.database.rotate();
        }
    }

    fn set_clock_back(&mut self) {
        wait_ms(-self.rng.i64(0..3000));
    }

    async fn step(&mut self) {
        wait_ms(self.rng.i64(0..1000));
        self.latest_ms = self.latest_ms.max(now_ms());
        match self.rng.u8(0..32) {
            0..=8 => self.database.grow(&mut self.rng),
            9 => self.database.rotate(),
            10..=12 => self.neglect(),
            13 => self.pause(),
            14..=16 => self.collect(None, 0).await,
            17 => {
                let plan = self.plan(Blow::Killed);
                self.collect(plan, 0).await;
            }
            18 => {
                let plan = self.plan(Blow::Failed);
                self.collect(plan, 0).await;
            }
            19 => {
                let plan = self.plan(Blow::Gone);
                self.collect(plan, 0).await;
            }
            20 => self.store_is_gone.store(false, Ordering::SeqCst),
            21 => self.collect(None, 60).await,
            22..=23 => self.collect_with_source_fault().await,
            24..=27 => self.collect_at_once().await,
            28 => self.seal().await,
            29 => self.set_clock_back(),
            30 if self.rng.u8(0..4) == 0 => self.miss().await,
            _ => self.derive().await,
        }
    }

    fn pause(&self) {
        self.database.complete_all();
        wait_until_settled();
    }

    async fn end(&mut self, rebuild: bool) -> BTreeSet<String> {
        self.store_is_gone.store(false, Ordering::SeqCst);
        self.world.silent_after = None;
        // All records are whole by now, and nobody's clock is behind a file's time.
        wait_ms(self.latest_ms.max(now_ms()) - now_ms());
        self.pause();
        for _ in 0..2 {
            self.world.collect().await;
        }
        assert_eq!(self.world.collect().await.commits, 0, "it comes to rest");
        judge::judge(&self.world, &self.database, &self.table, rebuild, self.hides).await
    }
}

fn stamp() -> Stamp {
    Stamp { time: now(), writer: "test 1".to_owned() }
}

/// Returns the names of the control events that happened in it.
async fn history(seed: u64) -> BTreeSet<String> {
    let mut simulation = Simulation::new(seed).await;
    for _ in 0..STEPS {
        simulation.step().await;
    }
    // Deriving everything at once is the dear part, and is the same every time.
    simulation.end(seed.is_multiple_of(8)).await
}

fn chosen_seeds() -> Vec<u64> {
    let Ok(text) = std::env::var("AUDITKEEP_SEEDS") else { return SHOWN.into_iter().chain(SEEDS).collect() };
    let range = |(from, to): (&str, &str)| Some(from.parse().ok()?..to.parse().ok()?);
    let range = text.split_once("..").and_then(range);
    range.unwrap_or_else(|| panic!("AUDITKEEP_SEEDS is `{text}`, and should be like `0..100`")).collect()
}

/// Seeds that failed, and the control events of the others.
type Outcome = (Vec<u64>, BTreeSet<String>);

/// Runs seeds until there are none left.
fn run(seeds: &[u64], next: &AtomicUsize, begun: Instant) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (mut failed, mut happened) = Outcome::default();
    loop {
        let place = next.fetch_add(1, Ordering::Relaxed);
        let Some(&seed) = seeds.get(place).filter(|_| failed.len() < 3) else { return (failed, happened) };
        match catch_unwind(AssertUnwindSafe(|| runtime.block_on(history(seed)))) {
            Ok(events) => happened.extend(events),
            Err(_) => {
                println!("seed {seed} failed; it alone: cargo xtask simulate --from {seed} --seeds 1");
                failed.push(seed);
            }
        }
        let done = place + 1;
        if done.is_multiple_of(1000) {
            println!("{done} of {} histories, {} s", seeds.len(), begun.elapsed().as_secs());
        }
    }
}

#[test]
fn nothing_is_lost_and_nothing_doubled_whatever_happens() {
    let (seeds, begun) = (chosen_seeds(), Instant::now());
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| run(&seeds, &next, begun))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let failed: Vec<u64> = outcomes.iter().flat_map(|(failed, _)| failed.clone()).collect();
    assert!(failed.is_empty(), "seeds {failed:?} failed");
    let happened: BTreeSet<&str> =
        outcomes.iter().flat_map(|(_, events)| events).map(String::as_str).collect();
    println!("{} histories; in them {happened:?}", seeds.len());
    if seeds.len() >= ENOUGH {
        assert_eq!(happened, BTreeSet::from(EVENTS), "what must happen in that many histories");
    }
}
