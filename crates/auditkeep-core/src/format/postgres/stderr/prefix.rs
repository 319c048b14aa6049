//! The prefix of a line in PostgreSQL's stderr log, read from the left: what is reached first is what counts.
//!
//! Names in it may hold anything, also what looks like the rest of a prefix. Then the first reading is the only one there is,
//! and the caller must look for what speaks against it.

use crate::format::postgres::Severity;
use crate::format::time::{self, Moment};

/// What a line is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::format) enum Label {
    Main(Severity),
    Attendant(Attendant),
}

/// Lines that follow a message and belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::format) enum Attendant {
    Statement,
    Context,
    /// `DETAIL`, `HINT`, `QUERY`, `LOCATION`, `BACKTRACE`.
    Other,
}

/// The client's end of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::format) struct Remote<'a> {
    pub(in crate::format) address: Option<&'a [u8]>,
    pub(in crate::format) port: Option<u16>,
}

/// A prefix, from the time to the blank behind the severity.
#[derive(Clone, Debug)]
pub(in crate::format) struct Prefix<'a> {
    pub(in crate::format) moment: Moment,
    pub(in crate::format) remote: Remote<'a>,
    /// `user@database`, as it stands there.
    pub(in crate::format) names: &'a [u8],
    pub(in crate::format) process: &'a [u8],
    /// From the remote end to the process: the same in all lines of one message.
    pub(in crate::format) identity: &'a [u8],
    pub(in crate::format) session: Option<&'a [u8]>,
    pub(in crate::format) sqlstate: Option<&'a [u8]>,
    pub(in crate::format) application: Option<&'a [u8]>,
    pub(in crate::format) label: Label,
    /// Where the text begins, counted from the time.
    pub(in crate::format) text: usize,
    /// The application may be the one who wrote what was read as the severity.
    pub(in crate::format) ambiguous: bool,
}

/// The longest application name there is, with each byte escaped as `\xHH`.
const APPLICATION: usize = 64 * 4;

/// The prefix that `line` begins with.
pub(in crate::format) fn parse(line: &[u8]) -> Option<Prefix<'_>> {
    let (moment, at) = time::postgres(line)?;
    match line.get(at)? {
        b' ' => startup(line, at + 1, moment),
        b':' => configured(line, at + 1, moment),
        _ => None,
    }
}

/// `[process] SEVERITY:  `
fn startup(line: &[u8], at: usize, moment: Moment) -> Option<Prefix<'_>> {
    let process = bracketed(line.get(at..)?)?;
    let label_at = at + process.len() + 3;
    if line.get(label_at - 1) != Some(&b' ') {
        return None;
    }
    let (label, length) = label(line.get(label_at..)?)?;
    Some(Prefix {
        moment,
        remote: Remote::default(),
        names: b"",
        process,
        identity: &line[at..label_at - 1],
        session: None,
        sqlstate: None,
        application: None,
        label,
        text: label_at + length,
        ambiguous: false,
    })
}

/// `remote:user@database:[process]:SEVERITY:  `, with more fields behind the process in the extended form.
fn configured(line: &[u8], at: usize, moment: Moment) -> Option<Prefix<'_>> {
    let body = &line[at..];
    let (remote, remote_length) = remote(body)?;
    let names_at = remote_length + 1;
    for open in memchr::memmem::find_iter(body.get(remote_length..)?, b":[") {
        let open = remote_length + open;
        let Some(process) = bracketed(&body[open + 1..]) else { continue };
        let behind = open + process.len() + 3;
        if body.get(behind) != Some(&b':') {
            continue;
        }
        let Some(tail) = tail(&body[behind + 1..]) else { continue };
        return Some(Prefix {
            moment,
            remote,
            names: body.get(names_at..open).unwrap_or_default(),
            process,
            identity: &body[..behind],
            session: tail.session,
            sqlstate: tail.sqlstate,
            application: tail.application,
            label: tail.label,
            text: at + behind + 1 + tail.length,
            ambiguous: tail.ambiguous,
        });
    }
    None
}

/// `[digits]`; gives the digits.
fn bracketed(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b"[")?;
    let length = text.iter().take(11).take_while(|byte| byte.is_ascii_digit()).count();
    ((1..=10).contains(&length) && text.get(length) == Some(&b']')).then_some(&text[..length])
}

/// `%r` and its length, up to the colon behind it: nothing, `[local]`, or `host(port)`.
fn remote(body: &[u8]) -> Option<(Remote<'_>, usize)> {
    if body.starts_with(b"[local]:") {
        return Some((Remote { address: Some(&body[..7]), port: None }, 7));
    }
    let length = body.iter().take(256).take_while(|byte| is_host(**byte)).count();
    if length > 0 && body.get(length) == Some(&b'(') {
        let digits = body[length + 1..].iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
        let end = length + 1 + digits;
        if body.get(end..end + 2) == Some(b"):") {
            let port = time::digits(&body[length + 1..end]).and_then(|port| u16::try_from(port).ok());
            return Some((Remote { address: Some(&body[..length]), port }, end + 1));
        }
    }
    (body.first() == Some(&b':')).then_some((Remote::default(), 0))
}

fn is_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'-' | b'_' | b'%')
}

struct Tail<'a> {
    session: Option<&'a [u8]>,
    sqlstate: Option<&'a [u8]>,
    application: Option<&'a [u8]>,
    label: Label,
    length: usize,
    ambiguous: bool,
}

/// What follows `[process]:`.
fn tail(text: &[u8]) -> Option<Tail<'_>> {
    if let Some((label, length)) = label(text) {
        return Some(Tail {
            session: None,
            sqlstate: None,
            application: None,
            label,
            length,
            ambiguous: false,
        });
    }
    extended(text)
}

/// `line:sqlstate:start:virtual transaction:transaction:session:application:SEVERITY:  `; background processes end with
/// the session.
fn extended(text: &[u8]) -> Option<Tail<'_>> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.field(20, |byte| byte.is_ascii_digit())?;
    let sqlstate = cursor.field(5, |byte| byte.is_ascii_alphanumeric())?;
    cursor.time()?;
    cursor.field(40, |byte| byte.is_ascii_digit() || byte == b'/')?;
    cursor.field(20, |byte| byte.is_ascii_digit())?;
    let session = cursor.field(40, |byte| byte.is_ascii_hexdigit() || byte == b'.')?;
    let (application, severity, behind) = cursor.application()?;
    let next = &text[behind..text.len().min(cursor.at + APPLICATION).max(behind)];
    Some(Tail {
        session: Some(session),
        sqlstate: (sqlstate != b"00000").then_some(sqlstate),
        application,
        label: severity,
        length: behind,
        ambiguous: application.is_some() && holds(next, |text| label(text).is_some()),
    })
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// At most `most` bytes of a kind, and the colon behind them.
    fn field(&mut self, most: usize, kind: impl Fn(u8) -> bool) -> Option<&'a [u8]> {
        let rest = self.rest();
        let length = rest.iter().take(most).take_while(|byte| kind(**byte)).count();
        self.colon(length)?;
        Some(&rest[..length])
    }

    fn time(&mut self) -> Option<()> {
        let (_, length) = time::postgres(self.rest())?;
        self.colon(length)
    }

    fn colon(&mut self, length: usize) -> Option<()> {
        (self.rest().get(length) == Some(&b':')).then(|| self.at += length + 1)
    }

    /// The application if there is one, what the line is, and where its text begins.
    fn application(&self) -> Option<(Option<&'a [u8]>, Label, usize)> {
        let rest = self.rest();
        if let Some((severity, length)) = label(rest) {
            return Some((None, severity, self.at + length));
        }
        memchr::memchr_iter(b':', rest).take_while(|colon| *colon <= APPLICATION).find_map(|colon| {
            let (severity, length) = label(&rest[colon + 1..])?;
            Some((Some(&rest[..colon]), severity, self.at + colon + 1 + length))
        })
    }
}

/// `SEVERITY:  ` and its length. The server writes two blanks; copies of logs are known to hold one.
fn label(text: &[u8]) -> Option<(Label, usize)> {
    if !text.first()?.is_ascii_uppercase() {
        return None;
    }
    let colon = memchr::memchr(b':', text.get(..11).unwrap_or(text))?;
    if text.get(colon + 1) != Some(&b' ') {
        return None;
    }
    let found = match &text[..colon] {
        b"STATEMENT" => Label::Attendant(Attendant::Statement),
        b"CONTEXT" => Label::Attendant(Attendant::Context),
        b"DETAIL" | b"HINT" | b"QUERY" | b"LOCATION" | b"BACKTRACE" => Label::Attendant(Attendant::Other),
        name => Label::Main(Severity::from_name(name)?),
    };
    Some((found, if text.get(colon + 2) == Some(&b' ') { colon + 3 } else { colon + 2 }))
}

/// Whether what stands behind one of the colons is of a kind.
fn holds(text: &[u8], kind: impl Fn(&[u8]) -> bool) -> bool {
    memchr::memchr_iter(b':', text).any(|colon| kind(&text[colon + 1..]))
}

/// Whether the end of a prefix stands anywhere in `text`: `:[process]:SEVERITY:  `.
pub(in crate::format) fn holds_label(text: &[u8]) -> bool {
    holds(text, |text| {
        bracketed(text).is_some_and(|process| {
            let behind = process.len() + 2;
            text.get(behind) == Some(&b':') && tail(&text[behind + 1..]).is_some()
        })
    })
}

/// Whether `line` begins as a prefix does.
pub(in crate::format) fn begins(line: &[u8]) -> bool {
    time::postgres(line).is_some_and(|(_, length)| line.get(length) == Some(&b':'))
}
