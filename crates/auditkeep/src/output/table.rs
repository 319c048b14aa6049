//! Tables that fit the terminal. When nobody looks at one, nothing is cut and nothing is drawn.

use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Row, Table, presets};

use super::{data, escape, may_colour, stdout_is_terminal};
use crate::failure::Failure;

/// Narrower than this and every column would be a sliver.
const MIN_WIDTH: u16 = 60;

/// A table in the making. Every text is escaped here, so none needs to be before.
pub struct Rows {
    table: Table,
    columns: usize,
    lines_per_row: Option<usize>,
}

impl Rows {
    pub fn new(headers: &[&str]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let terminal = stdout_is_terminal();
        let plain = !may_colour(terminal);
        let cells = headers.iter().map(|header| {
            let cell = Cell::new(header);
            if plain { cell } else { cell.add_attribute(Attribute::Bold) }
        });
        table.set_header(cells);
        if terminal {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            let width = table.width().unwrap_or(100).max(MIN_WIDTH);
            table.set_width(width);
        }
        Self { table, columns: headers.len(), lines_per_row: None }
    }

    /// On a terminal, what needs more lines than that is cut.
    #[must_use]
    pub fn lines_per_row(self, lines: usize) -> Self {
        Self { lines_per_row: stdout_is_terminal().then_some(lines), ..self }
    }

    pub fn add<I, S>(&mut self, cells: I)
    where
        I: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let mut row = Row::from(
            cells.into_iter().map(|cell| Cell::new(escape::line(cell.as_ref()))).collect::<Vec<_>>(),
        );
        if let Some(lines) = self.lines_per_row {
            row.max_height(lines);
        }
        self.table.add_row(row);
    }

    pub fn align_right(&mut self, column: usize) {
        if let Some(column) = self.table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub fn print(mut self) -> Result<(), Failure> {
        for column in 0..self.columns {
            if let Some(column) = self.table.column_mut(column) {
                column.set_padding((0, 2));
            }
        }
        data(&self.table.trim_fmt())
    }
}
