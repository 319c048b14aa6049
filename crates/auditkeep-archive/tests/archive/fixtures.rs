//! Archives as they were written once: what is stored is read for ever, and damage to it is always called the same.
//!
//! `format-1` was made by version 1 of the product. `format-2` was made by `write_format_2`, which is run by hand only when a
//! format is new; what verification prints of damage to it is in `damaged.txt`, word for word.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auditkeep_archive::archive::{Archive, Manifest};
use auditkeep_archive::commit::{Cursor, Source};
use auditkeep_archive::control::{ControlLeaf, Event};
use auditkeep_archive::layout::{self, JOURNAL};
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::proof::{EventProof, EventRef, make};
use auditkeep_archive::trail::{self, Addition, Append, Stamp};
use auditkeep_archive::verify::Report;
use auditkeep_archive::{journal, seal, segment};
use auditkeep_core::integrity::canonical;
use auditkeep_core::integrity::key::VerifyingKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use object_store::ObjectStore;
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use serde_json::json;

use crate::agreement::{Case, batch, verify_twice};
use crate::attacks::forger::{Forger, extend, segment as made_segment};
use crate::attacks::honest::{first, generation, hour, second};
use crate::attacks::pen::Pen;

const SHOP: &str = "local.local.shop.import";
const ORDERS: &str = "local.local.orders.import";
const TILL: &str = "local.local.till.log-files";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn recorded(name: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../auditkeep-lab/recorded").join(name);
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn public_key(name: &str) -> VerifyingKey {
    fs::read_to_string(fixture(name).join("auditkeep.pub")).unwrap().trim().parse().unwrap()
}

fn load(name: &str) -> Forger {
    let mut forger = Forger::default();
    read_below(&fixture(name).join("archive"), "", &mut forger);
    forger
}

fn read_below(directory: &Path, prefix: &str, into: &mut Forger) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read_below(&entry.path(), &format!("{name}/"), into);
        } else {
            into.put(&name, fs::read(entry.path()).unwrap());
        }
    }
}

fn verified(forger: &Forger, key: VerifyingKey) -> Report {
    verify_twice(&[Case::deep("fixture", forger.clone(), key)]).remove(0).unwrap()
}

#[tokio::test]
async fn format_1_reads_the_same() {
    let forger = load("format-1");
    let report = verified(&forger, public_key("format-1"));
    assert!(report.holds(true), "{:?}", report.findings);
    assert_eq!((report.trails, report.commits, report.journal_commits), (2, 4, 0));
    assert_eq!((report.segments, report.raw_bytes), (6, 26_789));

    let archive = Archive::open_trusting(forger.store().await, vec![public_key("format-1")]).await.unwrap();
    let mut logs: BTreeMap<(String, String), Vec<u8>> = BTreeMap::new();
    for id in [SHOP, ORDERS] {
        for number in 1..=forger.last(id) {
            for leaf in forger.segments(id, number) {
                let raw = segment::read(&archive, &leaf).await.unwrap();
                let log = logs.entry((leaf.family.clone(), leaf.generation.clone())).or_default();
                assert_eq!(log.len() as u64, leaf.from);
                log.extend(raw);
            }
        }
    }
    let sources =
        ["shop-mariadb/audit/server_audit.log.1", "shop-mariadb/audit/server_audit.log"].into_iter();
    let sources = sources.chain([
        "shop-postgres/error/postgresql.log.2026-11-21-0903",
        "shop-postgres/error/postgresql.log.2026-11-21-0903.csv",
    ]);
    let sources: Vec<_> = sources.map(recorded).collect();
    assert_eq!(logs.len(), sources.len());
    for ((family, generation), raw) in &logs {
        // The import had read no further in one of them.
        assert!(sources.iter().any(|source| source.starts_with(raw)), "{family} {generation}");
    }
}

/// The fixture's private key is nowhere, so it is signed again, as it is, by one that is here.
fn format_1_signed_again() -> Forger {
    let mut forger = load("format-1");
    let mut manifest: Manifest = canonical::from_slice(&forger.objects[layout::MANIFEST]).unwrap();
    manifest.keys = vec![first().public];
    forger.put(layout::MANIFEST, canonical::to_vec(&manifest).unwrap());
    for id in [SHOP, ORDERS] {
        for number in 1..=forger.last(id) {
            let previous = (number > 1).then(|| forger.hash(id, number - 1));
            forger.edit(id, number, &first(), |body| {
                if let Some(previous) = previous {
                    body["previous"] = previous.to_string().into();
                }
            });
        }
    }
    forger
}

#[tokio::test]
async fn format_1_is_gone_on_with() {
    let before = format_1_signed_again();
    let store = before.store().await;
    let archive = Archive::open_trusting(store.clone(), vec![first().public]).await.unwrap();
    let head = trail::head(&archive, SHOP).await.unwrap().unwrap();
    let cursor = head.body.cursors.values().find(|cursor| cursor.offset == 9478).unwrap();
    let rest = b"20261121 09:30:00,shop,app,10.0.0.1,7,9,QUERY,shop,'SELECT 1',0\n";
    let (leaf, object) =
        made_segment(SHOP, &cursor.family, &cursor.generation, cursor.offset, rest, hour(9000));
    store.put(&ObjectPath::from(leaf.object.as_str()), object.into()).await.unwrap();
    let mut cursors = head.body.cursors.clone();
    extend(&mut cursors, &leaf);
    let addition = Addition {
        stamp: Stamp { time: hour(9000), writer: "test".to_owned() },
        source: head.body.source.clone(),
        leaves: vec![Leaf::Segment(leaf)],
        cursors,
    };
    let appended = trail::append(&archive, &first(), SHOP, Some(&head), addition).await.unwrap();
    assert!(matches!(appended, Append::Done(_)));
    let report = verified(&Forger::of(&store).await, first().public);
    assert!(report.holds(true), "{:?}", report.findings);
    assert_eq!((report.trails, report.commits, report.journal_commits, report.segments), (2, 5, 1, 7));
    assert_eq!(report.raw_bytes, 26_789 + rest.len() as u64);
}

#[tokio::test]
async fn format_2_reads_the_same() {
    let forger = load("format-2");
    let report = verified(&forger, public_key("format-2"));
    assert!(report.holds(false), "{:?}", report.findings);
    assert_eq!(
        lines(&report),
        ["GAP audit.log#76f75e6129fe3013@0: explained by commit 2: `audit.log.1` from byte 0: rotated away"]
    );
    assert_eq!((report.trails, report.commits, report.journal_commits), (2, 5, 6));
    assert_eq!((report.segments, report.raw_bytes), (5, 506));
    assert_eq!(report.sealed.map(|sealed| sealed.commit), Some(5));

    let proof = fs::read(fixture("format-2").join("event.proof")).unwrap();
    let proven = EventProof::parse("event.proof", &proof).unwrap().check(&[public_key("format-2")]).unwrap();
    assert_eq!(String::from_utf8(proven.bytes).unwrap(), "audit.log line 3 of 4\n");
    let line = json!({ "name": "proof", "proof": STANDARD.encode(&proof), "keys": [public_key("format-2")] });
    assert_eq!(batch(&[line])[0]["verdict"], "OK");
}

/// What is printed of each finding.
fn lines(report: &Report) -> Vec<String> {
    let line = |finding: &auditkeep_archive::verify::Finding| {
        format!("{} {}: {}", finding.verdict.name(), finding.object, finding.detail)
    };
    report.findings.iter().map(line).collect()
}

/// A block of `damaged.txt`: a title, what is done to the fixture, and what is printed then.
struct Damage {
    title: String,
    acts: Vec<Vec<String>>,
    printed: Vec<String>,
}

fn damages() -> Vec<Damage> {
    let text = fs::read_to_string(fixture("damaged.txt")).unwrap();
    let blocks = text.split("\n\n").filter(|block| block.starts_with("# "));
    blocks
        .map(|block| {
            let mut lines = block.trim_end().lines();
            let title = lines.next().unwrap()[2..].to_owned();
            let (acts, printed): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with("> "));
            let words = |line: &str| line[2..].split(' ').map(str::to_owned).collect();
            let acts = acts.into_iter().map(words).collect();
            Damage { title, acts, printed: printed.into_iter().map(str::to_owned).collect() }
        })
        .collect()
}

impl Damage {
    fn case(&self) -> Case {
        let mut case = Case::deep(self.title.clone(), load("format-2"), public_key("format-2"));
        for act in &self.acts {
            let act: Vec<&str> = act.iter().map(String::as_str).collect();
            let on = &mut case.forger;
            match act[..] {
                ["flip", name, part] => on.flip(name, part.parse().unwrap()),
                ["remove", name] => drop(on.remove(name)),
                ["remove-below", prefix] => on.remove_below(prefix),
                ["swap", one, other] => on.swap(one, other),
                ["copy", from, to] => on.put(to, on.objects[from].clone()),
                ["put", name, text] => on.put(name, text.to_owned()),
                ["with", file] => {
                    let bytes: Bytes = fs::read(fixture("format-2").join(file)).unwrap().into();
                    case.checkpoints.push((file.to_owned(), bytes));
                }
                _ => panic!("{}: {act:?}", self.title),
            }
        }
        case
    }
}

#[test]
fn damage_is_called_the_same() {
    let damages = damages();
    assert!(damages.len() >= 8);
    let cases: Vec<Case> = damages.iter().map(Damage::case).collect();
    let mut otherwise = Vec::new();
    for (damage, report) in damages.iter().zip(verify_twice(&cases)) {
        let lines = lines(&report.unwrap());
        if lines != damage.printed {
            otherwise.push(format!("# {}\n{}", damage.title, lines.join("\n")));
        }
    }
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n\n"));
}

// How `format-2` was made.

async fn append(
    store: &Arc<dyn ObjectStore>,
    archive: &Archive,
    pen: &Pen,
    id: &str,
    raw: &[&str],
    events: Vec<ControlLeaf>,
) {
    let head = trail::head(archive, id).await.unwrap();
    let number = head.as_ref().map_or(1, |head| head.body.number + 1);
    let mut cursors: BTreeMap<String, Cursor> =
        head.as_ref().map(|head| head.body.cursors.clone()).unwrap_or_default();
    let mut leaves: Vec<Leaf> = events.into_iter().map(Leaf::Control).collect();
    for raw in raw {
        let generation = generation(id);
        let from = cursors.get(&format!("audit.log#{generation}")).map_or(0, |cursor| cursor.offset);
        let (leaf, object) = made_segment(id, "audit.log", &generation, from, raw.as_bytes(), hour(number));
        store.put(&ObjectPath::from(leaf.object.as_str()), object.into()).await.unwrap();
        extend(&mut cursors, &leaf);
        leaves.push(Leaf::Segment(leaf));
    }
    let source = Source {
        kind: id.rsplit('.').next().unwrap().to_owned(),
        account: "local".to_owned(),
        region: "local".to_owned(),
        resource_id: id.split('.').nth(2).unwrap().to_owned(),
        instance: "shop".to_owned(),
        engine: "mariadb".to_owned(),
        cluster: None,
    };
    let stamp = Stamp { time: hour(number), writer: "auditkeep 2".to_owned() };
    let addition = Addition { stamp, source, leaves, cursors };
    let appended = trail::append(archive, pen, id, head.as_ref(), addition).await.unwrap();
    assert!(matches!(appended, Append::Done(_)));
}

fn text_of(count: u64) -> String {
    let lines: Vec<_> = (1..=count).map(|line| format!("audit.log line {line} of {count}\n")).collect();
    lines.concat()
}

#[tokio::test]
#[ignore = "writes the fixture; for a new format only"]
async fn write_format_2() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let archive =
        Archive::create(store.clone(), "0123456789abcdef".repeat(2), first().public, hour(0)).await.unwrap();
    let stamp = |hours| Stamp { time: hour(hours), writer: "auditkeep 2".to_owned() };
    let at = hour;
    journal::begin(&archive, &first(), &stamp(1)).await.unwrap();
    let who = |event: ControlLeaf| event.with("who", "admin").with("reason", "policy");
    append(&store, &archive, &first(), TILL, &[&text_of(4)], vec![Event::SourceStarted.at(at(1))]).await;
    append(&store, &archive, &first(), SHOP, &[&text_of(2)], vec![Event::SourceStarted.at(at(1))]).await;
    let gap = format!("audit.log#{}@0", generation("lost"));
    let opened = Event::GapOpened.at(at(2)).with("gap", &gap).with("cursor", gap.trim_end_matches("@0"));
    let opened = opened.with("log", "audit.log.1").with("from", 0).with("cause", "rotated away");
    append(&store, &archive, &first(), TILL, &[&text_of(5), &text_of(6)], vec![opened]).await;
    let say = async |pen, hours, event: ControlLeaf| {
        let leaves = [Leaf::Control(event)];
        journal::append(&archive, &pen, &stamp(hours), &|_| leaves.to_vec()).await.unwrap();
    };
    say(first(), 2, who(Event::KeyAdded.at(at(2)).with("key", second().public))).await;
    seal::seal(&archive, &first(), &stamp(3)).await.unwrap();
    say(first(), 3, who(Event::KeyRetired.at(at(3)).with("key", first().public.signer()).with("seal", 3)))
        .await;
    let held = who(Event::HoldPlaced.at(at(3)).with("hold", "case 7"));
    let kept = who(Event::RetentionSet.at(at(3)).with("keep_days", 365));
    append(&store, &archive, &second(), TILL, &[], vec![kept, held]).await;
    append(&store, &archive, &second(), SHOP, &[&text_of(6)], Vec::new()).await;
    let sealed = seal::seal(&archive, &second(), &stamp(4)).await.unwrap();
    let review = Event::Review
        .at(at(5))
        .with("reviewer", "auditor")
        .with("scope", TILL)
        .with("from", at(0))
        .with("to", at(4));
    say(second(), 5, review.with("outcome", "nothing to object to").with("exceptions", 0)).await;

    let root = fixture("format-2");
    for (name, bytes) in Forger::of(&store).await.objects {
        let file = root.join("archive").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
    fs::write(root.join("auditkeep.pub"), format!("{}\n", first().public)).unwrap();
    fs::write(root.join("seal.json"), sealed.bytes).unwrap();
    fs::write(root.join("seal.note"), sealed.note).unwrap();
    let length = "audit.log line 3 of 4\n".len() as u64;
    let event = EventRef {
        trail: TILL.to_owned(),
        commit: 1,
        generation: generation(TILL),
        offset: 2 * length,
        length,
    };
    fs::write(root.join("event.proof"), make(&archive, &event).await.unwrap().to_vec().unwrap()).unwrap();
    assert_eq!(trail::head(&archive, JOURNAL).await.unwrap().unwrap().body.number, 6);
}
