//! PostgreSQL's stderr log with the line prefix that RDS sets (`%t:%r:%u@%d:[%p]:`), its extended form of PostgreSQL 16 and
//! later, and the lines a server writes before it has read its configuration (`%m [%p] `).
//!
//! A message is a line with a prefix; each further line of its text begins with a tab, which is taken away once; details,
//! context and statement follow as lines with prefixes of their own. All are written at once, so they stand together.
//!
//! Nothing in a prefix is quoted, and user and database come from the client before it has proved anything. So this log can
//! be forged by anyone who reaches the login, and an event is flagged [`Flags::UNVERIFIED`] where the input speaks against it:
//! its process or its remote port belongs to another session, a login that failed right behind it names another user than
//! its own line does, a line that breaks off stands shortly before, or its user, database or application holds what could be
//! the end of a prefix. What nothing speaks against is not flagged, and may be forged all the same: csvlog is to be preferred.
//!
//! Lines without a prefix are what other programs wrote to the same file. They are counted, and never part of a message.

mod peers;
pub(in crate::format) mod prefix;
pub(in crate::format) mod split;

use std::borrow::Cow;
use std::ops::Range;

use super::session::Sessions;
use super::{Layer, Record, Severity, known, pgaudit};
use crate::event::{Flags, Problem, Sink, Span};
use peers::Peers;
use prefix::{Attendant, Label, Prefix};
use split::{Grouping, LINE_HEAD, Line};

/// How far behind a line that breaks off lines are not trusted: user and database have at most 63 bytes each.
const BROKEN_NAME: usize = 200;

/// Reads whole records; what follows the last one is read as a record too.
pub(in crate::format) fn parse(bytes: &[u8], base: u64, sink: &mut dyn Sink) {
    let mut reader =
        Reader { bytes, base, sessions: Sessions::default(), peers: Peers::default(), distrust_to: 0, sink };
    let mut grouping = Grouping::default();
    let mut open = Lines::default();
    let mut start = 0;
    while start < bytes.len() {
        let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at + 1);
        let text_end = if bytes[end - 1] == b'\n' { end - 1 } else { end };
        let head = &bytes[start..text_end.min(start + LINE_HEAD)];
        let line = split::classify(head);
        if grouping.begins_record(&line, head) {
            reader.record(&open);
            open = Lines { whole: start..start, ..Lines::default() };
        }
        open.add(line, start..end, text_end);
        start = end;
    }
    reader.record(&open);
    reader.sessions.finish(reader.sink);
}

/// The lines of one record.
#[derive(Debug, Default)]
struct Lines<'a> {
    whole: Range<usize>,
    first: Option<Line<'a>>,
    /// A second line completes the prefix that a name with a line break has split.
    joined: bool,
    message: Range<usize>,
    statement: Option<Range<usize>>,
    context: Option<Range<usize>>,
    attended: bool,
    /// Which text a continuation line belongs to.
    current: Current,
}

#[derive(Clone, Copy, Debug, Default)]
enum Current {
    #[default]
    Message,
    Statement,
    Context,
    Ignored,
}

impl<'a> Lines<'a> {
    fn add(&mut self, line: Line<'a>, whole: Range<usize>, text_end: usize) {
        self.whole.end = whole.end;
        if self.first.is_none() {
            let text = if let Line::Head(prefix) = &line { whole.start + prefix.text } else { whole.start };
            self.message = text..text_end;
            self.first = Some(line);
            return;
        }
        match line {
            Line::Attendant(prefix, attendant) => self.attend(attendant, whole.start + prefix.text..text_end),
            Line::Bare => {
                self.joined = true;
                self.message.end = text_end;
            }
            _ => match self.current {
                Current::Message => self.message.end = text_end,
                Current::Statement => extend(&mut self.statement, text_end),
                Current::Context => extend(&mut self.context, text_end),
                Current::Ignored => {}
            },
        }
    }

    fn attend(&mut self, attendant: Attendant, text: Range<usize>) {
        self.attended = true;
        self.current = match attendant {
            Attendant::Statement => {
                self.statement = Some(text);
                Current::Statement
            }
            Attendant::Context => {
                self.context = Some(text);
                Current::Context
            }
            Attendant::Other => Current::Ignored,
        };
    }
}

fn extend(text: &mut Option<Range<usize>>, end: usize) {
    if let Some(text) = text {
        text.end = end;
    }
}

struct Reader<'a, 's> {
    bytes: &'a [u8],
    base: u64,
    sessions: Sessions<'a>,
    peers: Peers<'a>,
    distrust_to: usize,
    sink: &'s mut dyn Sink,
}

impl<'a> Reader<'a, '_> {
    fn record(&mut self, lines: &Lines<'a>) {
        let raw = &self.bytes[lines.whole.clone()];
        let span = Span { offset: self.base + lines.whole.start as u64, length: raw.len() as u64 };
        let reason = match &lines.first {
            None => return,
            Some(Line::Head(prefix)) => return self.message(lines, prefix, lines.message.clone(), span),
            Some(Line::Broken) => {
                let head = &raw[..raw.len().min(2 * LINE_HEAD)];
                if let Some(prefix) = joined_prefix(head, lines.joined) {
                    let text = lines.whole.start + prefix.text..lines.message.end;
                    return self.message(lines, &prefix, text, span);
                }
                self.distrust_to = lines.whole.end + BROKEN_NAME;
                "a stderr line that breaks off within its prefix"
            }
            Some(Line::Attendant(..)) => "a detail, context or statement without its message",
            Some(Line::Continuation | Line::Bare) if prefix::holds_label(raw) => {
                "a message within a line that has no prefix"
            }
            Some(Line::Continuation | Line::Bare) => {
                let kind = if raw.trim_ascii().is_empty() { "empty line" } else { "unprefixed line" };
                return self.sink.other(kind, span);
            }
        };
        self.sink.problem(Problem { span, reason, raw });
    }

    fn message(&mut self, lines: &Lines<'a>, prefix: &Prefix<'a>, message: Range<usize>, span: Span) {
        let Label::Main(severity) = prefix.label else { return };
        let text = |range: &Range<usize>| &self.bytes[range.clone()];
        let (user, database, mut flags) = self.peers.names(prefix, text(&message));
        if !prefix.moment.exact {
            flags.insert(Flags::LOCAL_TIME);
        }
        let mut record = Record {
            span,
            raw: text(&lines.whole),
            layer: Layer::Stderr,
            time_us: Some(prefix.moment.us),
            flags,
            user: user.map(Cow::Borrowed).and_then(known),
            database: database.map(Cow::Borrowed).and_then(known),
            client_address: prefix.remote.address,
            client_port: prefix.remote.port,
            application: prefix.application.map(Cow::Borrowed).and_then(known),
            session_id: prefix.session.unwrap_or(prefix.process),
            session: prefix.identity,
            severity,
            sqlstate: prefix.sqlstate,
            message: text(&message),
            context: lines.context.as_ref().map(text),
            query: lines.statement.as_ref().map(text),
            attended: lines.attended,
        };
        let is_audit = record.message.starts_with(pgaudit::MARK) && !record.attended;
        let doubtful = prefix.ambiguous
            || lines.whole.start < self.distrust_to
            || (is_audit && self.peers.contradict(prefix))
            || memchr::memchr(b'\n', prefix.names).is_some();
        if doubtful && (is_audit || severity != Severity::Below) {
            record.flags.insert(Flags::UNVERIFIED);
        }
        if is_audit {
            self.peers.audited(prefix, !doubtful);
        } else if !record.attended {
            self.peers.note(prefix, record.message);
        }
        self.sessions.take(&record, self.sink);
    }
}

/// The prefix of a message whose names hold a line break.
fn joined_prefix(head: &[u8], joined: bool) -> Option<Prefix<'_>> {
    prefix::parse(head).filter(|prefix| joined && matches!(prefix.label, Label::Main(_)))
}
