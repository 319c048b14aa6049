//! Giving up segments whose retention is over: the one place in this crate that deletes evidence.
//!
//! First the record, then the deletion. What may be deleted follows from [`Committed`], which is only had from a record that is in
//! the archive, signed; `verify` finds a deletion without one. A record is written only when the deletion that the one before it allows is
//! through, so whoever comes after a crash need not look further back than the last record.
//!
//! Memory does not grow with the trail: names are kept on this machine's disk and looked at part by part. Commits are never deleted.
//!
//! One race is left: a collector that meets a file again which its trail has forgotten, finds the old segment in the store, and commits it just
//! after the deletion was decided. `verify` then calls that segment missing.

mod delete;
mod survey;

use std::collections::HashSet;

use jiff::Timestamp;

use self::survey::Survey;
use crate::archive::{Archive, ArchiveError};
use crate::commit::Body;
use crate::control::Event;
use crate::records;
use crate::retention::Retention;
use crate::signer::Signer;
use crate::standing::Standing;
use crate::trail::{self, Head, Stamp, TrailError};

use futures::TryStreamExt;

pub use self::delete::{Deleted, NotDeleted};

/// The segments that must stay although the commits up to this one have expired: they hold the beginning of records that go
/// on in later commits.
pub fn kept(body: &Body) -> HashSet<String> {
    body.cursors.values().flat_map(|cursor| &cursor.unfinished).map(|leaf| leaf.object.clone()).collect()
}

/// Whether what is in force allows to give up, at `time`, what was committed at `committed`.
pub(crate) fn may_expire(standing: &Standing, committed: Timestamp, time: Timestamp) -> bool {
    let end = Retention::in_force(standing).end(committed);
    end.is_some_and(|end| end <= time) && standing.holds.is_empty()
}

#[derive(Debug, thiserror::Error)]
pub enum ExpireError {
    #[error(transparent)]
    Trail(#[from] TrailError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("keeping track on this machine's disk failed")]
    Spill(#[from] std::io::Error),
}

/// What a trail can give up at some time, and why it keeps the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub trail: String,
    /// The segments of commits 1 to this one were given up before; 0 for none.
    pub before: u64,
    /// Those up to this one can be given up now; the same number if there is nothing new.
    pub through: u64,
    pub segments: u64,
    /// Of these segments.
    pub raw_bytes: u64,
    /// Time of the first commit that names some of them.
    pub oldest: Option<Timestamp>,
    /// Time of the last.
    pub newest: Option<Timestamp>,
    /// Why what comes after stays; none if nothing comes after.
    pub stays: Option<Stays>,
    /// The latest time of all commits between.
    latest: Timestamp,
}

/// Why segments stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stays {
    /// No retention was set, so they are kept for ever.
    ForEver,
    /// Holds of these names are in place.
    Held(Vec<String>),
    /// Those of this commit are kept until then.
    Until { commit: u64, time: Timestamp },
}

impl Plan {
    pub fn has_something(&self) -> bool {
        self.segments > 0
    }
}

/// Looks at what can be given up at `now`. Writes nothing.
pub async fn plan(archive: &Archive, trail: &str, now: Timestamp) -> Result<Plan, ExpireError> {
    let head = trail::last(archive, trail).await?;
    let standing = head.body.standing();
    let before = standing.expired_through;
    let mut plan = Plan {
        trail: trail.to_owned(),
        before,
        through: before,
        segments: 0,
        raw_bytes: 0,
        oldest: None,
        newest: None,
        stays: None,
        latest: Timestamp::MIN,
    };
    let retention = Retention::in_force(&standing);
    if retention.keep_days.is_none() {
        plan.stays = Some(Stays::ForEver);
    } else if !standing.holds.is_empty() {
        plan.stays = Some(Stays::Held(standing.holds.into_keys().collect()));
    } else {
        plan.find_prefix(archive, retention, head.body.number, now).await?;
    }
    if plan.through > before {
        plan.count(archive, head.body.number).await?;
    }
    Ok(plan)
}

impl Plan {
    /// The longest run of commits whose retention is over, up to the last of them that names segments: records alone are nothing
    /// to give up.
    async fn find_prefix(
        &mut self,
        archive: &Archive,
        retention: Retention,
        last: u64,
        now: Timestamp,
    ) -> Result<(), ExpireError> {
        let mut commits = trail::commits(archive, &self.trail, self.before + 1, last);
        let mut latest = self.latest;
        while let Some(Head { body, .. }) = commits.try_next().await? {
            match retention.end(body.time) {
                Some(end) if end <= now => {}
                Some(time) => {
                    self.stays = Some(Stays::Until { commit: body.number, time });
                    break;
                }
                None => {
                    self.stays = Some(Stays::ForEver);
                    break;
                }
            }
            latest = latest.max(body.time);
            if body.leaves.iter().any(|leaf| leaf.segment().is_some()) {
                (self.through, self.latest) = (body.number, latest);
                self.oldest = self.oldest.or(Some(body.time));
                self.newest = Some(body.time);
            }
        }
        Ok(())
    }

    async fn count(&mut self, archive: &Archive, last: u64) -> Result<(), ExpireError> {
        let mut survey = Survey::of(archive, &self.trail, self.before, self.through).await?;
        survey.look_later(archive, last).await?;
        for partition in 0..survey::PARTITIONS {
            for candidate in survey.candidates(partition)? {
                self.segments += 1;
                self.raw_bytes += candidate.raw_bytes;
            }
        }
        Ok(())
    }
}

/// What became of a plan.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// What an earlier deletion had left behind.
    pub finished: Deleted,
    /// Number of the commit with the record; none if nothing new was given up.
    pub record: Option<u64>,
    pub deleted: Deleted,
}

impl Done {
    pub fn failures(&self) -> impl Iterator<Item = &NotDeleted> {
        self.finished.failures.iter().chain(&self.deleted.failures)
    }
}

/// Records what the plan gives up, and deletes it. Before that, what an earlier attempt has recorded and left.
///
/// Nothing is recorded if that is not through, or if what is in force has changed since the plan was made. After an error or a crash, a
/// new plan goes on where this one ended.
pub async fn carry_out(
    archive: &Archive,
    key: &dyn Signer,
    stamp: &Stamp,
    plan: &Plan,
    who: &str,
) -> Result<Done, ExpireError> {
    let mut done = Done::default();
    if let Some(committed) = Committed::find(archive, &plan.trail).await? {
        done.finished = committed.delete(archive).await?;
    }
    if !plan.has_something() || !done.finished.failures.is_empty() {
        return Ok(done);
    }
    if let Some(committed) = Committed::record(archive, key, stamp, plan, who).await? {
        // A crash here leaves segments that may be absent and are there; the next attempt finds the record, and deletes them.
        done.record = Some(committed.number);
        done.deleted = committed.delete(archive).await?;
    }
    Ok(done)
}

/// A record in the archive that gives segments up.
struct Committed {
    trail: String,
    /// Number of the commit with the record.
    number: u64,
    /// What the record before it had given up.
    before: u64,
    through: u64,
}

impl Committed {
    /// Appends the record, unless what is in force has changed since the plan was made.
    async fn record(
        archive: &Archive,
        key: &dyn Signer,
        stamp: &Stamp,
        plan: &Plan,
        who: &str,
    ) -> Result<Option<Self>, ExpireError> {
        let record = |standing: &Standing| {
            let is_as_planned = standing.expired_through == plan.before;
            let expired = Event::Expired.at(stamp.time).with("through", plan.through).with("who", who);
            let expired = expired.with("segments", plan.segments).with("raw_bytes", plan.raw_bytes);
            (is_as_planned && may_expire(standing, plan.latest, stamp.time)).then_some(expired)
        };
        let (head, said) = records::append(archive, key, &plan.trail, stamp, &record).await?;
        let (trail, number) = (plan.trail.clone(), head.body.number);
        Ok(said.then_some(Self { trail, number, before: plan.before, through: plan.through }))
    }

    /// The trail's last record, found by halving: what has expired never becomes less.
    async fn find(archive: &Archive, trail: &str) -> Result<Option<Self>, ExpireError> {
        let last = trail::last(archive, trail).await?.body;
        let through = last.standing().expired_through;
        if through == 0 {
            return Ok(None);
        }
        // The record comes after the commits that it speaks of.
        let (mut without, mut with) = (through, last.number);
        let mut before = 0;
        while without + 1 < with {
            let middle = without + (with - without) / 2;
            let expired = expired_through(archive, trail, middle).await?;
            if expired == through {
                with = middle;
            } else {
                (without, before) = (middle, expired);
            }
        }
        if before == 0 {
            before = expired_through(archive, trail, without).await?;
        }
        Ok(Some(Self { trail: trail.to_owned(), number: with, before, through }))
    }
}

async fn expired_through(archive: &Archive, trail: &str, number: u64) -> Result<u64, ExpireError> {
    Ok(trail::commit(archive, trail, number).await?.body.standing().expired_through)
}
