//! How an engine names its log files and when it begins a new one.
//!
//! Pure: names and decisions from numbers and times.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::simulate::records::Dialect;

/// The pattern of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// RDS for MySQL and MariaDB: one file, and its renamed forerunners.
    ServerAudit(ServerAudit),
    /// Aurora MySQL: four files at the same time.
    AuroraAudit(AuroraAudit),
    /// RDS for PostgreSQL and Aurora PostgreSQL: a new name for each period.
    Postgres(PostgresLogs),
}

/// `audit/server_audit.log`, `.1`, …: a chain of renamed files; the last one is overwritten.
///
/// Names as `logname()` and `do_rotate()` in aws/audit-plugin-for-mysql, `file_logger.cc`: the number has as many digits
/// as the number of rotations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAudit {
    /// `SERVER_AUDIT_FILE_ROTATE_SIZE`.
    pub rotate_bytes: u64,
    /// `SERVER_AUDIT_FILE_ROTATIONS`: how many renamed files are kept; 0 is never to rotate.
    pub rotations: u32,
    /// Whether records have the form of RDS for MySQL instead of MariaDB's.
    pub mysql: bool,
}

/// `audit/audit.log.<n>.<YYYY-MM-DD-HH-MM>.<seq>`, as seen in personio's issue 583.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuroraAudit {
    /// A file's size when a new one is begun; the Aurora guide says 100 MB.
    pub rotate_bytes: u64,
    /// How long a file is kept; 24 hours.
    pub keep: Duration,
}

/// `error/postgresql.log.<time>`, with a twin in csv if wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresLogs {
    /// `log_rotation_age`.
    pub rotate_every: Duration,
    /// `log_rotation_size`. Within one minute or hour, as the pattern is, the same file goes on.
    pub rotate_bytes: Option<u64>,
    /// `log_filename`.
    pub pattern: NamePattern,
    /// Whether `log_destination` has `csvlog` too.
    pub csv: bool,
    /// `rds.log_retention_period`.
    pub keep: Duration,
    /// What the closed and open files may take. Aurora compresses old files in place and deletes them before their time
    /// when storage is short ("Working with RDS and Aurora PostgreSQL logs" in the Aurora guide).
    pub storage_bytes: Option<u64>,
}

/// The time in a name of PostgreSQL's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamePattern {
    /// `YYYY-MM-DD-HH`, the default of RDS for PostgreSQL.
    Hour,
    /// `YYYY-MM-DD-HHMM`, as Aurora PostgreSQL has it.
    Minute,
}

const DAY: Duration = Duration::from_hours(24);
const HOUR: Duration = Duration::from_hours(1);

impl Layout {
    /// What RDS sets up for an engine; nothing for an engine that is not simulated.
    pub fn usual(engine: &str) -> Option<Self> {
        let server_audit =
            |mysql| Self::ServerAudit(ServerAudit { rotate_bytes: 1_000_000, rotations: 9, mysql });
        let postgres = |rotate_bytes, pattern| {
            let (rotate_every, keep) = (HOUR, DAY * 3);
            Self::Postgres(PostgresLogs {
                rotate_every,
                rotate_bytes,
                pattern,
                csv: false,
                keep,
                storage_bytes: None,
            })
        };
        match engine {
            "mysql" => Some(server_audit(true)),
            "mariadb" => Some(server_audit(false)),
            "aurora-mysql" => Some(Self::AuroraAudit(AuroraAudit { rotate_bytes: 100_000_000, keep: DAY })),
            "postgres" => Some(postgres(None, NamePattern::Hour)),
            "aurora-postgresql" => Some(postgres(Some(100_000 << 10), NamePattern::Minute)),
            _ => None,
        }
    }

    /// The grammars of the files that are written at the same time, one for each.
    pub(crate) fn writers(&self) -> Vec<Dialect> {
        match self {
            Self::ServerAudit(ServerAudit { mysql: true, .. }) => vec![Dialect::Mysql],
            Self::ServerAudit(_) => vec![Dialect::Mariadb],
            Self::AuroraAudit(_) => vec![Dialect::AuroraMysql; 4],
            Self::Postgres(PostgresLogs { csv: true, .. }) => {
                vec![Dialect::PostgresText, Dialect::PostgresCsv]
            }
            Self::Postgres(_) => vec![Dialect::PostgresText],
        }
    }

    /// Whether each record goes to all files, in their grammars, and not to one of them.
    pub(crate) fn writes_twins(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// The name of a file that is begun at a time.
    pub(crate) fn new_name(&self, writer: usize, sequence: u64, at_us: i64) -> String {
        match self {
            Self::ServerAudit(_) => "audit/server_audit.log".to_owned(),
            Self::AuroraAudit(_) => {
                let t = utc(at_us);
                let (hour, minute) = (t.hour(), t.minute());
                format!("audit/audit.log.{writer}.{}-{hour:02}-{minute:02}.{sequence}", t.date())
            }
            Self::Postgres(logs) => logs.name(writer, at_us),
        }
    }

    /// Whether the next record begins a new file.
    pub(crate) fn is_full(&self, size: u64) -> bool {
        match self {
            Self::ServerAudit(logs) => logs.rotations > 0 && size >= logs.rotate_bytes,
            Self::AuroraAudit(logs) => size >= logs.rotate_bytes,
            Self::Postgres(logs) => logs.rotate_bytes.is_some_and(|most| size >= most),
        }
    }

    /// When a file is at its end, however small it is. Periods begin at whole multiples of their length, as PostgreSQL's do.
    pub(crate) fn end_of_period(&self, opened_us: i64) -> Option<i64> {
        let Self::Postgres(logs) = self else { return None };
        let length = i64::try_from(logs.rotate_every.as_micros()).ok().filter(|length| *length > 0)?;
        Some((opened_us.div_euclid(length) + 1) * length)
    }

    /// How long a closed file is kept; nothing if only other files push it out.
    pub(crate) fn keep(&self) -> Option<Duration> {
        match self {
            Self::ServerAudit(_) => None,
            Self::AuroraAudit(logs) => Some(logs.keep),
            Self::Postgres(logs) => Some(logs.keep),
        }
    }
}

impl ServerAudit {
    /// The name after so many rotations; the first is 1.
    pub(crate) fn rotated_name(&self, place: usize) -> String {
        let digits = self.rotations.to_string().len();
        format!("audit/server_audit.log.{place:0digits$}")
    }
}

impl PostgresLogs {
    fn name(&self, writer: usize, at_us: i64) -> String {
        let t = utc(at_us);
        let minute = match self.pattern {
            NamePattern::Hour => String::new(),
            NamePattern::Minute => format!("{:02}", t.minute()),
        };
        let twin = if writer == 1 { ".csv" } else { "" };
        format!("error/postgresql.log.{}-{:02}{minute}{twin}", t.date(), t.hour())
    }
}

fn utc(at_us: i64) -> DateTime {
    Offset::UTC.to_datetime(Timestamp::from_microsecond(at_us).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_names_have_the_digits_of_the_number_of_rotations() {
        let name =
            |rotations, place| ServerAudit { rotate_bytes: 1, rotations, mysql: false }.rotated_name(place);
        assert_eq!(name(9, 1), "audit/server_audit.log.1");
        assert_eq!(name(10, 1), "audit/server_audit.log.01");
        assert_eq!(name(99, 42), "audit/server_audit.log.42");
        assert_eq!(name(100, 7), "audit/server_audit.log.007");
    }

    #[test]
    fn names_have_their_engines_form() {
        let at_us = 1_795_251_793_098_000;
        let name = |engine, writer| Layout::usual(engine).unwrap().new_name(writer, 10_986, at_us);
        assert_eq!(name("mariadb", 0), "audit/server_audit.log");
        assert_eq!(name("aurora-mysql", 3), "audit/audit.log.3.2026-11-21-09-03.10986");
        assert_eq!(name("postgres", 0), "error/postgresql.log.2026-11-21-09");
        assert_eq!(name("aurora-postgresql", 1), "error/postgresql.log.2026-11-21-0903.csv");
        assert_eq!(Layout::usual("oracle-ee"), None);
    }
}
