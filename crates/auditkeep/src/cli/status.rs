//! `auditkeep status`: what is archived of each instance, and how far it is derived.

use std::collections::{BTreeSet, HashMap};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use auditkeep_archive::standing::State;
use auditkeep_archive::trail;
use auditkeep_events::QueryEngine;
use auditkeep_pipeline::derive::{DeriveError, unfinished};
use auditkeep_pipeline::table::EventTable;
use futures::StreamExt;
use jiff::Timestamp;
use serde::Serialize;

use super::Context;
use crate::failure::{self, Exit, Failure};
use crate::output::table::Rows;
use crate::output::{bytes, count, json, talk};

/// One trail, in JSON as it stands here.
#[derive(Debug, Serialize)]
struct TrailStatus {
    instance: String,
    engine: String,
    resource_id: String,
    trail: String,
    logs: u64,
    commits: u64,
    /// Raw bytes of the logs that the last commit still follows.
    archived_bytes: u64,
    /// Of these, those after the last whole record of each log.
    unfinished_bytes: u64,
    last_commit_time: Timestamp,
    /// Absent before anything says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    /// Names of the open gaps.
    gaps: Vec<String>,
    /// Names of the holds in place.
    holds: Vec<String>,
    derived_through: u64,
    events: u64,
    problems: u64,
}

pub async fn run(context: &Context) -> Result<Exit, Failure> {
    let archive = context.archive().await?;
    let engine = context.queries().await.map_err(of_tables)?;
    let tables = context.tables().await?;
    let events = counts(&engine, "events").await.map_err(of_tables)?;
    let problems = counts(&engine, "problems").await.map_err(of_tables)?;
    let mut trails = Vec::new();
    for id in archive.trails().await? {
        let Some(head) = trail::head(&archive, &id).await? else { continue };
        let body = head.body;
        let standing = body.standing();
        trails.push(TrailStatus {
            logs: body.cursors.len() as u64,
            commits: body.number,
            archived_bytes: body.cursors.values().map(|cursor| cursor.offset).sum(),
            unfinished_bytes: unfinished(&body.cursors),
            last_commit_time: body.time,
            state: standing.state,
            gaps: standing.gaps.into_keys().collect(),
            holds: standing.holds.into_keys().collect(),
            derived_through: tables.derived_through(&id).await?.unwrap_or(0),
            events: events.get(&id).copied().unwrap_or(0),
            problems: problems.get(&id).copied().unwrap_or(0),
            instance: body.source.instance,
            engine: body.source.engine,
            resource_id: body.source.resource_id,
            trail: id,
        });
    }
    if context.json {
        trails.iter().try_for_each(json)?;
    } else if trails.is_empty() {
        talk("nothing is archived yet; go on with `auditkeep collect` or `auditkeep import`");
    } else {
        print(&trails)?;
    }
    let ahead = ahead(&trails, &[events, problems]);
    for failure in &ahead {
        talk(&failure.to_string());
    }
    Ok(if ahead.is_empty() { Exit::Fine } else { Exit::Failed })
}

/// What the tables have and the archive has not.
fn ahead(trails: &[TrailStatus], tables: &[HashMap<String, u64>]) -> Vec<Failure> {
    let mut failures: Vec<Failure> = trails
        .iter()
        .filter(|trail| trail.derived_through > trail.commits)
        .map(|TrailStatus { trail, derived_through, .. }| {
            DeriveError::Ahead { trail: trail.clone(), commit: *derived_through }.into()
        })
        .collect();
    let unknown: BTreeSet<&String> = tables
        .iter()
        .flat_map(HashMap::keys)
        .filter(|held| !trails.iter().any(|trail| trail.trail == **held))
        .collect();
    failures.extend(unknown.into_iter().map(|trail| {
        let message = format!("the events table holds rows of trail `{trail}`, which the archive does not");
        Failure::new(message, failure::AHEAD)
    }));
    failures
}

/// A table that cannot be read is not to be mourned: it is derived.
fn of_tables(failure: Failure) -> Failure {
    failure.with_hint(failure::TABLES)
}

fn print(trails: &[TrailStatus]) -> Result<(), Failure> {
    let mut table = Rows::new(&[
        "INSTANCE",
        "ENGINE",
        "LOGS",
        "ARCHIVED",
        "UNFINISHED",
        "COMMITS",
        "LAST COMMIT (UTC)",
        "STATE",
        "GAPS",
        "HOLDS",
        "DERIVED",
        "EVENTS",
        "PROBLEMS",
    ]);
    for column in [2, 3, 4, 5, 8, 9, 10, 11, 12] {
        table.align_right(column);
    }
    for trail in trails {
        let behind = trail.commits - trail.derived_through.min(trail.commits);
        table.add([
            trail.instance.clone(),
            trail.engine.clone(),
            trail.logs.to_string(),
            bytes(trail.archived_bytes),
            bytes(trail.unfinished_bytes),
            trail.commits.to_string(),
            trail.last_commit_time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            trail.state.map_or("", State::name).to_owned(),
            trail.gaps.len().to_string(),
            trail.holds.len().to_string(),
            if behind == 0 { "all".to_owned() } else { format!("{behind} behind") },
            count(trail.events),
            count(trail.problems),
        ]);
    }
    table.print()
}

/// Rows per trail.
async fn counts(engine: &QueryEngine, table: &str) -> Result<HashMap<String, u64>, Failure> {
    // `table` is one of two fixed names.
    let sql = format!("select trail, count(*) as rows from {table} group by trail");
    let (_, mut batches) = engine.sql(&sql).await?;
    let mut counts = HashMap::new();
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|error| engine.present(error))?;
        let trails = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8)?;
        let (trails, rows) = (trails.as_string::<i32>(), batch.column(1).as_primitive::<Int64Type>());
        for (trail, rows) in trails.iter().zip(rows.values()) {
            counts.insert(trail.unwrap_or_default().to_owned(), u64::try_from(*rows).unwrap_or(0));
        }
    }
    Ok(counts)
}
