//! The events table: two Delta Lake tables below the root of an archive, and the SQL engine that reads them.
//!
//! [`DeltaTables`] is the [`EventTable`](auditkeep_pipeline::table::EventTable) that derivation writes to; [`QueryEngine`]
//! answers SQL and [`EventFilter`]s. Each commit of a trail is in the tables exactly once, however often and from however
//! many processes it is appended, on a local disk and on S3 alike. Any engine that reads Delta Lake reads the tables.
//!
//! It does not compact or vacuum, and it never deletes an object: a failed append leaves data files behind that no table
//! version names. Both tables may be deleted and derived again; they are no evidence.

pub mod filter;
mod layout;
mod ordered;
pub mod query;
pub mod table;

pub use filter::EventFilter;
pub use query::{QueryEngine, QueryError, QueryOptions};
pub use table::{AppendError, DeltaTables};
