//! `auditkeep retain`: how long the segments of a trail are kept.

use auditkeep_archive::retention::{self, Change, Reason, Retention};
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::choice::{Chosen, TrailChoice, not_made};
use super::said::said;
use super::{Context, events, stamp};
use crate::failure::{Exit, Failure};
use crate::output::{data, escape, json, plural};

#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is deleted: that takes `auditkeep expire`. Without a retention, everything is kept for ever.\n\n\
    Example:\n  auditkeep retain --instance shop --days 365 --by \"D. Officer\" --reason \"policy 7\" --shorten"
)]
pub struct RetainArguments {
    #[command(flatten)]
    trails: TrailChoice,
    /// Keep segments for so many days from their commit
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_DAYS))]
    days: Option<u64>,
    /// Keep everything until this date; with --days, both hold
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// Keep everything for ever
    #[arg(long, conflicts_with_all = ["days", "until"])]
    for_ever: bool,
    /// Who decided it
    #[arg(long, value_name = "WHO", value_parser = said)]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = said)]
    reason: String,
    /// Also if something may go earlier than what is in force allows
    #[arg(long)]
    shorten: bool,
}

/// Some thousand years.
const MAX_DAYS: u64 = 1_000_000;

/// A trail, in JSON as it stands here.
#[derive(Serialize)]
struct Answer<'a> {
    instance: &'a str,
    trail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_days: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_until: Option<Timestamp>,
    /// Number of the commit with the record; none if it was so already.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<u64>,
}

pub async fn run(context: &Context, arguments: &RetainArguments) -> Result<Exit, Failure> {
    let wanted = arguments.retention()?;
    if !arguments.trails.is_made() {
        return Err(not_made(false));
    }
    let archive = context.archive().await?;
    let key = context.signing_key().await?;
    let stamp = stamp();
    let chosen = arguments.trails.find(&archive).await?;
    if !arguments.shorten {
        // All of them first, so that nothing is written if one is refused.
        chosen
            .iter()
            .try_for_each(|trail| check(trail, Retention::in_force(&trail.standing), wanted, stamp.time))?;
    }
    let why = Reason { who: &arguments.by, reason: &arguments.reason };
    for trail in &chosen {
        let set = retention::set(&archive, &*key, &trail.trail, &stamp, wanted, why, arguments.shorten);
        let commit = match set.await? {
            Change::Recorded(commit) => Some(commit),
            Change::InForce => None,
            Change::Shortens(longer) => return Err(refused(trail, longer)),
        };
        print(context, trail, wanted, commit)?;
    }
    Ok(Exit::Fine)
}

impl RetainArguments {
    fn retention(&self) -> Result<Retention, Failure> {
        let keep_until = self.until.as_deref().map(|text| events::instant(text, "--until")).transpose()?;
        match (self.days, keep_until, self.for_ever) {
            (None, None, false) => Err(Failure::usage(
                "it is not said how long to keep them",
                "say it with --days, --until or --for-ever",
            )),
            // A date alone: after it, nothing is kept any longer.
            (None, Some(_), _) => Ok(Retention { keep_days: Some(0), keep_until }),
            (keep_days, keep_until, _) => Ok(Retention { keep_days, keep_until }),
        }
    }
}

fn check(trail: &Chosen, before: Retention, wanted: Retention, now: Timestamp) -> Result<(), Failure> {
    if wanted.shortens(&before, now) { Err(refused(trail, before)) } else { Ok(()) }
}

fn refused(trail: &Chosen, in_force: Retention) -> Failure {
    Failure::new(
        format!(
            "trail `{}` is kept {}, and some of it could go earlier then; nothing was changed",
            trail.trail,
            words(in_force)
        ),
        "add `--shorten` if that is meant",
    )
}

fn print(context: &Context, trail: &Chosen, set: Retention, commit: Option<u64>) -> Result<(), Failure> {
    let Retention { keep_days, keep_until } = set;
    if context.json {
        return json(&Answer {
            instance: &trail.instance,
            trail: &trail.trail,
            keep_days,
            keep_until,
            commit,
        });
    }
    let how = match commit {
        Some(commit) => format!("from commit {commit} on"),
        None => "as before".to_owned(),
    };
    data(&format!(
        "{} ({}): kept {}, {how}",
        escape::line(&trail.instance),
        escape::line(&trail.trail),
        words(set)
    ))
}

/// As in: it is kept ….
fn words(retention: Retention) -> String {
    let until = retention.keep_until.map(|until| format!("until {until}"));
    match (retention.keep_days, until) {
        (None, _) => "for ever".to_owned(),
        (Some(0), Some(until)) => until,
        (Some(days), None) => format!("for {}", plural(days, "day")),
        (Some(days), Some(until)) => format!("for {}, and {until} at least", plural(days, "day")),
    }
}
