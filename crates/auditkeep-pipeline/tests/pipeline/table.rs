//! An events table in memory that remembers every row, and whose writes can be told to go wrong.

use std::collections::BTreeMap;
use std::sync::Mutex;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use async_trait::async_trait;
use auditkeep_pipeline::table::{Derived, EventTable, TableError};

use crate::faults::Fault;

/// Where a row's bytes lie, and its statement; of a problem, its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub trail: String,
    /// Family and generation, from the segment's name.
    pub file: String,
    pub offset: u64,
    pub length: u64,
    pub statement: Option<String>,
}

#[derive(Default)]
pub struct RecordingTable {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    through: BTreeMap<String, u64>,
    events: Vec<Row>,
    problems: Vec<Row>,
    fault: Option<(Fault, u64)>,
}

impl RecordingTable {
    /// The `at`-th append from now on goes wrong; 1 is the next.
    pub fn fail(&self, fault: Fault, at: u64) {
        self.state.lock().unwrap().fault = Some((fault, at));
    }

    pub fn works(&self) {
        self.state.lock().unwrap().fault = None;
    }

    /// Sorted.
    pub fn events(&self) -> Vec<Row> {
        let mut rows = self.state.lock().unwrap().events.clone();
        rows.sort();
        rows
    }

    /// Sorted.
    pub fn problems(&self) -> Vec<Row> {
        let mut rows = self.state.lock().unwrap().problems.clone();
        rows.sort();
        rows
    }
}

impl State {
    fn apply(&mut self, derived: &Derived) -> Result<(), TableError> {
        let held = self.through.get(&derived.trail).copied();
        if held.is_some_and(|held| held >= derived.through) {
            return Ok(());
        }
        if held != derived.after {
            let cause = format!("it holds {held:?}, not {:?}", derived.after).into();
            return Err(TableError { operation: "appending to", cause });
        }
        self.events.extend(derived.events.iter().flat_map(|batch| rows(batch, "statement")));
        self.problems.extend(derived.problems.iter().flat_map(|batch| rows(batch, "reason")));
        self.through.insert(derived.trail.clone(), derived.through);
        Ok(())
    }

    fn fault_now(&mut self) -> Option<Fault> {
        let (fault, at) = self.fault.take()?;
        if at > 1 {
            self.fault = Some((fault, at - 1));
            return None;
        }
        Some(fault)
    }
}

#[async_trait]
impl EventTable for RecordingTable {
    async fn derived_through(&self, trail: &str) -> Result<Option<u64>, TableError> {
        Ok(self.state.lock().unwrap().through.get(trail).copied())
    }

    async fn append(&self, derived: Derived) -> Result<(), TableError> {
        let mut state = self.state.lock().unwrap();
        let fault = state.fault_now();
        if fault != Some(Fault::Failed) {
            state.apply(&derived)?;
        }
        match fault {
            None => Ok(()),
            Some(_) => Err(TableError { operation: "appending to", cause: "the connection broke".into() }),
        }
    }
}

fn rows(batch: &RecordBatch, text: &str) -> Vec<Row> {
    let strings = |name: &str| {
        let column = batch.column_by_name(name).unwrap().as_string::<i32>();
        column.iter().map(|value| value.map(str::to_owned)).collect::<Vec<_>>()
    };
    let numbers = |name: &str| {
        let column = batch.column_by_name(name).unwrap().as_primitive::<Int64Type>();
        column.values().iter().map(|value| u64::try_from(*value).unwrap()).collect::<Vec<_>>()
    };
    let places = numbers("byte_offset").into_iter().zip(numbers("byte_length"));
    let texts = strings("trail").into_iter().zip(strings("segment")).zip(strings(text));
    places
        .zip(texts)
        .map(|((offset, length), ((trail, segment), statement))| Row {
            trail: trail.unwrap(),
            file: file_of(&segment.unwrap()),
            offset,
            length,
            statement,
        })
        .collect()
}

/// `…/<family>/<generation>/<segment>` without the segment and without what is before the family's own name.
fn file_of(segment: &str) -> String {
    let mut parts = segment.rsplit('/').skip(1);
    let generation = parts.next().unwrap();
    format!("{}#{generation}", parts.next().unwrap())
}
