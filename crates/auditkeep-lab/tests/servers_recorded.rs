//! The recorded logs fit the truth that was recorded with them, and give nothing away about the machine they come from.
#![expect(clippy::unwrap_used, reason = "a test's reader of logs may fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};

use auditkeep_lab::truth::{Executed, LoggedText, Outcome, Truth};

const INSTANCES: [&str; 3] = ["shop-postgres", "shop-mariadb", "shop-aurora"];

fn crate_directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn truth(instance: &str) -> Truth {
    let path = crate_directory().join("truth").join(format!("{instance}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn logs(instance: &str, kind: &str) -> Vec<(PathBuf, String)> {
    let directory = crate_directory().join("recorded").join(instance).join(kind);
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned())).collect()
}

/// Whether the engine says anything at all about a statement.
fn leaves_a_trace(executed: &Executed) -> bool {
    executed.relations > 0 || executed.outcome == Outcome::Failure
}

#[test]
fn both_postgres_logs_hold_every_statement() {
    let logs = logs("shop-postgres", "error");
    let (csv, stderr): (Vec<_>, Vec<_>) =
        logs.into_iter().partition(|(path, _)| path.extension().is_some_and(|extension| extension == "csv"));
    assert!(csv.len() > 1 && csv.len() == stderr.len());
    for executed in truth("shop-postgres").statements {
        for log in [&csv, &stderr] {
            let found = log.iter().any(|(_, text)| text.contains(&executed.marker));
            assert_eq!(found, leaves_a_trace(&executed), "{}", executed.statement);
        }
    }
}

#[test]
fn the_mariadb_and_aurora_logs_hold_every_statement_once() {
    for instance in ["shop-mariadb", "shop-aurora"] {
        let text: String = logs(instance, "audit").into_iter().map(|(_, text)| text).collect();
        for executed in truth(instance).statements {
            let records: Vec<&str> = text.lines().filter(|line| line.contains(&executed.marker)).collect();
            assert_eq!(records.len(), 1, "{instance}: {}", executed.statement);
            assert!(records[0].contains(&format!(",{},", executed.user)), "{}", records[0]);
            assert_eq!(records[0].ends_with(",0"), executed.outcome == Outcome::Success, "{}", records[0]);
        }
    }
}

#[test]
fn the_workloads_hold_what_makes_logs_hard() {
    for instance in INSTANCES {
        let truth = truth(instance);
        let any = |wanted: &dyn Fn(&Executed) -> bool| truth.statements.iter().any(wanted);
        assert!(truth.logins.iter().any(|login| login.outcome == Outcome::Failure));
        assert!(any(&|executed| executed.statement.contains('\n')));
        assert!(any(&|executed| !executed.statement.is_ascii()));
        assert!(any(&|executed| executed.statement.contains('\u{1b}')));
        assert!(any(&|executed| executed.statement.contains("AUDIT: SESSION")));
        assert!(any(&|executed| executed.statement.len() > 1024));
        assert!(any(&|executed| executed.logged_text == LoggedText::Masked));
        for class in ["read", "write", "ddl", "role", "function", "admin", "misc"] {
            assert!(any(&|executed| executed.class == class), "{instance} has no {class}");
        }
    }
    assert!(truth("shop-mariadb").statements.iter().any(|executed| executed.logged_text == LoggedText::Cut));
}

#[test]
fn recorded_logs_are_small_and_name_no_machine() {
    let mut size = 0;
    for (instance, kind) in [("shop-postgres", "error"), ("shop-mariadb", "audit"), ("shop-aurora", "audit")]
    {
        for (path, text) in logs(instance, kind) {
            size += text.len();
            assert!(!text.contains("/tmp/auditkeep"), "{}", path.display());
            if kind == "audit" {
                let hosts = text.lines().map(|line| line.split(',').nth(1).unwrap());
                let expected = if instance == "shop-aurora" { "shop-aurora" } else { "ip-10-0-1-2" };
                assert!(hosts.into_iter().all(|host| host == expected), "{}", path.display());
            }
        }
    }
    assert!(size < 1_500_000, "{size} bytes");
}
