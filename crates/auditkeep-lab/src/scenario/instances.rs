//! `[[instances]]`: one or many of a kind, and how their logs differ from what is usual for the engine.

use std::time::Duration;

use serde::Deserialize;

use crate::scenario::ScenarioError;
use crate::simulate::{InstanceOptions, Layout, NamePattern};
use crate::span;

/// One entry.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    name: String,
    /// Nothing for one instance that has the name itself.
    #[serde(default)]
    count: Option<u32>,
    engine: String,
    #[serde(default)]
    engine_version: Option<String>,
    #[serde(default)]
    cluster: Option<String>,
    #[serde(default, deserialize_with = "span::optional")]
    record_every: Option<Duration>,
    #[serde(default, deserialize_with = "span::optional")]
    age: Option<Duration>,
    /// When they are made, after the beginning; nothing for before it.
    #[serde(default, deserialize_with = "span::optional")]
    created: Option<Duration>,
    #[serde(default)]
    rotate_bytes: Option<u64>,
    #[serde(default)]
    rotations: Option<u32>,
    #[serde(default, deserialize_with = "span::optional")]
    rotate_every: Option<Duration>,
    #[serde(default, deserialize_with = "span::optional")]
    keep: Option<Duration>,
    #[serde(default)]
    csv: Option<bool>,
    #[serde(default)]
    pattern: Option<Pattern>,
    #[serde(default)]
    storage_bytes: Option<u64>,
}

/// The time in PostgreSQL's names, as the letters of the parameter.
#[derive(Debug, Clone, Copy, Deserialize)]
enum Pattern {
    #[serde(rename = "YYYY-MM-DD-HH")]
    Hour,
    #[serde(rename = "YYYY-MM-DD-HHMM")]
    Minute,
}

impl Group {
    pub(super) fn created(&self) -> Option<Duration> {
        self.created
    }

    pub(super) fn instances(&self) -> Result<Vec<InstanceOptions>, ScenarioError> {
        let layout = self.layout()?;
        let version = self.engine_version.clone().unwrap_or_else(|| usual_version(&self.engine).to_owned());
        let instance = |name: String| InstanceOptions {
            name,
            engine: self.engine.clone(),
            engine_version: version.clone(),
            cluster: self.cluster.clone(),
            layout: layout.clone(),
            record_every: self.record_every,
            age: self.age.unwrap_or_default(),
        };
        let Some(count) = self.count else { return Ok(vec![instance(self.name.clone())]) };
        let digits = count.to_string().len();
        Ok((1..=count).map(|n| instance(format!("{}-{n:0digits$}", self.name))).collect())
    }

    fn layout(&self) -> Result<Layout, ScenarioError> {
        let mut layout = Layout::usual(&self.engine).ok_or_else(|| ScenarioError::Engine {
            instance: self.name.clone(),
            engine: self.engine.clone(),
        })?;
        match &mut layout {
            Layout::ServerAudit(logs) => {
                self.refuse(&[self.for_time(), self.for_postgres()])?;
                logs.rotate_bytes = self.rotate_bytes.unwrap_or(logs.rotate_bytes);
                logs.rotations = self.rotations.unwrap_or(logs.rotations);
            }
            Layout::AuroraAudit(logs) => {
                self.refuse(&[self.for_renaming(), self.for_postgres()])?;
                logs.rotate_bytes = self.rotate_bytes.unwrap_or(logs.rotate_bytes);
                logs.keep = self.keep.unwrap_or(logs.keep);
            }
            Layout::Postgres(logs) => {
                self.refuse(&[self.for_renaming()])?;
                logs.rotate_bytes = self.rotate_bytes.or(logs.rotate_bytes);
                logs.rotate_every = self.rotate_every.unwrap_or(logs.rotate_every);
                logs.keep = self.keep.unwrap_or(logs.keep);
                logs.csv = self.csv.unwrap_or(logs.csv);
                logs.storage_bytes = self.storage_bytes.or(logs.storage_bytes);
                logs.pattern = match self.pattern {
                    Some(Pattern::Hour) => NamePattern::Hour,
                    Some(Pattern::Minute) => NamePattern::Minute,
                    None => logs.pattern,
                };
            }
        }
        Ok(layout)
    }

    fn for_renaming(&self) -> Option<&'static str> {
        self.rotations.map(|_| "rotations")
    }

    fn for_time(&self) -> Option<&'static str> {
        self.keep.map(|_| "keep")
    }

    fn for_postgres(&self) -> Option<&'static str> {
        let settings = [
            self.rotate_every.map(|_| "rotate_every"),
            self.csv.map(|_| "csv"),
            self.pattern.map(|_| "pattern"),
            self.storage_bytes.map(|_| "storage_bytes"),
        ];
        settings.into_iter().flatten().next()
    }

    /// Fails when one of the settings is there.
    fn refuse(&self, settings: &[Option<&'static str>]) -> Result<(), ScenarioError> {
        let Some(setting) = settings.iter().copied().flatten().next() else { return Ok(()) };
        let (instance, engine) = (self.name.clone(), self.engine.clone());
        Err(ScenarioError::Setting { instance, setting, engine })
    }
}

/// A version that the engine has on RDS.
fn usual_version(engine: &str) -> &'static str {
    match engine {
        "mysql" => "8.0.39",
        "mariadb" => "10.11.8",
        "aurora-mysql" => "8.0.mysql_aurora.3.08.2",
        _ => "15.8",
    }
}
