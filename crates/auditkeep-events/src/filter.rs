//! Conditions on events, as `auditkeep events` takes them.
//!
//! They become expressions, never SQL text, so no value can be read as syntax. Values are compared with what the columns
//! hold, escapes included (`auditkeep_core::event::columns` describes them).

use deltalake_core::datafusion::common::ScalarValue;
use deltalake_core::datafusion::error::DataFusionError;
use deltalake_core::datafusion::functions::expr_fn::{coalesce, concat, contains, ends_with, lower};
use deltalake_core::datafusion::prelude::{DataFrame, Expr, col, lit};

const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

/// What events must match, all of it. The default matches every event.
///
/// Case does not matter in any text: an investigator who types `Alice` must not miss `alice`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub user: Option<String>,
    pub database: Option<String>,
    /// A table or other object: the whole of `object_name` or its end after a dot, or likewise one of the names in
    /// `tables`. `orders` finds `public.orders`; `public.orders` does not find `orders`.
    pub object: Option<String>,
    pub class: Option<String>,
    /// Microseconds since 1970-01-01 UTC, included. An event whose log states no time counts by when it was received.
    pub since_us: Option<i64>,
    /// Likewise, excluded.
    pub until_us: Option<i64>,
    /// Only events that are known to have failed.
    pub failed: bool,
    /// Part of the statement's text.
    pub grep: Option<String>,
    /// Name or resource id of the instance.
    pub instance: Option<String>,
    /// At most so many: the newest.
    pub limit: Option<usize>,
}

impl EventFilter {
    /// The rows of `events` that match, oldest first and newest last.
    pub(crate) fn apply(&self, events: DataFrame) -> Result<DataFrame, DataFusionError> {
        let mut rows = events;
        for condition in self.conditions() {
            rows = rows.filter(condition)?;
        }
        if let Some(limit) = self.limit {
            rows = rows.sort(order(false))?.limit(0, Some(limit))?;
        }
        rows.sort(order(true))
    }

    fn conditions(&self) -> Vec<Expr> {
        let mut conditions = self.time_conditions();
        let text =
            |column: &str, value: &Option<String>| value.as_deref().map(|value| is(col(column), value));
        conditions.extend(text("user_name", &self.user));
        conditions.extend(text("database_name", &self.database));
        // The names of classes are ours and lower case: compared as they are, files are skipped by them.
        conditions.extend(self.class.as_deref().map(|class| col("class").eq(lit(class.to_lowercase()))));
        conditions.extend(self.object.as_deref().map(touches));
        conditions.extend(self.failed.then(|| col("outcome").eq(lit("failure"))));
        conditions
            .extend(self.grep.as_deref().map(|part| contains(lower(col("statement")), lower(lit(part)))));
        conditions.extend(
            self.instance.as_deref().map(|name| is(col("instance"), name).or(is(col("resource_id"), name))),
        );
        conditions
    }

    /// The day is derived from the time, so a condition on the time bounds the day. It lets whole days be skipped, also for
    /// events without a time, about which the statistics of `event_time` say nothing.
    fn time_conditions(&self) -> Vec<Expr> {
        let mut conditions = Vec::new();
        if let Some(since) = self.since_us {
            conditions.push(col("event_date").gt_eq(day(since)));
            conditions.push(by_time(|time| time.gt_eq(instant(since))));
        }
        if let Some(until) = self.until_us {
            conditions.push(col("event_date").lt_eq(day(until.saturating_sub(1))));
            conditions.push(by_time(|time| time.lt(instant(until))));
        }
        conditions
    }
}

/// Written as a choice, not with `coalesce`, because files can be skipped by this form.
fn by_time(condition: impl Fn(Expr) -> Expr) -> Expr {
    let stated = condition(col("event_time"));
    let received = col("event_time").is_null().and(condition(col("received_at")));
    stated.or(received)
}

fn is(column: Expr, value: &str) -> Expr {
    lower(column).eq(lower(lit(value)))
}

fn touches(name: &str) -> Expr {
    let whole = is(col("object_name"), name);
    let end = ends_with(lower(col("object_name")), lower(lit(format!(".{name}"))));
    // Each name of the list then has a separator on both sides.
    let list = concat(vec![lit(", "), lower(col("tables")), lit(", ")]);
    let listed = contains(list.clone(), lower(lit(format!(", {name}, "))));
    let listed_end = contains(list, lower(lit(format!(".{name}, "))));
    whole.or(end).or(col("tables").is_not_null().and(listed.or(listed_end)))
}

fn order(ascending: bool) -> Vec<deltalake_core::datafusion::logical_expr::SortExpr> {
    let keys = [
        coalesce(vec![col("event_time"), col("received_at")]),
        col("trail"),
        col("commit_number"),
        col("byte_offset"),
    ];
    keys.into_iter().map(|key| key.sort(ascending, ascending)).collect()
}

fn instant(us: i64) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into())))
}

/// Beyond what a date can hold, the last date there is: no event lies there.
fn day(us: i64) -> Expr {
    let days = us.div_euclid(MICROSECONDS_PER_DAY);
    let days = i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX });
    lit(ScalarValue::Date32(Some(days)))
}
