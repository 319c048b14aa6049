//! Seals, and names of journal commits, that do not tell what is there.

use auditkeep_archive::layout::JOURNAL;
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::verify::Verdict::{self, Forked, Missing, Modified, RolledBack, Truncated};
use serde_json::{Value, json};

use super::super::forger::{Forger, name};
use super::super::honest::{A, C, JOURNAL_LAST, KEPT_TO, LAST, second};

use super::super::{Attack, check};
use super::{JOURNAL_NEXT, NEXT, lied, trail};

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
