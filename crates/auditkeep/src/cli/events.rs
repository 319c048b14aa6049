//! `auditkeep events`: events that match, without writing SQL.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimestampMicrosecondType};
use auditkeep_archive::archive::Archive;
use auditkeep_archive::proof::EventRef;
use auditkeep_archive::trail;
use auditkeep_events::{EventFilter, QueryEngine};
use clap::Args;
use futures::StreamExt;
use jiff::{Span, Timestamp, civil, tz::TimeZone};

use super::{Context, now};
use crate::failure::{Exit, Failure};
use crate::output::table::Rows;
use crate::output::{data, escape, plural, rows, talk};

/// What a table shows of a statement; `--json` prints all of it.
const SHOWN_CHARACTERS: usize = 100;

/// Instances that an error names, at most.
const SHOWN_INSTANCES: usize = 20;

#[derive(Debug, Args)]
#[command(
    after_help = "Times are UTC: 2026-03-01, 2026-03-01T12:30, 2026-03-01T12:30:00+01:00, or an age such as 90m, 24h, 7d."
)]
pub struct EventsArguments {
    /// The login user
    #[arg(long)]
    user: Option<String>,
    /// The database that the session was in
    #[arg(long)]
    database: Option<String>,
    /// A table or other object, with or without its schema
    #[arg(long)]
    object: Option<String>,
    /// read, write, ddl, role, function, connect, disconnect, admin or misc
    #[arg(long, value_parser = CLASSES)]
    class: Option<String>,
    /// Name or resource id of the instance
    #[arg(long)]
    instance: Option<String>,
    /// From this time on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Up to, and not including, this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only what failed
    #[arg(long)]
    failed: bool,
    /// Only statements that contain this text, in any case
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// At most so many, the newest; 0 for all
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
    /// Show each event's id, as `auditkeep proof` takes it
    #[arg(long)]
    ids: bool,
}

/// The column of a row's id, which the table does not hold.
const ID: &str = "event";

/// The columns that a row of the table is made of.
const TEXTS: [&str; 10] = [
    "instance",
    "user_name",
    "database_name",
    "client_address",
    "class",
    "outcome",
    "statement",
    "error_text",
    "command",
    "object_name",
];

const CLASSES: [&str; 9] =
    ["read", "write", "ddl", "role", "function", "connect", "disconnect", "admin", "misc"];

pub async fn run(context: &Context, arguments: &EventsArguments) -> Result<Exit, Failure> {
    let filter = EventFilter {
        user: arguments.user.clone(),
        database: arguments.database.clone(),
        object: arguments.object.clone(),
        class: arguments.class.clone(),
        since_us: arguments.since.as_deref().map(|text| time(text, "--since")).transpose()?,
        until_us: arguments.until.as_deref().map(|text| time(text, "--until")).transpose()?,
        failed: arguments.failed,
        grep: arguments.grep.clone(),
        instance: arguments.instance.clone(),
        limit: (arguments.limit > 0).then_some(arguments.limit),
    };
    if let (Some(since), Some(until)) = (filter.since_us, filter.until_us)
        && until <= since
    {
        return Err(Failure::usage("no time is from --since to --until", "--until must come after --since"));
    }
    // Of what is no archive, nothing is answered.
    let archive = context.archive().await?;
    let engine = context.queries().await?;
    let (_, mut batches) = engine.events(&filter).await?;
    let mut table = new_table(arguments.ids);
    let mut count = 0;
    while let Some(batch) = batches.next().await {
        let batch = with_ids(&batch.map_err(|error| engine.present(error))?)?;
        count += batch.num_rows() as u64;
        if context.json {
            for line in rows::json_lines(&batch)?.lines() {
                data(&escape::json(line))?;
            }
        } else {
            add(&mut table, &batch, arguments.ids)?;
        }
    }
    if let Some(name) = arguments.instance.as_deref().filter(|_| count == 0) {
        check_instance(&archive, &engine, name).await?;
    }
    if !context.json {
        if !table.is_empty() {
            table.print()?;
        }
        let more = if filter.limit == usize::try_from(count).ok() {
            ", the newest; `--limit` shows more"
        } else {
            ""
        };
        talk(&format!("({}{more})", plural(count, "event")));
    }
    Ok(Exit::Fine)
}

/// A name with a typo would look like an instance that nobody used. Known is what has a trail, and what events name: it may have been
/// renamed.
async fn check_instance(archive: &Archive, engine: &QueryEngine, name: &str) -> Result<(), Failure> {
    let mut known = BTreeSet::new();
    for id in archive.trails().await? {
        let Some(head) = trail::head(archive, &id).await? else { continue };
        let source = head.body.source;
        let is_it = |known: &str| known.to_lowercase() == name.to_lowercase();
        if is_it(&source.instance) || is_it(&source.resource_id) {
            return Ok(());
        }
        known.insert(source.instance);
    }
    let any = EventFilter { instance: Some(name.to_owned()), limit: Some(1), ..EventFilter::default() };
    let (_, mut batches) = engine.events(&any).await?;
    while let Some(batch) = batches.next().await {
        if batch.map_err(|error| engine.present(error))?.num_rows() > 0 {
            return Ok(());
        }
    }
    let some: Vec<String> = known.iter().take(SHOWN_INSTANCES).cloned().collect();
    let all = "`auditkeep status` lists the instances";
    Err(Failure::new(
        format!("nothing of an instance `{name}` is archived"),
        if some.is_empty() { all.to_owned() } else { format!("{all}; known: {}", some.join(", ")) },
    ))
}

/// A row of the table for people. Everything else is in the JSON.
fn new_table(ids: bool) -> Rows {
    let headers = ["TIME (UTC)", "INSTANCE", "WHO", "FROM", "CLASS", "OUTCOME", "WHAT", "EVENT"];
    if ids {
        // A row that is cut would cut the id, which is there to be copied.
        return Rows::new(&headers);
    }
    Rows::new(&headers[..7]).lines_per_row(2)
}

/// The batch with a column more: the events' ids.
fn with_ids(batch: &RecordBatch) -> Result<RecordBatch, Failure> {
    let (trails, segments) = (text_column(batch, "trail")?, text_column(batch, "segment")?);
    let number = |name: &str, row: usize| {
        let numbers = batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
        numbers.is_valid(row).then(|| numbers.value(row))
    };
    let id = |row: usize| {
        let (trail, segment) = (text_at(trails.as_ref(), row), text_at(segments.as_ref(), row));
        let (commit, offset) = (number("commit_number", row)?, number("byte_offset", row)?);
        let event = EventRef::of_row(trail, commit, segment, offset, number("byte_length", row)?)?;
        Some(event.to_string())
    };
    let ids: StringArray = (0..batch.num_rows()).map(id).collect();
    let mut fields = batch.schema().fields().to_vec();
    fields.push(Arc::new(Field::new(ID, DataType::Utf8, true)));
    let columns = [batch.columns(), &[Arc::new(ids) as ArrayRef]].concat();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn add(table: &mut Rows, batch: &RecordBatch, ids: bool) -> Result<(), Failure> {
    let texts = TEXTS.map(|name| text_column(batch, name));
    let texts: Vec<_> = texts.into_iter().collect::<Result<_, _>>()?;
    let events = text_column(batch, ID)?;
    let times = batch
        .column_by_name("event_time")
        .and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    for row in 0..batch.num_rows() {
        let time = times.filter(|times| times.is_valid(row)).map(|times| times.value(row));
        let time = time.and_then(|time| Timestamp::from_microsecond(time).ok());
        let mut cells = texts.iter().map(|column| text_at(column.as_ref(), row));
        let mut next = || cells.next().unwrap_or_default();
        let [instance, user, database] = [next(), next(), next()];
        let [address, class, outcome] = [next(), next(), next()];
        let [statement, error, command, object] = [next(), next(), next(), next()];
        let who = if database.is_empty() { user.to_owned() } else { format!("{user}@{database}") };
        // A login has no statement, but may have failed for a reason; a row of table access names the table.
        let what = [statement, error].into_iter().find(|text| !text.is_empty()).map(shorten);
        let what = what.unwrap_or_else(|| shorten(&format!("{command} {object}")));
        let time = time.map(|time| time.strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default();
        let id = ids.then(|| text_at(events.as_ref(), row));
        table.add([&time, instance, &who, address, class, outcome, &what].into_iter().chain(id));
    }
    Ok(())
}

/// A column as plain text, whichever of its encodings the engine chose.
fn text_column(batch: &RecordBatch, name: &str) -> Result<Option<ArrayRef>, Failure> {
    let column = batch.column_by_name(name);
    Ok(column.map(|column| cast(column, &DataType::Utf8)).transpose()?)
}

fn text_at(column: Option<&ArrayRef>, row: usize) -> &str {
    let texts = column.and_then(|column| column.as_string_opt::<i32>());
    texts.filter(|texts| texts.is_valid(row)).map_or("", |texts| texts.value(row))
}

/// On one line, and not longer than a person reads in passing.
fn shorten(text: &str) -> String {
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(SHOWN_CHARACTERS) {
        words.truncate(end);
        words.push('…');
    }
    words
}

/// A time as people write it, in microseconds since 1970.
fn time(text: &str, argument: &str) -> Result<i64, Failure> {
    instant(text, argument).map(Timestamp::as_microsecond)
}

/// A time as people write it.
pub(super) fn instant(text: &str, argument: &str) -> Result<Timestamp, Failure> {
    let utc = |time: civil::DateTime| time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let ago = |age: Span| now().to_zoned(TimeZone::UTC).checked_sub(age).ok().map(|zoned| zoned.timestamp());
    let instant = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<civil::DateTime>().ok().and_then(utc))
        .or_else(|| text.parse::<civil::Date>().ok().and_then(|date| utc(date.at(0, 0, 0, 0))))
        .or_else(|| text.parse::<Span>().ok().and_then(ago));
    instant.ok_or_else(|| {
        Failure::usage(
            format!("`{argument} {text}` is no time"),
            "write 2026-03-01, 2026-03-01T12:30, 2026-03-01T12:30:00+01:00, or an age such as 90m, 24h, 7d",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let at = |text: &str| time(text, "--since").unwrap();
        assert_eq!(at("2026-03-01"), at("2026-03-01T00:00:00Z"));
        assert_eq!(at("2026-03-01T12:30"), at("2026-03-01T13:30:00+01:00"));
        assert_eq!(at("2026-03-01 12:30:01"), at("2026-03-01T12:30:01Z"));
        let day_ago = now().as_microsecond() - 86_400_000_000;
        for age in ["24h", "1d"] {
            assert!((at(age) - day_ago).abs() < 60_000_000, "{age}");
        }
        assert_eq!(time("yesterday-ish", "--since").unwrap_err().code(), Exit::Usage);
    }

    #[test]
    fn statements_are_shortened_by_characters() {
        assert_eq!(shorten("a\n  b\tc"), "a b c");
        let long = "é".repeat(SHOWN_CHARACTERS + 5);
        assert_eq!(shorten(&long).chars().count(), SHOWN_CHARACTERS + 1);
    }
}
