//! Collect and derive from outside: sources that grow, rotate, lie and break off, stores and tables whose writes go wrong,
//! and several collectors at once.
//!
//! Every test compares what the archive gives back, read through its commits, with what the source had exposed.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what the tests share is part of the tests"
)]

use auditkeep_archive::test_support::faults;

mod broken_sources;
mod collectors;
mod compressed;
mod deriving;
mod expiry;
mod gaps;
mod growth;
mod interleaving;
mod large;
mod logs;
mod postgres;
mod proofs;
mod records;
mod replaced;
mod rotation;
mod simulation;
mod sources;
mod store_faults;
mod table;
mod witnesses;
mod world;
