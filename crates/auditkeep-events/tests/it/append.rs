//! What one writer does.

use std::fs;
use std::path::{Path, PathBuf};

use auditkeep_events::AppendError;
use auditkeep_pipeline::table::{Derived, EventTable};

use crate::rows::{Archive, derived, lines, rows_of, together};

fn cause(error: &auditkeep_pipeline::table::TableError) -> &AppendError {
    error.cause.downcast_ref().unwrap()
}

#[tokio::test]
async fn rows_come_back_and_progress_is_known() {
    let archive = Archive::new();
    let tables = archive.tables();
    assert_eq!(tables.derived_through("a").await.unwrap(), None);
    tables.append(derived("a", 0, 3)).await.unwrap();
    tables.append(derived("a", 1, 2)).await.unwrap();

    // Another process.
    let tables = archive.tables();
    assert_eq!(tables.derived_through("a").await.unwrap(), Some(1));
    assert_eq!(tables.derived_through("b").await.unwrap(), None);
    let sql = "SELECT event_date, event_time, commit_number, byte_offset, class, statement FROM events \
               ORDER BY event_time";
    let rows = rows_of(&archive.engine().await, sql).await.unwrap();
    assert_eq!(
        lines(&rows),
        [
            "2026-03-01|2026-03-01T10:01:00Z|0|200|read|SELECT 2 FROM orders",
            "2026-03-01|2026-03-01T10:02:00Z|0|100|read|SELECT 1 FROM orders",
            "2026-03-01|2026-03-01T10:03:00Z|0|0|read|SELECT 0 FROM orders",
            "2026-03-01|2026-03-01T11:41:00Z|1|100|read|SELECT 1 FROM orders",
            "2026-03-01|2026-03-01T11:42:00Z|1|0|read|SELECT 0 FROM orders",
        ]
    );
    let rows =
        rows_of(&archive.engine().await, "SELECT problem_date, reason, raw FROM problems").await.unwrap();
    assert_eq!(lines(&rows), ["2026-03-02|not a record|ff67617262616765"; 2]);
}

#[tokio::test]
async fn rows_of_a_file_are_in_the_order_of_time() {
    let archive = Archive::new();
    archive.tables().append(derived("a", 0, 500)).await.unwrap();
    let rows = rows_of(&archive.engine().await, "SELECT byte_offset FROM events").await.unwrap();
    let newest_first_in_the_log: Vec<String> = (0..500).rev().map(|row| (row * 100).to_string()).collect();
    assert_eq!(lines(&rows), newest_first_in_the_log);
}

#[tokio::test]
async fn appending_again_changes_nothing() {
    let archive = Archive::new();
    let tables = archive.tables();
    tables.append(derived("a", 0, 3)).await.unwrap();
    tables.append(derived("a", 1, 3)).await.unwrap();
    let before = files(archive.directory.path());
    tables.append(derived("a", 1, 3)).await.unwrap();
    tables.append(derived("a", 0, 3)).await.unwrap();
    assert_eq!(files(archive.directory.path()), before);
    assert_eq!(archive.count("SELECT count(*) FROM events").await, 6);
}

#[tokio::test]
async fn progress_without_rows_writes_no_data_file() {
    let archive = Archive::new();
    let tables = archive.tables();
    let nothing =
        Derived { trail: "a".into(), after: None, through: 7, events: Vec::new(), problems: Vec::new() };
    tables.append(nothing).await.unwrap();
    assert_eq!(tables.derived_through("a").await.unwrap(), Some(7));
    let (events, problems) = crate::rows::Rows::of("a", 8).finish();
    tables.append(Derived { trail: "a".into(), after: Some(7), through: 8, events, problems }).await.unwrap();
    assert_eq!(tables.derived_through("a").await.unwrap(), Some(8));
    let data = files(archive.directory.path());
    assert!(!data.iter().any(|file| file.extension().is_some_and(|kind| kind == "parquet")), "{data:?}");
}

#[tokio::test]
async fn missing_commits_are_refused() {
    let archive = Archive::new();
    let tables = archive.tables();
    tables.append(derived("a", 0, 1)).await.unwrap();
    let error = tables.append(derived("a", 2, 1)).await.unwrap_err();
    assert!(
        matches!(cause(&error), AppendError::CommitsMissing { held: Some(0), after: Some(1), .. }),
        "{error:?}"
    );
    let mut backwards = derived("a", 1, 1);
    backwards.after = Some(1);
    let error = tables.append(backwards).await.unwrap_err();
    assert!(matches!(cause(&error), AppendError::NoRange { .. }), "{error:?}");
    assert_eq!(archive.count("SELECT count(*) FROM events").await, 1);
}

#[tokio::test]
async fn rows_with_other_columns_are_refused() {
    let archive = Archive::new();
    let mut wrong = derived("a", 0, 1);
    wrong.events.clone_from(&wrong.problems);
    let error = archive.tables().append(wrong).await.unwrap_err();
    assert_eq!(
        cause(&error).to_string(),
        format!(
            "rows offered to {}events do not have its columns: `problem_date` Date32 instead of `event_date` Date32",
            archive.url
        )
    );
}

/// After a table was deleted it is derived again, from its beginning, in other portions than the first time.
#[tokio::test]
async fn a_table_that_is_ahead_takes_only_what_it_lacks() {
    for deleted in ["events", "problems"] {
        let archive = Archive::new();
        let tables = archive.tables();
        tables.append(derived("b", 0, 1)).await.unwrap();
        for commit in 0..3 {
            tables.append(derived("a", commit, 2)).await.unwrap();
        }
        fs::remove_dir_all(archive.directory.path().join(deleted)).unwrap();
        assert_eq!(tables.derived_through("a").await.unwrap(), None);
        let all = together((0..5).map(|commit| derived("a", commit, 2)).collect());
        tables.append(all).await.unwrap();
        assert_eq!(tables.derived_through("a").await.unwrap(), Some(4));
        let of_a = "WHERE trail = 'a'";
        assert_eq!(archive.count(&format!("SELECT count(*) FROM events {of_a}")).await, 10, "{deleted}");
        assert_eq!(archive.count(&format!("SELECT count(*) FROM problems {of_a}")).await, 5, "{deleted}");
        let distinct = "SELECT count(DISTINCT (segment, byte_offset)) FROM";
        assert_eq!(archive.count(&format!("{distinct} events {of_a}")).await, 10, "{deleted}");
        assert_eq!(archive.count(&format!("{distinct} problems {of_a}")).await, 5, "{deleted}");
    }
}

#[tokio::test]
async fn the_log_states_statistics_of_filter_columns_only() {
    let archive = Archive::new();
    archive.tables().append(derived("a", 0, 3)).await.unwrap();
    let log = archive.directory.path().join("events/_delta_log/00000000000000000001.json");
    let log = fs::read_to_string(log).unwrap();
    let add = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let add = add.map(|mut action| action["add"].take()).find(|add| !add.is_null()).unwrap();
    assert_eq!(add["partitionValues"]["event_date"], "2026-03-01");
    let statistics: serde_json::Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
    assert_eq!(statistics["numRecords"], 3);
    assert_eq!(statistics["minValues"]["event_time"], "2026-03-01T10:01:00Z");
    assert_eq!(statistics["maxValues"]["object_name"], "public.orders");
    for absent in ["statement", "parameters", "segment"] {
        assert!(statistics["minValues"].get(absent).is_none(), "{absent}");
        assert!(statistics["nullCount"].get(absent).is_none(), "{absent}");
    }
}

/// Progress is part of Delta's checkpoints: it survives the log entries that recorded it.
#[tokio::test]
async fn progress_outlives_the_log_that_recorded_it() {
    let archive = Archive::new();
    let tables = archive.tables();
    tables.append(derived("early", 0, 1)).await.unwrap();
    for commit in 0..50 {
        tables.append(derived("a", commit, 1)).await.unwrap();
    }
    for table in ["events", "problems"] {
        let log = archive.directory.path().join(table).join("_delta_log");
        assert!(log.join("00000000000000000049.checkpoint.parquet").exists());
        for version in 0..49 {
            fs::remove_file(log.join(format!("{version:020}.json"))).unwrap();
        }
    }
    assert_eq!(tables.derived_through("early").await.unwrap(), Some(0));
    assert_eq!(tables.derived_through("a").await.unwrap(), Some(49));
    assert_eq!(archive.count("SELECT count(*) FROM events").await, 51);
    tables.append(derived("a", 50, 1)).await.unwrap();
    assert_eq!(archive.count("SELECT count(*) FROM events").await, 52);
}

pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
