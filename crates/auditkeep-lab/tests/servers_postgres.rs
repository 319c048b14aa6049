//! A real PostgreSQL with pgAudit: it starts, runs the shop's workload, writes what the truth says, and leaves nothing.
#![cfg(feature = "servers")]
#![expect(clippy::unwrap_used, reason = "a test's reader of logs may fail loudly")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use auditkeep_lab::servers::{PostgresOptions, PostgresServer, ServerError};
use auditkeep_lab::workload::{LoggedText, Outcome, RunOptions, postgres};

/// Records of a csvlog as lists of fields; quotes are undone.
fn csv_records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    for character in text.chars() {
        match character {
            '"' => {
                // Undoes the doubling: the second quote of a pair reopens the field.
                if !quoted && field.ends_with('\u{0}') {
                    field.pop();
                    field.push('"');
                } else if quoted {
                    field.push('\u{0}');
                }
                quoted = !quoted;
            }
            ',' | '\n' if !quoted => {
                record.push(std::mem::take(&mut field).replace('\u{0}', ""));
                if character == '\n' {
                    records.push(std::mem::take(&mut record));
                }
            }
            _ => field.push(character),
        }
    }
    records
}

fn logs(directory: &Path, csv: bool) -> String {
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "csv") == csv);
    files.sort();
    files.iter().map(|file| String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()).collect()
}

#[tokio::test]
async fn the_log_holds_what_the_workload_did() {
    let server = PostgresServer::start(PostgresOptions::default()).await.unwrap();
    let process = server.process_id();
    let options = RunOptions::new("t1", 5);
    let truth = postgres::run(&server, &options).await.unwrap();
    server.flush().await.unwrap();

    let (csv, stderr) = (logs(&server.log_directory(), true), logs(&server.log_directory(), false));
    let records = csv_records(&csv);
    assert!(records.iter().all(|record| record.len() == 26), "26 columns in PostgreSQL 14 and newer");
    let mut wrong = HashMap::new();
    for executed in &truth.statements {
        // Only what ends a failed transaction succeeds without a trace.
        let leaves_a_trace = executed.relations > 0 || executed.outcome == Outcome::Failure;
        assert_eq!(stderr.contains(&executed.marker), leaves_a_trace, "stderr log: {}", executed.statement);
        let carrying = |column: usize| {
            records.iter().filter(|record| record[column].contains(&executed.marker)).collect::<Vec<_>>()
        };
        let audits = carrying(13).into_iter().filter(|record| record[13].starts_with("AUDIT: ")).count();
        if audits != executed.relations as usize {
            wrong.insert(executed.statement.clone(), (executed.relations, audits));
        }
        // 11 is the severity, 13 the message, 19 the statement of an error, 1 and 2 user and database.
        let refused = carrying(19).iter().any(|record| record[11] == "ERROR");
        assert_eq!(refused, executed.outcome == Outcome::Failure, "{}", executed.statement);
        for record in carrying(13) {
            assert_eq!((&record[1], &record[2]), (&executed.user, &executed.database));
            let undoubled = record[13].replace("\"\"", "\"");
            if executed.logged_text == LoggedText::Whole {
                assert!(undoubled.contains(&executed.statement), "{undoubled}");
            }
        }
    }
    assert!(wrong.is_empty(), "planned and found audit records: {wrong:#?}");

    let stopped = server.stop().unwrap();
    assert!(!Path::new(&format!("/proc/{process}")).exists());
    let records = csv_records(&logs(&stopped.log_directory(), true));
    let said = |start: &str| records.iter().filter(|record| record[13].starts_with(start)).count();
    assert!(
        said("disconnection:")
            >= truth.logins.iter().filter(|login| login.outcome == Outcome::Success).count()
    );
}

#[tokio::test]
async fn a_dropped_server_leaves_no_process_and_no_directory() {
    let server = PostgresServer::start(PostgresOptions::default()).await.unwrap();
    let (process, directory) = (server.process_id(), server.log_directory());
    assert!(directory.exists());
    drop(server);
    assert!(!Path::new(&format!("/proc/{process}")).exists());
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_setting_that_the_server_refuses_is_told_with_its_log() {
    let settings = vec![
        ("pgaudit.no_such_setting".to_owned(), "x".to_owned()),
        ("work_mem".to_owned(), "lots".to_owned()),
    ];
    let error =
        PostgresServer::start(PostgresOptions { settings, ..PostgresOptions::default() }).await.unwrap_err();
    assert!(matches!(error, ServerError::Died { .. }), "{error}");
    assert!(error.to_string().contains("work_mem"), "{error}");
}

#[tokio::test]
async fn a_missing_installation_is_told_with_what_to_do() {
    let empty = tempfile::tempdir().unwrap();
    let options =
        PostgresOptions { installation: Some(empty.path().to_owned()), ..PostgresOptions::default() };
    let error = PostgresServer::start(options).await.unwrap_err();
    assert!(matches!(error, ServerError::NotInstalled { .. }));
    assert!(error.to_string().contains("cargo xtask setup"), "{error}");
}
