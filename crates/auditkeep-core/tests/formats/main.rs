//! The grammars: what each shape of record becomes, the traps in them, and what holds for any bytes.
//!
//! The lines are written for these tests, in the shapes that servers write.

mod collect;
mod csvlog;
mod csvlog_logins;
mod detection;
mod properties;
mod server_audit;
mod stderr;
