//! Listing and opening the log files of an instance.
//!
//! What is listed or opened is a regular file in or below a mount, reached without a symbolic link; a name from a
//! caller can never lead elsewhere. Reading needs memory for one buffer, whatever the file's size.

#[cfg(test)]
mod tests;

use std::fs::{DirEntry, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;

use crate::emulator::counters::Counters;
use crate::emulator::fleet::{DESCRIPTION_FILE, Logs, Mount};
use crate::emulator::reading::SimulatedLog;
use crate::emulator::switches::ReadingFlaw;
use crate::simulate::Status;

/// How deep below a mount files are found. RDS itself has one level.
const MAX_DEPTH: usize = 4;
/// More files than this in one instance are an error of the lab's user.
const MAX_FILES: usize = 100_000;
/// How much of a file's beginning decides whether it is text.
const SNIFFED_BYTES: usize = 8192;

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFile {
    pub(crate) name: String,
    /// Whole seconds, in milliseconds since 1970, UTC.
    pub(crate) last_written_ms: i64,
    pub(crate) size: u64,
}

/// A log file as of the moment it was opened: bytes that are appended later are not part of it, and reading fails when it
/// has become shorter. A simulated log may be told to change meanwhile.
#[derive(Debug)]
pub(crate) struct OpenLog {
    content: Content,
    position: u64,
    size: u64,
    last_written_ms: i64,
}

#[derive(Debug)]
enum Content {
    Memory(Bytes),
    File(File),
    Simulated(SimulatedLog),
}

impl Logs {
    /// All files, in no order worth relying on.
    pub(crate) fn list(&self) -> io::Result<Vec<LogFile>> {
        match self {
            Self::Memory(files) => Ok(files
                .iter()
                .map(|(name, file)| LogFile {
                    name: name.clone(),
                    last_written_ms: whole_seconds(file.last_written_ms),
                    size: file.bytes.len() as u64,
                })
                .collect()),
            Self::Mounts(mounts) => {
                let mut found = Vec::new();
                for mount in mounts {
                    list_directory(mount, &mount.directory, &mount.prefix, 1, &mut found)?;
                }
                Ok(found)
            }
            Self::Simulated(database) => Ok(database.files()),
        }
    }

    /// Opens a file by its full name; nothing if there is no such log file.
    pub(crate) fn open(&self, name: &str) -> io::Result<Option<OpenLog>> {
        match self {
            Self::Memory(files) => Ok(files.get(name).map(|file| OpenLog {
                content: Content::Memory(file.bytes.clone()),
                position: 0,
                size: file.bytes.len() as u64,
                last_written_ms: whole_seconds(file.last_written_ms),
            })),
            Self::Mounts(mounts) => {
                for mount in mounts {
                    if let Some(log) = open_in(mount, name)? {
                        return Ok(Some(log));
                    }
                }
                Ok(None)
            }
            Self::Simulated(database) => Ok(database.open(name).map(|opened| OpenLog {
                position: 0,
                size: opened.bytes.len() as u64,
                last_written_ms: opened.last_written_ms,
                content: Content::Simulated(SimulatedLog::new(opened)),
            })),
        }
    }

    /// The state of the instance; only a simulated one can be anything but available.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Simulated(database) => database.status(),
            Self::Memory(_) | Self::Mounts(_) => Status::Available,
        }
    }

    /// Rotates the files of a simulated database, and nobody else's.
    pub(crate) fn rotate(&self) {
        if let Self::Simulated(database) = self {
            database.rotate();
        }
    }
}

impl OpenLog {
    /// Lets a simulated log change while it is read from here on.
    pub(crate) fn expect(&mut self, flaws: Vec<ReadingFlaw>, counters: Arc<Counters>) {
        if let Content::Simulated(log) = &mut self.content {
            log.expect(flaws, counters);
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn last_written_ms(&self) -> i64 {
        self.last_written_ms
    }

    /// Moves to a byte offset; the next read begins there.
    pub(crate) fn seek_to(&mut self, offset: u64) {
        self.position = offset;
    }

    /// Whether the beginning of the file has a byte that no text has. Moves to the beginning.
    pub(crate) fn looks_binary(&mut self) -> io::Result<bool> {
        let mut head = Vec::with_capacity(SNIFFED_BYTES);
        self.seek_to(0);
        self.take(SNIFFED_BYTES as u64).read_to_end(&mut head)?;
        self.seek_to(0);
        Ok(head.contains(&0) || is_gzip(&head))
    }

    /// The same log with its gzip layer taken off, held in memory; nothing if it has none, is damaged, or is larger
    /// than `limit` bytes. Moves to the beginning.
    pub(crate) fn unzipped(&mut self, limit: u64) -> io::Result<Option<Self>> {
        let mut magic = Vec::new();
        self.seek_to(0);
        self.take(2).read_to_end(&mut magic)?;
        self.seek_to(0);
        if !is_gzip(&magic) {
            return Ok(None);
        }
        let mut text = Vec::new();
        let complete =
            flate2::read::MultiGzDecoder::new(&mut *self).take(limit + 1).read_to_end(&mut text).is_ok();
        self.seek_to(0);
        let size = text.len() as u64;
        if !complete || size > limit {
            return Ok(None);
        }
        let content = Content::Memory(Bytes::from(text));
        Ok(Some(Self { content, position: 0, size, last_written_ms: self.last_written_ms }))
    }
}

impl Read for OpenLog {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Content::Simulated(log) = &mut self.content {
            self.size = log.content_at(self.position).len() as u64;
        }
        let left = usize::try_from(self.size.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let from = usize::try_from(self.position).map_err(io::Error::other)?;
        let read = match &mut self.content {
            Content::Memory(bytes) => {
                buffer[..wanted].copy_from_slice(&bytes[from..from + wanted]);
                wanted
            }
            Content::Simulated(log) => {
                buffer[..wanted].copy_from_slice(&log.content_at(self.position)[from..from + wanted]);
                wanted
            }
            Content::File(file) => {
                file.seek(SeekFrom::Start(self.position))?;
                match file.read(&mut buffer[..wanted])? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    read => read,
                }
            }
        };
        self.position += read as u64;
        Ok(read)
    }
}

fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b])
}

fn whole_seconds(milliseconds: i64) -> i64 {
    milliseconds - milliseconds.rem_euclid(1000)
}

fn modified_ms(metadata: &Metadata) -> i64 {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    modified.and_then(|since| i64::try_from(since.as_millis()).ok()).map_or(0, whole_seconds)
}

fn list_directory(
    mount: &Mount,
    at: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<LogFile>,
) -> io::Result<()> {
    let entries = match std::fs::read_dir(at) {
        Ok(entries) => entries,
        // The server has not made it yet, or has just removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Some(name) = full_name(prefix, &entry) else { continue };
        // Does not follow symbolic links. A file that has gone since is not listed.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() && depth < MAX_DEPTH {
            list_directory(mount, &entry.path(), &name, depth + 1, found)?;
        } else if metadata.is_file() && !is_description(mount, &name) {
            if found.len() == MAX_FILES {
                return Err(io::Error::other("too many log files"));
            }
            found.push(LogFile { name, last_written_ms: modified_ms(&metadata), size: metadata.len() });
        }
    }
    Ok(())
}

/// Nothing for a name that an XML answer could not carry.
fn full_name(prefix: &str, entry: &DirEntry) -> Option<String> {
    let name = entry.file_name().into_string().ok().filter(|name| !name.contains(char::is_control))?;
    Some(if prefix.is_empty() { name } else { format!("{prefix}/{name}") })
}

fn is_description(mount: &Mount, name: &str) -> bool {
    mount.prefix.is_empty() && name == DESCRIPTION_FILE
}

fn open_in(mount: &Mount, name: &str) -> io::Result<Option<OpenLog>> {
    if is_description(mount, name) {
        return Ok(None);
    }
    let Some(path) = path_in(mount, name) else { return Ok(None) };
    match open_regular(&mount.directory, &path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        opened => opened,
    }
}

/// The path below the mount that a name means; nothing if it is not under the prefix or has a part that is no plain
/// file name.
fn path_in(mount: &Mount, name: &str) -> Option<PathBuf> {
    let below =
        if mount.prefix.is_empty() { name } else { name.strip_prefix(&mount.prefix)?.strip_prefix('/')? };
    let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']);
    let parts: Vec<&str> = below.split('/').collect();
    (parts.len() <= MAX_DEPTH && parts.iter().all(|part| plain(part))).then(|| parts.iter().collect())
}

fn open_regular(directory: &Path, below: &Path) -> io::Result<Option<OpenLog>> {
    let path = directory.join(below);
    let direct = path.canonicalize()? == directory.canonicalize()?.join(below);
    // Asked before opening, because opening a named pipe would wait for a writer.
    if !direct || !std::fs::symlink_metadata(&path)?.is_file() {
        return Ok(None);
    }
    let file = File::open(&path)?;
    let metadata = file.metadata()?;
    Ok(Some(OpenLog {
        content: Content::File(file),
        position: 0,
        size: metadata.len(),
        last_written_ms: modified_ms(&metadata),
    }))
}
