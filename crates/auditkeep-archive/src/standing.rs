//! The standing of a trail: what is in force after a commit, so that nobody has to read the whole trail to know it.
//!
//! It is a fold over the leaves and nothing else; `verify` folds again and compares. Which keys it has, and which control
//! events change them, is part of the format (`docs/spec/archive.md`, §4.4). A leaf that lacks what its event needs, and an
//! event that is not known here, change nothing. Does no IO and judges nothing.

use std::collections::BTreeMap;

use auditkeep_core::integrity::key::VerifyingKey;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::control::{ControlLeaf, Event};
use crate::leaf::Leaf;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// The latest receipt of a segment's bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<Timestamp>,
    /// Open gaps by name, with the number of the commit that opened each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gaps: BTreeMap<String, u64>,
    /// Days that a segment is kept from its commit's time; none for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<u64>,
    /// Nothing is given up before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_until: Option<Timestamp>,
    /// Holds in place by name, with the number of the commit that placed each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub holds: BTreeMap<String, u64>,
    /// The segments of the commits up to this number have been given up; zero for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub expired_through: u64,
    /// In the journal: who may sign, by `<name>+<key id>`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, KeyStanding>,
    /// In the journal: number of the newest commit with a seal; zero for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sealed: u64,
    /// In the journal: what each witness has last got.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub witnesses: BTreeMap<String, Witnessed>,
}

/// Whether a source still gives something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Started,
    /// It is there, and gives nothing for longer than was to be expected.
    Silent,
    /// It is gone, or is not collected any more.
    Stopped,
}

impl State {
    /// As the format spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Silent => "silent",
            Self::Stopped => "stopped",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyStanding {
    pub key: VerifyingKey,
    /// Number of the commit that put it in force.
    pub added: u64,
    /// Number of the commit that retired it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<u64>,
    /// Number of the commit with the seal up to whose heads its signatures count in other trails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witnessed {
    /// Number of the journal commit with the seal.
    pub seal: u64,
    pub time: Timestamp,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(crate) fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Standing {
    /// What a trail starts from whose commits so far say nothing of it, because their format is 1.
    pub fn of_format_1() -> Self {
        Self { state: Some(State::Started), ..Self::default() }
    }

    /// What is in force after commit `number` with these leaves.
    #[must_use]
    pub fn after(mut self, number: u64, leaves: &[Leaf]) -> Self {
        for leaf in leaves {
            match leaf {
                Leaf::Segment(leaf) => self.received = self.received.max(Some(leaf.received)),
                Leaf::Seal(_) => self.sealed = number,
                // A leaf that lacks what its event needs changes nothing.
                Leaf::Control(leaf) => drop(self.apply(number, leaf)),
            }
        }
        self
    }

    fn apply(&mut self, number: u64, leaf: &ControlLeaf) -> Option<()> {
        match leaf.event.parse().ok()? {
            Event::SourceStarted | Event::SourceResumed => self.state = Some(State::Started),
            Event::SourceSilent => self.state = Some(State::Silent),
            Event::SourceStopped => self.state = Some(State::Stopped),
            Event::GapOpened => {
                self.gaps.entry(leaf.text("gap")?.to_owned()).or_insert(number);
            }
            Event::GapClosed => {
                self.gaps.remove(leaf.text("gap")?);
            }
            Event::RetentionSet => {
                let (days, until) =
                    (leaf.optional_number("keep_days").ok()?, leaf.optional_time("keep_until").ok()?);
                (self.keep_days, self.keep_until) = (days, until);
            }
            Event::HoldPlaced => {
                self.holds.entry(leaf.text("hold")?.to_owned()).or_insert(number);
            }
            Event::HoldReleased => {
                self.holds.remove(leaf.text("hold")?);
            }
            Event::Expired => self.expired_through = self.expired_through.max(leaf.number("through")?),
            Event::ArchiveCreated => {
                leaf.keys("keys")?.into_iter().for_each(|key| self.add_key(number, key));
            }
            Event::KeyAdded => {
                let [key] = leaf.keys("key")?.try_into().ok()?;
                self.add_key(number, key);
            }
            Event::KeyRetired => {
                let seal = leaf.number("seal")?;
                let key = self.keys.get_mut(leaf.text("key")?).filter(|key| key.retired.is_none())?;
                (key.retired, key.seal) = (Some(number), Some(seal));
            }
            Event::WitnessReached => {
                let witnessed = Witnessed { seal: leaf.number("seal")?, time: leaf.time };
                self.witnesses.insert(leaf.text("witness")?.to_owned(), witnessed);
            }
            Event::ConfigurationChanged
            | Event::LogReplaced
            | Event::ClockWentBack
            | Event::RawRead
            | Event::Exported
            | Event::Review => {}
        }
        Some(())
    }

    fn add_key(&mut self, number: u64, key: VerifyingKey) {
        let standing = KeyStanding { key, added: number, retired: None, seal: None };
        self.keys.entry(standing.key.signer()).or_insert(standing);
    }
}
