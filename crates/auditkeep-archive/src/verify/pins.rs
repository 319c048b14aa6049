//! Pins: what something signed says of another trail, and whether that is what is stored.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

use auditkeep_core::integrity::hash::Sha256;
use serde::{Deserialize, Serialize};

use super::{Check, Verdict, VerifyError};
use crate::commit::Body;
use crate::layout::{self, JOURNAL};
use crate::leaf::SealedHead;
use crate::spill::{self, PARTITIONS, Spill};

#[derive(Default)]
pub(super) struct Pins {
    /// The commits that are stored, by name.
    stored: Spill,
    /// The commits that must be stored, by name.
    pinned: Spill,
    /// What each trail began with that is believed already; pins before are not looked at.
    starts: BTreeMap<String, u64>,
}

/// What something signed says of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pinned {
    commit: Sha256,
    /// Size and root of the tree after it, and the journal commit with the seal that says so.
    tree: Option<(u64, Sha256, u64)>,
}

impl Pinned {
    pub(super) fn commit(commit: Sha256) -> Self {
        Self { commit, tree: None }
    }

    pub(super) fn head(head: &SealedHead, seal: u64) -> Self {
        Self { commit: head.commit, tree: Some((head.size, head.root, seal)) }
    }
}

#[derive(Serialize, Deserialize)]
struct PinFact {
    trail: String,
    number: u64,
    pinned: Pinned,
}

/// A commit that is stored. One that is accused already has no tree that counts.
#[derive(Serialize, Deserialize)]
struct StoredFact {
    commit: Sha256,
    tree: Option<(u64, Sha256)>,
}

impl Pins {
    pub(super) fn begin(&mut self, trail: &str, number: u64, hash: Sha256, body: &Body) -> io::Result<()> {
        self.starts.insert(trail.to_owned(), number);
        self.store(trail, number, hash, Some(body))
    }

    /// The number after which a trail is looked at; zero for all of it.
    pub(super) fn start(&self, trail: &str) -> u64 {
        self.starts.get(trail).copied().unwrap_or(0)
    }

    /// Takes a commit that is stored, with its body if it is believed.
    pub(super) fn store(
        &mut self,
        trail: &str,
        number: u64,
        commit: Sha256,
        body: Option<&Body>,
    ) -> io::Result<()> {
        let tree = body.map(|body| (body.tree.size(), body.tree.root()));
        let fact = serde_json::to_vec(&StoredFact { commit, tree })?;
        self.stored.add(layout::commit(trail, number).as_ref(), &fact)
    }

    pub(super) fn pin(&mut self, trail: &str, number: u64, pinned: Pinned) -> io::Result<()> {
        let name = layout::commit(trail, number);
        let fact = serde_json::to_vec(&PinFact { trail: trail.to_owned(), number, pinned })?;
        self.pinned.add(name.as_ref(), &fact)
    }

    /// Pins that are stored otherwise, and for each trail the highest number of those that are not stored.
    fn unkept(&mut self, partition: usize, unkept: &mut Unkept) -> io::Result<()> {
        let mut stored: HashMap<spill::Key, StoredFact> = HashMap::new();
        self.stored.read(partition, |key, fact| {
            if let Ok(fact) = serde_json::from_slice(fact) {
                stored.insert(key, fact);
            }
        })?;
        let starts = &self.starts;
        self.pinned.read(partition, |key, fact| {
            let Ok(pin) = serde_json::from_slice::<PinFact>(fact) else { return };
            if starts.get(&pin.trail).is_some_and(|start| pin.number < *start) {
                return;
            }
            if let Some(stored) = stored.get(&key) {
                unkept.compare(pin, stored);
            } else {
                let highest = unkept.absent.entry(pin.trail).or_insert(pin.number);
                *highest = pin.number.max(*highest);
            }
        })
    }
}

#[derive(Default)]
struct Unkept {
    other: BTreeSet<(String, u64)>,
    /// Journal commits with seals that contradict the commits they name.
    wrong_seals: BTreeSet<u64>,
    absent: BTreeMap<String, u64>,
}

impl Unkept {
    fn compare(&mut self, pin: PinFact, stored: &StoredFact) {
        // Without a tree it is accused already.
        let Some((size, root)) = stored.tree else { return };
        if stored.commit != pin.pinned.commit {
            self.other.insert((pin.trail, pin.number));
        } else if let Some((stated_size, stated_root, seal)) = pin.pinned.tree
            && (stated_size, stated_root) != (size, root)
        {
            self.wrong_seals.insert(seal);
        }
    }
}

impl Check<'_> {
    /// Whether every commit that something signed says was there is there.
    pub(super) async fn compare_pins(&mut self) -> Result<(), VerifyError> {
        let mut unkept = Unkept::default();
        for partition in 0..PARTITIONS {
            self.pins.unkept(partition, &mut unkept)?;
        }
        for (trail, number) in unkept.other {
            let detail = "something signed says that another commit was here";
            self.report.add(Verdict::Forked, layout::commit(&trail, number).to_string(), detail);
        }
        for seal in unkept.wrong_seals {
            let detail = "its seal contradicts a commit that it names";
            self.report.add(Verdict::Modified, layout::commit(JOURNAL, seal).to_string(), detail);
        }
        if !unkept.absent.contains_key(JOURNAL) && self.lacks_a_journal().await? {
            let detail = "there is evidence, and no commit of the journal";
            self.report.add(Verdict::Missing, Self::trail_name(JOURNAL), detail);
        }
        for (trail, number) in unkept.absent {
            self.report_absent(&trail, number);
        }
        Ok(())
    }

    /// Since version 2 the journal begins before anything else is stored.
    async fn lacks_a_journal(&self) -> Result<bool, VerifyError> {
        let has_none = self.last_numbers.get(JOURNAL).is_none_or(|last| *last == 0);
        Ok(has_none && self.archive.manifest().format >= 2 && self.archive.has_evidence().await?)
    }

    fn report_absent(&mut self, trail: &str, number: u64) {
        if trail != JOURNAL && !self.is_asked_for(trail) {
            return;
        }
        let name = Self::trail_name(trail);
        match self.last_numbers.get(trail).copied().unwrap_or(0) {
            0 => {
                let detail =
                    format!("something signed says that commit {number} was there, and no commit is");
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
