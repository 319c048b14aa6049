//! Giving up segments whose retention is over.

use std::collections::HashSet;

use crate::commit::Body;

/// The segments that must stay although the commits up to this one have expired: they hold the beginning of records that go
/// on in later commits.
pub fn kept(body: &Body) -> HashSet<String> {
    body.cursors.values().flat_map(|cursor| &cursor.unfinished).map(|leaf| leaf.object.clone()).collect()
}
