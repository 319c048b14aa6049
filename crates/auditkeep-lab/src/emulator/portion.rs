//! `DownloadDBLogFilePortion`: part of a log file as text, with the real service's losses.
//!
//! A call takes a block of at most 10,000 lines. Where the block is larger than 1 MiB, its text is cut in the middle of
//! a record, a notice is put in its place, and the marker still points behind the whole block: the rest cannot be had
//! from here, except with fewer lines (aws/aws-sdk issue 20). Every byte that is not ASCII reads `?` (aws/aws-cli issue
//! 2724), and so does every control character that XML 1.0 cannot carry.
//!
//! That the marker skips the rest of the block, not only of the line, is inferred from users' reports of how much of a
//! file arrived (aws/aws-cli issue 2745); AWS does not document it.

use std::io::{self, Read};
use std::path::Path;

use crate::emulator::fault::Fault;
use crate::emulator::logs::OpenLog;
use crate::emulator::params::Params;
use crate::emulator::switches::PortionFlaw;

/// "1 MB" of the API Reference. That it means 2^20 shows in an answer posted in aws/aws-cli issue 3079, whose truncated
/// portion has the marker `15:1048577`.
pub(crate) const PORTION_BYTES: u64 = 1_048_576;
/// The most lines of one call, and the default (`NumberOfLines` in the API Reference).
pub(crate) const PORTION_LINES: u64 = 10_000;
/// What stands at the end of a text that was cut.
pub(crate) const TRUNCATION_NOTICE: &str = "\n [Your log message was truncated]\n";
/// The largest compressed log that is shown as text. Aurora's `.gz` logs come decompressed (aws/aws-sdk issue 615).
const UNZIPPED_LIMIT: u64 = 256 << 20;

/// Which part of a file is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PortionQuery {
    start: Start,
    lines: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// No marker: the last lines of the file.
    End,
    /// From a byte offset on.
    At(u64),
}

/// Part of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Portion {
    pub(crate) text: String,
    pub(crate) marker: String,
    pub(crate) pending: bool,
}

impl PortionQuery {
    pub(crate) fn read(params: &Params) -> Result<Self, Fault> {
        let start = params.text("Marker").map_or(Ok(Start::End), parse_marker)?;
        let lines = params.number("NumberOfLines")?.map_or(Ok(PORTION_LINES), parse_lines)?;
        Ok(Self { start, lines })
    }
}

/// Markers are opaque to clients. They look like `17:13387550`: an hour and a byte offset.
fn parse_marker(marker: &str) -> Result<Start, Fault> {
    if marker == "0" {
        return Ok(Start::At(0));
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    marker
        .split_once(':')
        .filter(|(hour, offset)| hour.len() <= 2 && digits(hour) && digits(offset))
        .and_then(|(_, offset)| offset.parse().ok())
        .map(Start::At)
        .ok_or_else(|| Fault::invalid_value("Invalid value for Marker"))
}

fn parse_lines(lines: i64) -> Result<u64, Fault> {
    u64::try_from(lines).ok().filter(|lines| (1..=PORTION_LINES).contains(lines)).ok_or_else(|| {
        let message =
            format!("Invalid value {lines} for NumberOfLines. Must be between 1 and {PORTION_LINES}");
        Fault::invalid_value(message)
    })
}

/// Reads the portion that a query asks for.
pub(crate) fn read_portion(
    log: OpenLog,
    name: &str,
    query: PortionQuery,
    flaws: &[PortionFlaw],
) -> Result<Portion, Fault> {
    let failed = |error: io::Error| Fault::internal("read a log file", &error);
    let mut log = log;
    if Path::new(name).extension().is_some_and(|extension| extension == "gz")
        && let Some(text) = log.unzipped(UNZIPPED_LIMIT).map_err(failed)?
    {
        log = text;
    }
    if flaws.contains(&PortionFlaw::Binary) || log.looks_binary().map_err(failed)? {
        return Err(binary());
    }
    let (block, pending) = match query.start {
        Start::At(offset) => {
            let block = Block::forward(&mut log, offset, query.lines).map_err(failed)?;
            let pending = block.end < log.size();
            (block, pending)
        }
        Start::End => (Block::last(&mut log, query.lines).map_err(failed)?, false),
    };
    if block.bytes.contains(&0) {
        return Err(binary());
    }
    let hour = log.last_written_ms().div_euclid(3_600_000).rem_euclid(24);
    let start = if let Start::At(offset) = query.start { offset } else { block.end };
    let end = flaws.iter().fold(block.end, |end, flaw| flaw.end(start, end));
    Ok(Portion { marker: format!("{hour}:{end}"), text: block.into_text(), pending })
}

fn binary() -> Fault {
    Fault::invalid_value("This file contains binary data and should be downloaded instead of viewed")
}

/// A run of lines; of its bytes at most [`PORTION_BYTES`] are kept.
struct Block {
    bytes: Vec<u8>,
    end: u64,
    cut: bool,
}

impl Block {
    /// The next `lines` lines. A last line without an end counts as one.
    fn forward(log: &mut OpenLog, offset: u64, lines: u64) -> io::Result<Self> {
        let mut block = Self { bytes: Vec::new(), end: offset, cut: false };
        let mut buffer = vec![0; 64 * 1024];
        let mut lines_left = lines;
        log.seek_to(offset);
        while lines_left > 0 {
            let read = log.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            let taken = whole_lines(&buffer[..read], &mut lines_left);
            block.append(&buffer[..taken]);
        }
        Ok(block)
    }

    fn append(&mut self, bytes: &[u8]) {
        self.end += bytes.len() as u64;
        let room = usize::try_from(PORTION_BYTES).unwrap_or(usize::MAX) - self.bytes.len();
        self.cut |= bytes.len() > room;
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The last `lines` lines, as many of them as fit into the limit. The older ones that do not fit are left out
    /// silently; only a single line that is larger than the limit is cut.
    fn last(log: &mut OpenLog, lines: u64) -> io::Result<Self> {
        let end = log.size();
        let from = end.saturating_sub(PORTION_BYTES);
        let mut window = Vec::new();
        log.seek_to(from);
        log.take(PORTION_BYTES).read_to_end(&mut window)?;
        let start = start_of_last_lines(&window, lines);
        let is_line_start = start > 0 || from == 0;
        let start = if is_line_start { Some(start) } else { first_line_start(&window) };
        let cut = start.is_none();
        Ok(Self { bytes: window.split_off(start.unwrap_or(0)), end, cut })
    }

    fn into_text(self) -> String {
        let mut text: String = self.bytes.into_iter().map(shown).collect();
        if self.cut {
            text.push_str(TRUNCATION_NOTICE);
        }
        text
    }
}

/// How many bytes belong to the lines that are left; takes the lines that end off `lines_left`.
fn whole_lines(bytes: &[u8], lines_left: &mut u64) -> usize {
    for (index, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' {
            *lines_left -= 1;
            if *lines_left == 0 {
                return index + 1;
            }
        }
    }
    bytes.len()
}

/// Where the last `lines` lines begin; 0 if there are not so many.
fn start_of_last_lines(bytes: &[u8], lines: u64) -> usize {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let mut lines_left = lines;
    for (index, byte) in body.iter().enumerate().rev() {
        if *byte == b'\n' {
            lines_left -= 1;
            if lines_left == 0 {
                return index + 1;
            }
        }
    }
    0
}

/// Where the first line begins that is whole; nothing if no line is.
fn first_line_start(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n').map(|index| index + 1).filter(|start| *start < bytes.len())
}

fn shown(byte: u8) -> char {
    match byte {
        b'\t' | b'\n' | b'\r' | 0x20..=0x7f => char::from(byte),
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write;

    use bytes::Bytes;

    use super::*;
    use crate::emulator::fleet::{Logs, RecordedFile};

    /// 1970-01-01T17:00:00Z, for markers that begin with 17.
    const HOUR_17: i64 = 17 * 3_600_000;

    fn portion_of(name: &str, bytes: &[u8], query: &str) -> Result<Portion, Fault> {
        let file = RecordedFile { bytes: Bytes::copy_from_slice(bytes), last_written_ms: HOUR_17 };
        let logs = Logs::Memory(BTreeMap::from([(name.to_owned(), file)]));
        let query = PortionQuery::read(&Params::read(query, b""))?;
        read_portion(logs.open(name).unwrap().unwrap(), name, query, &[])
    }

    fn portion(bytes: &[u8], query: &str) -> Portion {
        portion_of("error/log", bytes, query).unwrap()
    }

    fn numbered(lines: usize) -> Vec<u8> {
        (0..lines).flat_map(|n| format!("line {n}\n").into_bytes()).collect()
    }

    #[test]
    fn marker_zero_begins_at_the_beginning_and_markers_go_on() {
        let bytes = numbered(25);
        let mut text = String::new();
        let mut marker = "0".to_owned();
        loop {
            let next = portion(&bytes, &format!("Marker={marker}&NumberOfLines=10"));
            assert!(next.marker.starts_with("17:"));
            text.push_str(&next.text);
            marker = next.marker;
            if !next.pending {
                break;
            }
        }
        assert_eq!(text.as_bytes(), bytes);
        assert_eq!(marker, format!("17:{}", bytes.len()));
    }

    #[test]
    fn without_a_marker_the_end_comes_and_nothing_is_pending() {
        let bytes = numbered(25);
        let tail = portion(&bytes, "NumberOfLines=2");
        assert_eq!(tail.text, "line 23\nline 24\n");
        assert!(!tail.pending);
        assert_eq!(tail.marker, format!("17:{}", bytes.len()));
        assert_eq!(portion(&bytes, "").text.as_bytes(), bytes);
        assert_eq!(portion(b"a\nb\nc", "NumberOfLines=2").text, "b\nc");
        assert_eq!(portion(b"", "").text, "");
    }

    #[test]
    fn a_response_has_ten_thousand_lines_at_most() {
        let bytes = numbered(10_001);
        let first = portion(&bytes, "Marker=0");
        assert_eq!(first.text.lines().count(), 10_000);
        assert!(first.pending);
        assert_eq!(portion(&bytes, &format!("Marker={}", first.marker)).text, "line 10000\n");
        let tail = portion(&bytes, "");
        assert_eq!(tail.text.lines().next(), Some("line 1"));
        assert_eq!(tail.text.lines().count(), 10_000);
        for lines in ["10001", "0", "-5"] {
            let fault = portion_of("a", &bytes, &format!("NumberOfLines={lines}")).unwrap_err();
            assert_eq!(fault.code, "InvalidParameterValue");
        }
    }

    #[test]
    fn a_block_over_one_mebibyte_is_cut_in_a_record_and_its_rest_skipped() {
        // 3000 lines of 500 bytes: the block of 10,000 lines has 1,500,000 bytes.
        let line = |n: usize| format!("{n:05} {}\n", "x".repeat(493));
        let bytes: Vec<u8> = (0..3000).flat_map(|n| line(n).into_bytes()).collect();
        let first = portion(&bytes, "Marker=0");
        let kept = first.text.strip_suffix("\n [Your log message was truncated]\n").unwrap();
        assert_eq!(kept.len(), 1_048_576);
        assert_eq!(kept.as_bytes(), &bytes[..1_048_576]);
        assert_ne!(kept.len() % 500, 0, "the cut is inside a record");
        assert_eq!(first.marker, format!("17:{}", bytes.len()));
        assert!(!first.pending);

        // With fewer lines nothing is lost.
        let first = portion(&bytes, "Marker=0&NumberOfLines=1500");
        assert_eq!(first.text.as_bytes(), &bytes[..750_000]);
        assert!(first.pending);
    }

    #[test]
    fn a_cut_block_in_the_middle_leaves_the_next_line_whole() {
        let mut bytes = vec![b'a'; 1_100_000];
        bytes.extend_from_slice(b"\nsecond\nthird\n");
        let first = portion(&bytes, "Marker=0&NumberOfLines=1");
        assert!(first.text.ends_with("a\n [Your log message was truncated]\n"));
        assert_eq!(first.marker, "17:1100001");
        assert!(first.pending);
        assert_eq!(portion(&bytes, &format!("Marker={}&NumberOfLines=1", first.marker)).text, "second\n");
    }

    #[test]
    fn exactly_one_mebibyte_is_not_cut() {
        let mut bytes = vec![b'a'; 1_048_575];
        bytes.push(b'\n');
        assert_eq!(portion(&bytes, "Marker=0").text.as_bytes(), bytes);
        assert_eq!(portion(&bytes, "").text.as_bytes(), bytes);
    }

    #[test]
    fn the_end_has_whole_lines_unless_one_is_too_long() {
        let line = |n: usize| format!("{n:05} {}\n", "x".repeat(493));
        let bytes: Vec<u8> = (0..3000).flat_map(|n| line(n).into_bytes()).collect();
        let tail = portion(&bytes, "");
        assert_eq!(tail.text.len(), 1_048_500);
        assert!(tail.text.starts_with("00903 ") && tail.text.ends_with("x\n"));

        let tail = portion(&vec![b'a'; 2_000_000], "");
        assert_eq!(tail.text.len(), 1_048_576 + TRUNCATION_NOTICE.len());
        assert!(tail.text.ends_with(TRUNCATION_NOTICE));
    }

    #[test]
    fn bytes_that_are_not_ascii_read_as_question_marks() {
        let text = portion("Müller €\n".as_bytes(), "Marker=0").text;
        assert_eq!(text, "M??ller ???\n");
        assert_eq!(portion(b"a\x1b[31m\x07\t\r\n", "Marker=0").text, "a?[31m?\t\r\n");
    }

    #[test]
    fn binary_files_are_refused() {
        for bytes in [&b"abc\0def\n"[..], b"\x1f\x8bdamaged"] {
            let fault = portion_of("error/x.gz", bytes, "Marker=0").unwrap_err();
            assert_eq!(fault.code, "InvalidParameterValue");
            assert!(fault.message.starts_with("This file contains binary data"));
        }
        let mut late = vec![b'a'; 20_000];
        late.push(0);
        assert!(portion_of("error/x", &late, "Marker=0").is_err());
    }

    #[test]
    fn compressed_logs_come_decompressed() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"one\ntwo\n").unwrap();
        let bytes = encoder.finish().unwrap();
        let portion = portion_of("error/postgresql.log.gz", &bytes, "Marker=0&NumberOfLines=1").unwrap();
        assert_eq!(portion, Portion { text: "one\n".to_owned(), marker: "17:4".to_owned(), pending: true });
    }

    #[test]
    fn a_growing_file_is_read_on_from_its_marker() {
        let first = portion(b"one\ntw", "Marker=0");
        assert_eq!((first.text.as_str(), first.marker.as_str(), first.pending), ("one\ntw", "17:6", false));
        let second = portion(b"one\ntwo\nthree\n", "Marker=17:6");
        assert_eq!(second.text, "o\nthree\n");
        // A file that became shorter has nothing behind the marker.
        let third = portion(b"one\n", "Marker=17:14");
        assert_eq!((third.text.as_str(), third.marker.as_str(), third.pending), ("", "17:14", false));
    }

    #[test]
    fn markers_that_it_never_gave_are_refused() {
        for marker in ["1", "x", "17", "17:", ":5", "123:5", "17:-5", "17:99999999999999999999"] {
            assert!(portion_of("a", b"x", &format!("Marker={marker}")).is_err(), "{marker}");
        }
    }
}
