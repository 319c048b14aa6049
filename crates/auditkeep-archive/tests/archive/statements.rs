//! Retention, holds and reviews: recorded once, also when writes fail and processes die.

use std::sync::Arc;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::layout::JOURNAL;
use auditkeep_archive::retention::{self, Change, Reason, Retention};
use auditkeep_archive::review::{self, BadReview, Outcome, Review};
use auditkeep_archive::trail::{self, TrailError};
use object_store::ObjectStore;
use object_store::memory::InMemory;

use crate::building::{TRAIL, archive, key, with_commits};
use crate::crashes::each_fault;
use crate::history::{day, findings, records_of, stamp};

const WHO: Reason<'static> = Reason { who: "A. Auditor", reason: "case 7" };

async fn with_two(store: Arc<dyn ObjectStore>) {
    with_commits(store, 2).await;
}

fn days(keep_days: u64) -> Retention {
    Retention { keep_days: Some(keep_days), keep_until: None }
}

async fn set(archive: &Archive, on: i64, wanted: Retention, may_shorten: bool) -> Change {
    retention::set(archive, &key(1), TRAIL, &stamp(on), wanted, WHO, may_shorten).await.unwrap()
}

#[tokio::test]
async fn a_retention_is_set_once_and_shortened_on_purpose_only() {
    let archive = with_commits(Arc::new(InMemory::new()), 2).await;
    assert_eq!(set(&archive, 1, days(30), false).await, Change::Shortens(Retention::default()));
    assert_eq!(set(&archive, 1, days(30), true).await, Change::Recorded(3));
    assert_eq!(set(&archive, 2, days(30), false).await, Change::InForce);
    assert_eq!(set(&archive, 2, days(31), false).await, Change::Recorded(4));
    assert_eq!(set(&archive, 3, days(30), false).await, Change::Shortens(days(31)));
    let longer = Retention { keep_days: Some(31), keep_until: Some(day(99)) };
    assert_eq!(set(&archive, 3, longer, false).await, Change::Recorded(5));
    assert_eq!(set(&archive, 4, days(31), false).await, Change::Shortens(longer));
    assert_eq!(set(&archive, 4, Retention::default(), false).await, Change::Recorded(6));
    let standing = trail::head(&archive, TRAIL).await.unwrap().unwrap().body.standing();
    assert_eq!((standing.keep_days, standing.keep_until), (None, None));
    assert!(findings(&archive, &[1]).await.is_empty());
}

#[tokio::test]
async fn there_must_be_a_trail() {
    let archive = archive(Arc::new(InMemory::new())).await;
    let refused = retention::set(&archive, &key(1), TRAIL, &stamp(1), days(1), WHO, true).await;
    assert!(matches!(refused, Err(TrailError::NoTrail { .. })), "{refused:?}");
}

#[tokio::test]
async fn holds_are_placed_and_released_once() {
    let archive = with_commits(Arc::new(InMemory::new()), 1).await;
    let place =
        async |hold| retention::place_hold(&archive, &key(1), TRAIL, &stamp(1), hold, WHO).await.unwrap();
    let release =
        async |hold| retention::release_hold(&archive, &key(1), TRAIL, &stamp(1), hold, WHO).await.unwrap();
    assert_eq!(release("suit").await, Change::InForce);
    assert_eq!((place("suit").await, place("suit").await), (Change::Recorded(2), Change::InForce));
    assert_eq!(place("audit").await, Change::Recorded(3));
    assert_eq!((release("suit").await, release("suit").await), (Change::Recorded(4), Change::InForce));
    let standing = trail::head(&archive, TRAIL).await.unwrap().unwrap().body.standing();
    assert_eq!(standing.holds.into_iter().collect::<Vec<_>>(), [("audit".to_owned(), 3)]);
}

#[tokio::test]
async fn whatever_goes_wrong_a_change_is_recorded_once() {
    let work = async |store: Arc<dyn ObjectStore>| {
        let archive = Archive::open(store).await?;
        retention::set(&archive, &key(1), TRAIL, &stamp(1), days(30), WHO, true).await?;
        retention::place_hold(&archive, &key(1), TRAIL, &stamp(1), "suit", WHO).await.map(drop)
    };
    let check = async |store: Arc<dyn ObjectStore>, about: &str| {
        let archive = Archive::open(store).await.unwrap();
        let expected = [(1, "source-started"), (3, "retention-set"), (4, "hold-placed")];
        let expected = expected.map(|(commit, event)| (commit, event.to_owned()));
        assert_eq!(records_of(&archive, &[TRAIL]).await, expected, "{about}");
        assert!(findings(&archive, &[1]).await.is_empty(), "{about}");
    };
    each_fault(with_two, work, check).await;
}

fn november(outcome: Outcome, exceptions: &[&str]) -> Result<Review, BadReview> {
    let exceptions = exceptions.iter().map(|text| (*text).to_owned()).collect();
    Review::new("A. Auditor".to_owned(), "shop-*".to_owned(), (day(3), day(9)), outcome, exceptions)
}

#[test]
fn a_review_must_make_sense() {
    assert!(november(Outcome::Accepted, &[]).is_ok());
    assert!(november(Outcome::WithExceptions, &["one", "two"]).is_ok());
    assert_eq!(november(Outcome::Accepted, &["one"]).unwrap_err(), BadReview::Exceptions);
    for outcome in [Outcome::Rejected, Outcome::WithExceptions] {
        assert_eq!(november(outcome, &[]).unwrap_err(), BadReview::NoExceptions(outcome));
    }
    assert_eq!(november(Outcome::Rejected, &["a\nb"]).unwrap_err(), BadReview::NotALine);
    let nothing = Review::new(String::new(), String::new(), (day(3), day(3)), Outcome::Accepted, Vec::new());
    assert_eq!(nothing.unwrap_err(), BadReview::NoTime);
}

#[tokio::test]
async fn whatever_goes_wrong_a_review_is_recorded_once() {
    let review = november(Outcome::WithExceptions, &["two logins at night", "no ticket"]).unwrap();
    let work = async |store: Arc<dyn ObjectStore>| {
        let archive = Archive::open(store).await?;
        review::record(&archive, &key(1), &stamp(10), &review).await.map(drop)
    };
    let check = async |store: Arc<dyn ObjectStore>, about: &str| {
        let archive = Archive::open(store).await.unwrap();
        let expected = [(1, "archive-created".to_owned()), (2, "review".to_owned())];
        assert_eq!(records_of(&archive, &[JOURNAL]).await, expected, "{about}");
        let again = review::record(&archive, &key(1), &stamp(11), &review).await.unwrap();
        assert_eq!(again, review::Recorded { commit: 2, before: true }, "{about}");
        assert!(findings(&archive, &[1]).await.is_empty(), "{about}");
    };
    each_fault(with_two, work, check).await;
}
