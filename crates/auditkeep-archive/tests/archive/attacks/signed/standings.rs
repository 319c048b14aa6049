//! Standings that do not follow from what happened, and expiry that the retention does not allow.

use auditkeep_archive::control::Event;
use auditkeep_archive::layout::JOURNAL;
use auditkeep_archive::verify::Verdict::{self, Expired, KeyUnknown, Missing, Modified};
use serde_json::{Value, json};

use super::super::forger::name;
use super::super::honest::{A, B, C, hour, remarks, second};
use super::super::pen::Pen;

use super::super::{Attack, check};
use super::{JOURNAL_NEXT, NEXT, at, leaf, lie, lied, trail, with_expired};

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
