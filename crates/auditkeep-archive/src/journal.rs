//! The journal: the archive's own trail, with what concerns the archive as a whole.
//!
//! Its first leaf pins `archive.json`; then come keys that are put in force and retired, seals, what witnesses have got, and
//! reviews. Every commit of another trail names the newest journal commit that its writer knew, and every seal names the
//! heads of all other trails: neither can lose its end without the other showing it.
//!
//! Looking at the journal takes a handful of reads, because the standing in its last commit says which commits put which keys
//! in force. Whether the whole journal holds together is for `verify`.

use std::collections::BTreeMap;

use auditkeep_core::integrity::key::VerifyingKey;
use jiff::Timestamp;

use crate::archive::{Archive, ArchiveError, Manifest};
use crate::commit::{Commit, Pin, Source};
use crate::control::{ControlLeaf, Event};
use crate::keyring::KeyRing;
use crate::layout::{self, JOURNAL};
use crate::leaf::{Leaf, SealLeaf};
use crate::signer::Signer;
use crate::standing::{KeyStanding, Standing};
use crate::trail::{self, Addition, Append, Head, Stamp, TrailError};

/// What the journal says at some time.
#[derive(Clone, Debug)]
pub struct JournalView {
    /// The keys that somebody trusted to begin with.
    roots: Vec<VerifyingKey>,
    pub keys: KeyRing,
    /// Its newest commit; none before the first.
    pub head: Option<Pin>,
    /// After that commit; before the first, with the keys of `archive.json`.
    pub standing: Standing,
}

impl JournalView {
    /// Before the journal's first commit: the keys of the manifest may sign, as far as they are trusted.
    pub(crate) fn before(manifest: &Manifest, roots: Vec<VerifyingKey>) -> Self {
        let keys = KeyRing::of_roots(roots.clone());
        let begun = Event::ArchiveCreated.at(manifest.created).with("keys", keys_text(manifest));
        let standing = Standing::default().after(1, &[Leaf::Control(begun)]);
        Self { roots, keys, head: None, standing }
    }

    /// Whether a key may sign the next commit: it is trusted, and it is this archive's.
    pub fn may_sign(&self, key: &VerifyingKey) -> bool {
        self.check_signer(key).is_ok()
    }

    /// The same, with the reason if it may not.
    pub(crate) fn check_signer(&self, key: &VerifyingKey) -> Result<(), ArchiveError> {
        let known = self.standing.keys.get(&key.signer()).filter(|known| known.key == *key);
        match known.map(|known| known.retired) {
            Some(Some(commit)) => Err(ArchiveError::RetiredKey { key: key.signer(), commit }),
            Some(None) if self.keys.is_in_force(key) => Ok(()),
            _ => Err(ArchiveError::ForeignKey { key: key.to_string() }),
        }
    }
}

/// The journal's `source`.
fn source(archive: &Archive) -> Source {
    Source {
        kind: JOURNAL.to_owned(),
        account: String::new(),
        region: String::new(),
        resource_id: archive.manifest().id.clone(),
        instance: String::new(),
        engine: String::new(),
        cluster: None,
    }
}

fn keys_text(manifest: &Manifest) -> String {
    manifest.keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The leaf that the journal begins with.
fn archive_created(archive: &Archive, time: Timestamp) -> ControlLeaf {
    let created = Event::ArchiveCreated.at(time).with("manifest", archive.manifest_sha256());
    created.with("keys", keys_text(archive.manifest()))
}

/// Puts the journal's first commit, unless it is there.
pub async fn begin(archive: &Archive, key: &dyn Signer, stamp: &Stamp) -> Result<(), TrailError> {
    append(archive, key, stamp, &|_| Vec::new()).await.map(drop)
}

/// Appends to the journal, whoever else appends meanwhile, and begins it if need be. `leaves` is asked what there is to say
/// after a given standing; without leaves, and with a journal, nothing is written.
///
/// A journal is not begun where there is evidence already, unless the archive was made by version 1: [`TrailError::NoJournal`].
///
/// Gives the journal's last commit as it is then, and whether it was written here. The archive knows the journal afterwards. After an
/// error the record may be there all the same.
pub async fn append(
    archive: &Archive,
    key: &dyn Signer,
    stamp: &Stamp,
    leaves: &(dyn Fn(&Standing) -> Vec<Leaf> + Sync),
) -> Result<(Head, bool), TrailError> {
    let mut head = head_or_beginning(archive).await?;
    let done = loop {
        let standing = head.as_ref().map(|head| head.body.standing()).unwrap_or_default();
        let mut all = leaves(&standing);
        match &head {
            None => all.insert(0, Leaf::Control(archive_created(archive, stamp.time))),
            Some(head) if all.is_empty() => break (head.clone(), false),
            Some(_) => {}
        }
        let addition =
            Addition { stamp: stamp.clone(), source: source(archive), leaves: all, cursors: BTreeMap::new() };
        match trail::append(archive, key, JOURNAL, head.as_ref(), addition).await? {
            // A crash here loses nothing: whoever comes next reads the journal.
            Append::Done(head) => break (head, true),
            Append::Overtaken(there) => head = Some(there),
        }
    };
    let roots = archive.journal().roots.clone();
    archive.know_journal(look(archive, roots).await?);
    Ok(done)
}

/// The journal's last commit; none if it has yet to begin. It begins before there is anything else, but for archives of format 1: one
/// that has gone is not begun anew, for that would hide what is lost.
async fn head_or_beginning(archive: &Archive) -> Result<Option<Head>, TrailError> {
    let head = trail::head(archive, JOURNAL).await?;
    if head.is_some() || archive.manifest().format < 2 || !archive.has_evidence().await? {
        return Ok(head);
    }
    // Another collector may have begun it since, and what was found is that one's.
    match trail::head(archive, JOURNAL).await? {
        None => Err(TrailError::NoJournal),
        head => Ok(head),
    }
}

/// Reads what the journal says now, believed by `roots` and by the keys that they have put in force.
pub(crate) async fn look(archive: &Archive, roots: Vec<VerifyingKey>) -> Result<JournalView, TrailError> {
    let mut view = JournalView::before(archive.manifest(), roots);
    let number = trail::last_number(archive, JOURNAL).await?;
    if number == 0 {
        return Ok(view);
    }
    let path = layout::commit(JOURNAL, number);
    let bytes = archive.get(&path).await?;
    // Not believed yet: it only says where to look for the keys that may have signed it.
    let claimed = Commit::read(path.as_ref(), &bytes)?.body.standing();
    follow_keys(archive, &claimed, &mut view.keys).await?;
    let head = trail::believe(archive, &view.keys, JOURNAL, number, &bytes)?;
    view.head = Some(Pin { number, commit: head.hash });
    view.standing = head.body.standing();
    Ok(view)
}

/// Puts the keys in force that a standing names, and retires them, each only if a commit says so that can be believed by
/// the keys so far.
pub(crate) async fn follow_keys(
    archive: &Archive,
    claimed: &Standing,
    ring: &mut KeyRing,
) -> Result<(), TrailError> {
    let mut added: Vec<_> = claimed.keys.values().filter(|key| !ring.keys().contains(&key.key)).collect();
    added.sort_by_key(|key| key.added);
    for known in added {
        let commit = trail::read_if_believed(archive, ring, JOURNAL, known.added).await?;
        // What was signed by a key that is not trusted puts nothing in force.
        let Some(head) = commit else { continue };
        if Standing::default()
            .after(known.added, &head.body.leaves)
            .keys
            .values()
            .any(|key| key.key == known.key)
        {
            ring.add(known.key.clone(), known.added);
        }
    }
    follow_retired(archive, &claimed.keys, ring).await
}

/// Retires the keys that a standing says are retired. Where the seal cannot be believed, nothing that they signed counts.
pub(crate) async fn follow_retired(
    archive: &Archive,
    claimed: &BTreeMap<String, KeyStanding>,
    ring: &mut KeyRing,
) -> Result<(), TrailError> {
    for (signer, known) in claimed {
        let Some(by) = known.retired else { continue };
        let seal = seal_before(archive, ring, known.seal.unwrap_or(0), by).await?;
        ring.retire(signer, by, seal.as_ref());
    }
    Ok(())
}

/// The seal in a journal commit that can be believed and comes before commit `by`, which retires a key up to it.
pub(crate) async fn seal_before(
    archive: &Archive,
    ring: &KeyRing,
    seal: u64,
    by: u64,
) -> Result<Option<SealLeaf>, TrailError> {
    if seal >= by {
        return Ok(None);
    }
    let head = trail::read_if_believed(archive, ring, JOURNAL, seal).await?;
    Ok(head.and_then(|head| seal_of(&head.body.leaves).cloned()))
}

/// The seal among a commit's leaves.
pub fn seal_of(leaves: &[Leaf]) -> Option<&SealLeaf> {
    leaves.iter().find_map(Leaf::seal)
}
