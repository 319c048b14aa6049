//! `[[events]]`: what happens to an instance, and when.

use std::time::Duration;

use serde::Deserialize;

use crate::simulate::{Event, Failover, Status};
use crate::span;

/// One entry.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlannedEvent {
    /// After the beginning.
    #[serde(deserialize_with = "span::required")]
    pub(super) at: Duration,
    pub(super) instance: String,
    event: EventName,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum EventName {
    Delete,
    Restore,
    Rename(String),
    FailOver(Failover),
    Status(Status),
}

impl PlannedEvent {
    pub(super) fn event(&self) -> Event {
        match &self.event {
            EventName::Delete => Event::Delete,
            EventName::Restore => Event::Restore,
            EventName::Rename(to) => Event::Rename { to: to.clone() },
            EventName::FailOver(failover) => Event::FailOver(*failover),
            EventName::Status(status) => Event::Status(*status),
        }
    }

    /// The name in lower case that there is after it.
    pub(super) fn new_name(&self) -> Option<String> {
        match &self.event {
            EventName::Rename(to) => Some(to.to_ascii_lowercase()),
            _ => None,
        }
    }
}
