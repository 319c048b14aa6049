//! Brings the records of a real MariaDB run into the shape that Aurora MySQL writes: times in microseconds, the instance's
//! name, a return code in table records, and four files that are written in parallel and out of order.
//!
//! Source: Amazon Aurora User Guide, "Using Advanced Auditing with an Amazon Aurora MySQL DB cluster". The fraction of a
//! second is made up, in the order of the records, because server_audit does not log it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::RecordError;
use super::instance::LogFile;
use super::rewrite::{records, split};

const FILES: usize = 4;
/// Every so many lines of a file, two neighbours change places.
const SWAP_EVERY: usize = 7;

struct Record {
    /// Microseconds since 1970, UTC.
    time: i64,
    /// Everything after the host name.
    rest: Vec<u8>,
}

/// Makes Aurora's files from those of one server: the live one and its renamed forerunners.
pub(super) fn reshape(files: &[LogFile], instance: &str) -> Result<Vec<LogFile>, RecordError> {
    let mut files: Vec<&LogFile> = files.iter().collect();
    files.sort_by_key(|file| std::cmp::Reverse(age(&file.name)));
    let mut all = Vec::new();
    for line in files.iter().flat_map(|file| records(&file.bytes)) {
        let (time, rest) = split(line)?;
        all.push(Record { time: microseconds(time)?, rest: with_return_code(rest) });
    }
    spread_over_seconds(&mut all);

    let stamp = all.first().map_or(Timestamp::UNIX_EPOCH, |record| timestamp(record.time));
    let stamp = stamp.strftime("%Y-%m-%d-%H-%M").to_string();
    let mut parts: [Vec<Record>; FILES] = Default::default();
    for (index, record) in all.into_iter().enumerate() {
        if let Some(part) = parts.get_mut(file_of(index)) {
            part.push(record);
        }
    }
    let files = parts.into_iter().enumerate();
    Ok(files
        .map(|(number, part)| log_file(format!("audit/audit.log.{number}.{stamp}.0"), part, instance))
        .collect())
}

/// How often a file was renamed: 0 for the live one.
fn age(name: &str) -> u32 {
    name.rsplit('.').next().and_then(|suffix| suffix.parse().ok()).unwrap_or_default()
}

fn timestamp(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or_default()
}

fn microseconds(time: &[u8]) -> Result<i64, RecordError> {
    let text = String::from_utf8_lossy(time);
    let parsed =
        DateTime::strptime("%Y%m%d %H:%M:%S", text.as_ref()).and_then(|time| time.to_zoned(TimeZone::UTC));
    let parsed = parsed.map_err(|_| RecordError::Shape { line: text.into_owned() })?;
    Ok(parsed.timestamp().as_microsecond())
}

/// MariaDB leaves the return code of table records empty, Aurora writes 0.
fn with_return_code(rest: &[u8]) -> Vec<u8> {
    let mut rest = rest.to_vec();
    if rest.ends_with(b",") {
        rest.push(b'0');
    }
    rest
}

/// Gives the records of one second fractions in their order, evenly and never 0.
fn spread_over_seconds(all: &mut [Record]) {
    let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
    for record in all.iter() {
        *counts.entry(record.time).or_default() += 1;
    }
    let mut seen: BTreeMap<i64, i64> = BTreeMap::new();
    for record in all {
        let count = counts.get(&record.time).copied().unwrap_or(1);
        let number = seen.entry(record.time).or_default();
        *number += 1;
        record.time += *number * 1_000_000 / (count + 1);
    }
}

/// Which of the files takes a record: scattered, and the same in every recording.
fn file_of(index: usize) -> usize {
    (index.wrapping_mul(2_654_435_761) >> 16) % FILES
}

fn log_file(name: String, mut records: Vec<Record>, instance: &str) -> LogFile {
    let last_written = records.iter().map(|record| record.time / 1000).max().unwrap_or_default();
    for pair in records.chunks_exact_mut(SWAP_EVERY) {
        pair.swap(0, 1);
    }
    let mut bytes = Vec::new();
    for record in records {
        bytes.extend_from_slice(format!("{},{instance},", record.time).as_bytes());
        bytes.extend_from_slice(&record.rest);
        bytes.push(b'\n');
    }
    LogFile { name, bytes, last_written }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::instance::LogFile;
    use super::reshape;

    fn file(name: &str, lines: &[String]) -> LogFile {
        LogFile { name: name.to_owned(), bytes: lines.concat().into_bytes(), last_written: 0 }
    }

    fn query(number: u32) -> String {
        format!(
            "20261121 08:15:0{},vm,app,127.0.0.1,5,{number},QUERY,shop,'SELECT {number}',0\n",
            number / 50
        )
    }

    #[test]
    fn every_record_comes_out_once_with_a_time_of_its_own() {
        let lines: Vec<String> = (0..100).map(query).collect();
        let files =
            [file("audit/server_audit.log", &lines[60..]), file("audit/server_audit.log.1", &lines[..60])];
        let files = reshape(&files, "shop-aurora").unwrap();
        assert_eq!(files.len(), 4);
        assert_eq!(files[3].name, "audit/audit.log.3.2026-11-21-08-15.0");
        let text: String = files.iter().map(|file| String::from_utf8(file.bytes.clone()).unwrap()).collect();
        let mut found: Vec<(i64, u32)> = Vec::new();
        for line in text.lines() {
            let fields: Vec<&str> = line.split(',').collect();
            assert_eq!((fields.len(), fields[0].len(), fields[1]), (10, 16, "shop-aurora"));
            found.push((fields[0].parse().unwrap(), fields[5].parse().unwrap()));
        }
        found.sort_unstable();
        // In the order of time the records are in the order in which they were written.
        assert_eq!(found.iter().map(|(_, number)| *number).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
        assert_eq!(found.iter().map(|(time, _)| time).collect::<BTreeSet<_>>().len(), 100);
        assert_eq!(found[0].0 / 1_000_000, 1_795_248_900);
    }

    #[test]
    fn files_are_not_in_time_order() {
        let lines: Vec<String> = (0..100).map(query).collect();
        let files = reshape(&[file("audit/server_audit.log", &lines)], "shop-aurora").unwrap();
        for file in files {
            let text = String::from_utf8(file.bytes).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            assert!(!lines.is_sorted(), "{}", file.name);
        }
    }

    #[test]
    fn table_records_get_a_return_code() {
        let line = "20261121 08:15:00,vm,app,127.0.0.1,5,9,READ,shop,orders,\n".to_owned();
        let files = reshape(&[file("audit/server_audit.log", &[line])], "shop-aurora").unwrap();
        assert!(files.iter().any(|file| file.bytes.ends_with(b",READ,shop,orders,0\n")));
    }
}
