//! The archive from outside: what its protocol promises when writes fail, processes race and storage lies.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what the tests share is part of the tests")]

mod building;
mod expire;
mod faults;
mod rotation;
mod signers;
mod statements;
mod trail;
mod verify;
