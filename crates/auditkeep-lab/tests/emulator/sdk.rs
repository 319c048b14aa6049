//! The official Rust SDK against the emulator: the answers, the paging and the typed errors it must understand.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use auditkeep_lab::emulator::{Behaviour, Emulator, EmulatorOptions, LabCredential};
use aws_sdk_rds::Client;
use aws_sdk_rds::config::Credentials;
use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};

use crate::lab::{REGION, client, client_as, fleet, memory, well_known};

async fn start() -> (Emulator, Client) {
    let emulator = Emulator::start(EmulatorOptions::loopback(fleet())).await.unwrap();
    let client = client(&emulator);
    (emulator, client)
}

#[tokio::test]
async fn instances_are_described() {
    let (emulator, rds) = start().await;
    let answer = rds.describe_db_instances().send().await.unwrap();
    let names: Vec<_> = answer.db_instances().iter().filter_map(|db| db.db_instance_identifier()).collect();
    assert_eq!(names, ["empty", "orders", "reports"]);
    let ids: BTreeSet<_> = answer.db_instances().iter().filter_map(|db| db.dbi_resource_id()).collect();
    assert_eq!(ids.len(), 3);

    let one = rds.describe_db_instances().db_instance_identifier("Reports").send().await.unwrap();
    let db = &one.db_instances()[0];
    assert_eq!(db.db_instance_arn(), Some("arn:aws:rds:eu-central-1:123456789012:db:reports"));
    assert_eq!(db.engine(), Some("aurora-mysql"));
    assert_eq!(db.engine_version(), Some("8.0.mysql_aurora.3.05.2"));
    assert_eq!(db.db_instance_class(), Some("db.t4g.medium"));
    assert_eq!(db.db_instance_status(), Some("available"));
    assert_eq!(db.db_cluster_identifier(), Some("reporting"));
    assert_eq!(db.availability_zone(), Some("eu-central-1a"));
    assert_eq!(db.endpoint().and_then(aws_sdk_rds::types::Endpoint::port), Some(3306));
    assert!(db.instance_create_time().is_some());
    assert!(db.tag_list().is_empty());

    let missing = rds.describe_db_instances().db_instance_identifier("none").send().await.unwrap_err();
    assert!(missing.as_service_error().unwrap().is_db_instance_not_found_fault());
    emulator.shutdown().await;
}

#[tokio::test]
async fn log_files_are_listed_in_pages() {
    let (emulator, rds) = start().await;
    let mut fleet = fleet();
    let many: Vec<(String, Vec<u8>, i64)> = (0..2345)
        .map(|n| {
            (
                format!("trace/ora_{n}.trc"),
                vec![b'x'; 1 + n % 7],
                1_700_000_000_123 + i64::try_from(n / 10).unwrap() * 1000,
            )
        })
        .collect();
    fleet.instances[0].logs = memory(many);
    emulator.set_fleet(fleet).unwrap();
    let list = || rds.describe_db_log_files().db_instance_identifier("orders");

    let first = list().send().await.unwrap();
    assert_eq!(first.describe_db_log_files().len(), 1000);
    assert!(first.marker().is_some());
    for records in [None, Some(7), Some(1000)] {
        let mut pages = list().set_max_records(records).into_paginator().send();
        let (mut names, mut times) = (Vec::new(), Vec::new());
        while let Some(page) = pages.next().await {
            for file in page.unwrap().describe_db_log_files() {
                names.push(file.log_file_name().unwrap().to_owned());
                times.push(file.last_written().unwrap());
            }
            if records == Some(7) && names.len() > 100 {
                break;
            }
        }
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(records == Some(7) || names.len() == 2345);
        assert!(times.is_sorted_by(|a, b| a >= b), "newest first");
        assert!(times.iter().all(|time| time % 1000 == 0), "whole seconds");
    }

    emulator.set_behaviour(Behaviour { listing_page: 10, ..Behaviour::default() });
    assert_eq!(list().max_records(1000).send().await.unwrap().describe_db_log_files().len(), 10);
    emulator.shutdown().await;
}

#[tokio::test]
async fn answers_come_as_late_as_they_are_told_to() {
    let (emulator, rds) = start().await;
    let latency = Duration::from_millis(50);
    emulator.set_behaviour(Behaviour { latency, ..Behaviour::default() });
    let asked = Instant::now();
    rds.describe_db_instances().send().await.unwrap();
    assert!(asked.elapsed() >= latency);
    emulator.shutdown().await;
}

#[tokio::test]
async fn log_files_are_filtered() {
    let (emulator, rds) = start().await;
    let list = || rds.describe_db_log_files().db_instance_identifier("orders");
    let names =
        |answer: aws_sdk_rds::operation::describe_db_log_files::DescribeDbLogFilesOutput| -> Vec<String> {
            answer
                .describe_db_log_files()
                .iter()
                .filter_map(|file| file.log_file_name().map(str::to_owned))
                .collect()
        };
    let all = list().send().await.unwrap();
    assert_eq!(all.describe_db_log_files()[0].size(), Some(24));
    assert_eq!(
        names(all),
        ["error/postgresql.log.2026-11-02-10", "error/postgresql.log.2026-11-02-09", "error/dump.bin"]
    );
    assert_eq!(names(list().filename_contains("dump").send().await.unwrap()), ["error/dump.bin"]);
    assert_eq!(
        names(list().file_last_written(1_793_613_600_000).send().await.unwrap()),
        ["error/postgresql.log.2026-11-02-10"]
    );
    assert_eq!(names(list().file_size(23).send().await.unwrap()), ["error/postgresql.log.2026-11-02-10"]);
    let empty = rds.describe_db_log_files().db_instance_identifier("empty").send().await.unwrap();
    assert!(empty.describe_db_log_files().is_empty());

    let missing = rds.describe_db_log_files().db_instance_identifier("none").send().await.unwrap_err();
    assert!(missing.as_service_error().unwrap().is_db_instance_not_found_fault());
    let wrong = list().max_records(0).send().await.unwrap_err();
    assert_eq!(wrong.code(), Some("InvalidParameterValue"));
    emulator.shutdown().await;
}

#[tokio::test]
async fn portions_carry_text_as_it_is_shown() {
    let (emulator, rds) = start().await;
    let portion = || {
        let request = rds.download_db_log_file_portion().db_instance_identifier("orders");
        request.log_file_name("error/postgresql.log.2026-11-02-10")
    };
    let first = portion().marker("0").number_of_lines(1).send().await.unwrap();
    assert_eq!(first.log_file_data(), Some("  a < b & \"c\" > ??\r\n"));
    assert_eq!(first.marker(), Some("10:20"));
    assert_eq!(first.additional_data_pending(), Some(true));
    let second = portion().marker("10:20").send().await.unwrap();
    assert_eq!(second.log_file_data(), Some("?x\n "));
    assert_eq!(second.additional_data_pending(), Some(false));
    let tail = portion().number_of_lines(1).send().await.unwrap();
    assert_eq!(tail.log_file_data(), Some(" "));
    assert_eq!(tail.additional_data_pending(), Some(false));

    let missing = portion().log_file_name("error/gone").send().await.unwrap_err();
    assert!(missing.as_service_error().unwrap().is_db_log_file_not_found_fault());
    let missing = portion().db_instance_identifier("none").send().await.unwrap_err();
    assert_eq!(missing.code(), Some("DBInstanceNotFound"));
    let binary = portion().log_file_name("error/dump.bin").marker("0").send().await.unwrap_err();
    assert_eq!(binary.code(), Some("InvalidParameterValue"));
    assert!(binary.message().unwrap().contains("binary data"));
    let lines = portion().number_of_lines(10_001).send().await.unwrap_err();
    assert_eq!(lines.code(), Some("InvalidParameterValue"));
    emulator.shutdown().await;
}

#[tokio::test]
async fn wrong_credentials_are_refused_with_their_own_codes() {
    let (emulator, _) = start().await;
    let known = well_known();
    let secret = Credentials::new(&known.access_key_id, "wrong", None, None, "test");
    let stranger = Credentials::new("AKIDSTRANGER", &known.secret_access_key, None, None, "test");
    let token = Credentials::new(
        &known.access_key_id,
        &known.secret_access_key,
        Some("unexpected".to_owned()),
        None,
        "test",
    );
    let right = Credentials::new(&known.access_key_id, &known.secret_access_key, None, None, "test");
    for (credentials, region, code) in [
        (secret, REGION, "SignatureDoesNotMatch"),
        (stranger, REGION, "InvalidClientTokenId"),
        (token, REGION, "InvalidClientTokenId"),
        (right, "eu-west-1", "SignatureDoesNotMatch"),
    ] {
        let error =
            client_as(&emulator, credentials, region).describe_db_instances().send().await.unwrap_err();
        assert_eq!(error.code(), Some(code));
        let SdkError::ServiceError(context) = &error else { panic!("{error:?}") };
        assert_eq!(context.raw().status().as_u16(), 403);
    }
    emulator.shutdown().await;
}

#[tokio::test]
async fn temporary_credentials_work_with_their_token() {
    let mut options = EmulatorOptions::loopback(fleet());
    options.credentials = vec![LabCredential {
        access_key_id: "ASIATEMPORARY".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: Some("to/ken+with=signs".to_owned()),
    }];
    let emulator = Emulator::start(options).await.unwrap();
    let token = |token: Option<&str>| {
        Credentials::new("ASIATEMPORARY", "secret", token.map(str::to_owned), None, "test")
    };
    let right = client_as(&emulator, token(Some("to/ken+with=signs")), REGION);
    assert_eq!(right.describe_db_instances().send().await.unwrap().db_instances().len(), 3);
    let without = client_as(&emulator, token(None), REGION).describe_db_instances().send().await.unwrap_err();
    assert_eq!(without.code(), Some("InvalidClientTokenId"));
    emulator.shutdown().await;
}
