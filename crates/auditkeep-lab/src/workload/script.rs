//! The script of a workload as data: scenes, sessions and statements with what is expected of them.
//!
//! It knows nothing of a client or an engine. A scene's sessions are open at the same time and take turns, so that the
//! records of different users mix in the log.

use super::{Executed, LoggedText, Login, Outcome, RunOptions, Truth, WorkloadError};

/// How a statement reaches the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// As text, without parameters.
    Text,
    /// Prepared, with these values bound; `None` is NULL.
    Prepared(Vec<Option<String>>),
    /// `COPY … FROM STDIN` with this data.
    CopyIn(&'static str),
    /// `COPY … TO STDOUT`; the data is read and dropped.
    CopyOut,
}

/// A statement and what is expected of it. `{m}` in the text is where the marker goes; without it, it goes in front.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) sql: String,
    pub(super) class: &'static str,
    pub(super) outcome: Outcome,
    pub(super) relations: u32,
    pub(super) logged_text: LoggedText,
    pub(super) via: Via,
}

impl Planned {
    pub(super) fn masked(mut self) -> Self {
        self.logged_text = LoggedText::Masked;
        self
    }

    pub(super) fn cut(mut self) -> Self {
        self.logged_text = LoggedText::Cut;
        self
    }

    pub(super) fn prepared<const N: usize>(mut self, values: [Option<&str>; N]) -> Self {
        self.via = Via::Prepared(values.map(|value| value.map(str::to_owned)).to_vec());
        self
    }

    pub(super) fn copy_in(mut self, data: &'static str) -> Self {
        self.via = Via::CopyIn(data);
        self
    }

    pub(super) fn copy_out(mut self) -> Self {
        self.via = Via::CopyOut;
        self
    }
}

/// A statement that succeeds and leaves so many audit records.
pub(super) fn ok(class: &'static str, relations: u32, sql: impl Into<String>) -> Planned {
    let (outcome, logged_text, via) = (Outcome::Success, LoggedText::Whole, Via::Text);
    Planned { sql: sql.into(), class, outcome, relations, logged_text, via }
}

/// A statement that the server refuses or that fails while it runs.
pub(super) fn fails(class: &'static str, relations: u32, sql: impl Into<String>) -> Planned {
    Planned { outcome: Outcome::Failure, ..ok(class, relations, sql) }
}

/// One login and what it does.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) user: &'static str,
    pub(super) password: &'static str,
    pub(super) database: &'static str,
    pub(super) login: Outcome,
    pub(super) statements: Vec<Planned>,
}

/// A session that gets in.
pub(super) fn session(
    (user, password): (&'static str, &'static str),
    database: &'static str,
    statements: Vec<Planned>,
) -> Session {
    Session { user, password, database, login: Outcome::Success, statements }
}

/// A login that is refused.
pub(super) fn refused((user, password): (&'static str, &'static str), database: &'static str) -> Session {
    Session { login: Outcome::Failure, ..session((user, password), database, Vec::new()) }
}

/// Sessions that are open at the same time and take turns, statement by statement.
pub(super) type Scene = Vec<Session>;

/// Keeps the truth while a workload runs, and compares it with what was planned.
#[derive(Debug)]
pub(super) struct Driver {
    truth: Truth,
}

impl Driver {
    pub(super) fn new(options: &RunOptions) -> Self {
        Self { truth: Truth { run: options.run.clone(), ..Truth::default() } }
    }

    pub(super) fn into_truth(self) -> Truth {
        self.truth
    }

    /// Notes a login; `detail` is what the client was told when it failed.
    pub(super) fn logged_in(
        &mut self,
        session: &Session,
        result: Result<(), String>,
    ) -> Result<(), WorkloadError> {
        let outcome = outcome(&result);
        let (user, database) = (session.user.to_owned(), session.database.to_owned());
        if outcome != session.login {
            let detail = result.err().unwrap_or_default();
            return Err(WorkloadError::Login { user, database, expected: session.login, detail });
        }
        self.truth.logins.push(Login { user, database, outcome });
        Ok(())
    }

    /// The next marker and the exact text to send for a statement.
    pub(super) fn compose(&self, planned: &Planned) -> (String, String) {
        let marker = format!("/* ak-{}-{:04} */", self.truth.run, self.truth.statements.len() + 1);
        let text = if planned.sql.contains("{m}") {
            planned.sql.replace("{m}", &marker)
        } else {
            format!("{marker} {}", planned.sql)
        };
        (marker, text)
    }

    /// Notes a statement that was sent.
    pub(super) fn executed(
        &mut self,
        session: &Session,
        planned: &Planned,
        (marker, statement): (String, String),
        result: Result<(), String>,
    ) -> Result<(), WorkloadError> {
        let outcome = outcome(&result);
        if outcome != planned.outcome {
            let detail = result.err().unwrap_or_default();
            return Err(WorkloadError::Statement { statement, expected: planned.outcome, detail });
        }
        let parameters = match &planned.via {
            Via::Prepared(values) => values.clone(),
            _ => Vec::new(),
        };
        self.truth.statements.push(Executed {
            marker,
            user: session.user.to_owned(),
            database: session.database.to_owned(),
            class: planned.class.to_owned(),
            outcome,
            statement,
            parameters,
            relations: planned.relations,
            logged_text: planned.logged_text,
        });
        Ok(())
    }
}

fn outcome(result: &Result<(), String>) -> Outcome {
    if result.is_ok() { Outcome::Success } else { Outcome::Failure }
}
