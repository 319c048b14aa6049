//! Events and problems as Arrow columns, built while a parser runs; there is no row in between.
//!
//! [`EventColumns`] is the [`Sink`] that everything which derives tables uses. It guarantees that the columns are those of
//! [`events_schema`] and [`problems_schema`], in that order, and that [`Accounting`] has counted every byte handed in.
//!
//! **Text.** A value that is valid UTF-8 is stored as it is. Any other value is stored by a reversible escape: each
//! backslash becomes `\\`, and each byte that is not part of valid UTF-8 becomes `\xHH` in capital hexadecimal digits.
//! `flags` then lists `escaped:<column>` once for each such column of the row, so that a reader knows which values to hand
//! to [`unescape`]. A value without that flag is literal, however many backslashes it holds.
//!
//! **Flags.** Never NULL: an empty text when there is none, so that `NOT LIKE` finds the rows without a flag.
//!
//! It does not write files, and it does not split a batch: a text column holds at most 2 GiB between two calls of
//! [`EventColumns::finish`]. A value beyond that is stored as NULL and its row flagged `truncated`; whoever parses hands
//! in less than 512 MiB of log at a time and never meets this.

mod accounting;
mod escape;
mod place;
mod schema;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Date32Builder, Int32Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::SchemaRef;

use super::{Event, Flags, Problem, Sink, Span};
use crate::engine::Engine;

use place::{PlaceBuilders, origin};

pub use accounting::{Accounting, Tally};
pub use escape::{NotEscaped, escape, unescape};
pub use schema::{events_schema, problems_schema};

const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

/// Offsets of an Arrow text column are 32 bits wide and signed.
const COLUMN_LIMIT: usize = i32::MAX as usize;

/// What is the same for a run of rows: where they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowContext {
    pub account: String,
    pub region: String,
    pub engine: Engine,
    pub cluster: Option<String>,
    pub instance: String,
    pub resource_id: String,
    pub trail: String,
    pub commit_number: u64,
    /// When the bytes were received: microseconds since 1970-01-01 UTC.
    pub received_at_us: i64,
}

/// The two batches of a parse, with the columns of [`events_schema`] and [`problems_schema`].
#[derive(Clone, Debug)]
pub struct Parsed {
    pub events: RecordBatch,
    pub problems: RecordBatch,
}

/// The [`Sink`] that builds columns.
#[derive(Debug)]
pub struct EventColumns {
    context: RowContext,
    /// Contexts that rows were added under before the present one, each with its numbers of rows.
    closed: Vec<Run>,
    open: Rows,
    segments: Segments,
    accounting: Accounting,
    events: EventBuilders,
    problems: ProblemBuilders,
}

#[derive(Debug)]
struct Run {
    context: RowContext,
    rows: Rows,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rows {
    events: usize,
    problems: usize,
}

impl EventColumns {
    pub fn new(context: RowContext) -> Self {
        Self {
            context,
            closed: Vec::new(),
            open: Rows::default(),
            segments: Segments::default(),
            accounting: Accounting::default(),
            events: EventBuilders::default(),
            problems: ProblemBuilders::default(),
        }
    }

    /// Rows added from now on belong to `context`.
    pub fn set_context(&mut self, context: RowContext) {
        let before = std::mem::replace(&mut self.context, context);
        let rows = std::mem::take(&mut self.open);
        if rows.events + rows.problems > 0 {
            self.closed.push(Run { context: before, rows });
        }
    }

    /// The objects that hold the bytes to come, as `(from, to, key)` with `to` excluded, in the offsets of [`Span`].
    /// `segment` is the one that holds a row's first byte, and NULL where none does.
    pub fn set_segments(&mut self, segments: Vec<(u64, u64, String)>) {
        self.segments = Segments::new(segments);
    }

    /// Rows held now, events and problems together.
    pub fn rows(&self) -> usize {
        self.closed
            .iter()
            .map(|run| run.rows)
            .chain([self.open])
            .map(|rows| rows.events + rows.problems)
            .sum()
    }

    /// What was counted since this was made; [`EventColumns::finish`] does not reset it.
    pub fn accounting(&self) -> &Accounting {
        &self.accounting
    }

    /// Hands over the rows held; goes on with the same context and segments.
    pub fn finish(&mut self) -> Parsed {
        self.set_context(self.context.clone());
        let runs = std::mem::take(&mut self.closed);
        Parsed {
            events: batch(events_schema(), self.events.finish(&runs)),
            problems: batch(problems_schema(), self.problems.finish(&runs)),
        }
    }
}

#[expect(clippy::expect_used, reason = "columns are written in the order of the schema; a test builds both")]
fn batch(schema: SchemaRef, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(schema, columns).expect("the columns match their schema")
}

impl Sink for EventColumns {
    fn event(&mut self, event: Event<'_>) {
        self.accounting.events += 1;
        self.accounting.event_bytes += event.span.length;
        self.open.events += 1;
        let segment = self.segments.holding(event.span.offset);
        self.events.append(&event, self.context.received_at_us, segment);
    }

    fn problem(&mut self, problem: Problem<'_>) {
        self.accounting.problems += 1;
        self.accounting.problem_bytes += problem.span.length;
        self.open.problems += 1;
        let segment = self.segments.holding(problem.span.offset);
        self.problems.append(&problem, segment);
    }

    fn other(&mut self, kind: &'static str, span: Span) {
        let tally = self.accounting.others.entry(kind).or_default();
        tally.records += 1;
        tally.bytes += span.length;
    }
}

/// Which object holds a byte; remembers the last answer, since rows come nearly in order.
#[derive(Debug, Default)]
struct Segments {
    sorted: Vec<(u64, u64, String)>,
    last: usize,
}

impl Segments {
    fn new(mut sorted: Vec<(u64, u64, String)>) -> Self {
        sorted.sort();
        Self { sorted, last: 0 }
    }

    fn holding(&mut self, offset: u64) -> Option<&str> {
        let holds =
            |index: usize| self.sorted.get(index).is_some_and(|(from, to, _)| (*from..*to).contains(&offset));
        if !holds(self.last) {
            self.last = self.sorted.partition_point(|(from, _, _)| *from <= offset).checked_sub(1)?;
            if !holds(self.last) {
                return None;
            }
        }
        self.sorted.get(self.last).map(|(_, _, key)| key.as_str())
    }
}

/// A column of log text.
#[derive(Debug, Default)]
struct TextColumn(StringBuilder);

/// How a value had to be changed to fit its column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    Literal,
    Escaped,
    /// The column is full.
    Dropped,
}

impl TextColumn {
    fn append(&mut self, value: Option<&[u8]>) -> Fit {
        let Some(bytes) = value else {
            self.0.append_null();
            return Fit::Literal;
        };
        match std::str::from_utf8(bytes) {
            Ok(text) => self.append_text(text, Fit::Literal),
            Err(_) => self.append_text(&escape(bytes), Fit::Escaped),
        }
    }

    fn append_text(&mut self, text: &str, fit: Fit) -> Fit {
        if self.0.values_slice().len() + text.len() > COLUMN_LIMIT {
            self.0.append_null();
            return Fit::Dropped;
        }
        self.0.append_value(text);
        fit
    }
}

/// The columns that hold text of the log, in schema order; [`texts`] gives their values in the same order.
const TEXTS: [&str; 17] = [
    "database_name",
    "user_name",
    "client_address",
    "application",
    "tls",
    "session_id",
    "statement_id",
    "substatement_id",
    "command",
    "object_type",
    "object_name",
    "tables",
    "statement",
    "parameters",
    "error_code",
    "error_text",
    "fingerprint",
];

fn texts<'a>(event: &'a Event<'_>) -> [Option<&'a [u8]>; TEXTS.len()] {
    [
        event.database_name.as_deref(),
        event.user_name.as_deref(),
        event.client_address.as_deref(),
        event.application.as_deref(),
        event.tls.as_deref(),
        event.session_id.as_deref(),
        event.statement_id.as_deref(),
        event.substatement_id.as_deref(),
        event.command.as_deref(),
        event.object_type.as_deref(),
        event.object_name.as_deref(),
        event.tables.as_deref(),
        event.statement.as_deref(),
        event.parameters.as_deref(),
        event.error_code.as_deref(),
        event.error_text.as_deref(),
        event.fingerprint.as_deref(),
    ]
}

#[derive(Debug)]
struct EventBuilders {
    date: Date32Builder,
    time: TimestampMicrosecondBuilder,
    port: Int32Builder,
    texts: Vec<TextColumn>,
    class: StringBuilder,
    row_count: Int64Builder,
    outcome: StringBuilder,
    flags: StringBuilder,
    place: PlaceBuilders,
    flag_names: String,
}

impl Default for EventBuilders {
    fn default() -> Self {
        Self {
            date: Date32Builder::new(),
            time: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            port: Int32Builder::new(),
            texts: TEXTS.iter().map(|_| TextColumn::default()).collect(),
            class: StringBuilder::new(),
            row_count: Int64Builder::new(),
            outcome: StringBuilder::new(),
            flags: StringBuilder::new(),
            place: PlaceBuilders::default(),
            flag_names: String::new(),
        }
    }
}

impl EventBuilders {
    fn append(&mut self, event: &Event<'_>, received_at_us: i64, segment: Option<&str>) {
        self.date.append_value(day(event.time_us.unwrap_or(received_at_us)));
        self.time.append_option(event.time_us);
        self.port.append_option(event.client_port.map(i32::from));
        self.class.append_value(event.class.name());
        self.row_count.append_option(event.row_count);
        self.outcome.append_value(event.outcome.name());
        self.append_texts(event);
        self.place.append(event.span, segment);
    }

    fn append_texts(&mut self, event: &Event<'_>) {
        let mut flags = event.flags;
        let mut escaped = 0_u32;
        for (index, (column, value)) in self.texts.iter_mut().zip(texts(event)).enumerate() {
            match column.append(value) {
                Fit::Literal => {}
                Fit::Escaped => escaped |= 1 << index,
                Fit::Dropped => flags.insert(Flags::TRUNCATED),
            }
        }
        self.flag_names.clear();
        for (flag, name) in Flags::NAMES {
            if flag != Flags::ESCAPED && flags.contains(flag) {
                push_name(&mut self.flag_names, "", name);
            }
        }
        if escaped != 0 {
            for (_, name) in TEXTS.iter().enumerate().filter(|(index, _)| escaped & (1 << index) != 0) {
                push_name(&mut self.flag_names, "escaped:", name);
            }
        }
        self.flags.append_value(&self.flag_names);
    }

    fn finish(&mut self, runs: &[Run]) -> Vec<ArrayRef> {
        let of = |run: &Run| run.rows.events;
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.date.finish()), Arc::new(self.time.finish())];
        columns.extend(origin(runs, of, true));
        let mut texts = self.texts.iter_mut().map(|column| Arc::new(column.0.finish()) as ArrayRef);
        columns.extend(texts.by_ref().take(3));
        columns.push(Arc::new(self.port.finish()));
        columns.extend(texts.by_ref().take(5));
        columns.push(Arc::new(self.class.finish()));
        columns.extend(texts.by_ref().take(6));
        columns.push(Arc::new(self.row_count.finish()));
        columns.push(Arc::new(self.outcome.finish()));
        columns.extend(texts);
        columns.push(Arc::new(self.flags.finish()));
        columns.extend(self.place.finish(runs, of));
        columns
    }
}

fn push_name(list: &mut String, kind: &str, name: &str) {
    if !list.is_empty() {
        list.push(',');
    }
    list.push_str(kind);
    list.push_str(name);
}

#[derive(Debug, Default)]
struct ProblemBuilders {
    reason: StringBuilder,
    raw: BinaryBuilder,
    place: PlaceBuilders,
}

impl ProblemBuilders {
    fn append(&mut self, problem: &Problem<'_>, segment: Option<&str>) {
        self.reason.append_value(problem.reason);
        let fits = self.raw.values_slice().len() + problem.raw.len() <= COLUMN_LIMIT;
        self.raw.append_option(fits.then_some(problem.raw));
        self.place.append(problem.span, segment);
    }

    fn finish(&mut self, runs: &[Run]) -> Vec<ArrayRef> {
        let of = |run: &Run| run.rows.problems;
        let mut date = Date32Builder::new();
        for run in runs {
            date.append_value_n(day(run.context.received_at_us), of(run));
        }
        let mut columns: Vec<ArrayRef> = vec![Arc::new(date.finish())];
        columns.extend(origin(runs, of, false));
        columns.push(Arc::new(self.reason.finish()));
        columns.push(Arc::new(self.raw.finish()));
        columns.extend(self.place.finish(runs, of));
        columns
    }
}

/// Days since 1970-01-01; every microsecond that 64 bits can state falls on a day that 32 bits can state.
fn day(time_us: i64) -> i32 {
    i32::try_from(time_us.div_euclid(MICROSECONDS_PER_DAY)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Date32Type, Int64Type, TimestampMicrosecondType};

    use super::*;
    use crate::event::Class;

    fn context(instance: &str, commit_number: u64) -> RowContext {
        RowContext {
            account: "111122223333".to_owned(),
            region: "eu-central-1".to_owned(),
            engine: Engine::Mariadb,
            cluster: None,
            instance: instance.to_owned(),
            resource_id: format!("db-{instance}"),
            trail: "t".to_owned(),
            commit_number,
            received_at_us: 20_000 * MICROSECONDS_PER_DAY + 5,
        }
    }

    fn span(offset: u64, length: u64) -> Span {
        Span { offset, length }
    }

    fn strings(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
        let column = batch.column_by_name(name).unwrap().as_string::<i32>();
        column.iter().map(|value| value.map(str::to_owned)).collect()
    }

    #[test]
    fn every_text_column_holds_its_own_field() {
        let named = |name: &'static str| Some(Cow::Borrowed(name.as_bytes()));
        let mut columns = EventColumns::new(context("a", 1));
        let mut event = Event::new(span(0, 1), Class::Role);
        event.database_name = named("database_name");
        event.user_name = named("user_name");
        event.client_address = named("client_address");
        event.application = named("application");
        event.tls = named("tls");
        event.session_id = named("session_id");
        event.statement_id = named("statement_id");
        event.substatement_id = named("substatement_id");
        event.command = named("command");
        event.object_type = named("object_type");
        event.object_name = named("object_name");
        event.tables = named("tables");
        event.statement = named("statement");
        event.parameters = named("parameters");
        event.error_code = named("error_code");
        event.error_text = named("error_text");
        event.fingerprint = named("fingerprint");
        columns.event(event);
        let events = columns.finish().events;
        for name in TEXTS {
            assert_eq!(strings(&events, name), [Some(name.to_owned())]);
        }
        assert_eq!(strings(&events, "class"), [Some("role".to_owned())]);
        assert_eq!(strings(&events, "outcome"), [Some("unknown".to_owned())]);
        assert_eq!(strings(&events, "engine"), [Some("mariadb".to_owned())]);
        assert_eq!(strings(&events, "cluster"), [None]);
    }

    #[test]
    fn a_row_keeps_the_context_and_segment_it_was_added_under() {
        let mut columns = EventColumns::new(context("a", 7));
        columns.set_segments(vec![(10, 20, "second".to_owned()), (0, 10, "first".to_owned())]);
        for offset in [0, 9, 10, 19, 20, 3] {
            columns.event(Event::new(span(offset, 1), Class::Read));
        }
        columns.set_context(context("b", 8));
        columns.problem(Problem { span: span(12, 3), reason: "cut", raw: b"x\0y" });
        columns.event(Event::new(span(12, 3), Class::Read));
        columns.other("server log", span(15, 5));
        assert_eq!(columns.rows(), 8);

        let Parsed { events, problems } = columns.finish();
        let segments: Vec<_> =
            strings(&events, "segment").into_iter().map(Option::unwrap_or_default).collect();
        assert_eq!(segments, ["first", "first", "second", "second", "", "first", "second"]);
        let commits = events.column_by_name("commit_number").unwrap().as_primitive::<Int64Type>();
        assert_eq!(commits.values().to_vec(), [7, 7, 7, 7, 7, 7, 8]);
        assert_eq!(strings(&problems, "instance"), [Some("b".to_owned())]);
        assert_eq!(problems.column_by_name("raw").unwrap().as_binary::<i32>().value(0), b"x\0y");
        assert_eq!(columns.accounting().bytes(), 6 + 3 + 3 + 5);
        assert_eq!(columns.rows(), 0);
        assert_eq!(columns.finish().events.num_rows(), 0);
    }

    #[test]
    fn the_day_is_that_of_the_event_and_else_of_its_receipt() {
        let mut columns = EventColumns::new(context("a", 1));
        for time_us in [Some(-1), Some(0), Some(MICROSECONDS_PER_DAY), None, Some(i64::MIN), Some(i64::MAX)] {
            columns.event(Event { time_us, ..Event::new(span(0, 1), Class::Misc) });
        }
        let events = columns.finish().events;
        let days = events.column_by_name("event_date").unwrap().as_primitive::<Date32Type>();
        assert_eq!(days.values()[..4].to_vec(), [-1, 0, 1, 20_000]);
        assert!(days.value(4) < -100_000_000 && days.value(5) > 100_000_000);
        let times = events.column_by_name("event_time").unwrap().as_primitive::<TimestampMicrosecondType>();
        assert!(times.is_null(3));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_escaped_and_the_column_is_named() {
        let mut columns = EventColumns::new(context("a", 1));
        let mut event = Event::new(span(0, 1), Class::Read);
        event.statement = Some(Cow::Borrowed(b"select '\\' -- \xff"));
        event.user_name = Some(Cow::Borrowed(b"\xe9ve"));
        event.command = Some(Cow::Borrowed(b"a\\b"));
        event.flags = Flags::LOCAL_TIME.with(Flags::TRUNCATED).with(Flags::ESCAPED);
        columns.event(event);
        columns.event(Event::new(span(1, 1), Class::Read));
        let events = columns.finish().events;
        assert_eq!(
            strings(&events, "flags"),
            [
                Some("truncated,local_time,escaped:user_name,escaped:statement".to_owned()),
                Some(String::new())
            ]
        );
        assert_eq!(strings(&events, "statement")[0].as_deref(), Some("select '\\\\' -- \\xFF"));
        assert_eq!(strings(&events, "command")[0].as_deref(), Some("a\\b"));
    }
}
