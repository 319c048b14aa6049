//! What can be said of a bucket, and which values it may have.
//!
//! Guarantees: a value that is not known here is refused with the known ones, so nothing is put in a way that nobody asked
//! for. Does not ask the bucket whether it agrees.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// Longer than any ARN of a key.
const MAX_KEY: usize = 2048;

/// How to reach a bucket, and how objects are put there. The default leaves everything to the standard chain and to the
/// bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct S3Options {
    /// Another S3, asked with the bucket in the path. Wins over the endpoints of the standard chain.
    pub endpoint: Option<Url>,
    /// Wins over the region of the standard chain.
    pub region: Option<String>,
    /// Of segments, which are most of an archive. Commits and tables are small or read often, and stay in the bucket's
    /// default.
    pub storage_class: Option<StorageClass>,
    /// Everything that is put is encrypted with this key of KMS. None: as the bucket does it by itself.
    pub kms_key: Option<KmsKey>,
    /// Whether the bucket's own key stands between, which saves calls of KMS. Only with `kms_key`. None: as the bucket is
    /// set up.
    pub bucket_key: Option<bool>,
    pub checksum: Checksum,
}

/// An option has a value that it cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    #[error("`{0}` is no storage class for an archive; there are {names}", names = StorageClass::names())]
    UnknownStorageClass(String),
    #[error(
        "objects of the storage class {0} have to be restored before they can be read, and a collector reads back what it wrote"
    )]
    NotReadable(String),
    #[error("`{0}` is no checksum; there are `sha256` and `none`")]
    UnknownChecksum(String),
    #[error("`{0}` names no key of KMS")]
    BadKmsKey(String),
    #[error("`bucket_key` says nothing without `kms_key`")]
    BucketKeyAlone,
}

/// The classes in which an object can be read at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageClass {
    Standard,
    IntelligentTiering,
    StandardIa,
    OneZoneIa,
    GlacierIr,
}

impl StorageClass {
    const ALL: [Self; 5] =
        [Self::Standard, Self::IntelligentTiering, Self::StandardIa, Self::OneZoneIa, Self::GlacierIr];

    /// As S3 spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::IntelligentTiering => "INTELLIGENT_TIERING",
            Self::StandardIa => "STANDARD_IA",
            Self::OneZoneIa => "ONEZONE_IA",
            Self::GlacierIr => "GLACIER_IR",
        }
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl FromStr for StorageClass {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        if matches!(text, "GLACIER" | "DEEP_ARCHIVE") {
            return Err(OptionError::NotReadable(text.to_owned()));
        }
        let known = Self::ALL.into_iter().find(|class| class.name() == text);
        known.ok_or_else(|| OptionError::UnknownStorageClass(text.to_owned()))
    }
}

/// A key of KMS: its ARN, its id or its alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsKey(String);

impl FromStr for KmsKey {
    type Err = OptionError;

    /// Only what could not be sent at all is refused; whether there is such a key, KMS knows.
    fn from_str(text: &str) -> Result<Self, OptionError> {
        let can_be_sent = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > MAX_KEY || !can_be_sent {
            return Err(OptionError::BadKmsKey(text.chars().take(100).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for KmsKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What is sent with an object for S3 to compare with what arrived, and to keep beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// Object Lock asks for one. Costs nothing: the signature needs it anyway.
    #[default]
    Sha256,
    /// For servers that refuse it.
    None,
}

impl FromStr for Checksum {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        match text {
            "sha256" => Ok(Self::Sha256),
            "none" => Ok(Self::None),
            _ => Err(OptionError::UnknownChecksum(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_that_can_be_read_at_once() {
        for class in StorageClass::ALL {
            assert_eq!(class.name().parse(), Ok(class));
        }
        for text in ["GLACIER", "DEEP_ARCHIVE"] {
            let refused = text.parse::<StorageClass>().unwrap_err();
            assert_eq!(refused, OptionError::NotReadable(text.to_owned()));
        }
        for text in ["", "glacier_ir", "REDUCED_REDUNDANCY", "GOLD"] {
            let refused = text.parse::<StorageClass>().unwrap_err().to_string();
            assert!(refused.contains("GLACIER_IR") && refused.contains("STANDARD_IA"), "{refused}");
        }
    }

    #[test]
    fn keys_are_what_a_header_can_hold() {
        let arn = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        assert_eq!(arn.parse::<KmsKey>().unwrap().to_string(), arn);
        assert!("alias/audit".parse::<KmsKey>().is_ok());
        for text in ["", "a b", "a\nx-amz-acl: public-read", "schlüssel", &"k".repeat(MAX_KEY + 1)] {
            assert!(matches!(text.parse::<KmsKey>(), Err(OptionError::BadKmsKey(_))), "{text}");
        }
    }
}
