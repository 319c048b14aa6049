//! One instance with its logs, an archive, and how to compare the two.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::commit::Body;
use auditkeep_archive::control::{ControlLeaf, Event};
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::standing::Standing;
use auditkeep_archive::verify::verify;
use auditkeep_archive::{segment, trail};
use auditkeep_core::engine::Engine;
use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::key::SigningKey;
use auditkeep_pipeline::collect::{CollectError, Collector, FileError, FileOutcome, Pass, family, trail_id};
use auditkeep_pipeline::derive::{TrailPass, derive};
use auditkeep_pipeline::source::{Instance, LogFiles, SourceKind};
use jiff::Timestamp;
use object_store::ObjectStore;
use object_store::memory::InMemory;

use crate::logs::{File, ScriptedLogs};
use crate::table::{RecordingTable, Row};

/// 2026-11-21T08:00:00Z.
const START_MS: i64 = 1_795_248_000_000;
/// How long a file must be quiet to be settled.
pub const SETTLED_AFTER_MS: i64 = 3_600_000;

thread_local! {
    static CLOCK_MS: Cell<i64> = const { Cell::new(START_MS) };
}

/// The test's clock; each test thread has its own, and it stands still.
pub fn now_ms() -> i64 {
    CLOCK_MS.get()
}

/// For tests that must be the same on whatever thread they run.
pub fn reset_clock() {
    CLOCK_MS.set(START_MS);
}

pub fn wait_ms(ms: i64) {
    CLOCK_MS.set(CLOCK_MS.get() + ms);
}

/// Long enough for every file to be settled.
pub fn wait_until_settled() {
    wait_ms(SETTLED_AFTER_MS + 1000);
}

pub fn now() -> Timestamp {
    Timestamp::from_millisecond(now_ms()).unwrap()
}

pub fn key() -> SigningKey {
    SigningKey::from_seed("test", &[1; 32]).unwrap()
}

pub fn instance(engine: Engine, name: &str) -> Instance {
    Instance {
        account: "111122223333".to_owned(),
        region: "eu-central-1".to_owned(),
        resource_id: format!("db-{name}"),
        name: name.to_owned(),
        engine,
        cluster: None,
    }
}

#[derive(Clone)]
pub struct World {
    pub store: Arc<dyn ObjectStore>,
    pub archive: Archive,
    pub instance: Instance,
    pub logs: ScriptedLogs,
    pub silent_after: Option<Duration>,
}

impl World {
    pub async fn new(engine: Engine, seed: u64) -> Self {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let public = key().public().clone();
        let archive =
            Archive::create(store.clone(), "0".repeat(32), public, Timestamp::UNIX_EPOCH).await.unwrap();
        Self {
            store,
            archive,
            instance: instance(engine, "one"),
            logs: ScriptedLogs::new(seed),
            silent_after: None,
        }
    }

    pub fn trail(&self) -> String {
        trail_id(&self.instance, SourceKind::LogFiles)
    }

    /// A pass that must not end early.
    pub async fn collect(&self) -> Pass {
        self.collect_from(&self.archive, &self.logs).await.unwrap()
    }

    pub async fn collect_from(&self, archive: &Archive, logs: &dyn LogFiles) -> Result<Pass, CollectError> {
        let settled_after = Duration::from_millis(SETTLED_AFTER_MS.unsigned_abs());
        self.collect_as("test 1", settled_after, archive, logs).await
    }

    pub async fn collect_as(
        &self,
        writer: &str,
        settled_after: Duration,
        archive: &Archive,
        logs: &dyn LogFiles,
    ) -> Result<Pass, CollectError> {
        let key = key();
        let collector = Collector {
            archive,
            key: &key,
            writer,
            now,
            kind: SourceKind::LogFiles,
            settled_after,
            silent_after: self.silent_after,
            progress: &|_| {},
        };
        collector.collect(&self.instance, logs).await
    }

    /// All trails; none may fail.
    pub async fn derive(&self, table: &RecordingTable) -> Vec<TrailPass> {
        let passes = derive(&self.archive, table, &|_| {}).await.unwrap();
        for pass in &passes {
            assert!(pass.error.is_none(), "{:?}", pass.error);
        }
        passes
    }

    pub async fn commits(&self) -> Vec<Body> {
        let (trail, mut bodies) = (self.trail(), Vec::new());
        while let Some(head) = trail::read(&self.archive, &trail, bodies.len() as u64 + 1).await.unwrap() {
            bodies.push(head.body);
        }
        bodies
    }

    pub async fn commit_count(&self) -> u64 {
        trail::head(&self.archive, &self.trail()).await.unwrap().map_or(0, |head| head.body.number)
    }

    /// All control leaves so far, with the commits that they are in.
    pub async fn controls(&self) -> Vec<(u64, ControlLeaf)> {
        let of = |body: Body| {
            let controls = body.leaves.into_iter().filter_map(|leaf| leaf.control().cloned());
            controls.map(|leaf| (body.number, leaf)).collect::<Vec<_>>()
        };
        self.commits().await.into_iter().flat_map(of).collect()
    }

    /// Those of one event.
    pub async fn controls_of(&self, event: Event) -> Vec<ControlLeaf> {
        let controls = self.controls().await.into_iter().map(|(_, leaf)| leaf);
        controls.filter(|leaf| leaf.is(event)).collect()
    }

    /// After the last commit.
    pub async fn standing(&self) -> Standing {
        let head = trail::head(&self.archive, &self.trail()).await.unwrap();
        head.map(|head| head.body.standing()).unwrap_or_default()
    }

    /// The archived bytes by `<family>#<generation>`, put together from the segments of all commits.
    pub async fn archived(&self) -> BTreeMap<String, Vec<u8>> {
        self.archived_by(&self.commits().await).await
    }

    /// The same, of commits that were read already.
    pub async fn archived_by(&self, commits: &[Body]) -> BTreeMap<String, Vec<u8>> {
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for body in commits {
            for leaf in &body.leaves {
                let Leaf::Segment(leaf) = leaf else { continue };
                let file = files.entry(format!("{}#{}", family(&leaf.log), leaf.generation)).or_default();
                assert_eq!(file.len() as u64, leaf.from, "commit {} continues `{}`", body.number, leaf.log);
                file.extend(segment::read(&self.archive, leaf).await.unwrap());
            }
        }
        files
    }

    /// The archive holds exactly these files, each byte once, and vouches for them.
    pub async fn assert_archived(&self, files: &[File]) {
        self.assert_verified().await;
        let mut expected: Vec<(String, Vec<u8>)> = files
            .iter()
            .filter(|file| file.shown > 0)
            .map(|file| (key_of(file), file.exposed().to_vec()))
            .collect();
        expected.sort();
        let archived: Vec<(String, Vec<u8>)> = self.archived().await.into_iter().collect();
        let sizes = |files: &[(String, Vec<u8>)]| -> Vec<(String, usize)> {
            files.iter().map(|(key, bytes)| (key.clone(), bytes.len())).collect()
        };
        assert_eq!(sizes(&archived), sizes(&expected), "files and sizes");
        assert!(archived == expected, "the bytes differ");
    }

    pub async fn assert_verified(&self) {
        let report = verify(&self.archive, &[key().public().clone()], &|_| {}).await.unwrap();
        assert!(report.holds(false), "{:#?}", report.findings);
    }

    /// The events that the files' complete records must become.
    pub fn expected_events(&self, files: &[File]) -> Vec<Row> {
        let mut rows: Vec<Row> = files.iter().flat_map(|file| self.events_of(file)).collect();
        rows.sort();
        rows
    }

    fn events_of(&self, file: &File) -> Vec<Row> {
        let name = family(&file.name).rsplit('/').next().unwrap().to_owned();
        let complete = file.records.iter().filter(|(offset, length, _)| offset + length <= file.shown as u64);
        complete
            .filter(|(_, _, statement)| statement.is_some())
            .map(|(offset, length, statement)| Row {
                trail: self.trail(),
                file: format!("{name}#{}", generation(file)),
                offset: *offset,
                length: *length,
                statement: statement.clone(),
            })
            .collect()
    }
}

/// The file's cursor.
pub fn key_of(file: &File) -> String {
    format!("{}#{}", family(&file.name), generation(file))
}

/// What the archive knows the file by: its first record.
pub fn generation(file: &File) -> String {
    let length = file.records.first().map_or(file.shown, |(_, length, _)| usize::try_from(*length).unwrap());
    Sha256::of(&file.bytes[..length.min(64 << 10)]).short()
}

pub fn outcome<'a>(pass: &'a Pass, log: &str) -> &'a FileOutcome {
    &pass
        .files
        .iter()
        .find(|file| file.log == log)
        .unwrap_or_else(|| panic!("`{log}` was not listed"))
        .outcome
}

pub fn failure<'a>(pass: &'a Pass, log: &str) -> &'a FileError {
    pass.failures().find(|(name, _)| *name == log).unwrap_or_else(|| panic!("`{log}` did not fail")).1
}

/// Rows in the order of [`Row`], so that a difference is told in one line.
pub fn assert_rows(found: &[Row], expected: &[Row], about: &str) {
    let first = found.iter().zip(expected).find(|(found, expected)| found != expected);
    let short = |row: &Row| format!("{}@{}+{}", row.file, row.offset, row.length);
    let told = first.map(|(found, expected)| format!("{} instead of {}", short(found), short(expected)));
    assert!(found == expected, "{about}: {} rows, expected {}; first {told:?}", found.len(), expected.len());
}
