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
use crate::leaf::Leaf;
use crate::signer::Signer;
use crate::standing::Standing;
use crate::trail::{self, Head, Stamp, TrailError};

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

/// The records of these trails (the journal's id is [`crate::layout::JOURNAL`]), oldest commit first.
pub async fn merged(
    archive: &Archive,
    trails: &[String],
) -> Result<BoxStream<'static, Result<Record, TrailError>>, TrailError> {
    let begun: Vec<Upcoming> = stream::iter(trails.to_vec())
        .map(|trail| {
            let archive = archive.clone();
            async move { Upcoming::begin(&archive, &trail).await }
        })
        .buffered(TRAILS_AT_ONCE)
        .try_collect()
        .await?;
    let mut merge = Merge { order: BinaryHeap::new(), trails: begun };
    for index in 0..merge.trails.len() {
        merge.line_up(index);
    }
    let records =
        stream::try_unfold(merge, async |mut merge| Ok(merge.next().await?.map(|record| (record, merge))));
    Ok(records.boxed())
}

/// The records of one trail that are still to come.
struct Upcoming {
    commits: BoxStream<'static, Result<Head, TrailError>>,
    /// Of the commit that was read last.
    ready: VecDeque<Record>,
}

impl Upcoming {
    async fn begin(archive: &Archive, trail: &str) -> Result<Self, TrailError> {
        let last = trail::last_number(archive, trail).await?;
        let mut upcoming = Self { commits: trail::commits(archive, trail, 1, last), ready: VecDeque::new() };
        upcoming.fill().await?;
        Ok(upcoming)
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
    trails: Vec<Upcoming>,
}

impl Merge {
    fn line_up(&mut self, index: usize) {
        if let Some(record) = self.trails[index].ready.front() {
            self.order.push(Reverse((record.committed, index)));
        }
    }

    async fn next(&mut self) -> Result<Option<Record>, TrailError> {
        let Some(Reverse((_, index))) = self.order.pop() else { return Ok(None) };
        let record = self.trails[index].ready.pop_front();
        self.trails[index].fill().await?;
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
