//! The witnesses that the configuration names: setting them up to be handed a seal, and asking what they have.

mod ask;
mod check;

use std::path::Path;

use auditkeep_pipeline::witness::Witness;
use auditkeep_pipeline::witness::file::FileWitness;
use auditkeep_pipeline::witness::store::StoreWitness;
use auditkeep_pipeline::witness::webhook::WebhookWitness;
use url::Url;

use crate::config::{Config, WitnessConfig};
use crate::failure::{self, Failure};
use crate::place::Place;

pub use ask::{Asked, ask};
pub use check::check;

/// A witness, or why there is none. One that cannot be set up stops no other.
pub type Configured = (String, Result<Box<dyn Witness>, Failure>);

/// All of them, to be handed a seal: a directory that is missing is made.
pub async fn of(config: &Config) -> Vec<Configured> {
    let mut witnesses = Vec::new();
    for witness in &config.witness {
        witnesses.push((witness.name.clone(), open(witness, &config.directory).await));
    }
    witnesses
}

async fn open(config: &WitnessConfig, directory: &Path) -> Result<Box<dyn Witness>, Failure> {
    match &config.place {
        Some(place) => {
            let store = Place::parse(place, directory)?.make_store().await?;
            Ok(Box::new(StoreWitness::new(&config.name, store)))
        }
        None => without_store(config, directory),
    }
}

/// A witness that is no directory and no bucket.
fn without_store(config: &WitnessConfig, directory: &Path) -> Result<Box<dyn Witness>, Failure> {
    let name = config.name.as_str();
    match (&config.file, &config.webhook) {
        (Some(file), None) => Ok(Box::new(FileWitness::new(name, directory.join(file)))),
        (None, Some(address)) => {
            let witness = WebhookWitness::new(name, webhook(name, address)?);
            Ok(Box::new(witness.map_err(|error| bad(name, &failure::with_causes(&error)))?))
        }
        _ => Err(bad(name, "it needs one of `place`, `file` and `webhook`")),
    }
}

fn webhook(name: &str, address: &str) -> Result<Url, Failure> {
    Url::parse(address).map_err(|error| bad(name, &format!("its webhook is no URL: {error}")))
}

fn bad(name: &str, why: &str) -> Failure {
    Failure::usage(
        format!("the witness `{name}` in the configuration cannot be used: {why}"),
        "correct its `[[witness]]` table; `auditkeep init` in an empty directory writes examples",
    )
}
