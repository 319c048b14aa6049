//! Asking witnesses for the newest checkpoint that they have. Nothing is made by it, no directory and no file.
//!
//! A witness that cannot be asked, or has less than the journal says that it got, is an error and no verdict: it speaks against the
//! witness. What the journal says is taken from the archive as it is; in one that was set back it may say less.

use std::collections::BTreeMap;

use auditkeep_archive::archive::ArchiveError;
use auditkeep_archive::checkpoint::Checkpoint;
use auditkeep_archive::standing::Witnessed;
use auditkeep_pipeline::witness::store::StoreWitness;
use auditkeep_pipeline::witness::{Witness, WitnessError};
use serde::Serialize;

use super::without_store;
use crate::config::{Config, WitnessConfig};
use crate::failure::Failure;
use crate::place::Place;

/// What came of asking a witness; in JSON as it stands here.
#[derive(Debug, Serialize)]
pub struct Asked {
    pub name: String,
    pub state: State,
    pub detail: String,
    #[serde(skip)]
    pub checkpoint: Option<Checkpoint>,
    #[serde(skip)]
    hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It gave its newest.
    HasSeal,
    /// It has none, and nobody says that it should.
    Empty,
    /// A webhook.
    CannotBeAsked,
    /// It gave an older one than it got.
    Behind,
    /// It has none, and got one.
    Lost,
    /// What it has is no checkpoint.
    Damaged,
    Unreachable,
}

impl State {
    /// Whether a comparison with the witness failed.
    fn is_an_error(self) -> bool {
        matches!(self, Self::Behind | Self::Lost | Self::Damaged | Self::Unreachable)
    }
}

/// Asks each. `known` is what the journal says that witnesses have got.
pub async fn ask(config: &Config, archive: &str, known: &BTreeMap<String, Witnessed>) -> Vec<Asked> {
    let mut all = Vec::new();
    for witness in &config.witness {
        let known = known.get(&witness.name);
        all.push(match newest(config, witness, archive).await {
            Ok(newest) => Asked::of(witness, newest, known),
            Err((state, failure)) => Asked::failed(witness, state, &failure),
        });
    }
    all
}

async fn newest(
    config: &Config,
    witness: &WitnessConfig,
    archive: &str,
) -> Result<Option<Checkpoint>, (State, Failure)> {
    let opened: Box<dyn Witness> = match &witness.place {
        None => without_store(witness, &config.directory).map_err(|failure| (State::Unreachable, failure))?,
        Some(place) => {
            let place =
                Place::parse(place, &config.directory).map_err(|error| (State::Unreachable, error))?;
            if place.is_absent() {
                return Ok(None);
            }
            let store =
                place.store().await.map_err(|failure| (State::Unreachable, of_place(failure, &place)))?;
            Box::new(StoreWitness::new(&witness.name, store))
        }
    };
    opened.newest(archive).await.map_err(|error| {
        let damaged = matches!(error, WitnessError::Damaged { .. });
        (if damaged { State::Damaged } else { State::Unreachable }, error.into())
    })
}

/// That there is no archive is not what matters of a witness.
fn of_place(failure: Failure, place: &Place) -> Failure {
    if failure.message() == ArchiveError::Missing.to_string() {
        Failure::new(format!("`{}` is no directory", place.shown()), "look at what is there")
    } else {
        failure
    }
}

impl Asked {
    fn of(witness: &WitnessConfig, checkpoint: Option<Checkpoint>, known: Option<&Witnessed>) -> Self {
        let got = known.map(|known| {
            let time = known.time.strftime("%Y-%m-%d %H:%M:%S");
            format!("it got the seal in journal commit {} on {time} UTC", known.seal)
        });
        let (state, detail) = match (&checkpoint, known, got) {
            _ if witness.webhook.is_some() => {
                (State::CannotBeAsked, "nobody can ask a webhook what it was given".to_owned())
            }
            (Some(newest), Some(known), Some(got)) if newest.number < known.seal => {
                (State::Behind, format!("its newest seal is in journal commit {}, and {got}", newest.number))
            }
            (Some(newest), ..) => {
                (State::HasSeal, format!("its newest seal is in journal commit {}", newest.number))
            }
            (None, Some(_), Some(got)) => (State::Lost, format!("it has no seal, and {got}")),
            (None, ..) => (State::Empty, "it has no seal yet".to_owned()),
        };
        Self { name: witness.name.clone(), state, detail, checkpoint, hint: None }
    }

    fn failed(witness: &WitnessConfig, state: State, failure: &Failure) -> Self {
        Self {
            name: witness.name.clone(),
            state,
            detail: failure.message().to_owned(),
            checkpoint: None,
            hint: failure.hint().map(str::to_owned),
        }
    }

    /// What to say where the archive could not be compared with all that the witness should have.
    pub fn failure(&self) -> Option<Failure> {
        let own = match self.state {
            State::Behind | State::Lost => {
                "find out who can write there, and bring back what it had; if it was moved on purpose, the next `auditkeep seal` gives it one; `--no-witnesses` leaves witnesses out"
            }
            State::Damaged => {
                "look at what it holds, which was not touched, and bring back what it had; `--no-witnesses` leaves witnesses out"
            }
            _ => {
                "check that it can be reached, then run the same command again; `--no-witnesses` leaves witnesses out"
            }
        };
        let hint = self.hint.as_deref().unwrap_or(own);
        let message = format!("the witness `{}` could not be compared: {}", self.name, self.detail);
        self.state.is_an_error().then(|| Failure::new(message, hint))
    }
}
