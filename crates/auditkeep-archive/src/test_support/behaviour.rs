//! What the archive relies on in a store, as functions that panic when it is not so. Each of them takes an empty place.
//!
//! They go through `Archive` where that has a way, and else through the store, as the archive does.

use std::sync::Arc;

use auditkeep_core::integrity::hash::Sha256;
use bytes::Bytes;
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, Result};

use super::building::{PREFIX, TRAIL, addition, archive, key, segment_of};
use crate::archive::{ArchiveError, PutNew};
use crate::layout::{self, GenerationPrefix};
use crate::segment::{self, MAX_RAW_BYTES};
use crate::trail::{self, Append};
use crate::verify::verify;

const WRITERS: usize = 16;
const APPENDERS: usize = 4;
const COMMITS_EACH: usize = 3;
/// More than S3 lists in one answer.
const MANY: u64 = 1_050;
/// Requests at the same time where many objects are made.
const AT_ONCE: usize = 32;

/// One test for each behaviour. The argument is an async function that gives an empty place: a store, and what has to be kept
/// as long as it is used.
#[macro_export]
macro_rules! store_behaviours {
    ($empty_place:path) => {
        $crate::store_behaviours! { $empty_place =>
            of_many_creators_one_wins
            a_taken_name_gives_what_is_there
            what_is_missing_is_not_found
            names_are_listed_as_they_were_put
            more_objects_than_one_answer_holds_are_listed
            the_largest_segment_comes_back_whole
            an_empty_object_is_an_object
            racing_appenders_make_one_trail
        }
    };
    ($empty_place:path => $($behaviour:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $behaviour() {
                let (store, _kept) = $empty_place().await;
                $crate::test_support::behaviour::$behaviour(store).await;
            }
        )+
    };
}

/// Tries to create an object, as `Archive` does.
pub async fn create(store: &Arc<dyn ObjectStore>, path: &Path, bytes: impl Into<Bytes>) -> Result<()> {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    store.put_opts(path, bytes.into().into(), options).await.map(drop)
}

/// The numbers of those who created an object, of many who try at the same time, each with other bytes.
pub async fn creators(store: &Arc<dyn ObjectStore>, path: &Path) -> Vec<usize> {
    let writers = (0..WRITERS).map(|writer| {
        let (store, path) = (Arc::clone(store), path.clone());
        tokio::spawn(async move { (writer, create(&store, &path, format!("writer {writer}")).await) })
    });
    let mut winners = Vec::new();
    for done in join_all(writers).await {
        match done.unwrap() {
            (writer, Ok(())) => winners.push(writer),
            (_, Err(Error::AlreadyExists { .. })) => {}
            (writer, Err(error)) => panic!("writer {writer}: {error}"),
        }
    }
    winners
}

pub async fn of_many_creators_one_wins(store: Arc<dyn ObjectStore>) {
    for number in 1..=10 {
        let path = layout::commit(TRAIL, number);
        let winners = creators(&store, &path).await;
        assert_eq!(
            winners.len(),
            1,
            "of {WRITERS} who created {path}, these were told that they did: {winners:?}"
        );
        assert_eq!(read(&store, &path).await, format!("writer {}", winners[0]));
    }
}

pub async fn a_taken_name_gives_what_is_there(store: Arc<dyn ObjectStore>) {
    let archive = archive(store).await;
    let path = layout::commit(TRAIL, 1);
    let (one, other) = (Bytes::from_static(b"one"), Bytes::from_static(b"other"));
    assert_eq!(archive.put_new(&path, one.clone()).await.unwrap(), PutNew::Created);
    for tried in [&one, &other] {
        let found = archive.put_new(&path, tried.clone()).await.unwrap();
        assert_eq!(found, PutNew::Taken(one.clone()));
    }
    assert_eq!(archive.get(&path).await.unwrap(), one);
    let again = super::building::create(archive.store().clone()).await;
    assert!(matches!(again, Err(ArchiveError::Exists)), "{again:?}");
}

pub async fn what_is_missing_is_not_found(store: Arc<dyn ObjectStore>) {
    let path = layout::commit(TRAIL, 1);
    let missing = store.get(&path).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "{missing:?}");
    let nothing: Vec<ObjectMeta> = store.list(Some(&layout::raw())).try_collect().await.unwrap();
    assert!(nothing.is_empty(), "{nothing:?}");
    assert!(after(&store, &layout::commits(TRAIL), &path).await.is_empty());
    let archive = archive(store).await;
    assert_eq!(archive.find(&path).await.unwrap(), None);
    assert!(trail::head(&archive, TRAIL).await.unwrap().is_none());
    assert!(archive.trails().await.unwrap().is_empty());
}

pub async fn names_are_listed_as_they_were_put(store: Arc<dyn ObjectStore>) {
    let odd = layout::trail_id("123456789012", "eu-central-1", "db-A/b=c é", "import");
    let segment = GenerationPrefix {
        account: "123456789012",
        region: "eu-central-1",
        resource_id: "db-A",
        day: "2026/11/21",
        log: "audit/server_audit.log+a b~é%2F",
        generation: "0123456789abcdef",
    };
    let segment = Path::from(segment.segment(0, 9, &Sha256::of(b"x")));
    let plain = layout::trail_id("123456789012", "eu-central-1", "db-A", "log-files");
    let commits: Vec<Path> = (1..=3).map(|number| layout::commit(&odd, number)).collect();
    let mut all = vec![segment.clone(), layout::head(&odd), layout::commit(&plain, 1), layout::manifest()];
    all.extend(commits.clone());
    for path in &all {
        create(&store, path, path.to_string()).await.unwrap();
    }

    let mut listed = names(store.list(None).try_collect().await.unwrap());
    all.sort();
    listed.sort();
    assert_eq!(listed, all);
    for path in &all {
        assert_eq!(read(&store, path).await, path.to_string());
    }
    assert_eq!(names(store.list(Some(&layout::raw())).try_collect().await.unwrap()), [segment]);
    for (number, commit) in commits.iter().enumerate() {
        assert_eq!(after(&store, &layout::commits(&odd), commit).await, commits[number + 1..]);
    }
    let beside = store.list_with_delimiter(Some(&layout::trails())).await.unwrap();
    assert_eq!(beside.common_prefixes, [layout::trail(&plain), layout::trail(&odd)]);
    assert!(beside.objects.is_empty(), "{:?}", beside.objects);
    let below = store.list_with_delimiter(Some(&layout::trail(&odd))).await.unwrap();
    assert_eq!(below.common_prefixes, [layout::commits(&odd)]);
    assert_eq!(names(below.objects), [layout::head(&odd)]);
}

pub async fn more_objects_than_one_answer_holds_are_listed(store: Arc<dyn ObjectStore>) {
    let puts = stream::iter(1..=MANY).map(|number| {
        let store = Arc::clone(&store);
        async move { create(&store, &layout::commit(TRAIL, number), "{}").await }
    });
    puts.buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await.unwrap();
    let commits = layout::commits(TRAIL);
    let all: Vec<Path> = (1..=MANY).map(|number| layout::commit(TRAIL, number)).collect();
    let mut listed = names(store.list(Some(&commits)).try_collect().await.unwrap());
    listed.sort();
    assert!(listed == all, "{} of {MANY} are listed", listed.len());
    for last in [0, 7, MANY - 20, MANY] {
        let rest = after(&store, &commits, &layout::commit(TRAIL, last)).await;
        assert!(rest == all[usize::try_from(last).unwrap()..], "{} after {last}", rest.len());
    }
    let beside = store.list_with_delimiter(Some(&commits)).await.unwrap();
    assert_eq!((beside.objects.len() as u64, beside.common_prefixes.len()), (MANY, 0));
}

/// As many bytes as a segment may hold, which no compression makes less.
pub fn incompressible() -> Vec<u8> {
    let mut raw = vec![0; usize::try_from(MAX_RAW_BYTES).unwrap()];
    aws_lc_rs::rand::fill(&mut raw).unwrap();
    raw
}

pub async fn the_largest_segment_comes_back_whole(store: Arc<dyn ObjectStore>) {
    let archive = archive(store).await;
    let raw = incompressible();
    let made = segment_of(0, &raw).await;
    assert!(made.object.len() as u64 > MAX_RAW_BYTES);
    let stored = segment::store(&archive, &PREFIX, made.clone()).await.unwrap();
    let path = Path::from(stored.name.as_str());
    assert!(archive.get(&path).await.unwrap() == made.object);
    assert_eq!(archive.store().head(&path).await.unwrap().size, stored.object_size);
    // Whoever comes again finds that it is there, reads it, and has the same to say.
    assert_eq!(segment::store(&archive, &PREFIX, made).await.unwrap(), stored);
    let shorter = archive.get_at_most(&path, stored.object_size - 1).await;
    assert!(matches!(shorter, Err(ArchiveError::Damaged { .. })), "it was read beyond the limit");
}

pub async fn an_empty_object_is_an_object(store: Arc<dyn ObjectStore>) {
    let path = layout::commit(TRAIL, 1);
    create(&store, &path, "").await.unwrap();
    assert_eq!(read(&store, &path).await, "");
    assert_eq!(store.head(&path).await.unwrap().size, 0);
    let again = create(&store, &path, "").await;
    assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
    assert_eq!(names(store.list(None).try_collect().await.unwrap()), [path]);
}

pub async fn racing_appenders_make_one_trail(store: Arc<dyn ObjectStore>) {
    let archive = archive(store).await;
    let appenders = (0..APPENDERS).map(|appender| {
        let archive = archive.clone();
        tokio::spawn(async move {
            let mut done = 0;
            while done < COMMITS_EACH {
                let head = trail::head(&archive, TRAIL).await.unwrap();
                let raw = format!("appender {appender}, commit {done}\n");
                let addition = addition(&archive, head.as_ref(), raw.as_bytes()).await;
                match trail::append(&archive, &key(1), TRAIL, head.as_ref(), addition).await.unwrap() {
                    Append::Done(_) => done += 1,
                    Append::Overtaken(_) => {}
                }
            }
        })
    });
    for appender in join_all(appenders).await {
        appender.unwrap();
    }
    // Segments of those who were overtaken stay behind as extra; everything named is whole.
    let report = verify(&archive, &[key(1).public().clone()], &|_| {}).await.unwrap();
    assert!(report.holds(false), "{:?}", report.findings);
    let commits = (APPENDERS * COMMITS_EACH) as u64;
    assert_eq!((report.trails, report.commits, report.segments), (1, commits, commits));
}

async fn read(store: &Arc<dyn ObjectStore>, path: &Path) -> Bytes {
    store.get(path).await.unwrap().bytes().await.unwrap()
}

/// The names below a prefix that come after another one, in their order.
async fn after(store: &Arc<dyn ObjectStore>, prefix: &Path, offset: &Path) -> Vec<Path> {
    let mut listed = names(store.list_with_offset(Some(prefix), offset).try_collect().await.unwrap());
    listed.sort();
    listed
}

fn names(objects: Vec<ObjectMeta>) -> Vec<Path> {
    objects.into_iter().map(|object| object.location).collect()
}
