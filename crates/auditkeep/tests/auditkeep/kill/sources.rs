//! Instances whose logs grow and rotate, and what they have written, byte for byte: the truth of the test.
//!
//! What the source shows of a live log may end within a record. Nothing is ever deleted. Rotated logs soon look as if they had last
//! been written to some minutes ago, so that collectors take them for settled and meet them again under their next names.

use auditkeep_lab::emulator::{Fleet, LabInstance, Logs, RecordedFile};
use bytes::Bytes;
use fastrand::Rng;
use jiff::Timestamp;

use super::records::{Grammar, Numbered, Recorded};

/// More than the minutes after which the binary takes a file for settled.
const SETTLED_MS: i64 = 10 * 60 * 1000;
/// One instance is there from the beginning, the others come after so many times that everything has grown, one by one.
const CREATED_APART: usize = 100;
const LIVE_SERVER_AUDIT: &str = "audit/server_audit.log";

/// A log file as its server has written it.
pub struct LogFile {
    pub name: String,
    /// All of its records.
    pub bytes: Vec<u8>,
    /// What the source shows of them.
    shown: Bytes,
    last_written_ms: i64,
    stage: Stage,
    grammar: Grammar,
    recorded: Recorded,
    /// Which of the files that are live at the same time it is.
    part: usize,
    /// It rotates when it is longer than this.
    limit: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Live,
    Rotated,
    Settled,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rotation {
    /// `server_audit`: the live file gets a number, those that have one the next.
    Renames,
    /// PostgreSQL: each hour has a csvlog and a stderr log with the same numbered records.
    Hourly,
    /// Aurora MySQL: a record goes to one of four files, each of which begins anew under a later name.
    FourFiles,
}

pub struct Source {
    pub name: &'static str,
    engine: &'static str,
    rotation: Rotation,
    pub files: Vec<LogFile>,
    recorded: Vec<(Grammar, Recorded)>,
    /// How many times live files have begun.
    begun: usize,
    /// The instance is created when everything has grown so many times.
    created_after: usize,
}

pub struct Sources {
    sources: Vec<Source>,
    /// How many times everything has grown.
    grown: usize,
    /// So many numbered records are written. Their numbers begin at 1.
    pub numbered: u64,
    rng: Rng,
}

impl LogFile {
    fn is_live(&self, part: usize) -> bool {
        self.stage == Stage::Live && self.part == part
    }

    /// Shows all but the last `hidden` bytes, if that is more than before.
    fn show(&mut self, hidden: usize) {
        let end = self.bytes.len().saturating_sub(hidden);
        if end > self.shown.len() {
            self.shown = Bytes::copy_from_slice(&self.bytes[..end]);
            self.last_written_ms = now_ms();
        }
    }

    /// It has been quiet for minutes.
    fn settle(&mut self) {
        self.show(0);
        self.stage = Stage::Settled;
        self.last_written_ms -= SETTLED_MS;
    }

    /// `server_audit.log` becomes `server_audit.log.1`, that becomes `server_audit.log.2`.
    fn rename(&mut self) {
        let number = self.name[LIVE_SERVER_AUDIT.len()..].strip_prefix('.').map_or(0, |n| n.parse().unwrap());
        self.name = format!("{LIVE_SERVER_AUDIT}.{}", number + 1_u32);
    }
}

impl Source {
    fn new(
        (name, engine): (&'static str, &'static str),
        rotation: Rotation,
        created_after: usize,
        rng: &mut Rng,
    ) -> Self {
        let grammars: &[Grammar] = match rotation {
            Rotation::Renames => &[Grammar::MariaDb],
            Rotation::Hourly => &[Grammar::Csv, Grammar::Stderr],
            Rotation::FourFiles => &[Grammar::Aurora],
        };
        let recorded = grammars.iter().map(|grammar| (*grammar, Recorded::new(*grammar))).collect();
        let mut source =
            Self { name, engine, rotation, files: Vec::new(), recorded, begun: 0, created_after };
        (0..source.parts()).for_each(|part| source.begin(part, rng));
        source
    }

    /// Files, or pairs of twins, that are live at the same time.
    fn parts(&self) -> usize {
        if self.rotation == Rotation::FourFiles { 4 } else { 1 }
    }

    fn live(&mut self, part: usize) -> impl Iterator<Item = &mut LogFile> {
        self.files.iter_mut().filter(move |file| file.is_live(part))
    }

    fn begin(&mut self, part: usize, rng: &mut Rng) {
        let at = self.begun;
        self.begun += 1;
        let stem = match self.rotation {
            Rotation::Renames => LIVE_SERVER_AUDIT.to_owned(),
            Rotation::Hourly => format!("error/postgresql.log.2026-11-{:02}-{:02}", 1 + at / 24, at % 24),
            Rotation::FourFiles => {
                format!("audit/audit.log.{part}.2026-11-21-{:02}-{:02}.0", at / 60, at % 60)
            }
        };
        let limit = match self.rotation {
            Rotation::Renames => rng.usize(30_000..90_000),
            Rotation::Hourly => rng.usize(100_000..300_000),
            Rotation::FourFiles => rng.usize(20_000..60_000),
        };
        let new = self.recorded.iter().map(|(grammar, recorded)| LogFile {
            name: if *grammar == Grammar::Csv { format!("{stem}.csv") } else { stem.clone() },
            bytes: Vec::new(),
            shown: Bytes::new(),
            last_written_ms: now_ms(),
            stage: Stage::Live,
            grammar: *grammar,
            recorded: recorded.from_anywhere(rng),
            part,
            limit,
        });
        self.files.extend(new);
    }

    fn rotate(&mut self, part: usize, rng: &mut Rng) {
        for file in self.live(part) {
            file.show(0);
            file.stage = Stage::Rotated;
        }
        if self.rotation == Rotation::Renames {
            self.files.iter_mut().for_each(LogFile::rename);
        }
        self.begin(part, rng);
    }

    fn write_record(&mut self, part: usize, numbered: &mut u64, rng: &mut Rng) {
        // The first record of a file is its identity, so no two have the same.
        let is_first = self.live(part).any(|file| file.bytes.is_empty());
        let statement = (is_first || rng.u8(..4) == 0).then(|| {
            *numbered += 1;
            Numbered::new(*numbered, rng)
        });
        for file in self.live(part) {
            match &statement {
                Some(statement) => file.bytes.extend(statement.record(file.grammar)),
                None => file.bytes.extend_from_slice(file.recorded.next()),
            }
        }
    }

    fn grow(&mut self, numbered: &mut u64, rng: &mut Rng) {
        for _ in 0..rng.usize(..12) {
            self.write_record(rng.usize(..self.parts()), numbered, rng);
        }
        for part in 0..self.parts() {
            let is_full = self.live(part).any(|file| file.bytes.len() > file.limit);
            if is_full {
                self.rotate(part, rng);
            }
            self.live(part).for_each(|file| file.show(rng.usize(..100)));
        }
        // The oldest first, so that the order of the times stays that of the files.
        let rotated = self.files.iter_mut().find(|file| file.stage == Stage::Rotated);
        if let Some(file) = rotated.filter(|_| rng.u8(..6) == 0) {
            file.settle();
        }
    }

    fn instance(&self) -> LabInstance {
        let recorded = |file: &LogFile| RecordedFile {
            bytes: file.shown.clone(),
            last_written_ms: file.last_written_ms,
        };
        LabInstance {
            name: self.name.to_owned(),
            resource_id: format!("db-KILLEDKILLEDKILLED{}", self.name.to_uppercase()),
            engine: self.engine.to_owned(),
            engine_version: "1".to_owned(),
            cluster: None,
            logs: Logs::Memory(self.files.iter().map(|file| (file.name.clone(), recorded(file))).collect()),
        }
    }
}

impl Sources {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let sources = vec![
            Source::new(("aurora", "aurora-mysql"), Rotation::FourFiles, 0, &mut rng),
            Source::new(("maria", "mariadb"), Rotation::Renames, CREATED_APART, &mut rng),
            Source::new(("postgres", "postgres"), Rotation::Hourly, 2 * CREATED_APART, &mut rng),
        ];
        Self { sources, grown: 0, numbered: 0, rng }
    }

    /// Those whose instances were created by now.
    pub fn created(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| source.created_after < self.grown)
    }

    /// Some records more, and what rotation makes of it.
    pub fn grow(&mut self) {
        self.grown += 1;
        let Self { sources, grown, numbered, rng } = self;
        let created = sources.iter_mut().filter(|source| source.created_after < *grown);
        created.for_each(|source| source.grow(numbered, rng));
    }

    /// Nothing will be written any more, and nothing was for minutes.
    pub fn settle(&mut self) {
        let files = self.sources.iter_mut().flat_map(|source| &mut source.files);
        files.filter(|file| file.stage != Stage::Settled).for_each(LogFile::settle);
    }

    /// All as it is shown now.
    pub fn fleet(&self) -> Fleet {
        Fleet { instances: self.created().map(Source::instance).collect() }
    }

    pub fn total_bytes(&self) -> u64 {
        self.created().flat_map(|source| &source.files).map(|file| file.bytes.len() as u64).sum()
    }
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
