//! Proofs of single events, checked twice: by the product, and by the verifier in another language.

use auditkeep_archive::archive::{Archive, ArchiveError};
use auditkeep_archive::frames::FRAME_RAW_BYTES;
use auditkeep_archive::layout::JOURNAL;
use auditkeep_archive::proof::{EventProof, EventRef, make};
use auditkeep_core::integrity::canonical;
use auditkeep_core::integrity::key::VerifyingKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use serde_json::{Value, json};

use crate::agreement::batch;
use crate::attacks::honest::{A, C, EXPIRED, LAST, first, honest, second};
use crate::attacks::pen::Pen;

const SEED: u64 = 7;
const MUTATIONS: usize = 2000;
/// Neither verifier judges what it does not know.
const NEWER: &str = "newer";

/// What the product says of a proof file: nothing if it holds.
fn said(bytes: &[u8], roots: &[VerifyingKey]) -> Option<String> {
    match EventProof::parse("proof", bytes) {
        Ok(proof) => proof.check(roots).err().map(|bad| bad.verdict().name().to_owned()),
        Err(ArchiveError::Newer { .. }) => Some(NEWER.to_owned()),
        Err(_) => Some("MODIFIED".to_owned()),
    }
}

fn said_by_other(answer: &Value) -> Option<String> {
    if let Some(error) = answer.get("error") {
        assert!(error.as_str().unwrap().contains("knows formats up to"), "{error}");
        return Some(NEWER.to_owned());
    }
    answer["findings"]
        .as_array()
        .unwrap()
        .first()
        .map(|finding| finding["verdict"].as_str().unwrap().to_owned())
}

async fn proofs() -> Vec<Vec<u8>> {
    let archive =
        Archive::open_trusting(honest().await.forger.store().await, vec![first().public]).await.unwrap();
    let forger = &honest().await.forger;
    let in_segment = |trail: &str, commit: u64, family: &str, into: u64, length: u64| {
        let leaf = forger.segments(trail, commit).into_iter().find(|leaf| leaf.family == family).unwrap();
        let (generation, offset) = (leaf.generation, leaf.from + into);
        EventRef { trail: trail.to_owned(), commit, generation, offset, length }
    };
    let begun = forger.segments(A, EXPIRED).into_iter().find(|leaf| leaf.complete_to < leaf.to).unwrap();
    let events = [
        in_segment(C, 3, "error.log", 10, 20),
        in_segment(C, 30, "error.log", 5, 9),
        // Of two frames.
        in_segment(C, 30, "error.log", FRAME_RAW_BYTES as u64 - 4, 9),
        // Of two segments.
        EventRef { offset: begun.complete_to, ..in_segment(A, EXPIRED + 1, "error.log", 0, 9) },
        in_segment(A, 20, "audit.log", 30, 30),
        in_segment(C, LAST, "audit.log", 200, 30),
    ];
    let mut proofs = Vec::new();
    for event in &events {
        proofs.push(make(&archive, event).await.unwrap().to_vec().unwrap());
    }
    proofs
}

#[tokio::test]
async fn proofs_hold_for_whoever_trusts_a_key() {
    let stranger = Pen::ed25519(9).public;
    let roots = [vec![first().public], vec![second().public], vec![Pen::ecdsa().public], vec![stranger]];
    let mut lines = Vec::new();
    let mut ours = Vec::new();
    for (index, proof) in proofs().await.iter().enumerate() {
        for roots in &roots {
            ours.push(said(proof, roots));
            lines.push(json!({ "name": index.to_string(), "proof": STANDARD.encode(proof), "keys": roots }));
        }
        assert_eq!(ours[index * roots.len()], None, "{index}");
        assert_eq!(ours[index * roots.len() + 3].as_deref(), Some("KEY-UNKNOWN"), "{index}");
    }
    let others: Vec<_> = batch(&lines).iter().map(said_by_other).collect();
    assert_eq!(ours, others);
}

#[tokio::test]
async fn two_verifiers_agree_on_proofs_that_are_altered() {
    let mut rng = Rng::with_seed(SEED);
    let proofs = proofs().await;
    let roots = [first().public];
    let (mut lines, mut ours, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..MUTATIONS {
        let mut proof: Value = serde_json::from_slice(&proofs[rng.usize(..proofs.len())]).unwrap();
        let what = alter(&mut proof, &mut rng);
        let bytes = canonical::to_vec(&proof).unwrap();
        ours.push((number, what, said(&bytes, &roots)));
        lines.push(json!({ "name": number.to_string(), "proof": STANDARD.encode(&bytes), "keys": roots }));
        texts.push(proof);
    }
    let mut different = Vec::new();
    for ((ours, answer), text) in ours.iter().zip(batch(&lines)).zip(texts) {
        if ours.2 != said_by_other(&answer) {
            different.push(format!("{ours:?}: {answer} {text}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(ours.iter().filter(|(_, _, said)| said.is_some()).count() > MUTATIONS * 3 / 4);
}

/// Alters one value; says which.
fn alter(value: &mut Value, rng: &mut Rng) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let key = map.keys().nth(rng.usize(..map.len())).unwrap().clone();
            if rng.u8(0..30) == 0 {
                map.remove(&key);
                return format!("{key} is gone");
            }
            format!("{key}/{}", alter(map.get_mut(&key).unwrap(), rng))
        }
        Value::Array(list) if !list.is_empty() => {
            let at = rng.usize(..list.len());
            match rng.u8(0..6) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                2 => list.reverse(),
                _ => return format!("{at}/{}", alter(&mut list[at], rng)),
            }
            format!("the list, {at}")
        }
        Value::Number(number) => {
            let number = number.as_u64().unwrap();
            *value = json!([number + 1, number.saturating_sub(1), 0][rng.usize(..3)]);
            format!("{number} is {value}")
        }
        Value::String(text) => {
            let mut altered: Vec<char> = text.chars().collect();
            let at = rng.usize(..altered.len().max(1));
            let pool = ['0', 'a', 'A', '+', '=', '\n', 'x'];
            match altered.get_mut(at) {
                Some(character) => *character = pool[rng.usize(..pool.len())],
                None => altered.push('x'),
            }
            let altered: String = altered.into_iter().collect();
            let what = format!("{} at {at}", text.len());
            *value = altered.into();
            what
        }
        _ => "nothing".to_owned(),
    }
}

#[tokio::test]
async fn a_proof_of_another_trail_or_archive_is_none() {
    let roots = [first().public];
    for proof in proofs().await {
        for (key, value) in
            [("trail", A.to_owned() + "x"), ("trail", JOURNAL.to_owned()), ("archive", "f".repeat(32))]
        {
            let mut altered: Value = serde_json::from_slice(&proof).unwrap();
            altered[key] = value.into();
            assert!(said(&canonical::to_vec(&altered).unwrap(), &roots).is_some());
        }
    }
}
