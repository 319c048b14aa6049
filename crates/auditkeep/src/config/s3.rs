//! The table `[s3]` of the configuration: how the bucket of an archive is reached and written to.
//!
//! A value that S3 could not be told is refused when the configuration is read, whether the archive is in S3 or not.

use std::str::FromStr;

use auditkeep_aws::S3Options;
use auditkeep_aws::s3::OptionError;
use serde::Deserialize;
use url::Url;

use crate::failure::Failure;

/// As it is written; all of it may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// Another S3, such as `https://s3.example.com`.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    /// Of the segments below `raw/`.
    pub storage_class: Option<String>,
    pub kms_key: Option<String>,
    pub bucket_key: Option<bool>,
    /// `sha256` or `none`.
    pub checksum: Option<String>,
}

/// Each setting with what is written in its place while it is not set, and what is said of it.
const SETTINGS: [(&str, &str, &str); 6] = [
    (
        "endpoint",
        "\"https://s3.example.com\"",
        "Another S3 than Amazon's, with the bucket in the path. AWS_ENDPOINT_URL_S3 names one as well.",
    ),
    ("region", "\"eu-central-1\"", ""),
    (
        "storage_class",
        "\"GLACIER_IR\"",
        "Of the segments below raw/. Everything else is small or read often, and stays in the bucket's default.",
    ),
    (
        "kms_key",
        "\"arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab\"",
        "Everything that is put is encrypted with this key (SSE-KMS).",
    ),
    ("bucket_key", "true", ""),
    ("checksum", "\"sha256\"", "\"none\" is for servers that refuse checksums."),
];

impl S3Config {
    /// From settings as they are typed: `name=value`, without quotes.
    pub fn of_typed(settings: &[String]) -> Result<Self, Failure> {
        let mut table = toml::Table::new();
        for setting in settings {
            let (name, value) = setting.split_once('=').ok_or_else(|| not_typed(setting, "it has no `=`"))?;
            let value = match value.parse() {
                Ok(truth) => toml::Value::Boolean(truth),
                Err(_) => toml::Value::String(value.to_owned()),
            };
            if table.insert(name.to_owned(), value).is_some() {
                return Err(not_typed(setting, "it is given twice"));
            }
        }
        table.try_into().map_err(|error: toml::de::Error| not_typed(&settings.join(" "), error.message()))
    }

    /// The table with every setting explained; those that are not set are comments.
    pub fn written(&self) -> String {
        let set = |name: &str| match name {
            "endpoint" => self.endpoint.as_deref().map(quoted),
            "region" => self.region.as_deref().map(quoted),
            "storage_class" => self.storage_class.as_deref().map(quoted),
            "kms_key" => self.kms_key.as_deref().map(quoted),
            "bucket_key" => self.bucket_key.map(|truth| truth.to_string()),
            _ => self.checksum.as_deref().map(quoted),
        };
        let mut lines = vec![if *self == Self::default() { "# [s3]" } else { "[s3]" }.to_owned()];
        for (name, example, about) in SETTINGS {
            if !about.is_empty() {
                lines.push(format!("# # {about}"));
            }
            lines.push(match set(name) {
                Some(value) => format!("{name} = {value}"),
                None => format!("# {name} = {example}"),
            });
        }
        lines.join("\n") + "\n"
    }

    pub fn options(&self) -> Result<S3Options, Failure> {
        if self.bucket_key.is_some() && self.kms_key.is_none() {
            return Err(wrong(&OptionError::BucketKeyAlone));
        }
        Ok(S3Options {
            endpoint: self.endpoint.as_deref().map(endpoint).transpose()?,
            region: self.region.clone(),
            storage_class: known(self.storage_class.as_deref())?,
            kms_key: known(self.kms_key.as_deref())?,
            bucket_key: self.bucket_key,
            checksum: known(self.checksum.as_deref())?.unwrap_or_default(),
        })
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn not_typed(setting: &str, why: &str) -> Failure {
    let names = SETTINGS.map(|(name, ..)| name).join(", ");
    Failure::usage(
        format!("`--s3 {setting}` is no setting of a bucket: {why}"),
        format!("write it as `--s3 name=value`; the names are {names}"),
    )
}

fn endpoint(text: &str) -> Result<Url, Failure> {
    let wrong = |why: &str| {
        Failure::usage(
            format!("`endpoint` of [s3] is no address of a server: {why}"),
            "write it as `https://host` or `https://host:port`; the bucket is named by the archive",
        )
    };
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    let is_plain = url.has_host() && url.username().is_empty() && url.password().is_none();
    match url.scheme() {
        "https" | "http" if is_plain && url.query().is_none() && url.fragment().is_none() => Ok(url),
        "https" | "http" => Err(wrong("it holds more than a host, a port and a path")),
        scheme => Err(wrong(&format!("nobody is asked over `{scheme}://`"))),
    }
}

fn known<T: FromStr<Err = OptionError>>(text: Option<&str>) -> Result<Option<T>, Failure> {
    text.map(T::from_str).transpose().map_err(|error| wrong(&error))
}

fn wrong(error: &OptionError) -> Failure {
    let hint = match error {
        OptionError::UnknownStorageClass(_) => {
            "use one of them, or leave `storage_class` out for the bucket's default"
        }
        OptionError::NotReadable(_) => {
            "use GLACIER_IR, and let a lifecycle rule of the bucket move what is older to colder classes"
        }
        OptionError::UnknownChecksum(_) => "use one of them, or leave `checksum` out for `sha256`",
        OptionError::BadKmsKey(_) => "give its ARN, its id or `alias/<name>`",
        OptionError::BucketKeyAlone => "name the key in `kms_key`, or leave `bucket_key` out",
    };
    Failure::usage(format!("a setting of [s3] is wrong: {error}"), hint)
}

#[cfg(test)]
mod tests {
    use auditkeep_aws::s3::{Checksum, StorageClass};

    use super::*;
    use crate::config::Config;

    fn options(text: &str) -> Result<S3Options, Failure> {
        toml::from_str::<S3Config>(text).unwrap().options()
    }

    #[test]
    fn what_is_said_is_what_is_asked_for() {
        assert_eq!(options("").unwrap(), S3Options::default());
        let all = options(
            "endpoint = \"https://s3.example.com:9000\"\nregion = \"eu-central-1\"\nstorage_class = \"GLACIER_IR\"\n\
             kms_key = \"alias/audit\"\nbucket_key = true\nchecksum = \"none\"\n",
        )
        .unwrap();
        assert_eq!(all.endpoint.unwrap().as_str(), "https://s3.example.com:9000/");
        assert_eq!(all.region.as_deref(), Some("eu-central-1"));
        assert_eq!(all.storage_class, Some(StorageClass::GlacierIr));
        assert_eq!(all.kms_key.unwrap().to_string(), "alias/audit");
        assert_eq!((all.bucket_key, all.checksum), (Some(true), Checksum::None));
    }

    #[test]
    fn what_is_typed_is_what_is_written_and_read_again() {
        let typed =
            ["endpoint=http://127.0.0.1:9000", "storage_class=GLACIER_IR", "kms_key=a=b", "bucket_key=false"];
        let config = S3Config::of_typed(&typed.map(str::to_owned)).unwrap();
        assert_eq!((config.kms_key.as_deref(), config.bucket_key), (Some("a=b"), Some(false)));
        let read: Config = toml::from_str(&config.written()).unwrap();
        assert_eq!(read.s3, config);
        let nothing: Config = toml::from_str(&S3Config::default().written()).unwrap();
        assert_eq!(nothing.s3, S3Config::default());
        for wrong in [&["endpoint"][..], &["regoin=x"], &["region=a", "region=b"], &["bucket_key=maybe"]] {
            let wrong: Vec<String> = wrong.iter().map(|setting| (*setting).to_owned()).collect();
            let refused = S3Config::of_typed(&wrong).unwrap_err();
            assert!(refused.to_string().contains("the names are endpoint, region"), "{refused}");
        }
    }

    #[test]
    fn what_cannot_be_asked_for_is_a_usage_error_with_a_hint() {
        for (text, said) in [
            ("storage_class = \"GOLD\"", "GLACIER_IR"),
            ("storage_class = \"DEEP_ARCHIVE\"", "restored before they can be read"),
            ("checksum = \"md5\"", "`sha256` and `none`"),
            ("kms_key = \"\"", "names no key"),
            ("bucket_key = true", "without `kms_key`"),
            ("endpoint = \"s3.example.com\"", "no address of a server"),
            ("endpoint = \"ftp://s3.example.com\"", "ftp://"),
            ("endpoint = \"https://key:secret@s3.example.com\"", "more than a host"),
        ] {
            let refused = options(text).unwrap_err();
            let shown = refused.to_string();
            assert!(shown.contains(said) && shown.contains("hint: "), "{text}: {shown}");
            assert!(!shown.contains("secret"), "{shown}");
            assert_eq!(refused.code(), crate::failure::Exit::Usage, "{text}");
        }
    }
}
