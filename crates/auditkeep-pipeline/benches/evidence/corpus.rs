//! Audit logs of any size, made from the recorded ones: their records in their order, with other times and other numbers.
//!
//! The same seed gives the same bytes. About a third of the numbers change from record to record, so that the logs compress
//! about as well as the recorded ones do. They are good enough to measure with, and no grammar is tested by them.

use std::path::{Path, PathBuf};

use auditkeep_core::engine::Engine;
use jiff::Timestamp;

/// 2026-11-21T08:00:00Z.
const START_US: i64 = 1_795_248_000_000_000;
/// Of a hundred numbers, how many are others than those that were recorded.
const CHANGED_NUMBERS: u32 = 35;
/// Numbers of fewer digits stay: return codes, parts of addresses, fields of an enumeration.
const MIN_DIGITS: usize = 3;

/// A grammar that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    ServerAudit,
    Csvlog,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::ServerAudit, Self::Csvlog];

    pub fn name(self) -> &'static str {
        match self {
            Self::ServerAudit => "server_audit",
            Self::Csvlog => "csvlog",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub fn engine(self) -> Engine {
        match self {
            Self::ServerAudit => Engine::Mariadb,
            Self::Csvlog => Engine::Postgres,
        }
    }

    pub fn log(self) -> &'static str {
        match self {
            Self::ServerAudit => "audit/server_audit.log",
            Self::Csvlog => "error/postgresql.log.2026-11-21-0800.csv",
        }
    }

    fn recorded(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::ServerAudit => {
                ("shop-mariadb/audit", &["server_audit.log.2", "server_audit.log.1", "server_audit.log"])
            }
            Self::Csvlog => (
                "shop-postgres/error",
                &[
                    "postgresql.log.2026-11-21-0901.csv",
                    "postgresql.log.2026-11-21-0902.csv",
                    "postgresql.log.2026-11-21-0903.csv",
                ],
            ),
        }
    }

    /// How a time is spelled where a record begins.
    fn time_pattern(self) -> (&'static [u8], &'static str) {
        match self {
            Self::ServerAudit => (b"20261121 09:02:26", "%Y%m%d %H:%M:%S"),
            Self::Csvlog => (b"2026-11-21 09:02:12.646", "%Y-%m-%d %H:%M:%S%.3f"),
        }
    }
}

/// A piece of a record.
enum Part {
    Text(Vec<u8>),
    Number(Vec<u8>),
}

/// Writes a log of one kind, record by record.
pub struct Corpus {
    kind: Kind,
    /// Behind the time with which each begins.
    records: Vec<Vec<Part>>,
    next: usize,
    random: fastrand::Rng,
    clock_us: i64,
    second: i64,
    time: String,
}

impl Corpus {
    pub fn new(kind: Kind, seed: u64) -> std::io::Result<Self> {
        let (directory, names) = kind.recorded();
        let recorded: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../auditkeep-lab/recorded");
        let mut records = Vec::new();
        for name in names {
            let text = std::fs::read(recorded.join(directory).join(name))?;
            records.extend(records_of(kind, &text).iter().map(|record| parts_of(record)));
        }
        let random = fastrand::Rng::with_seed(seed);
        let clock_us = START_US + i64::try_from(seed).unwrap_or(0) * 1_000_000;
        Ok(Self { kind, records, next: 0, random, clock_us, second: -1, time: String::new() })
    }

    /// Appends whole records until there are at least `length` bytes.
    pub fn fill(&mut self, out: &mut Vec<u8>, length: usize) {
        while out.len() < length {
            self.record(out);
        }
    }

    fn record(&mut self, out: &mut Vec<u8>) {
        self.clock_us += self.random.i64(0..2_000);
        self.write_time(out);
        // A workload goes over the same statements, and not always in the same order.
        self.next = if self.random.u8(..) < 16 { self.random.usize(..self.records.len()) } else { self.next };
        for part in &self.records[self.next] {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Number(number) if self.random.u32(..100) >= CHANGED_NUMBERS => {
                    out.extend_from_slice(number);
                }
                Part::Number(number) => {
                    out.push(number[0]);
                    let digits = number.len() - 1;
                    out.extend((0..digits).map(|_| b'0' + self.random.u8(..10)));
                }
            }
        }
        self.next = (self.next + 1) % self.records.len();
    }

    fn write_time(&mut self, out: &mut Vec<u8>) {
        let second = self.clock_us.div_euclid(1_000_000);
        if second != self.second {
            let (_, form) = self.kind.time_pattern();
            let time = Timestamp::from_second(second).unwrap_or_default();
            self.time = time.strftime(form).to_string();
            self.second = second;
        }
        out.extend_from_slice(self.time.as_bytes());
        if self.kind == Kind::Csvlog {
            let millis = self.clock_us.rem_euclid(1_000_000) / 1_000;
            let start = out.len() - 3;
            out.truncate(start);
            out.extend_from_slice(format!("{millis:03}").as_bytes());
        }
    }
}

/// The recorded records without their times. One begins with each line that begins with a time.
fn records_of(kind: Kind, text: &[u8]) -> Vec<Vec<u8>> {
    let (pattern, _) = kind.time_pattern();
    let mut records: Vec<Vec<u8>> = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let begins = line.len() > pattern.len()
            && line.iter().zip(pattern).all(|(byte, like)| byte.is_ascii_digit() == like.is_ascii_digit());
        match records.last_mut() {
            _ if begins => records.push(line[pattern.len()..].to_vec()),
            Some(record) => record.extend_from_slice(line),
            None => {}
        }
    }
    // A recording may end in the middle of a record.
    records.retain(|record| record.ends_with(b"\n"));
    records
}

fn parts_of(record: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    for run in record.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
        let is_number =
            run.len() >= MIN_DIGITS && run[0].is_ascii_digit() && run.iter().any(|byte| *byte != b'0');
        match parts.last_mut() {
            _ if is_number => parts.push(Part::Number(run.to_vec())),
            Some(Part::Text(text)) => text.extend_from_slice(run),
            _ => parts.push(Part::Text(run.to_vec())),
        }
    }
    parts
}
