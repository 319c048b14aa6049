//! What tests of this and of other crates share: what every store must do, stores that fail on command, small archives.
//!
//! Behind the feature `test-support`, which no build of the product turns on. A crate that brings a store runs
//! [`store_behaviours!`](crate::store_behaviours) on it, against the server or the disk that it is for.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "this is a part of tests, and a test fails by panicking"
)]

pub mod behaviour;
pub mod building;
pub mod faults;
