//! Records: what the commits of a trail say beside the segments that they name.
//!
//! Reading gives the control and seal leaves in the order of the commits, of one trail or of many merged by the times of their
//! commits. Memory does not grow with the length of a trail: of each, a few commits are held. A commit is believed if a key signed it
//! whose signature counts there; whether the trail holds together is for `verify`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use crate::archive::Archive;
use crate::control::ControlLeaf;
use crate::layout;
use crate::leaf::{Leaf, SegmentLeaf};
use crate::signer::Signer;
use crate::standing::Standing;
use crate::trail::{self, Head, Stamp, TrailError};

/// Commits of a trail that are fetched ahead.
const COMMITS_AHEAD: usize = 8;
/// Trails that are begun at the same time.
const TRAILS_AT_ONCE: usize = 16;

/// A leaf that is no segment, and where it stands.
#[derive(Clone, Debug)]
pub struct Record {
    pub trail: String,
    /// Name of the instance at that time; empty for the journal.
    pub instance: String,
    /// Number of the commit.
    pub commit: u64,
    /// Of the commit. The leaf's own is when the event happened.
    pub committed: Timestamp,
    pub leaf: Leaf,
}

/// The commits of a trail from `from` to `to`, each of which must be there.
pub(crate) fn commits(
    archive: &Archive,
    trail: &str,
    from: u64,
    to: u64,
) -> BoxStream<'static, Result<Head, TrailError>> {
    read(archive, trail, from..=to)
}

/// The commits of a trail from `last` down to the first.
pub(crate) fn commits_back(
    archive: &Archive,
    trail: &str,
    last: u64,
) -> BoxStream<'static, Result<Head, TrailError>> {
    read(archive, trail, (1..=last).rev())
}

fn read(
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
    let there = trail::read(archive, trail, number).await?;
    there.ok_or_else(|| TrailError::Hole { object: layout::commit(trail, number).to_string() })
}

/// The segments that a commit names.
pub(crate) fn segments(head: &Head) -> impl Iterator<Item = &SegmentLeaf> {
    head.body.leaves.iter().filter_map(Leaf::segment)
}

/// The records of these trails (the journal's id is [`layout::JOURNAL`]), oldest commit first.
pub async fn merged(
    archive: &Archive,
    trails: &[String],
) -> Result<BoxStream<'static, Result<Record, TrailError>>, TrailError> {
    let begun: Vec<Source> = stream::iter(trails.to_vec())
        .map(|trail| {
            let archive = archive.clone();
            async move { Source::begin(&archive, &trail).await }
        })
        .buffered(TRAILS_AT_ONCE)
        .try_collect()
        .await?;
    let mut merge = Merge { order: BinaryHeap::new(), sources: begun };
    for index in 0..merge.sources.len() {
        merge.line_up(index);
    }
    let records =
        stream::try_unfold(merge, async |mut merge| Ok(merge.next().await?.map(|record| (record, merge))));
    Ok(records.boxed())
}

/// The records of one trail that are still to come.
struct Source {
    commits: BoxStream<'static, Result<Head, TrailError>>,
    /// Of the commit that was read last.
    ready: VecDeque<Record>,
}

impl Source {
    async fn begin(archive: &Archive, trail: &str) -> Result<Self, TrailError> {
        let last = trail::last_number(archive, trail).await?;
        let mut source = Self { commits: commits(archive, trail, 1, last), ready: VecDeque::new() };
        source.fill().await?;
        Ok(source)
    }

    /// Reads on to the next commit that says something, unless there is something left of the one before.
    async fn fill(&mut self) -> Result<(), TrailError> {
        while self.ready.is_empty() {
            let Some(head) = self.commits.try_next().await? else { break };
            let body = head.body;
            self.ready = body
                .leaves
                .into_iter()
                .filter(|leaf| leaf.segment().is_none())
                .map(|leaf| Record {
                    trail: body.trail.clone(),
                    instance: body.source.instance.clone(),
                    commit: body.number,
                    committed: body.time,
                    leaf,
                })
                .collect();
        }
        Ok(())
    }
}

struct Merge {
    /// Each trail that has something to say, by the time of its next record.
    order: BinaryHeap<Reverse<(Timestamp, usize)>>,
    sources: Vec<Source>,
}

impl Merge {
    fn line_up(&mut self, index: usize) {
        if let Some(record) = self.sources[index].ready.front() {
            self.order.push(Reverse((record.committed, index)));
        }
    }

    async fn next(&mut self) -> Result<Option<Record>, TrailError> {
        let Some(Reverse((_, index))) = self.order.pop() else { return Ok(None) };
        let record = self.sources[index].ready.pop_front();
        self.sources[index].fill().await?;
        self.line_up(index);
        Ok(record)
    }
}

/// Appends one record to a trail, if there is still something to say after its last commit. True if it was written.
pub(crate) async fn append(
    archive: &Archive,
    key: &dyn Signer,
    trail: &str,
    stamp: &Stamp,
    record: &(dyn Fn(&Standing) -> Option<ControlLeaf> + Sync),
) -> Result<(Head, bool), TrailError> {
    let leaves = |head: &Head| record(&head.body.standing()).map(Leaf::Control).into_iter().collect();
    trail::record(archive, key, trail, stamp, &leaves).await
}
