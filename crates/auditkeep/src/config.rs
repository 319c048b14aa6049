//! The configuration file, `auditkeep.toml`.
//!
//! Everything in it but `[s3]` can be given on the command line instead, which wins. An unknown key is an error with its place, never
//! ignored: a misspelt setting must not silently be the default.

mod s3;

use std::path::{Path, PathBuf};
use std::time::Duration;

use auditkeep_pipeline::small_file;
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer};

pub use self::s3::S3Config;

use crate::failure::Failure;

pub const FILE_NAME: &str = "auditkeep.toml";

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the archive is: a directory, `file://…` or `s3://bucket/prefix`. A relative path starts at the file.
    pub archive: Option<String>,
    /// The signing key: a file, whose relative path starts at this one, or `awskms:` and the name of a key in AWS KMS.
    pub key: Option<String>,
    /// How the bucket is reached and written to, for an archive in S3.
    #[serde(default)]
    pub s3: S3Config,
    /// After how long without anything new an instance's silence is recorded, such as `24h`; none means never.
    #[serde(default, deserialize_with = "positive_duration")]
    pub silent_after: Option<Duration>,
    /// Where to collect from; none means the region and credentials of the environment.
    #[serde(default)]
    pub rds: Vec<RdsConfig>,
    /// Who keeps checkpoints.
    #[serde(default)]
    pub witness: Vec<WitnessConfig>,
    #[serde(skip)]
    pub directory: PathBuf,
}

/// One account and region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RdsConfig {
    pub region: Option<String>,
    /// Another address of the RDS API, such as a VPC endpoint.
    pub endpoint: Option<String>,
    /// Names of instances; `*` stands for any text. None means all.
    #[serde(default)]
    pub include: Vec<String>,
    /// Likewise; wins over `include`.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Instead of the one for all.
    #[serde(default, deserialize_with = "positive_duration")]
    pub silent_after: Option<Duration>,
}

/// A place that keeps seals; exactly one of `place`, `file` and `webhook`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// What the journal calls it.
    pub name: String,
    /// A directory or `s3://bucket/prefix`, for every seal.
    pub place: Option<String>,
    /// A file, for the newest signed note.
    pub file: Option<PathBuf>,
    /// An address that seals are posted to.
    pub webhook: Option<String>,
}

/// Reads the named file, or `auditkeep.toml` in the working directory if there is one.
pub fn load(named: Option<&Path>) -> Result<Config, Failure> {
    let path = named.unwrap_or(Path::new(FILE_NAME));
    let text = match small_file::read_text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
            return Ok(Config::default());
        }
        Err(error) => {
            return Err(Failure::usage(
                format!("reading the configuration `{}` failed: {error}", path.display()),
                "check `--config`, or write a new configuration with `auditkeep init`",
            ));
        }
    };
    let mut config = parse(&text).map_err(|message| {
        Failure::usage(
            format!("the configuration `{}` is wrong: {message}", path.display()),
            "correct the file; `auditkeep init` in an empty directory writes one that explains each setting",
        )
    })?;
    config.directory = path.parent().map(Path::to_owned).unwrap_or_default();
    Ok(config)
}

fn parse(text: &str) -> Result<Config, String> {
    toml::from_str(text).map_err(|error| {
        let place = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
        match place {
            Some(line) => format!("line {line}: {}", error.message()),
            None => error.message().to_owned(),
        }
    })
}

fn positive_duration<'a, D: Deserializer<'a>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    let duration = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    let duration = duration.filter(|duration| duration.as_secs() > 0);
    duration
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no duration, such as `24h`")))
}

/// Whether a name is chosen by the patterns.
pub fn is_chosen(config: &RdsConfig, name: &str) -> bool {
    let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, name));
    (config.include.is_empty() || any(&config.include)) && !any(&config.exclude)
}

/// `*` stands for any text, everything else for itself.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|tail| {
            tail.char_indices()
                .map(|(index, _)| index)
                .chain([tail.len()])
                .any(|at| matches(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_reported_with_its_line() {
        let error = parse("archive = \"x\"\n\narchve = \"y\"\n").unwrap_err();
        assert!(error.starts_with("line 3: unknown field `archve`"), "{error}");
        let error = parse("[[rds]]\nregion = 5\n").unwrap_err();
        assert!(error.starts_with("line 2: "), "{error}");
    }

    #[test]
    fn durations() {
        let config = parse("silent_after = \"90m\"\n[[rds]]\nsilent_after = \"36h\"\n").unwrap();
        assert_eq!(config.silent_after, Some(Duration::from_mins(90)));
        assert_eq!(config.rds[0].silent_after, Some(Duration::from_hours(36)));
        for wrong in ["\"soon\"", "\"-3h\"", "\"0s\"", "\"24\"", "24"] {
            let error = parse(&format!("silent_after = {wrong}\n")).unwrap_err();
            assert!(error.starts_with("line 1: "), "{wrong}: {error}");
        }
    }

    #[test]
    fn patterns() {
        let config = RdsConfig {
            include: vec!["shop-*".to_owned(), "crm".to_owned()],
            exclude: vec!["*-test".to_owned()],
            ..RdsConfig::default()
        };
        assert!(is_chosen(&config, "shop-orders"));
        assert!(is_chosen(&config, "crm"));
        assert!(!is_chosen(&config, "crm2"));
        assert!(!is_chosen(&config, "shop-orders-test"));
        assert!(is_chosen(&RdsConfig::default(), "anything"));
        assert!(matches("a*b*c", "aXbYbZc"));
        assert!(!matches("a*b*c", "aXbY"));
    }
}
