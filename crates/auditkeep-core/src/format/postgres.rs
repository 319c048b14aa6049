//! PostgreSQL's log, in both forms that RDS offers, with the records of pgAudit in it.
//!
//! [`csvlog`] and [`stderr`] read their syntax and hand [`Record`]s on; [`message`] says what a record is; [`session`] joins
//! what belongs together: pgAudit writes before a statement ends, so its outcome stands in what the session logs next.

pub(super) mod csvlog;
mod message;
mod pgaudit;
mod session;
pub(super) mod stderr;

use std::borrow::Cow;

use crate::event::{Class, Event, Flags, Span, Text};

/// How grave a message is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// `DEBUG`, `INFO`, `NOTICE`, `WARNING`: says nothing about how a statement went.
    Below,
    Log,
    /// `ERROR`, `FATAL`, `PANIC`: the statement failed.
    Error,
    Fatal,
}

impl Severity {
    fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"LOG" => Some(Self::Log),
            b"ERROR" => Some(Self::Error),
            b"FATAL" | b"PANIC" => Some(Self::Fatal),
            b"WARNING" | b"NOTICE" | b"INFO" | b"DEBUG" => Some(Self::Below),
            _ => matches!(name, [b'D', b'E', b'B', b'U', b'G', b'1'..=b'5']).then_some(Self::Below),
        }
    }
}

/// How a text had to be changed to stand in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    /// Within a quoted field: each quote is doubled.
    Csv,
    /// Each line feed is followed by a tab.
    Stderr,
}

impl Layer {
    /// The text as the server had it.
    fn undo(self, raw: &[u8]) -> Text<'_> {
        match self {
            Self::Csv => halve(raw, b"\"\"", b"\""),
            Self::Stderr => halve(raw, b"\n\t", b"\n"),
        }
    }
}

/// `raw` with each `pair` replaced, from left to right and once.
fn halve<'a>(raw: &'a [u8], pair: &[u8], with: &[u8]) -> Text<'a> {
    let mut places = memchr::memmem::find_iter(raw, pair);
    let Some(first) = places.next() else {
        return Cow::Borrowed(raw);
    };
    let mut text = Vec::with_capacity(raw.len());
    let mut copied = 0;
    for place in std::iter::once(first).chain(places) {
        text.extend_from_slice(&raw[copied..place]);
        text.extend_from_slice(with);
        copied = place + pair.len();
    }
    text.extend_from_slice(&raw[copied..]);
    text.into()
}

/// One message of the server, with its texts as they stand in the log.
#[derive(Clone, Debug)]
struct Record<'a> {
    span: Span,
    raw: &'a [u8],
    layer: Layer,
    time_us: Option<i64>,
    /// What the place in the log alone says: [`Flags::LOCAL_TIME`], [`Flags::UNVERIFIED`].
    flags: Flags,
    user: Option<Text<'a>>,
    database: Option<Text<'a>>,
    client_address: Option<&'a [u8]>,
    client_port: Option<u16>,
    application: Option<Text<'a>>,
    /// What the log calls the session.
    session_id: &'a [u8],
    /// What the records of a session have in common. For stderr that includes the remote end, which a name cannot forge.
    session: &'a [u8],
    severity: Severity,
    sqlstate: Option<&'a [u8]>,
    message: &'a [u8],
    context: Option<&'a [u8]>,
    /// The statement that the client sent.
    query: Option<&'a [u8]>,
    /// It has a detail, hint, context or statement; a record of pgAudit has none of them.
    attended: bool,
}

impl<'a> Record<'a> {
    /// An event of this record, with what every record states.
    fn event(&self, class: Class) -> Event<'a> {
        let mut event = Event::new(self.span, class);
        event.time_us = self.time_us;
        event.user_name.clone_from(&self.user);
        event.database_name.clone_from(&self.database);
        event.client_address = self.client_address.map(Cow::Borrowed);
        event.client_port = self.client_port;
        event.application.clone_from(&self.application);
        event.session_id = (!self.session_id.is_empty()).then_some(Cow::Borrowed(self.session_id));
        event.flags = self.flags;
        event
    }
}

/// NULL and the empty text are alike in places where the server writes nothing for both.
fn known(text: Text<'_>) -> Option<Text<'_>> {
    (!text.is_empty()).then_some(text)
}
