//! What somebody would do who wants a trace to vanish: take a record out of a log, and delete a piece of another.

use std::fs;
use std::path::{Path, PathBuf};

use super::directory::DemoDirectory;
use crate::failure::Failure;

/// Copies the demo's archive and falsifies the copy. An earlier copy is replaced: the one thing that is ever removed, and
/// only from a directory that the demo made.
pub fn copy(directory: &DemoDirectory) -> Result<(), Failure> {
    let (archive, to) = (directory.archive(), directory.tampered());
    if to.exists() {
        fs::remove_dir_all(&to)?;
    }
    for part in ["raw", "trails"] {
        copy_directory(&archive.join(part), &to.join(part))?;
    }
    fs::copy(archive.join("archive.json"), to.join("archive.json"))?;
    let mut segments = Vec::new();
    find_files(&to.join("raw"), &mut segments)?;
    segments.sort();
    if let (Some(first), Some(last)) = (segments.first(), segments.last()) {
        take_a_record_out(first)?;
        fs::remove_file(last)?;
    }
    Ok(())
}

/// Removes one line from the middle of a segment and compresses it as it was.
fn take_a_record_out(segment: &Path) -> Result<(), Failure> {
    let raw = zstd::decode_all(fs::File::open(segment)?)?;
    let mut lines: Vec<&[u8]> = raw.split_inclusive(|byte| *byte == b'\n').collect();
    lines.remove(lines.len() / 2);
    fs::write(segment, zstd::encode_all(lines.concat().as_slice(), 1)?)?;
    Ok(())
}

fn copy_directory(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn find_files(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            find_files(&entry.path(), found)?;
        } else {
            found.push(entry.path());
        }
    }
    Ok(())
}
