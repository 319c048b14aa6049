//! The log files of a simulated database over time: what is written, rotated, compressed, deleted.
//!
//! No clock and no lock: whoever holds it says what time it is, and never an earlier time than before.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::seeded;
use crate::simulate::generation::Generation;
use crate::simulate::layout::Layout;
use crate::simulate::records::Voice;

/// What an instance has after a failover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failover {
    /// The new host's own files; those of the old host are gone.
    NewFiles,
    /// The open files begin anew under their names; the closed ones are still there.
    EmptiedFiles,
}

#[derive(Debug)]
pub(crate) struct Disk {
    layout: Layout,
    writers: Vec<Writer>,
    gone: Vec<Generation>,
    generations: u64,
    /// Whose turn it is, where a record goes to one of several files.
    turn: usize,
    at_us: i64,
}

/// One file that is written to, and its closed forerunners, the newest first.
#[derive(Debug)]
struct Writer {
    voice: Voice,
    pace: Option<Pace>,
    next_record: u64,
    sequence: u64,
    live: Generation,
    closed: VecDeque<Generation>,
}

#[derive(Debug)]
struct Pace {
    next_us: i64,
    interval_us: i64,
}

impl Disk {
    /// A database that begins at a time and writes a record every so many microseconds, or only when it is told to.
    pub(crate) fn new(layout: Layout, seed: u64, interval_us: Option<i64>, start_us: i64) -> Self {
        let dialects = layout.writers();
        let twins = layout.writes_twins();
        // Where files share the records, each of them is as much slower.
        let share = if twins { 1 } else { i64::try_from(dialects.len()).unwrap_or(1) };
        let mut generations = 0;
        let writer = |(index, dialect): (usize, _)| {
            let seed = if twins { seed } else { seeded::mix(&[seed, index as u64]) };
            let voice = Voice { dialect, seed };
            let live = Generation::new(index as u64, voice, layout.new_name(index, 0, start_us), start_us);
            generations += 1;
            let pace = interval_us.map(|interval| {
                // They take turns.
                let turn = if twins { 1 } else { i64::try_from(index + 1).unwrap_or(1) };
                Pace { next_us: start_us + interval.max(1) * turn, interval_us: interval.max(1) * share }
            });
            Writer { voice, pace, next_record: 0, sequence: 0, live, closed: VecDeque::new() }
        };
        let writers = dialects.into_iter().enumerate().map(writer).collect();
        Self { layout, writers, gone: Vec::new(), generations, turn: 0, at_us: start_us }
    }

    /// Does everything that is due until then.
    pub(crate) fn advance(&mut self, now_us: i64) {
        while let Some((writer, at_us)) = self.next_record(now_us) {
            self.end_periods(at_us);
            self.append(writer, at_us);
            if let Some(pace) = &mut self.writers[writer].pace {
                pace.next_us += pace.interval_us;
            }
        }
        self.end_periods(now_us);
        self.delete_old(now_us);
        self.at_us = self.at_us.max(now_us);
    }

    /// Each period has its file, even if nothing was written in it.
    fn end_periods(&mut self, now_us: i64) {
        for writer in 0..self.writers.len() {
            let mut opened_us = self.writers[writer].live.opened_us;
            while let Some(end_us) = self.layout.end_of_period(opened_us).filter(|end_us| *end_us <= now_us) {
                self.rotate_one(writer, end_us);
                opened_us = end_us;
            }
        }
    }

    fn next_record(&self, now_us: i64) -> Option<(usize, i64)> {
        let due = self.writers.iter().enumerate().filter_map(|(index, writer)| {
            writer.pace.as_ref().filter(|pace| pace.next_us <= now_us).map(|pace| (index, pace.next_us))
        });
        due.min_by_key(|(index, at_us)| (*at_us, *index))
    }

    /// Writes so many records at once, beside those of its pace.
    pub(crate) fn write(&mut self, records: u64, at_us: i64) {
        for _ in 0..records {
            if self.layout.writes_twins() {
                (0..self.writers.len()).for_each(|writer| self.append(writer, at_us));
            } else {
                self.append(self.turn, at_us);
                self.turn = (self.turn + 1) % self.writers.len();
            }
        }
    }

    fn append(&mut self, writer: usize, at_us: i64) {
        if self.layout.is_full(self.writers[writer].live.size) {
            self.rotate_one(writer, at_us);
        }
        let writer = &mut self.writers[writer];
        writer.live.append(writer.next_record, at_us);
        writer.next_record += 1;
    }

    /// Begins new files, as far as the engine has other names for them by now.
    pub(crate) fn rotate(&mut self, at_us: i64) {
        (0..self.writers.len()).for_each(|writer| self.rotate_one(writer, at_us));
    }

    fn rotate_one(&mut self, index: usize, at_us: i64) {
        let number = self.generations;
        let writer = &mut self.writers[index];
        let name = self.layout.new_name(index, writer.sequence + 1, at_us);
        let most = match &self.layout {
            Layout::ServerAudit(logs) => logs.rotations as usize,
            _ => usize::MAX,
        };
        let renames = matches!(self.layout, Layout::ServerAudit(_));
        if most == 0 || (!renames && name == writer.live.name()) {
            return;
        }
        writer.sequence += 1;
        self.generations += 1;
        let closed = std::mem::replace(&mut writer.live, Generation::new(number, writer.voice, name, at_us));
        writer.closed.push_front(closed);
        if let Layout::ServerAudit(logs) = &self.layout {
            for (place, file) in writer.closed.iter_mut().take(most).enumerate() {
                file.rename(logs.rotated_name(place + 1), at_us);
            }
        }
        while writer.closed.len() > most {
            self.gone.extend(writer.closed.pop_back().map(|file| deleted(file, at_us)));
        }
        self.delete_old(at_us);
        self.relieve(at_us);
    }

    fn delete_old(&mut self, now_us: i64) {
        let Some(keep) = self.layout.keep() else { return };
        let keep_us = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
        for writer in &mut self.writers {
            while let Some(file) =
                writer.closed.pop_back_if(|file| file.last_us.saturating_add(keep_us) <= now_us)
            {
                let at_us = file.last_us + keep_us;
                self.gone.push(deleted(file, at_us));
            }
        }
    }

    /// Makes room until the files are as small as they have to be, or only open ones are left.
    fn relieve(&mut self, at_us: i64) {
        let Layout::Postgres(logs) = &self.layout else { return };
        let Some(most) = logs.storage_bytes else { return };
        while self.files().map(Generation::stored_size).sum::<u64>() > most && self.press(at_us) {}
    }

    /// What a database does that is short of storage: the oldest closed file that is not compressed is, or the oldest
    /// is deleted when all are. False if there is nothing to do.
    pub(crate) fn press(&mut self, at_us: i64) -> bool {
        let closed = || {
            self.writers.iter().enumerate().flat_map(|(index, w)| w.closed.iter().map(move |f| (index, f)))
        };
        let plain = closed().filter(|(_, file)| file.zipped.is_none()).min_by_key(|(_, file)| file.opened_us);
        if let Some((writer, number)) = plain.map(|(writer, file)| (writer, file.number)) {
            let files = self.writers[writer].closed.iter_mut();
            files.filter(|file| file.number == number).for_each(|file| file.compress(at_us));
            return true;
        }
        let oldest = closed().min_by_key(|(_, file)| file.opened_us).map(|(writer, _)| writer);
        let oldest = oldest.and_then(|writer| self.writers[writer].closed.pop_back());
        let found = oldest.is_some();
        self.gone.extend(oldest.map(|file| deleted(file, at_us)));
        found
    }

    pub(crate) fn fail_over(&mut self, failover: Failover, at_us: i64) {
        for (index, writer) in self.writers.iter_mut().enumerate() {
            let name = match failover {
                Failover::NewFiles => {
                    writer.sequence = 0;
                    self.gone.extend(writer.closed.drain(..).map(|file| deleted(file, at_us)));
                    self.layout.new_name(index, 0, at_us)
                }
                Failover::EmptiedFiles => writer.live.name().to_owned(),
            };
            let fresh = Generation::new(self.generations, writer.voice, name, at_us);
            self.generations += 1;
            self.gone.push(deleted(std::mem::replace(&mut writer.live, fresh), at_us));
        }
    }

    /// The instance is deleted, and its files with it. Nothing must be asked of the disk afterwards but its history.
    pub(crate) fn remove(&mut self, at_us: i64) {
        for mut writer in self.writers.drain(..) {
            self.gone.extend(writer.closed.drain(..).map(|file| deleted(file, at_us)));
            self.gone.push(deleted(writer.live, at_us));
        }
    }

    pub(crate) fn at_us(&self) -> i64 {
        self.at_us
    }

    /// The files that are there.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Generation> {
        self.writers.iter().flat_map(|writer| std::iter::once(&writer.live).chain(&writer.closed))
    }

    /// All files that ever were, by the order in which they were begun.
    pub(crate) fn history(&self) -> Vec<Generation> {
        let mut all: Vec<Generation> = self.files().chain(&self.gone).cloned().collect();
        all.sort_by_key(|file| file.number);
        all
    }
}

fn deleted(mut file: Generation, at_us: i64) -> Generation {
    file.deleted_us = Some(at_us);
    file
}
