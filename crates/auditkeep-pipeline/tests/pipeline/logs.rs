//! An instance's log files in memory, which do what those of RDS do: grow in the middle of a record, are renamed, vanish,
//! are listed late, and break off while they are read.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use auditkeep_pipeline::source::{LogBytes, LogFile, LogFiles, SourceError, SourceErrorKind};
use bytes::Bytes;
use fastrand::Rng;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::future::BoxFuture;
use futures::{StreamExt, stream};

use crate::records::{Grammar, Record};

/// What `server_audit` calls its live file.
pub const LIVE: &str = "audit/server_audit.log";

#[derive(Clone, Debug)]
pub struct File {
    pub name: String,
    pub grammar: Grammar,
    /// All bytes of its records; the source has written those before `shown`.
    pub bytes: Vec<u8>,
    pub shown: usize,
    /// Offset, length and statement of each record.
    pub records: Vec<(u64, u64, Option<String>)>,
    pub last_written_ms: i64,
    /// What a late listing still says of it.
    pub listed: Option<(u64, i64)>,
    /// A download ends with an error after so many bytes.
    pub breaks_after: Option<usize>,
    /// A download ends without an error after so many bytes.
    pub ends_after: Option<usize>,
    /// It lies compressed at the source; its name says so.
    pub gzip: bool,
    /// It is listed, and cannot be opened.
    pub unreadable: Option<SourceErrorKind>,
}

impl File {
    pub fn exposed(&self) -> &[u8] {
        &self.bytes[..self.shown]
    }

    /// As it is downloaded.
    fn stored(&self) -> Bytes {
        if !self.gzip {
            return Bytes::copy_from_slice(self.exposed());
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(self.exposed()).unwrap();
        encoder.finish().unwrap().into()
    }
}

/// Called with the name of the file that is being opened, before its bytes are looked at.
pub type Hook = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

struct State {
    files: Vec<File>,
    /// The newest record's number.
    number: u64,
    rng: Rng,
    list_fails: bool,
    lists_nothing: bool,
    hooks: VecDeque<(String, Hook)>,
    largest_chunk: usize,
    opened: Vec<String>,
}

/// Cheap to clone; clones are the same source.
#[derive(Clone)]
pub struct ScriptedLogs(Arc<Mutex<State>>);

impl ScriptedLogs {
    /// `seed` decides on the records and on the chunks of the downloads.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            files: Vec::new(),
            number: seed << 32,
            rng: Rng::with_seed(seed),
            list_fails: false,
            lists_nothing: false,
            hooks: VecDeque::new(),
            largest_chunk: 64 << 10,
            opened: Vec::new(),
        })))
    }

    /// Another source with the same files as they are now, without those that are not `visible`.
    pub fn view(&self, seed: u64, mut visible: impl FnMut(&str) -> bool) -> Self {
        let view = Self::new(seed);
        view.state().files = self.files().into_iter().filter(|file| visible(&file.name)).collect();
        view
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn files(&self) -> Vec<File> {
        self.state().files.clone()
    }

    pub fn exposed(&self, name: &str) -> Vec<u8> {
        self.files().iter().find(|file| file.name == name).unwrap().exposed().to_vec()
    }

    /// The names of the files that were opened since this was last asked.
    pub fn opened(&self) -> Vec<String> {
        std::mem::take(&mut self.state().opened)
    }

    pub fn largest_chunk(&self, bytes: usize) {
        self.state().largest_chunk = bytes;
    }

    pub fn list_fails(&self, fails: bool) {
        self.state().list_fails = fails;
    }

    pub fn lists_nothing(&self, nothing: bool) {
        self.state().lists_nothing = nothing;
    }

    /// Before the next time that `name` is opened.
    pub fn when_opened(&self, name: &str, hook: impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static) {
        self.state().hooks.push_back((name.to_owned(), Box::new(hook)));
    }

    pub fn drop_hooks(&self) {
        self.state().hooks.clear();
    }

    /// A new empty file.
    pub fn create(&self, name: &str, grammar: Grammar, now_ms: i64) {
        self.state().files.push(File {
            name: name.to_owned(),
            grammar,
            bytes: Vec::new(),
            shown: 0,
            records: Vec::new(),
            last_written_ms: now_ms,
            listed: None,
            breaks_after: None,
            ends_after: None,
            gzip: false,
            unreadable: None,
        });
    }

    pub fn edit(&self, name: &str, edit: impl FnOnce(&mut File)) {
        edit(self.state().files.iter_mut().find(|file| file.name == name).unwrap());
    }

    /// Ends the record that is being written.
    pub fn complete(&self, name: &str, now_ms: i64) {
        self.edit(name, |file| {
            if file.shown < file.bytes.len() {
                file.shown = file.bytes.len();
                file.last_written_ms = now_ms;
            }
        });
    }

    fn append(&self, name: &str, now_ms: i64, record: impl FnOnce(Grammar, u64, &mut Rng) -> Record) {
        let mut state = self.state();
        state.number += 1;
        let State { files, rng, number, .. } = &mut *state;
        let file = files.iter_mut().find(|file| file.name == name).unwrap();
        let record = record(file.grammar, *number, rng);
        file.records.push((file.bytes.len() as u64, record.bytes.len() as u64, record.statement));
        file.bytes.extend_from_slice(&record.bytes);
        file.shown = file.bytes.len();
        file.last_written_ms = now_ms;
    }

    /// Writes so many whole records.
    pub fn write(&self, name: &str, count: usize, now_ms: i64) {
        for _ in 0..count {
            self.append(name, now_ms, Grammar::random);
        }
    }

    /// Writes records of one length until there are `bytes` of them.
    pub fn write_bytes(&self, name: &str, bytes: usize, length: usize, now_ms: i64) {
        while self.state().files.iter().find(|file| file.name == name).unwrap().bytes.len() < bytes {
            self.append(name, now_ms, |grammar, number, _| grammar.record(number, length));
        }
    }

    /// Hides the end of what was written: by random, a part of the last record.
    pub fn cut_last_record(&self, name: &str) {
        let mut state = self.state();
        let State { files, rng, .. } = &mut *state;
        let file = files.iter_mut().find(|file| file.name == name).unwrap();
        if let Some((offset, length, _)) = file.records.last() {
            file.shown = usize::try_from(offset + rng.u64(0..*length)).unwrap();
        }
    }

    /// What the engine does with old files. Returns the file as it was.
    pub fn delete(&self, name: &str) -> File {
        let files = &mut self.state().files;
        let at = files.iter().position(|file| file.name == name).unwrap();
        files.remove(at)
    }

    /// Compresses a file where it lies.
    pub fn compress(&self, name: &str, now_ms: i64) {
        self.edit(name, |file| {
            file.name.push_str(".gz");
            (file.gzip, file.last_written_ms, file.listed) = (true, now_ms, None);
        });
    }

    /// Puts a deleted file back.
    pub fn restore(&self, file: File) {
        self.state().files.push(file);
    }

    /// Rotates, and deletes what is numbered higher than `last` then.
    pub fn rotate_keeping(&self, last: u32, now_ms: i64) -> Vec<File> {
        self.rotate(now_ms);
        let mut deleted = Vec::new();
        self.state().files.retain(|file| {
            let number = file.name.strip_prefix(LIVE).and_then(|rest| rest.strip_prefix('.'));
            let kept = number.is_none_or(|number| number.parse::<u32>().unwrap() <= last);
            if !kept {
                deleted.push(file.clone());
            }
            kept
        });
        deleted
    }

    /// What `server_audit` does: `.2` becomes `.3`, `.1` becomes `.2`, the live file becomes `.1`, and a new one begins.
    pub fn rotate(&self, now_ms: i64) {
        self.complete(LIVE, now_ms);
        for file in &mut self.state().files {
            if let Some(rest) = file.name.strip_prefix(LIVE) {
                let number: u32 = rest.strip_prefix('.').map_or(0, |digits| digits.parse().unwrap());
                file.name = format!("{LIVE}.{}", number + 1);
                file.listed = None;
            }
        }
        self.create(LIVE, Grammar::ServerAudit, now_ms);
    }
}

pub fn source_error(kind: SourceErrorKind, operation: &'static str, object: &str) -> SourceError {
    SourceError { kind, operation, object: object.to_owned(), cause: "as the script says".into() }
}

#[async_trait]
impl LogFiles for ScriptedLogs {
    async fn list(&self) -> Result<Vec<LogFile>, SourceError> {
        let mut state = self.state();
        if state.list_fails {
            return Err(source_error(SourceErrorKind::Throttled, "listing log files of", "db"));
        }
        let nothing = state.lists_nothing;
        let State { files, rng, .. } = &mut *state;
        let mut listed: Vec<LogFile> = files
            .iter()
            .filter(|_| !nothing)
            .map(|file| {
                let (size, last_written_ms) =
                    file.listed.unwrap_or_else(|| (file.stored().len() as u64, file.last_written_ms));
                // Times have a resolution of a second.
                LogFile { name: file.name.clone(), size, last_written_ms: last_written_ms / 1000 * 1000 }
            })
            .collect();
        rng.shuffle(&mut listed);
        Ok(listed)
    }

    async fn open(&self, name: &str) -> Result<LogBytes, SourceError> {
        let hook = {
            let mut state = self.state();
            state.opened.push(name.to_owned());
            let at = state.hooks.iter().position(|(hooked, _)| hooked == name);
            at.and_then(|at| state.hooks.remove(at))
        };
        if let Some((_, hook)) = hook {
            hook().await;
        }
        let mut state = self.state();
        let State { files, rng, largest_chunk, .. } = &mut *state;
        let file = files.iter().find(|file| file.name == name);
        let file = file.ok_or_else(|| source_error(SourceErrorKind::NotFound, "opening", name))?;
        if let Some(kind) = file.unreadable {
            return Err(source_error(kind, "opening", name));
        }
        let mut bytes = file.stored();
        let length = file.breaks_after.or(file.ends_after).unwrap_or(bytes.len());
        bytes.truncate(length);
        let mut items = Vec::new();
        let chunk = 1 + rng.usize(..*largest_chunk).min(bytes.len());
        while !bytes.is_empty() {
            items.push(Ok(bytes.split_to((1 + rng.usize(..chunk)).min(bytes.len()))));
        }
        if file.breaks_after.is_some() {
            items.push(Err(source_error(SourceErrorKind::Unreachable, "downloading", name)));
        }
        Ok(stream::iter(items).boxed())
    }
}
