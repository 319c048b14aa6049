//! Pins: what something signed says of another trail, and whether that is what is stored.

use std::collections::{BTreeMap, HashMap};
use std::io;

use auditkeep_core::integrity::hash::Sha256;

use super::{Check, Verdict, VerifyError};
use crate::layout;
use crate::spill::{self, PARTITIONS, Spill};

const ACCUSED: u8 = 0;
const BELIEVED: u8 = 1;

#[derive(Default)]
pub(super) struct Pins {
    /// The commits that are stored, by name: whether they are believed, and their hash.
    stored: Spill,
    /// The commits that must be stored, by name: their hash, number and trail.
    pinned: Spill,
    /// What each trail began with that is believed already; pins before are not looked at.
    starts: BTreeMap<String, u64>,
}

impl Pins {
    pub(super) fn begin(&mut self, trail: &str, number: u64, hash: Sha256) -> io::Result<()> {
        self.starts.insert(trail.to_owned(), number);
        self.store(trail, number, hash, true)
    }

    pub(super) fn store(&mut self, trail: &str, number: u64, hash: Sha256, believed: bool) -> io::Result<()> {
        let fact = [&[if believed { BELIEVED } else { ACCUSED }][..], &hash.0].concat();
        self.stored.add(layout::commit(trail, number).as_ref(), &fact)
    }

    pub(super) fn pin(&mut self, trail: &str, number: u64, hash: Sha256) -> io::Result<()> {
        let fact = [&hash.0[..], &number.to_be_bytes(), trail.as_bytes()].concat();
        self.pinned.add(layout::commit(trail, number).as_ref(), &fact)
    }

    /// Pins that are stored otherwise, and for each trail the highest number of those that are not stored.
    fn unkept(&mut self, partition: usize, unkept: &mut Unkept) -> io::Result<()> {
        let mut stored: HashMap<spill::Key, (u8, [u8; 32])> = HashMap::new();
        self.stored.read(partition, |key, fact| {
            if let Some((flag, Ok(hash))) = fact.split_first().map(|(flag, hash)| (*flag, hash.try_into())) {
                stored.insert(key, (flag, hash));
            }
        })?;
        let starts = &self.starts;
        self.pinned.read(partition, |key, fact| {
            let Some((hash, number, trail)) = parse_pin(fact) else { return };
            if starts.get(&trail).is_some_and(|start| number < *start) {
                return;
            }
            match stored.get(&key) {
                Some((BELIEVED, there)) if *there != hash => {
                    unkept.other.insert((trail, number));
                }
                // Accused already, or as it should be.
                Some(_) => {}
                None => {
                    let highest = unkept.absent.entry(trail).or_insert(number);
                    *highest = number.max(*highest);
                }
            }
        })
    }
}

#[derive(Default)]
struct Unkept {
    other: std::collections::BTreeSet<(String, u64)>,
    absent: BTreeMap<String, u64>,
}

fn parse_pin(fact: &[u8]) -> Option<([u8; 32], u64, String)> {
    let (hash, rest) = fact.split_first_chunk::<32>()?;
    let (number, trail) = rest.split_first_chunk::<8>()?;
    Some((*hash, u64::from_be_bytes(*number), String::from_utf8(trail.to_vec()).ok()?))
}

impl Check<'_> {
    /// Whether every commit that something signed says was there is there.
    pub(super) fn compare_pins(&mut self) -> Result<(), VerifyError> {
        let mut unkept = Unkept::default();
        for partition in 0..PARTITIONS {
            self.pins.unkept(partition, &mut unkept)?;
        }
        for (trail, number) in unkept.other {
            let detail = "something signed says that another commit was here";
            self.report.add(Verdict::Forked, layout::commit(&trail, number).to_string(), detail);
        }
        for (trail, number) in unkept.absent {
            self.report_absent(&trail, number);
        }
        Ok(())
    }

    fn report_absent(&mut self, trail: &str, number: u64) {
        if trail != layout::JOURNAL && !self.is_asked_for(trail) {
            return;
        }
        let name = Self::trail_name(trail);
        match self.last_numbers.get(trail).copied().unwrap_or(0) {
            0 => {
                let detail = format!("something signed says that it had {number} commits, and none is there");
                self.report.add(Verdict::Missing, name, detail);
            }
            last if last < number => {
                let detail =
                    format!("it ends at commit {last}; something signed says that commit {number} was there");
                self.report.add(Verdict::Truncated, name, detail);
            }
            // A hole in the numbering, which was reported as such.
            _ => {}
        }
    }
}
