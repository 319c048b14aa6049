//! Log files that lie on a disk: plain, gzip or zstd, in directories, or on standard input.
//!
//! What is archived are the bytes of the log, not those of its compression. A compressed file is read through once before
//! the first of its bytes is passed on, so that a truncated one is refused before anything was written.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;

use super::{LogBytes, LogFile, LogFiles, SourceError, SourceErrorKind};

const CHUNK_BYTES: usize = 256 << 10;
/// Nested directories below the one that was named.
const MAX_DEPTH: usize = 32;

/// Files that somebody chose to import.
#[derive(Debug, Default)]
pub struct DiskLogs {
    files: Vec<DiskFile>,
}

#[derive(Clone, Debug)]
struct DiskFile {
    /// The log's name in the archive: relative to the directory that was named, without `.gz` or `.zst`.
    name: String,
    path: PathBuf,
    size: u64,
    modified_ms: i64,
    /// Named itself, not found in a directory.
    chosen: bool,
}

impl DiskLogs {
    /// The named files, and all files in the named directories but hidden ones.
    pub fn find(paths: &[PathBuf]) -> Result<Self, SourceError> {
        let mut logs = Self::default();
        for path in paths {
            let metadata = fs::metadata(path).map_err(|cause| io_error("looking at", path, cause))?;
            if metadata.is_dir() {
                logs.add_directory(path, path, 0)?;
            } else {
                let name = path.file_name().map_or(path.as_path(), Path::new);
                logs.add(name, path, &metadata, true);
            }
        }
        logs.files.sort_by(|a, b| a.name.cmp(&b.name));
        match logs.files.windows(2).find(|pair| pair[0].name == pair[1].name) {
            None => Ok(logs),
            Some(pair) => Err(same_name(&pair[0], &pair[1])),
        }
    }

    /// What was copied from standard input to `path`, as a log called `name`.
    pub fn spooled(name: &str, path: &Path) -> Result<Self, SourceError> {
        let metadata = fs::metadata(path).map_err(|cause| io_error("looking at", path, cause))?;
        let mut logs = Self::default();
        logs.add(Path::new(name), path, &metadata, true);
        // Standard input has ended, and the copy is as old as anything.
        logs.files.iter_mut().for_each(|file| file.modified_ms = 0);
        Ok(logs)
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether the log was named itself; one that was only found in a directory need not be an audit log.
    pub fn is_chosen(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.name == name && file.chosen)
    }

    fn add_directory(&mut self, root: &Path, directory: &Path, depth: usize) -> Result<(), SourceError> {
        let failed = |cause| io_error("listing", directory, cause);
        if depth > MAX_DEPTH {
            return Err(failed(io::Error::other(format!("more than {MAX_DEPTH} directories deep"))));
        }
        for entry in fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            // Not through symbolic links: they may lead out of the directory, or in a circle.
            let kind = entry.file_type().map_err(failed)?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if kind.is_dir() {
                self.add_directory(root, &path, depth + 1)?;
            } else if kind.is_file() {
                let metadata = entry.metadata().map_err(|cause| io_error("looking at", &path, cause))?;
                let name = path.strip_prefix(root).unwrap_or(&path).to_owned();
                self.add(&name, &path, &metadata, false);
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &Path, path: &Path, metadata: &fs::Metadata, chosen: bool) {
        let name = name.to_string_lossy().replace('\\', "/");
        let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name).to_owned();
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified_ms = modified.map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        self.files.push(DiskFile { name, path: path.to_owned(), size: metadata.len(), modified_ms, chosen });
    }
}

#[async_trait]
impl LogFiles for DiskLogs {
    async fn list(&self) -> Result<Vec<LogFile>, SourceError> {
        let listed = self.files.iter().map(|file| LogFile {
            name: file.name.clone(),
            size: file.size,
            last_written_ms: file.modified_ms,
        });
        Ok(listed.collect())
    }

    async fn open(&self, name: &str) -> Result<LogBytes, SourceError> {
        let Some(file) = self.files.iter().find(|file| file.name == name).cloned() else {
            let cause = "it was not among the files to import".into();
            let kind = SourceErrorKind::NotFound;
            return Err(SourceError { kind, operation: "opening", object: name.to_owned(), cause });
        };
        let path = file.path.clone();
        let opened = tokio::task::spawn_blocking(move || open_checked(&file.path)).await;
        let reader = opened
            .map_err(io::Error::other)
            .and_then(|opened| opened)
            .map_err(|cause| io_error("reading", &path, cause))?;
        Ok(stream_of(reader, path))
    }
}

type Reader = Box<dyn Read + Send>;

/// A reader of the log's own bytes; of a compressed file only after it was found whole.
fn open_checked(path: &Path) -> io::Result<Reader> {
    let mut file = File::open(path)?;
    let mut magic = [0; 4];
    let length = read_up_to(&mut file, &mut magic)?;
    file.rewind()?;
    let gzip = length >= 2 && magic[..2] == [0x1f, 0x8b];
    let zstd = length == 4 && magic == [0x28, 0xb5, 0x2f, 0xfd];
    if !gzip && !zstd {
        return Ok(Box::new(file));
    }
    let decoder = |file: File| -> io::Result<Reader> {
        if gzip {
            Ok(Box::new(MultiGzDecoder::new(BufReader::new(file))))
        } else {
            Ok(Box::new(zstd::stream::read::Decoder::new(file)?))
        }
    };
    io::copy(&mut decoder(file)?, &mut io::sink()).map_err(|cause| {
        io::Error::new(cause.kind(), format!("it does not decompress to its end: {cause}"))
    })?;
    decoder(File::open(path)?)
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// Reads on a thread of its own, a few chunks ahead.
fn stream_of(mut reader: Reader, path: PathBuf) -> LogBytes {
    let (sender, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let item = match read_up_to(&mut reader, &mut buffer) {
                Ok(0) => break,
                Ok(read) => Ok(Bytes::copy_from_slice(&buffer[..read])),
                Err(cause) => Err(io_error("reading", &path, cause)),
            };
            let failed = item.is_err();
            // Nobody listens any more: whoever read has seen enough.
            if sender.blocking_send(item).is_err() || failed {
                break;
            }
        }
    });
    stream::unfold(receiver, async |mut receiver| receiver.recv().await.map(|item| (item, receiver))).boxed()
}

/// Files are told apart by their names in the archive; of two with one name, one would never be read.
fn same_name(first: &DiskFile, second: &DiskFile) -> SourceError {
    let cause = format!(
        "{} and {} would be the same log; import them one after the other",
        first.path.display(),
        second.path.display()
    );
    let (kind, operation) = (SourceErrorKind::Invalid, "choosing");
    SourceError { kind, operation, object: format!("`{}`", first.name), cause: cause.into() }
}

fn io_error(operation: &'static str, path: &Path, cause: io::Error) -> SourceError {
    let kind = match cause.kind() {
        io::ErrorKind::NotFound => SourceErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => SourceErrorKind::Denied,
        _ => SourceErrorKind::Invalid,
    };
    SourceError { kind, operation, object: path.display().to_string(), cause: Box::new(cause) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use futures::TryStreamExt;

    use super::*;

    async fn content(logs: &DiskLogs, name: &str) -> Result<Vec<u8>, SourceError> {
        let chunks: Vec<Bytes> = logs.open(name).await?.try_collect().await?;
        Ok(chunks.concat())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[tokio::test]
    async fn compression_is_undone_and_names_are_relative() {
        let directory = tempfile::tempdir().unwrap();
        let bytes = b"20261121 03:58:17,h,u,l,1,1,QUERY,d,'x',0\n".repeat(20_000);
        fs::create_dir_all(directory.path().join("audit")).unwrap();
        fs::write(directory.path().join("audit/a.log"), &bytes).unwrap();
        // Two members, as concatenated deliveries have.
        fs::write(directory.path().join("b.log.gz"), [gzip(&bytes[..100]), gzip(&bytes[100..])].concat())
            .unwrap();
        fs::write(directory.path().join("c.log.zst"), zstd::encode_all(&bytes[..], 1).unwrap()).unwrap();
        fs::write(directory.path().join(".hidden"), "x").unwrap();
        let logs = DiskLogs::find(&[directory.path().to_owned()]).unwrap();
        let names: Vec<_> = logs.list().await.unwrap().into_iter().map(|log| log.name).collect();
        assert_eq!(names, ["audit/a.log", "b.log", "c.log"]);
        for name in names {
            assert_eq!(content(&logs, &name).await.unwrap(), bytes, "{name}");
        }
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a/x.log", "b/x.log", "b/x.log.gz"] {
            fs::create_dir_all(directory.path().join(name).parent().unwrap()).unwrap();
            fs::write(directory.path().join(name), "x").unwrap();
        }
        let found = |names: &[&str]| {
            DiskLogs::find(&names.iter().map(|name| directory.path().join(name)).collect::<Vec<_>>())
        };
        assert!(found(&["a/x.log"]).is_ok());
        assert!(found(&["a/x.log", "b/x.log"]).is_err());
        assert!(found(&["a", "b/x.log.gz"]).is_err());
        assert!(found(&["b"]).is_err());
        assert!(found(&["a/x.log", "a/x.log"]).is_err());
    }

    #[tokio::test]
    async fn a_truncated_file_is_refused_before_its_first_byte() {
        let directory = tempfile::tempdir().unwrap();
        let bytes = b"line\n".repeat(1_000_000);
        let path = directory.path().join("a.log");
        for whole in [gzip(&bytes), zstd::encode_all(&bytes[..], 1).unwrap()] {
            fs::write(&path, &whole[..whole.len() - 9]).unwrap();
            let logs = DiskLogs::find(std::slice::from_ref(&path)).unwrap();
            assert!(logs.open("a.log").await.is_err());
        }
    }
}
