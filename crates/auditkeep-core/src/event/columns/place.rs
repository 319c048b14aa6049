//! The columns that say where a row comes from: its source, its object and its bytes.
//!
//! What is the same for a run of rows is kept once per run and written out when a batch is finished.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};

use super::{RowContext, Run};
use crate::event::Span;

/// `trail`, `commit_number`, `segment`, `byte_offset`, `byte_length`.
#[derive(Debug, Default)]
pub(super) struct PlaceBuilders {
    /// Object keys with the number of rows in a row that begin in them.
    segments: Vec<(Option<String>, usize)>,
    offset: Int64Builder,
    length: Int64Builder,
}

impl PlaceBuilders {
    pub(super) fn append(&mut self, span: Span, segment: Option<&str>) {
        match self.segments.last_mut() {
            Some((key, rows)) if key.as_deref() == segment => *rows += 1,
            _ => self.segments.push((segment.map(str::to_owned), 1)),
        }
        self.offset.append_value(signed(span.offset));
        self.length.append_value(signed(span.length));
    }

    pub(super) fn finish(&mut self, runs: &[Run], rows: impl Fn(&Run) -> usize) -> Vec<ArrayRef> {
        let mut commit = Int64Builder::new();
        for run in runs {
            commit.append_value_n(signed(run.context.commit_number), rows(run));
        }
        let mut segment = StringBuilder::new();
        for (key, count) in self.segments.drain(..) {
            repeat(&mut segment, key.as_deref(), count);
        }
        vec![
            per_run(runs, &rows, |context| Some(&context.trail)),
            Arc::new(commit.finish()),
            Arc::new(segment.finish()),
            Arc::new(self.offset.finish()),
            Arc::new(self.length.finish()),
        ]
    }
}

/// `received_at` to `resource_id`; with `cluster` only where the table has that column.
pub(super) fn origin(runs: &[Run], rows: impl Fn(&Run) -> usize, with_cluster: bool) -> Vec<ArrayRef> {
    let mut received = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    for run in runs {
        received.append_value_n(run.context.received_at_us, rows(run));
    }
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(received.finish()),
        per_run(runs, &rows, |context| Some(&context.account)),
        per_run(runs, &rows, |context| Some(&context.region)),
        per_run(runs, &rows, |context| Some(context.engine.name())),
    ];
    if with_cluster {
        columns.push(per_run(runs, &rows, |context| context.cluster.as_deref()));
    }
    columns.push(per_run(runs, &rows, |context| Some(&context.instance)));
    columns.push(per_run(runs, &rows, |context| Some(&context.resource_id)));
    columns
}

fn per_run(
    runs: &[Run],
    rows: &impl Fn(&Run) -> usize,
    value: impl Fn(&RowContext) -> Option<&str>,
) -> ArrayRef {
    let mut column = StringBuilder::new();
    for run in runs {
        repeat(&mut column, value(&run.context), rows(run));
    }
    Arc::new(column.finish())
}

fn repeat(column: &mut StringBuilder, value: Option<&str>, count: usize) {
    for _ in 0..count {
        column.append_option(value);
    }
}

/// Offsets and lengths stay far below the sign bit; one that does not is shown as the largest number there is.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
