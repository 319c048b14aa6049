//! Whether a file still begins with what is archived of it.

use auditkeep_archive::commit::{CHAIN_START, Cursor, chain};
use auditkeep_core::integrity::hash::{Hasher, Sha256};

/// Hashes again what is archived already, in the same pieces, to see whether it is still the same.
pub(super) struct Prefix {
    expected: Sha256,
    cuts: std::vec::IntoIter<u64>,
    next_cut: u64,
    position: u64,
    hasher: Hasher,
    chain: Sha256,
}

impl Prefix {
    pub(super) fn new(cursor: &Cursor) -> Self {
        let mut cuts = cursor.cuts.clone().into_iter();
        let next_cut = cuts.next().unwrap_or(0);
        Self {
            expected: cursor.chain,
            cuts,
            next_cut,
            position: 0,
            hasher: Hasher::new(),
            chain: CHAIN_START,
        }
    }

    /// Takes bytes up to the next cut, and returns how many that were.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        let room = usize::try_from(self.next_cut - self.position).unwrap_or(usize::MAX);
        let taken = bytes.len().min(room);
        self.hasher.update(&bytes[..taken]);
        self.position += taken as u64;
        if self.position == self.next_cut {
            let raw = std::mem::take(&mut self.hasher).finish();
            self.chain = chain(&self.chain, &raw);
            self.next_cut = self.cuts.next().unwrap_or(self.position);
        }
        taken
    }

    /// Meaningful once everything that is archived was taken.
    pub(super) fn is_unchanged(&self) -> bool {
        self.chain == self.expected
    }
}
