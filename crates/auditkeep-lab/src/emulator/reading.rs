//! A simulated log that somebody reads, and what happens to it meanwhile.

use std::sync::Arc;

use crate::emulator::counters::Counters;
use crate::emulator::switches::{ReadingFlaw, Switch};
use crate::simulate::Opened;

/// The open file, and what is still to happen to it.
#[derive(Debug)]
pub(crate) struct SimulatedLog {
    opened: Opened,
    flaws: Vec<ReadingFlaw>,
    counters: Arc<Counters>,
}

impl SimulatedLog {
    pub(crate) fn new(opened: Opened) -> Self {
        Self { opened, flaws: Vec::new(), counters: Arc::default() }
    }

    /// From now on these things happen when it is their time, once each.
    pub(crate) fn expect(&mut self, flaws: Vec<ReadingFlaw>, counters: Arc<Counters>) {
        (self.flaws, self.counters) = (flaws, counters);
    }

    /// Lets happen what is due when so much was read; then gives what can be read.
    pub(crate) fn content_at(&mut self, position: u64) -> &[u8] {
        while let Some(index) =
            self.flaws.iter().position(|flaw| flaw.is_due(position, self.opened.bytes.len() as u64))
        {
            let flaw = self.flaws.remove(index);
            if self.meet(flaw) {
                self.counters.fault(Switch::Reading(flaw).kind());
            }
        }
        &self.opened.bytes
    }

    /// Lets one thing happen; false if the reader cannot notice it.
    fn meet(&mut self, flaw: ReadingFlaw) -> bool {
        match flaw {
            ReadingFlaw::RotateAfterList | ReadingFlaw::RotateAfterPortion => false,
            ReadingFlaw::RotateWhileRead { by_name, .. } => {
                self.opened.database().rotate();
                if by_name {
                    self.opened.reopen();
                }
                true
            }
            // A closed file does not grow.
            ReadingFlaw::GrowWhileRead { records } => {
                let size = self.opened.bytes.len();
                self.opened.database().write(records);
                self.opened.refresh();
                self.opened.bytes.len() > size
            }
        }
    }
}
