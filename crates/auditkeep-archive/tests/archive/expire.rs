//! Giving up: first the record, then the segments, and whatever goes wrong the same in the end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use auditkeep_archive::archive::Archive;
use auditkeep_archive::expire::{self, Done, ExpireError, Plan, Stays};
use auditkeep_archive::layout;
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::retention::{self, Reason, Retention};
use auditkeep_archive::trail::{self, Addition, Append};
use auditkeep_archive::verify::Verdict;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::building::{TRAIL, addition, archive, key};
use crate::crashes::each_fault;
use crate::history::{append_on, day, findings, records_of, stamp};

const WHO: Reason<'static> = Reason { who: "A. Auditor", reason: "as the policy says" };

/// Commits 1 to 5 of days 1 to 5, with a record that begins in the second and ends in the third; commit 6 keeps all for ten days.
async fn grown(store: Arc<dyn ObjectStore>) -> Archive {
    let archive = archive(store).await;
    for number in 1..=5 {
        append_on(&archive, number, format!("record {number}\n").as_bytes(), number == 2).await;
    }
    let ten_days = Retention { keep_days: Some(10), keep_until: None };
    retention::set(&archive, &key(1), TRAIL, &stamp(5), ten_days, WHO, true).await.unwrap();
    archive
}

async fn new() -> (Arc<dyn ObjectStore>, Archive) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    (store.clone(), grown(store).await)
}

async fn plan(archive: &Archive, on: i64) -> Plan {
    expire::plan(archive, TRAIL, day(on)).await.unwrap()
}

async fn expire_on(archive: &Archive, on: i64) -> std::result::Result<Done, ExpireError> {
    let plan = expire::plan(archive, TRAIL, day(on)).await?;
    expire::carry_out(archive, &key(1), &stamp(on), &plan, "operator").await
}

/// The numbers of the commits whose segments are stored.
async fn stored(archive: &Archive) -> Vec<u64> {
    let listed: Vec<ObjectMeta> = archive.list(&layout::raw()).try_collect().await.unwrap();
    let names: Vec<String> = listed.into_iter().map(|object| object.location.to_string()).collect();
    let mut numbers = Vec::new();
    let mut number = 1;
    while let Some(head) = trail::read(archive, TRAIL, number).await.unwrap() {
        let mut segments = head.body.leaves.iter().filter_map(Leaf::segment);
        if segments.any(|leaf| names.contains(&leaf.object)) {
            numbers.push(number);
        }
        number += 1;
    }
    numbers
}

/// How many records say that something was given up.
async fn expired_records(archive: &Archive) -> usize {
    records_of(archive, &[TRAIL]).await.iter().filter(|(_, event)| event == "expired").count()
}

/// Only that something was given up is said of it.
async fn assert_expired_only(archive: &Archive, about: &str) {
    assert_eq!(findings(archive, &[1]).await, [(Verdict::Expired, format!("trails/{TRAIL}"))], "{about}");
}

#[tokio::test]
async fn a_plan_says_what_can_go_and_why_the_rest_stays() {
    let (_, archive) = new().await;
    let early = plan(&archive, 10).await;
    assert!(!early.has_something());
    assert_eq!(early.stays, Some(Stays::Until { commit: 1, time: day(11) }));
    let some = plan(&archive, 13).await;
    assert_eq!((some.before, some.through, some.segments, some.raw_bytes), (0, 3, 3, 27));
    assert_eq!((some.oldest, some.newest), (Some(day(1)), Some(day(3))));
    assert_eq!(some.stays, Some(Stays::Until { commit: 4, time: day(14) }));
    // The second holds the beginning of a record that ends in the third.
    assert_eq!((plan(&archive, 12).await.through, plan(&archive, 12).await.segments), (2, 1));
    // Records alone are nothing to give up.
    let all = plan(&archive, 99).await;
    assert_eq!((all.through, all.segments, all.stays), (5, 5, None));

    retention::place_hold(&archive, &key(1), TRAIL, &stamp(6), "suit", WHO).await.unwrap();
    assert_eq!(plan(&archive, 99).await.stays, Some(Stays::Held(vec!["suit".to_owned()])));
    retention::release_hold(&archive, &key(1), TRAIL, &stamp(6), "suit", WHO).await.unwrap();
    let until = Retention { keep_days: Some(10), keep_until: Some(day(50)) };
    retention::set(&archive, &key(1), TRAIL, &stamp(6), until, WHO, false).await.unwrap();
    assert_eq!(plan(&archive, 49).await.stays, Some(Stays::Until { commit: 1, time: day(50) }));
    retention::set(&archive, &key(1), TRAIL, &stamp(6), Retention::default(), WHO, false).await.unwrap();
    let for_ever = plan(&archive, 99).await;
    assert_eq!((for_ever.segments, for_ever.stays), (0, Some(Stays::ForEver)));
    assert_eq!(stored(&archive).await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn only_what_is_over_goes_and_only_once() {
    let (_, archive) = new().await;
    let done = expire_on(&archive, 12).await.unwrap();
    assert_eq!((done.record, done.deleted.segments), (Some(7), 1));
    assert_eq!(stored(&archive).await, [2, 3, 4, 5], "the beginning of a record that goes on is kept");
    assert_expired_only(&archive, "once").await;
    let again = expire_on(&archive, 12).await.unwrap();
    assert_eq!((again.record, again.deleted.segments, again.finished.segments), (None, 0, 0));

    let more = expire_on(&archive, 14).await.unwrap();
    assert_eq!((more.record, more.deleted.segments), (Some(8), 3), "with the one that was kept");
    let head = trail::head(&archive, TRAIL).await.unwrap().unwrap().body;
    let expired = head.leaves.iter().find_map(Leaf::control).unwrap();
    let detail = |name| expired.text(name).unwrap();
    assert_eq!((detail("through"), detail("segments"), detail("raw_bytes")), ("4", "3", "27"));
    assert_eq!(detail("who"), "operator");
    assert_eq!(stored(&archive).await, [5]);
    assert_expired_only(&archive, "twice").await;
}

#[tokio::test]
async fn whatever_goes_wrong_the_same_is_gone_in_the_end() {
    for on in [12, 14, 99] {
        let prepare = async |store: Arc<dyn ObjectStore>| drop(grown(store).await);
        let work = async |store: Arc<dyn ObjectStore>| {
            let archive = Archive::open(store).await?;
            let done = expire_on(&archive, on).await?;
            assert!(done.failures().count() <= 1);
            Ok::<_, ExpireError>(())
        };
        let check = async |store: Arc<dyn ObjectStore>, about: &str| {
            let archive = Archive::open(store).await.unwrap();
            let expected: &[u64] = match on {
                12 => &[2, 3, 4, 5],
                14 => &[5],
                _ => &[],
            };
            assert_eq!(stored(&archive).await, expected, "{about}");
            assert_eq!(expired_records(&archive).await, 1, "{about}");
            assert_expired_only(&archive, about).await;
        };
        each_fault(prepare, work, check).await;
    }
}

#[tokio::test]
async fn a_crash_between_two_expiries_leaves_nothing() {
    let prepare = async |store: Arc<dyn ObjectStore>| {
        let archive = grown(store).await;
        expire_on(&archive, 11).await.unwrap();
    };
    let work = async |store: Arc<dyn ObjectStore>| {
        let archive = Archive::open(store).await?;
        expire_on(&archive, 12).await?;
        expire_on(&archive, 13).await.map(drop)
    };
    let check = async |store: Arc<dyn ObjectStore>, about: &str| {
        let archive = Archive::open(store).await.unwrap();
        assert_eq!(stored(&archive).await, [4, 5], "{about}");
        assert_expired_only(&archive, about).await;
    };
    each_fault(prepare, work, check).await;
}

#[tokio::test]
async fn what_has_changed_since_the_plan_counts() {
    let (_, archive) = new().await;
    let plan = plan(&archive, 99).await;
    retention::place_hold(&archive, &key(1), TRAIL, &stamp(98), "suit", WHO).await.unwrap();
    let done = expire::carry_out(&archive, &key(1), &stamp(99), &plan, "operator").await.unwrap();
    assert_eq!((done.record, done.deleted.segments), (None, 0));
    assert_eq!(stored(&archive).await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn what_a_later_commit_names_too_stays() {
    let (_, archive) = new().await;
    // The file was forgotten, and is seen again: the same bytes under the same name.
    let mut forgotten = trail::head(&archive, TRAIL).await.unwrap().unwrap();
    forgotten.body.cursors.clear();
    let mut again = addition(&archive, Some(&forgotten), b"record 1\n").await;
    again.stamp.time = day(6);
    let last = trail::head(&archive, TRAIL).await.unwrap();
    let nothing = Addition { cursors: BTreeMap::new(), leaves: Vec::new(), ..again.clone() };
    let Append::Done(head) = trail::append(&archive, &key(1), TRAIL, last.as_ref(), nothing).await.unwrap()
    else {
        panic!("overtaken")
    };
    trail::append(&archive, &key(1), TRAIL, Some(&head), again).await.unwrap();
    let done = expire_on(&archive, 13).await.unwrap();
    assert_eq!(done.deleted.segments, 2);
    assert_eq!(stored(&archive).await, [1, 4, 5, 8]);
    assert_expired_only(&archive, "seen again").await;
}

/// Deletes nothing that has this in its name.
#[derive(Debug)]
struct Stubborn {
    inner: Arc<dyn ObjectStore>,
    part: String,
}

#[tokio::test]
async fn one_that_cannot_be_deleted_does_not_stop_the_others() {
    let (inner, archive) = new().await;
    let second = trail::read(&archive, TRAIL, 1).await.unwrap().unwrap().body;
    let part = second.leaves.iter().find_map(Leaf::segment).unwrap().object.clone();
    let store: Arc<dyn ObjectStore> = Arc::new(Stubborn { inner: inner.clone(), part: part.clone() });
    let stubborn = Archive::open(store).await.unwrap();
    let done = expire_on(&stubborn, 13).await.unwrap();
    assert_eq!((done.record, done.deleted.segments), (Some(7), 2));
    let failures: Vec<_> = done.failures().collect();
    assert_eq!((failures.len(), &failures[0].object), (1, &part));
    assert!(failures[0].cause.contains("not allowed"), "{}", failures[0]);
    assert_eq!(stored(&archive).await, [1, 4, 5]);
    // Nothing more is given up before that is through.
    let again = expire_on(&stubborn, 14).await.unwrap();
    assert_eq!((again.record, again.failures().count()), (None, 1));
    let works = expire_on(&archive, 14).await.unwrap();
    assert_eq!((works.finished.segments, works.record, works.deleted.segments), (1, Some(8), 1));
    assert_eq!(stored(&archive).await, [5]);
    assert_expired_only(&archive, "in the end").await;
}

impl fmt::Display for Stubborn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "stubborn {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Stubborn {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let part = self.part.clone();
        let locations = locations.map(move |location| match location {
            Ok(location) if location.as_ref().contains(&part) => {
                Err(Error::Generic { store: "stubborn", source: "that is not allowed".into() })
            }
            location => location,
        });
        let inner = Arc::clone(&self.inner);
        locations
            .then(move |location| {
                let inner = Arc::clone(&inner);
                async move {
                    let location = location?;
                    object_store::ObjectStoreExt::delete(&inner, &location).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
