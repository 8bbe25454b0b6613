//! Columns of text, as wide as what stands in them.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::fmt;

/// Lines of cells below a heading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    lines: Vec<Vec<String>>,
    numbers: Vec<bool>,
}

impl Table {
    /// A table with these headings; one that begins with `>` is above numbers, which are put to the right.
    pub fn new(headings: &[&str]) -> Self {
        let numbers = headings.iter().map(|heading| heading.starts_with('>')).collect();
        let heading = headings.iter().map(|heading| heading.trim_start_matches('>').to_owned()).collect();
        Self { lines: vec![heading], numbers }
    }

    /// One more line; cells that are missing are empty.
    pub fn line(&mut self, cells: impl IntoIterator<Item = String>) {
        self.lines.push(cells.into_iter().collect());
    }

    /// Whether there is nothing below the heading.
    pub fn is_empty(&self) -> bool {
        self.lines.len() <= 1
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.lines.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        (0..columns).map(width).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for line in &self.lines {
            let mut text = String::new();
            for (column, &width) in widths.iter().enumerate() {
                let cell = line.get(column).map_or("", String::as_str);
                let is_number = self.numbers.get(column).copied().unwrap_or(false);
                let gap = if column == 0 { "" } else { "  " };
                text +=
                    &if is_number { format!("{gap}{cell:>width$}") } else { format!("{gap}{cell:<width$}") };
            }
            writeln!(out, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let mut table = Table::new(&["joint", ">ticks", "unit"]);
        table.line(["elbow_flex", "-7", "°C"].map(str::to_owned));
        table.line(["a", "2048"].map(str::to_owned));
        assert_eq!(table.to_string(), "joint       ticks  unit\nelbow_flex     -7  °C\na            2048\n");
        assert!(!table.is_empty() && Table::new(&["a"]).is_empty());
    }
}
