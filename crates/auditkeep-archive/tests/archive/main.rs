//! The archive from outside: what its protocol promises when writes fail, processes race and storage lies.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what the tests share is part of the tests")]

mod building;
mod faults;
mod proof;
mod signers;
mod trail;
mod verify;
