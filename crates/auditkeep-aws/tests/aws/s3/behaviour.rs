//! What the archive relies on in a store, on both servers.

use std::sync::Arc;

use auditkeep_aws::S3Options;
use object_store::ObjectStore;

use super::Server;

mod moto {
    use super::{Arc, ObjectStore, S3Options, Server};

    async fn empty() -> (Arc<dyn ObjectStore>, ()) {
        (Server::Moto.empty(S3Options::default()).await.1, ())
    }

    auditkeep_archive::store_behaviours!(empty);
}

mod gateway {
    use super::{Arc, ObjectStore, S3Options, Server};

    async fn empty() -> (Arc<dyn ObjectStore>, ()) {
        (Server::Gateway.empty(S3Options::default()).await.1, ())
    }

    auditkeep_archive::store_behaviours!(empty);
}
