//! PostgreSQL's csvlog (PostgreSQL documentation, "Using CSV-Format Log Output"): 23 columns up to version 12, 24 in 13, 26
//! from 14 on; more are taken for a later version's.
//!
//! RFC 4180 with line feeds, except that an empty field is NULL and `""` is the empty text. Every text is quoted, so nothing
//! that a user sends can end a record. A record that a crash has torn in two would turn the quoting of all that follows
//! inside out; [`split`] finds the next record in that case, and what lies before becomes a problem.

mod blocks;
pub(in crate::format) mod split;

use super::session::Sessions;
use super::{Layer, Record, Severity, known};
use crate::event::{Flags, Problem, Sink, Span};
use crate::format::time;

/// Columns of PostgreSQL 12 and before; later versions add behind them.
const LEAST: usize = 23;
/// No version has as many.
const MOST: usize = 32;

/// Columns of text, which is quoted wherever it is not NULL, and of numbers, which never are. A record that a crash has torn
/// between two columns, with the next one right behind it, shows here.
const TEXTS: [usize; 7] = [DETAIL, HINT, INTERNAL_QUERY, CONTEXT, QUERY, 21, APPLICATION];
const NUMBERS: [usize; 4] = [6, 10, 17, 20];

const USER: usize = 1;
const DATABASE: usize = 2;
const PROCESS: usize = 3;
const REMOTE: usize = 4;
const SESSION: usize = 5;
const SEVERITY: usize = 11;
const SQLSTATE: usize = 12;
const MESSAGE: usize = 13;
const DETAIL: usize = 14;
const HINT: usize = 15;
const INTERNAL_QUERY: usize = 16;
const CONTEXT: usize = 18;
const QUERY: usize = 19;
const APPLICATION: usize = 22;

/// Reads whole records; what follows the last one is read as a record too.
pub(in crate::format) fn parse(bytes: &[u8], base: u64, sink: &mut dyn Sink) {
    let mut sessions = Sessions::default();
    let mut start = 0;
    let mut splitter = split::Splitter::default();
    splitter.push(bytes, &mut |end| {
        let end = usize::try_from(end).unwrap_or(bytes.len()).min(bytes.len());
        take(&bytes[start..end], base + start as u64, &mut sessions, sink);
        start = end;
    });
    if start < bytes.len() {
        take(&bytes[start..], base + start as u64, &mut sessions, sink);
    }
    sessions.finish(sink);
}

fn take<'a>(raw: &'a [u8], offset: u64, sessions: &mut Sessions<'a>, sink: &mut dyn Sink) {
    let span = Span { offset, length: raw.len() as u64 };
    match read(raw, span) {
        Ok(record) => sessions.take(&record, sink),
        Err(_) if raw.trim_ascii().is_empty() => sink.other("empty line", span),
        Err(reason) => sink.problem(Problem { span, reason, raw }),
    }
}

/// What stands between two commas; NULL where nothing does.
#[derive(Clone, Copy, Debug, Default)]
struct Field<'a> {
    raw: &'a [u8],
    quoted: bool,
}

impl<'a> Field<'a> {
    fn raw(self) -> Option<&'a [u8]> {
        (self.quoted || !self.raw.is_empty()).then_some(self.raw)
    }

    fn is_text(self) -> bool {
        self.quoted || self.raw.is_empty()
    }

    fn is_number(self) -> bool {
        !self.quoted && self.raw.iter().all(u8::is_ascii_digit)
    }
}

fn read(raw: &[u8], span: Span) -> Result<Record<'_>, &'static str> {
    let mut columns = [Field::default(); MOST];
    let line = raw.strip_suffix(b"\n").unwrap_or(raw);
    let count = fields(line, &mut columns).ok_or("a csvlog record with malformed quoting")?;
    if count < LEAST {
        return Err("a csvlog record with too few columns");
    }
    let (moment, length) = time::postgres(columns[0].raw).ok_or("a csvlog record without a time")?;
    let severity = Severity::from_name(columns[SEVERITY].raw).ok_or("a csvlog record without a severity")?;
    let plain = length == columns[0].raw.len()
        && !columns[0].quoted
        && time::digits(columns[PROCESS].raw).is_some()
        && !columns[SEVERITY].quoted
        && columns[MESSAGE].quoted
        && TEXTS.iter().all(|at| columns[*at].is_text())
        && NUMBERS.iter().all(|at| columns[*at].is_number());
    if !plain {
        return Err("a csvlog record with malformed columns");
    }
    let (client_address, client_port) = remote(columns[REMOTE].raw);
    let text = |column: usize| columns[column].raw().map(|raw| Layer::Csv.undo(raw));
    Ok(Record {
        span,
        raw,
        layer: Layer::Csv,
        time_us: Some(moment.us),
        flags: if moment.exact { Flags::default() } else { Flags::LOCAL_TIME },
        user: text(USER),
        database: text(DATABASE),
        client_address,
        client_port,
        application: text(APPLICATION).and_then(known),
        session_id: columns[SESSION].raw,
        session: columns[SESSION].raw,
        severity,
        sqlstate: columns[SQLSTATE].raw(),
        message: columns[MESSAGE].raw,
        context: columns[CONTEXT].raw(),
        query: columns[QUERY].raw(),
        attended: [DETAIL, HINT, INTERNAL_QUERY, CONTEXT, QUERY]
            .iter()
            .any(|at| columns[*at].raw().is_some()),
    })
}

/// Splits a record; the number of its columns, or `None` where the quoting is wrong or there are too many.
fn fields<'a>(line: &'a [u8], columns: &mut [Field<'a>; MOST]) -> Option<usize> {
    let mut rest = line;
    for (index, column) in columns.iter_mut().enumerate() {
        let (text, end) = if let [b'"', text @ ..] = rest {
            let length = closing_quote(text)?;
            (&text[..length], length + 2)
        } else {
            let length = memchr::memchr(b',', rest).unwrap_or(rest.len());
            (&rest[..length], length)
        };
        *column = Field { raw: text, quoted: rest.first() == Some(&b'"') };
        match rest.get(end) {
            None => return Some(index + 1),
            Some(b',') => rest = &rest[end + 1..],
            Some(_) => return None,
        }
    }
    None
}

/// Where the quoted text ends: at the first quote that no other one follows.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr(b'"', text.get(from..)?)?;
        if text.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        from = at + 2;
    }
}

/// `address:port`, where the address may hold colons itself, or `[local]`.
fn remote(raw: &[u8]) -> (Option<&[u8]>, Option<u16>) {
    if raw.is_empty() {
        return (None, None);
    }
    let split = memchr::memrchr(b':', raw)
        .and_then(|colon| Some((&raw[..colon], u16::try_from(time::digits(&raw[colon + 1..])?).ok()?)));
    match split {
        Some((address, port)) => (Some(address), Some(port)),
        None => (Some(raw), None),
    }
}
