//! A segment that is being stored while the next one fills, so that reading does not wait for the store.
//!
//! It is no task of its own: when the pass is dropped, so is this, and nothing of it happens any more. It does not commit either;
//! nobody names the segment before [`Storing::stored`] has returned.

use std::pin::pin;

use auditkeep_archive::archive::{Archive, ArchiveError};
use auditkeep_archive::commit::Cursor;
use auditkeep_archive::layout::GenerationPrefix;
use auditkeep_archive::segment::{self, Segment, Stored};
use futures::FutureExt;
use futures::future::{self, BoxFuture, Either};

use crate::source::Instance;

pub(super) struct Storing<'a> {
    stored: BoxFuture<'a, Result<Stored, ArchiveError>>,
    /// Where the last complete record ends that this segment and those before it hold, as an offset in the generation.
    pub(super) complete_to: u64,
}

impl<'a> Storing<'a> {
    /// Nothing happens before it is waited for. `cursor` says which generation it is.
    pub(super) fn new(
        archive: &'a Archive,
        instance: &'a Instance,
        cursor: Cursor,
        segment: Segment,
        complete_to: u64,
    ) -> Self {
        Self { stored: store(archive, instance, cursor, segment).boxed(), complete_to }
    }

    /// Waits for `work`, and stores meanwhile.
    pub(super) async fn during<T>(self, work: impl Future<Output = T>) -> (Self, T) {
        let Self { stored, complete_to } = self;
        match future::select(stored, pin!(work)).await {
            Either::Left((stored, work)) => {
                let stored = future::ready(stored).boxed();
                (Self { stored, complete_to }, work.await)
            }
            Either::Right((done, stored)) => (Self { stored, complete_to }, done),
        }
    }

    /// Waits until the segment is stored.
    pub(super) async fn stored(self) -> Result<Stored, ArchiveError> {
        self.stored.await
    }
}

async fn store(
    archive: &Archive,
    instance: &Instance,
    cursor: Cursor,
    segment: Segment,
) -> Result<Stored, ArchiveError> {
    let prefix = GenerationPrefix {
        account: &instance.account,
        region: &instance.region,
        resource_id: &instance.resource_id,
        day: &cursor.day,
        log: &cursor.family,
        generation: &cursor.generation,
    };
    segment::store(archive, &prefix, segment).await
}
