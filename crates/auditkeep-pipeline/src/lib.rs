//! The stages between a database's logs and the tables that people query, and the ports through which they reach the world.
//!
//! A stage reads through one port and writes through another; it does not know AWS, Delta Lake or the command line.
//!
//! - [`collect`]: log files into the archive.
//! - [`derive`]: commits of the archive into rows of the tables.
//! - [`seal`]: all trails under one checkpoint, and into the hands of witnesses.
//! - [`small_file`]: small files that somebody named.
//! - [`source`]: where log files are read from.
//! - [`table`]: where derived events go.
//! - [`witness`]: who keeps checkpoints.

pub mod collect;
pub mod derive;
pub mod seal;
pub mod small_file;
pub mod source;
pub mod table;
pub mod witness;
