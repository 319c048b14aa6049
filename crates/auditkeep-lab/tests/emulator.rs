//! The emulator, asked over HTTP by the clients that matter: the Rust SDK, boto3, and requests signed by hand.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails as the test does")]

#[cfg(feature = "servers")]
#[path = "emulator/boto3.rs"]
mod boto3;
#[path = "emulator/command.rs"]
mod command;
#[path = "emulator/download.rs"]
mod download;
#[path = "emulator/lab.rs"]
mod lab;
#[path = "emulator/scenario.rs"]
mod scenario;
#[path = "emulator/sdk.rs"]
mod sdk;
#[path = "emulator/signatures.rs"]
mod signatures;
#[path = "emulator/simulated.rs"]
mod simulated;
#[path = "emulator/switches.rs"]
mod switches;
#[path = "emulator/unrest.rs"]
mod unrest;
#[path = "emulator/world.rs"]
mod world;
