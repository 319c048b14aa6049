//! Scenarios, played over HTTP.

use std::time::{Duration, Instant};

use auditkeep_lab::clock::Clock;
use auditkeep_lab::emulator::switches::Operation;
use auditkeep_lab::emulator::{Emulator, EmulatorOptions};
use auditkeep_lab::scenario::{Scenario, Stage};
use aws_sdk_rds::Client;
use aws_sdk_rds::error::ProvideErrorMetadata;

use crate::lab::{Signing, client, signed};

async fn start(stage: Stage) -> (Emulator, Client) {
    let options = EmulatorOptions { behaviour: stage.behaviour, ..EmulatorOptions::simulated(stage.estate) };
    let emulator = Emulator::start(options).await.unwrap();
    let client = client(&emulator);
    (emulator, client)
}

/// Everything that an answer says, in one line.
async fn download(http: &reqwest::Client, emulator: &Emulator, instance: &str, file: &str) -> String {
    let url = format!("{}/v13/downloadCompleteLogFile/{instance}/{file}", emulator.endpoint());
    let answer = http.execute(signed("GET", &url, "", &Signing::default())).await.unwrap();
    let status = answer.status();
    match answer.bytes().await {
        // The request's id is the one thing that is never twice the same.
        Ok(bytes) if bytes.starts_with(b"<?xml") || bytes.starts_with(b"<Error") => format!("{status} error"),
        Ok(bytes) => format!("{status} {bytes:?}"),
        Err(_) => format!("{status} broken"),
    }
}

async fn list(rds: &Client, instance: &str) -> Result<Vec<(String, i64)>, String> {
    let answer = rds.describe_db_log_files().db_instance_identifier(instance).send().await;
    let answer = answer.map_err(|error| error.code().unwrap_or("no code").to_owned())?;
    let files = answer.describe_db_log_files().iter();
    Ok(files.map(|file| (file.log_file_name().unwrap().to_owned(), file.size().unwrap())).collect())
}

#[tokio::test]
async fn one_seed_plays_one_day() {
    let scenario = |seed: u32| {
        format!(
            "seed = {seed}\n{}",
            r#"
            clock = { start = "2026-11-21T09:00:00Z", longest_step = "4s" }

            [[instances]]
            name = "orders"
            count = 3
            engine = "mariadb"
            record_every = "200ms"
            rotate_bytes = 10_000
            rotations = 10

            [[events]]
            at = "1m"
            instance = "orders-2"
            event = "restore"

            [[limits]]
            calls = 3
            burst = 6
            per = "10s"

            [[rules]]
            switch = { connection = { cut = { after_bytes = 500 } } }
            when = { probability = 0.2 }

            [[rules]]
            switch = { refuse = "service-unavailable" }
            when = { from = "40s", until = "50s" }

            [[rules]]
            switch = { reading = "rotate-after-list" }
            when = { every = 5 }
            "#
        )
    };
    let (mut runs, http) = (Vec::new(), reqwest::Client::new());
    for seed in [1, 1, 2] {
        let (emulator, rds) = start(Scenario::parse(&scenario(seed)).unwrap().stage().unwrap()).await;
        let mut run = Vec::new();
        for round in 0..20 {
            let instance = format!("orders-{}", round % 3 + 1);
            run.push(format!("{:?}", list(&rds, &instance).await));
            run.push(download(&http, &emulator, &instance, "audit/server_audit.log").await);
        }
        let counts = emulator.counts();
        runs.push((run, counts.faults, counts.bytes_sent));
        emulator.shutdown().await;
    }
    assert!(runs[0] == runs[1]);
    assert!(runs[0].0 != runs[2].0);
    let kinds: Vec<&str> = runs[0].1.keys().copied().collect();
    assert_eq!(kinds, ["cut", "rotate-after-list", "service-unavailable", "throttle"], "{:?}", runs[0].1);
}

#[tokio::test]
async fn the_bad_day_loses_nothing_to_who_asks_again() {
    let text = include_str!("../../scenarios/bad-day.toml");
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse().unwrap());
    let stage = Scenario::parse(text).unwrap().stage_at(clock.clone()).unwrap();
    let estate = stage.estate.clone();
    let (emulator, rds) = start(stage).await;
    assert_eq!(rds.describe_db_instances().send().await.unwrap().db_instances().len(), 21);
    clock.advance(Duration::from_secs(10));
    let truth = estate.truth();
    assert_eq!(truth.len(), 21);
    let http = reqwest::Client::new();
    for instance in ["orders-01", "ledger-2", "events"] {
        let database = estate.database(instance).unwrap();
        let truth = truth.iter().find(|truth| truth.resource_id == database.resource_id()).unwrap();
        for file in
            truth.files.iter().filter(|file| file.deleted_ms().is_none() && !file.name().contains(".gz"))
        {
            let whole = format!("200 OK {:?}", bytes::Bytes::from(file.bytes()));
            let mut tries = 0;
            // A file that grew while it was read begins with what it was.
            while !download(&http, &emulator, instance, file.name())
                .await
                .starts_with(whole.trim_end_matches('"'))
            {
                tries += 1;
                assert!(tries < 20, "{instance} {}", file.name());
            }
        }
    }
    clock.advance(Duration::from_mins(3));
    let names = rds.describe_db_instances().send().await.unwrap();
    let names: Vec<_> = names.db_instances().iter().filter_map(|db| db.db_instance_identifier()).collect();
    assert!(names.contains(&"orders-old") && !names.contains(&"orders-06") && !names.contains(&"reader"));
    assert_eq!(estate.truth().len(), 23);
    for _ in 0..30 {
        let _ = list(&rds, "orders-01").await;
    }
    assert!(emulator.counts().faults_of("lag") > 3, "{:?}", emulator.counts());
    emulator.shutdown().await;
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
async fn ten_thousand_instances_are_cheap() {
    let text = "[[instances]]\nname = 'fleet'\ncount = 10_000\nengine = 'mariadb'\nrecord_every = '10s'\nage = '1h'\n";
    let before = resident_bytes();
    let staged = Instant::now();
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse().unwrap());
    let (emulator, rds) = start(Scenario::parse(text).unwrap().stage_at(clock).unwrap()).await;
    let staged = staged.elapsed();

    let described = Instant::now();
    let mut pages = rds.describe_db_instances().into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        names.extend(
            page.unwrap()
                .db_instances()
                .iter()
                .filter_map(|db| db.db_instance_identifier().map(str::to_owned)),
        );
    }
    let described = described.elapsed();
    assert_eq!(names.len(), 10_000);

    let listed = Instant::now();
    for name in names.iter().step_by(100) {
        assert_eq!(list(&rds, name).await.unwrap().len(), 1);
    }
    let listed = listed.elapsed();
    let memory = resident_bytes().saturating_sub(before);
    println!(
        "10,000 instances: set up in {staged:?}, described in {described:?} ({} calls), 100 of them listed in {listed:?}, \
         {} MiB more",
        emulator.counts().calls_of(Operation::DescribeDBInstances),
        memory >> 20
    );
    // Other tests share the process and the machine: these bounds only notice what has become a different order.
    assert!(staged < Duration::from_secs(5) && described < Duration::from_secs(20) && memory < 400 << 20);
    emulator.shutdown().await;
}
