//! Proofs of events: they hold with the public key alone, and nothing that was changed holds.

use std::sync::Arc;

use auditkeep_archive::archive::{Archive, ArchiveError, Manifest};
use auditkeep_archive::control::Event;
use auditkeep_archive::frames::FRAME_RAW_BYTES;
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::local::DurableDirectory;
use auditkeep_archive::proof::{
    BadProof, Base64, EventProof, EventRef, Fault, MAX_EVENT_BYTES, ProofError, ProvenEvent, make,
};
use auditkeep_archive::trail::{self, Append, Head, Stamp};
use auditkeep_archive::verify::Verdict;
use auditkeep_archive::{journal, layout, segment};
use auditkeep_core::integrity::canonical;
use auditkeep_core::integrity::key::{SigningKey, VerifyingKey};
use auditkeep_core::integrity::note;
use auditkeep_core::integrity::tlog_proof::TlogProof;
use jiff::Timestamp;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::building::{self, TRAIL, addition, key, stamp};

const FRAME: usize = FRAME_RAW_BYTES;

fn event(commit: u64, offset: u64, length: u64) -> EventRef {
    EventRef { trail: TRAIL.to_owned(), commit, generation: "00".to_owned(), offset, length }
}

fn roots(seed: u8) -> Vec<VerifyingKey> {
    vec![key(seed).public().clone()]
}

/// From the bytes of a proof file, as whoever gets it.
fn check(file: &[u8], roots: &[VerifyingKey]) -> Option<ProvenEvent> {
    EventProof::parse("proof", file).ok()?.check(roots).ok()
}

fn refused(proof: &EventProof) -> BadProof {
    proof.check(&roots(1)).unwrap_err()
}

async fn new_archive() -> (Archive, Arc<dyn ObjectStore>) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    (building::archive(store.clone()).await, store)
}

/// One commit with a segment for each chunk; bytes from `complete_to` on belong to a record that goes on.
async fn grow(
    archive: &Archive,
    by: &SigningKey,
    head: Option<&Head>,
    chunks: &[&[u8]],
    complete_to: u64,
) -> Head {
    let mut all = addition(archive, head, chunks[0]).await;
    for chunk in &chunks[1..] {
        let mut so_far = head.unwrap().clone();
        so_far.body.cursors.clone_from(&all.cursors);
        let next = addition(archive, Some(&so_far), chunk).await;
        all.leaves.extend(next.leaves);
        all.cursors = next.cursors;
    }
    for (key, cursor) in &mut all.cursors {
        let before = head.and_then(|head| head.body.cursors.get(key));
        let earlier = before.into_iter().flat_map(|cursor| &cursor.unfinished);
        let own = all.leaves.iter().filter_map(Leaf::segment);
        cursor.unfinished = earlier.chain(own).filter(|leaf| leaf.to > complete_to).cloned().collect();
        cursor.complete_to = complete_to;
    }
    match trail::append(archive, by, TRAIL, head, all).await.unwrap() {
        Append::Done(head) => head,
        Append::Overtaken(head) => panic!("overtaken by {}", head.body.number),
    }
}

/// `one` in commit 1, and `two three four` over three segments of commits 2 and 3, behind a commit of neither.
async fn spanning() -> (Archive, Arc<dyn ObjectStore>) {
    let (archive, store) = new_archive().await;
    let first = grow(&archive, &key(1), None, &[b"one\n"], 4).await;
    let second = grow(&archive, &key(1), Some(&first), &[b"two ", b"three "], 4).await;
    let stamp = Stamp { time: Timestamp::UNIX_EPOCH, writer: "test".to_owned() };
    let said = |_: &Head| vec![Leaf::Control(Event::RawRead.at(Timestamp::UNIX_EPOCH))];
    let (third, _) = trail::record(&archive, &key(1), TRAIL, &stamp, &said).await.unwrap();
    assert_eq!((second.body.number, third.body.number), (2, 3));
    grow(&archive, &key(1), Some(&third), &[b"four\nfive\n"], 20).await;
    (archive, store)
}

#[tokio::test]
async fn it_shows_the_bytes_and_where_they_are_from() {
    let (archive, _) = spanning().await;
    let proof = make(&archive, &event(1, 0, 4)).await.unwrap();
    assert_eq!((proof.parts.len(), proof.keys.len()), (1, 0));
    let shown = check(&proof.to_vec().unwrap(), &roots(1)).unwrap();
    assert_eq!(shown.bytes, b"one\n");
    assert_eq!((shown.archive.as_str(), shown.trail.as_str()), (archive.manifest().id.as_str(), TRAIL));
    assert_eq!(
        (shown.log.as_str(), shown.family.as_str(), shown.generation.as_str()),
        ("a.log", "a.log", "00")
    );
    assert_eq!((shown.from, shown.to, shown.commit, shown.received), (0, 4, 1, Timestamp::UNIX_EPOCH));
    assert_eq!(shown.signers, roots(1));
}

#[tokio::test]
async fn over_segments_and_commits() {
    let (archive, _) = spanning().await;
    let proof = make(&archive, &event(4, 4, 15)).await.unwrap();
    let shown = check(&proof.to_vec().unwrap(), &roots(1)).unwrap();
    assert_eq!(shown.bytes, b"two three four\n");
    assert_eq!((proof.parts.len(), shown.commit), (3, 4));
    // Not the whole of the first and the last segment.
    let inner = make(&archive, &event(4, 6, 9)).await.unwrap();
    assert_eq!(inner.check(&roots(1)).unwrap().bytes, b"o three f");
    let last = make(&archive, &event(4, 19, 5)).await.unwrap();
    assert_eq!((last.check(&roots(1)).unwrap().bytes.as_slice(), last.parts.len()), (&b"five\n"[..], 1));
}

#[tokio::test]
async fn every_part_is_needed_in_its_order_and_once() {
    let (archive, _) = spanning().await;
    let proof = make(&archive, &event(4, 4, 15)).await.unwrap();
    let with = |order: &[usize]| EventProof {
        parts: order.iter().map(|part| proof.parts[*part].clone()).collect(),
        ..proof.clone()
    };
    assert!(with(&[0, 1, 2]).check(&roots(1)).is_ok());
    for order in [&[][..], &[0], &[0, 1]] {
        assert!(matches!(refused(&with(order)).fault, Fault::Incomplete), "{order:?}");
    }
    for order in [&[1][..], &[0, 2], &[0, 0, 1, 2], &[1, 0, 2], &[0, 1, 2, 2]] {
        assert!(matches!(refused(&with(order)).fault, Fault::Discontinuous), "{order:?}");
    }
    // A part that holds none of the bytes.
    let one = EventProof { parts: with(&[0, 1]).parts, ..make(&archive, &event(4, 4, 4)).await.unwrap() };
    assert!(matches!(refused(&one).fault, Fault::Discontinuous));
    assert_eq!(refused(&one).place, "parts[1]");
}

#[tokio::test]
async fn of_a_large_segment_only_the_frames_that_matter() {
    let (archive, _) = new_archive().await;
    let raw: Vec<u8> =
        (0..3 * FRAME as u64 + 99).map(|at| u8::try_from(at * at / 7 % 251).unwrap()).collect();
    let head = grow(&archive, &key(1), None, &[b"before\n"], 7).await;
    grow(&archive, &key(1), Some(&head), &[&raw], 7 + raw.len() as u64).await;
    for (at, length, frames) in [
        (0, 1, &[0][..]),
        (FRAME - 1, 1, &[0]),
        (FRAME, 1, &[1]),
        (FRAME - 1, 2, &[0, 1]),
        (FRAME - 1, FRAME + 2, &[0, 1, 2]),
        (3 * FRAME, 99, &[3]),
        (0, raw.len(), &[0, 1, 2, 3]),
    ] {
        let proof = make(&archive, &event(2, 7 + at as u64, length as u64)).await.unwrap();
        let shown: Vec<u64> = proof.parts[0].frames.iter().map(|frame| frame.index).collect();
        assert_eq!(shown, frames, "{at}+{length}");
        let proven = check(&proof.to_vec().unwrap(), &roots(1)).unwrap();
        assert!(proven.bytes == raw[at..at + length], "{at}+{length}");
        let mut fewer = proof.clone();
        fewer.parts[0].frames.pop();
        assert!(matches!(refused(&fewer).fault, Fault::NotTheFrames), "{at}+{length}");
        let mut more = proof.clone();
        more.parts[0].frames.push(proof.parts[0].frames[0].clone());
        assert!(matches!(refused(&more).fault, Fault::NotTheFrames), "{at}+{length}");
        let mut elsewhere = proof.clone();
        let moved = &mut elsewhere.parts[0].frames[0];
        moved.data.0[7] ^= 1;
        assert!(matches!(refused(&elsewhere).fault, Fault::FrameNotIncluded(_)), "{at}+{length}");
    }
}

/// No bit of the file is without meaning: the spelling is canonical, and all that is said is signed, hashed or compared.
#[tokio::test]
async fn no_bit_can_be_flipped() {
    let (archive, _) = spanning().await;
    // Of the larger one, one bit in five: each bit of a byte in turn.
    for (event, step) in [(event(1, 0, 4), 1), (event(4, 6, 9), 5)] {
        let file = make(&archive, &event).await.unwrap().to_vec().unwrap();
        assert!(check(&file, &roots(1)).is_some());
        for bit in (0..file.len() * 8).step_by(step) {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let shown = check(&flipped, &roots(1));
            assert!(shown.is_none(), "bit {bit}: {shown:?}\n{}", String::from_utf8_lossy(&flipped));
        }
        for end in [0, 1, file.len() / 2, file.len() - 1] {
            assert!(check(&file[..end], &roots(1)).is_none());
        }
        assert!(check(&[file.as_slice(), b"\n"].concat(), &roots(1)).is_none());
    }
}

#[tokio::test]
async fn it_is_of_this_archive_trail_and_file() {
    let (archive, _) = spanning().await;
    let proof = make(&archive, &event(1, 0, 4)).await.unwrap();
    let change = |change: &dyn Fn(&mut EventProof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        refused(&changed).fault
    };
    let elsewhere = |fault| matches!(fault, Fault::Elsewhere { .. });
    assert!(elsewhere(change(&|proof| proof.archive = "1".repeat(32))));
    assert!(elsewhere(change(&|proof| "local.local.other.log-files".clone_into(&mut proof.trail))));
    assert!(elsewhere(change(&|proof| "journal".clone_into(&mut proof.trail))));
    assert!(matches!(change(&|proof| "b.log".clone_into(&mut proof.family)), Fault::OtherLog));
    assert!(matches!(change(&|proof| "01".clone_into(&mut proof.generation)), Fault::OtherLog));
    assert!(matches!(change(&|proof| "b.log".clone_into(&mut proof.log)), Fault::Name(_)));
    assert!(matches!(change(&|proof| (proof.from, proof.to) = (0, 3)), Fault::Hash));
    assert!(matches!(change(&|proof| (proof.from, proof.to) = (4, 4)), Fault::Length));
    assert!(matches!(change(&|proof| (proof.from, proof.to) = (5, 4)), Fault::Length));
    assert!(matches!(change(&|proof| (proof.from, proof.to) = (0, MAX_EVENT_BYTES + 1)), Fault::Length));
    assert!(matches!(change(&|proof| proof.to = 5), Fault::Incomplete));

    // A stranger's archive says the same of itself, and is signed by the stranger's key.
    let error = proof.check(&roots(2)).unwrap_err();
    assert_eq!((error.place.as_str(), error.verdict()), ("parts[0]", Verdict::KeyUnknown));
    assert_eq!(proof.check(&[]).unwrap_err().verdict(), Verdict::KeyUnknown);
    assert_eq!(refused(&EventProof { from: 1, ..proof.clone() }).verdict(), Verdict::Modified);
}

#[tokio::test]
async fn a_leaf_of_another_commit_or_kind_shows_nothing() {
    let (archive, _) = spanning().await;
    let proof = make(&archive, &event(1, 0, 4)).await.unwrap();
    let other = make(&archive, &event(4, 4, 15)).await.unwrap();
    let mut mixed = proof.clone();
    mixed.parts[0].inclusion.clone_from(&other.parts[0].inclusion);
    assert!(matches!(refused(&mixed).fault, Fault::NotIncluded));
    // The first leaf of the trail, which is in the tree, but is no segment.
    let mut control = proof.clone();
    control.parts[0].leaf = Leaf::Control(Event::SourceStarted.at(Timestamp::UNIX_EPOCH));
    let mut inclusion = TlogProof::parse(&proof.parts[0].inclusion).unwrap();
    let segment_hash = proof.parts[0].leaf.hash().unwrap();
    (inclusion.index, inclusion.path) = (0, vec![segment_hash]);
    control.parts[0].inclusion = inclusion.text();
    assert!(matches!(refused(&control).fault, Fault::OtherLog));
    control.parts[0].inclusion = proof.parts[0].inclusion.clone();
    assert!(matches!(refused(&control).fault, Fault::NotIncluded));
    // Both ways to show the bytes, and neither.
    let mut both = proof.clone();
    both.parts[0].object = Some(Base64(Vec::new()));
    assert!(matches!(refused(&both).fault, Fault::NotTheFrames));
    both.parts[0].frames.clear();
    assert!(matches!(refused(&both).fault, Fault::NotTheFrames));
}

/// What the right key signed for something else is not taken for a checkpoint.
#[tokio::test]
async fn more_than_a_checkpoint_is_none() {
    let (archive, _) = spanning().await;
    let proof = make(&archive, &event(1, 0, 4)).await.unwrap();
    let inclusion = TlogProof::parse(&proof.parts[0].inclusion).unwrap();
    let text = &inclusion.note[..=inclusion.note.find("\n\n").unwrap()];
    let with_text = |text: &str| {
        let note = note::assemble(text, key(1).public(), &key(1).sign(text.as_bytes()));
        let mut signed = proof.clone();
        signed.parts[0].inclusion = TlogProof { note, ..inclusion.clone() }.text();
        signed.check(&roots(1))
    };
    assert!(with_text(text).is_ok(), "else this tests nothing");
    assert!(matches!(with_text(&format!("{text}more\n")).unwrap_err().fault, Fault::MoreSigned));
    assert!(matches!(with_text("anything\n").unwrap_err().fault, Fault::Checkpoint(_)));
}

#[tokio::test]
async fn what_is_not_there_has_no_proof() {
    let (archive, store) = spanning().await;
    let error = |event| {
        let archive = archive.clone();
        async move { make(&archive, &event).await.unwrap_err() }
    };
    assert!(matches!(error(event(9, 0, 4)).await, ProofError::NoCommit { commit: 9, .. }));
    let other = EventRef { trail: "no.such.trail.import".to_owned(), ..event(1, 0, 4) };
    assert!(matches!(error(other).await, ProofError::NoCommit { .. }));
    let outside = EventRef { trail: "../../archive".to_owned(), ..event(1, 0, 4) };
    assert!(matches!(error(outside).await, ProofError::NoCommit { .. }));
    for none in [event(1, 0, 5), event(1, 4, 1), event(4, 0, 4), event(3, 4, 1)] {
        // Commit 3 has no segment of its own, and what was unfinished before it still is.
        let of_unfinished = none == event(3, 4, 1);
        let made = make(&archive, &none).await;
        assert_eq!(made.is_ok(), of_unfinished, "{none}");
        assert!(of_unfinished || matches!(made, Err(ProofError::NoBytes { .. })), "{none}");
    }
    let generation = EventRef { generation: "01".to_owned(), ..event(1, 0, 4) };
    assert!(matches!(error(generation).await, ProofError::NoBytes { .. }));
    assert!(matches!(error(event(1, 0, MAX_EVENT_BYTES + 1)).await, ProofError::TooLong(_)));

    let proof = make(&archive, &event(1, 0, 4)).await.unwrap();
    let object = Path::from(proof.parts[0].leaf.segment().unwrap().object.as_str());
    let whole = store.get(&object).await.unwrap().bytes().await.unwrap();
    let mut tampered = whole.to_vec();
    *tampered.last_mut().unwrap() ^= 1;
    store.put(&object, tampered.into()).await.unwrap();
    assert!(matches!(error(event(1, 0, 4)).await, ProofError::Archive(ArchiveError::Damaged { .. })));
    store.delete(&object).await.unwrap();
    assert!(matches!(error(event(1, 0, 4)).await, ProofError::Gone { .. }));
}

#[tokio::test]
async fn a_newer_proof_is_not_called_bad() {
    let (archive, _) = spanning().await;
    let proof = make(&archive, &event(1, 0, 4)).await.unwrap();
    let text = String::from_utf8(proof.to_vec().unwrap()).unwrap();
    for newer in [r#""format":3,"#, r#""format":3,"future":0,"#] {
        let file = text.replacen(r#""format":2,"#, newer, 1);
        let parsed = EventProof::parse("p", file.as_bytes());
        assert!(matches!(parsed, Err(ArchiveError::Newer { format: 3, .. })), "{parsed:?}");
    }
    for other in [r#""format":1,"#, r#""format":2,"future":0,"#, r#""format": 2,"#] {
        let file = text.replacen(r#""format":2,"#, other, 1);
        let parsed = EventProof::parse("p", file.as_bytes());
        assert!(matches!(parsed, Err(ArchiveError::Damaged { .. })), "{parsed:?}");
    }
}

/// Key 1 puts key 2 in force, key 2 puts key 3 in force, and key 3 signs the event.
async fn rotated() -> (Archive, EventProof) {
    let (archive, store) = new_archive().await;
    let stamp = Stamp { time: Timestamp::UNIX_EPOCH, writer: "test".to_owned() };
    let head = grow(&archive, &key(1), None, &[b"one\n"], 4).await;
    for (by, added) in [(1, 2), (2, 3)] {
        let leaf = Event::KeyAdded.at(Timestamp::UNIX_EPOCH).with("key", key(added).public());
        let leaves = vec![Leaf::Control(leaf)];
        journal::append(&archive, &key(by), &stamp, &|_| leaves.clone()).await.unwrap();
    }
    grow(&archive, &key(3), Some(&head), &[b"two\n"], 8).await;
    let reopened = Archive::open_trusting(store, roots(1)).await.unwrap();
    let proof = make(&reopened, &event(2, 4, 4)).await.unwrap();
    (archive, proof)
}

#[tokio::test]
async fn a_key_that_was_put_in_force_later() {
    let (_, proof) = rotated().await;
    assert_eq!(proof.keys.len(), 2);
    let file = proof.to_vec().unwrap();
    let shown = check(&file, &roots(1)).unwrap();
    assert_eq!((shown.bytes.as_slice(), shown.signers), (&b"two\n"[..], roots(3)));
    // Whoever trusts a later key needs fewer steps, or none.
    for seed in [2, 3] {
        assert_eq!(check(&file, &roots(seed)).unwrap().bytes, b"two\n");
    }
    assert_eq!(proof.check(&roots(4)).unwrap_err().verdict(), Verdict::KeyUnknown);
    let with = |order: &[usize]| EventProof {
        keys: order.iter().map(|step| proof.keys[*step].clone()).collect(),
        ..proof.clone()
    };
    for order in [&[][..], &[0], &[1], &[1, 0]] {
        assert_eq!(refused(&with(order)).verdict(), Verdict::KeyUnknown, "{order:?}");
    }
    assert!(matches!(refused(&with(&[0, 1, 0])).fault, Fault::Order));
    // The first leaf of the journal puts key 1 in force; a segment does not.
    let mut no_key = proof.clone();
    no_key.keys[0].leaf = proof.parts[0].leaf.clone();
    assert!(matches!(refused(&no_key).fault, Fault::NotIncluded));
    no_key.keys[0].inclusion.clone_from(&proof.parts[0].inclusion);
    // Signed by key 3, which nobody trusts yet.
    assert_eq!(refused(&no_key).verdict(), Verdict::KeyUnknown);
    assert!(matches!(no_key.check(&roots(3)).unwrap_err().fault, Fault::Elsewhere { .. }));
    for bit in (0..file.len() * 8).step_by(3) {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(check(&flipped, &roots(1)).is_none(), "bit {bit}");
    }
}

/// With two keys in `archive.json`, its hash in the journal vouches for both.
#[tokio::test]
async fn one_of_two_keys_that_the_archive_was_made_with() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let keys = [roots(1), roots(2)].concat();
    let manifest =
        Manifest { format: 2, id: "0".repeat(32), created: Timestamp::UNIX_EPOCH, keys: keys.clone() };
    store.put(&layout::manifest(), canonical::to_vec(&manifest).unwrap().into()).await.unwrap();
    let archive = Archive::open(store).await.unwrap();
    journal::begin(&archive, &key(1), &stamp()).await.unwrap();
    let head = grow(&archive, &key(1), None, &[b"one\n"], 4).await;
    grow(&archive, &key(2), Some(&head), &[b"two\n"], 8).await;
    let proof = make(&archive, &event(2, 4, 4)).await.unwrap();
    assert_eq!(proof.keys.len(), 1);
    for seed in [1, 2] {
        assert_eq!(proof.check(&roots(seed)).unwrap().signers, roots(2), "{seed}");
    }
    assert_eq!(proof.check(&roots(3)).unwrap_err().verdict(), Verdict::KeyUnknown);
}

/// Two files that begin with the same record are one generation of two families.
#[tokio::test]
async fn the_same_bytes_of_two_files_are_one_event_and_others_are_none() {
    let (archive, _) = new_archive().await;
    let mut all = addition(&archive, None, b"one\ntwo\n").await;
    let twin = |segment: &Leaf| {
        let mut leaf = segment.segment().unwrap().clone();
        "b.log".clone_into(&mut leaf.family);
        leaf
    };
    let mut other = twin(&all.leaves[1]);
    let different = addition(&archive, None, b"one\nTWO\n").await;
    let found = twin(&different.leaves[1]);
    let mut cursor = all.cursors.values().next().unwrap().clone();
    "b.log".clone_into(&mut cursor.family);
    all.cursors.insert(cursor.key(), cursor);
    let same = all.clone();
    other.log = "b.log".to_owned();
    let append = |mut addition: trail::Addition, leaf| {
        let archive = archive.clone();
        async move {
            addition.leaves.push(Leaf::Segment(leaf));
            let head = trail::head(&archive, TRAIL).await.unwrap();
            trail::append(&archive, &key(1), TRAIL, head.as_ref(), addition).await.unwrap();
        }
    };
    append(same, other).await;
    append(all, found).await;
    let proof = make(&archive, &event(1, 4, 4)).await.unwrap();
    assert_eq!(proof.check(&roots(1)).unwrap().bytes, b"two\n");
    assert_eq!(make(&archive, &event(2, 0, 4)).await.unwrap().check(&roots(1)).unwrap().bytes, b"one\n");
    let error = make(&archive, &event(2, 4, 4)).await.unwrap_err();
    assert!(
        matches!(&error, ProofError::Ambiguous { families } if *families == ["a.log", "b.log"]),
        "{error}"
    );
}

/// Archives of format 1 state no frames, so the whole objects are in the proof.
#[tokio::test]
async fn every_line_of_an_archive_of_format_1() {
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1");
    let root: VerifyingKey =
        std::fs::read_to_string(fixture.join("auditkeep.pub")).unwrap().trim().parse().unwrap();
    let store = Arc::new(DurableDirectory::new(&fixture.join("archive")).unwrap());
    let archive = Archive::open_trusting(store, vec![root.clone()]).await.unwrap();
    let (mut lines, mut spanning) = (0, 0);
    for trail in archive.trails().await.unwrap() {
        let last = trail::head(&archive, &trail).await.unwrap().unwrap().body.number;
        let mut files: std::collections::BTreeMap<String, (u64, Vec<u8>)> = std::collections::BTreeMap::new();
        for number in 1..=last {
            let body = trail::read(&archive, &trail, number).await.unwrap().unwrap().body;
            for leaf in body.leaves.iter().filter_map(Leaf::segment) {
                let raw = segment::read(&archive, leaf).await.unwrap();
                files.entry(leaf.cursor_key()).or_default().1.extend(raw);
            }
            for (key, cursor) in &body.cursors {
                let (done, raw) = files.get_mut(key).unwrap();
                let complete = raw
                    [usize::try_from(*done).unwrap()..usize::try_from(cursor.complete_to).unwrap()]
                    .to_vec();
                for line in complete.split_inclusive(|byte| *byte == b'\n') {
                    let (generation, length) = (cursor.generation.clone(), line.len() as u64);
                    let event =
                        EventRef { trail: trail.clone(), commit: number, generation, offset: *done, length };
                    let proof = make(&archive, &event).await.unwrap();
                    assert!(proof.parts.iter().all(|part| part.frames.is_empty() && part.object.is_some()));
                    spanning += usize::from(proof.parts.len() > 1);
                    let shown = check(&proof.to_vec().unwrap(), std::slice::from_ref(&root)).unwrap();
                    assert_eq!(shown.bytes, line, "{event}");
                    *done += length;
                    lines += 1;
                }
            }
        }
    }
    assert!(lines > 100 && spanning > 0, "{lines} lines, {spanning} of them over segments");
}
