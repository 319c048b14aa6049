//! The clock that a simulated world lives by: the real one, one that is moved by hand, or one that a seed moves.
//!
//! A clock is a handle: clones show the same time. It never goes back. Signatures are not checked against it, because
//! clients sign by the real time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use crate::seeded;

/// What time it is in the lab.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    Real,
    Manual(AtomicI64),
    Seeded { now_ms: AtomicI64, ticks: AtomicU64, seed: u64, longest_step_ms: u64 },
}

impl Clock {
    /// The machine's clock.
    pub fn real() -> Self {
        Self(Arc::new(Kind::Real))
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Self(Arc::new(Kind::Manual(AtomicI64::new(start.as_millisecond()))))
    }

    /// A clock that every call to the emulator moves, by up to `longest_step`; how far is the seed's choice. The same
    /// seed and the same number of calls give the same time.
    pub fn seeded(start: Timestamp, seed: u64, longest_step: Duration) -> Self {
        let longest_step_ms = u64::try_from(longest_step.as_millis()).unwrap_or(u64::MAX);
        let now_ms = AtomicI64::new(start.as_millisecond());
        Self(Arc::new(Kind::Seeded { now_ms, ticks: AtomicU64::new(0), seed, longest_step_ms }))
    }

    /// Milliseconds since 1970, UTC.
    pub fn now_ms(&self) -> i64 {
        match &*self.0 {
            Kind::Real => Timestamp::now().as_millisecond(),
            Kind::Manual(now_ms) | Kind::Seeded { now_ms, .. } => now_ms.load(Ordering::SeqCst),
        }
    }

    /// Moves the clock on. The real clock goes its own way: it is left alone.
    pub fn advance(&self, by: Duration) {
        match &*self.0 {
            Kind::Real => {}
            Kind::Manual(now_ms) | Kind::Seeded { now_ms, .. } => {
                now_ms.fetch_add(milliseconds(by), Ordering::SeqCst);
            }
        }
    }

    /// Tells the clock that a call has come; only a seeded one minds.
    pub(crate) fn tick(&self) {
        if let Kind::Seeded { ticks, seed, longest_step_ms, .. } = &*self.0 {
            let tick = ticks.fetch_add(1, Ordering::SeqCst);
            let step = seeded::mix(&[*seed, tick]) % longest_step_ms.saturating_add(1);
            self.advance(Duration::from_millis(step));
        }
    }
}

/// A duration in whole milliseconds, as far as they fit.
pub(crate) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_manual_clock_moves_when_it_is_told_to() {
        let clock = Clock::manual(START);
        clock.tick();
        assert_eq!(clock.now_ms(), 0);
        clock.clone().advance(Duration::from_secs(2));
        assert_eq!(clock.now_ms(), 2000);
    }

    #[test]
    fn a_seed_moves_its_clock_the_same_way_again() {
        let times = |seed| -> Vec<i64> {
            let clock = Clock::seeded(START, seed, Duration::from_secs(1));
            std::iter::repeat_with(|| {
                clock.tick();
                clock.now_ms()
            })
            .take(50)
            .collect()
        };
        assert_eq!(times(7), times(7));
        assert_ne!(times(7), times(8));
        assert!(times(7).is_sorted());
        assert!(times(7)[49] > 10_000 && times(7)[49] <= 50_000);
    }
}
