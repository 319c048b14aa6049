//! Small files that somebody named: keys, checkpoints, configurations. Read as a whole, and never without end.
//!
//! What is named may be a pipe, a device or a disk image. What a configuration names must be a file; what somebody names in a command may
//! be a pipe, too, as a shell gives for `<(…)`. Either is refused after as many bytes as a small one may have.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Bytes that such a file may have: a seal of some thirty thousand trails.
pub const MAX_BYTES: u64 = 8 << 20;

/// The bytes of a file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe waits for somebody to write into it.
    if !fs::metadata(path)?.is_file() && !path.is_dir() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
    }
    read_given(path)
}

/// The bytes of a file, or of what comes through a pipe.
pub fn read_given(path: &Path) -> io::Result<Vec<u8>> {
    if path.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "it is a directory"));
    }
    let mut bytes = Vec::new();
    // One byte more is enough to see that there are too many.
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES { Err(too_large()) } else { Ok(bytes) }
}

/// The text of a file.
pub fn read_text(path: &Path) -> io::Result<String> {
    text(read(path)?)
}

/// The text of a file, or of what comes through a pipe.
pub fn read_given_text(path: &Path) -> io::Result<String> {
    text(read_given(path)?)
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is no text"))
}

pub(crate) fn too_large() -> io::Error {
    io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {} MiB", MAX_BYTES >> 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_a_size() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        fs::write(&path, "x").unwrap();
        assert_eq!(read_text(&path).unwrap(), "x");
        File::create(&path).unwrap().set_len(MAX_BYTES).unwrap();
        assert_eq!(read(&path).unwrap().len() as u64, MAX_BYTES);
        File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert_eq!(read(&path).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(read(directory.path()).unwrap_err().kind(), ErrorKind::IsADirectory);
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(read_given(Path::new("/dev/zero")).unwrap_err().kind(), ErrorKind::FileTooLarge);
        fs::write(&path, [0xff]).unwrap();
        assert_eq!(read_text(&path).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
