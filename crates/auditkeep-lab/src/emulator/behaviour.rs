//! How an emulator behaves: the service's limits, and the switches that are on. The default is the usual day.

use std::time::Duration;

use crate::emulator::switches::{RateLimit, Rule};

/// Switches for what the real service does on one day and not on the other. The default is the usual day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    /// Files in one answer of `DescribeDBLogFiles`: the default for `MaxRecords` and its upper bound.
    /// Pages of 1000 were observed by users of the real service (honeycombio/rdslogs, pull request 8).
    pub listing_page: usize,
    /// How long each call waits for its answer.
    pub latency: Duration,
    /// What chance decides by: the same seed deals the same faults to the same calls.
    pub seed: u64,
    /// How many calls are answered before `Throttling: Rate exceeded`.
    pub limits: Vec<RateLimit>,
    /// Which switch acts when. Of several that would refuse a call, the first one does.
    pub rules: Vec<Rule>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { listing_page: 1000, latency: Duration::ZERO, seed: 0, limits: Vec::new(), rules: Vec::new() }
    }
}
