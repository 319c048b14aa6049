//! Attacks by whoever holds a key that counts, and so can sign anything.

mod bodies;
mod history;
mod keys;
mod seals;
mod segments;
mod standings;

use auditkeep_archive::control::ControlLeaf;
use auditkeep_archive::layout::{self};
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::verify::Verdict::{self, Expired};
use jiff::Timestamp;
use serde_json::Value;

use super::forger::Forger;
use super::honest::{JOURNAL_LAST, LAST, generation, hour, remarks, second};

use super::Attack;

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

fn honest_segments(id: &str, number: u64) -> Vec<String> {
    let forger = super::honest::HONEST.get().unwrap();
    forger.forger.segments(id, number).into_iter().map(|leaf| leaf.object).collect()
}

/// The key of a trail's cursor that grows.
fn cursor(id: &str) -> String {
    format!("audit.log#{}", generation(&format!("{id} audit.log 5")))
}
