//! What the archive relies on, in the two stores that need no server. The AWS crate's tests ask the same of S3.

use std::future::{Ready, ready};
use std::sync::Arc;

use object_store::ObjectStore;

mod in_memory {
    use object_store::memory::InMemory;

    use super::{Arc, ObjectStore, Ready, ready};

    fn empty() -> Ready<(Arc<dyn ObjectStore>, ())> {
        ready((Arc::new(InMemory::new()), ()))
    }

    auditkeep_archive::store_behaviours!(empty);
}

mod directory {
    use auditkeep_archive::local::DurableDirectory;
    use tempfile::TempDir;

    use super::{Arc, ObjectStore, Ready, ready};

    fn empty() -> Ready<(Arc<dyn ObjectStore>, TempDir)> {
        let directory = tempfile::tempdir().unwrap();
        ready((Arc::new(DurableDirectory::new(directory.path()).unwrap()), directory))
    }

    auditkeep_archive::store_behaviours!(empty);
}
