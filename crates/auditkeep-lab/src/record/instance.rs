//! One recorded instance: its log files, its description and its truth, and where they are written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde::Serialize;

use super::RecordError;
use crate::workload::Truth;

/// A log file as the RDS API would name it.
#[derive(Clone, Debug)]
pub(super) struct LogFile {
    /// With its directory: `audit/server_audit.log`.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    /// Milliseconds since 1970, UTC.
    pub(super) last_written: i64,
}

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) name: &'static str,
    pub(super) resource_id: &'static str,
    pub(super) engine: &'static str,
    pub(super) engine_version: String,
    /// The server that really ran.
    pub(super) server_version: String,
    pub(super) cluster: Option<&'static str>,
    pub(super) files: Vec<LogFile>,
    pub(super) truth: Truth,
}

/// The content of `instance.json`, which the emulator reads.
#[derive(Serialize)]
struct Description<'a> {
    name: &'a str,
    resource_id: &'a str,
    engine: &'a str,
    engine_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    last_written: BTreeMap<&'a str, i64>,
}

impl Instance {
    pub(super) fn write(&self, out: &Path) -> Result<(), RecordError> {
        let directory = out.join("recorded").join(self.name);
        if directory.exists() {
            fs::remove_dir_all(&directory)
                .map_err(|source| RecordError::file("remove", &directory, source))?;
        }
        for file in &self.files {
            write(&directory.join(&file.name), &file.bytes)?;
        }
        let description = Description {
            name: self.name,
            resource_id: self.resource_id,
            engine: self.engine,
            engine_version: &self.engine_version,
            cluster: self.cluster,
            last_written: self.files.iter().map(|file| (file.name.as_str(), file.last_written)).collect(),
        };
        write_json(&directory.join("instance.json"), &description)?;
        write_json(&out.join("truth").join(format!("{}.json", self.name)), &self.truth)
    }
}

/// All files of a log directory, sorted by name.
pub(super) fn read_logs(directory: &Path, prefix: &str) -> Result<Vec<LogFile>, RecordError> {
    let failed = |source| RecordError::file("read the logs in", directory, source);
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let modified = entry.metadata().and_then(|metadata| metadata.modified()).map_err(failed)?;
        files.push(LogFile {
            name: format!("{prefix}/{}", entry.file_name().to_string_lossy()),
            bytes: fs::read(entry.path()).map_err(failed)?,
            last_written: milliseconds(modified),
        });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), RecordError> {
    let json = serde_json::to_vec_pretty(value);
    let mut json = json.map_err(|source| RecordError::Json { path: path.to_owned(), source })?;
    json.push(b'\n');
    write(path, &json)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)
            .map_err(|source| RecordError::file("make directory", directory, source))?;
    }
    fs::write(path, bytes).map_err(|source| RecordError::file("write", path, source))
}
