//! Standard output is data, standard error is talk, and text that came out of a log is hostile.

pub mod escape;
pub mod rows;
pub mod table;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Writes a line of data. A reader that has gone away (`| head`) is no failure: there is nothing left to say to it.
pub fn data(line: &str) -> Result<(), Failure> {
    write_out(format!("{line}\n").as_bytes())
}

/// Writes bytes of data as they are.
pub fn write_out(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        outcome => Ok(outcome?),
    }
}

/// Writes a value as one line of JSON.
pub fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    data(&escape::json(&serde_json::to_string(value)?))
}

/// Says something to the person at the terminal. Must be free of text from logs, or escaped.
pub fn talk(text: &str) {
    // If standard error is gone, there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether a stream may have colours: somebody looks at it, and did not ask for none.
pub fn may_colour(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
}

/// `1234567` as `1.2 MB`; powers of ten, as disks are sold.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut tenths = count / 100;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// `1234567` as `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 segment`, `2 segments`.
pub fn plural(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1000), "1.0 kB");
        assert_eq!(bytes(1_234_567), "1.2 MB");
        assert_eq!(bytes(999_999), "999.9 kB");
        assert_eq!(bytes(u64::MAX), "18446.7 PB");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
        assert_eq!(plural(1, "trail"), "1 trail");
    }
}
