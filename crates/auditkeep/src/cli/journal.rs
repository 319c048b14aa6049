//! `auditkeep journal`: what the journal and the trails say beside the bytes of logs.
//!
//! Lines are printed as they are read, so the first ones of a long history come at once.

use std::collections::BTreeMap;

use auditkeep_archive::control::Event;
use auditkeep_archive::layout::JOURNAL;
use auditkeep_archive::leaf::{Leaf, SealedHead};
use auditkeep_archive::records::{self, Record};
use clap::Args;
use futures::TryStreamExt;
use jiff::Timestamp;
use serde::Serialize;

use super::choice::TrailChoice;
use super::{Context, events};
use crate::failure::{Exit, Failure};
use crate::output::{data, escape, json, plural};

/// How a seal is called among the events.
const SEAL: &str = "seal";

#[derive(Debug, Args)]
#[command(
    after_help = "The newest come last. `--trail journal` shows what concerns the archive as a whole: keys, seals, reviews."
)]
pub struct JournalArguments {
    #[command(flatten)]
    trails: TrailChoice,
    /// Only these events; may be given more than once
    #[arg(long = "event", value_name = "NAME")]
    events: Vec<String>,
    /// Only what was recorded from this time on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

/// A record, in JSON as it stands here.
#[derive(Serialize)]
struct Line<'a> {
    time: Timestamp,
    trail: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    instance: &'a str,
    commit: u64,
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a BTreeMap<String, String>>,
    /// Of a seal.
    #[serde(skip_serializing_if = "Option::is_none")]
    heads: Option<&'a BTreeMap<String, SealedHead>>,
}

pub async fn run(context: &Context, arguments: &JournalArguments) -> Result<Exit, Failure> {
    check_events(&arguments.events)?;
    let since = arguments.since.as_deref().map(|text| events::instant(text, "--since")).transpose()?;
    let archive = context.archive().await?;
    let trails = match &arguments.trails.trail {
        Some(trail) if trail == JOURNAL => vec![JOURNAL.to_owned()],
        _ => {
            let chosen = arguments.trails.find(&archive).await?.into_iter().map(|chosen| chosen.trail);
            let all = (!arguments.trails.is_made()).then(|| JOURNAL.to_owned());
            all.into_iter().chain(chosen).collect()
        }
    };
    let mut records = records::merged(&archive, &trails).await?;
    while let Some(record) = records.try_next().await? {
        let line = line(&record);
        let is_asked_for =
            arguments.events.is_empty() || arguments.events.iter().any(|name| name == line.event);
        if !is_asked_for || since.is_some_and(|since| record.committed < since) {
            continue;
        }
        if context.json { json(&line)? } else { print(&line)? }
    }
    Ok(Exit::Fine)
}

/// A name with a typo would silently find nothing.
fn check_events(names: &[String]) -> Result<(), Failure> {
    match names.iter().find(|name| *name != SEAL && name.parse::<Event>().is_err()) {
        None => Ok(()),
        Some(unknown) => {
            let known: Vec<&str> = Event::names().chain([SEAL]).collect();
            Err(Failure::usage(
                format!("there is no event `{unknown}`"),
                format!("events: {}", known.join(", ")),
            ))
        }
    }
}

fn line(record: &Record) -> Line<'_> {
    let (time, event, detail, heads) = match &record.leaf {
        Leaf::Control(leaf) => (leaf.time, leaf.event.as_str(), Some(&leaf.detail), None),
        Leaf::Seal(leaf) => (leaf.time, SEAL, None, Some(&leaf.heads)),
        // Records are the other leaves.
        Leaf::Segment(leaf) => (leaf.received, "segment", None, None),
    };
    let detail = detail.filter(|detail| !detail.is_empty());
    Line {
        time,
        trail: &record.trail,
        instance: &record.instance,
        commit: record.commit,
        event,
        detail,
        heads,
    }
}

fn print(line: &Line<'_>) -> Result<(), Failure> {
    let time = line.time.strftime("%Y-%m-%d %H:%M:%S");
    let mut text =
        format!("{time}  {} {}  {}", escape::line(line.trail), line.commit, escape::line(line.event));
    for (name, value) in line.detail.into_iter().flatten() {
        // Quoted, so that a value cannot look like other ones.
        let value = serde_json::to_string(value)?;
        text = format!("{text}  {}={}", escape::line(name), escape::json(&value));
    }
    if let Some(heads) = line.heads {
        text = format!("{text}  {}", plural(heads.len() as u64, "trail"));
    }
    data(&text)
}
