//! The archive: write-once segments of raw bytes, and trails of signed commits that name them.
//!
//! One object is the whole transaction. A collection puts its segments under names that follow from their content, then
//! puts commit *N+1* under a name that can be created only once. Whoever comes second reads again and goes on; a process
//! that dies leaves objects that nobody names. So no lock and no database is needed, on a local disk and on S3 alike.
//!
//! - [`archive`]: opening and creating; the only ways to write are *put new* and the head hint, and the store is not handed out.
//! - [`layout`]: the names of objects.
//! - [`commit`], [`leaf`], [`control`]: what a commit says, and how it is spelled and signed.
//! - [`standing`]: what is in force after a commit.
//! - [`trail`]: the commit protocol.
//! - [`journal`]: the archive's own trail, with its keys and seals; [`keyring`]: whose signatures count.
//! - [`signer`]: the port to whatever holds the private key.
//! - [`segment`], [`frames`]: raw bytes in, compressed objects out, and back.
//! - [`seal`]: all heads under one signed note; [`checkpoint`]: seals that were kept elsewhere.
//! - [`records`]: what trails say beside their segments; [`review`], [`retention`], [`rotation`]: what people have to say.
//! - [`expire`]: giving up what is too old.
//! - [`verify`]: does what is stored deserve belief?
//! - [`proof`]: one event, shown to whoever has only the public key.
//! - [`local`]: a directory as a store that is durable on return.
//!
//! Nothing here overwrites evidence, and nothing but [`expire`] deletes it.

pub mod archive;
pub mod checkpoint;
pub mod commit;
pub mod control;
pub mod expire;
pub mod frames;
pub mod journal;
pub mod keyring;
pub mod layout;
pub mod leaf;
pub mod local;
pub mod proof;
pub mod records;
pub mod retention;
pub mod review;
pub mod rotation;
pub mod seal;
pub mod segment;
pub mod signer;
mod spill;
pub mod standing;
#[cfg(feature = "test-support")]
pub mod test_support;
pub mod trail;
pub mod verify;
