//! `auditkeep key rotate`: another key in force, made if it is not there.

use std::path::Path;

use auditkeep_archive::retention::Reason;
use auditkeep_archive::rotation::{self, Rotated};
use auditkeep_core::integrity::key::VerifyingKey;
use clap::Args;
use serde::Serialize;

use crate::cli::said::said;
use crate::cli::{Context, stamp};
use crate::failure::{Exit, Failure};
use crate::keys::KeyPlace;
use crate::output::{data, escape, json};
use crate::public_keys;

#[derive(Debug, Args)]
#[command(
    after_help = "The present key (--key) signs that the new one may sign. After a failure, run the same command again.\n\n\
    Example:\n  auditkeep key rotate --new-key 2027.key --by \"K. Keeper\" --reason \"once a year\""
)]
pub struct RotateArguments {
    /// The new key: a file, which is made if it is not there, or awskms: and the name of a key in AWS KMS
    #[arg(long, value_name = "KEY")]
    new_key: String,
    /// Who decided it
    #[arg(long, value_name = "WHO", value_parser = said)]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = said)]
    reason: String,
}

/// In JSON as it stands here.
#[derive(Serialize)]
struct Answer {
    key: String,
    /// `<name>+<key id>` of the new key.
    signer: String,
    public_key: String,
    /// Number of the journal commit that put it in force.
    commit: u64,
    /// It was in force before, and nothing was written to the archive.
    before: bool,
    /// Files that hold the public keys now.
    public_key_files: Vec<String>,
    /// `<name>+<key id>` of the key that signed it.
    signed_by: String,
}

pub async fn run(context: &Context, arguments: &RotateArguments) -> Result<Exit, Failure> {
    let archive = context.archive().await?;
    let present = context.signing_key().await?;
    let place = KeyPlace::parse(&arguments.new_key, Path::new(""), &context.config.directory)?;
    if let KeyPlace::File(file) = &place {
        context.check_outside(file)?;
    }
    let new = match &place {
        KeyPlace::File(_) => place.make().await?.public().clone(),
        // Its public half comes into the present key's file.
        KeyPlace::Kms { .. } => place.signer().await?.public().clone(),
    };
    if new == *present.public() {
        return Err(Failure::usage(
            format!("the new key `{}` is the present one", arguments.new_key),
            "name another file with `--new-key`, which is made if it is not there, or another key in AWS KMS",
        ));
    }
    // A crash here leaves a key that may not sign; the next attempt finds it.
    let why = Reason { who: &arguments.by, reason: &arguments.reason };
    let rotated = rotation::add(&archive, &*present, &stamp(), &new, why).await?;
    // A crash here leaves a key in force that the files of public keys do not have yet; the next attempt adds it.
    let known = all_keys(context, present.public(), &new)?;
    let mut files = vec![context.key.public_path(), place.public_path()];
    files.dedup();
    for file in &files {
        public_keys::replace(file, &known)?;
    }
    let (commit, before) = match rotated {
        Rotated::Recorded(commit) => (commit, false),
        Rotated::Before(commit) => (commit, true),
    };
    let answer = Answer {
        key: arguments.new_key.clone(),
        signer: new.signer(),
        public_key: new.to_string(),
        commit,
        before,
        public_key_files: files.iter().map(|file| file.display().to_string()).collect(),
        signed_by: present.public().signer(),
    };
    if context.json {
        json(&answer)?;
    } else {
        answer.print()?;
    }
    Ok(Exit::Fine)
}

/// The new key before those that are at hand: old evidence is verified with the old ones.
fn all_keys(
    context: &Context,
    present: &VerifyingKey,
    new: &VerifyingKey,
) -> Result<Vec<VerifyingKey>, Failure> {
    let mut known = vec![new.clone()];
    for key in context.public_keys()?.into_iter().chain([present.clone()]) {
        if !known.contains(&key) {
            known.push(key);
        }
    }
    Ok(known)
}

impl Answer {
    fn print(&self) -> Result<(), Failure> {
        let (key, before) = (escape::line(&self.key), if self.before { "was" } else { "is" });
        data(&format!(
            "{} {before} in force, by journal commit {}",
            escape::line(&self.signer),
            self.commit
        ))?;
        data(&format!("public key  {}", self.public_key))?;
        for file in &self.public_key_files {
            data(&format!("            added to {}", escape::line(file)))?;
        }
        data(&format!(
            "\nNext:\n\
             1. Give the new public key to everybody who verifies, beside the old one.\n\
             2. Run every collector with the new key: `--key {key}`, or `key` in the configuration.\n\
             3. Then retire the old one: `auditkeep --key {key} key retire {} --by WHO --reason TEXT`.",
            escape::line(&self.signed_by)
        ))
    }
}
