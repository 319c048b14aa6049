//! The check of one trail, commit by commit; the journal is one of them, and says more.

use std::collections::{BTreeMap, HashSet};

use auditkeep_core::integrity::hash::Sha256;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::commit::{Past, believe, go_on};
use super::pins::Pinned;
use super::segments::Presence;
use super::{Check, Sealed, Verdict, VerifyError, describe};
use crate::archive::{ArchiveError, failed};
use crate::commit::{Body, Commit, Pin};
use crate::control::{ControlLeaf, Event};
use crate::expire;
use crate::journal;
use crate::layout::{self, JOURNAL};
use crate::leaf::{Leaf, SealLeaf};
use crate::standing::Standing;
use crate::trail;

/// Commits that are fetched ahead of the one that is checked.
const COMMITS_AHEAD: usize = 16;

/// A commit that is believed already, and after which a trail is checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) number: u64,
    pub(super) commit: Sha256,
}

/// What the walk over a trail remembers from one commit to the next, beside the past.
#[derive(Default)]
struct Walk {
    /// The highest commit whose segments have been given up, by the trail's last commit.
    expired_through: u64,
    /// Segments of those commits that must be there all the same.
    kept: HashSet<String>,
    /// After the last commit that is believed.
    last: Option<Standing>,
    /// What opened each gap says of it.
    gaps: BTreeMap<String, String>,
    expired: Option<(u64, ControlLeaf)>,
    journal: Option<Pin>,
    seal: Option<SealLeaf>,
}

/// The numbers of a trail's stored commits.
enum Numbers {
    /// All of them, from the first that is asked for.
    Through(u64),
    /// With holes.
    These(Vec<u64>),
}

impl Numbers {
    fn newest_first(&self, first: u64) -> Box<dyn Iterator<Item = u64> + Send + '_> {
        match self {
            Self::Through(last) => Box::new((first..=*last).rev()),
            Self::These(numbers) => Box::new(numbers.iter().rev().copied()),
        }
    }
}

impl Check<'_> {
    pub(super) async fn trail(&mut self, trail: &str, start: Option<&Start>) -> Result<(), VerifyError> {
        let (begin, mut past) = self.begin(trail, start).await?;
        let numbers = self.list_trail(trail, begin).await?;
        let last = match &numbers {
            Numbers::Through(last) => *last,
            Numbers::These(numbers) => numbers.last().copied().unwrap_or(begin),
        };
        self.last_numbers.insert(trail.to_owned(), last);
        let mut expected = begin + 1;
        let mut walk = self.expect_expired(trail, &numbers, expected).await?;
        walk.last = past.as_ref().filter(|_| begin > 0).map(|past| past.standing().clone());
        if trail == JOURNAL && begin > 0 {
            // The seal that an incremental verification begins with.
            let stored = self.stored(JOURNAL, begin).await?;
            walk.seal = stored.and_then(|(body, _)| journal::seal_of(&body.leaves).cloned());
        }
        let numbers: Box<dyn Iterator<Item = u64> + Send> = match numbers {
            Numbers::Through(last) => Box::new(expected..=last),
            Numbers::These(numbers) => Box::new(numbers.into_iter()),
        };
        let archive = self.archive;
        let mut commits = stream::iter(numbers)
            .map(|number| async move { (number, archive.get(&layout::commit(trail, number)).await) })
            .buffered(COMMITS_AHEAD);
        while let Some((number, bytes)) = commits.next().await {
            if number > expected {
                self.report_hole(trail, expected, number);
                past = None;
            }
            expected = number.saturating_add(1);
            past = self.commit(trail, number, bytes, past, &mut walk).await?;
        }
        self.end_of_trail(trail, &walk);
        Ok(())
    }

    /// A commit as it is stored, with its hash, whoever signed it; none if there is none that can be read.
    pub(super) async fn stored(
        &self,
        trail: &str,
        number: u64,
    ) -> Result<Option<(Body, Sha256)>, ArchiveError> {
        let path = layout::commit(trail, number);
        let Some(bytes) = self.archive.find(&path).await? else { return Ok(None) };
        let commit = Commit::read(path.as_ref(), &bytes).ok();
        Ok(commit.map(|commit| (commit.body, Sha256::of(&bytes))))
    }

    /// The number after which the trail is checked, and what is known there.
    async fn begin(
        &mut self,
        trail: &str,
        start: Option<&Start>,
    ) -> Result<(u64, Option<Past>), VerifyError> {
        let Some(start) = start else { return Ok((0, Some(Past::start()))) };
        self.pins.pin(trail, start.number, Pinned::commit(start.commit))?;
        let stored = self.stored(trail, start.number).await?.filter(|(_, hash)| *hash == start.commit);
        // If it is gone or another one, its pin says so in the end, and nothing is believed of the trail.
        let Some((body, _)) = stored else { return Ok((0, Some(Past::start()))) };
        self.pins.begin(trail, start.number, start.commit, &body)?;
        Ok((start.number, Some(Past::of(&body, start.commit))))
    }

    /// Reports what is none of the trail's own, and finds out which commits above `begin` are stored.
    async fn list_trail(&mut self, trail: &str, begin: u64) -> Result<Numbers, ArchiveError> {
        let (prefix, head) = (layout::trail(trail), layout::head(trail));
        let (mut count, mut last) = (0, 0);
        let mut listed = self.archive.list(&prefix);
        while let Some(object) = listed.try_next().await.map_err(|cause| failed("listing", &prefix, cause))? {
            let path = object.location;
            let number = path.filename().and_then(layout::commit_number);
            match number.filter(|number| *number > 0 && layout::commit(trail, *number) == path) {
                Some(number) => {
                    count += u64::from(number > begin);
                    last = number.max(last);
                }
                None if path == head => {}
                None => self.report.add(Verdict::Extra, path.to_string(), "it is no object of a trail"),
            }
        }
        if last.saturating_sub(begin) == count {
            return Ok(Numbers::Through(last));
        }
        Ok(Numbers::These(self.archive.commit_numbers(trail, begin).await?))
    }

    fn report_hole(&mut self, trail: &str, from: u64, to: u64) {
        let detail = match to - from {
            1 => "later commits are there".to_owned(),
            missing => format!("it and the {} after it; later commits are there", missing - 1),
        };
        self.report.add(Verdict::Missing, layout::commit(trail, from).to_string(), detail);
    }

    /// Which segments may be absent, by the last commit that can be believed; the walk then sees whether it is right.
    async fn expect_expired(&self, trail: &str, numbers: &Numbers, first: u64) -> Result<Walk, VerifyError> {
        let mut walk = Walk::default();
        for number in numbers.newest_first(first) {
            if let Some(head) = trail::read_if_believed(self.archive, &self.keys, trail, number).await? {
                walk.expired_through = head.body.standing().expired_through;
                break;
            }
        }
        if walk.expired_through > 0 {
            let through = trail::read_if_believed(self.archive, &self.keys, trail, walk.expired_through);
            walk.kept = through.await?.map(|through| expire::kept(&through.body)).unwrap_or_default();
        }
        Ok(walk)
    }

    async fn commit(
        &mut self,
        trail: &str,
        number: u64,
        bytes: Result<Bytes, ArchiveError>,
        past: Option<Past>,
        walk: &mut Walk,
    ) -> Result<Option<Past>, VerifyError> {
        let path = layout::commit(trail, number);
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error @ ArchiveError::Damaged { .. }) => {
                self.report.add(Verdict::Modified, path.to_string(), describe(&error));
                self.pins.store(trail, number, Sha256([0; 32]), None)?;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let hash = Sha256::of(&bytes);
        let believed = believe(self.archive, &self.keys, (trail, number), &path, &bytes, &mut self.report)?;
        self.pins.store(trail, number, hash, believed.as_ref().map(|commit| &commit.body))?;
        let Some(Commit { body, .. }) = believed else { return Ok(None) };
        if let Some(past) = past.as_ref().filter(|past| body.previous == past.hash_before(body.number)) {
            self.check_expiry(&body, past).await?;
        }
        let is_known = past.is_some();
        let past = go_on(&path, &body, hash, past, &mut self.report);
        walk.last = Some(body.standing());
        if trail == JOURNAL && !is_known {
            // What a lost commit put in force or retired, this one's signer vouches for.
            self.take_keys(&body).await?;
        }
        self.learn(&body, walk).await?;
        self.name_segments(&body, walk).await?;
        match trail {
            JOURNAL => self.report.journal_commits += 1,
            _ => self.report.commits += 1,
        }
        (self.progress)(&self.report);
        Ok(Some(past))
    }

    /// What an expiry gave up must have been out of its retention then.
    async fn check_expiry(&mut self, body: &Body, past: &Past) -> Result<(), VerifyError> {
        for leaf in body.leaves.iter().filter_map(Leaf::control).filter(|leaf| leaf.is(Event::Expired)) {
            // A leaf that lacks what it needs gives nothing up.
            let Some(through) = leaf.number("through") else { continue };
            let commit = trail::read_if_believed(self.archive, &self.keys, &body.trail, through).await?;
            let committed = commit.filter(|_| through < body.number).map(|head| head.body.time);
            if !committed.is_some_and(|committed| expire::may_expire(past.standing(), committed, leaf.time)) {
                let detail = "it gives segments up whose retention was not over";
                self.report.add(
                    Verdict::Missing,
                    layout::commit(&body.trail, body.number).to_string(),
                    detail,
                );
            }
        }
        Ok(())
    }

    /// What a commit says of keys, of other trails, and of gaps.
    async fn learn(&mut self, body: &Body, walk: &mut Walk) -> Result<(), VerifyError> {
        if let Some(pin) = body.journal.filter(|pin| walk.journal != Some(*pin)) {
            self.pins.pin(JOURNAL, pin.number, Pinned::commit(pin.commit))?;
            walk.journal = Some(pin);
        }
        for leaf in body.leaves.iter().filter_map(Leaf::control) {
            if let (true, Some(gap)) = (leaf.is(Event::GapOpened), leaf.text("gap")) {
                walk.gaps.insert(gap.to_owned(), explanation(body.number, leaf));
            }
            if leaf.is(Event::Expired) {
                walk.expired = Some((body.number, leaf.clone()));
            }
        }
        if body.trail == JOURNAL {
            self.learn_keys(body).await?;
            for seal in body.leaves.iter().filter_map(Leaf::seal) {
                self.learn_heads(body.number, seal, walk)?;
            }
        }
        Ok(())
    }

    async fn take_keys(&mut self, body: &Body) -> Result<(), VerifyError> {
        let known = body.standing().keys;
        for key in known.values() {
            self.keys.add(key.key.clone(), key.added);
        }
        journal::follow_retired(self.archive, &known, &mut self.keys).await?;
        Ok(())
    }

    async fn learn_keys(&mut self, body: &Body) -> Result<(), VerifyError> {
        let begins =
            body.leaves.first().and_then(Leaf::control).filter(|leaf| leaf.is(Event::ArchiveCreated));
        if body.number == 1 {
            self.check_manifest(begins);
        }
        for leaf in &body.leaves {
            let alone = Standing::default().after(body.number, std::slice::from_ref(leaf));
            for known in alone.keys.into_values() {
                self.keys.add(known.key, body.number);
            }
            if let Some(leaf) = leaf.control().filter(|leaf| leaf.is(Event::KeyRetired)) {
                self.retire(body.number, leaf).await?;
            }
        }
        Ok(())
    }

    fn check_manifest(&mut self, begins: Option<&ControlLeaf>) {
        let Some(stated) = begins.and_then(|leaf| leaf.text("manifest")) else {
            let detail = "the journal does not begin with the archive's creation";
            self.report.add(Verdict::Modified, layout::commit(JOURNAL, 1).to_string(), detail);
            return;
        };
        let is_accused = self.report.findings.iter().any(|finding| finding.object == layout::MANIFEST);
        if stated != self.archive.manifest_sha256().to_string() && !is_accused {
            let detail = "it is another one than the journal says";
            self.report.add(Verdict::Modified, layout::MANIFEST, detail);
        }
    }

    async fn retire(&mut self, number: u64, leaf: &ControlLeaf) -> Result<(), VerifyError> {
        let (Some(signer), Some(seal)) = (leaf.text("key"), leaf.number("seal")) else { return Ok(()) };
        let seal = journal::seal_before(self.archive, &self.keys, seal, number).await?;
        if seal.is_none() {
            let detail = "it retires a key up to a seal that is not there";
            self.report.add(Verdict::Modified, layout::commit(JOURNAL, number).to_string(), detail);
        }
        self.keys.retire(signer, number, seal.as_ref());
        Ok(())
    }

    fn learn_heads(&mut self, number: u64, seal: &SealLeaf, walk: &mut Walk) -> Result<(), VerifyError> {
        let before = walk.seal.take().map(|seal| seal.heads).unwrap_or_default();
        let names_less = before
            .iter()
            .any(|(trail, head)| seal.heads.get(trail).is_none_or(|now| now.number < head.number));
        if names_less {
            let detail = "it names less than the seal before it";
            self.report.add(Verdict::RolledBack, layout::commit(JOURNAL, number).to_string(), detail);
        }
        for (trail, head) in seal.heads.iter().filter(|(trail, head)| before.get(*trail) != Some(*head)) {
            self.pins.pin(trail, head.number, Pinned::head(head, number))?;
        }
        self.report.sealed = Some(Sealed { commit: number, time: seal.time });
        walk.seal = Some(seal.clone());
        Ok(())
    }

    async fn name_segments(&mut self, body: &Body, walk: &Walk) -> Result<(), VerifyError> {
        let named = body.leaves.iter().filter_map(Leaf::segment);
        // What is no name is accused already, and not looked for.
        for leaf in named.filter(|leaf| layout::is_segment(&leaf.object)) {
            let expired = body.number <= walk.expired_through && !walk.kept.contains(&leaf.object);
            let presence = if expired { Presence::Expired } else { Presence::Demanded };
            self.segments.name(self.archive, leaf, presence, &mut self.report).await?;
        }
        Ok(())
    }

    fn end_of_trail(&mut self, trail: &str, walk: &Walk) {
        let Some(standing) = &walk.last else { return };
        for (gap, number) in &standing.gaps {
            let detail = walk.gaps.get(gap).cloned();
            let detail = detail.unwrap_or_else(|| format!("explained by commit {number}"));
            self.report.add_explained_gap(gap, detail);
        }
        if standing.expired_through == 0 {
            return;
        }
        let when = walk.expired.as_ref().map_or_else(String::new, |(number, leaf)| {
            format!(", as commit {number} says, on {}", leaf.time)
        });
        let detail = format!("the segments of commits 1 to {} were given up{when}", standing.expired_through);
        self.report.add(Verdict::Expired, Self::trail_name(trail), detail);
    }
}

/// What a `gap-opened` leaf says, in a line.
fn explanation(number: u64, leaf: &ControlLeaf) -> String {
    let text = |name| leaf.text(name).unwrap_or("?");
    let to = leaf.text("to").map_or_else(String::new, |to| format!(" to {to}"));
    format!(
        "explained by commit {number}: `{}` from byte {}{to}: {}",
        text("log"),
        text("from"),
        text("cause")
    )
}
