//! Cursors and other parts of a body that contradict what is before them, or themselves.

use auditkeep_archive::archive::{Archive, ArchiveError};
use auditkeep_archive::control::Event;
use auditkeep_archive::layout::JOURNAL;
use auditkeep_archive::trail::{self, TrailError};
use auditkeep_archive::verify::Verdict::{self, Forked, Gap, Missing, Modified, Reordered};
use serde_json::{Value, json};

use super::super::forger::name;
use super::super::honest::{A, LAST, first, gap, honest, hour, second};

use super::super::check;
use super::{JOURNAL_NEXT, NEXT, cursor, leaf, lied};

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

/// Whoever goes on after a commit of a later version says so, and not that somebody damaged it.
#[tokio::test]
async fn what_is_newer_is_not_called_damaged() {
    for trail in [A, JOURNAL] {
        let mut forger = honest().await.forger.clone();
        forger.edit(trail, forger.last(trail), &second(), |body| body["format"] = 3.into());
        let roots = vec![first().public];
        let error = match Archive::open_trusting(forger.store().await, roots).await {
            Err(error) => error,
            Ok(archive) => match trail::head(&archive, trail).await {
                Err(TrailError::Archive(error)) => error,
                head => panic!("{head:?}"),
            },
        };
        assert!(matches!(error, ArchiveError::Newer { format: 3, .. }), "{error:?}");
    }
}

fn honest_cursor() -> Value {
    let forger = &super::super::honest::HONEST.get().unwrap().forger;
    serde_json::to_value(&forger.body(A, LAST).cursors[&cursor(A)]).unwrap()
}
