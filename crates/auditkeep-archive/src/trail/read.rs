//! Reading the commits of a trail that must be there, one or many in a row.
//!
//! Memory does not grow with the length of a trail: a few commits are fetched ahead. A commit is believed if a key signed it whose
//! signature counts there; whether each follows the one before is for `verify`.

use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::{Head, TrailError};
use crate::archive::Archive;
use crate::layout;
use crate::leaf::{Leaf, SegmentLeaf};

/// Commits of a trail that are fetched ahead.
const COMMITS_AHEAD: usize = 8;

/// The commits of a trail from `from` to `to`, each of which must be there.
pub(crate) fn commits(
    archive: &Archive,
    trail: &str,
    from: u64,
    to: u64,
) -> BoxStream<'static, Result<Head, TrailError>> {
    each(archive, trail, from..=to)
}

/// The commits of a trail from `last` down to the first.
pub(crate) fn commits_back(
    archive: &Archive,
    trail: &str,
    last: u64,
) -> BoxStream<'static, Result<Head, TrailError>> {
    each(archive, trail, (1..=last).rev())
}

fn each(
    archive: &Archive,
    trail: &str,
    numbers: impl Iterator<Item = u64> + Send + 'static,
) -> BoxStream<'static, Result<Head, TrailError>> {
    let (archive, trail) = (archive.clone(), trail.to_owned());
    stream::iter(numbers)
        .map(move |number| {
            let (archive, trail) = (archive.clone(), trail.clone());
            async move { commit(&archive, &trail, number).await }
        })
        .buffered(COMMITS_AHEAD)
        .boxed()
}

/// A commit that must be there.
pub(crate) async fn commit(archive: &Archive, trail: &str, number: u64) -> Result<Head, TrailError> {
    let there = super::read(archive, trail, number).await?;
    there.ok_or_else(|| TrailError::Hole { object: layout::commit(trail, number).to_string() })
}

/// The last commit of a trail that must be there.
pub(crate) async fn last(archive: &Archive, trail: &str) -> Result<Head, TrailError> {
    super::head(archive, trail).await?.ok_or_else(|| TrailError::NoTrail { trail: trail.to_owned() })
}

/// The segments that a commit names.
pub(crate) fn segments(head: &Head) -> impl Iterator<Item = &SegmentLeaf> {
    head.body.leaves.iter().filter_map(Leaf::segment)
}
