//! What it takes to try an operation with each of its writes and deletions going wrong.

use std::fmt;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;

use crate::faults::{Fault, FaultyStore};

/// Does `work` with each of its writes going wrong in each way, then once more as a new process would, and has `check` look at
/// what is there. `prepare` makes what there is before.
pub async fn each_fault<E: fmt::Debug>(
    prepare: impl AsyncFn(Arc<dyn ObjectStore>),
    work: impl AsyncFn(Arc<dyn ObjectStore>) -> Result<(), E>,
    check: impl AsyncFn(Arc<dyn ObjectStore>, &str),
) {
    let (plain, undisturbed) = store(Fault::Failed, 0);
    prepare(plain.clone()).await;
    work(undisturbed.clone()).await.unwrap();
    check(plain, "undisturbed").await;
    assert!(undisturbed.writes() > 0);
    for fault in Fault::ALL {
        for at in 1..=undisturbed.writes() {
            let (plain, faulty) = store(fault, at);
            prepare(plain.clone()).await;
            // It may fail or not: a lost hint is no failure.
            drop(faulty.outlive(work(faulty.clone())).await);
            work(plain.clone()).await.unwrap();
            check(plain, &format!("{fault:?} at write {at}")).await;
        }
    }
}

fn store(fault: Fault, at: u64) -> (Arc<dyn ObjectStore>, Arc<FaultyStore>) {
    let plain: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    (plain.clone(), Arc::new(FaultyStore::new(plain, fault, at)))
}
