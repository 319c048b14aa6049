//! The pure heart of auditkeep: what an event is, how audit logs are read, and how an archive proves itself.
//!
//! Nothing here does IO, looks at a clock or is async. Every function gives the same answer for the same bytes, which is
//! what lets the rest of the product promise that a derived table can be thrown away and built again.
//!
//! - [`event`]: the normalised audit record and its columns.
//! - [`format`]: the grammars of the logs that databases write, as parsers that never fail.
//! - [`integrity`]: hashes, trees, signed notes and keys.
//! - [`sql`]: what a statement is, from its first words.
//! - [`engine`]: the database engines that auditkeep knows.

pub mod engine;
pub mod event;
pub mod format;
pub mod integrity;
pub mod sql;
