//! `auditkeep hold`: nothing of a trail may be given up while a hold is in place.

use auditkeep_archive::retention::{Change, Reason, place_hold, release_hold};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::choice::{Chosen, TrailChoice, not_made};
use super::said::said;
use super::{Context, stamp};
use crate::failure::{Exit, Failure};
use crate::output::{data, escape, json};

#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Place a hold: nothing is given up before it is released
    Place(HoldArguments),
    /// Release a hold
    Release(HoldArguments),
}

#[derive(Debug, Args)]
pub struct HoldArguments {
    /// What the hold is called; a trail may have several
    #[arg(value_parser = said)]
    name: String,
    #[command(flatten)]
    trails: TrailChoice,
    /// All trails there are now
    #[arg(long, conflicts_with_all = ["instance", "trail"])]
    all: bool,
    /// Who decided it
    #[arg(long, value_name = "WHO", value_parser = said)]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = said)]
    reason: String,
}

/// A trail, in JSON as it stands here.
#[derive(Serialize)]
struct Answer<'a> {
    instance: &'a str,
    trail: &'a str,
    hold: &'a str,
    in_place: bool,
    /// Number of the commit with the record; none if it was so already.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<u64>,
}

pub async fn run(context: &Context, command: &HoldCommand) -> Result<Exit, Failure> {
    let (HoldCommand::Place(arguments) | HoldCommand::Release(arguments)) = command;
    let places = matches!(command, HoldCommand::Place(_));
    if !arguments.all && !arguments.trails.is_made() {
        return Err(not_made(true));
    }
    let archive = context.archive().await?;
    let key = context.signing_key().await?;
    let stamp = stamp();
    let why = Reason { who: &arguments.by, reason: &arguments.reason };
    for trail in arguments.trails.find(&archive).await? {
        let (id, name) = (&trail.trail, &arguments.name);
        let change = if places {
            place_hold(&archive, &*key, id, &stamp, name, why).await?
        } else {
            release_hold(&archive, &*key, id, &stamp, name, why).await?
        };
        print(context, &trail, (name, places), change)?;
    }
    Ok(Exit::Fine)
}

fn print(
    context: &Context,
    trail: &Chosen,
    (hold, in_place): (&str, bool),
    change: Change,
) -> Result<(), Failure> {
    let commit = match change {
        Change::Recorded(commit) => Some(commit),
        Change::InForce | Change::Shortens(_) => None,
    };
    if context.json {
        return json(&Answer { instance: &trail.instance, trail: &trail.trail, hold, in_place, commit });
    }
    let what = match (in_place, commit) {
        (true, Some(commit)) => format!("is in place from commit {commit} on"),
        (true, None) => "is in place already".to_owned(),
        (false, Some(commit)) => format!("is released by commit {commit}"),
        (false, None) => "is not in place".to_owned(),
    };
    let (instance, id) = (escape::line(&trail.instance), escape::line(&trail.trail));
    data(&format!("{instance} ({id}): the hold `{}` {what}", escape::line(hold)))
}
