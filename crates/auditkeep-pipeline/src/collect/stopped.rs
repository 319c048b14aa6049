//! Sources that are not there any more, or are not collected any more: one record in each one's trail.
//!
//! The inventory must be complete. An empty one says nothing: RDS gives an empty list now and then for no reason, and an
//! account without any instance has nobody who would miss the record.

use std::collections::BTreeSet;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::commit::Source;
use auditkeep_archive::control::Event;
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::signer::Signer;
use auditkeep_archive::standing::State;
use auditkeep_archive::trail::{self, Stamp, TrailError};

use crate::source::SourceKind;

/// The instances of one account and region, all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    pub account: String,
    pub region: String,
    /// Resource ids of those that are collected.
    pub collected: BTreeSet<String>,
    /// Resource ids of those that the configuration excludes.
    pub excluded: BTreeSet<String>,
    /// Names of those that are there and have no resource id, or no logs that can be read.
    pub unreadable: BTreeSet<String>,
}

/// A source that has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    pub trail: String,
    /// The instance's last name.
    pub instance: String,
    pub cause: &'static str,
}

const GONE: &str = "the instance is not there any more";
const EXCLUDED: &str = "the configuration excludes the instance";

impl Inventory {
    /// Records in each trail of the account and region whose instance is not collected any more that its source has stopped,
    /// unless it is recorded. After an error some of the records may be there.
    pub async fn record_stopped(
        &self,
        archive: &Archive,
        key: &dyn Signer,
        stamp: &Stamp,
    ) -> Result<Vec<Stopped>, TrailError> {
        let mut stopped = Vec::new();
        if self.collected.is_empty() && self.excluded.is_empty() && self.unreadable.is_empty() {
            return Ok(stopped);
        }
        for trail in archive.trails().await? {
            let Some(head) = trail::head(archive, &trail).await? else { continue };
            let Some(cause) = self.missed(&head.body.source) else { continue };
            let leaf = Leaf::Control(Event::SourceStopped.at(stamp.time).with("cause", cause));
            let (head, wrote) = trail::record(archive, key, &trail, stamp, &|head| {
                let is_stopped = head.body.standing().state == Some(State::Stopped);
                if is_stopped { Vec::new() } else { vec![leaf.clone()] }
            })
            .await?;
            // A crash here leaves trails without the record; the next inventory makes it.
            if wrote {
                stopped.push(Stopped { trail, instance: head.body.source.instance, cause });
            }
        }
        Ok(stopped)
    }

    /// Why that source is not collected any more; none if it is, or if this inventory is not about it.
    fn missed(&self, source: &Source) -> Option<&'static str> {
        let is_ours = source.kind == SourceKind::LogFiles.name()
            && source.account == self.account
            && source.region == self.region;
        if !is_ours
            || self.collected.contains(&source.resource_id)
            || self.unreadable.contains(&source.instance)
        {
            return None;
        }
        Some(if self.excluded.contains(&source.resource_id) { EXCLUDED } else { GONE })
    }
}
