//! A sink that keeps what it is given, and checks that every byte was given once.

use std::borrow::Cow;

use auditkeep_core::event::{Event, Flags, Outcome, Problem, Sink, Span, Text};
use auditkeep_core::format::{Format, parse};

#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) events: Vec<Event<'static>>,
    pub(crate) problems: Vec<(&'static str, Vec<u8>)>,
    pub(crate) others: Vec<&'static str>,
    pub(crate) spans: Vec<Span>,
}

impl Sink for Collected {
    fn event(&mut self, event: Event<'_>) {
        self.spans.push(event.span);
        self.events.push(own(event));
    }

    fn problem(&mut self, problem: Problem<'_>) {
        self.spans.push(problem.span);
        assert_eq!(problem.raw.len() as u64, problem.span.length);
        self.problems.push((problem.reason, problem.raw.to_vec()));
    }

    fn other(&mut self, kind: &'static str, span: Span) {
        self.spans.push(span);
        self.others.push(kind);
    }
}

fn own(event: Event<'_>) -> Event<'static> {
    fn text(text: Option<Text<'_>>) -> Option<Text<'static>> {
        text.map(|text| Cow::Owned(text.into_owned()))
    }
    Event {
        span: event.span,
        time_us: event.time_us,
        database_name: text(event.database_name),
        user_name: text(event.user_name),
        client_address: text(event.client_address),
        client_port: event.client_port,
        application: text(event.application),
        tls: text(event.tls),
        session_id: text(event.session_id),
        statement_id: text(event.statement_id),
        substatement_id: text(event.substatement_id),
        class: event.class,
        command: text(event.command),
        object_type: text(event.object_type),
        object_name: text(event.object_name),
        tables: text(event.tables),
        statement: text(event.statement),
        parameters: text(event.parameters),
        row_count: event.row_count,
        outcome: event.outcome,
        error_code: text(event.error_code),
        error_text: text(event.error_text),
        fingerprint: text(event.fingerprint),
        flags: event.flags,
    }
}

/// Parses at offset `base`; the events come in the order of their bytes.
pub(crate) fn collect_at(format: Format, bytes: &[u8], base: u64) -> Collected {
    let mut collected = Collected::default();
    parse(format, bytes, base, &mut collected);
    collected.spans.sort_by_key(|span| span.offset);
    let mut at = base;
    for span in &collected.spans {
        assert!(span.length > 0, "an empty span at {}", span.offset);
        assert_eq!(span.offset, at, "spans neither overlap nor leave bytes out");
        at = span.end();
    }
    assert_eq!(at, base + bytes.len() as u64, "spans cover the input");
    collected.events.sort_by_key(|event| event.span.offset);
    collected
}

pub(crate) fn collect(format: Format, bytes: &[u8]) -> Collected {
    collect_at(format, bytes, 0)
}

/// The only event, from bytes that hold nothing else.
pub(crate) fn only(format: Format, bytes: &[u8]) -> Event<'static> {
    let mut collected = collect(format, bytes);
    assert_eq!(collected.problems, []);
    assert_eq!(collected.others, [""; 0]);
    assert_eq!(collected.events.len(), 1, "{:?}", collected.events);
    collected.events.remove(0)
}

pub(crate) fn shown(text: Option<&Text<'_>>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| String::from_utf8_lossy(text).into_owned())
}

/// What a test mostly asks of events: class, command, object, statement and outcome, and flags if there are any.
pub(crate) fn summary(events: &[Event<'_>]) -> Vec<String> {
    events.iter().map(one_line).collect()
}

fn one_line(event: &Event<'_>) -> String {
    let mut line = format!(
        "{} {} {} [{}] {}",
        event.class.name(),
        shown(event.command.as_ref()),
        shown(event.object_name.as_ref()),
        shown(event.statement.as_ref()),
        event.outcome.name()
    );
    if event.outcome == Outcome::Failure {
        line = format!("{line} {}", shown(event.error_code.as_ref()));
    }
    for (flag, name) in Flags::NAMES {
        if event.flags.contains(flag) {
            line = format!("{line} +{name}");
        }
    }
    line
}
