//! What an emulator has done: calls by operation, bytes sent, faults dealt by kind.
//!
//! Calls are counted once they are known to be allowed to ask: a refused signature is no call of the service.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::emulator::switches::Operation;

/// A look at the counters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Signed calls of the four operations, those that were refused by a switch included.
    pub calls: BTreeMap<Operation, u64>,
    /// Bytes of answers' bodies, as they went over the wire: compressed if they were.
    pub bytes_sent: u64,
    /// What the switches did, by the kind's name as in a scenario: `throttle`, `cut`, `rotate-after-list`, …
    pub faults: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// Calls of one operation.
    pub fn calls_of(&self, operation: Operation) -> u64 {
        self.calls.get(&operation).copied().unwrap_or_default()
    }

    /// Faults of one kind.
    pub fn faults_of(&self, kind: &str) -> u64 {
        self.faults.get(kind).copied().unwrap_or_default()
    }
}

/// The counters themselves.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<Counts>);

impl Counters {
    pub(crate) fn call(&self, operation: Operation) {
        *self.counts().calls.entry(operation).or_default() += 1;
    }

    pub(crate) fn sent(&self, bytes: u64) {
        self.counts().bytes_sent += bytes;
    }

    pub(crate) fn fault(&self, kind: &'static str) {
        *self.counts().faults.entry(kind).or_default() += 1;
    }

    pub(crate) fn snapshot(&self) -> Counts {
        self.counts().clone()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
