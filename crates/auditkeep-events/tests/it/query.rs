//! SQL: what it answers, what it refuses, and what it says.

use auditkeep_events::{QueryEngine, QueryError, QueryOptions};
use auditkeep_pipeline::table::EventTable;

use crate::rows::{Archive, DAY, MORNING, count, derived, lines, rows_of};

#[tokio::test]
async fn tables_that_do_not_exist_are_empty() {
    let archive = Archive::new();
    let engine = archive.engine().await;
    assert_eq!(count(&engine, "SELECT count(*) FROM events").await, 0);
    assert_eq!(count(&engine, "SELECT count(*) FROM problems WHERE reason = 'x'").await, 0);
    let shown = lines(&rows_of(&engine, "SHOW TABLES").await.unwrap());
    assert!(shown.iter().any(|line| line.contains("|events|")), "{shown:?}");
    let columns = lines(&rows_of(&engine, "DESCRIBE events").await.unwrap());
    assert_eq!(columns[0], "event_date|Date32|NO");
    assert_eq!(std::fs::read_dir(archive.directory.path()).unwrap().count(), 0, "reading has written");
}

/// The columns must not depend on whether there are rows.
#[tokio::test]
async fn a_table_with_rows_has_the_same_column_names() {
    let archive = Archive::new();
    let names = "SELECT column_name FROM information_schema.columns WHERE table_name IN ('events', 'problems') \
                 ORDER BY table_name, ordinal_position";
    let empty = lines(&rows_of(&archive.engine().await, names).await.unwrap());
    archive.tables().append(derived("a", 0, 1)).await.unwrap();
    assert_eq!(lines(&rows_of(&archive.engine().await, names).await.unwrap()), empty);
}

#[tokio::test]
async fn only_reading_is_allowed() {
    let archive = Archive::new();
    archive.tables().append(derived("a", 0, 2)).await.unwrap();
    let engine = archive.engine().await;
    let secret = archive.directory.path().join("secret.csv");
    std::fs::write(&secret, "a\n1\n").unwrap();
    let secret = secret.to_str().unwrap();
    for (statement, named) in [
        ("CREATE TABLE t AS SELECT 1", "CREATE TABLE"),
        ("CREATE VIEW v AS SELECT 1", "CREATE VIEW"),
        ("CREATE DATABASE d", "CREATE DATABASE"),
        ("DROP TABLE events", "DROP TABLE"),
        ("INSERT INTO events SELECT * FROM events", "INSERT INTO"),
        ("DELETE FROM events", "DELETE FROM"),
        ("UPDATE events SET user_name = 'x'", "UPDATE"),
        ("TRUNCATE TABLE events", "TRUNCATE TABLE"),
        ("SET datafusion.execution.batch_size = 1", "SET"),
        ("RESET datafusion.execution.batch_size", "RESET"),
        ("BEGIN", "BEGIN"),
        ("PREPARE p AS SELECT 1", "PREPARE"),
        ("EXPLAIN DELETE FROM events", "DELETE FROM"),
        (&format!("COPY events TO '{secret}2'"), "COPY"),
        (&format!("EXPLAIN COPY events TO '{secret}2'"), "COPY"),
        (&format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{secret}'"), "CREATE EXTERNAL TABLE"),
    ] {
        let error = engine.sql(statement).await.err().unwrap();
        assert!(matches!(&error, QueryError::NotAllowed { .. }), "{statement}: {error:?}");
        assert!(error.to_string().starts_with(named), "{statement}: {error}");
    }
    // What looks like a query and is none, and what would reach a file.
    for statement in [
        "WITH gone AS (DELETE FROM events RETURNING *) SELECT * FROM gone",
        "SELECT * INTO copy FROM events",
        &format!("SELECT * FROM '{secret}'"),
        &format!("SELECT * FROM read_csv('{secret}')"),
        "SELECT 1; DROP TABLE events",
    ] {
        assert!(rows_of(&engine, statement).await.is_err(), "{statement}");
    }
    assert_eq!(archive.count("SELECT count(*) FROM events").await, 2);
    for statement in [
        "EXPLAIN SELECT * FROM events",
        "EXPLAIN ANALYZE SELECT count(*) FROM events",
        "SHOW COLUMNS FROM events",
        "DESCRIBE problems",
        "WITH e AS (SELECT * FROM events) SELECT count(*) FROM e",
        "SHOW TIME ZONE",
    ] {
        rows_of(&engine, statement).await.unwrap();
    }
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let archive = Archive::new();
    archive.tables().append(derived("a", 0, 1)).await.unwrap();
    let engine = archive.engine().await;
    let message = async |sql: &str| rows_of(&engine, sql).await.unwrap_err().to_string();

    assert_eq!(
        message("SELECT user_nam FROM events").await,
        "there is no column `user_nam`; did you mean `user_name`?"
    );
    assert!(message("SELECT user FROM events WHERE statment = 'x'").await.contains("did you mean"));
    assert_eq!(
        message("SELECT * FROM event").await,
        "there is no table `event`; did you mean `events`?; the tables are `events` and `problems`"
    );
    let syntax = message("SELECT * FROM events WHERE").await;
    assert!(syntax.starts_with("the statement cannot be understood: "), "{syntax}");
    let nowhere = message("SELECT zzz FROM events").await;
    assert_eq!(nowhere, "there is no column `zzz`");
    let function = message("SELECT uper(statement) FROM events").await;
    assert_eq!(function, "the statement cannot be run: Invalid function 'uper'. Did you mean 'upper'?");
    let failing = message("SELECT 1 / (row_number() OVER () - 1) FROM events").await;
    assert!(failing.starts_with("the query failed: "), "{failing}");
    for text in [&syntax, &nowhere, &function, &failing] {
        assert!(!text.contains('\n') && !text.contains("ParserError(") && !text.contains("Some("), "{text}");
    }
}

#[tokio::test]
async fn times_are_utc() {
    let archive = Archive::new();
    archive.tables().append(derived("a", 0, 3)).await.unwrap();
    let engine = archive.engine().await;
    let at = "SELECT count(*) FROM events WHERE event_time >=";
    assert_eq!(count(&engine, &format!("{at} '2026-03-01T10:02:00Z'")).await, 2);
    assert_eq!(count(&engine, &format!("{at} '2026-03-01 10:02:00'")).await, 2);
    assert_eq!(count(&engine, &format!("{at} TIMESTAMP '2026-03-01 10:02:00'")).await, 2);
    assert_eq!(count(&engine, &format!("{at} '2026-03-01T11:02:00+01:00'")).await, 2);
}

/// A query that does not fit in memory says so, and leaves the engine usable.
#[tokio::test]
async fn memory_is_bounded() {
    let archive = Archive::new();
    archive.tables().append(derived("a", 0, 5)).await.unwrap();
    let options = QueryOptions { memory_bytes: 64 << 10, spill_bytes: 1 << 10, ..QueryOptions::default() };
    let engine = QueryEngine::open_with(archive.store(), archive.url.clone(), options).await.unwrap();
    let large =
        "SELECT repeat(statement, 5000) AS s FROM events CROSS JOIN generate_series(1, 200) ORDER BY s";
    let error = rows_of(&engine, large).await.unwrap_err();
    assert!(matches!(error, QueryError::Exhausted { .. }), "{error:?}");
    assert_eq!(count(&engine, "SELECT count(*) FROM events").await, 5);
}

/// Conditions on time skip whole files, whether they name the day or not.
#[tokio::test]
async fn conditions_skip_files() {
    let archive = Archive::new();
    let tables = archive.tables();
    for day in 0..4 {
        let mut rows = crate::rows::Rows::of("a", day);
        let time = MORNING + i64::try_from(day).unwrap() * DAY;
        rows.event(Some(time), auditkeep_core::event::Class::Read, |_| ());
        let (events, problems) = rows.finish();
        let derived = auditkeep_pipeline::table::Derived {
            trail: "a".into(),
            after: day.checked_sub(1),
            through: day,
            events,
            problems,
        };
        tables.append(derived).await.unwrap();
    }
    // Every file but that of 3 March is destroyed: whoever opens one of them fails.
    for file in crate::append::files(&archive.directory.path().join("events")) {
        let path = file.to_str().unwrap();
        if path.ends_with(".parquet") && !path.contains("event_date=2026-03-03") {
            std::fs::write(&file, b"destroyed").unwrap();
        }
    }
    let engine = archive.engine().await;
    for condition in [
        "event_date = '2026-03-03'",
        "event_time >= '2026-03-03T00:00:00Z' AND event_time < '2026-03-04T00:00:00Z'",
        "commit_number = 2",
    ] {
        // Not `count(*)`, which statistics alone can answer.
        let sql = format!("SELECT event_time, statement, byte_length FROM events WHERE {condition}");
        assert_eq!(
            lines(&rows_of(&engine, &sql).await.unwrap()),
            ["2026-03-03T10:00:00Z|-|100"],
            "{condition}"
        );
    }
    rows_of(&engine, "SELECT byte_length FROM events").await.unwrap_err();
    let filter = auditkeep_events::EventFilter {
        since_us: Some(MORNING + 2 * DAY),
        until_us: Some(MORNING + 2 * DAY + 1),
        ..Default::default()
    };
    assert_eq!(engine.events_frame(&filter).await.unwrap().count().await.unwrap(), 1);

    // An engine that compacts the table need not write statistics; the days remain.
    for file in crate::append::files(&archive.directory.path().join("events/_delta_log")) {
        let log = std::fs::read_to_string(&file).unwrap();
        let actions = log.lines().map(|line| {
            let mut action: serde_json::Value = serde_json::from_str(line).unwrap();
            if let Some(add) = action.get_mut("add") {
                add.as_object_mut().unwrap().remove("stats").unwrap();
            }
            action.to_string()
        });
        std::fs::write(&file, actions.collect::<Vec<_>>().join("\n")).unwrap();
    }
    let engine = archive.engine().await;
    let by_time = "SELECT statement, byte_length FROM events WHERE event_time > '2026-03-03T00:00:00Z'";
    rows_of(&engine, by_time).await.unwrap_err();
    assert_eq!(engine.events_frame(&filter).await.unwrap().count().await.unwrap(), 1);
}
