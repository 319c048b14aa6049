//! `DescribeDBLogFiles`: filters, order and pages.
//!
//! Newest first, as observed; the order is not documented. A marker names the last file of a page by its time and name,
//! so a file that is written to while somebody pages moves to the front and is missed or seen twice. The real listing
//! gives no better promise: a client must not trust one listing.

use std::cmp::Ordering;

use crate::emulator::fault::Fault;
use crate::emulator::logs::LogFile;
use crate::emulator::params::Params;

/// What a caller wants to see.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LogQuery {
    /// Substring of the name.
    filename_contains: Option<String>,
    /// Milliseconds since 1970, UTC; inclusive.
    file_last_written: Option<i64>,
    /// Bytes; only larger files.
    file_size: Option<i64>,
    max_records: Option<usize>,
    after: Option<Position>,
}

/// Where a page ended.
#[derive(Debug, PartialEq, Eq)]
struct Position {
    last_written_ms: i64,
    name: String,
}

/// Some files, and a marker if there are more.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) files: Vec<LogFile>,
    pub(crate) marker: Option<String>,
}

impl LogQuery {
    pub(crate) fn read(params: &Params) -> Result<Self, Fault> {
        params.refuse_filters()?;
        let max_records = params.number("MaxRecords")?.map(positive).transpose()?;
        Ok(Self {
            filename_contains: params.text("FilenameContains").map(str::to_owned),
            file_last_written: params.number("FileLastWritten")?,
            file_size: params.number("FileSize")?,
            max_records,
            after: params.text("Marker").map(Position::parse).transpose()?,
        })
    }

    fn wants(&self, file: &LogFile) -> bool {
        let size = i64::try_from(file.size).unwrap_or(i64::MAX);
        self.filename_contains.as_ref().is_none_or(|part| file.name.contains(part))
            && self.file_last_written.is_none_or(|since| file.last_written_ms >= since)
            && self.file_size.is_none_or(|least| size > least)
            && self.after.as_ref().is_none_or(|after| after.precedes(file))
    }
}

/// The page that a query asks for, at most `page_limit` files.
pub(crate) fn page(files: Vec<LogFile>, query: &LogQuery, page_limit: usize) -> Page {
    let mut files: Vec<LogFile> = files.into_iter().filter(|file| query.wants(file)).collect();
    files.sort_by(|a, b| newest_first((a.last_written_ms, &a.name), (b.last_written_ms, &b.name)));
    let length = query.max_records.unwrap_or(page_limit).min(page_limit).max(1);
    let more = files.len() > length;
    files.truncate(length);
    let marker = files.last().filter(|_| more).map(Position::marker);
    Page { files, marker }
}

fn newest_first(a: (i64, &str), b: (i64, &str)) -> Ordering {
    b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1))
}

impl Position {
    fn marker(file: &LogFile) -> String {
        hex::encode(format!("{}:{}", file.last_written_ms, file.name))
    }

    fn parse(marker: &str) -> Result<Self, Fault> {
        let text = hex::decode(marker).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        text.as_deref()
            .and_then(|text| text.split_once(':'))
            .and_then(|(time, name)| {
                Some(Self { last_written_ms: time.parse().ok()?, name: name.to_owned() })
            })
            .ok_or_else(|| Fault::invalid_value("Invalid value for Marker"))
    }

    fn precedes(&self, file: &LogFile) -> bool {
        newest_first((self.last_written_ms, &self.name), (file.last_written_ms, &file.name)) == Ordering::Less
    }
}

fn positive(value: i64) -> Result<usize, Fault> {
    usize::try_from(value).ok().filter(|value| *value > 0).ok_or_else(|| {
        Fault::invalid_value(format!("Invalid value {value} for MaxRecords. Must be at least 1"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, last_written_ms: i64, size: u64) -> LogFile {
        LogFile { name: name.to_owned(), last_written_ms, size }
    }

    fn query(text: &str) -> LogQuery {
        LogQuery::read(&Params::read(text, b"")).unwrap()
    }

    fn names(page: &Page) -> Vec<&str> {
        page.files.iter().map(|file| file.name.as_str()).collect()
    }

    #[test]
    fn filters_work_as_documented() {
        let files = vec![file("error/a", 3000, 10), file("error/b", 2000, 20), file("audit/a", 1000, 30)];
        let ask = |text: &str| page(files.clone(), &query(text), 1000);
        assert_eq!(names(&ask("")), ["error/a", "error/b", "audit/a"]);
        assert_eq!(names(&ask("FilenameContains=r/a")), ["error/a"]);
        assert_eq!(names(&ask("FileLastWritten=2000")), ["error/a", "error/b"]);
        assert_eq!(names(&ask("FileLastWritten=2001")), ["error/a"]);
        assert_eq!(names(&ask("FileSize=20")), ["audit/a"]);
        assert_eq!(names(&ask("FileSize=19")), ["error/b", "audit/a"]);
    }

    #[test]
    fn pages_cover_everything_once() {
        let files: Vec<LogFile> =
            (0..25).map(|n| file(&format!("error/{n:02}"), i64::from(n / 10) * 1000, 1)).collect();
        let mut seen = Vec::new();
        let mut text = "MaxRecords=7".to_owned();
        loop {
            let page = page(files.clone(), &query(&text), 1000);
            assert!(page.files.len() <= 7);
            seen.extend(page.files.into_iter().map(|file| file.name));
            match page.marker {
                Some(marker) => text = format!("MaxRecords=7&Marker={marker}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 25);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 25);
    }

    #[test]
    fn a_full_last_page_has_no_marker() {
        let files = vec![file("a", 1000, 1), file("b", 1000, 1)];
        assert!(page(files.clone(), &query(""), 2).marker.is_none());
        assert!(page(files, &query(""), 1).marker.is_some());
    }

    #[test]
    fn a_file_that_grows_while_somebody_pages_moves_to_the_front() {
        let before = vec![file("new", 3000, 1), file("old", 2000, 1), file("older", 1000, 1)];
        let first = page(before, &query("MaxRecords=1"), 1000);
        assert_eq!(names(&first), ["new"]);
        // `older` is written to before the next page is asked for; the listing that began earlier never shows it.
        let after = vec![file("older", 4000, 2), file("new", 3000, 1), file("old", 2000, 1)];
        let marker = first.marker.unwrap();
        let second = page(after.clone(), &query(&format!("Marker={marker}")), 1000);
        assert_eq!(names(&second), ["old"]);
        assert_eq!(names(&page(after, &query(""), 1000)), ["older", "new", "old"]);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "MaxRecords=0",
            "MaxRecords=-1",
            "Marker=zz",
            "Marker=00",
            "FileSize=big",
            "Filters.Filter.1.Name=a",
        ] {
            let fault = LogQuery::read(&Params::read(text, b"")).unwrap_err();
            assert_eq!(fault.code, "InvalidParameterValue", "{text}");
        }
    }
}
