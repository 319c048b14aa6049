//! Attacks by whoever can write to the store and has no key that counts.

use auditkeep_archive::layout::{self, JOURNAL};
use auditkeep_archive::verify::Verdict::{
    Extra, Forked, Gap, KeyUnknown, Missing, Modified, Reordered, RolledBack, Truncated,
};
use auditkeep_core::integrity::canonical;
use auditkeep_core::integrity::hash::Sha256;
use serde_json::{Value, json};

use super::forger::{Forger, name, signed};
use super::honest::{
    A, B, C, EXPIRED, FIRST_KEY_TO, JOURNAL_LAST, KEPT_TO, LAST, LAST_SEAL, TRAILS, first, gap, honest,
    second,
};
use super::pen::Pen;
use super::{Attack, KEPT, check};

const MANIFEST: &str = layout::MANIFEST;

fn trail(trail: &str) -> String {
    layout::trail(trail).to_string()
}

/// The segments of a commit, which nobody names when it is not believed.
async fn extra(trail: &str, numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    let forger = &honest().await.forger;
    let numbers: Vec<u64> = numbers.into_iter().collect();
    let leaves = numbers.into_iter().flat_map(|number| forger.segments(trail, number));
    leaves.map(|leaf| leaf.object).filter(|object| forger.objects.contains_key(object)).collect()
}

async fn a_segment() -> String {
    extra(B, [25]).await.remove(0)
}

#[tokio::test]
async fn flipped_bits() {
    let mut attacks = Vec::new();
    for part in [0, 7, 35, 50, 70, 85, 100] {
        let commit = name(A, 30);
        let attack = Attack::new(format!("commit, {part}%"), |on| on.flip(&commit, part)).await;
        attacks.push(attack.finds(Modified, commit).finds_all(Extra, extra(A, [30]).await));
        for number in [7, 8, LAST_SEAL] {
            let commit = name(JOURNAL, number);
            let attack = Attack::new(format!("journal {number}, {part}%"), |on| on.flip(&commit, part)).await;
            attacks.push(attack.finds(Modified, commit));
        }
        let segment = a_segment().await;
        let attack = Attack::new(format!("segment, {part}%"), |on| on.flip(&segment, part)).await;
        attacks.push(attack.only_deep(Modified, segment));
        let attack = Attack::new(format!("archive.json, {part}%"), |on| on.flip(MANIFEST, part)).await;
        attacks.push(attack.finds(Modified, MANIFEST));
        let head = layout::head(A).to_string();
        attacks.push(Attack::new(format!("head, {part}%"), |on| on.flip(&head, part)).await);
    }
    // The seal up to which the first key's signatures count: without it none of them counts.
    let mut attack = Attack::new("the seal of a retirement", |on| on.flip(&name(JOURNAL, 4), 50)).await;
    for id in TRAILS {
        attack = attack.finds_all(KeyUnknown, (1..=FIRST_KEY_TO).map(|number| name(id, number)));
        attack = attack.finds_all(Extra, extra(id, 1..=FIRST_KEY_TO).await);
    }
    // Of what expired, the last record is believed.
    attacks.push(
        attack
            .finds(Modified, name(JOURNAL, 4))
            .finds(Modified, name(JOURNAL, 5))
            .finds(Missing, name(A, 38)),
    );
    check(attacks).await;
}

#[tokio::test]
async fn what_is_deleted() {
    let mut attacks = Vec::new();
    let attack = Attack::new("commit", |on| drop(on.remove(&name(A, 30)))).await;
    attacks.push(attack.finds(Missing, name(A, 30)).finds_all(Extra, extra(A, [30]).await));
    let attack =
        Attack::new("a run of commits", |on| (30..34).for_each(|number| drop(on.remove(&name(A, number)))))
            .await;
    attacks.push(attack.finds(Missing, name(A, 30)).finds_all(Extra, extra(A, 30..34).await));
    let attack = Attack::new("first commit", |on| drop(on.remove(&name(C, 1)))).await;
    attacks.push(attack.finds(Missing, name(C, 1)).finds_all(Extra, extra(C, [1]).await));
    // Nothing names it yet: the next seal would.
    let attack = Attack::new("the newest commit, which no seal covers", |on| on.rewind(C, LAST - 1)).await;
    attacks.push(attack);
    let attack = Attack::new("all that the last seal does not cover", |on| on.cut(C, KEPT_TO)).await;
    attacks.push(attack.finds_all(Extra, extra(C, KEPT_TO + 1..=LAST).await));
    let attack = Attack::new("one more than that", |on| on.rewind(C, KEPT_TO - 1)).await;
    attacks.push(attack.finds(Truncated, trail(C)));
    let segment = a_segment().await;
    attacks.push(Attack::new("segment", |on| drop(on.remove(&segment))).await.finds(Missing, segment));
    let kept = extra(A, [EXPIRED]).await.remove(0);
    let attack = Attack::new("a segment that expiry must keep", |on| drop(on.remove(&kept))).await;
    attacks.push(attack.finds(Missing, kept));
    let attack = Attack::new("trail", |on| on.remove_below(&format!("{}/", trail(C)))).await;
    attacks.push(attack.finds(Missing, trail(C)).finds_all(Extra, extra(C, 1..=LAST).await));
    attacks.push(Attack::new("archive.json", |on| drop(on.remove(MANIFEST))).await.finds(Missing, MANIFEST));
    for keep in [JOURNAL_LAST - 1, LAST_SEAL - 1] {
        let attack = Attack::new(format!("journal after {keep}"), |on| on.cut(JOURNAL, keep)).await;
        let attack = attack.finds(Truncated, trail(JOURNAL));
        attacks.push(if keep < LAST_SEAL {
            attack.by_checkpoint(RolledBack, trail(JOURNAL))
        } else {
            attack
        });
    }
    attacks.push(
        Attack::new("heads", |on| TRAILS.iter().for_each(|id| drop(on.remove(layout::head(id).as_ref()))))
            .await,
    );
    attacks.push(without_journal().await);
    check(attacks).await;
}

/// Without a journal only the root counts; what later keys signed is by unknown ones, and so is the checkpoint.
async fn without_journal() -> Attack {
    let attack = Attack::new("journal", |on| on.remove_below(&format!("{}/", trail(JOURNAL)))).await;
    let mut attack = attack.finds(Missing, trail(JOURNAL)).by_checkpoint(KeyUnknown, KEPT);
    for id in TRAILS {
        attack = attack.finds_all(KeyUnknown, (FIRST_KEY_TO + 1..=LAST).map(|number| name(id, number)));
        attack = attack.finds_all(Extra, extra(id, FIRST_KEY_TO + 1..=LAST).await);
    }
    // The record of the expiry is among them.
    attack.finds_all(Missing, honest().await.given_up.keys().cloned()).remarks(vec![(Gap, gap())])
}

#[tokio::test]
async fn what_is_inserted() {
    let mut attacks = Vec::new();
    let junk = |on: &mut Forger, name: &str| on.put(name, "{}");
    let attack = Attack::new("far number", |on| junk(on, &name(A, 1000))).await;
    attacks.push(attack.finds(Missing, name(A, LAST + 1)).finds(Modified, name(A, 1000)));
    let newer = r#"{"body":{"format":3},"checkpoint":"x"}"#;
    let attack = Attack::new("a newer format by nobody", |on| on.put(&name(A, LAST + 1), newer)).await;
    attacks.push(attack.finds(Modified, name(A, LAST + 1)));
    let attack = Attack::new("a newer format by a stranger", |on| {
        let mut body = serde_json::to_value(on.next(A, Vec::new())).unwrap();
        (body["format"], body["future"]) = (3.into(), 1.into());
        on.put(&name(A, LAST + 1), signed(&body, &Pen::ed25519(9)));
    });
    attacks.push(attack.await.finds(Modified, name(A, LAST + 1)));
    for planted in
        ["raw/local/planted.zst", "trails/stray", "trails/x/notes", "trails/journal/commits/1.json"]
    {
        attacks.push(Attack::new(planted, |on| junk(on, planted)).await.finds(Extra, planted));
    }
    let zero = name(B, 0);
    attacks.push(Attack::new("number 0", |on| junk(on, &zero)).await.finds(Extra, zero));
    let other = "local.local.d.log-files";
    let attack = Attack::new("a trail that is a copy", |on| {
        (1..=LAST).for_each(|number| on.put(&name(other, number), on.stored(C, number).clone()));
    });
    // What the retired key signed counts in the trails that its last seal names.
    let attack = attack.await.finds_all(KeyUnknown, (1..=FIRST_KEY_TO).map(|number| name(other, number)));
    attacks.push(attack.finds_all(Reordered, (FIRST_KEY_TO + 1..=LAST).map(|number| name(other, number))));
    let attack = Attack::new("a journal commit in a trail", |on| {
        on.put(&name(B, LAST + 1), on.stored(JOURNAL, 8).clone());
    });
    attacks.push(attack.await.finds(Reordered, name(B, LAST + 1)));
    let attack = Attack::new("a trail's commit in the journal", |on| {
        on.put(&name(JOURNAL, JOURNAL_LAST + 1), on.stored(B, 30).clone());
    });
    attacks.push(attack.await.finds(Reordered, name(JOURNAL, JOURNAL_LAST + 1)));
    attacks.push(Attack::new("derived tables", |on| junk(on, "events/x")).await);
    check(attacks).await;
}

#[tokio::test]
async fn what_is_put_elsewhere() {
    let mut attacks = Vec::new();
    let attack = Attack::new("two commits", |on| on.swap(&name(A, 25), &name(A, 26))).await;
    let attack = attack.finds_all(Reordered, [25, 26].map(|number| name(A, number)));
    attacks.push(attack.finds_all(Extra, extra(A, [25, 26]).await));
    let attack =
        Attack::new("the same commit again", |on| on.put(&name(A, LAST + 1), on.stored(A, LAST).clone()))
            .await;
    attacks.push(attack.finds(Reordered, name(A, LAST + 1)));
    let attack = Attack::new("two journal commits", |on| on.swap(&name(JOURNAL, 7), &name(JOURNAL, 8))).await;
    attacks.push(attack.finds_all(Reordered, [7, 8].map(|number| name(JOURNAL, number))));

    let forger = &honest().await.forger;
    let size = |name: &String| forger.objects[name].len();
    let segments = forger.segments_from(B, 1);
    let (one, other) =
        (&segments[40], segments.iter().find(|name| size(name) != size(&segments[40])).unwrap());
    let attack = Attack::new("two segments", |on| on.swap(one, other)).await;
    attacks.push(attack.finds(Modified, one).finds(Modified, other));
    let is_twin = |name: &&String| {
        size(name) == size(one) && *name != one && forger.objects[*name] != forger.objects[one]
    };
    let twin = segments.iter().find(is_twin).unwrap();
    let attack = Attack::new("two segments of one size", |on| on.swap(one, twin)).await;
    attacks.push(attack.only_deep(Modified, one).only_deep(Modified, twin));

    let raw = zstd::decode_all(&forger.objects[one][..]).unwrap();
    let bomb = zstd::encode_all(&vec![0; 64 << 20][..], 1).unwrap();
    let stored = forger.objects[one].to_vec();
    let mut other_segments = vec![
        ("the same bytes compressed otherwise", zstd::encode_all(&raw[..], 19).unwrap()),
        ("a bomb", bomb),
        ("a truncated segment", stored[..stored.len() - 1].to_vec()),
        ("an empty segment", Vec::new()),
        ("a segment and more", [stored.clone(), vec![0]].concat()),
        ("a segment and an empty frame", [stored.clone(), zstd::encode_all(&b""[..], 1).unwrap()].concat()),
    ];
    for (what, bytes) in other_segments.drain(..) {
        assert_ne!(bytes.len(), stored.len());
        let attack = Attack::new(what, |on| on.put(one, bytes)).await;
        attacks.push(attack.finds(Modified, one));
    }
    check(attacks).await;
}

/// As it was in round 30, with all that was there then.
fn roll_back(on: &mut Forger, given_up: &super::forger::Objects) {
    for id in TRAILS {
        on.rewind(id, 30);
    }
    on.cut(JOURNAL, 6);
    on.objects.extend(given_up.clone());
}

#[tokio::test]
async fn what_is_rolled_back() {
    let given_up = &honest().await.given_up;
    let mut attack = Attack::new("everything, as it was", |on| roll_back(on, given_up)).await;
    attack = attack.remarks(vec![(Gap, gap())]).by_checkpoint(RolledBack, trail(JOURNAL));
    for id in TRAILS {
        attack = attack.by_seal(Truncated, trail(id));
    }
    let mut attacks = vec![attack];
    let attack = Attack::new("a trail and the journal", |on| {
        on.rewind(C, 30);
        on.cut(JOURNAL, LAST_SEAL - 1);
    });
    let attack = attack.await.finds(Truncated, trail(JOURNAL));
    attacks.push(attack.by_checkpoint(RolledBack, trail(JOURNAL)).by_seal(Truncated, trail(C)));
    let attack = Attack::new("to nothing but archive.json", |on| {
        on.remove_below("trails/");
        on.remove_below("raw/");
    });
    // Who signed the checkpoint is in the journal that is gone.
    attacks.push(attack.await.remarks(Vec::new()).by_checkpoint(KeyUnknown, KEPT));
    let attack = Attack::new("all trails", |on| on.remove_below("trails/")).await;
    let segments = honest().await.forger.names_below("raw/");
    let attack = attack.finds(Missing, trail(JOURNAL)).finds_all(Extra, segments).remarks(Vec::new());
    attacks.push(attack.by_checkpoint(KeyUnknown, KEPT));
    let attack = Attack::new("to a note in a trail", |on| {
        on.remove_below("trails/");
        on.remove_below("raw/");
        on.put("trails/x/notes", "notes");
    });
    let attack = attack.await.finds(Missing, trail(JOURNAL)).finds(Extra, "trails/x/notes");
    attacks.push(attack.remarks(Vec::new()).by_checkpoint(KeyUnknown, KEPT));
    let attack = Attack::new("to nothing at all", |on| on.remove_below("")).await;
    attacks.push(attack.unreadable());
    check(attacks).await;
}

fn manifest(on: &mut Forger, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&on.objects[MANIFEST]).unwrap();
    change(&mut value);
    on.put(MANIFEST, canonical::to_vec(&value).unwrap());
}

#[tokio::test]
async fn another_archive_json() {
    let stranger = Pen::ed25519(9);
    let changes: [(&str, Value); 7] = [
        ("keys", json!([stranger.public])),
        ("keys", json!([first().public, stranger.public])),
        ("id", "f".repeat(32).into()),
        ("format", 0.into()),
        ("format", 1.into()),
        ("format", 3.into()),
        ("created", "2026-01-02T00:00:00Z".into()),
    ];
    let mut attacks = Vec::new();
    for (key, value) in changes {
        let attack =
            Attack::new(format!("{key} {value}"), |on| manifest(on, |manifest| manifest[key] = value)).await;
        attacks.push(attack.finds(Modified, MANIFEST));
    }
    attacks.push(Attack::new("junk", |on| on.put(MANIFEST, "junk")).await.finds(Modified, MANIFEST));
    let attack = Attack::new("a stranger's key, who signs", |on| {
        manifest(on, |manifest| manifest["keys"] = json!([first().public, stranger.public]));
        on.edit(A, 30, &stranger, |_| {});
    });
    let attack = attack.await.finds(Modified, MANIFEST).finds(KeyUnknown, name(A, 30));
    attacks.push(attack.finds_all(Extra, extra(A, [30]).await));
    check(attacks).await;
}

#[tokio::test]
async fn what_the_wrong_key_signed() {
    let stranger = Pen::ed25519(9);
    let mut attacks = Vec::new();
    for (who, pen) in [("a stranger", &stranger), ("the retired key", &first())] {
        let attack = Attack::new(format!("a commit by {who}"), |on| on.edit(A, 30, pen, |_| {})).await;
        attacks.push(attack.finds(KeyUnknown, name(A, 30)).finds_all(Extra, extra(A, [30]).await));
        let attack =
            Attack::new(format!("one more commit by {who}"), |on| on.append(B, Vec::new(), pen)).await;
        attacks.push(attack.finds(KeyUnknown, name(B, LAST + 1)));
        let attack = Attack::new(format!("one more in the journal by {who}"), |on| {
            on.append(JOURNAL, Vec::new(), pen);
        })
        .await;
        attacks.push(attack.finds(KeyUnknown, name(JOURNAL, JOURNAL_LAST + 1)));
    }
    let attack =
        Attack::new("the second key before it was added", |on| on.edit(JOURNAL, 2, &second(), |_| {})).await;
    // It is signed by a key that its own leaf puts in force; the keys that it added are in the standing of the next.
    attacks.push(attack.finds(KeyUnknown, name(JOURNAL, 2)));
    let attack = Attack::new("a key that says it is another", |on| {
        let forged = on.note(A, 30).replace(" key-2 ", " key-9 ");
        let commit = json!({ "body": on.body(A, 30), "checkpoint": forged });
        on.put(&name(A, 30), canonical::to_vec(&commit).unwrap());
    });
    attacks.push(attack.await.finds(KeyUnknown, name(A, 30)).finds_all(Extra, extra(A, [30]).await));
    attacks.push(by_a_stranger(&stranger).await);
    check(attacks).await;
}

/// The whole archive, signed by somebody else: nothing of it is believed.
async fn by_a_stranger(stranger: &Pen) -> Attack {
    let attack = Attack::new("all by a stranger", |on| {
        for id in [A, B, C, JOURNAL] {
            for number in 1..=on.last(id) {
                on.edit(id, number, stranger, |_| {});
            }
        }
    });
    let mut attack = attack.await.remarks(Vec::new()).by_checkpoint(KeyUnknown, KEPT);
    attack = attack.finds_all(KeyUnknown, (1..=JOURNAL_LAST).map(|number| name(JOURNAL, number)));
    for id in TRAILS {
        attack = attack.finds_all(KeyUnknown, (1..=LAST).map(|number| name(id, number)));
        attack = attack.finds_all(Extra, extra(id, 1..=LAST).await);
    }
    attack
}

/// What is signed twice is stored in other bytes: whatever names the commit by its hash notices, and nothing else can.
#[tokio::test]
async fn another_right_signature() {
    let mut attacks = Vec::new();
    let attack = Attack::new("s for n - s, in the newest commit", |on| mangle(on, C, LAST)).await;
    attacks.push(attack);
    let attack = Attack::new("s for n - s, in one that is followed", |on| {
        on.append(C, Vec::new(), &second());
        mangle(on, C, LAST);
    });
    attacks.push(attack.await.finds(Forked, name(C, LAST + 1)));
    let attack = Attack::new("a second signature, in the newest commit", |on| sign_too(on, A, LAST)).await;
    attacks.push(attack);
    let attack = Attack::new("a second signature, in one that is followed", |on| sign_too(on, A, 30)).await;
    attacks.push(attack.finds(Forked, name(A, 31)));
    let attack =
        Attack::new("a second signature, in one that is sealed", |on| sign_too(on, A, KEPT_TO)).await;
    attacks.push(attack.finds(Forked, name(A, KEPT_TO + 1)).finds(Forked, name(A, KEPT_TO)));
    // The checkpoint is of the body, which is the same.
    let attack =
        Attack::new("a second signature, in the last seal", |on| sign_too(on, JOURNAL, LAST_SEAL)).await;
    attacks.push(attack.finds(Forked, name(JOURNAL, LAST_SEAL + 1)));
    check(attacks).await;
}

fn with_note(on: &mut Forger, trail: &str, number: u64, note: &str) {
    let commit = json!({ "body": on.body(trail, number), "checkpoint": note });
    on.put(&name(trail, number), canonical::to_vec(&commit).unwrap());
}

fn sign_too(on: &mut Forger, trail: &str, number: u64) {
    let note = on.note(trail, number);
    let line = super::forger::signature_line(&note, &Pen::ed25519(9));
    with_note(on, trail, number, &format!("{note}{line}"));
}

/// Puts the other of the two values of `s` for which an ECDSA signature is right.
fn mangle(on: &mut Forger, trail: &str, number: u64) {
    let note = on.note(trail, number);
    let mangled = super::forger::mangled(&note);
    assert_ne!(note, mangled);
    with_note(on, trail, number, &mangled);
    assert_ne!(Sha256::of(note.as_bytes()), Sha256::of(mangled.as_bytes()));
}
