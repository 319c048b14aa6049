//! The dishonest writer: an archive as a map of objects, and whatever can be done to it, with keys and without.
//!
//! It signs any body. What it adds is right unless an attack wants it wrong, so that one thing at a time is wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use auditkeep_archive::commit::{Body, CHAIN_START, Commit, Cursor, Listed, Pin, chain};
use auditkeep_archive::layout::{self, GenerationPrefix, JOURNAL};
use auditkeep_archive::leaf::{Leaf, SealLeaf, SealedHead, SegmentLeaf};
use auditkeep_archive::segment::Segment;
use auditkeep_core::integrity::canonical;
use auditkeep_core::integrity::checkpoint::Checkpoint;
use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::note;
use auditkeep_core::integrity::tree::Frontier;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::TryStreamExt as _;
use jiff::Timestamp;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::Value;

use super::pen::Pen;
use crate::building;

pub type Objects = BTreeMap<String, Bytes>;

#[derive(Clone, Default)]
pub struct Forger {
    pub objects: Objects,
}

pub fn name(trail: &str, number: u64) -> String {
    layout::commit(trail, number).to_string()
}

impl Forger {
    pub async fn of(store: &Arc<dyn ObjectStore>) -> Self {
        let mut objects = Objects::new();
        let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
        for object in listed {
            let bytes = store.get(&object.location).await.unwrap().bytes().await.unwrap();
            objects.insert(object.location.to_string(), bytes);
        }
        Self { objects }
    }

    pub async fn store(&self) -> Arc<dyn ObjectStore> {
        let store = InMemory::new();
        for (name, bytes) in &self.objects {
            store.put(&Path::from(name.as_str()), bytes.clone().into()).await.unwrap();
        }
        Arc::new(store)
    }

    pub fn put(&mut self, name: &str, bytes: impl Into<Bytes>) {
        self.objects.insert(name.to_owned(), bytes.into());
    }

    pub fn remove(&mut self, name: &str) -> Bytes {
        self.objects.remove(name).unwrap_or_else(|| panic!("there is no {name}"))
    }

    pub fn swap(&mut self, one: &str, other: &str) {
        let (first, second) = (self.objects[one].clone(), self.objects[other].clone());
        self.put(one, second);
        self.put(other, first);
    }

    /// Alters one byte; `part` is where it lies, in hundredths of the object.
    pub fn flip(&mut self, name: &str, part: usize) {
        let mut bytes = self.objects[name].to_vec();
        let at = (bytes.len() - 1) * part / 100;
        bytes[at] ^= 1;
        self.put(name, bytes);
    }

    pub fn names_below(&self, prefix: &str) -> Vec<String> {
        self.objects.keys().filter(|name| name.starts_with(prefix)).cloned().collect()
    }

    pub fn remove_below(&mut self, prefix: &str) {
        self.objects.retain(|name, _| !name.starts_with(prefix));
    }

    // Commits.

    pub fn last(&self, trail: &str) -> u64 {
        let numbers = self.names_below(&format!("{}/", layout::commits(trail)));
        numbers.iter().filter_map(|name| layout::commit_number(name.rsplit('/').next()?)).max().unwrap_or(0)
    }

    pub fn stored(&self, trail: &str, number: u64) -> &Bytes {
        &self.objects[&name(trail, number)]
    }

    pub fn hash(&self, trail: &str, number: u64) -> Sha256 {
        Sha256::of(self.stored(trail, number))
    }

    pub fn body(&self, trail: &str, number: u64) -> Body {
        canonical::from_slice::<Commit>(self.stored(trail, number)).unwrap().body
    }

    pub fn note(&self, trail: &str, number: u64) -> String {
        canonical::from_slice::<Commit>(self.stored(trail, number)).unwrap().checkpoint
    }

    /// The segments that a commit names.
    pub fn segments(&self, trail: &str, number: u64) -> Vec<SegmentLeaf> {
        self.body(trail, number).leaves.iter().filter_map(Leaf::segment).cloned().collect()
    }

    /// The names of all segments that commits of a trail name, from one on.
    pub fn segments_from(&self, trail: &str, number: u64) -> Vec<String> {
        let numbers = number..=self.last(trail);
        numbers.flat_map(|number| self.segments(trail, number)).map(|leaf| leaf.object).collect()
    }

    /// Forgets what a trail has after commit `keep`, and the segments that are named there.
    pub fn rewind(&mut self, trail: &str, keep: u64) {
        for number in keep + 1..=self.last(trail) {
            for leaf in self.segments(trail, number) {
                self.objects.remove(&leaf.object);
            }
        }
        self.cut(trail, keep);
    }

    /// The same, and leaves the segments.
    pub fn cut(&mut self, trail: &str, keep: u64) {
        for number in keep + 1..=self.last(trail) {
            self.objects.remove(&name(trail, number));
        }
        self.objects.remove(layout::head(trail).as_ref());
    }

    /// What an honest writer would write next; the trail must have a commit.
    pub fn next(&self, trail: &str, leaves: Vec<Leaf>) -> Body {
        let last = self.last(trail);
        let before = self.body(trail, last);
        let time = before.time.checked_add(jiff::SignedDuration::from_mins(1)).unwrap();
        let body = Body { number: last + 1, time, leaves, ..before.clone() };
        self.after(&before, self.hash(trail, last), body)
    }

    /// A body with all that follows from its leaves and from the commit before it.
    pub fn after(&self, before: &Body, hash: Sha256, body: Body) -> Body {
        let mut tree = before.tree.clone();
        for leaf in &body.leaves {
            tree.push(leaf.hash().unwrap());
        }
        let standing = Some(before.standing().after(body.number, &body.leaves));
        let mut cursors = before.cursors.clone();
        for leaf in body.leaves.iter().filter_map(Leaf::segment) {
            extend(&mut cursors, leaf);
        }
        let newest = || Pin { number: self.last(JOURNAL), commit: self.hash(JOURNAL, self.last(JOURNAL)) };
        let journal = (body.trail != JOURNAL).then(newest);
        Body { previous: Some(hash), tree, standing, cursors, journal, format: 2, ..body }
    }

    /// Signs a body and stores it in its place.
    pub fn write(&mut self, body: &Body, pen: &Pen) {
        self.write_value(&serde_json::to_value(body).unwrap(), pen);
    }

    pub fn write_value(&mut self, body: &Value, pen: &Pen) {
        let name = name(body["trail"].as_str().unwrap(), body["number"].as_u64().unwrap());
        self.put(&name, signed(body, pen));
    }

    pub fn append(&mut self, trail: &str, leaves: Vec<Leaf>, pen: &Pen) {
        self.write(&self.next(trail, leaves), pen);
    }

    /// Signs a changed body of one stored commit again, and leaves the others as they are.
    pub fn edit(&mut self, trail: &str, number: u64, pen: &Pen, change: impl FnOnce(&mut Value)) {
        let mut body = serde_json::to_value(self.body(trail, number)).unwrap();
        change(&mut body);
        let bytes = signed(&body, pen);
        self.put(&name(trail, number), bytes);
    }

    /// Writes a trail anew from a commit on: each of its later bodies as `change` leaves it, and all that follows from that.
    pub fn rewrite(&mut self, trail: &str, from: u64, pen: impl Fn(u64) -> Pen, change: impl Fn(&mut Body)) {
        for number in from..=self.last(trail) {
            let mut body = self.body(trail, number);
            let (cursors, journal, format) = (body.cursors.clone(), body.journal, body.format);
            change(&mut body);
            let (before, hash) = (self.body(trail, number - 1), self.hash(trail, number - 1));
            let whole = self.after(&before, hash, body);
            self.write(&Body { cursors, journal, format, ..whole }, &pen(number));
        }
    }

    // Segments and seals.

    /// Stores a segment that goes on where the trail's cursor of that family ends.
    pub fn segment(&mut self, trail: &str, key: &str, raw: &[u8]) -> SegmentLeaf {
        let cursor = self.body(trail, self.last(trail)).cursors[key].clone();
        let (leaf, object) =
            segment(trail, &cursor.family, &cursor.generation, cursor.offset, raw, cursor_time(&cursor));
        self.put(&leaf.object.clone(), object);
        leaf
    }

    pub fn seal(&self) -> SealLeaf {
        let trails = super::honest::TRAILS.into_iter().filter(|trail| self.last(trail) > 0);
        let heads = trails.map(|trail| (trail.to_owned(), self.head(trail, self.last(trail)))).collect();
        SealLeaf { time: self.body(JOURNAL, self.last(JOURNAL)).time, heads }
    }

    pub fn head(&self, trail: &str, number: u64) -> SealedHead {
        let tree = self.body(trail, number).tree;
        SealedHead { number, commit: self.hash(trail, number), size: tree.size(), root: tree.root() }
    }
}

fn cursor_time(cursor: &Cursor) -> Timestamp {
    Timestamp::from_millisecond(cursor.listed.last_written_ms).unwrap()
}

/// The stored bytes of a commit with this body and a right note by the pen.
pub fn signed(body: &Value, pen: &Pen) -> Vec<u8> {
    let text = Checkpoint {
        archive: body["archive"].as_str().unwrap_or_default().to_owned(),
        trail: body["trail"].as_str().unwrap_or_default().to_owned(),
        size: body["tree"]["size"].as_u64().unwrap_or_default(),
        root: serde_json::from_value::<Frontier>(body["tree"].clone()).unwrap_or_default().root(),
        commit: body["number"].as_u64().unwrap_or_default(),
        body: Sha256::of(&canonical::to_vec(body).unwrap()),
    };
    let text = text.text();
    let checkpoint = note::assemble(&text, &pen.public, &pen.sign(text.as_bytes()));
    canonical::to_vec(&serde_json::json!({ "body": body, "checkpoint": checkpoint })).unwrap()
}

/// A segment's leaf and its object.
pub fn segment(
    trail: &str,
    family: &str,
    generation: &str,
    from: u64,
    raw: &[u8],
    received: Timestamp,
) -> (SegmentLeaf, Bytes) {
    let made = compressed(from, raw);
    let resource = trail.split('.').nth(2).unwrap();
    let prefix = GenerationPrefix {
        account: "local",
        region: "local",
        resource_id: resource,
        day: "2026/01/01",
        log: family,
        generation,
    };
    let leaf = SegmentLeaf {
        log: family.to_owned(),
        family: family.to_owned(),
        generation: generation.to_owned(),
        from,
        to: made.to,
        complete_to: made.to,
        raw_sha256: made.raw_sha256,
        object: prefix.segment(from, made.to, &made.raw_sha256),
        object_sha256: Sha256::of(&made.object),
        object_size: made.object.len() as u64,
        frames: Some(made.frames),
        format: "server-audit".to_owned(),
        received,
    };
    (leaf, made.object)
}

/// On a thread of its own, because attacks wait for nothing.
fn compressed(from: u64, raw: &[u8]) -> Segment {
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let run = || runtime().block_on(building::segment_of(from, raw));
    std::thread::scope(|threads| threads.spawn(run).join().unwrap())
}

/// Moves the cursor of a segment's generation to its end, or begins one.
pub fn extend(cursors: &mut BTreeMap<String, Cursor>, leaf: &SegmentLeaf) {
    let key = leaf.cursor_key();
    let (mut cuts, before) =
        cursors.get(&key).map_or((Vec::new(), CHAIN_START), |cursor| (cursor.cuts.clone(), cursor.chain));
    cuts.push(leaf.to);
    let is_whole = leaf.complete_to == leaf.to;
    let cursor = Cursor {
        log: leaf.log.clone(),
        family: leaf.family.clone(),
        generation: leaf.generation.clone(),
        format: leaf.format.clone(),
        day: "2026/01/01".to_owned(),
        offset: leaf.to,
        complete_to: leaf.complete_to,
        cuts,
        chain: chain(&before, &leaf.raw_sha256),
        unfinished: (!is_whole).then(|| leaf.clone()).into_iter().collect(),
        listed: Listed { size: leaf.to, last_written_ms: leaf.received.as_millisecond() },
        settled: false,
        evidence_only: false,
    };
    cursors.insert(key, cursor);
}

/// One more signature for a note.
pub fn signature_line(note: &str, pen: &Pen) -> String {
    let text = &note[..=note.rfind("\n\n").unwrap()];
    let whole = note::assemble(text, &pen.public, &pen.sign(text.as_bytes()));
    whole[text.len() + 1..].to_owned()
}

/// The note with the other right value of `s` in its one ECDSA signature.
pub fn mangled(note: &str) -> String {
    let (head, encoded) = note.trim_end().rsplit_once(' ').unwrap();
    let bytes = STANDARD.decode(encoded).unwrap();
    let (id, der) = bytes.split_at(4);
    let (r, s) = der_integers(der);
    let order = hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let other = [r, minus(&order, &s)].map(|number| der_integer(&number)).concat();
    let signature = [&[0x30, u8::try_from(other.len()).unwrap()], &other[..]].concat();
    format!("{head} {}\n", STANDARD.encode([id, &signature].concat()))
}

fn der_integers(der: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let integer = |at: usize| der[at + 2..at + 2 + usize::from(der[at + 1])].to_vec();
    let r = integer(2);
    let s = integer(4 + r.len());
    (r, s)
}

/// With a zero before, where the number would else be negative, and without any other.
fn der_integer(number: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = number.iter().copied().skip_while(|digit| *digit == 0).collect();
    let digits = if digits[0] < 0x80 { digits } else { [vec![0], digits].concat() };
    [&[2, u8::try_from(digits.len()).unwrap()], &digits[..]].concat()
}

fn minus(from: &[u8], number: &[u8]) -> Vec<u8> {
    let mut padded = vec![0; from.len().saturating_sub(number.len())];
    padded.extend_from_slice(&number[number.len().saturating_sub(from.len())..]);
    let mut difference = vec![0; from.len()];
    let mut borrow = 0;
    for at in (0..from.len()).rev() {
        let digit = i32::from(from[at]) - i32::from(padded[at]) - borrow;
        borrow = i32::from(digit < 0);
        difference[at] = u8::try_from(digit.rem_euclid(256)).unwrap();
    }
    difference
}
