//! The log of the server_audit plugins: MariaDB, Amazon's plugin for MySQL, and Aurora MySQL's advanced auditing.
//!
//! One record a line. The dialects (MariaDB `server_audit`, `aws/audit-plugin-for-mysql`, Aurora MySQL documentation):
//!
//! ```text
//! time,server,user,host,connection,query,QUERY,db,'text',code          MariaDB, Aurora, old RDS MySQL
//! time,server,user,host,connection,query,QUERY,db,'text',code,,        RDS MySQL
//! time,server,user,host,connection,0,CONNECT,db,,code                  MariaDB, Aurora; the empty field may be a TLS version
//! time,server,user,host,connection,0,CONNECT,db,,code,SOCKET           RDS MySQL; a name or a digit
//! time,server,user,host,connection,query,WRITE,db,table,               MariaDB; Aurora ends with 0
//! ```
//!
//! User, host, database and table are neither quoted nor escaped, so a line is read from both ends, and where two readings
//! are possible the right one is taken and the event is flagged [`Flags::UNVERIFIED`]. A user name with a line break can
//! write a perfect line of its own, before any password is checked; what follows a line that breaks off is therefore flagged
//! as well, up to the line that misses its beginning.
//!
//! The plugins cut the statement at a limit and leave no mark. [`Flags::TRUNCATED`] is set when the closing quote is missing,
//! when the text ends within an escape, and, since 1024 is the default limit everywhere, when the escaped text is 1023 to
//! 1026 bytes long; a statement of just that length is flagged without need, and other limits are not noticed.

mod anchor;
mod escape;

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use super::time::{self, Moment};
use crate::event::{Class, Event, Flags, Outcome, Problem, Sink, Span, Text};
use crate::sql::{self, Dialect};
use anchor::{Anchor, Kind};

/// How far behind a line that breaks off lines are not trusted: more than the longest user name and database name.
const BROKEN_NAME: u64 = 1024;

/// Lengths of escaped text at which the default limit of 1024 bytes cuts.
const CUT_LENGTHS: std::ops::RangeInclusive<usize> = 1023..=1026;

/// Reads whole lines; a last line without its line feed is read as if it had one.
pub(super) fn parse(bytes: &[u8], base: u64, sink: &mut dyn Sink) {
    let mut start = 0;
    let mut distrust_to = 0;
    while start < bytes.len() {
        let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at + 1);
        let raw = &bytes[start..end];
        let span = Span { offset: base + start as u64, length: raw.len() as u64 };
        match read(line(raw), span) {
            Ok(Some(mut event)) => {
                if span.offset < distrust_to {
                    event.flags.insert(Flags::UNVERIFIED);
                }
                sink.event(event);
            }
            Ok(None) => sink.other("empty line", span),
            Err(reason) => {
                distrust_to = if reason == NO_TIME { 0 } else { span.end() + BROKEN_NAME };
                sink.problem(Problem { span, reason, raw });
            }
        }
        start = end;
    }
}

fn line(raw: &[u8]) -> &[u8] {
    let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
    raw.strip_suffix(b"\r").unwrap_or(raw)
}

/// The time of the record that `head` begins with, if it has one.
pub(super) fn time_of(head: &[u8]) -> Option<i64> {
    Some(first_field(head)?.0.us)
}

/// Whether this is a line of this grammar.
pub(super) fn is_record(line_with_end: &[u8]) -> bool {
    matches!(read(line(line_with_end), Span { offset: 0, length: 0 }), Ok(Some(_)))
}

const NO_TIME: &str = "no time at the start of a server_audit line";
const BROKEN_OFF: &str = "a server_audit line without its operation";

fn first_field(line: &[u8]) -> Option<(Moment, &[u8])> {
    let comma = memchr::memchr(b',', line.get(..40).unwrap_or(line))?;
    Some((time::server_audit(&line[..comma])?, &line[comma + 1..]))
}

fn read(line: &[u8], span: Span) -> Result<Option<Event<'_>>, &'static str> {
    if line.is_empty() {
        return Ok(None);
    }
    let (moment, rest) = first_field(line).ok_or(NO_TIME)?;
    let comma = memchr::memchr(b',', rest).ok_or(BROKEN_OFF)?;
    let rest = &rest[comma + 1..];
    let mut event = match query(rest, span) {
        Some(event) => event,
        None => other_than_query(rest, span)?,
    };
    event.time_us = Some(moment.us);
    if !moment.exact {
        event.flags.insert(Flags::LOCAL_TIME);
    }
    Ok(Some(event))
}

/// A record that ends as one with a quoted statement does: `'text',code` or `'text',code,,`.
fn query(rest: &[u8], span: Span) -> Option<Event<'_>> {
    let tail = rest.strip_suffix(b",,").unwrap_or(rest);
    let comma = memchr::memrchr(b',', tail)?;
    let code = &tail[comma + 1..];
    if !is_integer(code) {
        return None;
    }
    let before_code = tail[..comma].strip_suffix(b"'")?;
    let open = escape::opening_quote(before_code)?;
    let head = before_code[..open].strip_suffix(b",")?;
    let anchor = anchor::find(head, Some(Kind::Query))?;
    let mut event = statement(&anchor, anchor.rest, &before_code[open + 1..], span);
    settle(&mut event, code);
    Some(event)
}

fn statement<'a>(anchor: &Anchor<'a>, database: &'a [u8], escaped: &'a [u8], span: Span) -> Event<'a> {
    let (text, cut) = escape::undo(escaped);
    let class = sql::classify(&text, Dialect::MySql);
    let mut event = event(anchor, class.class, span);
    event.database_name = named(database);
    event.command = class.command.map(|name| Cow::Borrowed(name.as_bytes()));
    if class.command.is_none() {
        event.flags.insert(Flags::PARSE_PARTIAL);
    }
    if cut || CUT_LENGTHS.contains(&escaped.len()) {
        event.flags.insert(Flags::TRUNCATED);
    }
    event.statement = Some(text);
    event
}

fn event<'a>(anchor: &Anchor<'a>, class: Class, span: Span) -> Event<'a> {
    let mut event = Event::new(span, class);
    let (address, port) = split_port(anchor.host);
    event.user_name = Some(Cow::Borrowed(anchor.user));
    event.client_address = named(address);
    event.client_port = port;
    event.session_id = Some(Cow::Borrowed(anchor.connection));
    event.statement_id = (anchor.query != b"0").then_some(Cow::Borrowed(anchor.query));
    if anchor.ambiguous {
        event.flags.insert(Flags::UNVERIFIED);
    }
    event
}

fn other_than_query(rest: &[u8], span: Span) -> Result<Event<'_>, &'static str> {
    let anchor = anchor::find(rest, None).ok_or(BROKEN_OFF)?;
    match anchor.kind {
        Kind::Query => cut_query(&anchor, span),
        Kind::Connection => connection(&anchor, span),
        Kind::Table => table(&anchor, span),
    }
}

/// A statement whose closing quote is not there.
fn cut_query<'a>(anchor: &Anchor<'a>, span: Span) -> Result<Event<'a>, &'static str> {
    let open = memchr::memmem::find(anchor.rest, b",'").ok_or("a server_audit statement without a quote")?;
    let mut event = statement(anchor, &anchor.rest[..open], &anchor.rest[open + 2..], span);
    event.flags.insert(Flags::TRUNCATED);
    Ok(event)
}

/// `db,object,code` or `db,object,code,type`; the database comes last because it may hold commas.
fn connection<'a>(anchor: &Anchor<'a>, span: Span) -> Result<Event<'a>, &'static str> {
    const MALFORMED: &str = "a server_audit connection record with malformed fields";
    let (before, last) = rsplit(anchor.rest).ok_or(MALFORMED)?;
    let typed = rsplit(before).filter(|(rest, code)| {
        is_integer(code) && memchr::memchr(b',', rest).is_some() && is_connection_type(last)
    });
    let (before, code, connection_type) = match typed {
        Some((before, code)) => (before, code, Some(last)),
        None => (before, last, None),
    };
    let (database, object) = rsplit(before).ok_or(MALFORMED)?;
    if !is_integer(code) {
        return Err(MALFORMED);
    }
    let class = if anchor.operation == b"DISCONNECT" { Class::Disconnect } else { Class::Connect };
    let mut event = event(anchor, class, span);
    event.command = Some(Cow::Borrowed(anchor.operation));
    event.database_name = named(database);
    if object.starts_with(b"TLS") || object.starts_with(b"SSL") {
        event.tls = named(object);
    } else {
        event.object_name = named(object);
    }
    if connection_type == Some(b"SSL") || connection_type == Some(b"4") {
        event.tls = Some(Cow::Borrowed(b"SSL"));
    }
    settle(&mut event, code);
    if anchor.operation == b"FAILED_CONNECT" {
        event.outcome = Outcome::Failure;
    }
    Ok(event)
}

/// Names and, as Amazon's documentation has it, numbers of the ways to connect.
fn is_connection_type(field: &[u8]) -> bool {
    const NAMES: [&[u8]; 6] = [b"UNDEFINED", b"TCP/IP", b"SOCKET", b"NAMED_PIPE", b"SSL", b"SHARED_MEMORY"];
    NAMES.contains(&field) || matches!(field, [b'0'..=b'5'])
}

/// `db,table,` or `db,table,code`. Neither name is quoted, so a comma in one of them leaves open where the other begins.
fn table<'a>(anchor: &Anchor<'a>, span: Span) -> Result<Event<'a>, &'static str> {
    const MALFORMED: &str = "a server_audit table record with malformed fields";
    let (names, code) = rsplit(anchor.rest).ok_or(MALFORMED)?;
    let comma = memchr::memchr(b',', names).ok_or(MALFORMED)?;
    if !(code.is_empty() || is_integer(code)) {
        return Err(MALFORMED);
    }
    let (database, object) = (&names[..comma], &names[comma + 1..]);
    let class = match anchor.operation {
        b"READ" => Class::Read,
        b"WRITE" => Class::Write,
        _ => Class::Ddl,
    };
    let mut event = event(anchor, class, span);
    event.command = Some(Cow::Borrowed(anchor.operation));
    event.object_type = Some(Cow::Borrowed(b"TABLE"));
    event.database_name = named(database);
    event.outcome = Outcome::Success;
    event.flags.insert(Flags::TABLE_ACCESS);
    if memchr::memchr(b',', object).is_some() {
        event.flags.insert(Flags::PARSE_PARTIAL);
    }
    name_tables(&mut event, anchor.operation, database, object);
    if is_integer(code) {
        settle(&mut event, code);
    }
    Ok(event)
}

/// A rename states `old|newdb.new`; both are tables touched.
fn name_tables<'a>(event: &mut Event<'a>, operation: &[u8], database: &'a [u8], object: &'a [u8]) {
    let qualified = |table: &[u8]| -> Text<'a> { [database, b".", table].concat().into() };
    let renamed = memchr::memchr(b'|', object).filter(|_| operation == b"RENAME");
    let Some(bar) = renamed else {
        event.object_name = Some(qualified(object));
        return;
    };
    let old = qualified(&object[..bar]);
    event.tables = Some([&*old, b", ", &object[bar + 1..]].concat().into());
    event.object_name = Some(old);
}

fn settle<'a>(event: &mut Event<'a>, code: &'a [u8]) {
    if code == b"0" {
        event.outcome = Outcome::Success;
    } else {
        event.outcome = Outcome::Failure;
        event.error_code = Some(Cow::Borrowed(code));
    }
}

fn named(name: &[u8]) -> Option<Text<'_>> {
    (!name.is_empty()).then_some(Cow::Borrowed(name))
}

fn rsplit(fields: &[u8]) -> Option<(&[u8], &[u8])> {
    let comma = memchr::memrchr(b',', fields)?;
    Some((&fields[..comma], &fields[comma + 1..]))
}

fn is_integer(field: &[u8]) -> bool {
    let digits = field.strip_prefix(b"-").unwrap_or(field);
    (1..=20).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
}

/// MariaDB from 12.0 on writes `host:port`. What is an IPv6 address as a whole stays whole, because its end cannot be
/// told from a port.
fn split_port(host: &[u8]) -> (&[u8], Option<u16>) {
    let whole = (host, None);
    let Some(colon) = memchr::memrchr(b':', host) else { return whole };
    let port = time::digits(&host[colon + 1..]).and_then(|port| u16::try_from(port).ok());
    let (Some(port), address) = (port, &host[..colon]) else { return whole };
    if let Some(inner) = address.strip_prefix(b"[").and_then(|inner| inner.strip_suffix(b"]")) {
        return (inner, Some(port));
    }
    if memchr::memchr(b':', address).is_none() {
        return (address, Some(port));
    }
    let is_whole = std::str::from_utf8(host).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
    let is_address = std::str::from_utf8(address).is_ok_and(|text| text.parse::<IpAddr>().is_ok());
    if is_address && !is_whole { (address, Some(port)) } else { whole }
}
