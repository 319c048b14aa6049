//! The archive from outside: what its protocol promises when writes fail, processes race and storage lies.

#![expect(clippy::unwrap_used, reason = "what the tests share is part of the tests")]

use auditkeep_archive::test_support::{building, faults};

mod fault_table;
mod proof;
mod sealing;
mod signers;
mod stores;
mod trail;
mod verify;
