//! Durations as people write them (`90s`, `1h 30m`, `PT15M`), for serde's `deserialize_with`.

use std::time::Duration;

use jiff::SignedDuration;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A duration that is not negative.
pub(crate) fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let span = SignedDuration::deserialize(deserializer)?;
    Duration::try_from(span).map_err(|_| D::Error::custom(format!("the duration {span:#} is negative")))
}

/// The same, for a field that may be left out; the field needs `default` too.
pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    required(deserializer).map(Some)
}
