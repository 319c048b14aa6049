//! Rows of a query, as a table for people or as one JSON object a line for programs.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::json::{LineDelimitedWriter, WriterBuilder};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::table::Rows;
use super::{data, escape, plural, talk};
use crate::failure::Failure;

/// A table is held in memory to be laid out; beyond this many rows a person wants `--json` or a `LIMIT`.
const MAX_TABLE_ROWS: usize = 10_000;

const FORMAT: FormatOptions<'static> = FormatOptions::new()
    .with_null("")
    .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.3fZ"))
    .with_date_format(Some("%Y-%m-%d"));

/// Prints batches as they come.
pub enum Printer {
    Json,
    Table(Box<TablePrinter>),
}

/// Rows that wait to be laid out.
#[derive(Default)]
pub struct TablePrinter {
    table: Option<Rows>,
    rows: usize,
    cut: bool,
}

impl Printer {
    pub fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::Table(Box::default()) }
    }

    /// Prints a batch, or keeps it for the table. False when no more rows are wanted.
    pub fn batch(&mut self, batch: &RecordBatch) -> Result<bool, Failure> {
        match self {
            Self::Json => {
                for line in json_lines(batch)?.lines() {
                    data(&escape::json(line))?;
                }
                Ok(true)
            }
            Self::Table(printer) => printer.keep(batch),
        }
    }

    /// Prints what is left. `schema` names the columns when there were no rows.
    pub fn end(self, schema: &SchemaRef) -> Result<(), Failure> {
        let Self::Table(printer) = self else { return Ok(()) };
        printer.table.unwrap_or_else(|| new_table(schema)).print()?;
        let more = if printer.cut { " shown; there are more, which `--json` prints all" } else { "" };
        talk(&format!("({}{more})", plural(printer.rows as u64, "row")));
        Ok(())
    }
}

impl TablePrinter {
    fn keep(&mut self, batch: &RecordBatch) -> Result<bool, Failure> {
        let table = self.table.get_or_insert_with(|| new_table(&batch.schema()));
        let columns = formatters(batch)?;
        for row in 0..batch.num_rows() {
            if self.rows == MAX_TABLE_ROWS {
                self.cut = true;
                return Ok(false);
            }
            table.add(columns.iter().map(|column| column.value(row).to_string()));
            self.rows += 1;
        }
        Ok(true)
    }
}

fn new_table(schema: &SchemaRef) -> Rows {
    let names: Vec<String> =
        schema.fields().iter().map(|field| escape::line(field.name()).to_uppercase()).collect();
    let mut table = Rows::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for (index, field) in schema.fields().iter().enumerate() {
        if field.data_type().is_numeric() {
            table.align_right(index);
        }
    }
    table
}

fn formatters(batch: &RecordBatch) -> Result<Vec<ArrayFormatter<'_>>, Failure> {
    let formatters = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &FORMAT));
    Ok(formatters.collect::<Result<_, _>>()?)
}

/// One object a line; what is null is left out.
pub fn json_lines(batch: &RecordBatch) -> Result<String, Failure> {
    let mut writer: LineDelimitedWriter<_> = WriterBuilder::new().build(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
}
