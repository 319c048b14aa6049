//! `auditkeep verify --proof`: does a file show that an event is in an archive, without the archive?
//!
//! Believes the public keys that were given, or the one beside the key file, and nothing that is in the file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use auditkeep_archive::archive::ArchiveError;
use auditkeep_archive::proof::{EventProof, MAX_PROOF_BYTES, ProvenEvent};
use auditkeep_archive::verify::Verdict;
use auditkeep_core::event::columns::escape as escape_bytes;
use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::key::VerifyingKey;
use serde::Serialize;

use crate::cli::Context;
use crate::failure::{Exit, Failure, with_causes};
use crate::output::{data, escape, json, talk};
use crate::public_keys;

#[derive(Serialize)]
struct Answer<'a> {
    verdict: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    proven: Option<Proven<'a>>,
    findings: Vec<Finding>,
}

/// What the proof shows, all of it signed.
#[derive(Serialize)]
struct Proven<'a> {
    archive_id: &'a str,
    trail: &'a str,
    log: &'a str,
    family: &'a str,
    generation: &'a str,
    from: u64,
    to: u64,
    received: String,
    commit: u64,
    signers: Vec<String>,
    sha256: String,
    /// The event; what is not UTF-8 in it, and each backslash, escaped.
    text: String,
}

/// As the verification of an archive has them.
#[derive(Serialize)]
struct Finding {
    verdict: Verdict,
    object: String,
    detail: String,
    against: bool,
}

impl Finding {
    fn new(verdict: Verdict, object: impl Into<String>, detail: String) -> Self {
        Self { verdict, object: object.into(), detail, against: true }
    }
}

pub fn run(context: &Context, file: &Path, public_keys: &[String]) -> Result<Exit, Failure> {
    let roots = roots(context, public_keys)?;
    let outcome = check(&read(file)?, &roots)?;
    let exit = if outcome.is_ok() { Exit::Fine } else { Exit::Found };
    if context.json { print_json(outcome) } else { print(outcome) }?;
    if exit == Exit::Fine {
        talk(
            "note: this proves that the bytes lay at that place of the log, not that they are one record, or what a record of them says",
        );
    }
    Ok(exit)
}

fn roots(context: &Context, given: &[String]) -> Result<Vec<VerifyingKey>, Failure> {
    let given = given.iter().map(|key| public_keys::read(key)).collect::<Result<Vec<_>, _>>()?.concat();
    let roots = if given.is_empty() { context.public_keys()? } else { given };
    // What a proof says of its own keys is worth nothing, so without one there is nothing to check it by.
    if roots.is_empty() {
        return Err(Failure::usage(
            "no public key is at hand",
            "give the archive's public key, or its file, with `--public-key`",
        ));
    }
    Ok(roots)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    // One byte more than a proof may have is enough to see that it has too many.
    let read = File::open(path).and_then(|file| file.take(MAX_PROOF_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| {
        Failure::usage(
            format!("reading the proof `{}` failed: {error}", path.display()),
            "name a file that `auditkeep proof` wrote",
        )
    })?;
    Ok(bytes)
}

/// What is shown, or why nothing is. A proof that a newer version wrote is neither.
fn check(file: &[u8], roots: &[VerifyingKey]) -> Result<Result<ProvenEvent, Finding>, Failure> {
    let proof = match EventProof::parse("proof", file) {
        Ok(proof) => proof,
        Err(ArchiveError::Damaged { object, cause }) => {
            return Ok(Err(Finding::new(Verdict::Modified, object, with_causes(&cause))));
        }
        Err(error) => return Err(error.into()),
    };
    Ok(proof.check(roots).map_err(|bad| {
        let (verdict, detail) = (bad.verdict(), with_causes(&bad.fault));
        Finding::new(verdict, bad.place, detail)
    }))
}

fn print_json(outcome: Result<ProvenEvent, Finding>) -> Result<(), Failure> {
    match outcome {
        Err(finding) => json(&Answer { verdict: "FAILED", proven: None, findings: vec![finding] }),
        Ok(event) => {
            let proven = Proven {
                archive_id: &event.archive,
                trail: &event.trail,
                log: &event.log,
                family: &event.family,
                generation: &event.generation,
                from: event.from,
                to: event.to,
                received: event.received.to_string(),
                commit: event.commit,
                signers: event.signers.iter().map(ToString::to_string).collect(),
                sha256: Sha256::of(&event.bytes).to_string(),
                text: escape_bytes(&event.bytes),
            };
            json(&Answer { verdict: "OK", proven: Some(proven), findings: Vec::new() })
        }
    }
}

fn print(outcome: Result<ProvenEvent, Finding>) -> Result<(), Failure> {
    let event = match outcome {
        Ok(event) => event,
        Err(finding) => {
            let (verdict, object) = (finding.verdict.name(), &finding.object);
            let text = format!("FAILED: {verdict} {object}: {}", finding.detail);
            return data(&escape::line(&text));
        }
    };
    data("OK: these bytes are in the archive, as they were received")?;
    let signers: Vec<String> = event.signers.iter().map(VerifyingKey::signer).collect();
    for (what, value) in [
        ("archive", event.archive.clone()),
        ("trail", event.trail.clone()),
        ("log", format!("{} (generation {})", event.log, event.generation)),
        ("bytes", format!("{} to {}", event.from, event.to)),
        ("received", event.received.to_string()),
        ("signed by", format!("{}, commit {}", signers.join(", "), event.commit)),
    ] {
        data(&format!("{what:<9}  {}", escape::line(&value)))?;
    }
    // Marked line by line, so that no event can be read as something that this program says.
    let text = escape_bytes(&event.bytes);
    text.lines().try_for_each(|line| data(&format!("| {}", escape::line(line))))
}
