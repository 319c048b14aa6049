//! Damage that nobody thought of: seeded, so that a run can be repeated, and judged by two verifiers alike.

use std::collections::BTreeMap;

use auditkeep_archive::layout::JOURNAL;
use auditkeep_archive::verify::Depth;
use bytes::Bytes;
use fastrand::Rng;
use serde_json::{Value, json};

use super::KEPT;
use super::forger::{Forger, name};
use super::honest::{A, B, C, JOURNAL_LAST, LAST, first, honest, hour, kept, pen, second};
use super::pen::Pen;
use crate::agreement::{Case, verify_twice};

const SEED: u64 = 20_261_121;
const CASES: usize = 600;

#[tokio::test]
async fn two_verifiers_agree_on_random_damage() {
    let forger = &honest().await.forger;
    let (seal, note) = kept().await;
    let mut rng = Rng::with_seed(SEED);
    let mut cases = vec![Case::deep("honest", forger.clone(), first().public)];
    let trails = [A, B, C, JOURNAL];
    for number in 1..=CASES {
        let mut case = Case::deep(String::new(), forger.clone(), first().public);
        let done: Vec<String> = (0..rng.u8(1..4)).map(|_| damage(&mut case.forger, &mut rng)).collect();
        case.depth = if rng.bool() { Depth::Deep } else { Depth::Shallow };
        let file: (String, Bytes) =
            (KEPT.to_owned(), if rng.bool() { seal.clone() } else { note.clone().into() });
        match rng.u8(0..6) {
            0 => case.checkpoints.push(file),
            1 => case.since = Some(file),
            2 => case.trails.push(trails[rng.usize(..4)].to_owned()),
            _ => {}
        }
        case.name = format!(
            "{number}: {} ({:?}, {} {:?} {:?})",
            done.join("; "),
            case.depth,
            case.checkpoints.len(),
            case.since.as_ref().map(|since| since.1.len()),
            case.trails
        );
        cases.push(case);
    }
    let reports = verify_twice(&cases);
    let failed =
        reports.iter().filter(|report| report.as_ref().is_ok_and(|report| !report.holds(false))).count();
    // Some damage is none: a head, an object that nobody names, the same bytes again.
    assert!(failed > CASES / 2, "{failed} of {CASES}");
}

/// Does something, and says what.
fn damage(on: &mut Forger, rng: &mut Rng) -> String {
    let names: Vec<String> = on.objects.keys().cloned().collect();
    if names.is_empty() {
        return "nothing is left".to_owned();
    }
    let any = |rng: &mut Rng| {
        // Every second time a commit, of which there are fewer than segments.
        let wanted = if rng.bool() { "trails/" } else { "" };
        let some: Vec<&String> = names.iter().filter(|name| name.starts_with(wanted)).collect();
        some.get(rng.usize(..some.len().max(1))).map_or_else(|| names[0].clone(), |name| (*name).clone())
    };
    let (one, other) = (any(rng), any(rng));
    match rng.u8(0..12) {
        0 => {
            let mut bytes = on.objects[&one].to_vec();
            if bytes.is_empty() {
                return "an empty object stays empty".to_owned();
            }
            let at = rng.usize(..bytes.len());
            bytes[at] = bytes[at].wrapping_add(rng.u8(1..));
            on.put(&one, bytes);
            format!("byte {at} of {one}")
        }
        1 => {
            on.remove(&one);
            format!("{one} is gone")
        }
        2 => {
            on.swap(&one, &other);
            format!("{one} and {other} are swapped")
        }
        3 => {
            on.put(&one, on.objects[&other].clone());
            format!("{one} is {other}")
        }
        4 => {
            let length = rng.usize(..=on.objects[&one].len());
            on.put(&one, on.objects[&one].slice(..length));
            format!("{one} has {length} bytes")
        }
        5 => {
            let id = [A, B, C, JOURNAL][rng.usize(..4)];
            let keep = rng.u64(..=if id == JOURNAL { JOURNAL_LAST } else { LAST });
            on.cut(id, keep);
            format!("{id} ends at {keep}")
        }
        6 => says_more(on, rng),
        _ => edit(on, rng),
    }
}

/// Signs a commit again whose body has a value less, more or other.
fn edit(on: &mut Forger, rng: &mut Rng) -> String {
    let id = [A, B, C, JOURNAL][rng.usize(..4)];
    let number = if rng.bool() { on.last(id) } else { rng.u64(1..=LAST) };
    let Ok(mut commit) =
        serde_json::from_slice::<Value>(on.objects.get(&name(id, number)).map_or(&b""[..], |bytes| bytes))
    else {
        return "a commit that is not there stays away".to_owned();
    };
    let body = &mut commit["body"];
    if body["tree"]["size"].as_u64().is_none() {
        return "a commit that is none stays so".to_owned();
    }
    let what = alter(body, rng);
    let is_placed = body["trail"].is_string() && body["number"].is_u64();
    let signer = signer(id, number, rng);
    let bytes = super::forger::signed(body, &signer);
    on.put(&name(id, number), bytes);
    let relinked = rng.bool() && is_placed && relink(on, id, number + 1);
    format!("{id}/{number}: {what}, relinked: {relinked}")
}

/// The honest one, mostly.
fn signer(id: &str, number: u64, rng: &mut Rng) -> Pen {
    match rng.u8(0..8) {
        0 => Pen::ed25519(9),
        1 => first(),
        2 => second(),
        _ if id == JOURNAL => {
            if number <= 5 {
                first()
            } else {
                second()
            }
        }
        _ => pen(number),
    }
}

/// Lets the commits from one on follow what is stored before them now, as far as they can be read.
fn relink(on: &mut Forger, id: &str, from: u64) -> bool {
    for number in from..=on.last(id) {
        let (Some(before), Some(stored)) =
            (on.objects.get(&name(id, number - 1)), on.objects.get(&name(id, number)))
        else {
            return false;
        };
        let Ok(mut commit) = serde_json::from_slice::<Value>(stored) else { return false };
        commit["body"]["previous"] = auditkeep_core::integrity::hash::Sha256::of(before).to_string().into();
        let signer = if id == JOURNAL && number <= 5 {
            first()
        } else if id == JOURNAL {
            second()
        } else {
            pen(number)
        };
        let bytes = super::forger::signed(&commit["body"], &signer);
        on.put(&name(id, number), bytes);
    }
    true
}

/// Alters one value, wherever it is.
fn alter(value: &mut Value, rng: &mut Rng) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let key = map.keys().nth(rng.usize(..map.len())).unwrap().clone();
            match rng.u8(0..24) {
                0 => {
                    map.remove(&key);
                    format!("{key} is gone")
                }
                1 => {
                    map.insert("more".to_owned(), 1.into());
                    "one key more".to_owned()
                }
                2 => {
                    let moved = map.remove(&key).unwrap();
                    map.insert(format!("{key}x"), moved);
                    format!("{key} is called otherwise")
                }
                _ => format!("{key}/{}", alter(map.get_mut(&key).unwrap(), rng)),
            }
        }
        Value::Array(list) if !list.is_empty() => {
            let at = rng.usize(..list.len());
            match rng.u8(0..8) {
                0 => {
                    list.remove(at);
                    format!("{at} is gone")
                }
                1 => {
                    list.push(list[at].clone());
                    format!("{at} is there twice")
                }
                2 => {
                    let end = list.len() - 1;
                    list.swap(at, end);
                    format!("{at} comes last")
                }
                _ => format!("{at}/{}", alter(&mut list[at], rng)),
            }
        }
        plain => {
            let before = plain.to_string();
            *plain = other(plain, rng);
            format!("{before} is {plain}")
        }
    }
}

fn other(value: &Value, rng: &mut Rng) -> Value {
    let text = value.as_str().unwrap_or_default();
    let is_hash = text.len() == 64;
    let is_time = text.parse::<jiff::Timestamp>().is_ok();
    match (value, rng.u8(0..6)) {
        (_, 0) => {
            [json!(true), json!(0), json!(""), json!([]), json!({}), json!("x")][rng.usize(..6)].clone()
        }
        (Value::Number(number), which) => {
            let number = number.as_u64().unwrap_or_default();
            json!([number + 1, number.saturating_sub(1), number * 2, 0, 7][usize::from(which) - 1])
        }
        (Value::Bool(is), _) => json!(!is),
        (Value::String(_), _) if is_hash => json!(format!("{}{}", &text[1..], rng.u8(0..10))),
        (Value::String(_), _) if is_time => json!(hour(rng.u64(0..100))),
        (Value::String(_), _) => {
            [json!(format!("{text}x")), json!(A), json!(JOURNAL), json!("expired")][rng.usize(..4)].clone()
        }
        _ => json!(1),
    }
}

/// One more commit, with an event that may be malformed, or mean nothing there.
fn says_more(on: &mut Forger, rng: &mut Rng) -> String {
    let events = [
        "expired",
        "retention-set",
        "hold-placed",
        "hold-released",
        "gap-opened",
        "gap-closed",
        "key-added",
        "key-retired",
        "witness-reached",
        "archive-created",
        "clock-went-back",
        "source-stopped",
        "nothing",
    ];
    let (first, second, odd) = (first().public, second().public, Pen::ed25519(9).public);
    let pool: BTreeMap<&str, Vec<String>> = BTreeMap::from([
        ("through", vec!["3".to_owned(), "20".to_owned(), "39".to_owned(), "03".to_owned(), "x".to_owned()]),
        ("keep_days", vec!["0".to_owned(), "1".to_owned(), "9000".to_owned(), "-1".to_owned()]),
        ("keep_until", vec![hour(30).to_string(), "2026-01-01T00:00:00.000Z".to_owned()]),
        ("hold", vec!["case 7".to_owned(), "y".to_owned()]),
        ("gap", vec![super::honest::gap(), "z@1".to_owned()]),
        ("key", vec![first.signer(), second.signer(), odd.to_string(), odd.signer(), format!("{odd} {odd}")]),
        ("keys", vec![odd.to_string(), format!("{odd} x"), format!("{odd} {first}")]),
        ("seal", vec!["3".to_owned(), "9".to_owned(), "10".to_owned(), "40".to_owned()]),
        ("witness", vec!["vault".to_owned()]),
        ("manifest", vec!["x".to_owned()]),
    ]);
    let id = [A, B, C, JOURNAL][rng.usize(..4)];
    let last = on.last(id);
    let Some(stored) = on.objects.get(&name(id, last)) else { return "nothing to go on from".to_owned() };
    let known = auditkeep_core::integrity::canonical::from_slice::<auditkeep_archive::commit::Commit>(stored);
    let whole = known.is_ok_and(|commit| commit.body.number == last && commit.body.trail == id);
    if !whole || !on.objects.contains_key(&name(JOURNAL, on.last(JOURNAL))) {
        return "nothing to go on from".to_owned();
    }
    let event = events[rng.usize(..events.len())];
    let some =
        pool.iter().filter(|_| rng.u8(0..5) > 0).map(|(key, values)| ((*key).to_owned(), values.clone()));
    let some: Vec<_> = some.collect();
    let detail =
        some.into_iter().map(|(key, values)| (key, values[rng.usize(..values.len())].clone())).collect();
    let leaf = auditkeep_archive::control::ControlLeaf {
        event: event.to_owned(),
        time: hour(rng.u64(0..200)),
        detail,
    };
    let said = format!("{id} says {leaf:?}");
    let body = on.next(id, vec![auditkeep_archive::leaf::Leaf::Control(leaf)]);
    let signer = signer(id, LAST + 1, rng);
    on.write(&body, &signer);
    // Sometimes a commit of a key that this may have put in force.
    if rng.bool() {
        on.append(id, Vec::new(), &Pen::ed25519(9));
    }
    said
}
