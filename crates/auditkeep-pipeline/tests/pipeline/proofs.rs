//! Every event of recorded logs can be proven, and its proof shows the event's bytes with the public key alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use async_trait::async_trait;
use auditkeep_archive::archive::Archive;
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::local::DurableDirectory;
use auditkeep_archive::proof::{EventProof, EventRef, make};
use auditkeep_archive::{segment, trail};
use auditkeep_core::engine::Engine;
use auditkeep_core::integrity::key::VerifyingKey;
use auditkeep_pipeline::collect::{Collector, Pass};
use auditkeep_pipeline::derive::{derive, record_at};
use auditkeep_pipeline::source::SourceKind;
use auditkeep_pipeline::source::disk::DiskLogs;
use auditkeep_pipeline::table::{Derived, EventTable, TableError};
use jiff::Timestamp;

use crate::logs::LIVE;
use crate::records::Grammar;
use crate::world::{World, instance, key, now_ms, wait_ms, wait_until_settled};

/// Remembers what each event is called.
#[derive(Default)]
struct Names(Mutex<Vec<EventRef>>);

#[async_trait]
impl EventTable for Names {
    async fn derived_through(&self, _: &str) -> Result<Option<u64>, TableError> {
        Ok(None)
    }

    async fn append(&self, derived: Derived) -> Result<(), TableError> {
        self.0.lock().unwrap().extend(derived.events.iter().flat_map(names));
        Ok(())
    }
}

fn names(batch: &RecordBatch) -> Vec<EventRef> {
    let text = |name: &str, row| batch.column_by_name(name).unwrap().as_string::<i32>().value(row);
    let number = |name: &str, row| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().value(row);
    let name = |row| {
        let (commit, offset) = (number("commit_number", row), number("byte_offset", row));
        EventRef::of_row(text("trail", row), commit, text("segment", row), offset, number("byte_length", row))
    };
    (0..batch.num_rows()).map(|row| name(row).unwrap()).collect()
}

/// What all events of an archive are called.
async fn events(archive: &Archive) -> Vec<EventRef> {
    let table = Names::default();
    for pass in derive(archive, &table, &|_| {}).await.unwrap() {
        assert!(pass.error.is_none(), "{:?}", pass.error);
    }
    table.0.into_inner().unwrap()
}

/// Proves each event, and compares what is shown with the log that has these bytes at that place. Returns the sizes of the
/// proofs, ascending, and how many of them have more than one part.
async fn prove_all(archive: &Archive, root: &VerifyingKey, logs: &[Vec<u8>]) -> (Vec<usize>, usize) {
    let (mut sizes, mut spanning) = (Vec::new(), 0);
    for event in events(archive).await {
        let named: EventRef = event.to_string().parse().unwrap();
        assert_eq!(record_at(archive, &named).await.unwrap().as_ref(), Some(&named), "{event}");
        let file = make(archive, &named).await.unwrap().to_vec().unwrap();
        let proof = EventProof::parse("proof", &file).unwrap();
        let shown = proof.check(std::slice::from_ref(root)).unwrap();
        assert_eq!((shown.from, shown.to), (event.offset, event.end()), "{event}");
        let range = usize::try_from(shown.from).unwrap()..usize::try_from(shown.to).unwrap();
        assert!(logs.iter().any(|log| log.get(range.clone()) == Some(&shown.bytes)), "{event}");
        sizes.push(file.len());
        spanning += usize::from(proof.parts.len() > 1);
    }
    sizes.sort_unstable();
    (sizes, spanning)
}

fn files_below(directory: &Path) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

async fn import(world: &World, directory: &Path, engine: Engine) -> Pass {
    let key = key();
    let collector = Collector {
        archive: &world.archive,
        key: &key,
        writer: "test 1",
        now: Timestamp::now,
        kind: SourceKind::Import,
        settled_after: Duration::ZERO,
        silent_after: None,
        progress: &|_| {},
    };
    let logs = DiskLogs::find(&[directory.to_owned()]).unwrap();
    collector.collect(&instance(engine, "imported"), &logs).await.unwrap()
}

#[tokio::test]
async fn every_event_of_the_recorded_logs() {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("../auditkeep-lab/recorded");
    for (name, engine) in [
        ("shop-mariadb/audit", Engine::Mariadb),
        ("shop-postgres/error", Engine::Postgres),
        ("shop-aurora/audit", Engine::AuroraMysql),
    ] {
        let world = World::new(engine, 1).await;
        let pass = import(&world, &recorded.join(name), engine).await;
        assert_eq!(pass.failures().count(), 0, "{name}");
        let logs = files_below(&recorded.join(name));
        let (sizes, _) = prove_all(&world.archive, key().public(), &logs).await;
        let (least, median, most) = (sizes[0], sizes[sizes.len() / 2], sizes[sizes.len() - 1]);
        println!("{name}: {} proofs of {least} to {most} bytes, median {median}", sizes.len());
        assert!(sizes.len() > 20, "{name}: {}", sizes.len());
    }
}

/// Passes see each record grow, so many records begin in one commit and end in another.
#[tokio::test]
async fn events_that_were_read_in_pieces() {
    let world = World::new(Engine::Mariadb, 1).await;
    world.logs.create(LIVE, Grammar::ServerAudit, now_ms());
    world.logs.write(LIVE, 12, now_ms());
    let whole = world.logs.exposed(LIVE).len();
    // A record's first line must be whole before anything is archived.
    for shown in (200..whole).step_by(31).chain([whole]) {
        wait_ms(1000);
        world.logs.edit(LIVE, |file| (file.shown, file.last_written_ms) = (shown, now_ms()));
        world.collect().await;
    }
    wait_until_settled();
    world.collect().await;
    let (sizes, spanning) = prove_all(&world.archive, key().public(), &[world.logs.exposed(LIVE)]).await;
    assert_eq!(sizes.len(), world.expected_events(&world.logs.files()).len());
    assert!(spanning > sizes.len() / 2, "{spanning} of {}", sizes.len());
}

/// A record of 17 MiB lies in several segments, each with many frames.
#[tokio::test]
async fn an_event_over_many_segments() {
    let world = World::new(Engine::Mariadb, 1).await;
    world.logs.create(LIVE, Grammar::ServerAudit, now_ms());
    world.logs.write(LIVE, 3, now_ms());
    world.logs.write_bytes(LIVE, 17 << 20, 17 << 20, now_ms());
    world.logs.write(LIVE, 3, now_ms());
    wait_until_settled();
    world.collect().await;
    let (_, spanning) = prove_all(&world.archive, key().public(), &[world.logs.exposed(LIVE)]).await;
    assert!(spanning > 0);
}

#[tokio::test]
async fn every_event_of_an_archive_of_format_1() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../auditkeep-archive/tests/fixtures/format-1");
    let root: VerifyingKey =
        fs::read_to_string(fixture.join("auditkeep.pub")).unwrap().trim().parse().unwrap();
    let store = Arc::new(DurableDirectory::new(&fixture.join("archive")).unwrap());
    let archive = Archive::open_trusting(store, vec![root.clone()]).await.unwrap();
    let mut logs: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for trail in archive.trails().await.unwrap() {
        let last = trail::head(&archive, &trail).await.unwrap().unwrap().body.number;
        for number in 1..=last {
            let body = trail::read(&archive, &trail, number).await.unwrap().unwrap().body;
            for leaf in body.leaves.iter().filter_map(Leaf::segment) {
                let raw = segment::read(&archive, leaf).await.unwrap();
                logs.entry(leaf.cursor_key()).or_default().extend(raw);
            }
        }
    }
    let logs: Vec<Vec<u8>> = logs.into_values().collect();
    let (sizes, spanning) = prove_all(&archive, &root, &logs).await;
    assert!(sizes.len() > 20 && spanning > 0, "{} proofs, {spanning} over segments", sizes.len());
}
