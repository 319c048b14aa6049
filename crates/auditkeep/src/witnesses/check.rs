//! Whether the configuration's witnesses can be witnesses at all, told before any command does anything. Asks none of them.

use std::collections::HashSet;
use std::path::Path;

use auditkeep_pipeline::witness::webhook::WebhookWitness;

use super::{bad, webhook};
use crate::config::{Config, WitnessConfig};
use crate::failure::Failure;
use crate::place::Place;

/// Refuses witnesses that are none, that cannot be told apart, or that whoever alters the archive alters with it.
pub fn check(config: &Config, archive: &Place) -> Result<(), Failure> {
    let mut names = HashSet::new();
    for witness in &config.witness {
        let name = witness.name.as_str();
        if name.trim().is_empty() {
            return Err(bad(name, "it has no name"));
        }
        if !names.insert(name) {
            return Err(bad(name, "there are two witnesses of this name"));
        }
        check_one(witness, &config.directory, archive)?;
    }
    Ok(())
}

fn check_one(witness: &WitnessConfig, directory: &Path, archive: &Place) -> Result<(), Failure> {
    let name = witness.name.as_str();
    let in_the_archive = || bad(name, "where it keeps seals is the archive itself, or in it");
    match (&witness.place, &witness.file, &witness.webhook) {
        (Some(place), None, None) => {
            let place = Place::parse(place, directory).map_err(|failure| bad(name, failure.message()))?;
            if place.is_in(archive) { Err(in_the_archive()) } else { Ok(()) }
        }
        (None, Some(file), None) => {
            if file.as_os_str().is_empty() {
                return Err(bad(name, "`file` is empty"));
            }
            if archive.holds(&directory.join(file)) { Err(in_the_archive()) } else { Ok(()) }
        }
        (None, None, Some(address)) => {
            let secure = WebhookWitness::is_secure(&webhook(name, address)?);
            if secure { Ok(()) } else { Err(bad(name, "its webhook is neither https nor on this machine")) }
        }
        _ => Err(bad(name, "it needs one of `place`, `file` and `webhook`, and one only")),
    }
}
