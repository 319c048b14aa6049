//! What trails say of their sources: that they are silent, go on, have stopped, or are called otherwise.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::control::Event;
use auditkeep_archive::standing::State;
use auditkeep_archive::trail::Stamp;
use auditkeep_core::engine::Engine;
use auditkeep_pipeline::collect::{Inventory, Stopped};
use object_store::ObjectStore;

use crate::faults::{Fault, FaultyStore};
use crate::logs::LIVE;
use crate::records::Grammar;
use crate::world::{World, key, now, now_ms, wait_ms};

const HOUR_MS: i64 = 60 * 60 * 1000;

async fn collected() -> World {
    let world =
        World { silent_after: Some(Duration::from_hours(24)), ..World::new(Engine::Mariadb, 1).await };
    world.logs.create(LIVE, Grammar::ServerAudit, now_ms());
    world.logs.write(LIVE, 9, now_ms());
    world.collect().await;
    world
}

fn grow(world: &World) {
    world.logs.write(LIVE, 1, now_ms());
}

async fn names(world: &World) -> Vec<String> {
    world.controls().await.into_iter().map(|(_, leaf)| leaf.event).collect()
}

#[tokio::test]
async fn silence_is_recorded_once_and_ends_with_the_first_bytes() {
    let world = collected().await;
    let since = now();
    for round in 0..2 {
        let received = now();
        wait_ms(24 * HOUR_MS - 1);
        // The file has settled; with that, nothing is new.
        world.collect().await;
        assert_eq!(world.controls_of(Event::SourceSilent).await.len(), round);
        wait_ms(1);
        assert_eq!(world.collect().await.commits, 1);
        assert_eq!(world.standing().await.state, Some(State::Silent));
        wait_ms(48 * HOUR_MS);
        assert_eq!(world.collect().await.commits, 0, "once");
        let silent = world.controls_of(Event::SourceSilent).await;
        assert_eq!((silent.len(), silent[round].number("after_seconds")), (round + 1, Some(24 * 60 * 60)));
        assert_eq!(silent[round].text("since"), Some(received.to_string().as_str()));

        grow(&world);
        world.collect().await;
        assert_eq!(world.controls_of(Event::SourceResumed).await.len(), round + 1);
        assert_eq!(world.standing().await.state, Some(State::Started));
    }
    assert!(world.standing().await.received > Some(since));
    world.assert_verified().await;
}

#[tokio::test]
async fn silence_is_not_recorded_unless_asked_for() {
    let world = World { silent_after: None, ..collected().await };
    wait_ms(1000 * HOUR_MS);
    world.collect().await;
    assert_eq!(names(&world).await, ["source-started"]);
}

#[tokio::test]
async fn what_comes_after_a_long_time_ends_the_silence_before_it_is_said() {
    let world = collected().await;
    wait_ms(100 * HOUR_MS);
    grow(&world);
    world.collect().await;
    assert_eq!(names(&world).await, ["source-started"]);
}

#[tokio::test]
async fn two_collectors_record_silence_once() {
    let world = collected().await;
    wait_ms(100 * HOUR_MS);
    let (other, logs) = (world.clone(), world.logs.clone());
    world.logs.when_opened(LIVE, move || {
        Box::pin(async move { drop(other.collect_from(&other.archive, &logs).await.unwrap()) })
    });
    world.collect().await;
    assert_eq!(names(&world).await, ["source-started", "source-silent"]);
}

#[tokio::test]
async fn a_changed_source_is_recorded_with_or_without_bytes() {
    for grown in [false, true] {
        let mut world = collected().await;
        world.instance.name = "other".to_owned();
        world.instance.cluster = Some("shop".to_owned());
        if grown {
            grow(&world);
        }
        assert_eq!(world.collect().await.commits, 1);
        assert_eq!(world.collect().await.commits, 0, "once");
        let changes = world.controls_of(Event::ConfigurationChanged).await;
        let told: Vec<_> =
            changes.iter().map(|leaf| ["what", "before", "after"].map(|name| leaf.text(name))).collect();
        let (one, other, shop) = (Some("one"), Some("other"), Some("shop"));
        assert_eq!(told, [[Some("instance"), one, other], [Some("cluster"), None, shop]]);

        world.instance.engine = Engine::Mysql;
        world.instance.cluster = None;
        world.collect().await;
        let changes = world.controls_of(Event::ConfigurationChanged).await;
        assert_eq!(changes.len(), 4);
        assert_eq!((changes[2].text("before"), changes[2].text("after")), (Some("mariadb"), Some("mysql")));
        assert_eq!((changes[3].text("before"), changes[3].text("after")), (shop, None));
        world.assert_verified().await;
    }
}

#[tokio::test]
async fn a_changed_writer_is_recorded_with_the_next_bytes() {
    let world = collected().await;
    let collect = || world.collect_as("test 2", Duration::MAX, &world.archive, &world.logs);
    assert_eq!(collect().await.unwrap().commits, 0);
    grow(&world);
    assert_eq!(collect().await.unwrap().commits, 1);
    let changes = world.controls_of(Event::ConfigurationChanged).await;
    let told: Vec<_> =
        changes.iter().map(|leaf| ["what", "before", "after"].map(|name| leaf.text(name))).collect();
    assert_eq!(told, [[Some("writer"), Some("test 1"), Some("test 2")]]);
}

fn inventory() -> Inventory {
    Inventory {
        account: "111122223333".to_owned(),
        region: "eu-central-1".to_owned(),
        collected: BTreeSet::from(["db-another".to_owned()]),
        ..Inventory::default()
    }
}

async fn record(world: &World, inventory: &Inventory) -> Vec<Stopped> {
    let stamp = Stamp { time: now(), writer: "test 1".to_owned() };
    inventory.record_stopped(&world.archive, &key(), &stamp).await.unwrap()
}

#[tokio::test]
async fn a_source_that_is_not_there_any_more_has_stopped_once() {
    for excluded in [false, true] {
        let world = collected().await;
        let mut inventory = inventory();
        if excluded {
            inventory.excluded.insert("db-one".to_owned());
        }
        let stopped = record(&world, &inventory).await;
        assert_eq!(stopped.len(), 1);
        assert_eq!((stopped[0].trail.clone(), stopped[0].instance.as_str()), (world.trail(), "one"));
        assert_eq!(stopped[0].cause.contains("excludes"), excluded);
        assert_eq!(record(&world, &inventory).await, [], "once");
        assert_eq!(world.standing().await.state, Some(State::Stopped));
        let leaves = world.controls_of(Event::SourceStopped).await;
        assert_eq!((leaves.len(), leaves[0].text("cause")), (1, Some(stopped[0].cause)));

        // It is collected again; that is news when something comes.
        wait_ms(100 * HOUR_MS);
        world.collect().await;
        assert_eq!(world.standing().await.state, Some(State::Stopped), "and not silent");
        grow(&world);
        world.collect().await;
        assert_eq!(world.standing().await.state, Some(State::Started));
        assert_eq!(record(&world, &inventory).await.len(), 1, "a second time");
        assert_eq!(
            names(&world).await,
            ["source-started", "source-stopped", "source-resumed", "source-stopped"]
        );
        world.assert_verified().await;
    }
}

#[tokio::test]
async fn a_stop_is_told_also_when_the_clock_went_back() {
    let world = collected().await;
    wait_ms(-HOUR_MS);
    let stopped = record(&world, &inventory()).await;
    assert_eq!(names(&world).await, ["source-started", "source-stopped", "clock-went-back"]);
    assert_eq!(stopped.len(), 1, "what is recorded is told");
    assert_eq!(record(&world, &inventory()).await, [], "once");
}

#[tokio::test]
async fn inventories_that_say_nothing_of_a_source() {
    let world = collected().await;
    let (account, region) = ("444455556666".to_owned(), "us-east-1".to_owned());
    let set = |name: &str| BTreeSet::from([name.to_owned()]);
    for silent in [
        Inventory { collected: BTreeSet::new(), ..inventory() },
        Inventory { collected: set("db-one"), ..inventory() },
        Inventory { unreadable: set("one"), ..inventory() },
        Inventory { account, ..inventory() },
        Inventory { region, ..inventory() },
    ] {
        assert_eq!(record(&world, &silent).await, [], "{silent:?}");
    }
    assert_eq!(world.commit_count().await, 1);
    assert_eq!(record(&world, &inventory()).await.len(), 1);
}

#[tokio::test]
async fn a_record_whose_answer_was_lost_is_not_made_twice() {
    for (fault, at) in [(Fault::Failed, 1), (Fault::FailedButDone, 1), (Fault::FailedButDone, 2)] {
        let world = collected().await;
        let store = Arc::new(FaultyStore::new(world.store.clone(), fault, at)) as Arc<dyn ObjectStore>;
        let archive = Archive::open(store).await.unwrap();
        let stamp = Stamp { time: now(), writer: "test 1".to_owned() };
        drop(inventory().record_stopped(&archive, &key(), &stamp).await);
        record(&world, &inventory()).await;
        assert_eq!(names(&world).await, ["source-started", "source-stopped"], "{fault:?} at {at}");
    }
}
