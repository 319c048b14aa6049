//! `auditkeep expire`: what is too old, shown or given up.

use auditkeep_archive::archive::Archive;
use auditkeep_archive::expire::{self, Done, Plan, Stays};
use auditkeep_pipeline::table::EventTable;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::choice::{Chosen, TrailChoice};
use super::said::said;
use super::{Context, stamp};
use crate::failure::{Exit, Failure};
use crate::output::table::Rows;
use crate::output::{bytes, count, data, escape, json, plural, talk};

#[derive(Debug, Args)]
#[command(
    after_help = "Without --delete nothing is written. What may go follows from `auditkeep retain` and `auditkeep hold`; commits,\n\
    and with them the proof of what was there, are kept for ever. The store must allow to delete, which nothing else needs."
)]
pub struct ExpireArguments {
    #[command(flatten)]
    trails: TrailChoice,
    /// Record it, and delete the segments
    #[arg(long, requires = "by")]
    delete: bool,
    /// Who decided it
    #[arg(long, value_name = "WHO", requires = "delete", value_parser = said)]
    by: Option<String>,
}

/// A trail, in JSON as it stands here.
#[derive(Serialize)]
struct Answer {
    instance: String,
    trail: String,
    /// The segments of commits up to this one were given up before; zero for none.
    before: u64,
    through: u64,
    segments: u64,
    raw_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stays: Option<Why>,
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<DoneAnswer>,
}

/// Why the rest stays.
#[derive(Serialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
enum Why {
    ForEver,
    Held { holds: Vec<String> },
    Until { commit: u64, time: Timestamp },
}

#[derive(Serialize)]
struct DoneAnswer {
    /// Number of the commit with the record; none if nothing new was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<u64>,
    deleted: u64,
    /// What an earlier run had left behind.
    finished: u64,
    failures: Vec<FailureAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_failures: Option<u64>,
}

#[derive(Serialize)]
struct FailureAnswer {
    object: String,
    error: String,
}

pub async fn run(context: &Context, arguments: &ExpireArguments) -> Result<Exit, Failure> {
    let archive = context.archive().await?;
    let stamp = stamp();
    let mut exit = Exit::Fine;
    let mut answers = Vec::new();
    for trail in arguments.trails.find(&archive).await? {
        let answer = match &arguments.by {
            None => show(context, &archive, &trail, stamp.time).await,
            Some(who) => delete(context, &archive, &trail, &stamp, who).await,
        };
        match answer {
            Ok(answer) => {
                if answer.tell_failures() {
                    exit = Exit::Failed;
                }
                answers.push(answer);
            }
            // One trail does not stop the others.
            Err(failure) => {
                talk(&failure.at(&trail.trail).to_string());
                exit = Exit::Failed;
            }
        }
    }
    if context.json {
        answers.iter().try_for_each(json)?;
    } else {
        print(&answers, arguments.delete)?;
    }
    Ok(exit)
}

async fn show(
    context: &Context,
    archive: &Archive,
    trail: &Chosen,
    now: Timestamp,
) -> Result<Answer, Failure> {
    let plan = expire::plan(archive, &trail.trail, now).await?;
    warn_of_underived(context, &plan, "run `auditkeep derive` before `auditkeep expire --delete`").await?;
    Ok(Answer::of(trail, plan, None))
}

async fn delete(
    context: &Context,
    archive: &Archive,
    trail: &Chosen,
    stamp: &auditkeep_archive::trail::Stamp,
    who: &str,
) -> Result<Answer, Failure> {
    let key = context.signing_key().await?;
    let plan = expire::plan(archive, &trail.trail, stamp.time).await?;
    // Whoever decided it may stop it here.
    warn_of_underived(context, &plan, "those of what is deleted now will never be derived").await?;
    let done = expire::carry_out(archive, &*key, stamp, &plan, who).await?;
    Ok(Answer::of(trail, plan, Some(done)))
}

/// Events can be derived from what is kept only.
async fn warn_of_underived(context: &Context, plan: &Plan, what: &str) -> Result<(), Failure> {
    if !plan.has_something() {
        return Ok(());
    }
    let derived = context.tables().await?.derived_through(&plan.trail).await?.unwrap_or(0);
    if derived < plan.through {
        talk(&format!(
            "warning: events of {} are derived up to commit {derived} only; {what}",
            escape::line(&plan.trail)
        ));
    }
    Ok(())
}

impl Answer {
    fn of(trail: &Chosen, plan: Plan, done: Option<Done>) -> Self {
        Self {
            instance: trail.instance.clone(),
            trail: plan.trail,
            before: plan.before,
            through: plan.through,
            segments: plan.segments,
            raw_bytes: plan.raw_bytes,
            oldest: plan.oldest,
            newest: plan.newest,
            stays: plan.stays.map(|stays| match stays {
                Stays::ForEver => Why::ForEver,
                Stays::Held(holds) => Why::Held { holds },
                Stays::Until { commit, time } => Why::Until { commit, time },
            }),
            done: done.map(|done| DoneAnswer::of(&done)),
        }
    }

    /// Whether there were any.
    fn tell_failures(&self) -> bool {
        let failures = self.done.as_ref().map_or(&[][..], |done| &done.failures);
        for FailureAnswer { object, error } in failures {
            let failure = Failure::new(
                format!("deleting `{object}` failed: {error}"),
                "check that the store allows to delete, then run the same command again; nothing more of this trail is given up before",
            );
            talk(&failure.to_string());
        }
        !failures.is_empty()
    }

    fn rest(&self) -> String {
        match &self.stays {
            None => "nothing else".to_owned(),
            Some(Why::ForEver) => "kept for ever: no retention is set".to_owned(),
            Some(Why::Held { holds }) => format!("held by {}", holds.join(", ")),
            Some(Why::Until { commit, time }) => {
                format!("commit {commit} is kept until {}", time.strftime("%Y-%m-%d %H:%M"))
            }
        }
    }
}

impl DoneAnswer {
    fn of(done: &Done) -> Self {
        let failures = done.failures();
        let failures = failures
            .map(|failure| FailureAnswer { object: failure.object.clone(), error: failure.cause.clone() });
        let more = done.finished.more_failures + done.deleted.more_failures;
        Self {
            commit: done.record,
            deleted: done.deleted.segments,
            finished: done.finished.segments,
            failures: failures.collect(),
            more_failures: (more > 0).then_some(more),
        }
    }
}

fn print(answers: &[Answer], deletes: bool) -> Result<(), Failure> {
    let mut table =
        Rows::new(&["INSTANCE", "TRAIL", "THROUGH", "SEGMENTS", "RAW", "OLDEST", "NEWEST", "THE REST"]);
    for column in [2, 3, 4] {
        table.align_right(column);
    }
    let date =
        |time: Option<Timestamp>| time.map(|time| time.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
    for answer in answers {
        let through = if answer.segments == 0 { String::new() } else { answer.through.to_string() };
        let (segments, raw) = (count(answer.segments), bytes(answer.raw_bytes));
        let (oldest, newest) = (date(answer.oldest), date(answer.newest));
        let (instance, trail) = (answer.instance.clone(), answer.trail.clone());
        table.add([instance, trail, through, segments, raw, oldest, newest, answer.rest()]);
    }
    if !table.is_empty() {
        table.print()?;
    }
    if deletes {
        let done = || answers.iter().filter_map(|answer| answer.done.as_ref());
        let segments = done().map(|done| done.deleted + done.finished).sum();
        return data(&format!("deleted {}", plural(segments, "segment")));
    }
    let segments = answers.iter().map(|answer| answer.segments).sum();
    let next = if segments == 0 { "" } else { "; `auditkeep expire --delete --by WHO` gives it up" };
    data(&format!("{} can go{next}", plural(segments, "segment")))
}
