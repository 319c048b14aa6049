//! Whose signatures count, for which trail and up to which commit.
//!
//! A ring starts with the keys that somebody trusts, its roots, and follows the journal: keys are put in force by a commit that
//! a key in force has signed, and retired by another. A retired key's signatures count up to the heads of a seal, so that
//! its holder can write nothing new. Pure: reading the journal is for [`crate::journal`] and `verify`.

use std::collections::BTreeMap;

use auditkeep_core::integrity::key::VerifyingKey;
use auditkeep_core::integrity::note::{self, NoteError};

use crate::layout::JOURNAL;
use crate::leaf::SealLeaf;

#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    keys: Vec<VerifyingKey>,
    /// By `<name>+<key id>`, the journal commit that put a key in force which is no root: there it signs what comes after.
    added: BTreeMap<String, u64>,
    /// By `<name>+<key id>`.
    retired: BTreeMap<String, Retired>,
}

#[derive(Clone, Debug)]
struct Retired {
    /// Number of the journal commit that retired the key.
    by: u64,
    /// By trail id, the highest number that the key may have signed.
    up_to: BTreeMap<String, u64>,
}

impl KeyRing {
    pub fn of_roots(roots: Vec<VerifyingKey>) -> Self {
        Self { keys: roots, ..Self::default() }
    }

    /// Puts a key in force by journal commit `by`, unless it ever was.
    pub fn add(&mut self, key: VerifyingKey, by: u64) {
        if !self.keys.contains(&key) {
            self.added.insert(key.signer(), by);
            self.keys.push(key);
        }
    }

    /// From journal commit `by` on, the key `<name>+<key id>` signs no more. Without the seal, nothing that it signed in other
    /// trails counts.
    pub fn retire(&mut self, signer: &str, by: u64, seal: Option<&SealLeaf>) {
        let heads = seal.into_iter().flat_map(|seal| &seal.heads);
        let up_to = heads.map(|(trail, head)| (trail.clone(), head.number)).collect();
        self.retired.entry(signer.to_owned()).or_insert(Retired { by, up_to });
    }

    /// Every key that ever counted.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// Whether a signature by the key counts on that commit.
    pub fn allows(&self, key: &VerifyingKey, trail: &str, number: u64) -> bool {
        let is_added = trail != JOURNAL || self.added.get(&key.signer()).is_none_or(|added| *added < number);
        self.keys.contains(key)
            && is_added
            && self.retired.get(&key.signer()).is_none_or(|retired| {
                if trail == JOURNAL {
                    number <= retired.by
                } else {
                    retired.up_to.get(trail).is_some_and(|last| number <= *last)
                }
            })
    }

    /// Whether the key may sign what comes next.
    pub fn is_in_force(&self, key: &VerifyingKey) -> bool {
        self.keys.contains(key) && !self.retired.contains_key(&key.signer())
    }

    /// The text of a note on commit `number` of `trail`, if a key signed it whose signature counts there.
    pub fn open<'n>(&self, note: &'n str, trail: &str, number: u64) -> Result<&'n str, NoteError> {
        if self.retired.is_empty() && (trail != JOURNAL || self.added.is_empty()) {
            return note::open(note, &self.keys).map(|(text, _)| text);
        }
        let counting: Vec<VerifyingKey> =
            self.keys.iter().filter(|key| self.allows(key, trail, number)).cloned().collect();
        note::open(note, &counting).map(|(text, _)| text)
    }
}

#[cfg(test)]
mod tests {
    use auditkeep_core::integrity::hash::Sha256;
    use auditkeep_core::integrity::key::SigningKey;
    use jiff::Timestamp;

    use super::*;
    use crate::leaf::SealedHead;

    fn key(seed: u8) -> VerifyingKey {
        SigningKey::from_seed(&format!("k{seed}"), &[seed; 32]).unwrap().public().clone()
    }

    #[test]
    fn a_retired_key_counts_up_to_the_seal() {
        let mut ring = KeyRing::of_roots(vec![key(1)]);
        assert!(ring.allows(&key(1), "t", 99) && !ring.allows(&key(2), "t", 1));
        ring.add(key(2), 4);
        assert!(ring.allows(&key(2), JOURNAL, 5) && !ring.allows(&key(2), JOURNAL, 4));
        let head = SealedHead { number: 5, commit: Sha256([0; 32]), size: 5, root: Sha256([0; 32]) };
        let seal = SealLeaf { time: Timestamp::UNIX_EPOCH, heads: BTreeMap::from([("t".to_owned(), head)]) };
        ring.retire(&key(1).signer(), 7, Some(&seal));
        let allowed = |trail, number| ring.allows(&key(1), trail, number);
        assert!(allowed("t", 5) && !allowed("t", 6) && !allowed("new", 1));
        assert!(allowed(JOURNAL, 7) && !allowed(JOURNAL, 8));
        assert!(ring.is_in_force(&key(2)) && !ring.is_in_force(&key(1)));
        assert!(ring.allows(&key(2), "new", 1));
    }
}
