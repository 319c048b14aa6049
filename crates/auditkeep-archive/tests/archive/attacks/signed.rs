//! Attacks by whoever holds a key that counts, and so can sign anything.

use std::sync::Arc;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::commit::Body;
use auditkeep_archive::control::{ControlLeaf, Event};
use auditkeep_archive::layout::{self, JOURNAL};
use auditkeep_archive::leaf::{Leaf, SegmentLeaf};
use auditkeep_archive::verify::Verdict::{
    self, Expired, Extra, Forked, Gap, KeyUnknown, Missing, Modified, Reordered, RolledBack, Truncated,
};
use auditkeep_core::integrity::hash::Sha256;
use jiff::Timestamp;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use serde_json::{Value, json};

use super::forger::{Forger, name};
use super::honest::{
    A, B, C, FIRST_KEY_TO, JOURNAL_LAST, KEPT_TO, LAST, LAST_SEAL, TRAILS, first, gap, generation, honest,
    hour, pen, remarks, second,
};
use super::pen::Pen;
use crate::building::append;

use super::{Attack, KEPT, check};

const NEXT: u64 = LAST + 1;
const JOURNAL_NEXT: u64 = JOURNAL_LAST + 1;

fn trail(trail: &str) -> String {
    layout::trail(trail).to_string()
}

fn leaf(event: ControlLeaf) -> Leaf {
    Leaf::Control(event)
}

fn at() -> Timestamp {
    hour(LAST + 2)
}

/// One more commit of a trail, whose body is altered before it is signed.
fn lie(on: &mut Forger, trail: &str, leaves: Vec<Leaf>, change: impl FnOnce(&mut Value)) {
    let mut body = serde_json::to_value(on.next(trail, leaves)).unwrap();
    change(&mut body);
    on.write_value(&body, &second());
}

async fn lied(what: &str, trail: &str, leaves: Vec<Leaf>, change: impl FnOnce(&mut Value)) -> Attack {
    Attack::new(what, |on| lie(on, trail, leaves, change)).await
}

fn with_expired(trails: &[&str]) -> Vec<(Verdict, String)> {
    let more = trails.iter().map(|id| (Expired, trail(id)));
    remarks().into_iter().chain(more).collect()
}

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
    append(&archive, None, b"another line\n").await;
    let other = Forger::of(&store).await;
    let attack = Attack::new("another archive", |on| *on = other).await;
    attack.remarks(Vec::new()).by_checkpoint(Forked, KEPT)
}

/// What is stated, in which trail, the change of the body, and what is remarked then.
type StandingLie = (&'static str, &'static str, fn(&mut Value), Vec<(Verdict, String)>);

#[tokio::test]
async fn standings_that_lie() {
    let lies: [StandingLie; 9] = [
        (
            "a hold is gone",
            B,
            |body| drop(body["standing"].as_object_mut().unwrap().remove("holds")),
            remarks(),
        ),
        ("retention is shorter", A, |body| body["standing"]["keep_days"] = 0.into(), remarks()),
        (
            "retention is over",
            A,
            |body| body["standing"]["keep_until"] = "2026-01-01T00:00:00Z".into(),
            remarks(),
        ),
        (
            "a gap is closed",
            B,
            |body| drop(body["standing"].as_object_mut().unwrap().remove("gaps")),
            vec![(Expired, trail(A))],
        ),
        ("more has expired", A, |body| body["standing"]["expired_through"] = 30.into(), remarks()),
        (
            "something has expired",
            C,
            |body| body["standing"]["expired_through"] = 30.into(),
            with_expired(&[C]),
        ),
        ("received later", A, |body| body["standing"]["received"] = "2027-01-01T00:00:00Z".into(), remarks()),
        ("stopped", A, |body| body["standing"]["state"] = "stopped".into(), remarks()),
        (
            "a witness",
            A,
            |body| body["standing"]["witnesses"] = json!({ "x": { "seal": 1, "time": at() } }),
            remarks(),
        ),
    ];
    let mut attacks = Vec::new();
    for (what, trail, change, remarks) in lies {
        let attack = lied(what, trail, Vec::new(), change).await;
        attacks.push(attack.finds(Modified, name(trail, NEXT)).remarks(remarks));
    }
    // What the lie would allow is not allowed: the commit after it is accused of nothing new, and the lie stays.
    let attack = Attack::new("a hold is gone, and what it held is given up", |on| {
        lie(on, B, Vec::new(), |body| drop(body["standing"].as_object_mut().unwrap().remove("holds")));
        on.append(B, vec![leaf(Event::Expired.at(hour(90)).with("through", 10))], &second());
        let held: Vec<_> = (1..=10).flat_map(|number| on.segments(B, number)).collect();
        for leaf in held {
            on.remove(&leaf.object);
        }
    });
    attacks.push(attack.await.finds(Modified, name(B, NEXT)).remarks(with_expired(&[B])));
    let stranger = Pen::ed25519(9);
    let entry = json!({ "key": stranger.public, "added": 1 });
    let attack = Attack::new("a key that no leaf adds", |on| {
        lie(on, JOURNAL, Vec::new(), |body| body["standing"]["keys"]["key-9+00000000"] = entry.clone());
        let mut commit = on.next(A, Vec::new());
        commit.writer = "x".to_owned();
        on.write(&commit, &stranger);
    });
    attacks.push(attack.await.finds(Modified, name(JOURNAL, JOURNAL_NEXT)).finds(KeyUnknown, name(A, NEXT)));
    check(attacks).await;
}

#[tokio::test]
async fn expiry_that_is_not_allowed() {
    let expired =
        |hours: u64, through: u64| vec![leaf(Event::Expired.at(hour(hours)).with("through", through))];
    let mut attacks = Vec::new();
    for (what, id, hours, through) in [
        ("before its time", A, 50, 27),
        ("under a hold", B, 500, 10),
        ("without a retention", C, 500, 10),
        ("of itself", A, 500, NEXT),
        ("of what is to come", A, 500, NEXT + 3),
        ("of nothing", A, 500, 0),
    ] {
        let attack = lied(what, id, expired(hours, through), |_| {}).await;
        let is_said = id != A && through > 0;
        let attack = attack.finds(Missing, name(id, NEXT));
        attacks.push(if is_said { attack.remarks(with_expired(&[id])) } else { attack });
    }
    attacks.push(lied("in its time", A, expired(50, 26), |_| {}).await);
    let until = || Event::RetentionSet.at(at()).with("keep_days", 1).with("keep_until", hour(1000));
    let attack = Attack::new("before the day that was set", |on| {
        lie(on, A, vec![leaf(until())], |_| {});
        lie(on, A, expired(999, 20), |_| {});
    });
    attacks.push(attack.await.finds(Missing, name(A, NEXT + 1)));
    let attack = Attack::new("on the day that was set", |on| {
        lie(on, A, vec![leaf(until())], |_| {});
        lie(on, A, expired(1000, 20), |_| {});
    });
    attacks.push(attack.await);
    let shorter = leaf(Event::RetentionSet.at(at()).with("keep_days", 0));
    let attack =
        lied("in the commit that shortens", B, [vec![shorter], expired(41, 39)].concat(), |_| {}).await;
    attacks.push(attack.finds(Missing, name(B, NEXT)).remarks(with_expired(&[B])));
    let released = leaf(Event::HoldReleased.at(at()).with("hold", "case 7"));
    let attack =
        lied("in the commit that releases", B, [vec![released.clone()], expired(500, 10)].concat(), |_| {})
            .await;
    attacks.push(attack.finds(Missing, name(B, NEXT)).remarks(with_expired(&[B])));
    let attack = Attack::new("after the release", |on| {
        lie(on, B, vec![released], |_| {});
        lie(on, B, expired(500, 10), |_| {});
    });
    attacks.push(attack.await.remarks(with_expired(&[B])));
    for through in ["01", "-1", "x", "9007199254740992"] {
        let malformed = vec![leaf(Event::Expired.at(hour(50)).with("through", through))];
        attacks.push(lied(&format!("through {through}"), C, malformed, |_| {}).await);
    }
    check(attacks).await;
}

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

fn honest_segments(id: &str, number: u64) -> Vec<String> {
    let forger = super::honest::HONEST.get().unwrap();
    forger.forger.segments(id, number).into_iter().map(|leaf| leaf.object).collect()
}

type SealLie = (&'static str, fn(&mut Forger, &mut Value), Option<(Verdict, String)>);

#[tokio::test]
async fn seals_that_lie() {
    let mut attacks = Vec::new();
    let seal = |change: fn(&mut Forger, &mut Value)| {
        move |on: &mut Forger| {
            let mut value = serde_json::to_value(Leaf::Seal(on.seal())).unwrap();
            change(on, &mut value);
            let leaf: Leaf = serde_json::from_value(value).unwrap();
            on.append(JOURNAL, vec![leaf], &second());
        }
    };
    let (next, zeroes) = (name(JOURNAL, JOURNAL_NEXT), "0".repeat(64));
    assert_eq!(zeroes.len(), 64);
    let lies: [SealLie; 9] = [
        ("right", |_, _| {}, None),
        (
            "a trail less",
            |_, seal| drop(seal["heads"].as_object_mut().unwrap().remove(C)),
            Some((RolledBack, next.clone())),
        ),
        (
            "an earlier commit",
            |on, seal| seal["heads"][C] = serde_json::to_value(on.head(C, KEPT_TO - 1)).unwrap(),
            Some((RolledBack, next.clone())),
        ),
        (
            "another root",
            |_, seal| seal["heads"][C]["root"] = "0".repeat(64).into(),
            Some((Modified, next.clone())),
        ),
        ("another size", |_, seal| seal["heads"][C]["size"] = 7.into(), Some((Modified, next.clone()))),
        (
            "another commit",
            |_, seal| seal["heads"][C]["commit"] = "0".repeat(64).into(),
            Some((Forked, name(C, LAST))),
        ),
        ("more than there is", |_, seal| seal["heads"][C]["number"] = 50.into(), Some((Truncated, trail(C)))),
        (
            "a trail that is not there",
            |_, seal| seal["heads"]["x"] = seal["heads"][C].clone(),
            Some((Missing, "trails/x".to_owned())),
        ),
        (
            "the journal",
            |on, seal| seal["heads"][JOURNAL] = serde_json::to_value(on.head(JOURNAL, JOURNAL_LAST)).unwrap(),
            Some((Modified, next.clone())),
        ),
    ];
    for (what, change, finding) in lies {
        let attack = Attack::new(format!("a seal of {what}"), seal(change)).await;
        attacks.push(match finding {
            Some((verdict, object)) => attack.finds(verdict, object),
            None => attack,
        });
    }
    let attack = Attack::new("two seals", |on| {
        on.append(JOURNAL, vec![Leaf::Seal(on.seal()), Leaf::Seal(on.seal())], &second());
    });
    attacks.push(attack.await.finds(Modified, &next));
    let attack =
        Attack::new("a seal in a trail", |on| on.append(A, vec![Leaf::Seal(on.seal())], &second())).await;
    attacks.push(attack.finds(Modified, name(A, NEXT)));
    for (what, pin, verdict, object) in [
        (
            "other",
            json!({ "number": JOURNAL_LAST, "commit": "0".repeat(64) }),
            Forked,
            name(JOURNAL, JOURNAL_LAST),
        ),
        ("future", json!({ "number": 30, "commit": "0".repeat(64) }), Truncated, trail(JOURNAL)),
    ] {
        let attack = lied(&format!("the journal's {what} commit is named"), A, Vec::new(), |body| {
            body["journal"] = pin;
        })
        .await;
        attacks.push(attack.finds(verdict, object));
    }
    check(attacks).await;
}

/// The key of a trail's cursor that grows.
fn cursor(id: &str) -> String {
    format!("audit.log#{}", generation(&format!("{id} audit.log 5")))
}

/// What is stated, the change of the body, and what its commit is called.
type BodyLie = (&'static str, Box<dyn FnOnce(&mut Value)>, Vec<Verdict>);

#[tokio::test]
async fn cursors_and_bodies_that_lie() {
    let key = cursor(A);
    let next = name(A, NEXT);
    let set = |pointer: &str, value: Value| {
        let pointer = pointer.to_owned();
        Box::new(move |body: &mut Value| *body.pointer_mut(&pointer).unwrap() = value)
            as Box<dyn FnOnce(&mut Value)>
    };
    let in_cursor = |field: &str| format!("/cursors/{key}/{field}");
    let moved = honest().await.forger.body(A, LAST).cursors[&key].offset + 7;
    let later = key.clone();
    let renamed = key.clone();
    let lies: Vec<BodyLie> = vec![
        ("chain", set(&in_cursor("chain"), "0".repeat(64).into()), vec![Gap]),
        ("offset", set(&in_cursor("offset"), moved.into()), vec![Gap, Modified]),
        (
            "offset and cuts",
            Box::new(move |body| {
                body["cursors"][&later]["offset"] = moved.into();
                body["cursors"][&later]["cuts"].as_array_mut().unwrap().push(moved.into());
            }),
            vec![Gap],
        ),
        ("cuts that fall", set(&in_cursor("cuts/0"), 1_000_000.into()), vec![Modified]),
        ("complete beyond", set(&in_cursor("complete_to"), 1_000_000.into()), vec![Modified]),
        ("a generation of another", set(&in_cursor("generation"), "0".repeat(16).into()), vec![Modified]),
        (
            "another name",
            Box::new(move |body| {
                let cursors = body["cursors"].as_object_mut().unwrap();
                let cursor = cursors.remove(&renamed).unwrap();
                cursors.insert("x#y".to_owned(), cursor);
            }),
            vec![Gap, Modified],
        ),
        ("tree", set("/tree/nodes/0", "0".repeat(64).into()), vec![Modified]),
        ("size of the tree", set("/tree/size", 9999.into()), vec![Modified]),
        ("previous", set("/previous", "0".repeat(64).into()), vec![Forked]),
        ("time", set("/time", "2026-01-01T00:00:00Z".into()), vec![Reordered]),
        ("format 1", set("/format", 1.into()), vec![Modified]),
        ("format 0", set("/format", 0.into()), vec![Modified]),
        ("no standing", set("/standing", Value::Null), vec![Modified]),
        ("more", Box::new(|body| body["more"] = 1.into()), vec![Modified]),
        ("less", Box::new(|body| drop(body.as_object_mut().unwrap().remove("writer"))), vec![Modified]),
        ("a text for a number", set("/tree/size", "1".into()), vec![Modified]),
        ("a time in another zone", set("/time", "2026-02-01T00:00:00+01:00".into()), vec![Modified]),
        ("an unknown leaf", set("/leaves", json!([{ "kind": "other" }])), vec![Modified]),
    ];
    let mut attacks = Vec::new();
    for (what, change, verdicts) in lies {
        let mut attack = lied(what, A, Vec::new(), change).await;
        for verdict in verdicts {
            attack = attack.finds(verdict, &next);
        }
        attacks.push(attack);
    }
    let back = Event::ClockWentBack.at(hour(1)).with("previous", hour(40));
    attacks.push(
        lied("time, and says so", A, vec![leaf(back)], set("/time", "2026-01-01T00:00:00Z".into())).await,
    );
    let attack = lied("format 1 as it was", A, Vec::new(), |body| {
        body["format"] = 1.into();
        for key in ["standing", "journal"] {
            body.as_object_mut().unwrap().remove(key);
        }
    });
    // Nothing that the trail said before is in force after it.
    attacks.push(
        attack
            .await
            .finds(Modified, &next)
            .finds_all(Missing, honest().await.given_up.keys().cloned())
            .remarks(vec![(Gap, gap())]),
    );
    let attack = lied("a cursor in the journal", JOURNAL, Vec::new(), |body| {
        body["cursors"] = json!({ "x#y": honest_cursor() });
    });
    attacks.push(attack.await.finds(Modified, name(JOURNAL, JOURNAL_NEXT)));
    let attack = lied("a newer format", A, Vec::new(), |body| {
        (body["format"], body["future"]) = (3.into(), 1.into());
    });
    attacks.push(attack.await.unreadable());
    attacks.push(
        lied("a newer format that looks like this one", A, Vec::new(), |body| body["format"] = 3.into())
            .await
            .unreadable(),
    );
    check(attacks).await;
}

fn honest_cursor() -> Value {
    let forger = &super::honest::HONEST.get().unwrap().forger;
    serde_json::to_value(&forger.body(A, LAST).cursors[&cursor(A)]).unwrap()
}

/// One more segment, whose leaf is altered before its commit is signed.
async fn with_segment(what: &str, change: impl FnOnce(&mut Forger, &mut SegmentLeaf)) -> Attack {
    Attack::new(what, |on| {
        let mut leaf = on.segment(A, &cursor(A), b"one more line\n");
        change(on, &mut leaf);
        let body: Body = on.next(A, vec![Leaf::Segment(leaf)]);
        on.write(&body, &second());
    })
    .await
}

#[tokio::test]
async fn segments_that_lie() {
    let next = name(A, NEXT);
    let object = {
        let mut on = honest().await.forger.clone();
        on.segment(A, &cursor(A), b"one more line\n").object
    };
    let other = honest_segments(B, 30).remove(0);
    let mut attacks = vec![with_segment("right", |_, _| {}).await];
    let attack = with_segment("an overlap", |_, leaf| {
        (leaf.from, leaf.to, leaf.complete_to) = (leaf.from - 5, leaf.to - 5, leaf.to - 5);
    })
    .await;
    attacks.push(attack.finds(Gap, &next));
    let attack = with_segment("a hole", |_, leaf| {
        (leaf.from, leaf.to, leaf.complete_to) = (leaf.from + 5, leaf.to + 5, leaf.to + 5);
    })
    .await;
    attacks.push(attack.finds(Gap, &next));
    let attack = Attack::new("a hole that a record explains", |on| {
        let mut segment = on.segment(A, &cursor(A), b"one more line\n");
        let gap = format!("{}@{}", cursor(A), segment.from);
        let opened = Event::GapOpened
            .at(at())
            .with("gap", gap)
            .with("from", segment.from)
            .with("to", segment.from + 5);
        (segment.from, segment.to, segment.complete_to) = (segment.from + 5, segment.to + 5, segment.to + 5);
        on.append(A, vec![leaf(opened), Leaf::Segment(segment)], &second());
    });
    let gap_name =
        format!("{}@{}", cursor(A), honest().await.forger.body(A, LAST).cursors[&cursor(A)].offset);
    let explained = [remarks(), vec![(Gap, gap_name)]].concat();
    attacks.push(attack.await.finds(Gap, &next).remarks(explained));
    let attack = Attack::new("no cursor", |on| {
        let leaf = on.segment(A, &cursor(A), b"one more line\n");
        lie(on, A, vec![Leaf::Segment(leaf)], |body| {
            drop(body["cursors"].as_object_mut().unwrap().remove(&cursor(A)));
        });
    });
    attacks.push(attack.await.finds(Gap, &next));
    for name in [
        "archive.json",
        "trails/x",
        "raw/../archive.json",
        "raw//x",
        "raw",
        "/raw/x",
        "raw/a b",
        "raw/ü",
        "raw/.x",
        "raw/x/",
        "",
    ] {
        let what = format!("the name {name:?}");
        let attack = with_segment(&what, |on, leaf| {
            on.remove(&leaf.object);
            name.clone_into(&mut leaf.object);
        });
        attacks.push(attack.await.finds(Modified, &next));
    }
    let attack = with_segment("an odd name that is there", |on, leaf| {
        let bytes = on.remove(&leaf.object);
        leaf.object = "raw/a b".to_owned();
        on.put("raw/a b", bytes);
    });
    attacks.push(attack.await.finds(Modified, &next).finds(Extra, "raw/a b"));
    let attack = with_segment("another leaf's object", |on, leaf| {
        on.remove(&leaf.object);
        leaf.object.clone_from(&other);
    });
    attacks.push(attack.await.finds(Modified, &other));
    attacks.push(
        with_segment("no object", |on, leaf| drop(on.remove(&leaf.object))).await.finds(Missing, &object),
    );
    let attack = with_segment("complete beyond its end", |_, leaf| leaf.complete_to = leaf.to + 1).await;
    attacks.push(attack.finds(Modified, &next));
    let attack =
        with_segment("no bytes", |_, leaf| (leaf.to, leaf.complete_to) = (leaf.from, leaf.from)).await;
    attacks.push(attack.finds(Modified, &next).only_deep(Modified, &object));
    let attack =
        with_segment("more than a segment holds", |_, leaf| leaf.to = leaf.from + (8 << 20) + 1).await;
    attacks.push(attack.finds(Modified, &next).only_deep(Modified, &object));
    for (what, change) in wrong_contents() {
        attacks.push(with_segment(what, change).await.only_deep(Modified, &object));
    }
    check(attacks).await;
}

type WrongContent = (&'static str, fn(&mut Forger, &mut SegmentLeaf));

/// Leaves that state size and hash of an object which is not what it should be.
fn wrong_contents() -> [WrongContent; 8] {
    [
        ("another raw hash", |_, leaf| leaf.raw_sha256 = Sha256::of(b"x")),
        ("another frame root", |_, leaf| leaf.frames = Some(Sha256::of(b"x"))),
        ("a bomb", |on, leaf| store(on, leaf, zstd::encode_all(&vec![0; 64 << 20][..], 1).unwrap())),
        ("a bomb without frames", |on, leaf| {
            store(on, leaf, zstd::encode_all(&vec![0; 64 << 20][..], 1).unwrap());
            leaf.frames = None;
        }),
        ("no zstd", |on, leaf| store(on, leaf, b"no zstd".to_vec())),
        ("a frame too many", |on, leaf| {
            let object = on.objects[&leaf.object].to_vec();
            store(on, leaf, [object, zstd::encode_all(&b""[..], 1).unwrap()].concat());
        }),
        ("bytes after the frames", |on, leaf| {
            let object = on.objects[&leaf.object].to_vec();
            store(on, leaf, [object, b"x".to_vec()].concat());
            leaf.frames = None;
        }),
        ("a frame that is cut off", |on, leaf| {
            let object = on.objects[&leaf.object].to_vec();
            store(on, leaf, object[..object.len() - 1].to_vec());
            leaf.frames = None;
        }),
    ]
}

fn store(on: &mut Forger, leaf: &mut SegmentLeaf, object: Vec<u8>) {
    (leaf.object_sha256, leaf.object_size) = (Sha256::of(&object), object.len() as u64);
    on.put(&leaf.object.clone(), object);
}
