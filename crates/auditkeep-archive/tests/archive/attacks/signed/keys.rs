//! Keys that come into force, or stay so, against the rules.

use auditkeep_archive::archive::Archive;
use auditkeep_archive::control::Event;
use auditkeep_archive::layout::JOURNAL;
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::trail::{self, TrailError};
use auditkeep_archive::verify::Verdict::{Extra, Gap, KeyUnknown, Missing, Modified};

use super::super::forger::name;
use super::super::honest::{A, B, C, KEPT_TO, LAST, LAST_SEAL, TRAILS, first, gap, honest, second};
use super::super::pen::Pen;

use super::super::{Attack, check};
use super::{JOURNAL_NEXT, NEXT, at, honest_segments, leaf};

#[tokio::test]
async fn keys_that_lie() {
    let stranger = Pen::ed25519(9);
    let added = |key: &str| {
        vec![leaf(Event::KeyAdded.at(at()).with("key", key).with("who", "x").with("reason", "x"))]
    };
    let retired = |key: &Pen, seal: u64| {
        vec![leaf(Event::KeyRetired.at(at()).with("key", key.public.signer()).with("seal", seal))]
    };
    let mut attacks = Vec::new();
    let attack = Attack::new("a retired key adds one", |on| {
        on.append(JOURNAL, added(&stranger.public.to_string()), &first());
        on.append(A, Vec::new(), &stranger);
    });
    attacks
        .push(attack.await.finds(KeyUnknown, name(JOURNAL, JOURNAL_NEXT)).finds(KeyUnknown, name(A, NEXT)));
    let attack = Attack::new("added in a trail", |on| {
        on.append(B, added(&stranger.public.to_string()), &second());
        on.append(A, Vec::new(), &stranger);
    });
    attacks.push(attack.await.finds(KeyUnknown, name(A, NEXT)));
    let attack = Attack::new("a key signs the commit that adds it", |on| {
        on.append(JOURNAL, added(&stranger.public.to_string()), &stranger);
    });
    attacks.push(attack.await.finds(KeyUnknown, name(JOURNAL, JOURNAL_NEXT)));
    let attack = Attack::new("added, retired, and signs on", |on| {
        on.append(JOURNAL, added(&stranger.public.to_string()), &second());
        on.append(A, Vec::new(), &stranger);
        on.append(JOURNAL, retired(&stranger, LAST_SEAL), &second());
        on.append(JOURNAL, Vec::new(), &stranger);
    });
    attacks.push(
        attack.await.finds(KeyUnknown, name(A, NEXT)).finds(KeyUnknown, name(JOURNAL, JOURNAL_NEXT + 2)),
    );
    let attack = Attack::new("retired, and added again", |on| {
        on.append(JOURNAL, added(&first().public.to_string()), &second());
        on.append(A, Vec::new(), &first());
    });
    attacks.push(attack.await.finds(KeyUnknown, name(A, NEXT)));
    let attack = Attack::new("retired for another seal", |on| {
        on.append(JOURNAL, retired(&first(), LAST_SEAL), &second());
        on.append(A, Vec::new(), &first());
    });
    attacks.push(attack.await.finds(KeyUnknown, name(A, NEXT)));
    // Its last commits lie beyond the seal up to which its signatures count.
    let mut attack = Attack::new("the key in use is retired", |on| {
        on.append(JOURNAL, retired(&second(), LAST_SEAL), &second());
    })
    .await;
    for id in TRAILS {
        let numbers = KEPT_TO + 1..=if id == C { LAST - 1 } else { LAST };
        let extra = numbers.clone().flat_map(|number| honest_segments(id, number));
        attack = attack.finds_all(KeyUnknown, numbers.map(|number| name(id, number))).finds_all(Extra, extra);
    }
    // Nor is the record of the expiry believed.
    let given_up = honest().await.given_up.keys().cloned();
    attacks.push(attack.finds_all(Missing, given_up).remarks(vec![(Gap, gap())]));
    for seal in [99, 8, JOURNAL_NEXT] {
        let attack = Attack::new(format!("retired by the seal {seal}"), |on| {
            on.append(JOURNAL, added(&stranger.public.to_string()), &second());
            on.append(A, Vec::new(), &stranger);
            on.append(JOURNAL, retired(&stranger, seal), &second());
        });
        attacks.push(
            attack.await.finds(Modified, name(JOURNAL, JOURNAL_NEXT + 1)).finds(KeyUnknown, name(A, NEXT)),
        );
    }
    for key in ["x", &format!("{} ", stranger.public), &format!("{}\n", stranger.public)] {
        let attack = Attack::new(format!("a key that is none: {key:?}"), |on| {
            on.append(JOURNAL, added(key), &second());
            on.append(A, Vec::new(), &stranger);
        });
        attacks.push(attack.await.finds(KeyUnknown, name(A, NEXT)));
    }
    let created = Event::ArchiveCreated.at(at()).with("manifest", "x").with("keys", &stranger.public);
    let attack =
        Attack::new("created again", |on| on.append(JOURNAL, vec![leaf(created.clone())], &second())).await;
    attacks.push(attack.finds(Modified, name(JOURNAL, JOURNAL_NEXT)));
    let attack = Attack::new("created in a trail", |on| on.append(A, vec![leaf(created)], &second())).await;
    attacks.push(attack.finds(Modified, name(A, NEXT)));
    check(attacks).await;
}

/// Neither whoever verifies nor whoever collects lets a key's commits count because of a seal that was made after its retirement.
#[tokio::test]
async fn a_key_is_not_retired_up_to_a_seal_that_comes_later() {
    let stranger = Pen::ed25519(9);
    let attack = Attack::new("retired by a later seal", |on| {
        let added =
            Event::KeyAdded.at(at()).with("key", &stranger.public).with("who", "x").with("reason", "x");
        let retired = Event::KeyRetired.at(at()).with("key", stranger.public.signer());
        on.append(JOURNAL, vec![leaf(added)], &second());
        on.append(A, Vec::new(), &stranger);
        on.append(JOURNAL, vec![leaf(retired.with("seal", JOURNAL_NEXT + 2))], &second());
        on.append(JOURNAL, vec![Leaf::Seal(on.seal())], &second());
    });
    let attack =
        attack.await.finds(Modified, name(JOURNAL, JOURNAL_NEXT + 1)).finds(KeyUnknown, name(A, NEXT));
    let archive = Archive::open_trusting(attack.forger.store().await, vec![first().public]).await.unwrap();
    let head = trail::head(&archive, A).await;
    assert!(matches!(head, Err(TrailError::Distrusted { .. })), "{head:?}");
    check(vec![attack]).await;
}
