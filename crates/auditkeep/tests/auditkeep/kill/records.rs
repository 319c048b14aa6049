//! What the sources write: records of real servers as they were recorded, and between them records with a number of their own.
//!
//! The recorded ones come again and again, so the same bytes are in a log many times over and must be archived as often. A
//! numbered one is written once; its statement says its number.

use std::sync::Arc;

use auditkeep_lab::emulator::Logs;
use auditkeep_lab::recorded;
use bytes::Bytes;
use fastrand::Rng;

/// What a numbered statement has before its number.
const MARKER: &str = "ak-kill-";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    MariaDb,
    Aurora,
    Csv,
    Stderr,
}

/// A statement with a number, which may be logged in several grammars.
pub struct Numbered {
    number: u64,
    statement: String,
}

impl Numbered {
    pub fn new(number: u64, rng: &mut Rng) -> Self {
        let pad = "x".repeat(if rng.u8(..) < 4 { rng.usize(2000..8000) } else { rng.usize(..60) });
        Self {
            number,
            statement: format!("SELECT \"id\", 'Jörg''s'\nFROM payments /* {MARKER}{number} {pad} */"),
        }
    }

    /// The record's bytes, with the line feed at its end.
    pub fn record(&self, grammar: Grammar) -> Vec<u8> {
        let Self { number, statement } = self;
        let quoted = |text: &str| text.replace('"', "\"\"");
        let escaped = || statement.replace('\'', "\\'").replace('\n', "\\n");
        let audit =
            || format!("AUDIT: SESSION,{number},1,READ,SELECT,,,\"{}\",<not logged>", quoted(statement));
        match grammar {
            Grammar::MariaDb => {
                format!("20261121 09:58:17,shop,app,10.0.0.7,33,{number},QUERY,shop,'{}',0\n", escaped())
            }
            Grammar::Aurora => {
                format!("1795255097000000,shop,app,10.0.0.7,33,{number},QUERY,shop,'{}',0\n", escaped())
            }
            Grammar::Csv => format!(
                "2026-11-21 09:58:17.123 UTC,\"app\",\"shop\",28741,\"10.0.0.7:45172\",6b01.{number:x},7,\"SELECT\",\
                 2026-11-21 09:58:00 UTC,3/12,0,LOG,00000,\"{}\",,,,,,,,,\"psql\",\"client backend\",,0\n",
                quoted(&audit())
            ),
            Grammar::Stderr => format!(
                "2026-11-21 09:58:17 UTC:10.0.0.7(45172):app@shop:[28741]:LOG:  {}\n",
                audit().replace('\n', "\n\t")
            ),
        }
        .into_bytes()
    }
}

/// The number in a statement.
pub fn number_in(statement: &str) -> Option<u64> {
    let (_, rest) = statement.split_once(MARKER)?;
    rest.split(' ').next()?.parse().ok()
}

/// The `like` pattern of the numbered statements.
pub fn numbered_pattern() -> String {
    format!("%{MARKER}%")
}

/// Records of a real server, endlessly.
#[derive(Clone)]
pub struct Recorded {
    records: Arc<[Bytes]>,
    next: usize,
}

impl Recorded {
    pub fn new(grammar: Grammar) -> Self {
        let (instance, wanted): (_, fn(&str) -> bool) = match grammar {
            Grammar::MariaDb => ("shop-mariadb", |_| true),
            Grammar::Aurora => ("shop-aurora", |_| true),
            Grammar::Csv => ("shop-postgres", |name| name.ends_with(".csv")),
            Grammar::Stderr => ("shop-postgres", |name| !name.ends_with(".csv")),
        };
        let fleet = recorded::fleet();
        let instance = fleet.instances.iter().find(|found| found.name == instance).unwrap();
        let Logs::Memory(files) = &instance.logs else { unreachable!("recorded logs are in memory") };
        let logs = files.iter().filter(|(name, _)| wanted(name));
        Self { records: logs.flat_map(|(_, file)| split(grammar, &file.bytes)).collect(), next: 0 }
    }

    /// The same records, beginning at any of them.
    pub fn from_anywhere(&self, rng: &mut Rng) -> Self {
        Self { records: Arc::clone(&self.records), next: rng.usize(..self.records.len()) }
    }

    pub fn next(&mut self) -> &[u8] {
        self.next = (self.next + 1) % self.records.len();
        &self.records[self.next]
    }
}

/// Cuts a recorded log into its records.
fn split(grammar: Grammar, log: &Bytes) -> Vec<Bytes> {
    let mut log = log.clone();
    let mut records = Vec::new();
    while !log.is_empty() {
        let ends = |at: &usize| log[*at] == b'\n' && ends_record(grammar, &log[..*at], log.get(at + 1));
        let end = (0..log.len()).find(ends).map_or(log.len(), |at| at + 1);
        records.push(log.split_to(end));
    }
    records
}

/// Whether a line feed after `record` and before `next` ends it.
fn ends_record(grammar: Grammar, record: &[u8], next: Option<&u8>) -> bool {
    match grammar {
        Grammar::MariaDb | Grammar::Aurora => true,
        Grammar::Csv => record.iter().filter(|byte| **byte == b'"').count() % 2 == 0,
        Grammar::Stderr => next != Some(&b'\t'),
    }
}
