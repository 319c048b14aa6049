//! The laboratory: an emulator of the RDS log-file API on good days and bad ones, simulated databases that know every
//! byte they exposed, and logs recorded from real servers.
//!
//! Nothing here is needed to collect from AWS. The product uses it for its demo, the tests use it as the counterpart
//! that nobody else offers.

pub mod clock;
pub mod emulator;
#[cfg(feature = "servers")]
pub mod record;
pub mod recorded;
pub mod scenario;
mod seeded;
#[cfg(feature = "servers")]
pub mod servers;
pub mod simulate;
mod span;
pub mod truth;
#[cfg(feature = "servers")]
pub mod workload;
