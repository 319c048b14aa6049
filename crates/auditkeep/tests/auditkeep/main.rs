//! The binary from outside, as people and scripts meet it: real processes, real files, real servers.

#![expect(clippy::unwrap_used, reason = "what the tests share is part of the tests")]

mod advice;
mod bad_input;
mod command;
mod demo;
mod end_to_end;
mod expiring;
mod exporting;
mod key_rotation;
mod kill;
mod odd_files;
mod on_kms;
mod on_record;
mod on_s3;
mod proof;
mod regions;
mod sealing;
mod stopped;
mod surfaces;
mod witnesses;
mod words;
