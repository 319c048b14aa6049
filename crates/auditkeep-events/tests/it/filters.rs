//! The conditions of `auditkeep events`.

use auditkeep_core::event::{Class, Outcome};
use auditkeep_events::EventFilter;
use auditkeep_pipeline::table::{Derived, EventTable};
use futures::TryStreamExt;

use crate::rows::{Archive, DAY, MINUTE, MORNING, Rows, lines, text};

/// One event per line of thought; its `statement_id` is what the tests name it by.
async fn archive() -> Archive {
    let archive = Archive::new();
    let mut rows = Rows::of("a", 0);
    rows.event(Some(MORNING), Class::Connect, |event| {
        event.statement_id = text("login");
        event.user_name = text("Alice");
        event.database_name = text("shop");
        event.outcome = Outcome::Failure;
    });
    rows.event(Some(MORNING + MINUTE), Class::Read, |event| {
        event.statement_id = text("qualified");
        event.user_name = text("alice");
        event.object_name = text("public.Orders");
        event.statement = text("SELECT * FROM Orders WHERE name LIKE '100%'");
    });
    rows.event(Some(MORNING + 2 * MINUTE), Class::Write, |event| {
        event.statement_id = text("listed");
        event.user_name = text("o'brien");
        event.database_name = text("shop");
        event.tables = text("customers, public.orders, items");
        event.statement = text("UPDATE orders SET note = 'it''s \"100_\"' -- 50% off");
    });
    rows.event(Some(MORNING + DAY), Class::Ddl, |event| {
        event.statement_id = text("other");
        event.object_name = text("old_orders");
        event.tables = text("old_orders, orders_old");
        event.statement = text("DROP TABLE old_orders");
    });
    // Received a day after MORNING, which is when it counts.
    rows.event(None, Class::Misc, |event| event.statement_id = text("timeless"));
    let (events, problems) = rows.finish();
    let derived = Derived { trail: "a".into(), after: None, through: 0, events, problems };
    archive.tables().append(derived).await.unwrap();
    archive
}

async fn found(archive: &Archive, filter: EventFilter) -> Vec<String> {
    let engine = archive.engine().await;
    let frame = engine.events_frame(&filter).await.unwrap();
    let frame = frame.select_columns(&["statement_id"]).unwrap();
    let batches: Vec<_> = frame.execute_stream().await.unwrap().try_collect().await.unwrap();
    lines(&batches)
}

fn by(set: impl FnOnce(&mut EventFilter)) -> EventFilter {
    let mut filter = EventFilter::default();
    set(&mut filter);
    filter
}

#[tokio::test]
async fn everything_in_order_newest_last() {
    let archive = archive().await;
    let all = ["login", "qualified", "listed", "other", "timeless"];
    assert_eq!(found(&archive, EventFilter::default()).await, all);
    assert_eq!(found(&archive, by(|filter| filter.limit = Some(2))).await, ["other", "timeless"]);
    let (schema, rows) = archive.engine().await.events(&EventFilter::default()).await.unwrap();
    assert_eq!(schema.field(0).name(), "event_date");
    let rows: Vec<_> = rows.try_collect().await.unwrap();
    assert_eq!(lines(&rows).len(), 5);
}

#[tokio::test]
async fn texts_match_whatever_their_case() {
    let archive = archive().await;
    assert_eq!(
        found(&archive, by(|filter| filter.user = Some("ALICE".into()))).await,
        ["login", "qualified"]
    );
    assert_eq!(found(&archive, by(|filter| filter.user = Some("alic".into()))).await, [""; 0]);
    assert_eq!(
        found(&archive, by(|filter| filter.database = Some("Shop".into()))).await,
        ["login", "listed"]
    );
    assert_eq!(found(&archive, by(|filter| filter.class = Some("DDL".into()))).await, ["other"]);
    assert_eq!(found(&archive, by(|filter| filter.failed = true)).await, ["login"]);
    assert_eq!(found(&archive, by(|filter| filter.instance = Some("DB-OF-A".into()))).await.len(), 5);
    assert_eq!(found(&archive, by(|filter| filter.instance = Some("db-ABCDEF".into()))).await.len(), 5);
    assert_eq!(found(&archive, by(|filter| filter.instance = Some("db-of-b".into()))).await, [""; 0]);
}

#[tokio::test]
async fn objects_match_whole_names_and_their_ends() {
    let archive = archive().await;
    let object = async |name: &str| found(&archive, by(|filter| filter.object = Some(name.into()))).await;
    assert_eq!(object("orders").await, ["qualified", "listed"]);
    assert_eq!(object("PUBLIC.ORDERS").await, ["qualified", "listed"]);
    assert_eq!(object("customers").await, ["listed"]);
    assert_eq!(object("items").await, ["listed"]);
    assert_eq!(object("old_orders").await, ["other"]);
    assert_eq!(object("orders_old").await, ["other"]);
    assert_eq!(object("rders").await, [""; 0]);
    assert_eq!(object("private.orders").await, [""; 0]);
    assert_eq!(object("%").await, [""; 0]);
}

#[tokio::test]
async fn values_are_never_syntax() {
    let archive = archive().await;
    let grep = async |part: &str| found(&archive, by(|filter| filter.grep = Some(part.into()))).await;
    assert_eq!(grep("from orders").await, ["qualified"]);
    assert_eq!(grep("%").await, ["qualified", "listed"]);
    assert_eq!(grep("100%").await, ["qualified"]);
    assert_eq!(grep("100_").await, ["listed"]);
    assert_eq!(grep("it''s \"100").await, ["listed"]);
    assert_eq!(grep("'; DROP TABLE events; --").await, [""; 0]);
    assert_eq!(grep("\\").await, [""; 0]);
    assert_eq!(found(&archive, by(|filter| filter.user = Some("O'Brien".into()))).await, ["listed"]);
    assert_eq!(found(&archive, by(|filter| filter.user = Some("' OR 1=1 --".into()))).await, [""; 0]);
}

#[tokio::test]
async fn times_are_half_open_and_no_event_is_without_one() {
    let archive = archive().await;
    let between = async |since: Option<i64>, until: Option<i64>| {
        found(&archive, EventFilter { since_us: since, until_us: until, ..Default::default() }).await
    };
    assert_eq!(between(Some(MORNING + MINUTE), Some(MORNING + 2 * MINUTE)).await, ["qualified"]);
    assert_eq!(between(None, Some(MORNING + MINUTE)).await, ["login"]);
    assert_eq!(between(Some(MORNING + DAY), None).await, ["other", "timeless"]);
    assert_eq!(between(Some(MORNING + DAY + 1), None).await, [""; 0]);
    assert_eq!(between(Some(i64::MIN), Some(i64::MAX)).await.len(), 5);
}
