//! What an emulator serves: instances, and where their log files come from.
//!
//! A fleet is data. Reading it from a directory looks at the directory once for the instances; their log files are
//! listed and opened anew at every call.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;

use crate::simulate::Database;

/// The file that makes a directory an instance.
pub(crate) const DESCRIPTION_FILE: &str = "instance.json";

/// Milliseconds since 1970, UTC, for recorded files whose time nobody wrote down: 2026-11-02T09:00:00Z.
pub(crate) const DEFAULT_LAST_WRITTEN_MS: i64 = 1_793_610_000_000;

/// The instances of one account and region.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    /// The instances; names and resource ids must be unique.
    pub instances: Vec<LabInstance>,
}

/// One DB instance.
#[derive(Debug, Clone)]
pub struct LabInstance {
    /// `DBInstanceIdentifier`: reusable, compared without regard to case.
    pub name: String,
    /// `DbiResourceId`, as in `db-ABCDEFGHIJKLMNOPQRSTUVWXYZ`: never reused.
    pub resource_id: String,
    /// The engine as RDS names it: `postgres`, `mariadb`, `aurora-mysql`, …
    pub engine: String,
    /// The engine's version as RDS names it.
    pub engine_version: String,
    /// `DBClusterIdentifier` of an Aurora instance.
    pub cluster: Option<String>,
    /// The instance's log files.
    pub logs: Logs,
}

/// Where the log files of an instance are.
#[derive(Debug, Clone)]
pub enum Logs {
    /// In memory, by their full names (`error/postgresql.log.2026-11-02-09`).
    Memory(BTreeMap<String, RecordedFile>),
    /// In directories that others write to.
    Mounts(Vec<Mount>),
    /// Those of a simulated database.
    Simulated(Arc<Database>),
}

/// A log file in memory.
#[derive(Debug, Clone)]
pub struct RecordedFile {
    /// The raw content.
    pub bytes: Bytes,
    /// Milliseconds since 1970, UTC; cut to whole seconds when it is listed.
    pub last_written_ms: i64,
}

/// A directory whose regular files are log files named `prefix/path below the directory`.
#[derive(Debug, Clone)]
pub struct Mount {
    /// The directory part of the names, as `error` or `audit`; empty for none.
    pub prefix: String,
    /// The directory. It may appear later: until then it has no files.
    pub directory: PathBuf,
}

/// Why a fleet could not be read or served.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// A file or directory could not be read.
    #[error("could not read {path}")]
    Read {
        /// What was read.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// An `instance.json` is not what it should be.
    #[error("{path} does not describe an instance")]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A name that RDS would not accept.
    #[error("`{name}` is no instance name: up to 63 letters, digits and hyphens, a letter first")]
    Name {
        /// The name.
        name: String,
    },
    /// Two instances that should differ.
    #[error("two instances have the same {what}, `{value}`")]
    Duplicate {
        /// `name` or `resource id`.
        what: &'static str,
        /// What they share.
        value: String,
    },
}

impl Fleet {
    /// Reads a fleet from a directory: each subdirectory with an `instance.json` is an instance, and the other files
    /// below it are its logs (`error/…`, `audit/…`), served live with their modification times.
    ///
    /// `instance.json` has `name`, `resource_id`, `engine`, `engine_version` and perhaps `cluster`; its `last_written`
    /// matters only for files in memory.
    pub fn from_directory(root: &Path) -> Result<Self, FleetError> {
        let read = |path: &Path, source| FleetError::Read { path: path.to_owned(), source };
        let mut instances = Vec::new();
        for entry in std::fs::read_dir(root).map_err(|source| read(root, source))? {
            let directory = entry.map_err(|source| read(root, source))?.path();
            let path = directory.join(DESCRIPTION_FILE);
            if !path.is_file() {
                continue;
            }
            let json = std::fs::read(&path).map_err(|source| read(&path, source))?;
            let description = Description::parse(&json, &path)?;
            let mount = Mount { prefix: String::new(), directory };
            instances.push(description.into_instance(Logs::Mounts(vec![mount])));
        }
        instances.sort_by(|a, b| a.name.cmp(&b.name));
        let fleet = Self { instances };
        fleet.check()?;
        Ok(fleet)
    }

    /// Fails unless RDS could have such a fleet: proper names, nothing twice.
    pub(crate) fn check(&self) -> Result<(), FleetError> {
        let mut names = BTreeSet::new();
        let mut resource_ids = BTreeSet::new();
        for instance in &self.instances {
            if !is_instance_name(&instance.name) {
                return Err(FleetError::Name { name: instance.name.clone() });
            }
            if !names.insert(instance.name.to_ascii_lowercase()) {
                return Err(FleetError::Duplicate { what: "name", value: instance.name.clone() });
            }
            if !resource_ids.insert(&instance.resource_id) {
                return Err(FleetError::Duplicate {
                    what: "resource id",
                    value: instance.resource_id.clone(),
                });
            }
        }
        Ok(())
    }
}

/// The rule of `CreateDBInstance` in the Amazon RDS API Reference, less its ban on double and final hyphens.
pub(crate) fn is_instance_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// The content of an `instance.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Description {
    name: String,
    resource_id: String,
    engine: String,
    engine_version: String,
    #[serde(default)]
    cluster: Option<String>,
    #[serde(default)]
    last_written: BTreeMap<String, i64>,
}

impl Description {
    pub(crate) fn parse(json: &[u8], path: &Path) -> Result<Self, FleetError> {
        serde_json::from_slice(json)
            .map_err(|source| FleetError::Description { path: path.to_owned(), source })
    }

    /// When a recorded file was last written: as noted, otherwise a fixed time, so that answers never differ.
    pub(crate) fn last_written_ms(&self, file: &str) -> i64 {
        self.last_written.get(file).copied().unwrap_or(DEFAULT_LAST_WRITTEN_MS)
    }

    pub(crate) fn into_instance(self, logs: Logs) -> LabInstance {
        LabInstance {
            name: self.name,
            resource_id: self.resource_id,
            engine: self.engine,
            engine_version: self.engine_version,
            cluster: self.cluster,
            logs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(name: &str, resource_id: &str) -> LabInstance {
        LabInstance {
            name: name.to_owned(),
            resource_id: resource_id.to_owned(),
            engine: "postgres".to_owned(),
            engine_version: "15.8".to_owned(),
            cluster: None,
            logs: Logs::Memory(BTreeMap::new()),
        }
    }

    #[test]
    fn a_fleet_has_nothing_twice() {
        let twice = Fleet { instances: vec![instance("a", "db-1"), instance("A", "db-2")] };
        assert!(matches!(twice.check(), Err(FleetError::Duplicate { what: "name", .. })));
        let twice = Fleet { instances: vec![instance("a", "db-1"), instance("b", "db-1")] };
        assert!(matches!(twice.check(), Err(FleetError::Duplicate { what: "resource id", .. })));
        let odd = Fleet { instances: vec![instance("../a", "db-1")] };
        assert!(matches!(odd.check(), Err(FleetError::Name { .. })));
    }

    #[test]
    fn directories_with_a_description_are_instances() {
        let root = tempfile::tempdir().unwrap();
        for name in ["orders", "no-instance"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        let json = r#"{"name":"orders","resource_id":"db-O","engine":"mariadb","engine_version":"10.11.8"}"#;
        std::fs::write(root.path().join("orders/instance.json"), json).unwrap();
        let fleet = Fleet::from_directory(root.path()).unwrap();
        assert_eq!(fleet.instances.len(), 1);
        assert_eq!(fleet.instances[0].engine, "mariadb");

        std::fs::write(root.path().join("no-instance/instance.json"), r#"{"nmae":"x"}"#).unwrap();
        assert!(matches!(Fleet::from_directory(root.path()), Err(FleetError::Description { .. })));
    }
}
