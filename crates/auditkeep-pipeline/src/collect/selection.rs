//! Which of the listed files are audit logs, what rotation does to their names, and which need not be read again.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use auditkeep_archive::commit::{Cursor, Listed};
use auditkeep_core::engine::Engine;

use crate::source::{LogFile, SourceKind};

/// A file to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selected {
    pub(super) log: LogFile,
    pub(super) family: String,
    /// A csvlog with the same records is listed beside it.
    pub(super) has_csv_twin: bool,
}

impl Selected {
    pub(super) fn listing(&self) -> Listing {
        Listing { family: self.family.clone(), listed: listed(&self.log) }
    }
}

/// The audit logs among the listed files, the oldest first: before a live file is read, what it was rotated to is.
///
/// Whoever imports files has chosen them, so there every file counts.
pub(super) fn select(kind: SourceKind, engine: Engine, listed: Vec<LogFile>) -> Vec<Selected> {
    let names: HashSet<String> = listed.iter().map(|log| uncompressed(&log.name).to_owned()).collect();
    let mut selected: Vec<Selected> = listed
        .into_iter()
        .filter(|log| kind == SourceKind::Import || is_audit_log(engine, &log.name))
        .map(|log| Selected {
            family: family(&log.name).to_owned(),
            has_csv_twin: engine.is_postgres() && names.contains(&format!("{}.csv", uncompressed(&log.name))),
            log,
        })
        .collect();
    selected.sort_by(|a, b| {
        let place = |file: &Selected| (file.log.last_written_ms, Reverse(rotations(file)));
        place(a).cmp(&place(b)).then_with(|| a.log.name.cmp(&b.log.name))
    });
    selected
}

/// How often rotation has renamed the file: of files that were written to in the same second, the oldest has the highest
/// number.
fn rotations(file: &Selected) -> u64 {
    let digits = file.log.name.strip_prefix(&file.family).and_then(|rest| rest.strip_prefix('.'));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// The names of the Amazon RDS and Aurora user guides.
fn is_audit_log(engine: Engine, name: &str) -> bool {
    match engine {
        Engine::Postgres | Engine::AuroraPostgresql => name.starts_with("error/postgresql.log"),
        Engine::Mysql | Engine::Mariadb => name.starts_with("audit/server_audit.log"),
        Engine::AuroraMysql => {
            name.starts_with("audit/audit.log") || name.starts_with("audit/server_audit.log")
        }
    }
}

/// Whether a log file was compressed where it lies, as Aurora for PostgreSQL does when its disk fills. Nothing is written to it any more.
pub(super) fn is_compressed(name: &str) -> bool {
    uncompressed(name) != name
}

/// The name that a log file had before it was compressed.
fn uncompressed(name: &str) -> &str {
    name.strip_suffix(".gz").unwrap_or(name)
}

/// A log's name without what rotation by renaming appends, and without `.gz`: `server_audit.log.07` is of the family
/// `server_audit.log`. Names that hold a date are never reused and are their own family.
pub fn family(name: &str) -> &str {
    let name = uncompressed(name);
    match name.rsplit_once('.') {
        Some((stem, digits))
            if is_renamed_by_rotation(stem)
                && !digits.is_empty()
                && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            stem
        }
        _ => name,
    }
}

/// Whether a file of that family is renamed when it has grown large enough; the others get a new name each, with a time in it.
pub(super) fn is_renamed_by_rotation(family: &str) -> bool {
    family.ends_with("server_audit.log")
}

/// Parts the files into those that need no reading and those that do.
///
/// A file needs none if a settled cursor of its family was left when the listing said the same size and time, whatever
/// the file was called then. Two files that look the same need two such cursors: rotation may make twins in one second.
pub(super) fn split_unchanged(
    kind: SourceKind,
    selected: Vec<Selected>,
    cursors: &BTreeMap<String, Cursor>,
) -> (Vec<LogFile>, Vec<Selected>) {
    let mut settled: BTreeMap<(&str, u64, i64), usize> = BTreeMap::new();
    for cursor in cursors.values().filter(|cursor| cursor.settled && kind == SourceKind::LogFiles) {
        *settled.entry((&cursor.family, cursor.listed.size, cursor.listed.last_written_ms)).or_default() += 1;
    }
    let mut alike: BTreeMap<(String, u64, i64), usize> = BTreeMap::new();
    for file in &selected {
        *alike.entry((file.family.clone(), file.log.size, file.log.last_written_ms)).or_default() += 1;
    }
    let (unchanged, changed): (Vec<_>, Vec<_>) = selected.into_iter().partition(|file| {
        let count =
            alike.get(&(file.family.clone(), file.log.size, file.log.last_written_ms)).copied().unwrap_or(0);
        let known = settled.get(&(file.family.as_str(), file.log.size, file.log.last_written_ms)).copied();
        known.is_some_and(|known| known >= count)
    });
    (unchanged.into_iter().map(|file| file.log).collect(), changed)
}

/// The cursors that files which need no reading belong to. Of files that look the same each is one of as many cursors; their
/// names tell nothing apart, and none is recognised if there are more cursors than files.
pub(super) fn recognise(
    unchanged: &[LogFile],
    cursors: &BTreeMap<String, Cursor>,
) -> BTreeMap<String, LogFile> {
    let look = |log: &LogFile| (family(&log.name).to_owned(), log.size, log.last_written_ms);
    let mut alike: BTreeMap<_, Vec<&LogFile>> = BTreeMap::new();
    for log in unchanged {
        alike.entry(look(log)).or_default().push(log);
    }
    let mut recognised = BTreeMap::new();
    for ((family, size, last_written_ms), logs) in alike {
        let listed = Listed { size, last_written_ms };
        let of_these = |cursor: &Cursor| cursor.settled && cursor.family == family && cursor.listed == listed;
        let keys: Vec<&String> =
            cursors.iter().filter(|(_, cursor)| of_these(cursor)).map(|(key, _)| key).collect();
        if keys.len() == logs.len() {
            recognised.extend(keys.into_iter().cloned().zip(logs.into_iter().cloned()));
        }
    }
    recognised
}

/// Longer than any engine's logs stay on an instance: the longest, those of RDS for MySQL, stay two weeks.
const RETENTION_MS: i64 = 60 * 24 * 60 * 60 * 1000;

/// Whether a cursor is of a file that has gone for good: so old that RDS cannot have it any more, and not listed.
///
/// An empty listing says nothing, because RDS gives one now and then for no reason.
pub(super) fn is_gone(cursor: &Cursor, listed: &[Listing], now_ms: i64) -> bool {
    let is_it = |file: &Listing| {
        file.family == cursor.family && file.listed.last_written_ms <= cursor.listed.last_written_ms
    };
    let is_old = now_ms.saturating_sub(cursor.listed.last_written_ms) > RETENTION_MS;
    is_old && !listed.is_empty() && !listed.iter().any(is_it)
}

/// A listed file, as far as it can be recognised again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) family: String,
    pub(super) listed: Listed,
}

pub(super) fn listed(log: &LogFile) -> Listed {
    Listed { size: log.size, last_written_ms: log.last_written_ms }
}

#[cfg(test)]
mod tests {
    use auditkeep_core::integrity::hash::Sha256;

    use super::*;

    fn log(name: &str, size: u64, last_written_ms: i64) -> LogFile {
        LogFile { name: name.to_owned(), size, last_written_ms }
    }

    fn cursor(family: &str, generation: &str, size: u64, last_written_ms: i64) -> (String, Cursor) {
        let cursor = Cursor {
            log: family.to_owned(),
            family: family.to_owned(),
            generation: generation.to_owned(),
            format: "server-audit".to_owned(),
            day: "2026/11/21".to_owned(),
            offset: size,
            complete_to: size,
            cuts: vec![size],
            chain: Sha256([0; 32]),
            unfinished: Vec::new(),
            listed: Listed { size, last_written_ms },
            settled: true,
            evidence_only: false,
        };
        (cursor.key(), cursor)
    }

    #[test]
    fn families() {
        assert_eq!(family("audit/server_audit.log"), "audit/server_audit.log");
        assert_eq!(family("audit/server_audit.log.1"), "audit/server_audit.log");
        assert_eq!(family("audit/server_audit.log.001"), "audit/server_audit.log");
        assert_eq!(family("audit/audit.log.0.2026-11-21-03-58.0"), "audit/audit.log.0.2026-11-21-03-58.0");
        assert_eq!(family("error/postgresql.log.2026-11-21-04"), "error/postgresql.log.2026-11-21-04");
        let csv = "error/postgresql.log.2026-11-21-0400.csv";
        assert_eq!(family(&format!("{csv}.gz")), csv);
    }

    #[test]
    fn oldest_first_and_only_audit_logs() {
        let listed = vec![
            log("audit/server_audit.log", 5, 3000),
            log("error/mysql-error-running.log", 5, 1000),
            log("audit/server_audit.log.02", 9, 2000),
            log("audit/server_audit.log.01", 9, 3000),
            log("audit/server_audit.log.10", 9, 2000),
        ];
        let names: Vec<_> = select(SourceKind::LogFiles, Engine::Mariadb, listed)
            .into_iter()
            .map(|file| file.log.name)
            .collect();
        let numbers: Vec<_> = names.iter().map(|name| &name["audit/server_audit.log".len()..]).collect();
        assert_eq!(numbers, [".10", ".02", ".01", ""]);
    }

    #[test]
    fn csv_twins() {
        let listed = vec![
            log("error/postgresql.log.2026-11-21-04", 1, 0),
            log("error/postgresql.log.2026-11-21-04.csv", 1, 0),
        ];
        let twins: Vec<_> = select(SourceKind::LogFiles, Engine::Postgres, listed)
            .into_iter()
            .map(|file| (file.log.name.rsplit('.').next() == Some("csv"), file.has_csv_twin))
            .collect();
        assert_eq!(twins, [(false, true), (true, false)]);
        for (text, csv) in [(".gz", ""), ("", ".gz"), (".gz", ".gz")] {
            let stem = "error/postgresql.log.2026-11-21-0400";
            let listed = vec![log(&format!("{stem}{text}"), 1, 0), log(&format!("{stem}.csv{csv}"), 2, 0)];
            let selected = select(SourceKind::LogFiles, Engine::AuroraPostgresql, listed);
            let twin = selected.iter().find(|file| file.has_csv_twin).unwrap();
            assert_eq!(twin.log.size, 1, "{text} {csv}");
        }
    }

    #[test]
    fn a_renamed_file_is_known_by_size_and_time() {
        let cursors = BTreeMap::from([cursor("audit/server_audit.log", "a", 100, 5000)]);
        let listed = vec![log("audit/server_audit.log.1", 100, 5000), log("audit/server_audit.log", 7, 6000)];
        let selected = select(SourceKind::LogFiles, Engine::Mysql, listed);
        let (unchanged, changed) = split_unchanged(SourceKind::LogFiles, selected.clone(), &cursors);
        assert_eq!(unchanged[0].name, "audit/server_audit.log.1");
        assert_eq!(changed.len(), 1);
        let (unchanged, _) = split_unchanged(SourceKind::Import, selected, &cursors);
        assert!(unchanged.is_empty(), "files on disk are always read");
    }

    #[test]
    fn only_old_files_that_are_not_listed_are_gone() {
        let (_, old) = cursor("error/postgresql.log.2026-01-01-00", "a", 100, 5000);
        let now = 5000 + RETENTION_MS + 1;
        let of = |family: &str, size, last_written_ms| {
            vec![Listing { family: family.to_owned(), listed: Listed { size, last_written_ms } }]
        };
        assert!(is_gone(&old, &of("error/postgresql.log.2026-03-09-00", 1, now), now));
        assert!(!is_gone(&old, &of("error/postgresql.log.2026-03-09-00", 1, now), now - 2), "not old enough");
        assert!(!is_gone(&old, &[], now), "an empty listing says nothing");
        assert!(!is_gone(&old, &of(&old.family, 100, 5000), now), "it is still there");
    }

    #[test]
    fn twins_of_one_second_need_two_cursors() {
        let cursors = BTreeMap::from([cursor("audit/server_audit.log", "a", 100, 5000)]);
        let listed =
            vec![log("audit/server_audit.log.1", 100, 5000), log("audit/server_audit.log.2", 100, 5000)];
        let selected = select(SourceKind::LogFiles, Engine::Mysql, listed);
        let (unchanged, changed) = split_unchanged(SourceKind::LogFiles, selected, &cursors);
        assert_eq!((unchanged.len(), changed.len()), (0, 2));
    }
}
