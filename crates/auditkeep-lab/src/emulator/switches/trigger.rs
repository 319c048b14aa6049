//! When a rule holds: by chance, every so many calls, in a window of time, or all of them together.

use std::time::Duration;

use serde::Deserialize;

use crate::span;

/// Conditions; those that are given must all hold.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// How likely it is, for each call. The die is thrown for an instance's calls of one operation by their number, so
    /// the order in which calls of different instances come does not matter.
    #[serde(default)]
    pub probability: Option<Chance>,
    /// Every so many calls of the operation, whichever instance they are for; 0 is never.
    #[serde(default)]
    pub every: Option<u64>,
    /// With `every`: how many calls in a row; nothing means one.
    #[serde(default)]
    pub times: Option<u64>,
    /// Not before so long after the behaviour was set, by the lab's clock.
    #[serde(default, deserialize_with = "span::optional")]
    pub from: Option<Duration>,
    /// Not from then on.
    #[serde(default, deserialize_with = "span::optional")]
    pub until: Option<Duration>,
}

/// The numbers of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// The how-manieth call of this operation for this instance it is; the first is 1.
    pub(crate) of_instance: u64,
    /// The how-manieth call of this operation it is.
    pub(crate) of_operation: u64,
    /// Since the behaviour was set.
    pub(crate) elapsed: Duration,
}

impl When {
    /// Every so many calls of the operation.
    pub fn every(calls: u64) -> Self {
        Self { every: Some(calls), ..Self::default() }
    }

    pub(super) fn holds(&self, die: u64, numbers: Numbers) -> bool {
        self.probability.is_none_or(|chance| chance.strikes(die))
            && self.every.is_none_or(|every| in_turn(every, self.times.unwrap_or(1), numbers.of_operation))
            && self.from.is_none_or(|from| numbers.elapsed >= from)
            && self.until.is_none_or(|until| numbers.elapsed < until)
    }
}

fn in_turn(every: u64, times: u64, number: u64) -> bool {
    every > 0 && number >= every && number % every < times
}

/// A probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Chance(u64);

/// A number that is no probability.
#[derive(Debug, thiserror::Error)]
#[error("{0} is no probability: it must be between 0 and 1")]
pub struct ChanceError(f64);

/// A double holds all whole numbers up to 2^53.
const CERTAIN: u64 = 1 << 53;

impl Chance {
    /// From 0, never, to 1, always.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "between 0 and 2^53, where doubles are whole numbers"
    )]
    pub fn of(probability: f64) -> Result<Self, ChanceError> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(ChanceError(probability));
        }
        Ok(Self((probability * CERTAIN as f64) as u64))
    }

    fn strikes(self, die: u64) -> bool {
        die % CERTAIN < self.0
    }
}

impl TryFrom<f64> for Chance {
    type Error = ChanceError;

    fn try_from(probability: f64) -> Result<Self, ChanceError> {
        Self::of(probability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u64) -> Numbers {
        Numbers { of_instance: 1, of_operation: number, elapsed: Duration::from_secs(number) }
    }

    #[test]
    fn every_third_call_and_bursts() {
        let when = When::every(3);
        assert_eq!((1..=9).filter(|n| when.holds(0, at(*n))).collect::<Vec<_>>(), [3, 6, 9]);
        let when = When { times: Some(2), ..When::every(4) };
        assert_eq!((1..=10).filter(|n| when.holds(0, at(*n))).collect::<Vec<_>>(), [4, 5, 8, 9]);
        assert!(!When::every(0).holds(0, at(1)));
    }

    #[test]
    fn a_window_has_its_beginning_and_not_its_end() {
        let seconds = |n| Some(Duration::from_secs(n));
        let when = When { from: seconds(3), until: seconds(5), ..When::default() };
        assert_eq!((1..=9).filter(|n| when.holds(0, at(*n))).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn chances_are_between_never_and_always() {
        assert!(!Chance::of(0.0).unwrap().strikes(0));
        assert!(Chance::of(1.0).unwrap().strikes(u64::MAX));
        assert!(Chance::of(1.1).is_err() && Chance::of(-0.1).is_err() && Chance::of(f64::NAN).is_err());
    }
}
