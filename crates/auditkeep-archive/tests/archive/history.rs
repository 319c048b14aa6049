//! Archives that have grown over some days, and what is on record in them.

use auditkeep_archive::archive::Archive;
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::records;
use auditkeep_archive::trail::{self, Append, Head, Stamp};
use auditkeep_archive::verify::{Verdict, verify};
use futures::TryStreamExt;
use jiff::Timestamp;

use crate::building::{TRAIL, addition, key};

/// So many days after 1970-01-01.
pub fn day(number: i64) -> Timestamp {
    Timestamp::from_second(number * 24 * 60 * 60).unwrap()
}

pub fn stamp(number: i64) -> Stamp {
    Stamp { time: day(number), writer: "test".to_owned() }
}

/// Appends a commit of that day to the trail; the last record of its bytes may go on in the next one.
pub async fn append_on(archive: &Archive, number: i64, raw: &[u8], goes_on: bool) -> Head {
    let head = trail::head(archive, TRAIL).await.unwrap();
    let mut addition = addition(archive, head.as_ref(), raw).await;
    addition.stamp = stamp(number);
    let Some(Leaf::Segment(leaf)) = addition.leaves.last_mut() else { panic!("no segment") };
    let cursor = addition.cursors.values_mut().next().unwrap();
    if goes_on {
        leaf.complete_to = leaf.to - 1;
        cursor.complete_to = leaf.to - 1;
        cursor.unfinished = vec![leaf.clone()];
    }
    match trail::append(archive, &key(1), TRAIL, head.as_ref(), addition).await.unwrap() {
        Append::Done(head) => head,
        Append::Overtaken(head) => panic!("overtaken by {}", head.body.number),
    }
}

/// All records of these trails, as `event` or `seal`, with their commits.
pub async fn records_of(archive: &Archive, trails: &[&str]) -> Vec<(u64, String)> {
    let trails: Vec<String> = trails.iter().map(|trail| (*trail).to_owned()).collect();
    let merged = records::merged(archive, &trails).await.unwrap();
    let records: Vec<_> = merged.try_collect().await.unwrap();
    let name = |leaf: &Leaf| leaf.control().map_or("seal".to_owned(), |leaf| leaf.event.clone());
    records.into_iter().map(|record| (record.commit, name(&record.leaf))).collect()
}

/// What verification under the keys of these seeds finds.
pub async fn findings(archive: &Archive, seeds: &[u8]) -> Vec<(Verdict, String)> {
    let keys: Vec<_> = seeds.iter().map(|seed| key(*seed).public().clone()).collect();
    let report = verify(archive, &keys, &|_| {}).await.unwrap();
    report.findings.into_iter().map(|finding| (finding.verdict, finding.object)).collect()
}
