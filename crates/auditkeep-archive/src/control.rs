//! Control leaves: what happened to a trail, or to the archive, that is not bytes of a log.
//!
//! An event has a name and a detail of texts. The names and what their details hold are part of the format
//! (`docs/spec/archive.md`, §4.1); the list is open, so that an old verifier does not accuse a newer trail.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use auditkeep_core::integrity::key::VerifyingKey;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Numbers are below this, as in JSON.
const NUMBER_LIMIT: u64 = 1 << 53;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlLeaf {
    /// What happened, by the name of an [`Event`] or of one that a later version knows.
    pub event: String,
    pub time: Timestamp,
    /// What the event is about. Numbers are decimal, times as everywhere in the format.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, String>,
}

/// The events that this version knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    SourceStarted,
    SourceSilent,
    SourceResumed,
    SourceStopped,
    GapOpened,
    GapClosed,
    ConfigurationChanged,
    LogReplaced,
    ClockWentBack,
    RawRead,
    Exported,
    RetentionSet,
    HoldPlaced,
    HoldReleased,
    Expired,
    ArchiveCreated,
    KeyAdded,
    KeyRetired,
    WitnessReached,
    Review,
}

impl Event {
    const ALL: [(Self, &'static str); 20] = [
        (Self::SourceStarted, "source-started"),
        (Self::SourceSilent, "source-silent"),
        (Self::SourceResumed, "source-resumed"),
        (Self::SourceStopped, "source-stopped"),
        (Self::GapOpened, "gap-opened"),
        (Self::GapClosed, "gap-closed"),
        (Self::ConfigurationChanged, "configuration-changed"),
        (Self::LogReplaced, "log-replaced"),
        (Self::ClockWentBack, "clock-went-back"),
        (Self::RawRead, "raw-read"),
        (Self::Exported, "exported"),
        (Self::RetentionSet, "retention-set"),
        (Self::HoldPlaced, "hold-placed"),
        (Self::HoldReleased, "hold-released"),
        (Self::Expired, "expired"),
        (Self::ArchiveCreated, "archive-created"),
        (Self::KeyAdded, "key-added"),
        (Self::KeyRetired, "key-retired"),
        (Self::WitnessReached, "witness-reached"),
        (Self::Review, "review"),
    ];

    /// The names of all of them.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(_, name)| *name)
    }

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(event, _)| *event == self).map_or("", |(_, name)| name)
    }

    /// A leaf that says that this happened.
    pub fn at(self, time: Timestamp) -> ControlLeaf {
        ControlLeaf { event: self.name().to_owned(), time, detail: BTreeMap::new() }
    }
}

/// The name is none of this version's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownEvent;

impl FromStr for Event {
    type Err = UnknownEvent;

    fn from_str(name: &str) -> Result<Self, UnknownEvent> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(event, _)| *event).ok_or(UnknownEvent)
    }
}

/// What a detail holds is not spelled as it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Misspelt;

impl ControlLeaf {
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.detail.insert(name.to_owned(), value.to_string());
        self
    }

    /// The same, where there is something to say.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub fn is(&self, event: Event) -> bool {
        self.event == event.name()
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.detail.get(name).map(String::as_str)
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        let text = self.text(name)?;
        // One way to write a number, and not more than JSON holds, as everywhere in the format.
        text.parse().ok().filter(|number: &u64| number.to_string() == text && *number < NUMBER_LIMIT)
    }

    /// Public keys, separated by a space.
    pub(crate) fn keys(&self, name: &str) -> Option<Vec<VerifyingKey>> {
        let key = |text: &str| text.parse().ok().filter(|key: &VerifyingKey| key.to_string() == text);
        self.text(name)?.split(' ').map(key).collect()
    }

    /// A number that may be absent, but not misspelt.
    pub(crate) fn optional_number(&self, name: &str) -> Result<Option<u64>, Misspelt> {
        self.text(name).map(|_| self.number(name).ok_or(Misspelt)).transpose()
    }

    /// A time that may be absent, but not misspelt.
    pub(crate) fn optional_time(&self, name: &str) -> Result<Option<Timestamp>, Misspelt> {
        let time = |text: &str| text.parse().ok().filter(|time: &Timestamp| time.to_string() == text);
        self.text(name).map(|text| time(text).ok_or(Misspelt)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_its_own_name() {
        for (event, name) in Event::ALL {
            assert_eq!((event.name(), name.parse()), (name, Ok(event)));
        }
        assert_eq!("invented".parse::<Event>(), Err(UnknownEvent));
    }

    #[test]
    fn numbers_and_times_have_one_spelling() {
        let leaf = Event::RetentionSet
            .at(Timestamp::UNIX_EPOCH)
            .with("a", 7)
            .with("b", "07")
            .with("t", Timestamp::UNIX_EPOCH)
            .with("u", "1970-01-01T01:00:00+01:00");
        assert_eq!((leaf.number("a"), leaf.number("b"), leaf.number("c")), (Some(7), None, None));
        assert_eq!((leaf.optional_number("b"), leaf.optional_number("c")), (Err(Misspelt), Ok(None)));
        assert_eq!(leaf.optional_time("t"), Ok(Some(Timestamp::UNIX_EPOCH)));
        assert_eq!(leaf.optional_time("u"), Err(Misspelt));
    }
}
