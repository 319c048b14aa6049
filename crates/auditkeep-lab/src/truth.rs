//! The ground truth about a workload: what a client sent and how it ended, known without any log.
//!
//! Every statement carries a marker comment that is unique in its run, so that its records can be found in any log. The
//! truth of the recorded logs lies in this crate's `truth/<instance>.json`.

use serde::{Deserialize, Serialize};

/// How a login or a statement ended, as the client saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Success,
    Failure,
}

/// How the text in the audit log relates to the text that was sent. Escaping by the log's format is not meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoggedText {
    /// The log holds the whole text.
    Whole,
    /// The log holds the beginning of the text; the engine cuts long statements without a sign.
    Cut,
    /// The engine hides what follows a password keyword, or the password itself.
    Masked,
}

/// One statement that was sent, in the order of sending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executed {
    /// The comment that makes the statement unique: `/* ak-<run>-<n> */`, with the comment signs.
    pub marker: String,
    /// The login user.
    pub user: String,
    pub database: String,
    /// The event class that the statement's records have: `read`, `write`, `ddl`, `role`, `function`, `admin` or `misc`.
    /// Where one statement has records of several classes, the one that tells most about its purpose.
    pub class: String,
    pub outcome: Outcome,
    /// Exactly the text that was sent.
    pub statement: String,
    /// Values of the bound parameters as text, in order; `None` is NULL.
    pub parameters: Vec<Option<String>>,
    /// How many audit records carry the marker. PostgreSQL: pgAudit writes one per relation and session or object audit,
    /// and none when the statement was refused before it ran (then only the error and its `STATEMENT` line carry the
    /// marker) or when it only ends a failed transaction. MariaDB: the one `QUERY` record; `TABLE` records carry no statement and are not counted.
    pub relations: u32,
    pub logged_text: LoggedText,
}

/// One attempt to log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    pub user: String,
    pub database: String,
    pub outcome: Outcome,
}

/// What a run did, as the client knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// The name of the run, which is part of all its markers.
    pub run: String,
    pub logins: Vec<Login>,
    pub statements: Vec<Executed>,
}
