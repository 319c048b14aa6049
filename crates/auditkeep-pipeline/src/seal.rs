//! Sealing: all trails under one checkpoint, handed to every witness, also when nothing is new.
//!
//! A witness that cannot be reached stops no other; it gets the next seal, which covers everything. Which witnesses have a seal
//! is recorded in the journal, so that it can be said when each was last reached.

use auditkeep_archive::archive::Archive;
use auditkeep_archive::control::Event;
use auditkeep_archive::journal;
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::seal::{Sealed, seal};
use auditkeep_archive::signer::Signer;
use auditkeep_archive::standing::Witnessed;
use auditkeep_archive::trail::{Stamp, TrailError};

use crate::witness::{Witness, WitnessError};

/// What came of sealing.
#[derive(Debug)]
pub struct SealPass {
    pub sealed: Sealed,
    pub handed: Vec<Handed>,
}

/// What came of handing the seal to one witness.
#[derive(Debug)]
pub struct Handed {
    pub witness: String,
    /// The journal commit of the newest seal that it has now: this one, or one that somebody else has handed over since.
    pub outcome: Result<u64, WitnessError>,
    /// The last seal that it is known to have, this one included.
    pub last: Option<Witnessed>,
}

/// Seals, hands the seal to each witness, and records who has it.
pub async fn seal_and_hand(
    archive: &Archive,
    key: &dyn Signer,
    stamp: &Stamp,
    witnesses: &[Box<dyn Witness>],
) -> Result<SealPass, TrailError> {
    let sealed = seal(archive, key, stamp).await?;
    let mut handed = Vec::new();
    for witness in witnesses {
        let outcome = hand(archive, &**witness, &sealed).await;
        handed.push(Handed { witness: witness.name().to_owned(), outcome, last: None });
    }
    // A crash here leaves witnesses that have more than the journal says; the next seal makes it good.
    let reached: Vec<Leaf> = handed
        .iter()
        .filter_map(|handed| Some(reached(stamp, &handed.witness, *handed.outcome.as_ref().ok()?)))
        .collect();
    journal::append(archive, key, stamp, &|_| reached.clone()).await?;
    let known = &archive.journal().standing.witnesses;
    for handed in &mut handed {
        handed.last = known.get(&handed.witness).cloned();
    }
    Ok(SealPass { sealed, handed })
}

/// Hands a seal over, if the newest that the witness has is in the journal, too. Numbers alone do not tell a journal that went on from
/// one that was set back and has grown again, and what a witness keeps last must not be what replaces the proof of it.
async fn hand(archive: &Archive, witness: &dyn Witness, sealed: &Sealed) -> Result<u64, WitnessError> {
    let id = &archive.manifest().id;
    if let Some(newest) = witness.newest(id).await?.filter(|newest| newest.archive == *id) {
        let there = newest.is_in(archive).await;
        if !there.map_err(|cause| WitnessError::unreachable("comparing with", witness.name(), cause))? {
            let number = newest.number;
            return Err(WitnessError::AnotherHistory {
                witness: witness.name().to_owned(),
                detail: format!("it has a seal in journal commit {number} that this archive does not have"),
            });
        }
        if newest.number > sealed.number {
            return Ok(newest.number);
        }
    }
    witness.keep(id, sealed).await?;
    Ok(sealed.number)
}

fn reached(stamp: &Stamp, witness: &str, seal: u64) -> Leaf {
    Leaf::Control(Event::WitnessReached.at(stamp.time).with("witness", witness).with("seal", seal))
}
