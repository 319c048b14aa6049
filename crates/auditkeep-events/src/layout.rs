//! Where the two tables lie, what they look like, and how Delta Lake reaches them through the archive's object store.
//!
//! It knows names and makes handles; it does no IO.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use auditkeep_core::event::columns::{events_schema, problems_schema};
use deltalake_core::datafusion::error::DataFusionError;
use deltalake_core::datafusion::execution::runtime_env::RuntimeEnv;
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use object_store::ObjectStore;
use object_store::prefix::PrefixStore;
use url::Url;

use crate::ordered::OrderedStore;

/// One of the two tables.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Name in SQL, and directory below the archive's root.
    pub(crate) name: &'static str,
    /// The only partition column: a UTC day.
    pub(crate) partition: &'static str,
    /// Rows of a file are in the order of this column, then of their place in the archive.
    pub(crate) time: &'static str,
    /// Columns whose smallest and largest values the table's log states per file, so that a query skips files. Texts that
    /// are long or that nobody compares for equality (statements, parameters) are left out: they would bloat the log.
    pub(crate) statistics: &'static [&'static str],
    pub(crate) schema: fn() -> SchemaRef,
}

pub(crate) const EVENTS: Layout = Layout {
    name: "events",
    partition: "event_date",
    time: "event_time",
    statistics: &[
        "event_time",
        "received_at",
        "account",
        "region",
        "engine",
        "cluster",
        "instance",
        "resource_id",
        "database_name",
        "user_name",
        "client_address",
        "application",
        "session_id",
        "class",
        "command",
        "object_type",
        "object_name",
        "row_count",
        "outcome",
        "error_code",
        "fingerprint",
        "trail",
        "commit_number",
    ],
    schema: events_schema,
};

pub(crate) const PROBLEMS: Layout = Layout {
    name: "problems",
    partition: "problem_date",
    time: "received_at",
    statistics: &[
        "received_at",
        "account",
        "region",
        "engine",
        "instance",
        "resource_id",
        "reason",
        "trail",
        "commit_number",
    ],
    schema: problems_schema,
};

/// The archive's object store, with the name that messages give it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    store: Arc<dyn ObjectStore>,
    url: Url,
}

impl Place {
    /// `store` is rooted at the archive.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, url: Url) -> Self {
        Self { store: Arc::new(OrderedStore(store)), url }
    }

    /// How messages name the table: `s3://bucket/prefix/events`. A password in the URL is left out.
    pub(crate) fn describe(&self, layout: &Layout) -> String {
        let mut url = self.url.clone();
        // Both fail only for URLs that cannot have these parts, and those have nothing to hide.
        let _ = url.set_password(None);
        let _ = url.set_username("");
        url.set_query(None);
        format!("{}/{}", url.as_str().trim_end_matches('/'), layout.name)
    }

    /// A handle on the table's log and files.
    ///
    /// A version of a Delta table must be created by one writer only. `DefaultLogStore::write_commit_entry` of
    /// deltalake-core 1.1.3 (`src/logstore/default_logstore.rs`) writes it by `put_opts` with `PutMode::Create`, and
    /// `PreCommit` (`src/kernel/transaction/mod.rs`) chooses that way by the store's name, never the temporary file with a
    /// rename. object_store makes it `If-None-Match: *` on S3 (`S3ConditionalPut::ETagMatch`, the default; `Disabled` makes
    /// it an error, not an unsafe write) and a hard link on a local disk. Both fail when the object exists.
    ///
    /// Taking the log store by its function, not by the URL's scheme, keeps Delta's registries of stores, which belong to
    /// the whole process, out of the matter.
    pub(crate) fn log_store(&self, layout: &Layout) -> LogStoreRef {
        let prefixed = PrefixStore::new(Arc::clone(&self.store), layout.name);
        default_logstore(
            Arc::new(prefixed),
            Arc::clone(&self.store),
            &address(layout.name),
            &StorageConfig::default(),
        )
    }

    /// Lets DataFusion find the files that the tables name, and no others.
    pub(crate) fn register(&self, runtime: &RuntimeEnv) -> Result<(), DataFusionError> {
        runtime.register_object_store(&address(""), Arc::clone(&self.store));
        // Without this a plan could read files of this machine.
        runtime.deregister_object_store(&local_files()).map(drop)
    }
}

/// The URL under which Delta and DataFusion look a path up in the archive's store: the path from the archive's root, below
/// a scheme that is nobody else's.
fn address(name: &str) -> Url {
    fixed(&format!("archive:///{name}"))
}

fn local_files() -> Url {
    fixed("file:///")
}

#[expect(clippy::expect_used, reason = "the text is fixed but for a name that is a plain word")]
fn fixed(text: &str) -> Url {
    Url::parse(text).expect("a fixed URL")
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[test]
    fn every_named_column_exists() {
        for layout in [EVENTS, PROBLEMS] {
            let schema = (layout.schema)();
            for column in layout.statistics.iter().chain([&layout.partition, &layout.time]) {
                assert!(schema.column_with_name(column).is_some(), "{} has no {column}", layout.name);
            }
            assert!(!layout.statistics.contains(&layout.partition));
        }
    }

    #[test]
    fn messages_hide_credentials() {
        let url = Url::parse("s3://key:secret@bucket/audit/?token=secret").unwrap();
        let place = Place::new(Arc::new(InMemory::new()), url);
        assert_eq!(place.describe(&EVENTS), "s3://bucket/audit/events");
    }
}
