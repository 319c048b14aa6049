//! Simulated databases over HTTP: what they show, what they keep, and what happens between and during calls.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::time::Duration;

use auditkeep_lab::clock::Clock;
use auditkeep_lab::emulator::switches::{ReadingFlaw, Rule, Switch, When};
use auditkeep_lab::emulator::{Behaviour, Emulator, EmulatorOptions};
use auditkeep_lab::simulate::{
    AuroraAudit, Database, Estate, Event, Exposed, Failover, InstanceOptions, Layout, NamePattern,
    PostgresLogs, ServerAudit, Status,
};
use aws_sdk_rds::Client;
use aws_sdk_rds::error::ProvideErrorMetadata;
use jiff::Timestamp;

use crate::lab::{Signing, client, signed};

const NAME: &str = "orders";
const LIVE: &str = "audit/server_audit.log";

struct World {
    emulator: Emulator,
    /// One for all calls: making a client reads the machine's certificates.
    http: reqwest::Client,
    rds: Client,
    clock: Clock,
    estate: Estate,
}

fn nine() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

fn options(engine: &str, layout: Layout, record_every: Option<Duration>) -> InstanceOptions {
    InstanceOptions {
        name: NAME.to_owned(),
        engine: engine.to_owned(),
        engine_version: "1".to_owned(),
        cluster: None,
        layout,
        record_every,
        age: Duration::ZERO,
    }
}

fn mariadb(record_every: Option<Duration>) -> InstanceOptions {
    let layout = Layout::ServerAudit(ServerAudit { rotate_bytes: 20_000, rotations: 3, mysql: false });
    options("mariadb", layout, record_every)
}

fn lines(bytes: &[u8]) -> usize {
    bytes.split_inclusive(|byte| *byte == b'\n').count()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

async fn world(instance: InstanceOptions) -> World {
    let clock = Clock::manual(nine());
    let estate = Estate::new(clock.clone(), 7);
    estate.create(instance).unwrap();
    let emulator = Emulator::start(EmulatorOptions::simulated(estate.clone())).await.unwrap();
    World { rds: client(&emulator), http: reqwest::Client::new(), emulator, clock, estate }
}

impl World {
    fn database(&self) -> std::sync::Arc<Database> {
        self.estate.database(NAME).unwrap()
    }

    fn flaw(&self, flaw: ReadingFlaw) {
        let rules = vec![Rule::always(Switch::Reading(flaw)).when(When::every(1))];
        self.emulator.set_behaviour(Behaviour { rules, ..Behaviour::default() });
    }

    /// Name, size and time of each file, by name.
    async fn list(&self) -> Vec<(String, i64, i64)> {
        let answer = self.rds.describe_db_log_files().db_instance_identifier(NAME).send().await.unwrap();
        let file = |file: &aws_sdk_rds::types::DescribeDbLogFilesDetails| {
            (file.log_file_name().unwrap().to_owned(), file.size().unwrap(), file.last_written().unwrap())
        };
        let mut files: Vec<_> = answer.describe_db_log_files().iter().map(file).collect();
        files.sort();
        files
    }

    async fn names(&self) -> Vec<String> {
        self.list().await.into_iter().map(|(name, _, _)| name).collect()
    }

    async fn get(&self, file: &str) -> Vec<u8> {
        let url = format!("{}/v13/downloadCompleteLogFile/{NAME}/{file}", self.emulator.endpoint());
        let answer = self.http.execute(signed("GET", &url, "", &Signing::default())).await.unwrap();
        assert_eq!(answer.status(), 200, "{file}");
        answer.bytes().await.unwrap().to_vec()
    }

    /// The files of all databases that ever were.
    fn exposed(&self) -> Vec<Exposed> {
        self.estate.truth().into_iter().flat_map(|truth| truth.files).collect()
    }

    async fn listing_error(&self) -> Option<String> {
        let error = self.rds.describe_db_log_files().db_instance_identifier(NAME).send().await.unwrap_err();
        error.code().map(str::to_owned)
    }
}

#[tokio::test]
async fn every_engine_shows_files_that_are_the_truth() {
    let minute = Some(Duration::from_mins(1));
    for (engine, expected) in [
        ("mysql", vec![LIVE.to_owned()]),
        ("mariadb", vec![LIVE.to_owned()]),
        ("aurora-mysql", (0..4).map(|n| format!("audit/audit.log.{n}.2026-11-21-09-00.0")).collect()),
        (
            "postgres",
            ["09", "10", "11"].map(|hour| format!("error/postgresql.log.2026-11-21-{hour}")).to_vec(),
        ),
        (
            "aurora-postgresql",
            ["0900", "1000", "1100"].map(|time| format!("error/postgresql.log.2026-11-21-{time}")).to_vec(),
        ),
    ] {
        let world = world(options(engine, Layout::usual(engine).unwrap(), minute)).await;
        world.clock.advance(Duration::from_mins(150));
        let listed = world.list().await;
        assert_eq!(listed.iter().map(|(name, _, _)| name.clone()).collect::<Vec<_>>(), expected);
        let truth = world.exposed();
        for (name, size, last_written) in listed {
            let bytes = world.get(&name).await;
            assert_eq!(bytes.len(), usize::try_from(size).unwrap());
            assert!(truth.iter().any(|file| file.name() == name && file.bytes() == bytes), "{name}");
            assert_eq!(last_written % 1000, 0);
        }
        let lines: usize = truth.iter().map(|file| lines(&file.bytes())).sum();
        assert!(lines >= 150, "{engine}: {lines}");
        world.emulator.shutdown().await;
    }
}

#[tokio::test]
async fn a_csv_twin_has_the_same_hours() {
    let layout = Layout::Postgres(PostgresLogs {
        rotate_every: Duration::from_hours(1),
        rotate_bytes: None,
        pattern: NamePattern::Hour,
        csv: true,
        keep: Duration::from_hours(2),
        storage_bytes: None,
    });
    let world = world(options("postgres", layout, Some(Duration::from_secs(30)))).await;
    world.clock.advance(Duration::from_hours(6));
    let names = ["13", "13.csv", "14", "14.csv", "15", "15.csv"];
    assert_eq!(world.names().await, names.map(|end| format!("error/postgresql.log.2026-11-21-{end}")));
    let deleted: Vec<_> = world.exposed().iter().filter_map(Exposed::deleted_ms).collect();
    assert_eq!(deleted.len(), 8);
    world.emulator.shutdown().await;
}

#[tokio::test]
async fn renamed_files_keep_their_content_until_it_is_overwritten() {
    let world = world(mariadb(Some(Duration::from_millis(500)))).await;
    world.clock.advance(Duration::from_mins(3));
    let before = world.get(&format!("{LIVE}.1")).await;
    let (generation, written) = {
        let truth = world.exposed();
        let file = truth.iter().find(|file| file.bytes() == before).unwrap();
        (file.generation(), file.size())
    };
    world.database().rotate();
    assert!(world.get(&format!("{LIVE}.2")).await == before);
    world.clock.advance(Duration::from_hours(1));
    assert_eq!(world.names().await, [LIVE, &format!("{LIVE}.1"), &format!("{LIVE}.2"), &format!("{LIVE}.3")]);
    let truth = world.exposed();
    let gone = truth.iter().find(|file| file.generation() == generation).unwrap();
    assert!(gone.deleted_ms().is_some() && gone.bytes() == before && gone.size() == written);
    let names: Vec<&str> = gone.names().map(|(_, name)| name).collect();
    assert_eq!(names, [LIVE, &format!("{LIVE}.1"), &format!("{LIVE}.2"), &format!("{LIVE}.3")]);
    world.emulator.shutdown().await;
}

#[tokio::test]
async fn short_storage_compresses_in_place_and_deletes_early() {
    let layout = Layout::usual("aurora-postgresql").unwrap();
    let world = world(options("aurora-postgresql", layout, Some(Duration::from_secs(10)))).await;
    world.clock.advance(Duration::from_mins(70));
    let first = "error/postgresql.log.2026-11-21-0900";
    let plain = world.get(first).await;
    assert!(world.database().press());
    assert_eq!(
        world.names().await,
        [format!("{first}.gz"), "error/postgresql.log.2026-11-21-1000".to_owned()]
    );
    let zipped = world.get(&format!("{first}.gz")).await;
    assert!(gunzip(&zipped) == plain && world.exposed()[0].bytes() == plain);
    // The portion API shows the text.
    let portion = world
        .rds
        .download_db_log_file_portion()
        .db_instance_identifier(NAME)
        .log_file_name(format!("{first}.gz"))
        .marker("0")
        .number_of_lines(3)
        .send()
        .await
        .unwrap();
    assert!(portion.log_file_data().unwrap().starts_with("2026-11-21 09:00:"));
    assert!(world.database().press() && !world.database().press());
    assert_eq!(world.names().await, ["error/postgresql.log.2026-11-21-1000"]);
    world.emulator.shutdown().await;
}

#[tokio::test]
async fn it_rotates_between_listing_and_download() {
    let world = world(mariadb(None)).await;
    world.database().write(20);
    world.flaw(ReadingFlaw::RotateAfterList);
    let listed = world.list().await;
    assert_eq!(listed.len(), 1);
    assert!(world.get(LIVE).await.is_empty());
    assert_eq!(world.get(&format!("{LIVE}.1")).await.len(), usize::try_from(listed[0].1).unwrap());
    assert_eq!(world.emulator.counts().faults_of("rotate-after-list"), 1);
    world.emulator.shutdown().await;
}

#[tokio::test]
async fn it_rotates_between_two_portions() {
    let world = world(mariadb(None)).await;
    world.database().write(20);
    world.flaw(ReadingFlaw::RotateAfterPortion);
    let portion = |marker: String| {
        let call = world.rds.download_db_log_file_portion().db_instance_identifier(NAME).log_file_name(LIVE);
        call.marker(marker).number_of_lines(5).send()
    };
    let first = portion("0".to_owned()).await.unwrap();
    assert_eq!(first.log_file_data().unwrap().lines().count(), 5);
    world.database().write(100);
    let second = portion(first.marker().unwrap().to_owned()).await.unwrap();
    // As the portion API shows bytes that are not ASCII.
    let shown = |bytes: Vec<u8>| {
        bytes.iter().map(|b| if b.is_ascii() { char::from(*b) } else { '?' }).collect::<String>()
    };
    let [old, new] = [0, 1].map(|index| shown(world.exposed()[index].bytes()));
    let (read, at) = (second.log_file_data().unwrap(), first.log_file_data().unwrap().len());
    assert!(new[at..].starts_with(read) && !old[at..].starts_with(read));
    assert_eq!(world.emulator.counts().faults_of("rotate-after-portion"), 2);
    world.emulator.shutdown().await;
}

#[tokio::test]
async fn who_looks_often_enough_sees_every_byte() {
    for engine in ["mariadb", "aurora-mysql", "aurora-postgresql"] {
        let layout = match engine {
            "mariadb" => mariadb(None).layout,
            "aurora-mysql" => {
                Layout::AuroraAudit(AuroraAudit { rotate_bytes: 5000, keep: Duration::from_mins(2) })
            }
            _ => Layout::Postgres(PostgresLogs {
                rotate_every: Duration::from_mins(5),
                rotate_bytes: Some(20_000),
                pattern: NamePattern::Minute,
                csv: true,
                keep: Duration::from_hours(1),
                storage_bytes: Some(60_000),
            }),
        };
        let world = world(options(engine, layout, Some(Duration::from_millis(700)))).await;
        let mut seen = BTreeSet::new();
        for _ in 0..30 {
            world.clock.advance(Duration::from_secs(20));
            for name in world.names().await {
                let bytes = world.get(&name).await;
                seen.insert(if name.contains(".gz") { gunzip(&bytes) } else { bytes });
            }
        }
        let truth: Vec<(Exposed, Vec<u8>)> =
            world.exposed().into_iter().map(|file| (file.clone(), file.bytes())).collect();
        let gone = truth.iter().filter(|(file, _)| file.deleted_ms().is_some()).count();
        assert!(gone > 2, "{engine}: {gone} files are gone");
        for (file, bytes) in &truth {
            assert!(seen.contains(bytes), "{engine}: {} was never seen whole", file.name());
        }
        // Nothing was read that is not in the truth.
        for seen in seen {
            assert!(truth.iter().any(|(_, bytes)| bytes.starts_with(&seen)), "{engine}");
        }
        world.emulator.shutdown().await;
    }
}

#[tokio::test]
async fn a_database_can_live_by_the_real_clock() {
    let estate = Estate::new(Clock::real(), 7);
    estate.create(mariadb(Some(Duration::from_millis(10)))).unwrap();
    let emulator = Emulator::start(EmulatorOptions::simulated(estate.clone())).await.unwrap();
    let world = World {
        rds: client(&emulator),
        http: reqwest::Client::new(),
        emulator,
        clock: Clock::real(),
        estate,
    };
    let first = world.get(LIVE).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let second = world.get(LIVE).await;
    assert!(lines(&second) >= lines(&first) + 9 && second.starts_with(&first));
    world.emulator.shutdown().await;
}

#[tokio::test]
async fn it_rotates_during_a_download() {
    for by_name in [false, true] {
        let world = world(InstanceOptions {
            layout: Layout::ServerAudit(ServerAudit { rotate_bytes: 1 << 30, rotations: 9, mysql: true }),
            ..mariadb(None)
        })
        .await;
        world.database().write(3000);
        let whole = world.exposed()[0].bytes();
        assert!(whole.len() > 300_000);
        world.flaw(ReadingFlaw::RotateWhileRead { after_bytes: 100_000, by_name });
        let read = world.get(LIVE).await;
        if by_name {
            // The new file is shorter than what was read: a proper end of half a file.
            assert!(read.len() >= 100_000 && read.len() < whole.len() && whole.starts_with(&read));
        } else {
            assert!(read == whole);
        }
        assert_eq!(world.names().await, [LIVE, &format!("{LIVE}.1")]);
        assert_eq!(world.emulator.counts().faults_of("rotate-while-read"), 1);
        world.emulator.shutdown().await;
    }
}

#[tokio::test]
async fn files_grow_while_they_are_read() {
    let world = world(mariadb(None)).await;
    world.database().write(50);
    let listed = world.list().await[0].1;
    world.flaw(ReadingFlaw::GrowWhileRead { records: 7 });
    let read = world.get(LIVE).await;
    assert!(read.len() > usize::try_from(listed).unwrap());
    assert!(read == world.exposed()[0].bytes());
    assert_eq!(lines(&read), 57);
    world.emulator.shutdown().await;
}

#[tokio::test]
async fn a_failover_resets_files_or_brings_others() {
    let world = world(mariadb(None)).await;
    world.database().write(50);
    world.database().rotate();
    world.database().write(10);
    let old = world.get(LIVE).await;
    world.estate.happen(NAME, Event::FailOver(Failover::EmptiedFiles)).unwrap();
    world.database().write(3);
    assert_eq!(world.names().await, [LIVE, &format!("{LIVE}.1")]);
    let new = world.get(LIVE).await;
    assert!(!old.starts_with(&new) && !new.is_empty());
    world.estate.happen(NAME, Event::FailOver(Failover::NewFiles)).unwrap();
    assert_eq!(world.list().await.iter().map(|(_, size, _)| *size).collect::<Vec<_>>(), [0]);
    let exposed = world.exposed();
    assert!([old, new].iter().all(|bytes| exposed.iter().any(|file| file.bytes() == *bytes)));
    world.emulator.shutdown().await;
}

#[tokio::test]
async fn instances_come_and_go_at_their_times() {
    let world = world(mariadb(None)).await;
    world.database().write(5);
    let seconds = Duration::from_secs;
    let late = InstanceOptions { name: "late".to_owned(), ..mariadb(None) };
    world.estate.plan(seconds(10), "late", Event::Create(Box::new(late)));
    world.estate.plan(seconds(20), NAME, Event::Status(Status::Rebooting));
    world.estate.plan(seconds(30), NAME, Event::Status(Status::Available));
    world.estate.plan(seconds(40), NAME, Event::Restore);
    world.estate.plan(seconds(50), NAME, Event::Rename { to: "archive".to_owned() });
    world.estate.plan(seconds(60), "archive", Event::Delete);
    let described = || async {
        let answer = world.rds.describe_db_instances().send().await.unwrap();
        let instance = |db: &aws_sdk_rds::types::DbInstance| {
            (
                db.db_instance_identifier().unwrap().to_owned(),
                db.db_instance_status().unwrap().to_owned(),
                db.dbi_resource_id().unwrap().to_owned(),
            )
        };
        answer.db_instances().iter().map(instance).collect::<Vec<_>>()
    };
    let first = described().await;
    assert_eq!(first.len(), 1);
    world.clock.advance(seconds(10));
    assert_eq!(described().await.len(), 2);
    world.clock.advance(seconds(10));
    assert_eq!(described().await[1].1, "rebooting");
    assert_eq!(world.listing_error().await.as_deref(), Some("DBInstanceNotReady"));
    world.clock.advance(seconds(10));
    assert_eq!(world.list().await.len(), 1);
    world.clock.advance(seconds(10));
    let restored = described().await;
    assert_eq!(restored[1].0, first[0].0);
    assert_ne!(restored[1].2, first[0].2);
    assert_eq!(world.list().await[0].1, 0);
    world.clock.advance(seconds(10));
    let renamed = described().await;
    assert_eq!((renamed[0].0.as_str(), &renamed[0].2), ("archive", &restored[1].2));
    assert_eq!(world.listing_error().await.as_deref(), Some("DBInstanceNotFound"));
    world.clock.advance(seconds(10));
    assert_eq!(described().await.len(), 1);
    // The truth outlives the instances.
    assert_eq!(world.estate.truth().len(), 3);
    assert!(world.exposed()[0].size() > 0 && world.exposed()[0].deleted_ms().is_some());
    world.emulator.shutdown().await;
}

#[tokio::test]
async fn more_than_a_thousand_files_come_in_pages() {
    let layout = Layout::Postgres(PostgresLogs {
        rotate_every: Duration::from_mins(1),
        rotate_bytes: None,
        pattern: NamePattern::Minute,
        csv: false,
        keep: Duration::from_hours(72),
        storage_bytes: None,
    });
    let world = world(options("postgres", layout, Some(Duration::from_secs(40)))).await;
    world.clock.advance(Duration::from_hours(25));
    assert_eq!(world.list().await.len(), 1000);
    let mut pages = world.rds.describe_db_log_files().db_instance_identifier(NAME).into_paginator().send();
    let mut files = 0;
    while let Some(page) = pages.next().await {
        files += page.unwrap().describe_db_log_files().len();
    }
    assert_eq!(files, 1501);
    world.emulator.shutdown().await;
}

#[tokio::test]
async fn a_seeded_clock_makes_the_same_world_of_the_same_calls() {
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let clock = Clock::seeded(nine(), seed, Duration::from_mins(2));
        let estate = Estate::new(clock, 7);
        estate.create(mariadb(Some(Duration::from_secs(1)))).unwrap();
        let emulator = Emulator::start(EmulatorOptions::simulated(estate.clone())).await.unwrap();
        let world = World {
            rds: client(&emulator),
            http: reqwest::Client::new(),
            emulator,
            clock: estate.clock().clone(),
            estate,
        };
        let mut run = Vec::new();
        for _ in 0..10 {
            run.push((world.list().await, world.get(LIVE).await));
        }
        runs.push(run);
        world.emulator.shutdown().await;
    }
    assert!(runs[0] == runs[1]);
    assert!(runs[0] != runs[2]);
    assert!(runs[0].windows(2).all(|pair| pair[0] != pair[1]));
}
