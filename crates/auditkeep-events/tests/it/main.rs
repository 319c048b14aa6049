//! The tables and the engine over real Delta logs and real Parquet files, on a local disk and on an S3 that is emulated.
//!
//! One binary, because linking the query engine takes longer than all of the tests.

#![expect(clippy::unwrap_used, reason = "what the tests share is part of the tests")]

mod append;
mod concurrency;
mod faults;
mod filters;
mod query;
mod rows;
mod s3;
