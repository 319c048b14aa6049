//! Simulated databases: they write audit records into log files as the engines on RDS do, and know what they wrote.
//!
//! A database lives by a [`Clock`](crate::clock::Clock) and a seed: it writes at a steady rate, and when it is asked it
//! catches up with the clock. Records are right for the grammar, no more: no statement was ever run. Nothing is stored
//! but numbers, and content is made anew when it is read, so thousands of databases are cheap; a file is held in memory
//! while it is read.
//!
//! [`Truth`] tells every byte that was ever exposed, file generation by file generation, those that are gone included.

mod database;
mod disk;
mod estate;
mod generation;
mod layout;
mod records;
mod truth;

pub(crate) use database::Opened;
pub use database::{Database, DatabaseOptions, Status};
pub use disk::Failover;
pub use estate::{Estate, EstateError, Event, InstanceOptions};
pub use layout::{AuroraAudit, Layout, NamePattern, PostgresLogs, ServerAudit};
pub use truth::{Exposed, Truth};
