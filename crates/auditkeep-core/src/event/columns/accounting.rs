//! Where every byte went: the counts by which a parser proves that it dropped nothing.

use std::collections::BTreeMap;

/// Records and the bytes they take up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub records: u64,
    pub bytes: u64,
}

/// What became of every byte that a parser was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    pub events: u64,
    pub event_bytes: u64,
    pub problems: u64,
    pub problem_bytes: u64,
    /// Bytes that hold no audit record, by kind.
    pub others: BTreeMap<&'static str, Tally>,
}

impl Accounting {
    /// All bytes accounted for; equal to the length of what was parsed.
    pub fn bytes(&self) -> u64 {
        self.event_bytes + self.problem_bytes + self.others.values().map(|tally| tally.bytes).sum::<u64>()
    }

    /// Adds what another parse has counted.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.event_bytes += other.event_bytes;
        self.problems += other.problems;
        self.problem_bytes += other.problem_bytes;
        for (kind, tally) in &other.others {
            let sum = self.others.entry(kind).or_default();
            sum.records += tally.records;
            sum.bytes += tally.bytes;
        }
    }
}
