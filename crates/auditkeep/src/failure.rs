//! How a command ends: its exit code, and for a failure the message, its causes, and the next step for whoever reads it.

mod hint;

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use crate::output::escape;

pub use hint::{AHEAD, TABLES, hint};

/// The exit codes, documented in `docs/cli.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Fine,
    Failed,
    Usage,
    /// The command did its work, and what it found needs a person.
    Found,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Found => 3,
        })
    }
}

/// A command that could not do what it was asked for.
#[derive(Debug)]
pub struct Failure {
    code: Exit,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// The arguments or the configuration are wrong.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code: Exit::Usage, message: message.into(), hint: Some(hint.into()) }
    }

    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code: Exit::Failed, message: message.into(), hint: Some(hint.into()) }
    }

    /// Replaces the hint by one that knows more.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Says where it happened, for errors that do not know.
    #[must_use]
    pub fn at(self, place: &str) -> Self {
        Self { message: format!("{place}: {}", self.message), ..self }
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub fn code(&self) -> Exit {
        self.code
    }
}

impl fmt::Display for Failure {
    /// What a person sees: the message with its causes, and after an empty line the next step.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "error: {}", escape::line(&self.message))?;
        match &self.hint {
            Some(hint) => write!(out, "\n\nhint: {}", escape::line(hint)),
            None => Ok(()),
        }
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { code: Exit::Failed, hint: hint(&error), message: with_causes(&error) }
    }
}

/// An error and its causes in one line, without saying anything twice.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let message = cause.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        next = cause.source();
    }
    text
}
