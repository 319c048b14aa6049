//! Workloads for real servers, and the ground truth about them that the client side alone keeps.
//!
//! A workload plays the daily life of a small shop: an application, an analyst, a DBA, and people who should not be
//! there. What was sent and how it ended for the client is kept as [`Truth`]; nothing in it is read from a log.

pub mod mariadb;
pub mod postgres;
mod script;

pub use script::Via;

use std::time::Duration;

use crate::servers::ServerError;
pub use crate::truth::{Executed, LoggedText, Login, Outcome, Truth};

/// Which run a workload is, and how much of the daily business it plays.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Letters and digits; goes into the markers.
    pub run: String,
    /// How many orders the application takes; each is about six statements.
    pub orders: u32,
    /// How long to wait after each scene. Tests do not wait; a recording does, so that its log spans some minutes.
    pub pause: Duration,
}

impl RunOptions {
    /// A run that does not wait.
    pub fn new(run: &str, orders: u32) -> Self {
        Self { run: run.to_owned(), orders, pause: Duration::ZERO }
    }
}

/// Why a workload did not run as it was written.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error("`{user}` at `{database}`: expected {expected:?} of the login, and it was otherwise: {detail}")]
    Login { user: String, database: String, expected: Outcome, detail: String },
    #[error("expected {expected:?} of `{statement}`, and it was otherwise: {detail}")]
    Statement { statement: String, expected: Outcome, detail: String },
}
