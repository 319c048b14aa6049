//! Simulated databases that change between two calls or during one, and clocks that move them.

use std::time::Duration;

use auditkeep_lab::clock::Clock;
use auditkeep_lab::emulator::switches::ReadingFlaw;
use auditkeep_lab::emulator::{Emulator, EmulatorOptions};
use auditkeep_lab::simulate::{Estate, Event, Failover, InstanceOptions, Layout, ServerAudit, Status};

use crate::lab::client;
use crate::world::{LIVE, NAME, World, lines, mariadb, nine, world};

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
    // A closed file does not grow.
    world.database().rotate();
    assert!(world.get(&format!("{LIVE}.1")).await == read);
    assert_eq!(world.emulator.counts().faults_of("grow-while-read"), 1);
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
