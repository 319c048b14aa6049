//! Reviews: somebody looked through a part of the evidence, and the journal says with which outcome.

use std::fmt;

use futures::TryStreamExt;
use jiff::Timestamp;

use crate::archive::Archive;
use crate::control::{ControlLeaf, Event};
use crate::journal;
use crate::layout::JOURNAL;
use crate::leaf::Leaf;
use crate::signer::Signer;
use crate::trail::{self, Stamp, TrailError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Accepted,
    Rejected,
    WithExceptions,
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::WithExceptions => "with-exceptions",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// What somebody states.
#[derive(Clone, Debug)]
pub struct Review {
    reviewer: String,
    scope: String,
    from: Timestamp,
    to: Timestamp,
    outcome: Outcome,
    exceptions: Vec<String>,
}

/// The statement contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReview {
    #[error("the reviewed time ends before it begins")]
    NoTime,
    #[error("a review with the outcome `{0}` says what is wrong")]
    NoExceptions(Outcome),
    #[error("what is accepted has no exceptions")]
    Exceptions,
    #[error("an exception has lines of its own, or none")]
    NotALine,
}

impl Review {
    /// `to` is not part of the reviewed time. Each exception is one line; accepted evidence has none, other has some.
    pub fn new(
        reviewer: String,
        scope: String,
        (from, to): (Timestamp, Timestamp),
        outcome: Outcome,
        exceptions: Vec<String>,
    ) -> Result<Self, BadReview> {
        if to <= from {
            return Err(BadReview::NoTime);
        }
        if exceptions.iter().any(|exception| exception.trim().is_empty() || exception.contains('\n')) {
            return Err(BadReview::NotALine);
        }
        match (outcome, exceptions.is_empty()) {
            (Outcome::Accepted, false) => Err(BadReview::Exceptions),
            (Outcome::Rejected | Outcome::WithExceptions, true) => Err(BadReview::NoExceptions(outcome)),
            _ => Ok(Self { reviewer, scope, from, to, outcome, exceptions }),
        }
    }

    fn at(&self, time: Timestamp) -> ControlLeaf {
        let exceptions = (!self.exceptions.is_empty()).then(|| self.exceptions.join("\n"));
        Event::Review
            .at(time)
            .with("reviewer", &self.reviewer)
            .with("scope", &self.scope)
            .with("from", self.from)
            .with("to", self.to)
            .with("outcome", self.outcome)
            .with_some("exceptions", exceptions)
    }
}

/// Where a review is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Number of the journal commit.
    pub commit: u64,
    /// It was there before; nothing was written.
    pub before: bool,
}

/// Appends the review to the journal, unless the same one is there.
///
/// After an error it may be recorded all the same; asking again is right.
pub async fn record(
    archive: &Archive,
    key: &dyn Signer,
    stamp: &Stamp,
    review: &Review,
) -> Result<Recorded, TrailError> {
    let leaf = review.at(stamp.time);
    if let Some(commit) = find(archive, &leaf, review.from).await? {
        return Ok(Recorded { commit, before: true });
    }
    let (head, _) = journal::append(archive, key, stamp, &|_| vec![Leaf::Control(leaf.clone())]).await?;
    Ok(Recorded { commit: head.body.number, before: false })
}

/// Looks for the same statement, back to where it would have spoken of what had not begun.
async fn find(archive: &Archive, leaf: &ControlLeaf, from: Timestamp) -> Result<Option<u64>, TrailError> {
    let last = trail::last_number(archive, JOURNAL).await?;
    let mut commits = trail::commits_back(archive, JOURNAL, last);
    while let Some(head) = commits.try_next().await? {
        let mut said = head.body.leaves.iter().filter_map(Leaf::control);
        if said.any(|known| known.event == leaf.event && known.detail == leaf.detail) {
            return Ok(Some(head.body.number));
        }
        if head.body.time < from {
            break;
        }
    }
    Ok(None)
}
