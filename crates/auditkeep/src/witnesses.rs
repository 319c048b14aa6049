//! The witnesses that the configuration names.

use std::path::Path;

use auditkeep_archive::checkpoint::Checkpoint;
use auditkeep_pipeline::witness::Witness;
use auditkeep_pipeline::witness::file::FileWitness;
use auditkeep_pipeline::witness::store::StoreWitness;
use auditkeep_pipeline::witness::webhook::WebhookWitness;
use url::Url;

use crate::config::{Config, WitnessConfig};
use crate::failure::{self, Failure};
use crate::place::Place;

/// A witness, or why there is none. One that cannot be set up stops no other.
pub type Configured = (String, Result<Box<dyn Witness>, Failure>);

pub async fn of(config: &Config) -> Vec<Configured> {
    let mut witnesses = Vec::new();
    for witness in &config.witness {
        witnesses.push((witness.name.clone(), open(witness, &config.directory).await));
    }
    witnesses
}

async fn open(config: &WitnessConfig, directory: &Path) -> Result<Box<dyn Witness>, Failure> {
    let name = config.name.as_str();
    match (&config.place, &config.file, &config.webhook) {
        (Some(place), None, None) => {
            let store = Place::parse(place, directory)?.make_store().await?;
            Ok(Box::new(StoreWitness::new(name, store)))
        }
        (None, Some(file), None) => Ok(Box::new(FileWitness::new(name, directory.join(file)))),
        (None, None, Some(address)) => {
            let address =
                Url::parse(address).map_err(|error| bad(name, &format!("its webhook is no URL: {error}")))?;
            Ok(Box::new(
                WebhookWitness::new(name, address)
                    .map_err(|error| bad(name, &failure::with_causes(&error)))?,
            ))
        }
        _ => Err(bad(name, "it needs one of `place`, `file` and `webhook`")),
    }
}

fn bad(name: &str, why: &str) -> Failure {
    Failure::usage(
        format!("the witness `{name}` in the configuration cannot be used: {why}"),
        "correct its `[[witness]]` table; `auditkeep init` in an empty directory writes examples",
    )
}

/// The newest checkpoints that the witnesses have of an archive, and what could not be asked.
pub async fn newest(config: &Config, archive: &str) -> (Vec<Checkpoint>, Vec<Failure>) {
    let (mut checkpoints, mut failures) = (Vec::new(), Vec::new());
    for (_, witness) in of(config).await {
        match witness {
            Ok(witness) => match witness.newest(archive).await {
                Ok(newest) => checkpoints.extend(newest),
                Err(error) => failures.push(error.into()),
            },
            Err(failure) => failures.push(failure),
        }
    }
    (checkpoints, failures)
}
