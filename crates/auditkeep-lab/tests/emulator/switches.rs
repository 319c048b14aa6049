//! The switches that need no simulated database, over HTTP: refusals, listings, portions, connections, counters.

use std::time::{Duration, Instant};

use auditkeep_lab::clock::Clock;
use auditkeep_lab::emulator::switches::{
    Chance, ConnectionFlaw, ListingFlaw, Operation, PortionFlaw, RateLimit, Refusal, Rule, Switch, When,
};
use auditkeep_lab::emulator::{Behaviour, Emulator, EmulatorOptions};
use aws_sdk_rds::Client;
use aws_sdk_rds::error::ProvideErrorMetadata;
use jiff::Timestamp;

use crate::lab::{Signing, client, fleet, memory, signed};

const FILE: &str = "error/postgresql.log.2026-11-02-09";

fn start_of_time() -> Timestamp {
    "2026-11-02T10:00:00Z".parse().unwrap()
}

/// An emulator with a clock that stands, and these rules.
async fn start(rules: Vec<Rule>) -> (Emulator, Client, Clock) {
    let clock = Clock::manual(start_of_time());
    let options = EmulatorOptions { clock: clock.clone(), ..EmulatorOptions::loopback(fleet()) };
    let emulator = Emulator::start(options).await.unwrap();
    emulator.set_behaviour(Behaviour { rules, ..Behaviour::default() });
    let client = client(&emulator);
    (emulator, client, clock)
}

async fn get(emulator: &Emulator, file: &str) -> reqwest::Response {
    let url = format!("{}/v13/downloadCompleteLogFile/orders/{file}", emulator.endpoint());
    reqwest::Client::new().execute(signed("GET", &url, "", &Signing::default())).await.unwrap()
}

/// The error code of a listing, or how many files it has.
async fn list(rds: &Client) -> Result<usize, String> {
    let answer = rds.describe_db_log_files().db_instance_identifier("orders").send().await;
    answer
        .map(|answer| answer.describe_db_log_files().len())
        .map_err(|error| error.code().unwrap_or("no code").to_owned())
}

#[tokio::test]
async fn refusals_have_the_codes_and_statuses_of_aws() {
    for (refusal, status, code) in [
        (Refusal::Throttle, 400, "Throttling"),
        (Refusal::InternalFailure, 500, "InternalFailure"),
        (Refusal::ServiceUnavailable, 503, "ServiceUnavailable"),
        (Refusal::NotReady, 400, "DBInstanceNotReady"),
        (Refusal::FileNotFound, 404, "DBLogFileNotFoundFault"),
        (Refusal::ErrorAsSuccess, 200, "InternalFailure"),
    ] {
        let (emulator, _, _) = start(vec![Rule::always(Switch::Refuse(refusal))]).await;
        let answer = get(&emulator, FILE).await;
        assert_eq!(answer.status(), status, "{refusal:?}");
        assert_eq!(answer.headers()["content-type"], "text/xml");
        let text = answer.text().await.unwrap();
        assert!(text.contains(&format!("<Code>{code}</Code>")), "{text}");
        emulator.shutdown().await;
    }
}

#[tokio::test]
async fn the_sdk_knows_what_it_is_refused_with() {
    let (emulator, rds, _) = start(vec![Rule::always(Switch::Refuse(Refusal::NotReady))]).await;
    let error = rds.describe_db_log_files().db_instance_identifier("orders").send().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_db_instance_not_ready_fault());
    assert_eq!(rds.describe_db_instances().send().await.unwrap().db_instances().len(), 3);
    let rules = vec![Rule::always(Switch::Refuse(Refusal::Throttle))];
    emulator.set_behaviour(Behaviour { rules, ..Behaviour::default() });
    let error = rds.describe_db_instances().send().await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Some("Throttling"), Some("Rate exceeded")));
    emulator.shutdown().await;
}

#[tokio::test]
async fn a_burst_of_errors_begins_and_ends_with_its_calls_or_its_time() {
    let outage = |when| Rule::always(Switch::Refuse(Refusal::ServiceUnavailable)).when(when);
    let (emulator, rds, clock) = start(vec![outage(When { times: Some(2), ..When::every(4) })]).await;
    let mut failed = Vec::new();
    for number in 1..=10 {
        if list(&rds).await.is_err() {
            failed.push(number);
        }
    }
    assert_eq!(failed, [4, 5, 8, 9]);

    let seconds = |n| Some(Duration::from_secs(n));
    let window = When { from: seconds(10), until: seconds(20), ..When::default() };
    emulator.set_behaviour(Behaviour { rules: vec![outage(window)], ..Behaviour::default() });
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(list(&rds).await.is_ok());
        clock.advance(Duration::from_secs(10));
    }
    assert_eq!(answers, [true, false, true]);
    assert_eq!(emulator.counts().faults_of("service-unavailable"), 5);
    emulator.shutdown().await;
}

#[tokio::test]
async fn the_same_seed_refuses_the_same_calls() {
    let when = When { probability: Some(Chance::of(0.5).unwrap()), ..When::default() };
    let rules = vec![Rule::always(Switch::Refuse(Refusal::InternalFailure)).when(when)];
    let (emulator, rds, _) = start(Vec::new()).await;
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        emulator.set_behaviour(Behaviour { rules: rules.clone(), seed, ..Behaviour::default() });
        let mut run = Vec::new();
        for _ in 0..32 {
            run.push(list(&rds).await.is_ok());
        }
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    emulator.shutdown().await;
}

#[tokio::test]
async fn calls_over_the_rate_are_throttled_until_time_has_passed() {
    let (emulator, rds, clock) = start(Vec::new()).await;
    let limit = RateLimit {
        operations: vec![Operation::DescribeDBLogFiles],
        calls: 1,
        per: Duration::from_secs(1),
        burst: 3,
    };
    emulator.set_behaviour(Behaviour { limits: vec![limit], ..Behaviour::default() });
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(list(&rds).await);
    }
    let throttled = || Err("Throttling".to_owned());
    assert_eq!(answers, [Ok(3), Ok(3), Ok(3), throttled(), throttled()]);
    assert_eq!(get(&emulator, FILE).await.status(), 200);
    clock.advance(Duration::from_secs(1));
    assert_eq!([list(&rds).await, list(&rds).await], [Ok(3), throttled()]);
    emulator.shutdown().await;
}

#[tokio::test]
async fn a_listing_may_be_empty_for_no_reason_and_have_old_values() {
    let empty = Rule::always(Switch::Listing(ListingFlaw::Empty)).when(When::every(2));
    let lag = Rule::always(Switch::Listing(ListingFlaw::Lag { by: Duration::from_secs(30), bytes: 6 }));
    let (emulator, rds, clock) = start(vec![empty, lag]).await;
    let mut fleet = fleet();
    let now_ms = clock.now_ms();
    fleet.instances[0].logs = memory(vec![(FILE.to_owned(), b"one\ntwo\nthree\n".to_vec(), now_ms)]);
    emulator.set_fleet(fleet).unwrap();
    let list = || rds.describe_db_log_files().db_instance_identifier("orders").send();

    let first = list().await.unwrap();
    let file = &first.describe_db_log_files()[0];
    assert_eq!((file.size(), file.last_written()), (Some(8), Some(now_ms - 30_000)));
    assert!(list().await.unwrap().describe_db_log_files().is_empty());
    clock.advance(Duration::from_secs(30));
    let third = list().await.unwrap();
    let file = &third.describe_db_log_files()[0];
    assert_eq!((file.size(), file.last_written()), (Some(14), Some(now_ms)));
    // The content was there all the time.
    assert_eq!(get(&emulator, FILE).await.bytes().await.unwrap().len(), 14);
    let counts = emulator.counts();
    assert_eq!((counts.faults_of("empty"), counts.faults_of("lag")), (1, 3));
    emulator.shutdown().await;
}

#[tokio::test]
async fn portions_may_overlap_or_be_called_binary() {
    let overlap = Rule::always(Switch::Portion(PortionFlaw::Overlap { bytes: 4 })).when(When::every(1));
    let (emulator, rds, _) = start(vec![overlap]).await;
    let portion = |marker: &str| {
        rds.download_db_log_file_portion()
            .db_instance_identifier("orders")
            .log_file_name(FILE)
            .marker(marker)
            .number_of_lines(2)
            .send()
    };
    let first = portion("0").await.unwrap();
    assert_eq!(first.log_file_data(), Some("one\ntwo\n"));
    let second = portion(first.marker().unwrap()).await.unwrap();
    assert_eq!(second.log_file_data(), Some("two\nthree\n"));

    let rules = vec![Rule::always(Switch::Portion(PortionFlaw::Binary))];
    emulator.set_behaviour(Behaviour { rules, ..Behaviour::default() });
    let error = portion("0").await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
    assert!(error.message().unwrap().starts_with("This file contains binary data"));
    assert_eq!(get(&emulator, FILE).await.status(), 200);
    emulator.shutdown().await;
}

async fn body_of(answer: reqwest::Response) -> (Vec<u8>, bool) {
    let mut answer = answer;
    let mut bytes = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return (bytes, true),
            Err(_) => return (bytes, false),
        }
    }
}

#[tokio::test]
async fn connections_are_cut_and_end_early_where_they_are_told_to() {
    let text: Vec<u8> = (0..50_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
    for (flaw, whole) in [
        (ConnectionFlaw::Cut { after_bytes: 100_001 }, false),
        (ConnectionFlaw::EndEarly { after_bytes: 100_001 }, true),
    ] {
        let (emulator, _, _) = start(vec![Rule::always(Switch::Connection(flaw))]).await;
        let mut fleet = fleet();
        fleet.instances[0].logs = memory(vec![("error/big".to_owned(), text.clone(), 0)]);
        emulator.set_fleet(fleet).unwrap();
        let (bytes, ended_well) = body_of(get(&emulator, "error/big").await).await;
        assert_eq!(ended_well, whole);
        assert!(bytes == text[..100_001], "{} bytes", bytes.len());
        let counts = emulator.counts();
        assert_eq!(counts.faults.values().sum::<u64>(), 1);
        assert_eq!(counts.bytes_sent, 100_001);
        emulator.shutdown().await;
    }
}

#[tokio::test]
async fn an_answer_of_the_query_protocol_can_be_cut_too() {
    let cut = Rule::always(Switch::Connection(ConnectionFlaw::Cut { after_bytes: 200 }));
    let (emulator, rds, _) = start(vec![cut.on([Operation::DescribeDBLogFiles])]).await;
    assert_eq!(list(&rds).await, Err("no code".to_owned()));
    assert_eq!(rds.describe_db_instances().send().await.unwrap().db_instances().len(), 3);
    emulator.shutdown().await;
}

#[tokio::test]
async fn connections_stall_and_crawl() {
    let pause = Duration::from_millis(300);
    let flaws =
        [ConnectionFlaw::Stall { after_bytes: 5, pause }, ConnectionFlaw::Slow { bytes_per_second: 40 }];
    for flaw in flaws {
        let (emulator, _, _) = start(vec![Rule::always(Switch::Connection(flaw))]).await;
        let asked = Instant::now();
        let (bytes, whole) = body_of(get(&emulator, FILE).await).await;
        assert_eq!((bytes.as_slice(), whole), (&b"one\ntwo\nthree\n"[..], true));
        assert!(asked.elapsed() >= pause, "{flaw:?}");
        emulator.shutdown().await;
    }
}

#[tokio::test]
async fn calls_and_bytes_are_counted() {
    let (emulator, rds, _) = start(Vec::new()).await;
    let answer = get(&emulator, FILE).await.bytes().await.unwrap();
    assert_eq!(emulator.counts().bytes_sent, answer.len() as u64);
    list(&rds).await.unwrap();
    list(&rds).await.unwrap();
    rds.describe_db_instances().send().await.unwrap();
    let unsigned = format!("{}/v13/downloadCompleteLogFile/orders/{FILE}", emulator.endpoint());
    assert_eq!(reqwest::get(unsigned).await.unwrap().status(), 403);
    let counts = emulator.counts();
    assert_eq!(counts.calls_of(Operation::DownloadCompleteLogFile), 1);
    assert_eq!(counts.calls_of(Operation::DescribeDBLogFiles), 2);
    assert_eq!(counts.calls_of(Operation::DescribeDBInstances), 1);
    assert_eq!(counts.calls_of(Operation::DownloadDBLogFilePortion), 0);
    assert!(counts.bytes_sent > 1000 && counts.faults.is_empty());
    emulator.shutdown().await;
}
