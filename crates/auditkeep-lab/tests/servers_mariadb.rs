//! A real MariaDB with server_audit: it starts, runs the shop's workload, writes what the truth says, and leaves nothing.
#![cfg(feature = "servers")]
#![expect(clippy::unwrap_used, reason = "a test's reader of logs may fail loudly")]

use std::fs;
use std::path::Path;

use auditkeep_lab::servers::{MariadbOptions, MariadbServer, ServerError};
use auditkeep_lab::workload::mariadb;
use auditkeep_lab::workload::{LoggedText, Outcome, RunOptions};

fn log(directory: &Path) -> String {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.map(|file| String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()).collect()
}

/// As the plugin escapes a statement.
fn escaped(statement: &str) -> String {
    let mut text = statement.replace('\\', "\\\\").replace('\'', "\\'");
    for (raw, escape) in [('\n', "\\n"), ('\r', "\\r"), ('\t', "\\t"), ('\u{8}', "\\b"), ('\u{c}', "\\f")] {
        text = text.replace(raw, escape);
    }
    text
}

#[tokio::test]
async fn the_log_holds_what_the_workload_did() {
    let options = MariadbOptions { query_log_limit: mariadb::QUERY_LOG_LIMIT, ..MariadbOptions::default() };
    let server = MariadbServer::start(options).await.unwrap();
    let process = server.process_id();
    let options = RunOptions::new("t1", 5);
    let truth = mariadb::run(&server, &options).await.unwrap();
    server.flush().await.unwrap();

    let text = log(&server.log_directory());
    let mut wrong = Vec::new();
    for executed in &truth.statements {
        let records: Vec<&str> = text.lines().filter(|line| line.contains(&executed.marker)).collect();
        if records.len() != executed.relations as usize {
            wrong.push((&executed.statement, executed.relations, records));
            continue;
        }
        for record in records {
            assert!(record.contains(&format!(",{},", executed.user)), "{record}");
            let (head, code) = record.rsplit_once(',').unwrap();
            assert_eq!(code == "0", executed.outcome == Outcome::Success, "{record}");
            let is_whole = head.contains(&escaped(&executed.statement));
            assert_eq!(is_whole, executed.logged_text == LoggedText::Whole, "{record}");
        }
    }
    assert!(wrong.is_empty(), "statement, planned and found records: {wrong:#?}");

    let stopped = server.stop().unwrap();
    assert!(!Path::new(&format!("/proc/{process}")).exists());
    let text = log(&stopped.log_directory());
    let failed = truth.logins.iter().filter(|login| login.outcome == Outcome::Failure).count();
    assert_eq!(text.matches(",FAILED_CONNECT,").count(), failed);
}

#[tokio::test]
async fn a_small_rotation_size_renames_files() {
    let options = MariadbOptions { rotate_size: 4_000, rotations: 5, ..MariadbOptions::default() };
    let server = MariadbServer::start(options).await.unwrap();
    let options = RunOptions::new("t2", 5);
    mariadb::run(&server, &options).await.unwrap();
    server.flush().await.unwrap();
    for name in ["server_audit.log", "server_audit.log.1", "server_audit.log.5"] {
        assert!(server.log_directory().join(name).exists(), "{name}");
    }
    assert!(!server.log_directory().join("server_audit.log.6").exists());
}

#[tokio::test]
async fn a_dropped_server_leaves_no_process_and_no_directory() {
    let server = MariadbServer::start(MariadbOptions::default()).await.unwrap();
    let (process, directory) = (server.process_id(), server.log_directory());
    assert!(directory.exists());
    drop(server);
    assert!(!Path::new(&format!("/proc/{process}")).exists());
    assert!(!directory.exists());
}

#[tokio::test]
async fn an_argument_that_the_server_refuses_is_told_with_its_log() {
    let options =
        MariadbOptions { arguments: vec!["--no-such-option".to_owned()], ..MariadbOptions::default() };
    let error = MariadbServer::start(options).await.unwrap_err();
    assert!(matches!(error, ServerError::Died { .. }), "{error}");
    assert!(error.to_string().contains("no-such-option"), "{error}");
}

#[tokio::test]
async fn a_missing_installation_is_told_with_what_to_do() {
    let empty = tempfile::tempdir().unwrap();
    let options = MariadbOptions { installation: empty.path().to_owned(), ..MariadbOptions::default() };
    let error = MariadbServer::start(options).await.unwrap_err();
    assert!(matches!(error, ServerError::NotInstalled { .. }));
    assert!(error.to_string().contains("cargo xtask setup"), "{error}");
}
