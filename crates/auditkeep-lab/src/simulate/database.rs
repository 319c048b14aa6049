//! A simulated database: a disk that keeps up with a clock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::clock::{Clock, milliseconds};
use crate::emulator::LogFile;
use crate::seeded;
use crate::simulate::disk::{Disk, Failover};
use crate::simulate::layout::Layout;
use crate::simulate::truth::Truth;

/// What a database is.
#[derive(Debug, Clone)]
pub struct DatabaseOptions {
    /// `DbiResourceId`; part of what the seed means for this database.
    pub resource_id: String,
    /// How its files are named and rotated.
    pub layout: Layout,
    /// Nothing for a database that writes only when it is told to.
    pub record_every: Option<Duration>,
    /// How long before the clock's present it began to write.
    pub age: Duration,
    /// What its records are made of.
    pub seed: u64,
}

/// A database that writes log files.
#[derive(Debug)]
pub struct Database {
    options: DatabaseOptions,
    clock: Clock,
    started_ms: i64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Made when it is first looked at: most databases of a large fleet never are.
    disk: Option<Box<Disk>>,
    status: Status,
    removed: bool,
}

/// `DBInstanceStatus`, as far as it matters: the log API answers for an instance that is available.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// All is well.
    #[default]
    Available,
    /// It was just made.
    Creating,
    /// It is restarted, or the other host takes over.
    Rebooting,
    /// It is about to be gone.
    Deleting,
}

impl Status {
    /// As `DescribeDBInstances` says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Creating => "creating",
            Self::Rebooting => "rebooting",
            Self::Deleting => "deleting",
        }
    }
}

impl Database {
    /// A database that has been writing for its age.
    pub fn new(options: DatabaseOptions, clock: Clock) -> Self {
        let now_ms = clock.now_ms();
        Self::made_at(options, clock, now_ms)
    }

    pub(crate) fn made_at(options: DatabaseOptions, clock: Clock, at_ms: i64) -> Self {
        let started_ms = at_ms - milliseconds(options.age);
        Self { options, clock, started_ms, state: Mutex::default() }
    }

    /// `DbiResourceId`.
    pub fn resource_id(&self) -> &str {
        &self.options.resource_id
    }

    /// Writes so many records at once, beside those of its pace.
    pub fn write(&self, records: u64) {
        self.at(self.clock.now_ms(), |disk, at_us| disk.write(records, at_us));
    }

    /// Begins new files, as far as the engine has other names for them by now.
    pub fn rotate(&self) {
        self.at(self.clock.now_ms(), Disk::rotate);
    }

    /// Compresses the oldest file that is not compressed, or deletes the oldest, as Aurora PostgreSQL does when storage
    /// is short. False if only open files are left.
    pub fn press(&self) -> bool {
        self.at(self.clock.now_ms(), Disk::press).unwrap_or(false)
    }

    /// Another host takes over.
    pub fn fail_over(&self, failover: Failover) {
        self.fail_over_at(failover, self.clock.now_ms());
    }

    pub(crate) fn fail_over_at(&self, failover: Failover, at_ms: i64) {
        self.at(at_ms, |disk, at_us| disk.fail_over(failover, at_us));
    }

    /// Ends it: it writes no more, and its files are gone. The truth stays.
    pub(crate) fn remove_at(&self, at_ms: i64) {
        self.at(at_ms, Disk::remove);
        self.state().removed = true;
    }

    /// Whether the log API answers for it.
    pub fn status(&self) -> Status {
        self.state().status
    }

    /// Makes it ready or not.
    pub fn set_status(&self, status: Status) {
        self.state().status = status;
    }

    /// Everything that it has exposed until now.
    pub fn truth(&self) -> Truth {
        self.catch_up();
        let state = self.state();
        let history = state.disk.as_ref().map(|disk| disk.history()).unwrap_or_default();
        Truth::new(self.options.resource_id.clone(), history)
    }

    pub(crate) fn files(&self) -> Vec<LogFile> {
        self.catch_up();
        let state = self.state();
        let files = state.disk.iter().flat_map(|disk| disk.files());
        files
            .map(|file| LogFile {
                name: file.name().to_owned(),
                last_written_ms: file.last_us.div_euclid(1_000_000) * 1000,
                size: file.stored_size(),
            })
            .collect()
    }

    pub(crate) fn open(self: &Arc<Self>, name: &str) -> Option<Opened> {
        self.catch_up();
        let state = self.state();
        let file = state.disk.as_ref()?.files().find(|file| file.name() == name)?;
        Some(Opened {
            database: Arc::clone(self),
            name: name.to_owned(),
            generation: file.number,
            bytes: file.stored().into(),
            last_written_ms: file.last_us.div_euclid(1_000_000) * 1000,
        })
    }

    fn catch_up(&self) {
        self.at(self.clock.now_ms(), |_, _| ());
    }

    /// Lets the disk catch up and then does something at that time. A time that is over already means now.
    fn at<T>(&self, at_ms: i64, act: impl FnOnce(&mut Disk, i64) -> T) -> Option<T> {
        let mut state = self.state();
        if state.removed {
            return None;
        }
        let disk = state.disk.get_or_insert_with(|| {
            let DatabaseOptions { layout, record_every, seed, resource_id, .. } = &self.options;
            let seed = seeded::mix(&[*seed, seeded::text(resource_id)]);
            let interval_us = record_every.map(|every| i64::try_from(every.as_micros()).unwrap_or(i64::MAX));
            Box::new(Disk::new(layout.clone(), seed, interval_us, self.started_ms * 1000))
        });
        let now_us = (at_ms * 1000).max(disk.at_us());
        disk.advance(now_us);
        Some(act(disk, now_us))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file of a database that somebody reads.
#[derive(Debug)]
pub(crate) struct Opened {
    database: Arc<Database>,
    name: String,
    generation: u64,
    pub(crate) bytes: Bytes,
    pub(crate) last_written_ms: i64,
}

impl Opened {
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// The same file as it is by now, if it is still there and was not compressed.
    pub(crate) fn refresh(&mut self) {
        self.database.catch_up();
        let state = self.database.state();
        let files = state.disk.iter().flat_map(|disk| disk.files());
        if let Some(file) =
            files.into_iter().find(|file| file.number == self.generation && file.zipped.is_none())
        {
            self.bytes = file.stored().into();
        }
    }

    /// The file that has the name by now; nothing is left of one that has gone.
    pub(crate) fn reopen(&mut self) {
        match self.database.open(&self.name) {
            Some(opened) => *self = opened,
            None => self.bytes = Bytes::new(),
        }
    }
}
