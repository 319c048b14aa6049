//! `auditkeep init`: a commented configuration, a signing key, and an empty archive.

use std::path::{Path, PathBuf};

use auditkeep_archive::archive::{Archive, ArchiveError};
use auditkeep_archive::journal;
use auditkeep_core::integrity::key::VerifyingKey;
use clap::Args;
use serde::Serialize;

use super::{DEFAULT_ARCHIVE, DEFAULT_KEY, Global, now, stamp};
use crate::config::{FILE_NAME, S3Config};
use crate::failure::{Exit, Failure};
use crate::keys::{self, KeyPlace};
use crate::new_file::write_new;
use crate::output::{data, json};
use crate::place::Place;

#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is overwritten: a key or an archive that is there already is used as it is.\n\
                        Keep a copy of the key and of its public half away from the archive."
)]
pub struct InitArguments {
    /// A setting of the bucket, for the archive and for the configuration, such as storage_class=GLACIER_IR
    #[arg(long, value_name = "NAME=VALUE")]
    s3: Vec<String>,
}

/// What there is now.
#[derive(Serialize)]
pub struct Made {
    config: String,
    key: String,
    public_key: String,
    archive: String,
    archive_id: String,
}

pub async fn run(global: &Global, arguments: &InitArguments) -> Result<Exit, Failure> {
    let config = global.config.clone().unwrap_or_else(|| PathBuf::from(FILE_NAME));
    let directory = config.parent().unwrap_or(Path::new(""));
    let key = KeyPlace::parse(global.key.as_deref().unwrap_or(DEFAULT_KEY), Path::new(""), directory)?;
    let archive_url = global.archive.clone().unwrap_or_else(|| DEFAULT_ARCHIVE.to_owned());
    let s3 = S3Config::of_typed(&arguments.s3)?;
    let made = make(&config, &key, &archive_url, &s3).await?;
    if global.json {
        json(&made)?;
        return Ok(Exit::Fine);
    }
    data(&format!("configuration  {}", made.config))?;
    let about = match key {
        KeyPlace::File(_) => "only you can read it; keep a copy elsewhere",
        KeyPlace::Kms { .. } => "it stays in AWS KMS",
    };
    data(&format!("signing key    {}  ({about})", made.key))?;
    data(&format!("public key     {}", made.public_key))?;
    data(&format!("archive        {}  (id {})", made.archive, made.archive_id))?;
    data(
        "\nNext: `auditkeep collect` with AWS credentials, or `auditkeep import FILE --engine ENGINE --instance NAME`.",
    )?;
    Ok(Exit::Fine)
}

/// Makes what is missing: the key, the archive, and last the configuration that names them.
pub async fn make(config: &Path, key: &KeyPlace, archive_url: &str, s3: &S3Config) -> Result<Made, Failure> {
    let place = Place::parse(archive_url, Path::new(""))?.with_s3(s3.options()?);
    if config.exists() {
        return Err(Failure::new(
            format!("`{}` exists already", config.display()),
            "it was left as it is; name another file with `--config`, or go on with `auditkeep collect`",
        ));
    }
    let signer = key.make().await?;
    let archive = make_archive(&place, signer.public()).await?;
    // From here on the journal says which archive.json is the right one.
    journal::begin(&archive, &*signer, &stamp()).await?;
    write_new(config, &config_text(config, archive_url, key, s3)?, 0o644)?;
    Ok(Made {
        config: config.display().to_string(),
        key: key.shown(),
        public_key: signer.public().to_string(),
        archive: archive_url.to_owned(),
        archive_id: archive.manifest().id.clone(),
    })
}

/// Makes the archive, or finds the one that is there to be this key's. The store must be one that creates a name once.
async fn make_archive(place: &Place, key: &VerifyingKey) -> Result<Archive, Failure> {
    let store = place.make_store().await?;
    let id = hex::encode(&keys::random_seed()?[..16]);
    let archive = match Archive::create(store.clone(), id, key.clone(), now()).await {
        Err(ArchiveError::Exists) => Archive::open(store).await?,
        made => made.map_err(|error| Failure::from(error).at(place.shown()))?,
    };
    if !archive.manifest().keys.contains(key) {
        return Err(Failure::from(ArchiveError::ForeignKey { key: key.to_string() }).at(place.shown()));
    }
    if !archive.creates_once().await? {
        return Err(Failure::new(
            "the store creates objects that are there already, so that two collectors would write two histories",
            "use a store that honours `If-None-Match: *` in this bucket, as Amazon S3 does; some others do so only where no versions are kept",
        )
        .at(place.shown()));
    }
    Ok(archive)
}

/// The configuration as it is written; relative paths start at its directory.
fn config_text(config: &Path, archive: &str, key: &KeyPlace, s3: &S3Config) -> Result<String, Failure> {
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
    let key = match key {
        KeyPlace::File(path) => seen_from_base(path)?,
        KeyPlace::Kms { .. } => toml::Value::String(key.shown()).to_string(),
    };
    let s3 = s3.written();
    Ok(format!(
        "\
# The configuration of auditkeep. Every setting but those of [s3] can be given on the command line instead.
# Relative paths start at this file's directory. An unknown setting is an error.

# Where evidence and tables are kept: a directory, file:///dir or s3://bucket/prefix.
archive = {archive}

# The key that signs each commit. Whoever can sign with it can write history; whoever has the public half can check it.
# Either a file, which `auditkeep init` makes, with the public half in the .pub file beside it; or a key in AWS KMS,
# written \"awskms:alias/name\" or with the key's id or ARN, which never leaves KMS and is needed to sign only. It must be
# of the kind ECC_NIST_P256 or ECC_NIST_EDWARDS25519 and for SIGN_VERIFY; the credentials need kms:GetPublicKey and
# kms:Sign; and `auditkeep init` writes its public half to auditkeep.pub beside this file.
key = {key}

# Record it when an instance gave nothing new for so long. Without it, silence is not recorded.
# silent_after = \"24h\"

# How the bucket is reached and written to, for an archive in S3.
#
{s3}
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
        let key = KeyPlace::File(directory.path().join("k.key"));
        let text = config_text(&path, "s3://bucket/audit", &key, &S3Config::default()).unwrap();
        let all = text.replace("# [", "[").replace("\n# # ", "\n# ");
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
        assert_eq!(read.key.as_deref(), Some("k.key"));
        let s3 = read.s3.options().unwrap();
        assert!(s3.endpoint.is_some() && s3.storage_class.is_some() && s3.kms_key.is_some());
        assert_eq!(s3.bucket_key, Some(true));
        assert_eq!(read.rds[0].include, ["shop-*"]);
        assert!(read.rds[0].endpoint.is_some());
        assert!(read.silent_after > read.rds[0].silent_after);
        assert_eq!(read.witness.len(), 3);
    }
}
