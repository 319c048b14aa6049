//! The segments that commits name: there, of the right size, and of the right bytes; and what lies beside them.

use std::collections::HashMap;

use futures::StreamExt;
use futures::TryStreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use object_store::path::Path;

use super::{Depth, Report, Verdict, VerifyError, describe};
use crate::archive::{Archive, ArchiveError, failed, is_missing};
use crate::layout;
use crate::leaf::SegmentLeaf;
use crate::segment;
use crate::spill::{self, PARTITIONS, Spill};

/// Segments that are fetched and hashed at the same time; each takes one as it is stored, and a frame of raw bytes.
const CONCURRENT: usize = 4;

type Checked = Result<(SegmentLeaf, Option<(Verdict, String)>), ArchiveError>;

pub(super) struct Segments {
    depth: Depth,
    /// By name: whether it must be there, its size, and the name.
    named: Spill,
    /// By name: its size, and the name.
    listed: Spill,
    was_listed: bool,
    under_way: FuturesUnordered<BoxFuture<'static, Checked>>,
}

/// What a commit's segment is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Demanded,
    /// Its retention is over, and it may have been given up.
    Expired,
}

impl Segments {
    pub(super) fn new(depth: Depth) -> Self {
        Self {
            depth,
            named: Spill::default(),
            listed: Spill::default(),
            was_listed: false,
            under_way: FuturesUnordered::new(),
        }
    }

    /// Takes a segment that a believed commit names.
    pub(super) async fn name(
        &mut self,
        archive: &Archive,
        leaf: &SegmentLeaf,
        presence: Presence,
        report: &mut Report,
    ) -> Result<(), VerifyError> {
        let demanded = u8::from(presence == Presence::Demanded);
        let fact = [&[demanded][..], &leaf.object_size.to_be_bytes(), leaf.object.as_bytes()].concat();
        self.named.add(&leaf.object, &fact)?;
        if presence == Presence::Expired {
            return Ok(());
        }
        report.segments += 1;
        if self.depth == Depth::Shallow {
            report.raw_bytes += leaf.to.saturating_sub(leaf.from);
            return Ok(());
        }
        self.settle(CONCURRENT - 1, report).await?;
        self.under_way.push(Box::pin(check(archive.clone(), leaf.clone())));
        Ok(())
    }

    /// Waits until at most so many checks are under way.
    async fn settle(&mut self, at_most: usize, report: &mut Report) -> Result<(), VerifyError> {
        while self.under_way.len() > at_most {
            let Some(checked) = self.under_way.next().await else { break };
            match checked? {
                (leaf, None) => report.raw_bytes += leaf.to - leaf.from,
                (leaf, Some((verdict, detail))) => report.add(verdict, leaf.object, detail),
            }
        }
        Ok(())
    }

    pub(super) async fn finish(&mut self, report: &mut Report) -> Result<(), VerifyError> {
        self.settle(0, report).await
    }

    /// Lists what is there.
    pub(super) async fn list(&mut self, archive: &Archive) -> Result<(), VerifyError> {
        let raw = layout::raw();
        let mut listed = archive.list(&raw);
        while let Some(object) = listed.try_next().await.map_err(|cause| failed("listing", &raw, cause))? {
            let name = object.location.to_string();
            let fact = [&object.size.to_be_bytes()[..], name.as_bytes()].concat();
            self.listed.add(&name, &fact)?;
        }
        self.was_listed = true;
        Ok(())
    }

    /// Compares what is named with what is listed. Without a list there is nothing to compare.
    pub(super) fn compare(&mut self, report: &mut Report) -> Result<(), VerifyError> {
        if self.was_listed {
            for partition in 0..PARTITIONS {
                self.compare_partition(partition, report)?;
            }
        }
        Ok(())
    }

    fn compare_partition(&mut self, partition: usize, report: &mut Report) -> Result<(), VerifyError> {
        let mut named: HashMap<spill::Key, Named> = HashMap::new();
        self.named.read(partition, |key, fact| {
            if let Some((demanded, size, _)) = parse_named(fact) {
                // Where two commits name one object, one that demands it is enough, and both may state its size.
                let known = named.entry(key).or_insert(Named { sizes: Vec::new(), is_listed: false });
                // Of what is given up nothing is looked at, if it is there still.
                known.sizes.extend(demanded.then_some(size));
            }
        })?;
        let shallow = self.depth == Depth::Shallow;
        self.listed.read(partition, |key, fact| {
            let Some((size, name)) = parse_listed(fact) else { return };
            match named.get_mut(&key) {
                None => report.add(Verdict::Extra, name, "no believable commit names it"),
                Some(named) => {
                    named.is_listed = true;
                    if let Some(stated) = named.sizes.iter().find(|stated| shallow && **stated != size) {
                        let detail = format!("it has {size} bytes instead of {stated}");
                        report.add(Verdict::Modified, name, detail);
                    }
                }
            }
        })?;
        if !shallow {
            // What is missing was noticed when it was to be read.
            return Ok(());
        }
        self.named.read(partition, |key, fact| {
            let Some((_, _, name)) = parse_named(fact) else { return };
            if named.remove(&key).is_some_and(|named| !named.sizes.is_empty() && !named.is_listed) {
                report.add(Verdict::Missing, name, NOT_THERE);
            }
        })?;
        Ok(())
    }
}

const NOT_THERE: &str = "a commit names it, and it is not there";

struct Named {
    /// As those commits state it that demand the object.
    sizes: Vec<u64>,
    is_listed: bool,
}

fn parse_named(fact: &[u8]) -> Option<(bool, u64, String)> {
    let (demanded, rest) = fact.split_first()?;
    let (size, name) = parse_listed(rest)?;
    Some((*demanded == 1, size, name))
}

fn parse_listed(fact: &[u8]) -> Option<(u64, String)> {
    let (size, name) = fact.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*size), String::from_utf8(name.to_vec()).ok()?))
}

async fn check(archive: Archive, leaf: SegmentLeaf) -> Checked {
    let object = match archive.get_at_most(&Path::from(leaf.object.as_str()), leaf.object_size).await {
        Ok(object) => object,
        Err(error) if is_missing(&error) => {
            return Ok((leaf, Some((Verdict::Missing, NOT_THERE.to_owned()))));
        }
        Err(error @ ArchiveError::Damaged { .. }) => {
            let detail = describe(&error);
            return Ok((leaf, Some((Verdict::Modified, detail))));
        }
        Err(error) => return Err(error),
    };
    // Hashing and decompressing would keep the other downloads waiting.
    let opened = tokio::task::spawn_blocking(move || {
        let damage = segment::check(&leaf, &object).err();
        (leaf, damage.map(|damage| (Verdict::Modified, damage.to_string())))
    });
    opened.await.map_err(|cause| ArchiveError::Store {
        operation: "checking",
        object: "a segment".to_owned(),
        cause: object_store::Error::JoinError { source: cause },
    })
}
