//! A scenario: a TOML file that names instances, what happens to them, and which switches act when.
//!
//! The same scenario plays the same way again as far as its clock does: with a seeded clock the same sequence of calls
//! gives the same answers; with the real one the same calls meet the same chances and counts. Unknown keys are errors.
//!
//! ```toml
//! seed = 7
//! clock = { start = "2026-11-21T09:00:00Z", longest_step = "2s" }   # without it, the real clock
//! latency = "5ms"
//!
//! [[instances]]
//! name = "orders"            # with a count: orders-001, orders-002, …
//! count = 100
//! engine = "mariadb"
//! record_every = "500ms"     # without it, nothing is written
//! age = "2h"                 # for how long it has been writing
//! rotate_bytes = 200_000
//! rotations = 12
//!
//! [[events]]
//! at = "10m"
//! instance = "orders-007"
//! event = "restore"          # or "delete", { rename = "old" }, { fail-over = "new-files" }, { status = "rebooting" }
//!
//! [[limits]]
//! operations = ["DownloadDBLogFilePortion"]
//! calls = 5
//! burst = 20
//!
//! [[rules]]
//! switch = { connection = { cut = { after_bytes = 65536 } } }
//! operations = ["downloadCompleteLogFile"]
//! instances = "orders-*"
//! when = { probability = 0.05, from = "1m", until = "5m" }
//! ```

mod events;
mod instances;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::clock::Clock;
use crate::emulator::Behaviour;
use crate::emulator::switches::{RateLimit, Rule};
use crate::simulate::{Estate, EstateError, Event};
use crate::span;
use events::PlannedEvent;
use instances::Group;

/// What a scenario file says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    clock: Option<SeededClock>,
    #[serde(default)]
    listing_page: Option<usize>,
    #[serde(default, deserialize_with = "span::optional")]
    latency: Option<Duration>,
    #[serde(default)]
    instances: Vec<Group>,
    #[serde(default)]
    events: Vec<PlannedEvent>,
    #[serde(default)]
    limits: Vec<RateLimit>,
    #[serde(default)]
    rules: Vec<Rule>,
}

/// A clock that calls move.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeededClock {
    start: Timestamp,
    #[serde(deserialize_with = "span::required")]
    longest_step: Duration,
}

/// A scenario that is ready to be played.
#[derive(Debug)]
pub struct Stage {
    /// Its instances, with what is planned for them.
    pub estate: Estate,
    /// Its limits and rules.
    pub behaviour: Behaviour,
}

/// Why a scenario cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file could not be read.
    #[error("could not read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// It is no scenario.
    #[error("this is no scenario")]
    Parse(#[from] toml::de::Error),
    /// An engine whose logs nobody simulates.
    #[error("{instance}: the logs of `{engine}` are not simulated")]
    Engine {
        /// The instances' name.
        instance: String,
        /// The engine.
        engine: String,
    },
    /// A setting that the engine's logs do not have.
    #[error("{instance}: `{setting}` means nothing for {engine}")]
    Setting {
        /// The instances' name.
        instance: String,
        /// The setting.
        setting: &'static str,
        /// The engine.
        engine: String,
    },
    /// An event for an instance that there never is.
    #[error("an event is for `{0}`, and there is never such an instance")]
    Event(String),
    /// Two instances with one name, or a name that RDS would not accept.
    #[error("the instances cannot be made")]
    Instance(#[from] EstateError),
}

impl Scenario {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScenarioError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// Reads a text.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        Ok(toml::from_str(text)?)
    }

    /// Makes its instances.
    pub fn stage(&self) -> Result<Stage, ScenarioError> {
        let clock = match &self.clock {
            Some(SeededClock { start, longest_step }) => Clock::seeded(*start, self.seed, *longest_step),
            None => Clock::real(),
        };
        self.stage_at(clock)
    }

    /// The same, with another clock than its own: one that a test moves.
    pub fn stage_at(&self, clock: Clock) -> Result<Stage, ScenarioError> {
        let estate = Estate::new(clock, self.seed);
        let mut names = BTreeSet::new();
        for group in &self.instances {
            let created = group.created();
            for options in group.instances()? {
                names.insert(options.name.to_ascii_lowercase());
                match created {
                    Some(after) => {
                        let name = options.name.clone();
                        estate.plan(after, &name, Event::Create(Box::new(options)));
                    }
                    None => drop(estate.create(options)?),
                }
            }
        }
        names.extend(self.events.iter().filter_map(PlannedEvent::new_name));
        for planned in &self.events {
            if !names.contains(&planned.instance.to_ascii_lowercase()) {
                return Err(ScenarioError::Event(planned.instance.clone()));
            }
            estate.plan(planned.at, &planned.instance, planned.event());
        }
        Ok(Stage { estate, behaviour: self.behaviour() })
    }

    fn behaviour(&self) -> Behaviour {
        let usual = Behaviour::default();
        Behaviour {
            listing_page: self.listing_page.unwrap_or(usual.listing_page),
            latency: self.latency.unwrap_or(usual.latency),
            seed: self.seed,
            limits: self.limits.clone(),
            rules: self.rules.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(text: &str) -> Result<Stage, ScenarioError> {
        Scenario::parse(text)?.stage_at(Clock::manual(Timestamp::UNIX_EPOCH))
    }

    fn message(text: &str) -> String {
        match stage(text).unwrap_err() {
            ScenarioError::Parse(error) => error.message().to_owned(),
            error => error.to_string(),
        }
    }

    #[test]
    fn the_example_of_the_documentation_is_a_scenario() {
        let text = include_str!("scenario.rs");
        let example: Vec<&str> = text
            .lines()
            .skip_while(|line| *line != "//! ```toml")
            .skip(1)
            .take_while(|line| *line != "//! ```")
            .map(|line| line.strip_prefix("//!").unwrap_or_default())
            .collect();
        let stage = stage(&example.join("\n")).unwrap();
        let fleet = stage.estate.fleet();
        assert_eq!((fleet.instances.len(), fleet.instances[6].name.as_str()), (100, "orders-007"));
        assert_eq!((stage.behaviour.rules.len(), stage.behaviour.limits.len()), (1, 1));
        assert_eq!(stage.behaviour.latency, Duration::from_millis(5));
    }

    #[test]
    fn what_means_nothing_is_an_error() {
        let instance = "[[instances]]\nname = 'a'\nengine = 'mariadb'\n";
        assert!(message("sead = 1").contains("unknown field `sead`"));
        assert!(message(&format!("{instance}size = 1")).contains("unknown field `size`"));
        assert!(message("[[rules]]\nswitch = { refuse = 'throtle' }").contains("unknown variant `throtle`"));
        assert!(
            message("[[rules]]\nswitch = { connection = { cut = { after = 1 } } }")
                .contains("unexpected keys in table: after, available keys: after_bytes")
        );
        assert!(
            message("[[rules]]\nswitch = { refuse = 'throttle' }\nwhen = { probability = 2.0 }")
                .contains("2 is no probability")
        );
        assert!(message(&format!("{instance}age = '-2h'")).contains("negative"));
        assert_eq!(message(&format!("{instance}csv = true")), "a: `csv` means nothing for mariadb");
        assert_eq!(
            message(&instance.replace("mariadb", "oracle-ee")),
            "a: the logs of `oracle-ee` are not simulated"
        );
        assert_eq!(message(&format!("{instance}{instance}")), "the instances cannot be made");
        assert_eq!(message(&instance.replace("'a'", "'-a'")), "the instances cannot be made");
        assert!(
            message(&format!("{instance}[[events]]\nat = '1s'\ninstance = 'b'\nevent = 'delete'"))
                .contains("`b`")
        );
    }
}
