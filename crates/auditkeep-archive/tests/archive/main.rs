//! The archive from outside: what its protocol promises when writes fail, processes race and storage lies.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what the tests share is part of the tests"
)]

use auditkeep_archive::test_support::{building, faults};

mod agreement;
mod attacks;
mod crashes;
mod durability;
mod expire;
mod fault_table;
mod fixtures;
mod history;
mod proof;
mod proofs;
mod rotation;
mod sealing;
mod signers;
mod statements;
mod stores;
mod trail;
mod verify;
