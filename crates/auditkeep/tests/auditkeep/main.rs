//! The binary from outside, as people and scripts meet it: real processes, real files, real servers.

#![expect(clippy::unwrap_used, reason = "what the tests share is part of the tests")]

mod advice;
mod bad_input;
mod command;
mod demo;
mod end_to_end;
mod on_s3;
mod regions;
mod stopped;
mod surfaces;
