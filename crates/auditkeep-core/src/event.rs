//! The normalised audit record, and what a parser may say about the bytes it was given.
//!
//! A parser hands each byte of its input to a [`Sink`] exactly once: as part of an [`Event`], a [`Problem`], or a line that
//! is known and holds no audit record ([`Sink::other`]). Text stays bytes until it reaches a column, because a log may
//! hold any bytes at all; [`columns`] states how bytes that are not UTF-8 are shown.

pub mod columns;

use std::borrow::Cow;

/// Bytes of a log file: `length` bytes from `offset`, both counted in raw bytes from the start of the file's generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub offset: u64,
    pub length: u64,
}

impl Span {
    pub fn end(self) -> u64 {
        self.offset + self.length
    }
}

/// What a record is about; the classes of pgAudit, and what the other engines' records are mapped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Rows were read: `SELECT`, `COPY … TO`, a table opened for reading.
    Read,
    /// Rows were changed: `INSERT`, `UPDATE`, `DELETE`, `TRUNCATE`, `COPY … FROM`.
    Write,
    /// The schema was changed.
    Ddl,
    /// Roles, users or privileges were changed.
    Role,
    /// A function, procedure or `DO` block ran.
    Function,
    /// A login, successful or not.
    Connect,
    Disconnect,
    /// The server or its auditing was reconfigured: `ALTER SYSTEM`, `SET GLOBAL`, `INSTALL PLUGIN`.
    Admin,
    /// Everything else: `SET`, `SHOW`, `BEGIN`, `DISCARD`.
    Misc,
}

impl Class {
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Ddl => "ddl",
            Self::Role => "role",
            Self::Function => "function",
            Self::Connect => "connect",
            Self::Disconnect => "disconnect",
            Self::Admin => "admin",
            Self::Misc => "misc",
        }
    }
}

/// How it went, as far as the log tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outcome {
    Success,
    Failure,
    /// The record was written before the outcome was known, and nothing after it told.
    #[default]
    Unknown,
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Unknown => "unknown",
        }
    }
}

/// What a reader must know before relying on an event. Shown as comma-separated names, in the order of [`Flags::NAMES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    /// The engine or the API cut the statement's text.
    pub const TRUNCATED: Self = Self(1);
    /// Comes from the portion API and has not been superseded by evidence yet.
    pub const PROVISIONAL: Self = Self(1 << 1);
    /// The statement could not be understood fully: class and object come from its first words.
    pub const PARSE_PARTIAL: Self = Self(1 << 2);
    /// The log can be forged at this place and nothing in it settles the question.
    pub const UNVERIFIED: Self = Self(1 << 3);
    /// The log states local time without its zone; `event_time` takes it for UTC.
    pub const LOCAL_TIME: Self = Self(1 << 4);
    /// A row of table access that belongs to the statement with the same `statement_id`.
    pub const TABLE_ACCESS: Self = Self(1 << 5);
    /// The engine wrote no statement text (`<not logged>`, `<previously logged>`).
    pub const STATEMENT_NOT_LOGGED: Self = Self(1 << 6);
    /// An error whose audited statement was not found beside it.
    pub const ERROR_ONLY: Self = Self(1 << 7);
    /// A field holds bytes that are not UTF-8, shown by the escape that [`columns`] describes.
    pub const ESCAPED: Self = Self(1 << 8);

    /// Every flag with its name, in the order in which names are shown.
    pub const NAMES: [(Self, &'static str); 9] = [
        (Self::TRUNCATED, "truncated"),
        (Self::PROVISIONAL, "provisional"),
        (Self::PARSE_PARTIAL, "parse_partial"),
        (Self::UNVERIFIED, "unverified"),
        (Self::LOCAL_TIME, "local_time"),
        (Self::TABLE_ACCESS, "table_access"),
        (Self::STATEMENT_NOT_LOGGED, "statement_not_logged"),
        (Self::ERROR_ONLY, "error_only"),
        (Self::ESCAPED, "escaped"),
    ];

    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Text of a log, as bytes: borrowed where the log holds it literally, owned where an escape had to be undone.
pub type Text<'a> = Cow<'a, [u8]>;

/// One audit record. Absent means that the log does not say; an empty text means that it says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    pub span: Span,
    /// Microseconds since 1970-01-01 UTC; see [`Flags::LOCAL_TIME`].
    pub time_us: Option<i64>,
    pub database_name: Option<Text<'a>>,
    pub user_name: Option<Text<'a>>,
    /// An address or a host name, as the log states it; `[local]` and `localhost` are kept.
    pub client_address: Option<Text<'a>>,
    pub client_port: Option<u16>,
    pub application: Option<Text<'a>>,
    /// Protocol version or cipher as the log states it.
    pub tls: Option<Text<'a>>,
    pub session_id: Option<Text<'a>>,
    pub statement_id: Option<Text<'a>>,
    pub substatement_id: Option<Text<'a>>,
    pub class: Class,
    /// In capitals, as the engine names it: `SELECT`, `CREATE TABLE`, `FAILED_CONNECT`.
    pub command: Option<Text<'a>>,
    pub object_type: Option<Text<'a>>,
    /// Qualified where the log qualifies it: `public.orders`.
    pub object_name: Option<Text<'a>>,
    /// Names of the tables touched, separated by `, `.
    pub tables: Option<Text<'a>>,
    pub statement: Option<Text<'a>>,
    pub parameters: Option<Text<'a>>,
    pub row_count: Option<i64>,
    pub outcome: Outcome,
    /// SQLSTATE, or the engine's own error number.
    pub error_code: Option<Text<'a>>,
    pub error_text: Option<Text<'a>>,
    /// Of the statement with its literals taken out; same fingerprint, same kind of statement.
    pub fingerprint: Option<Text<'a>>,
    pub flags: Flags,
}

impl Event<'_> {
    /// An event of which nothing is known but where it lies and what it is about.
    pub fn new(span: Span, class: Class) -> Self {
        Self {
            span,
            time_us: None,
            database_name: None,
            user_name: None,
            client_address: None,
            client_port: None,
            application: None,
            tls: None,
            session_id: None,
            statement_id: None,
            substatement_id: None,
            class,
            command: None,
            object_type: None,
            object_name: None,
            tables: None,
            statement: None,
            parameters: None,
            row_count: None,
            outcome: Outcome::Unknown,
            error_code: None,
            error_text: None,
            fingerprint: None,
            flags: Flags::default(),
        }
    }
}

/// Bytes that should be a record and could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem<'a> {
    pub span: Span,
    /// Why, for a person; a fixed text per cause, so that causes can be counted.
    pub reason: &'static str,
    pub raw: &'a [u8],
}

/// Where a parser puts what it found. Spans of all calls together cover the parsed bytes exactly, without overlap; they
/// come nearly, but not strictly, in the order of the bytes, since an event may wait for the error that belongs to it.
pub trait Sink {
    fn event(&mut self, event: Event<'_>);
    fn problem(&mut self, problem: Problem<'_>);
    /// Bytes that were understood and hold no audit record; `kind` names what they are, for counting.
    fn other(&mut self, kind: &'static str, span: Span);
}
