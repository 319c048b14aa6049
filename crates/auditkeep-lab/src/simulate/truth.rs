//! The ground truth about a simulated database: every byte that it ever exposed.

use crate::simulate::generation::Generation;

/// What one database exposed until now.
#[derive(Debug, Clone)]
pub struct Truth {
    /// `DbiResourceId`.
    pub resource_id: String,
    /// All files that ever were, in the order in which they were begun, whether they are still there or not.
    pub files: Vec<Exposed>,
}

/// One generation: the content of one file from its first byte on, whatever its name was.
#[derive(Debug, Clone)]
pub struct Exposed {
    generation: Generation,
}

impl Truth {
    pub(crate) fn new(resource_id: String, history: Vec<Generation>) -> Self {
        Self { resource_id, files: history.into_iter().map(|generation| Exposed { generation }).collect() }
    }

    /// All bytes, over all generations.
    pub fn size(&self) -> u64 {
        self.files.iter().map(Exposed::size).sum()
    }
}

impl Exposed {
    /// Unique in its database.
    pub fn generation(&self) -> u64 {
        self.generation.number
    }

    /// The names that it has had, the last one last, each with the time from which on in milliseconds.
    pub fn names(&self) -> impl Iterator<Item = (i64, &str)> {
        self.generation.names.iter().map(|(at_us, name)| (at_us.div_euclid(1000), name.as_str()))
    }

    /// The name that it has, or had last.
    pub fn name(&self) -> &str {
        self.generation.name()
    }

    /// How many bytes were written into it.
    pub fn size(&self) -> u64 {
        self.generation.size
    }

    /// The bytes that were written into it; never compressed.
    pub fn bytes(&self) -> Vec<u8> {
        self.generation.content()
    }

    /// When it was deleted or overwritten, in milliseconds.
    pub fn deleted_ms(&self) -> Option<i64> {
        self.generation.deleted_us.map(|at_us| at_us.div_euclid(1000))
    }
}
