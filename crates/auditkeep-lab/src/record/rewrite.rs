//! Takes out of recorded logs what would name the machine that they were recorded on. All other bytes stay as they are.

use std::path::Path;

use super::RecordError;

/// Replaces the path of a directory wherever it stands.
pub(super) fn directory(bytes: &[u8], directory: &Path, by: &str) -> Vec<u8> {
    let wanted = directory.to_string_lossy();
    let mut rest = bytes;
    let mut rewritten = Vec::with_capacity(bytes.len());
    while let Some(at) = rest.windows(wanted.len()).position(|window| window == wanted.as_bytes()) {
        let (before, found) = rest.split_at(at);
        rewritten.extend_from_slice(before);
        rewritten.extend_from_slice(by.as_bytes());
        rest = found.get(wanted.len()..).unwrap_or_default();
    }
    rewritten.extend_from_slice(rest);
    rewritten
}

/// Replaces the second field of every server_audit record, the host name.
///
/// The recorded workload has no user or database whose name holds a newline, so every line is a record; a line that does
/// not begin like one is an error.
pub(super) fn host(bytes: &[u8], by: &str) -> Result<Vec<u8>, RecordError> {
    let mut rewritten = Vec::with_capacity(bytes.len());
    for line in records(bytes) {
        let (time, rest) = split(line)?;
        rewritten.extend_from_slice(time);
        rewritten.push(b',');
        rewritten.extend_from_slice(by.as_bytes());
        rewritten.push(b',');
        rewritten.extend_from_slice(rest);
        rewritten.push(b'\n');
    }
    Ok(rewritten)
}

/// The lines of a file, without their ends.
pub(super) fn records(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// A record's time, and what follows its host name.
pub(super) fn split(line: &[u8]) -> Result<(&[u8], &[u8]), RecordError> {
    let mut fields = line.splitn(3, |byte| *byte == b',');
    let (time, host, rest) = (fields.next(), fields.next(), fields.next());
    match (time, host, rest) {
        (Some(time), Some(_), Some(rest)) if is_time(time) => Ok((time, rest)),
        _ => Err(RecordError::Shape { line: String::from_utf8_lossy(line).into_owned() }),
    }
}

/// `20261121 08:15:00`
fn is_time(field: &[u8]) -> bool {
    let shape = b"dddddddd dd:dd:dd";
    field.len() == shape.len()
        && field
            .iter()
            .zip(shape)
            .all(|(byte, shape)| byte == shape || (*shape == b'd' && byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{directory, host};

    #[test]
    fn only_the_second_field_is_replaced() {
        let log = b"20261121 08:15:00,vm,app,127.0.0.1,5,9,QUERY,vm,'SELECT \\'vm\\',\xff',0\n";
        let expected = b"20261121 08:15:00,ip-10-0-1-2,app,127.0.0.1,5,9,QUERY,vm,'SELECT \\'vm\\',\xff',0\n";
        assert_eq!(host(log, "ip-10-0-1-2").unwrap(), expected);
    }

    #[test]
    fn a_line_that_is_no_record_is_refused() {
        assert!(host(b"20261121 08:15:00,vm,a,b\nnonsense\n", "x").is_err());
    }

    #[test]
    fn every_mention_of_the_directory_is_replaced() {
        let log = b"\"/tmp/lab-1/.s.PGSQL.5\" and \"/tmp/lab-1/log\" \xff";
        assert_eq!(directory(log, Path::new("/tmp/lab-1"), "/x"), b"\"/x/.s.PGSQL.5\" and \"/x/log\" \xff");
    }
}
