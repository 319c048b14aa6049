//! One file's content from its first byte on, whatever the file is called in the course of time.
//!
//! Kept as runs of numbered records; the bytes are made when they are asked for, the same ones each time.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::simulate::records::Voice;

/// A file of a simulated database, present or gone.
#[derive(Debug, Clone)]
pub(crate) struct Generation {
    /// Unique in its database.
    pub(crate) number: u64,
    pub(crate) voice: Voice,
    /// All names it has had, each with the time from which on; never empty.
    pub(crate) names: Vec<(i64, String)>,
    runs: Vec<Run>,
    /// Uncompressed.
    pub(crate) size: u64,
    pub(crate) opened_us: i64,
    pub(crate) last_us: i64,
    /// The size of its compressed form, from when on that is what lies on the disk.
    pub(crate) zipped: Option<u64>,
    pub(crate) deleted_us: Option<i64>,
}

/// Records with consecutive numbers at a steady pace.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: u64,
    count: u64,
    from_us: i64,
    interval_us: i64,
}

impl Generation {
    pub(crate) fn new(number: u64, voice: Voice, name: String, at_us: i64) -> Self {
        Self {
            number,
            voice,
            names: vec![(at_us, name)],
            runs: Vec::new(),
            size: 0,
            opened_us: at_us,
            last_us: at_us,
            zipped: None,
            deleted_us: None,
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.names.last().map_or("", |(_, name)| name)
    }

    pub(crate) fn rename(&mut self, name: String, at_us: i64) {
        self.names.push((at_us, name));
    }

    /// Adds a record.
    pub(crate) fn append(&mut self, number: u64, at_us: i64) {
        self.size += self.voice.record(number, at_us).len() as u64;
        self.last_us = at_us;
        if !self.runs.last_mut().is_some_and(|run| run.extend(number, at_us)) {
            self.runs.push(Run { first: number, count: 1, from_us: at_us, interval_us: 0 });
        }
    }

    /// The records' bytes.
    pub(crate) fn content(&self) -> Vec<u8> {
        let mut content = Vec::with_capacity(usize::try_from(self.size).unwrap_or(0));
        for run in &self.runs {
            let mut at_us = run.from_us;
            for number in run.first..run.first + run.count {
                content.extend_from_slice(self.voice.record(number, at_us).as_bytes());
                at_us += run.interval_us;
            }
        }
        content
    }

    /// What lies on the disk: the records' bytes, or these compressed.
    pub(crate) fn stored(&self) -> Vec<u8> {
        if self.zipped.is_some() { zip(&self.content()) } else { self.content() }
    }

    /// The size of what lies on the disk.
    pub(crate) fn stored_size(&self) -> u64 {
        self.zipped.unwrap_or(self.size)
    }

    /// Compresses it in place: the name with `.gz` takes the place of the old one.
    pub(crate) fn compress(&mut self, at_us: i64) {
        self.zipped = Some(zip(&self.content()).len() as u64);
        self.rename(format!("{}.gz", self.name()), at_us);
    }
}

impl Run {
    /// Whether the record continues the run; then it is part of it.
    fn extend(&mut self, number: u64, at_us: i64) -> bool {
        let Ok(count) = i64::try_from(self.count) else { return false };
        if number != self.first + self.count {
            return false;
        }
        if count == 1 {
            self.interval_us = at_us - self.from_us;
        }
        let fits = at_us == self.from_us + count * self.interval_us;
        self.count += u64::from(fits);
        fits
    }
}

/// The same bytes for the same content: the header has no time.
fn zip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(content);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::records::Dialect;

    #[test]
    fn content_is_what_was_appended() {
        let voice = Voice { dialect: Dialect::Mariadb, seed: 3 };
        let mut generation = Generation::new(0, voice, "a".to_owned(), 0);
        let mut expected = String::new();
        // A steady pace, a burst at one moment, another pace, a number left out.
        let times =
            (0..5).map(|n| (n, 1000 * n)).chain((5..9).map(|n| (n, 9000))).chain([(9, 9500), (11, 9600)]);
        for (number, at) in times {
            generation.append(number, i64::try_from(at).unwrap());
            expected.push_str(&voice.record(number, i64::try_from(at).unwrap()));
        }
        assert_eq!(generation.content(), expected.as_bytes());
        assert_eq!(generation.size, expected.len() as u64);
        assert_eq!(generation.last_us, 9600);
        assert!(generation.runs.len() < 6, "{:?}", generation.runs);
    }
}
