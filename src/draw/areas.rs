//! Areas: neighbouring cells that look alike, which get one label and no line between them.

use crate::draw::panel::Panel;
use crate::memory::{Memory, TryVec, try_filled};

/// The areas of a panel.
pub(super) struct Areas {
    width: usize,
    /// For each cell, the number of its area.
    of_cells: Vec<u32>,
    pub(super) all: Vec<Area>,
}

/// Neighbouring cells of which the same shards have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    /// One of its cells.
    pub(super) cell: usize,
    /// A block of its cells, for the label: rows and columns.
    pub(super) rows: (usize, usize),
    pub(super) columns: (usize, usize),
    /// Whether the block is all of it.
    pub(super) is_block: bool,
    /// Number of cells.
    pub(super) count: usize,
}

const NONE: u32 = u32::MAX;

impl Areas {
    pub(super) fn new(panel: &Panel) -> Memory<Self> {
        let width = panel.grid.columns.bins.len().max(1);
        let of_cells = try_filled(NONE, panel.cells.len())?;
        let mut areas = Self { width, of_cells, all: Vec::new() };
        let mut open: Vec<usize> = Vec::new();
        for first in 0..panel.cells.len() {
            if areas.of_cells.get(first) != Some(&NONE) {
                continue;
            }
            let number = areas.all.len() as u32;
            let mut count = 0usize;
            areas.take(first, number, &mut open)?;
            while let Some(cell) = open.pop() {
                count = count.saturating_add(1);
                let key = panel.cells.get(cell).map(|cell| cell.key);
                for next in areas.neighbours(cell).into_iter().flatten() {
                    let is_alike = panel.cells.get(next).map(|cell| cell.key) == key;
                    if is_alike && areas.of_cells.get(next) == Some(&NONE) {
                        areas.take(next, number, &mut open)?;
                    }
                }
            }
            let (rows, columns) = ((0, 0), (0, 0));
            areas.all.try_push(Area { cell: first, rows, columns, is_block: false, count })?;
        }
        areas.find_blocks();
        Ok(areas)
    }

    fn take(&mut self, cell: usize, number: u32, open: &mut Vec<usize>) -> Memory<()> {
        if let Some(place) = self.of_cells.get_mut(cell) {
            *place = number;
        }
        open.try_push(cell)
    }

    fn neighbours(&self, cell: usize) -> [Option<usize>; 4] {
        let column = cell.checked_rem(self.width).unwrap_or(0);
        let last = self.width.saturating_sub(1);
        [
            cell.checked_sub(self.width),
            cell.checked_add(self.width),
            cell.checked_sub(1).filter(|_| column > 0),
            cell.checked_add(1).filter(|_| column < last),
        ]
    }

    /// The number of the area of a cell; `None` outside of the panel.
    pub(super) fn at(&self, row: usize, column: usize) -> Option<u32> {
        if column >= self.width {
            return None;
        }
        let at = row.checked_mul(self.width)?.checked_add(column)?;
        self.of_cells.get(at).copied()
    }

    /// The largest block of each area that begins with the whole run of one of its rows.
    fn find_blocks(&mut self) {
        let rows = self.of_cells.len().checked_div(self.width).unwrap_or(0);
        for row in 0..rows {
            let mut start = 0;
            while start < self.width {
                let own = self.at(row, start);
                let is_own = |column: &usize| self.at(row, *column) == own;
                let end = start.saturating_add((start..self.width).take_while(is_own).count());
                let goes_on = |row: &usize| (start..end).all(|column| self.at(*row, column) == own);
                let height = (row..rows).take_while(goes_on).count();
                let block = ((row, row.saturating_add(height)), (start, end));
                self.offer(own, block);
                start = end.max(start.saturating_add(1));
            }
        }
    }

    fn offer(&mut self, area: Option<u32>, (rows, columns): ((usize, usize), (usize, usize))) {
        let size = |(rows, columns): ((usize, usize), (usize, usize))| {
            let height = rows.1.saturating_sub(rows.0);
            height.saturating_mul(columns.1.saturating_sub(columns.0))
        };
        let area = area.and_then(|number| self.all.get_mut(number as usize));
        let Some(area) = area else { return };
        if size((rows, columns)) > size((area.rows, area.columns)) {
            (area.rows, area.columns) = (rows, columns);
            area.is_block = size((rows, columns)) == area.count;
        }
    }
}
