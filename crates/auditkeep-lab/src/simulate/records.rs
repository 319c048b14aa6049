//! The records that a simulated database writes: a pure function of who writes, the record's number, and the time.
//!
//! Shapes are those of recorded logs and of the plugins' sources: MariaDB's `server_audit` has 10 fields, the plugin of
//! RDS for MySQL 12 (aws/audit-plugin-for-mysql, `server_audit.cc`), Aurora's advanced audit has microseconds since 1970
//! and is not in order; PostgreSQL has RDS's fixed prefix `%t:%r:%u@%d:[%p]:` and the csv form of version 14 and later.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::seeded;

/// The grammar of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Mariadb,
    Mysql,
    AuroraMysql,
    PostgresText,
    PostgresCsv,
}

/// Who writes: two writers with one seed and different grammars write the same records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Voice {
    pub(crate) dialect: Dialect,
    pub(crate) seed: u64,
}

/// What a record is about, before any grammar.
struct Record {
    marker: String,
    user: &'static str,
    address: String,
    session: u64,
    /// The record's place in its session.
    line: u64,
    kind: Kind,
    die: u64,
}

enum Kind {
    Connect,
    FailedConnect,
    Disconnect,
    Statement(&'static str),
}

const USERS: [&str; 4] = ["app", "alice", "report", "rdsadmin"];
/// Texts with what is awkward for one grammar or the other: quotes, commas, backslashes, line feeds, other scripts.
const STATEMENTS: [&str; 6] = [
    "SELECT id, total FROM orders WHERE customer = 42",
    "INSERT INTO customers VALUES (1, 'Ada \"Countess\" Lovelace', 'London, UK', NULL)",
    "UPDATE payments SET note = 'Grüße, 東京' WHERE path = 'C:\\temp\\'",
    "SELECT name,\n       salary\n  FROM employees\n ORDER BY salary DESC",
    "DELETE FROM carts WHERE updated < now() - interval 7 day",
    "GRANT SELECT ON orders TO report",
];
/// A session's records.
const SESSION: u64 = 20;

impl Voice {
    /// The record's bytes, with its line end.
    pub(crate) fn record(self, number: u64, at_us: i64) -> String {
        let record = Record::new(self.seed, number);
        match self.dialect {
            Dialect::Mariadb | Dialect::Mysql | Dialect::AuroraMysql => {
                server_audit(self.dialect, &record, number, at_us)
            }
            Dialect::PostgresText => postgres_text(&record, at_us),
            Dialect::PostgresCsv => postgres_csv(&record, at_us),
        }
    }
}

impl Record {
    fn new(seed: u64, number: u64) -> Self {
        let session = number / SESSION;
        let of_session = seeded::mix(&[seed, session]);
        let die = seeded::mix(&[seed, session, number]);
        let kind = match number % SESSION {
            0 if die.is_multiple_of(8) => Kind::FailedConnect,
            0 => Kind::Connect,
            last if last == SESSION - 1 => Kind::Disconnect,
            _ => Kind::Statement(seeded::pick(die, &STATEMENTS)),
        };
        Self {
            marker: format!("/* sim-{:08x}-{number} */", seed & 0xffff_ffff),
            user: seeded::pick(of_session, &USERS),
            address: format!("10.0.{}.{}", of_session >> 8 & 0xff, of_session >> 16 & 0xff),
            session,
            line: number % SESSION + 1,
            kind,
            die,
        }
    }
}

fn utc(at_us: i64) -> DateTime {
    Offset::UTC.to_datetime(Timestamp::from_microsecond(at_us).unwrap_or_default())
}

fn server_audit(dialect: Dialect, record: &Record, number: u64, at_us: i64) -> String {
    let time = if dialect == Dialect::AuroraMysql {
        // Records are not in order within a file: each is up to half a second late.
        (at_us - i64::try_from(record.die % 500_000).unwrap_or(0)).to_string()
    } else {
        let t = utc(at_us);
        format!(
            "{:04}{:02}{:02} {:02}:{:02}:{:02}",
            t.year(),
            t.month(),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        )
    };
    let (operation, database, object, code) = match &record.kind {
        Kind::Connect => ("CONNECT", "shop", String::new(), 0),
        Kind::FailedConnect => ("FAILED_CONNECT", "", String::new(), 1045),
        Kind::Disconnect => ("DISCONNECT", "shop", String::new(), 0),
        Kind::Statement(text) => (
            "QUERY",
            "shop",
            format!("'{} {}'", record.marker, escaped(text)),
            1142 * i32::from(number % 97 == 5),
        ),
    };
    // Connections have no number of a query.
    let query = if object.is_empty() { 0 } else { number };
    let Record { user, address, session, .. } = record;
    let mut line = format!(
        "{time},ip-10-0-1-2,{user},{address},{session},{query},{operation},{database},{object},{code}"
    );
    if dialect == Dialect::Mysql {
        line.push_str(if object.is_empty() { ",TCP/IP" } else { ",," });
    }
    line.push('\n');
    line
}

/// As both plugins escape (`escape_string`): a record never spans lines.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => escaped.push_str("\\n"),
            '\'' | '\\' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Severity, message, and the statement that an error belongs to.
fn postgres_message(record: &Record) -> (&'static str, String, Option<String>) {
    let Record { user, address, marker, line, .. } = record;
    let log = |message| ("LOG", message, None);
    match &record.kind {
        Kind::Connect => log(format!("connection authorized: user={user} database=shop SSL enabled")),
        Kind::FailedConnect => ("FATAL", format!("password authentication failed for user \"{user}\""), None),
        Kind::Disconnect => log(format!(
            "disconnection: session time: 0:00:09.120 user={user} database=shop host={address} port=40001"
        )),
        Kind::Statement(text) if record.die % 16 == 3 => {
            ("ERROR", "permission denied for table payments".to_owned(), Some(format!("{marker} {text}")))
        }
        Kind::Statement(text) => {
            let statement = format!("{marker} {text}").replace('"', "\"\"");
            log(format!("AUDIT: SESSION,{line},1,READ,SELECT,TABLE,public.orders,\"{statement}\",<none>"))
        }
    }
}

fn postgres_text(record: &Record, at_us: i64) -> String {
    let t = utc(at_us);
    let Record { user, address, session, .. } = record;
    let prefix = format!(
        "{} {:02}:{:02}:{:02} UTC:{address}({}):{user}@shop:[{}]:",
        t.date(),
        t.hour(),
        t.minute(),
        t.second(),
        30_000 + session % 30_000,
        1000 + session % 30_000
    );
    let (severity, message, statement) = postgres_message(record);
    // Further lines of a message begin with a tab.
    let mut text = format!("{prefix}{severity}:  {}\n", message.replace('\n', "\n\t"));
    if let Some(statement) = statement {
        let _ = writeln!(text, "{prefix}STATEMENT:  {}", statement.replace('\n', "\n\t"));
    }
    text
}

fn postgres_csv(record: &Record, at_us: i64) -> String {
    let t = utc(at_us);
    let Record { user, address, session, line, .. } = record;
    let (severity, message, statement) = postgres_message(record);
    let date = t.date();
    let time = format!("{:02}:{:02}:{:02}", t.hour(), t.minute(), t.second());
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let port = 30_000 + session % 30_000;
    let pid = 1000 + session % 30_000;
    let state = if severity == "LOG" { "00000" } else { "42501" };
    format!(
        "{date} {time}.{:03} UTC,\"{user}\",\"shop\",{pid},\"{address}:{port}\",{:x}.{pid:x},{line},\"SELECT\",\
         {date} {time} UTC,3/{session},0,{severity},{state},{},,,,,,{},,,\"shop\",\"client backend\",,0\n",
        t.subsec_nanosecond() / 1_000_000,
        0x6b00_0000 + session,
        quoted(&message),
        statement.as_deref().map(quoted).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21T09:03:13.098Z
    const AT_US: i64 = 1_795_251_793_098_000;

    fn records(dialect: Dialect) -> Vec<String> {
        (0..400).map(|number| Voice { dialect, seed: 7 }.record(number, AT_US)).collect()
    }

    #[test]
    fn audit_records_are_one_line_each_with_the_engines_number_of_fields() {
        for (dialect, connect, query) in
            [(Dialect::Mariadb, 10, 10), (Dialect::Mysql, 11, 12), (Dialect::AuroraMysql, 10, 10)]
        {
            for record in records(dialect) {
                assert_eq!(record.matches('\n').count(), 1, "{record}");
                let fields: Vec<&str> = record.trim_end().split(',').collect();
                if record.contains(",QUERY,") {
                    let (before, after) = (record.find('\'').unwrap(), record.rfind('\'').unwrap());
                    let outside = format!("{}{}", &record[..before], &record[after + 1..]);
                    assert_eq!(outside.split(',').count(), query, "{record}");
                } else {
                    assert_eq!(fields.len(), connect, "{record}");
                }
            }
        }
        assert!(records(Dialect::Mariadb)[1].starts_with("20261121 09:03:13,ip-10-0-1-2,"));
    }

    #[test]
    fn csv_rows_have_26_columns_and_the_text_the_same_records() {
        for (csv, text) in records(Dialect::PostgresCsv).iter().zip(records(Dialect::PostgresText)) {
            let mut quoted = false;
            let commas = csv
                .chars()
                .filter(|c| {
                    quoted ^= *c == '"';
                    *c == ',' && !quoted
                })
                .count();
            assert_eq!(commas + 1, 26, "{csv}");
            assert!(text.starts_with("2026-11-21 09:03:13 UTC:10.0."), "{text}");
            assert_eq!(csv.contains("sim-00000007-"), text.contains("sim-00000007-"));
        }
    }

    #[test]
    fn records_differ_and_come_again() {
        let mut once = records(Dialect::Mariadb);
        assert_eq!(once, records(Dialect::Mariadb));
        once.retain(|record| record.contains(",QUERY,"));
        let all = once.len();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), all);
    }
}
