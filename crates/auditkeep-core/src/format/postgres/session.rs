//! Joins what a session logs: the records of one statement, and the error that may follow them.
//!
//! pgAudit writes before a statement has ended. Its events wait until the session's next record tells: an error that quotes
//! the audited statement makes them failures, and is not an event of its own; any record that shows that the session went
//! on makes them successes; at the end of the input they are unknown. A login waits as well, because a server authorises a
//! connection before it looks whether role and database exist. Records that are written while a statement runs
//! (warnings, waits for locks, temporary files) tell nothing.
//!
//! So the outcome of each session's last statement depends on where the input ends; nothing else does. The number of events
//! that wait is bounded; the oldest are let go as unknown.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use super::message::{self, Meaning};
use super::{Record, Severity};
use crate::event::{Class, Event, Flags, Outcome, Problem, Sink};

/// Sessions whose events wait at most.
const SESSIONS: usize = 10_000;

/// Events of one statement that wait at most: a function may run any number of statements.
const EVENTS: usize = 1_000;

/// The sessions of one input.
#[derive(Default)]
pub(super) struct Sessions<'a> {
    waiting: HashMap<&'a [u8], Vec<Event<'a>>>,
    /// The keys of `waiting`, oldest first.
    order: VecDeque<&'a [u8]>,
    /// The session of the record before this one, if that was a record of pgAudit.
    just_audited: Option<&'a [u8]>,
}

impl<'a> Sessions<'a> {
    /// Takes the next record of the log; its bytes are accounted for now, or when its event is let go.
    pub(super) fn take(&mut self, record: &Record<'a>, sink: &mut dyn Sink) {
        let just_audited = self.just_audited.take();
        match message::meaning(record) {
            Meaning::Audit(event) => {
                self.just_audited = Some(record.session);
                self.wait(record.session, event, sink);
            }
            Meaning::Error(event) => self.failed(record, event, sink),
            Meaning::Refused(event, forged) => {
                if let Some(session) = just_audited.filter(|_| forged) {
                    self.doubt(session);
                }
                self.drop_login(record.session, sink);
                sink.event(event);
            }
            Meaning::Session(event) if event.class == Class::Connect => {
                self.wait(record.session, event, sink);
            }
            Meaning::Session(event) => {
                self.settle(record.session, Outcome::Success, sink);
                sink.event(event);
            }
            Meaning::Raised(event) => sink.event(event),
            Meaning::Other(kind) => {
                if record.severity == Severity::Log && !record.attended {
                    self.settle(record.session, Outcome::Success, sink);
                }
                sink.other(kind, record.span);
            }
            Meaning::Problem(reason) => {
                sink.problem(Problem { span: record.span, reason, raw: record.raw });
            }
        }
    }

    /// The input has ended.
    pub(super) fn finish(mut self, sink: &mut dyn Sink) {
        while let Some(session) = self.order.pop_front() {
            self.settle(session, Outcome::Unknown, sink);
        }
    }

    fn wait(&mut self, session: &'a [u8], event: Event<'a>, sink: &mut dyn Sink) {
        if let Some(waiting) = self.waiting.get_mut(session) {
            let same = waiting.first().is_none_or(|first| first.statement_id == event.statement_id);
            if !same {
                release(waiting, Outcome::Success, sink);
            } else if waiting.len() >= EVENTS {
                release(waiting, Outcome::Unknown, sink);
            }
            waiting.push(event);
            return;
        }
        if self.order.len() >= SESSIONS
            && let Some(oldest) = self.order.pop_front()
            && let Some(mut events) = self.waiting.remove(oldest)
        {
            release(&mut events, Outcome::Unknown, sink);
        }
        self.order.push_back(session);
        self.waiting.insert(session, vec![event]);
    }

    fn failed(&mut self, record: &Record<'a>, event: Event<'a>, sink: &mut dyn Sink) {
        let Some(waiting) = self.waiting.get_mut(record.session).filter(|waiting| !waiting.is_empty()) else {
            sink.event(event);
            return;
        };
        let context = record.context.map(|raw| record.layer.undo(raw));
        match verdict(waiting, event.statement.as_deref(), context.as_deref(), record.severity) {
            Verdict::ThisStatement => {
                let text = event.error_text.unwrap_or(Cow::Borrowed(b""));
                for mut audited in waiting.drain(..) {
                    message::fail(&mut audited, record, text.clone());
                    sink.event(audited);
                }
                sink.other("error of an audited statement", record.span);
            }
            Verdict::AnotherStatement => {
                release(waiting, Outcome::Success, sink);
                sink.event(event);
            }
            Verdict::Unclear => {
                release(waiting, Outcome::Unknown, sink);
                sink.event(event);
            }
        }
    }

    /// The login that waits was refused after all, which is an event of its own.
    fn drop_login(&mut self, session: &[u8], sink: &mut dyn Sink) {
        let Some(waiting) = self.waiting.get_mut(session) else { return };
        for login in waiting.extract_if(.., |event| event.class == Class::Connect) {
            sink.other("connection authorized, then refused", login.span);
        }
        release(waiting, Outcome::Success, sink);
    }

    fn settle(&mut self, session: &[u8], outcome: Outcome, sink: &mut dyn Sink) {
        if let Some(waiting) = self.waiting.get_mut(session) {
            release(waiting, outcome, sink);
        }
    }

    fn doubt(&mut self, session: &[u8]) {
        if let Some(event) = self.waiting.get_mut(session).and_then(|waiting| waiting.last_mut()) {
            event.flags.insert(Flags::UNVERIFIED);
        }
    }
}

fn release(waiting: &mut Vec<Event<'_>>, outcome: Outcome, sink: &mut dyn Sink) {
    for mut event in waiting.drain(..) {
        // A login succeeded when the server said so; it waits only for a refusal.
        if event.class != Class::Connect {
            event.outcome = outcome;
        }
        sink.event(event);
    }
}

/// Whose error it is.
enum Verdict {
    ThisStatement,
    AnotherStatement,
    Unclear,
}

fn verdict(
    waiting: &[Event<'_>],
    query: Option<&[u8]>,
    context: Option<&[u8]>,
    severity: Severity,
) -> Verdict {
    let Some(query) = query else {
        // A session that ends between statements quotes none; an error that quotes none may be anybody's.
        return if severity == Severity::Fatal { Verdict::AnotherStatement } else { Verdict::Unclear };
    };
    let mut silent = true;
    for audited in waiting.iter().filter_map(|event| event.statement.as_deref()) {
        silent = false;
        let in_context = context.is_some_and(|text| {
            !audited.trim_ascii().is_empty() && memchr::memmem::find(text, audited.trim_ascii()).is_some()
        });
        if in_context || is_statement_of(audited, query) {
            return Verdict::ThisStatement;
        }
    }
    if is_executed(waiting, query) {
        return Verdict::ThisStatement;
    }
    if silent || context.is_some() { Verdict::Unclear } else { Verdict::AnotherStatement }
}

/// Whether `query` executes what waits: pgAudit shows the text of `PREPARE` where `EXECUTE` was sent, and only after it the
/// `EXECUTE` itself.
fn is_executed(waiting: &[Event<'_>], query: &[u8]) -> bool {
    let mut statements = waiting.iter().filter_map(|event| event.statement.as_deref());
    starts_with(query.trim_ascii_start(), b"EXECUTE")
        && statements.all(|audited| starts_with(audited.trim_ascii_start(), b"PREPARE"))
        && waiting.iter().any(|event| event.command.as_deref() != Some(b"PREPARE"))
}

/// Whether `audited` is `query` or one of its statements. pgAudit 18 leaves out blanks and comments around a statement and
/// the semicolon behind it; and it cuts behind the word `password`.
fn is_statement_of(audited: &[u8], query: &[u8]) -> bool {
    let audited = trim(audited);
    let query = trim(query);
    if audited == query {
        return true;
    }
    if let Some(open) = audited.strip_suffix(b"<REDACTED>") {
        return !open.trim_ascii().is_empty() && memchr::memmem::find(query, open.trim_ascii_end()).is_some();
    }
    !audited.is_empty()
        && memchr::memmem::find_iter(query, audited).take(100).any(|at| {
            let before = query[..at].trim_ascii_end();
            let after = query[at + audited.len()..].trim_ascii_start();
            let begins = before.is_empty() || before.ends_with(b";") || before.ends_with(b"*/") || {
                let line = memchr::memrchr(b'\n', before).map_or(before, |at| &before[at + 1..]);
                query[..at].ends_with(b"\n") && line.trim_ascii_start().starts_with(b"--")
            };
            let ends =
                after.is_empty() || [&b";"[..], b"--", b"/*"].iter().any(|start| after.starts_with(start));
            begins && ends
        })
}

fn trim(statement: &[u8]) -> &[u8] {
    let mut text = statement.trim_ascii();
    while let Some(rest) = text.strip_suffix(b";") {
        text = rest.trim_ascii_end();
    }
    text
}

fn starts_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}
