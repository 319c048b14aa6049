//! The files of a disk over hours and days.

use std::time::Duration;

use super::*;
use crate::simulate::layout::{AuroraAudit, NamePattern, PostgresLogs, ServerAudit};

const SECOND: i64 = 1_000_000;
/// 2026-11-21T09:00:00Z
const NINE: i64 = 1_795_251_600 * SECOND;

fn names(disk: &Disk) -> Vec<String> {
    let mut names: Vec<String> = disk.files().map(|file| file.name().to_owned()).collect();
    names.sort();
    names
}

fn postgres(storage_bytes: Option<u64>) -> Layout {
    Layout::Postgres(PostgresLogs {
        rotate_every: Duration::from_hours(1),
        rotate_bytes: None,
        pattern: NamePattern::Minute,
        csv: true,
        keep: Duration::from_hours(24),
        storage_bytes,
    })
}

#[test]
fn renamed_files_move_up_and_the_last_one_is_gone() {
    let layout = Layout::ServerAudit(ServerAudit { rotate_bytes: 1000, rotations: 10, mysql: false });
    let mut disk = Disk::new(layout, 1, Some(SECOND), NINE);
    disk.advance(NINE + 1000 * SECOND);
    let expected: Vec<String> = std::iter::once("audit/server_audit.log".to_owned())
        .chain((1..=10).map(|n| format!("audit/server_audit.log.{n:02}")))
        .collect();
    assert_eq!(names(&disk), expected);
    let history = disk.history();
    assert!(history.len() > 50 && history.iter().filter(|file| file.deleted_us.is_none()).count() == 11);
    assert!(history[..history.len() - 1].iter().all(|file| (1000..1400).contains(&file.size)));
    // Every record is in exactly one generation, in order.
    let numbers: Vec<u64> = history
        .iter()
        .flat_map(|file| {
            String::from_utf8(file.content()).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .filter_map(|line| Some(line.split_once("/* sim-")?.1.split(['-', ' ']).nth(1)?.parse().unwrap()))
        .collect();
    assert!(numbers.is_sorted() && numbers.len() > 800);
    let first = &history[0];
    assert_eq!(first.names[1].1, "audit/server_audit.log.01");
    assert_eq!(first.names.len(), 11);
}

#[test]
fn it_does_not_matter_how_often_somebody_looks() {
    for layout in [Layout::usual("aurora-mysql").unwrap(), postgres(None), postgres(Some(20_000))] {
        let mut once = Disk::new(layout.clone(), 5, Some(40 * SECOND), NINE);
        let mut often = Disk::new(layout, 5, Some(40 * SECOND), NINE);
        for minute in 1..=3000 {
            often.advance(NINE + 59 * minute * SECOND);
        }
        once.advance(NINE + 59 * 3000 * SECOND);
        let content = |disk: &Disk| -> Vec<_> {
            let files = disk.history();
            files.into_iter().map(|file| (file.names.clone(), file.deleted_us, file.content())).collect()
        };
        assert!(content(&once) == content(&often));
    }
}

#[test]
fn aurora_writes_four_files_at_once_and_keeps_them_a_day() {
    let keep = Duration::from_hours(24);
    let mut disk =
        Disk::new(Layout::AuroraAudit(AuroraAudit { rotate_bytes: 2000, keep }), 1, Some(SECOND), NINE);
    disk.advance(NINE + 10 * SECOND);
    assert_eq!(names(&disk), [0, 1, 2, 3].map(|n| format!("audit/audit.log.{n}.2026-11-21-09-00.0")));
    disk.advance(NINE + 600 * SECOND);
    assert!(names(&disk).contains(&"audit/audit.log.0.2026-11-21-09-01.1".to_owned()), "{:?}", names(&disk));
    disk.advance(NINE + 25 * 3600 * SECOND);
    assert!(!names(&disk).iter().any(|name| name.contains("2026-11-21-09-0")), "{:?}", names(&disk));
}

#[test]
fn a_new_hour_has_a_new_file_even_if_nothing_was_written() {
    let mut disk = Disk::new(postgres(None), 1, None, NINE + 60 * SECOND);
    disk.write(3, NINE + 70 * SECOND);
    disk.advance(NINE + 3700 * SECOND);
    assert_eq!(
        names(&disk),
        ["0901", "0901.csv", "1000", "1000.csv"].map(|end| format!("error/postgresql.log.2026-11-21-{end}"))
    );
    let live: Vec<u64> = disk.files().filter(|f| f.name().contains("-1000")).map(|f| f.size).collect();
    assert_eq!(live, [0, 0]);
}

#[test]
fn storage_pressure_compresses_first_and_deletes_then() {
    let mut disk = Disk::new(postgres(Some(40_000)), 1, Some(20 * SECOND), NINE);
    disk.advance(NINE + 8 * 3600 * SECOND);
    assert!(names(&disk).iter().any(|name| name.contains(".gz")), "{:?}", names(&disk));
    let early = disk.history().iter().filter(|file| file.deleted_us.is_some()).count();
    assert!(early > 0);
    for file in disk.files().filter(|file| file.zipped.is_some()) {
        assert_eq!(file.stored().len() as u64, file.stored_size());
        assert!(file.stored_size() < file.size / 2);
    }
}

#[test]
fn a_failover_brings_other_files_or_other_content() {
    let layout = Layout::usual("mariadb").unwrap();
    let mut disk = Disk::new(layout, 1, None, NINE);
    disk.write(10, NINE);
    disk.rotate(NINE);
    disk.write(10, NINE);
    disk.fail_over(Failover::EmptiedFiles, NINE + 1);
    disk.write(1, NINE + 2);
    assert_eq!(names(&disk), ["audit/server_audit.log", "audit/server_audit.log.1"]);
    assert_eq!(disk.history().len(), 3);
    disk.fail_over(Failover::NewFiles, NINE + 3);
    assert_eq!(names(&disk), ["audit/server_audit.log"]);
    assert_eq!(disk.history().iter().filter(|file| file.deleted_us.is_some()).count(), 3);
}
