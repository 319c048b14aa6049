//! What a message of PostgreSQL means for an audit; the same for csvlog and stderr.
//!
//! pgAudit's records are the audit. Beside them count logins, logouts, and errors, because a statement that fails before it
//! runs is not audited. What `log_statement` and `log_duration` write is counted and left alone: it repeats the audit where
//! there is one. A message that merely looks like a record of pgAudit, because somebody ran `RAISE`, has a context or a
//! statement, which pgAudit suppresses; it becomes an event that says so.

use std::borrow::Cow;

use super::{Layer, Record, Severity, known, pgaudit};
use crate::event::{Class, Event, Flags, Outcome, Text};
use crate::sql::{self, Dialect};

/// What a record is.
pub(super) enum Meaning<'a> {
    /// A record of pgAudit; its outcome is not known yet.
    Audit(Event<'a>),
    /// An error of a statement, or of a session.
    Error(Event<'a>),
    /// A login that failed; set when the message names another user than its record does.
    Refused(Event<'a>, bool),
    /// A login or logout.
    Session(Event<'a>),
    /// A message that looks like a record of pgAudit and is none.
    Raised(Event<'a>),
    Other(&'static str),
    Problem(&'static str),
}

pub(super) fn meaning<'a>(record: &Record<'a>) -> Meaning<'a> {
    match (record.severity, record.message.strip_prefix(pgaudit::MARK)) {
        (Severity::Error | Severity::Fatal, _) => error(record),
        (_, Some(_)) if record.attended => Meaning::Raised(raised(record)),
        (severity, Some(payload)) => audit(record, severity, payload),
        (Severity::Below, None) => Meaning::Other("server log"),
        (Severity::Log, None) => log(record),
    }
}

fn audit<'a>(record: &Record<'a>, severity: Severity, payload: &'a [u8]) -> Meaning<'a> {
    let mut event = record.event(Class::Misc);
    if pgaudit::fill(&mut event, payload, record.layer).is_none() {
        return Meaning::Problem("an AUDIT record with malformed fields");
    }
    // With terse verbosity stderr shows nothing that tells a RAISE WARNING from pgaudit.log_level = warning.
    if severity == Severity::Below && record.layer == Layer::Stderr {
        event.flags.insert(Flags::UNVERIFIED);
    }
    Meaning::Audit(event)
}

fn raised<'a>(record: &Record<'a>) -> Event<'a> {
    let mut event = record.event(Class::Misc);
    event.command = Some(Cow::Borrowed(b"RAISE"));
    event.statement = record.query.or(record.context).map(|raw| record.layer.undo(raw));
    event.flags.insert(Flags::UNVERIFIED);
    event
}

fn log<'a>(record: &Record<'a>) -> Meaning<'a> {
    let starts = |with: &str| record.message.starts_with(with.as_bytes());
    if record.attended {
        Meaning::Other("server log")
    } else if starts("connection authorized: ") || starts("replication connection authorized: ") {
        Meaning::Session(connected(record))
    } else if starts("disconnection: session time: ") {
        let mut event = record.event(Class::Disconnect);
        event.command = Some(Cow::Borrowed(b"DISCONNECT"));
        event.outcome = Outcome::Success;
        Meaning::Session(event)
    } else if starts("connection received: ") {
        Meaning::Other("connection received")
    } else if starts("connection authenticated: ") {
        Meaning::Other("connection authenticated")
    } else if starts("statement: ") || starts("execute ") {
        Meaning::Other("log_statement")
    } else if starts("duration: ") {
        Meaning::Other("log_duration")
    } else {
        Meaning::Other("server log")
    }
}

fn connected<'a>(record: &Record<'a>) -> Event<'a> {
    let mut event = record.event(Class::Connect);
    event.command = Some(Cow::Borrowed(b"CONNECT"));
    event.outcome = Outcome::Success;
    let (application, tls) = match record.layer.undo(record.message) {
        Cow::Borrowed(text) => {
            let (application, tls) = session_facts(text, record);
            (application.map(Cow::Borrowed), tls.map(Cow::Borrowed))
        }
        Cow::Owned(text) => {
            let (application, tls) = session_facts(&text, record);
            let owned = |part: &[u8]| -> Text<'a> { part.to_vec().into() };
            (application.map(owned), tls.map(owned))
        }
    };
    event.application = application.or(event.application);
    event.tls = tls;
    event
}

/// Application and TLS of `connection authorized: user=U database=D application_name=A SSL enabled (…)`. The application
/// may hold any of these words; so the names before it are taken off, and what follows it is looked for from the end.
fn session_facts<'t>(text: &'t [u8], record: &Record<'_>) -> (Option<&'t [u8]>, Option<&'t [u8]>) {
    const APPLICATION: &[u8] = b" application_name=";
    const TLS: &[u8] = b" SSL enabled (";
    let facts = match (&record.user, &record.database) {
        (Some(user), Some(database)) => {
            let names = [b"authorized: user=", &**user, b" database=", &**database].concat();
            memchr::memmem::find(text, &names).map(|at| &text[at + names.len()..])
        }
        _ => None,
    };
    let facts = facts.unwrap_or_else(|| {
        let at = memchr::memmem::find(text, APPLICATION).or_else(|| memchr::memmem::rfind(text, TLS));
        &text[at.unwrap_or(text.len())..]
    });
    let tls_at = facts.ends_with(b")").then(|| memchr::memmem::rfind(facts, TLS)).flatten();
    let tls = tls_at.map(|at| &facts[at + TLS.len()..facts.len() - 1]);
    let before = &facts[..tls_at.unwrap_or(facts.len())];
    (before.strip_prefix(APPLICATION), tls)
}

fn error<'a>(record: &Record<'a>) -> Meaning<'a> {
    let text = record.layer.undo(record.message);
    if record.severity == Severity::Fatal && record.query.is_none() && is_refusal(record, &text) {
        return refused(record, text);
    }
    let background = record.user.is_none() && record.database.is_none() && record.query.is_none();
    if background {
        return Meaning::Other("server log");
    }
    let mut event = record.event(Class::Misc);
    if let Some(raw) = record.query {
        let statement = record.layer.undo(raw);
        let kind = sql::classify(&statement, Dialect::PostgreSql);
        event.class = kind.class;
        event.command = kind.command.map(|name| Cow::Borrowed(name.as_bytes()));
        if kind.command.is_none() {
            event.flags.insert(Flags::PARSE_PARTIAL);
        }
        event.statement = Some(statement);
    }
    event.flags.insert(Flags::ERROR_ONLY);
    fail(&mut event, record, text);
    Meaning::Error(event)
}

/// Puts what an error record says into `event`.
pub(super) fn fail<'a>(event: &mut Event<'a>, record: &Record<'a>, text: Text<'a>) {
    event.outcome = Outcome::Failure;
    event.error_code = record.sqlstate.map(Cow::Borrowed);
    event.error_text = known(text);
}

fn refused<'a>(record: &Record<'a>, text: Text<'a>) -> Meaning<'a> {
    let mut event = record.event(Class::Connect);
    event.command = Some(Cow::Borrowed(b"FAILED_CONNECT"));
    let differs = names_another_user(&text, record.user.as_deref().unwrap_or_default());
    if differs {
        event.flags.insert(Flags::UNVERIFIED);
    }
    fail(&mut event, record, text);
    Meaning::Refused(event, differs)
}

/// Whether a `FATAL` message without a statement says that a login was refused.
///
/// The SQLSTATE says so in every language of `lc_messages` (PostgreSQL documentation, "PostgreSQL Error Codes"); the text
/// counts only where the log has no code, or one that a session may also end with.
fn is_refusal(record: &Record<'_>, text: &[u8]) -> bool {
    match record.sqlstate {
        // Invalid authorization, invalid password, no such database, too many connections, cannot connect now.
        Some(b"28000" | b"28P01" | b"3D000" | b"53300" | b"57P03") => true,
        // No privilege on the database, or one that takes no connections. A process of the server meets them as well.
        Some(b"42501" | b"55000") => record.user.is_some(),
        // Not supported, protocol violation, invalid parameter, internal error.
        None | Some(b"0A000" | b"08P01" | b"22023" | b"XX000") => reads_like_a_refusal(text),
        Some(_) => false,
    }
}

/// The texts are those of PostgreSQL 12 to 18 in English (`auth.c`, `postinit.c`, `postmaster.c`, `proc.c`).
fn reads_like_a_refusal(text: &[u8]) -> bool {
    const BEGINNINGS: [&str; 12] = [
        "no pg_hba.conf entry",
        "pg_hba.conf rejects",
        "permission denied for database ",
        "too many connections for ",
        "sorry, too many clients already",
        "remaining connection slots are reserved",
        "the database system is ",
        "no PostgreSQL user name specified",
        "unsupported frontend protocol",
        "connection requires a valid client certificate",
        "expected password response",
        "must be superuser to connect",
    ];
    const QUOTED: [(&str, [&str; 3]); 2] = [
        ("role \"", ["\" does not exist", "\" is not permitted to log in", "\" is being dropped"]),
        (
            "database \"",
            ["\" does not exist", "\" is not currently accepting connections", "\" locale is unknown"],
        ),
    ];
    BEGINNINGS.iter().any(|beginning| text.starts_with(beginning.as_bytes()))
        || memchr::memmem::find(text, b"authentication failed for user \"").is_some()
        || QUOTED.iter().any(|(start, ends)| {
            text.starts_with(start.as_bytes()) && ends.iter().any(|end| text.ends_with(end.as_bytes()))
        })
}

/// Whether the message quotes a user, and not the one that the record states.
fn names_another_user(text: &[u8], user: &[u8]) -> bool {
    let quoted = [&b" user \""[..], b"role \""]
        .iter()
        .find_map(|mark| memchr::memmem::find(text, mark).map(|at| &text[at + mark.len()..]));
    quoted.is_some_and(|rest| !(rest.starts_with(user) && rest.get(user.len()) == Some(&b'"')))
}
