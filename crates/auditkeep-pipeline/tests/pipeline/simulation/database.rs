//! A database that writes audit logs, begins new ones, and deletes old ones whether they were read or not.

use std::sync::{Arc, Mutex};

use auditkeep_core::engine::Engine;
use fastrand::Rng;

use crate::logs::{File, LIVE, ScriptedLogs};
use crate::records::Grammar;
use crate::world::now_ms;

/// Clones are the same database.
#[derive(Clone)]
pub struct Database {
    pub logs: ScriptedLogs,
    is_postgres: bool,
    /// Files that are kept beside the live one: rotations, or hours.
    pub keeps: u32,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    hour: u32,
    deleted: Vec<File>,
}

impl Database {
    pub fn new(engine: Engine, logs: ScriptedLogs, keeps: u32) -> Self {
        let database = Self { logs, is_postgres: engine.is_postgres(), keeps, state: Arc::default() };
        if !database.is_postgres {
            database.logs.create("error/mysql-error-running.log", Grammar::ServerAudit, now_ms());
            database.logs.create(LIVE, Grammar::ServerAudit, now_ms());
        } else {
            database.begin_hour(0);
        }
        database
    }

    fn hour_name(hour: u32) -> String {
        format!("error/postgresql.log.2026-11-{:02}-{:02}", 1 + hour / 24, hour % 24)
    }

    fn begin_hour(&self, hour: u32) {
        let name = Self::hour_name(hour);
        self.logs.create(&format!("{name}.csv"), Grammar::Csv, now_ms());
        self.logs.create(&name, Grammar::Stderr, now_ms());
    }

    /// The audit logs that are there.
    pub fn files(&self) -> Vec<File> {
        let files = self.logs.files();
        files.into_iter().filter(|file| !file.name.contains("mysql-error")).collect()
    }

    /// The audit logs that were deleted, as they were.
    pub fn deleted(&self) -> Vec<File> {
        self.state.lock().unwrap().deleted.clone()
    }

    pub fn any_file(&self, rng: &mut Rng) -> String {
        let files = self.files();
        files[rng.usize(..files.len())].name.clone()
    }

    /// The files that are written to at present.
    fn live(&self) -> Vec<String> {
        if !self.is_postgres {
            return vec![LIVE.to_owned()];
        }
        let name = Self::hour_name(self.state.lock().unwrap().hour);
        vec![format!("{name}.csv"), name]
    }

    pub fn grow(&self, rng: &mut Rng) {
        for name in self.live() {
            let logs = &self.logs;
            let mut listed_before = None;
            logs.edit(&name, |file| listed_before = Some((file.shown as u64, file.last_written_ms)));
            logs.complete(&name, now_ms());
            let records = rng.usize(0..12);
            logs.write(&name, records, now_ms());
            if records > 0 && rng.bool() {
                logs.cut_last_record(&name);
            }
            let late = rng.u8(0..4) == 0;
            logs.edit(&name, |file| file.listed = listed_before.filter(|_| late));
        }
    }

    /// Ends the live files, begins new ones, and deletes the oldest.
    pub fn rotate(&self) {
        self.complete_all();
        let mut state = self.state.lock().unwrap();
        if !self.is_postgres {
            let mut deleted = self.logs.rotate_keeping(self.keeps, now_ms());
            deleted.retain(|file| file.shown > 0);
            state.deleted.extend(deleted);
            return;
        }
        state.hour += 1;
        self.begin_hour(state.hour);
        if let Some(oldest) = state.hour.checked_sub(self.keeps + 1) {
            let name = Self::hour_name(oldest);
            // The twins go together.
            let twins = [self.logs.delete(&format!("{name}.csv")), self.logs.delete(&name)];
            state.deleted.extend(twins.into_iter().filter(|file| file.shown > 0));
        }
    }

    /// Ends every record that is being written, and lists every file as it is.
    pub fn complete_all(&self) {
        for file in self.files() {
            self.logs.complete(&file.name, now_ms());
            self.logs.edit(&file.name, |file| file.listed = None);
        }
    }
}
