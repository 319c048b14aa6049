//! What must be kept: the retention of a trail, and the holds that are placed on it.
//!
//! Each change is a signed record in the trail itself, so that everybody sees who shortened what, when and why. What is in force
//! already is not recorded again, and a retention is shortened only for who says that this is meant. Gives nothing up itself: that is for
//! [`crate::expire`].

use jiff::{SignedDuration, Timestamp};

use crate::archive::Archive;
use crate::control::Event;
use crate::records;
use crate::signer::Signer;
use crate::standing::Standing;
use crate::trail::{Stamp, TrailError};

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// How long the segments of a trail are kept. Without days, for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Days from the time of the commit that names a segment.
    pub keep_days: Option<u64>,
    /// Nothing is given up before.
    pub keep_until: Option<Timestamp>,
}

impl Retention {
    pub fn in_force(standing: &Standing) -> Self {
        Self { keep_days: standing.keep_days, keep_until: standing.keep_until }
    }

    /// Whether, from `now` on, it lets something go that must be kept so far.
    pub fn shortens(&self, before: &Self, now: Timestamp) -> bool {
        let Some(days) = self.keep_days else { return false };
        let fewer = before.keep_days.is_none_or(|kept| days < kept);
        // What is past binds nobody. No time at all is earlier than any.
        let earlier = self.keep_until < before.keep_until.filter(|until| *until > now);
        fewer || earlier
    }

    /// When the segments of a commit of that time may be given up; none for never.
    pub(crate) fn end(&self, committed: Timestamp) -> Option<Timestamp> {
        let seconds = i64::try_from(self.keep_days?).ok()?.checked_mul(SECONDS_PER_DAY)?;
        let end = committed.checked_add(SignedDuration::from_secs(seconds)).ok()?;
        Some(self.keep_until.map_or(end, |until| end.max(until)))
    }
}

/// Who wants it, and why.
#[derive(Clone, Copy, Debug)]
pub struct Reason<'a> {
    pub who: &'a str,
    pub reason: &'a str,
}

/// What came of asking for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// By the commit of this number.
    Recorded(u64),
    /// It is so already; nothing was written.
    InForce,
    /// Nothing was written: this is in force, and is longer.
    Shortens(Retention),
}

/// Sets how long a trail's segments are kept. Something shorter than what is in force only if that `may_shorten`.
///
/// After an error it may be set all the same; asking again is right.
pub async fn set(
    archive: &Archive,
    key: &dyn Signer,
    trail: &str,
    stamp: &Stamp,
    wanted: Retention,
    Reason { who, reason }: Reason<'_>,
    may_shorten: bool,
) -> Result<Change, TrailError> {
    let record = |standing: &Standing| {
        let before = Retention::in_force(standing);
        let refused = wanted.shortens(&before, stamp.time) && !may_shorten;
        let set = Event::RetentionSet.at(stamp.time).with("who", who).with("reason", reason);
        let set = set.with_some("keep_days", wanted.keep_days).with_some("keep_until", wanted.keep_until);
        (wanted != before && !refused).then_some(set)
    };
    let (head, said) = records::append(archive, key, trail, stamp, &record).await?;
    let in_force = Retention::in_force(&head.body.standing());
    Ok(match (said, in_force == wanted) {
        (true, _) => Change::Recorded(head.body.number),
        (false, true) => Change::InForce,
        (false, false) => Change::Shortens(in_force),
    })
}

/// Places a hold on a trail: nothing of it may be given up before it is released.
pub async fn place_hold(
    archive: &Archive,
    key: &dyn Signer,
    trail: &str,
    stamp: &Stamp,
    hold: &str,
    reason: Reason<'_>,
) -> Result<Change, TrailError> {
    change_hold(archive, key, trail, stamp, (Event::HoldPlaced, hold), reason).await
}

/// Releases a hold. One that is not in place counts as released.
pub async fn release_hold(
    archive: &Archive,
    key: &dyn Signer,
    trail: &str,
    stamp: &Stamp,
    hold: &str,
    reason: Reason<'_>,
) -> Result<Change, TrailError> {
    change_hold(archive, key, trail, stamp, (Event::HoldReleased, hold), reason).await
}

async fn change_hold(
    archive: &Archive,
    key: &dyn Signer,
    trail: &str,
    stamp: &Stamp,
    (event, hold): (Event, &str),
    Reason { who, reason }: Reason<'_>,
) -> Result<Change, TrailError> {
    let record = |standing: &Standing| {
        let is_so = standing.holds.contains_key(hold) == (event == Event::HoldPlaced);
        let change = event.at(stamp.time).with("hold", hold).with("who", who).with("reason", reason);
        (!is_so).then_some(change)
    };
    let (head, said) = records::append(archive, key, trail, stamp, &record).await?;
    Ok(if said { Change::Recorded(head.body.number) } else { Change::InForce })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retention(keep_days: Option<u64>, until: Option<i64>) -> Retention {
        Retention { keep_days, keep_until: until.map(|seconds| Timestamp::from_second(seconds).unwrap()) }
    }

    #[test]
    fn shorter_is_what_lets_something_go() {
        let now = Timestamp::from_second(100).unwrap();
        let for_ever = retention(None, None);
        for (after, before, shortens) in [
            (retention(Some(9), None), for_ever, true),
            (for_ever, retention(Some(9), Some(200)), false),
            (retention(Some(9), None), retention(Some(9), None), false),
            (retention(Some(8), None), retention(Some(9), None), true),
            (retention(Some(10), None), retention(Some(9), None), false),
            (retention(Some(10), None), retention(Some(9), Some(200)), true),
            (retention(Some(10), Some(199)), retention(Some(9), Some(200)), true),
            (retention(Some(9), Some(300)), retention(Some(9), Some(200)), false),
            // It has passed already.
            (retention(Some(9), None), retention(Some(9), Some(100)), false),
        ] {
            assert_eq!(after.shortens(&before, now), shortens, "{after:?} after {before:?}");
        }
    }

    #[test]
    fn the_later_of_both_ends_counts() {
        let end = |retention: Retention| retention.end(Timestamp::UNIX_EPOCH).map(Timestamp::as_second);
        assert_eq!(end(retention(None, Some(5))), None);
        assert_eq!(end(retention(Some(1), None)), Some(86_400));
        assert_eq!(end(retention(Some(1), Some(86_399))), Some(86_400));
        assert_eq!(end(retention(Some(1), Some(86_401))), Some(86_401));
        assert_eq!(end(retention(Some(u64::MAX), None)), None);
    }
}
