//! How an archive proves itself: hashes, append-only trees, keys and signed checkpoints.
//!
//! Everything follows public specifications, so that a verifier can be written without this code: SHA-256 (FIPS 180-4),
//! the Merkle tree of RFC 6962 §2.1, C2SP `signed-note`, `tlog-checkpoint` and `tlog-proof`, Ed25519 (RFC 8032), ECDSA (FIPS 186-5), and
//! the canonical JSON of RFC 8785. Nothing here reads or writes a file.

pub mod canonical;
pub mod checkpoint;
pub mod hash;
pub mod inclusion;
pub mod key;
pub mod note;
pub mod tlog_proof;
pub mod tree;
