//! `auditkeep init`: a commented configuration, a signing key, and an empty archive.

use std::path::{Path, PathBuf};

use auditkeep_archive::archive::{Archive, ArchiveError};
use auditkeep_core::integrity::key::VerifyingKey;
use clap::Args;
use serde::Serialize;

use super::{DEFAULT_ARCHIVE, DEFAULT_KEY, Global, now};
use crate::config::FILE_NAME;
use crate::failure::{Exit, Failure};
use crate::keys;
use crate::output::{data, json};
use crate::place::Place;

#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is overwritten: a key or an archive that is there already is used as it is.\n\
                        Keep a copy of the key and of its public half away from the archive."
)]
pub struct InitArguments {}

/// What there is now.
#[derive(Serialize)]
pub struct Made {
    config: String,
    key: String,
    public_key: String,
    archive: String,
    archive_id: String,
}

pub async fn run(global: &Global, _: &InitArguments) -> Result<Exit, Failure> {
    let config = global.config.clone().unwrap_or_else(|| PathBuf::from(FILE_NAME));
    let key_path = global.key.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_KEY));
    let archive_url = global.archive.clone().unwrap_or_else(|| DEFAULT_ARCHIVE.to_owned());
    let made = make(&config, &key_path, &archive_url).await?;
    if global.json {
        json(&made)?;
        return Ok(Exit::Fine);
    }
    data(&format!("configuration  {}", made.config))?;
    data(&format!("signing key    {}  (only you can read it; keep a copy elsewhere)", made.key))?;
    data(&format!("public key     {}", made.public_key))?;
    data(&format!("archive        {}  (id {})", made.archive, made.archive_id))?;
    data(
        "\nNext: `auditkeep collect` with AWS credentials, or `auditkeep import FILE --engine ENGINE --instance NAME`.",
    )?;
    Ok(Exit::Fine)
}

/// Makes what is missing: the key, the archive, and last the configuration that names them.
pub async fn make(config: &Path, key_path: &Path, archive_url: &str) -> Result<Made, Failure> {
    let place = Place::parse(archive_url, Path::new(""))?;
    if config.exists() {
        return Err(Failure::new(
            format!("`{}` exists already", config.display()),
            "it was left as it is; name another file with `--config`, or go on with `auditkeep collect`",
        ));
    }
    let key = keys::create_or_read(key_path)?;
    let archive = make_archive(&place, key.public()).await?;
    keys::write_new(config, &config_text(config, archive_url, key_path)?, 0o644)?;
    Ok(Made {
        config: config.display().to_string(),
        key: key_path.display().to_string(),
        public_key: key.public().to_string(),
        archive: archive_url.to_owned(),
        archive_id: archive.manifest().id.clone(),
    })
}

/// Makes the archive, or finds the one that is there to be this key's.
async fn make_archive(place: &Place, key: &VerifyingKey) -> Result<Archive, Failure> {
    let store = place.make_store().await?;
    let id = hex::encode(&keys::random_seed()?[..16]);
    let archive = match Archive::create(store.clone(), id, key.clone(), now()).await {
        Err(ArchiveError::Exists) => Archive::open(store).await?,
        made => made.map_err(|error| Failure::from(error).at(place.shown()))?,
    };
    if archive.manifest().keys.contains(key) {
        Ok(archive)
    } else {
        Err(Failure::from(ArchiveError::ForeignKey { key: key.to_string() }).at(place.shown()))
    }
}

/// The configuration as it is written; relative paths start at its directory.
fn config_text(config: &Path, archive: &str, key: &Path) -> Result<String, Failure> {
    let base = std::path::absolute(config)?.parent().map(Path::to_owned).unwrap_or_default();
    let seen_from_base = |path: &Path| -> Result<String, Failure> {
        let absolute = std::path::absolute(path)?;
        let shown = absolute.strip_prefix(&base).unwrap_or(&absolute);
        Ok(toml::Value::String(shown.display().to_string()).to_string())
    };
    let archive = if archive.contains("://") {
        toml::Value::String(archive.to_owned()).to_string()
    } else {
        seen_from_base(Path::new(archive))?
    };
    let key = seen_from_base(key)?;
    Ok(format!(
        "\
# The configuration of auditkeep. Every setting can be given on the command line instead.
# Relative paths start at this file's directory. An unknown setting is an error.

# Where evidence and tables are kept: a directory, file:///dir or s3://bucket/prefix.
archive = {archive}

# The key that signs each commit, made by `auditkeep init`. Whoever has it can write history; whoever has the
# public half (the .pub file beside it) can check it.
key = {key}

# Record it when an instance gave nothing new for so long. Without it, silence is not recorded.
# silent_after = \"24h\"

# Where to collect from: one table per account and region. Without any, `auditkeep collect` uses the region and
# credentials of its environment (AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL_RDS and so on).
#
# [[rds]]
# region = \"eu-central-1\"
# # Another address of the RDS API, such as a VPC endpoint.
# endpoint = \"https://vpce-0123456789abcdef0-abcdefgh.rds.eu-central-1.vpce.amazonaws.com\"
# # Names of instances; * stands for any text. Without `include`, all instances.
# include = [\"shop-*\"]
# exclude = [\"*-test\"]
# # Instead of the one above.
# silent_after = \"1h\"

# Who keeps the checkpoints of `auditkeep seal`, out of reach of whoever can alter the archive: a directory or bucket that gets
# every seal, a file that gets the newest signed note (for a repository, say), or an address that seals are posted to.
#
# [[witness]]
# name = \"audit-account\"
# place = \"s3://bucket-of-another-account/auditkeep\"
#
# [[witness]]
# name = \"repository\"
# file = \"checkpoints/auditkeep.note\"
#
# [[witness]]
# name = \"chat\"
# webhook = \"https://chat.example/hooks/auditkeep\"
"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn the_configuration_can_be_read_back_with_every_setting_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        let text = config_text(&path, "s3://bucket/audit", &directory.path().join("k.key")).unwrap();
        let all = text.replace("# [[", "[[").replace("\n# # ", "\n# ");
        let all: String = all
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(setting) if setting.contains(" = ") => format!("{setting}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        std::fs::write(&path, all).unwrap();
        let read = config::load(Some(&path)).unwrap();
        assert_eq!(read.archive.as_deref(), Some("s3://bucket/audit"));
        assert_eq!(read.key.as_deref(), Some(Path::new("k.key")));
        assert_eq!(read.rds[0].include, ["shop-*"]);
        assert!(read.rds[0].endpoint.is_some());
        assert!(read.silent_after > read.rds[0].silent_after);
        assert_eq!(read.witness.len(), 3);
    }
}
