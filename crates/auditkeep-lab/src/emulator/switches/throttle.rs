//! Throttling by rate: a bucket of calls that fills again as time goes by.
//!
//! AWS refuses with `Throttling: Rate exceeded` (honeycombio/rdslogs, `cli.go`). It does not document the RDS limits;
//! users meet them when they read large files by portions (aws/aws-cli issues 2197, 2400, 6701 and 8251), while the REST
//! download is called generous (vectordotdev/vector issue 16987): so a limit can be for some operations only.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::clock::milliseconds;
use crate::emulator::switches::Operation;
use crate::span;

/// How many calls there may be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// The operations that share the limit; empty means all.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// So many calls …
    pub calls: u32,
    /// … in so long; a second unless said otherwise.
    #[serde(default = "second", deserialize_with = "span::required")]
    pub per: Duration,
    /// How many calls may come at once after a silence.
    pub burst: u32,
}

fn second() -> Duration {
    Duration::from_secs(1)
}

/// How much of each limit is left.
#[derive(Debug, Default)]
pub(crate) struct Throttle(BTreeMap<usize, Bucket>);

/// Millionths of a call, and when they were counted.
#[derive(Debug)]
struct Bucket {
    millionths: u64,
    at_ms: i64,
}

const CALL: u64 = 1_000_000;

impl Throttle {
    /// Takes a call off every limit that it falls under; false if one of them is used up. A refused call costs nothing.
    pub(crate) fn admits(&mut self, limits: &[RateLimit], operation: Operation, now_ms: i64) -> bool {
        let concerned =
            |limit: &RateLimit| limit.operations.is_empty() || limit.operations.contains(&operation);
        let concerned: Vec<(usize, &RateLimit)> =
            limits.iter().enumerate().filter(|(_, limit)| concerned(limit)).collect();
        for (index, limit) in &concerned {
            self.0.entry(*index).or_insert_with(|| Bucket::full(limit, now_ms)).fill(limit, now_ms);
        }
        let buckets = || concerned.iter().map(|(index, _)| index);
        if buckets().any(|index| self.0.get(index).is_none_or(|bucket| bucket.millionths < CALL)) {
            return false;
        }
        for index in buckets() {
            if let Some(bucket) = self.0.get_mut(index) {
                bucket.millionths -= CALL;
            }
        }
        true
    }
}

impl Bucket {
    fn full(limit: &RateLimit, now_ms: i64) -> Self {
        Self { millionths: u64::from(limit.burst) * CALL, at_ms: now_ms }
    }

    fn fill(&mut self, limit: &RateLimit, now_ms: i64) {
        let elapsed = u64::try_from(now_ms - self.at_ms).unwrap_or(0);
        let per = u64::try_from(milliseconds(limit.per)).unwrap_or(0).max(1);
        let gained = u128::from(elapsed) * u128::from(limit.calls) * u128::from(CALL) / u128::from(per);
        let most = u64::from(limit.burst) * CALL;
        self.millionths = u64::try_from(gained).unwrap_or(most).saturating_add(self.millionths).min(most);
        self.at_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: Operation = Operation::DescribeDBLogFiles;

    fn limit(operations: &[Operation], calls: u32, burst: u32) -> RateLimit {
        RateLimit { operations: operations.to_vec(), calls, per: second(), burst }
    }

    #[test]
    fn a_burst_is_answered_and_then_the_rate() {
        let limits = [limit(&[], 2, 5)];
        let mut throttle = Throttle::default();
        let mut admitted = |now_ms| (0..10).filter(|_| throttle.admits(&limits, LIST, now_ms)).count();
        assert_eq!(admitted(0), 5);
        assert_eq!(admitted(400), 0);
        assert_eq!(admitted(500), 1);
        assert_eq!(admitted(2500), 4);
        assert_eq!(admitted(1_000_000), 5);
    }

    #[test]
    fn a_limit_is_for_its_operations() {
        let limits = [limit(&[LIST], 1, 1)];
        let mut throttle = Throttle::default();
        assert!(throttle.admits(&limits, LIST, 0));
        assert!(!throttle.admits(&limits, LIST, 0));
        assert!(throttle.admits(&limits, Operation::DownloadCompleteLogFile, 0));
    }
}
