//! Another history than the one that was, of one trail or of all.

use std::sync::Arc;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::journal;
use auditkeep_archive::layout::JOURNAL;
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::verify::Verdict::{Extra, Forked, Reordered};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use serde_json::json;

use super::super::forger::{Forger, name};
use super::super::honest::{
    A, C, FIRST_KEY_TO, JOURNAL_LAST, KEPT_TO, LAST, LAST_SEAL, TRAILS, first, honest, hour, pen, second,
};
use super::super::pen::Pen;
use crate::building::{append, key, stamp};

use super::super::{Attack, KEPT, check};

/// Another history of a trail from a commit on.
fn fork(on: &mut Forger, trail: &str, from: u64) {
    on.rewrite(trail, from, pen, |body| "another".clone_into(&mut body.writer));
}

/// Seals what is there now, in the place of the last seal, and follows it with what the journal had then.
fn seal_anew(on: &mut Forger) {
    let seal = on.seal();
    let heads: Vec<_> = TRAILS.iter().map(|id| ((*id).to_owned(), on.head(id, KEPT_TO))).collect();
    on.rewrite(
        JOURNAL,
        LAST_SEAL,
        |_| second(),
        |body| {
            for leaf in &mut body.leaves {
                if let Leaf::Seal(old) = leaf {
                    (old.time, old.heads) = (seal.time, heads.iter().cloned().collect());
                }
            }
        },
    );
}

#[tokio::test]
async fn another_history() {
    let mut attacks = Vec::new();
    let attack = Attack::new("of a trail", |on| fork(on, A, 30)).await;
    attacks.push(attack.finds(Forked, name(A, KEPT_TO)));
    let attack = Attack::new("of what no seal covers", |on| fork(on, A, KEPT_TO + 1)).await;
    attacks.push(attack);
    let attack = Attack::new("of a trail, and a new seal", |on| {
        fork(on, A, 30);
        seal_anew(on);
    });
    // The other trails still name the old journal.
    let attack = attack.await.finds(Forked, name(JOURNAL, JOURNAL_LAST));
    attacks.push(attack.by_checkpoint(Forked, name(JOURNAL, LAST_SEAL)).by_seal(Forked, name(A, KEPT_TO)));
    let attack = Attack::new("of all, with nothing that contradicts it", |on| {
        fork(on, A, 30);
        seal_anew(on);
        for id in TRAILS {
            repin(on, id);
        }
    });
    let attack = attack.await.by_checkpoint(Forked, name(JOURNAL, LAST_SEAL));
    attacks.push(attack.by_seal(Forked, name(A, KEPT_TO)));
    let attack = Attack::new("of the journal", |on| {
        on.rewrite(JOURNAL, 8, |_| second(), |body| "another".clone_into(&mut body.writer));
    });
    let attack = attack.await.finds(Forked, name(JOURNAL, 8)).finds(Forked, name(JOURNAL, JOURNAL_LAST));
    attacks.push(attack.by_checkpoint(Forked, name(JOURNAL, LAST_SEAL)));
    let attack =
        Attack::new("of one commit only", |on| on.edit(A, 30, &second(), |body| body["writer"] = "x".into()))
            .await;
    attacks.push(attack.finds(Forked, name(A, 31)));
    let attack = Attack::new("of one sealed commit", |on| {
        on.edit(A, KEPT_TO, &second(), |body| body["writer"] = "x".into());
    });
    attacks.push(attack.await.finds(Forked, name(A, KEPT_TO)).finds(Forked, name(A, KEPT_TO + 1)));
    let attack = Attack::new("by the retired key, of its own time", |on| {
        on.rewrite(A, FIRST_KEY_TO, pen, |body| "another".clone_into(&mut body.writer));
    });
    attacks.push(attack.await.finds(Forked, name(A, FIRST_KEY_TO)).finds(Forked, name(A, KEPT_TO)));
    attacks.push(of_another_archive().await);
    let attack = Attack::new("a commit of another archive", |on| {
        on.edit(A, 30, &second(), |body| body["archive"] = "f".repeat(32).into());
    });
    let extra = honest().await.forger.segments(A, 30).into_iter().map(|leaf| leaf.object);
    attacks.push(attack.await.finds(Reordered, name(A, 30)).finds_all(Extra, extra));
    check(attacks).await;
}

/// Lets the commits after the last seal name the journal as it is now.
fn repin(on: &mut Forger, trail: &str) {
    let pin = json!({ "number": JOURNAL_LAST, "commit": on.hash(JOURNAL, JOURNAL_LAST) });
    for number in KEPT_TO + 1..=LAST {
        let previous = on.hash(trail, number - 1).to_string();
        let pen = if (trail, number) == (C, LAST) { Pen::ecdsa() } else { second() };
        on.edit(trail, number, &pen, |body| {
            (body["journal"], body["previous"]) = (pin.clone(), previous.into());
        });
    }
}

/// Another whole archive by the same key in the place of this one.
async fn of_another_archive() -> Attack {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let archive = Archive::create(store.clone(), "f".repeat(32), first().public, hour(1)).await.unwrap();
    journal::begin(&archive, &key(1), &stamp()).await.unwrap();
    append(&archive, None, b"another line\n").await;
    let other = Forger::of(&store).await;
    let attack = Attack::new("another archive", |on| *on = other).await;
    attack.remarks(Vec::new()).by_checkpoint(Forked, KEPT)
}
