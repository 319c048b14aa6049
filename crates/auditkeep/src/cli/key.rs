//! `auditkeep key`: which keys sign, a new one in force, and an old one out of it.

mod rotate;

use std::collections::BTreeMap;

use auditkeep_archive::retention::Reason;
use auditkeep_archive::rotation::{self, Rotated};
use auditkeep_archive::seal::seal;
use auditkeep_archive::standing::KeyStanding;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::said::said;
use super::{Context, stamp};
use crate::failure::{Exit, Failure};
use crate::output::table::Rows;
use crate::output::{data, escape, json, talk};

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Show which keys may sign, which did, and which public keys are at hand
    Show,
    /// Put another key in force beside the present one
    Rotate(rotate::RotateArguments),
    /// Seal, and let a key sign no more
    Retire(RetireArguments),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Sign it with another key that is in force (--key). Nobody may be signing with the retired key any more: what it signs after\n\
    the seal is not believed."
)]
pub struct RetireArguments {
    /// The key, as `auditkeep key show` names it
    #[arg(value_name = "NAME+ID")]
    signer: String,
    /// Who decided it
    #[arg(long, value_name = "WHO", value_parser = said)]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = said)]
    reason: String,
}

/// In JSON as it stands here.
#[derive(Serialize)]
struct Shown {
    keys: Vec<ShownKey>,
    /// Public keys at hand, in the file beside the signing key.
    roots: Vec<String>,
}

#[derive(Serialize)]
struct ShownKey {
    /// `<name>+<key id>`
    signer: String,
    key: String,
    in_force: bool,
    /// Number of the journal commit that put it in force.
    added: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    retired: Option<u64>,
    /// Number of the journal commit with the seal up to which its signatures count.
    #[serde(skip_serializing_if = "Option::is_none")]
    seal: Option<u64>,
}

#[derive(Serialize)]
struct Retired<'a> {
    signer: &'a str,
    /// Number of the journal commit that retired it.
    commit: u64,
    /// It was so before, and nothing was written.
    before: bool,
}

pub async fn run(context: &Context, command: &KeyCommand) -> Result<Exit, Failure> {
    match command {
        KeyCommand::Show => show(context).await,
        KeyCommand::Rotate(arguments) => rotate::run(context, arguments).await,
        KeyCommand::Retire(arguments) => retire(context, arguments).await,
    }
}

async fn show(context: &Context) -> Result<Exit, Failure> {
    let archive = context.archive().await?;
    let keys: &BTreeMap<String, KeyStanding> = &archive.journal().standing.keys;
    let mut keys: Vec<ShownKey> = keys
        .iter()
        .map(|(signer, known)| ShownKey {
            signer: signer.clone(),
            key: known.key.to_string(),
            in_force: known.retired.is_none(),
            added: known.added,
            retired: known.retired,
            seal: known.seal,
        })
        .collect();
    keys.sort_by_key(|key| std::cmp::Reverse(key.added));
    let roots = context.public_keys()?.iter().map(ToString::to_string).collect();
    let shown = Shown { keys, roots };
    if context.json {
        json(&shown)?;
    } else {
        shown.print()?;
    }
    Ok(Exit::Fine)
}

impl Shown {
    fn print(&self) -> Result<(), Failure> {
        let mut table =
            Rows::new(&["KEY", "STATE", "SINCE JOURNAL COMMIT", "SIGNATURES COUNT UP TO SEAL", "AT HAND"]);
        for key in &self.keys {
            let (state, since) = match key.retired {
                None => ("in force", key.added),
                Some(by) => ("retired", by),
            };
            let seal = key.seal.map(|seal| seal.to_string()).unwrap_or_default();
            let at_hand = if self.roots.contains(&key.key) { "yes" } else { "no" };
            table.add([&key.signer, state, &since.to_string(), &seal, at_hand]);
        }
        table.print()?;
        if self.roots.is_empty() {
            talk("no public key lies beside the signing key, so the archive's own are believed");
        }
        Ok(())
    }
}

async fn retire(context: &Context, arguments: &RetireArguments) -> Result<Exit, Failure> {
    let archive = context.archive().await?;
    let key = context.signing_key().await?;
    let stamp = stamp();
    // What can be refused is refused before there is a seal for it.
    let rotated = if let Some(by) = rotation::may_retire(&archive, &*key, &arguments.signer)? {
        Rotated::Before(by)
    } else {
        let sealed = seal(&archive, &*key, &stamp).await?;
        if let Some(lost) = sealed.lost.first() {
            return Err(Failure::new(
                format!("trail `{}` is not what was sealed before: {}", lost.trail, lost.detail),
                "run `auditkeep verify`, and keep the archive as it is for an investigation",
            ));
        }
        // A crash here leaves a seal more.
        let why = Reason { who: &arguments.by, reason: &arguments.reason };
        rotation::retire(&archive, &*key, &stamp, (&arguments.signer, sealed.number), why).await?
    };
    let (commit, before) = match rotated {
        Rotated::Recorded(commit) => (commit, false),
        Rotated::Before(commit) => (commit, true),
    };
    let signer = arguments.signer.as_str();
    if context.json {
        json(&Retired { signer, commit, before })?;
    } else {
        let is = if before { "was retired before" } else { "is retired" };
        data(&format!("{} {is}, by journal commit {commit}", escape::line(signer)))?;
        data(
            "Its public half is still needed to verify what it has signed; its private half can be destroyed.",
        )?;
    }
    Ok(Exit::Fine)
}
