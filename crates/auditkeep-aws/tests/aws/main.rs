//! The AWS crate against servers: scripted ones that answer wrongly, the lab's RDS, and moto's S3 and KMS.

#[cfg(test)]
mod chain;
#[cfg(test)]
mod download;
#[cfg(test)]
mod emulator;
#[cfg(test)]
mod kms;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod s3;
#[cfg(test)]
mod scripted;
