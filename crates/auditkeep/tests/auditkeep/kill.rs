//! `kill -9` at random moments: collectors die again and again while logs grow and rotate, and in the end every byte is archived once.
//!
//! `AUDITKEEP_KILLS` sets how many processes are killed (200 if it is not set), `AUDITKEEP_KILL_SEED` what is written and when a
//! process is killed. The seed is printed, but repeats no run to the letter: what a process has done when it is killed is for the
//! machine to decide.
//!
//! A killed process loses nothing that it has written, unlike a machine that loses its power: whether what is said to be durable was
//! flushed is not seen here.

#![expect(
    clippy::case_sensitive_file_extension_comparisons,
    clippy::naive_bytecount,
    clippy::struct_field_names,
    clippy::wrong_self_convention,
    reason = "names here are the test's own, and records are short"
)]

mod collectors;
mod disk;
mod growth;
mod records;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use auditkeep_lab::emulator::{Behaviour, Emulator, EmulatorOptions};
use fastrand::Rng;
use serde_json::Value;

use crate::command::Home;
use collectors::{Collectors, Life, Work};
use disk::{Disk, News};
use growth::Growth;
use records::{number_in, numbered_pattern};
use sources::{Source, Sources};

const KILLS: usize = 200;
/// As a service in another building answers. It makes most of a pass a time in which segments are stored and not committed.
const LATENCY: Duration = Duration::from_millis(10);
/// After so many rounds the archive is verified, and a pass that nobody disturbs must work.
const ROUNDS_BETWEEN_CHECKS: usize = 40;

/// Where processes were when they were killed, as far as the archive tells: rounds after which that was seen, of those in which
/// no process lived to its end.
#[derive(Default)]
struct Hits {
    rounds: usize,
    all_killed: usize,
    killed: usize,
    ended: usize,
    no_trail: usize,
    nothing: usize,
    segments_only: usize,
    commit_and_segments: usize,
    commit_only: usize,
    staged_segment: usize,
    staged_commit: usize,
    staged_hint: usize,
    stale_hint: usize,
    tables: usize,
}

impl Hits {
    fn add(&mut self, news: &News, all_trails: bool) {
        self.all_killed += 1;
        self.no_trail += usize::from(!all_trails);
        self.staged_segment += usize::from(news.staged_segments > 0);
        self.staged_commit += usize::from(news.staged_commits > 0);
        self.staged_hint += usize::from(news.staged_hints > 0);
        self.stale_hint += usize::from(news.stale_hint);
        self.tables += usize::from(news.table_files > 0);
        match (news.commits > 0, news.unnamed > 0) {
            (false, false) => self.nothing += 1,
            (false, true) => self.segments_only += 1,
            (true, true) => self.commit_and_segments += 1,
            (true, false) => self.commit_only += 1,
        }
    }
}

impl fmt::Display for Hits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, what) in [
            (self.killed, "processes killed"),
            (self.ended, "processes ended by themselves"),
            (self.rounds, "rounds of one to five processes"),
            (self.all_killed, "rounds in which all were killed; after so many of them"),
            (self.no_trail, "  an instance had no trail yet"),
            (self.nothing, "  there was nothing new"),
            (self.segments_only, "  there were segments that no commit names"),
            (self.commit_and_segments, "  there was a commit, and segments of the next one"),
            (self.commit_only, "  there was a commit and nothing after it"),
            (self.stale_hint, "  the newest commit was not the one that the hint names"),
            (self.staged_segment, "  a segment was half put"),
            (self.staged_commit, "  a commit was half put"),
            (self.staged_hint, "  a hint was half put"),
            (self.tables, "  the tables had new files"),
        ] {
            writeln!(out, "{count:6} {what}")?;
        }
        Ok(())
    }
}

struct Bench {
    home: Home,
    emulator: Arc<Emulator>,
    collectors: Collectors,
    disk: Disk,
    rng: Rng,
}

impl Bench {
    async fn new(sources: &Sources, seed: u64) -> Self {
        let home = Home::with_archive();
        let emulator = Emulator::start(EmulatorOptions::loopback(sources.fleet())).await.unwrap();
        emulator.set_behaviour(Behaviour { latency: LATENCY, ..Behaviour::default() });
        let collectors = Collectors::new(emulator.endpoint());
        let disk = Disk::new(home.path("archive"));
        Self { home, emulator: Arc::new(emulator), collectors, disk, rng: Rng::with_seed(seed) }
    }

    /// Kills so many processes.
    fn kill(&mut self, kills: usize, growth: &Growth) -> Hits {
        let mut hits = Hits::default();
        // Nothing is archived when the first ones die, so a pass is measured on another archive.
        let mut takes = self.measure(&Home::with_archive());
        while hits.killed < kills {
            assert!(hits.rounds < 10 * kills, "too few were hit:\n{hits}");
            let work = if self.rng.u8(..10) == 0 { Work::ArchiveAndDerive } else { Work::Archive };
            let lives = self.draw_lives(takes[usize::from(work == Work::ArchiveAndDerive)]);
            let killed = self.collectors.live(&self.home, work, &lives);
            let news = self.disk.look();
            hits.rounds += 1;
            hits.killed += killed;
            hits.ended += lives.len() - killed;
            if killed == lives.len() {
                hits.add(&news, self.disk.trails() == growth.instances());
            }
            if hits.rounds.is_multiple_of(ROUNDS_BETWEEN_CHECKS) {
                self.assert_stands();
                takes = self.measure(&self.home);
                self.disk.look();
            }
        }
        hits
    }

    /// One, two or five collectors, which get in each other's way. The first is going to be killed, each of the others perhaps.
    fn draw_lives(&mut self, takes: Duration) -> Vec<Life> {
        let rng = &mut self.rng;
        let mut lives =
            vec![Life { begins_after: Duration::ZERO, killed_after: Some(takes.mul_f64(rng.f64())) }];
        for _ in 0..[0, 0, 0, 0, 0, 1, 1, 4][rng.usize(..8)] {
            let begins_after = takes.mul_f64(rng.f64());
            let killed_after = rng.bool().then(|| takes.mul_f64(rng.f64()));
            lives.push(Life { begins_after, killed_after });
        }
        lives
    }

    /// How long passes take that nobody disturbs: one that archives, and one that derives too.
    fn measure(&self, home: &Home) -> [Duration; 2] {
        [Work::Archive, Work::ArchiveAndDerive].map(|work| self.collectors.undisturbed(home, work).1)
    }

    /// The archive is sound, and the only objects too many are segments that were stored and not committed: no half-written file is
    /// taken for an object. Returns how many bytes of log it vouches for.
    fn assert_stands(&mut self) -> u64 {
        self.disk.look();
        let verified = self.home.run(&["verify", "--json"]).succeeds().json();
        assert_eq!(verified["verdict"], "OK", "{verified}");
        let findings = verified["findings"].as_array().unwrap();
        assert!(findings.iter().all(|finding| finding["verdict"] == "EXTRA"), "{findings:?}");
        let object = |finding: &Value| finding["object"].as_str().unwrap().to_owned();
        let extra: BTreeSet<String> = findings.iter().map(object).collect();
        assert_eq!((&extra, findings.len()), (&self.disk.unnamed(), extra.len()));
        verified["raw_bytes"].as_u64().unwrap()
    }

    /// Nobody writes, nobody kills: one pass brings what is missing, and after it there is nothing to do.
    fn come_to_rest(&mut self, sources: &mut Sources) {
        self.disk.leave_half_puts();
        sources.settle();
        self.emulator.set_fleet(sources.fleet()).unwrap();
        self.collectors.undisturbed(&self.home, Work::Archive);
        let again = self.collectors.undisturbed(&self.home, Work::Archive).0.json();
        assert_eq!((&again["new_bytes"], &again["commits"]), (&0.into(), &0.into()), "{again}");
        assert_eq!(self.assert_stands(), sources.total_bytes());
        self.disk.assert_unnamed_are_whole();
    }

    /// Each log comes back byte for byte, and there is no other.
    fn assert_raw_bytes(&self, source: &Source) {
        let files = source.files.iter().filter(|file| !file.bytes.is_empty());
        let mut expected: BTreeMap<&[u8], _> = files.map(|file| (first_line(&file.bytes), file)).collect();
        let of_instance = ["export", "raw", "--instance", source.name];
        for archived in self.home.run(&[&of_instance[..], &["--json"]].concat()).succeeds().rows() {
            let [log, generation] = ["log", "generation"].map(|key| archived[key].as_str().unwrap());
            let copy = self.home.path(generation);
            let wanted = ["--log", log, "--generation", generation, "-o", copy.to_str().unwrap()];
            self.home.run(&[&of_instance[..], &wanted].concat()).succeeds();
            let bytes = std::fs::read(copy).unwrap();
            let file = expected.remove(first_line(&bytes)).unwrap();
            assert!(file.bytes == bytes, "{} differs: {archived}", file.name);
        }
        let missing: Vec<&String> = expected.values().map(|file| &file.name).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    /// Each numbered statement is one event.
    fn assert_events(&self, numbered: u64) {
        self.home.run(&["derive"]).succeeds();
        let query = |sql: &str| self.home.run(&["query", "--json", sql]).succeeds().rows();
        let sql = format!("select statement from events where statement like '{}'", numbered_pattern());
        let number = |row: &Value| number_in(row["statement"].as_str().unwrap()).unwrap();
        let mut found: Vec<u64> = query(&sql).iter().map(number).collect();
        found.sort_unstable();
        assert!(found.into_iter().eq(1..=numbered));
        let problems = query("select reason, count(*) as n from problems group by reason");
        assert!(problems.is_empty(), "{problems:?}");
    }
}

fn first_line(bytes: &[u8]) -> &[u8] {
    bytes.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default()
}

fn from_environment<T: FromStr<Err: fmt::Debug>>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_it_loses_nothing_and_doubles_nothing() {
    let kills = from_environment("AUDITKEEP_KILLS").unwrap_or(KILLS);
    let seed = from_environment("AUDITKEEP_KILL_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("AUDITKEEP_KILLS={kills} AUDITKEEP_KILL_SEED={seed}");
    let mut sources = Sources::new(seed);
    sources.grow();
    let mut bench = Bench::new(&sources, seed).await;
    let sources = Arc::new(Mutex::new(sources));

    let growth = Growth::start(Arc::clone(&bench.emulator), Arc::clone(&sources));
    let hits = bench.kill(kills, &growth);
    growth.stop();
    println!("{hits}");
    let mut sources = sources.lock().unwrap();
    bench.come_to_rest(&mut sources);

    thread::scope(|scope| {
        for source in sources.created() {
            scope.spawn(|| bench.assert_raw_bytes(source));
        }
    });
    bench.assert_events(sources.numbered);
    // Reading has changed nothing.
    assert_eq!(bench.assert_stands(), sources.total_bytes());

    // Kills that miss everything that matters would prove nothing.
    let segments_left = hits.segments_only + hits.commit_and_segments;
    let commits_left = hits.commit_only + hits.commit_and_segments;
    assert!(segments_left >= kills / 50 && commits_left >= kills / 50, "{hits}");
}
