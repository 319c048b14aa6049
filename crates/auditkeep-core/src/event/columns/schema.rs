//! The columns of the two tables, in order. Readers outside this project rely on them: a column may be added at the end, never
//! renamed, moved or given another type.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

static EVENTS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("event_date", DataType::Date32, false),
        time("event_time"),
        time("received_at"),
        text("account"),
        text("region"),
        text("engine"),
        text("cluster"),
        text("instance"),
        text("resource_id"),
        text("database_name"),
        text("user_name"),
        text("client_address"),
        Field::new("client_port", DataType::Int32, true),
        text("application"),
        text("tls"),
        text("session_id"),
        text("statement_id"),
        text("substatement_id"),
        text("class"),
        text("command"),
        text("object_type"),
        text("object_name"),
        text("tables"),
        text("statement"),
        text("parameters"),
        integer("row_count"),
        text("outcome"),
        text("error_code"),
        text("error_text"),
        text("fingerprint"),
        text("flags"),
        text("trail"),
        integer("commit_number"),
        text("segment"),
        integer("byte_offset"),
        integer("byte_length"),
    ]))
});

static PROBLEMS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("problem_date", DataType::Date32, false),
        time("received_at"),
        text("account"),
        text("region"),
        text("engine"),
        text("instance"),
        text("resource_id"),
        text("reason"),
        Field::new("raw", DataType::Binary, true),
        text("trail"),
        integer("commit_number"),
        text("segment"),
        integer("byte_offset"),
        integer("byte_length"),
    ]))
});

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn integer(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

fn time(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true)
}

/// The columns of the events table. `event_date` is the partition column: the UTC day of `event_time`, or of
/// `received_at` where the log states no time.
pub fn events_schema() -> Arc<Schema> {
    Arc::clone(&EVENTS)
}

/// The columns of the problems table. `problem_date` is the partition column: the UTC day of `received_at`.
pub fn problems_schema() -> Arc<Schema> {
    Arc::clone(&PROBLEMS)
}
