//! The archive that is attacked: made by the product as it makes archives, and the same in each run but for the signatures of one key.
//!
//! Three trails of 40 commits. `A` has an expired prefix, `B` an open gap and a hold, `C` a commit that an ECDSA key signed. The first
//! key signs the first half and is retired then. Seals lie in between; the last one was kept elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::commit::Source;
use auditkeep_archive::control::{ControlLeaf, Event};
use auditkeep_archive::layout::JOURNAL;
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::trail::{self, Addition, Append, Head, Stamp};
use auditkeep_archive::verify::Verdict;
use auditkeep_archive::{expire, journal, seal};
use auditkeep_core::integrity::hash::Sha256;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::sync::OnceCell;

use super::forger::{Forger, Objects, extend, segment};
use super::pen::Pen;

pub const A: &str = "local.local.a.log-files";
pub const B: &str = "local.local.b.log-files";
pub const C: &str = "local.local.c.log-files";
pub const TRAILS: [&str; 3] = [A, B, C];
pub const ID: &str = "00112233445566778899aabbccddeeff";

/// Commits of each trail.
pub const LAST: u64 = 40;
/// The last commit of each trail that the first key signed, and the last that its retirement lets count.
pub const FIRST_KEY_TO: u64 = 20;
/// What the seal that was kept elsewhere covers of each trail.
pub const KEPT_TO: u64 = 36;
/// The segments of commits up to this one of trail `A` were given up.
pub const EXPIRED: u64 = 12;
/// Commits of the journal.
pub const FIRST_SEAL: u64 = 3;
pub const LAST_SEAL: u64 = 9;
pub const JOURNAL_LAST: u64 = 10;

pub struct Honest {
    pub forger: Forger,
    /// The segments that are not there any more.
    pub given_up: Objects,
}

pub fn first() -> Pen {
    Pen::ed25519(1)
}

pub fn second() -> Pen {
    Pen::ed25519(2)
}

/// The honest signer of a commit.
pub fn pen(number: u64) -> Pen {
    if number <= FIRST_KEY_TO { first() } else { second() }
}

pub fn hour(hours: u64) -> Timestamp {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    begin.checked_add(SignedDuration::from_hours(hours.try_into().unwrap())).unwrap()
}

pub fn generation(name: &str) -> String {
    Sha256::of(name.as_bytes()).to_string()[..16].to_owned()
}

pub fn gap() -> String {
    format!("audit.log#{}@0", generation("lost"))
}

/// What a healthy verification says.
pub fn remarks() -> Vec<(Verdict, String)> {
    vec![(Verdict::Gap, gap()), (Verdict::Expired, format!("trails/{A}"))]
}

pub static HONEST: OnceCell<Honest> = OnceCell::const_new();

pub async fn honest() -> &'static Honest {
    HONEST.get_or_init(make).await
}

async fn make() -> Honest {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let archive = Archive::create(store.clone(), ID.to_owned(), first().public, hour(0)).await.unwrap();
    let stamp = Stamp { time: hour(0), writer: "auditkeep".to_owned() };
    journal::begin(&archive, &first(), &stamp).await.unwrap();
    let mut heads: BTreeMap<&str, Head> = BTreeMap::new();
    for round in 1..=LAST {
        in_journal(&archive, round).await;
        for trail in TRAILS {
            let pen = if trail == C && round == LAST { Pen::ecdsa() } else { pen(round) };
            let addition = addition(&store, trail, round, heads.get(trail)).await;
            match trail::append(&archive, &pen, trail, heads.get(trail), addition).await.unwrap() {
                Append::Done(head) => drop(heads.insert(trail, head)),
                Append::Overtaken(head) => panic!("overtaken by {}", head.body.number),
            }
        }
    }
    let mut forger = Forger::of(&store).await;
    let given_up = give_up(&mut forger);
    Honest { forger, given_up }
}

/// Removes what trail `A` says has been given up.
fn give_up(forger: &mut Forger) -> Objects {
    let kept = expire::kept(&forger.body(A, EXPIRED));
    assert!(!kept.is_empty());
    let leaves: Vec<_> = (1..=EXPIRED).flat_map(|number| forger.segments(A, number)).collect();
    let names = leaves.into_iter().map(|leaf| leaf.object).filter(|name| !kept.contains(name));
    names.map(|name| (name.clone(), forger.remove(&name))).collect()
}

/// What the journal says before a round.
async fn in_journal(archive: &Archive, round: u64) {
    let say = async |pen: Pen, event: ControlLeaf| {
        let stamp = Stamp { time: hour(round), writer: "test".to_owned() };
        let leaves = [Leaf::Control(event)];
        journal::append(archive, &pen, &stamp, &|_| leaves.to_vec()).await.unwrap();
    };
    let seal = async |pen: Pen| {
        let stamp = Stamp { time: hour(round), writer: "test".to_owned() };
        seal::seal(archive, &pen, &stamp).await.unwrap();
    };
    let at = hour(round);
    match round {
        9 => {
            say(
                first(),
                Event::KeyAdded
                    .at(at)
                    .with("key", second().public)
                    .with("who", "test")
                    .with("reason", "rotation"),
            )
            .await;
        }
        11 => seal(first()).await,
        21 => {
            seal(first()).await;
            let retired =
                Event::KeyRetired.at(at).with("key", first().public.signer()).with("seal", FIRST_SEAL + 1);
            say(first(), retired.with("who", "test").with("reason", "rotation")).await;
            say(second(), Event::WitnessReached.at(at).with("witness", "vault").with("seal", FIRST_SEAL + 1))
                .await;
        }
        31 => {
            say(
                second(),
                Event::KeyAdded
                    .at(at)
                    .with("key", Pen::ecdsa().public)
                    .with("who", "test")
                    .with("reason", "service"),
            )
            .await;
        }
        33 => say(second(), Event::Review.at(at).with("reviewer", "test").with("outcome", "nothing")).await,
        37 => {
            seal(second()).await;
            say(second(), Event::WitnessReached.at(at).with("witness", "vault").with("seal", LAST_SEAL))
                .await;
        }
        _ => {}
    }
}

/// What a trail gets in a round: two segments, of two files that rotate at different times, and what happened.
async fn addition(store: &Arc<dyn ObjectStore>, trail: &str, round: u64, head: Option<&Head>) -> Addition {
    let mut cursors = head.map(|head| head.body.cursors.clone()).unwrap_or_default();
    let mut leaves: Vec<Leaf> = happened(trail, round).into_iter().map(Leaf::Control).collect();
    let files = [("audit.log", round.div_ceil(8)), ("error.log", round.div_ceil(13))];
    for (family, age) in files {
        for _ in 0..=u64::from(family == "audit.log" && round.is_multiple_of(2)) {
            let generation = generation(&format!("{trail} {family} {age}"));
            let from = cursors.get(&format!("{family}#{generation}")).map_or(0, |cursor| cursor.offset);
            let lines = if (trail, family, round) == (C, "error.log", 30) { 20_000 } else { 9 };
            let raw = format!("{trail} {family} {round} {from}\n").repeat(lines);
            let (mut leaf, object) = segment(trail, family, &generation, from, raw.as_bytes(), hour(round));
            if trail == A && family == "error.log" && round == EXPIRED {
                leaf.complete_to -= 3;
            }
            put(store, &leaf.object, object).await;
            extend(&mut cursors, &leaf);
            leaves.push(Leaf::Segment(leaf));
        }
    }
    let resource_id = trail.split('.').nth(2).unwrap().to_owned();
    let source = Source {
        kind: "log-files".to_owned(),
        account: "local".to_owned(),
        region: "local".to_owned(),
        instance: format!("{resource_id}-1"),
        resource_id,
        engine: "mariadb".to_owned(),
        cluster: None,
    };
    let stamp = Stamp { time: hour(round), writer: "test".to_owned() };
    Addition { stamp, source, leaves, cursors }
}

async fn put(store: &Arc<dyn ObjectStore>, name: &str, object: Bytes) {
    store.put(&Path::from(name), object.into()).await.unwrap();
}

fn happened(trail: &str, round: u64) -> Vec<ControlLeaf> {
    let at = hour(round);
    match (trail, round) {
        (_, 1) => vec![Event::SourceStarted.at(at)],
        (A, 2) | (B, 18) => {
            vec![Event::RetentionSet.at(at).with("keep_days", 1).with("who", "test").with("reason", "policy")]
        }
        (A, 38) => {
            let expired =
                Event::Expired.at(at).with("through", EXPIRED).with("segments", 30).with("raw_bytes", 9);
            vec![expired.with("who", "test")]
        }
        (B, 5) => vec![gap_opened(at, "audit.log#late@0")],
        (B, 9) => vec![Event::GapClosed.at(at).with("gap", "audit.log#late@0").with("how", "archived")],
        (B, 15) => vec![gap_opened(at, &gap())],
        (B, 20) => {
            vec![Event::HoldPlaced.at(at).with("hold", "case 7").with("who", "test").with("reason", "court")]
        }
        _ => Vec::new(),
    }
}

fn gap_opened(at: Timestamp, gap: &str) -> ControlLeaf {
    let (cursor, from) = gap.split_once('@').unwrap();
    let opened = Event::GapOpened.at(at).with("gap", gap).with("cursor", cursor).with("log", "audit.log.1");
    opened.with("from", from).with("cause", "rotated away")
}

/// The seal that was kept elsewhere, whole and as a note.
pub async fn kept() -> (Bytes, String) {
    let forger = &honest().await.forger;
    (forger.stored(JOURNAL, LAST_SEAL).clone(), forger.note(JOURNAL, LAST_SEAL))
}
