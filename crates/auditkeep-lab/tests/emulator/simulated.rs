//! What simulated databases show over HTTP: the engines' files, and the truth about them.

use std::collections::BTreeSet;
use std::time::Duration;

use auditkeep_lab::simulate::{AuroraAudit, Exposed, Layout, NamePattern, PostgresLogs};

use crate::world::{LIVE, NAME, gunzip, lines, mariadb, options, world};

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
