//! A fleet that is ready to be asked: each instance is found at once, and they are in the order in which they are listed.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::emulator::fleet::{Fleet, LabInstance};

/// Instances by their names in lower case, which is how RDS shows them.
#[derive(Debug, Default)]
pub(crate) struct Served(BTreeMap<String, LabInstance>);

impl Served {
    /// Of two instances with one name the first is served; a fleet that was checked has none.
    pub(crate) fn new(fleet: Fleet) -> Self {
        let mut served = BTreeMap::new();
        for instance in fleet.instances {
            served.entry(instance.name.to_ascii_lowercase()).or_insert(instance);
        }
        Self(served)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&LabInstance> {
        self.0.get(&name.to_ascii_lowercase())
    }

    /// All instances behind a name in lower case, or all, with their names in lower case.
    pub(crate) fn after(&self, name: Option<&str>) -> impl Iterator<Item = (&str, &LabInstance)> {
        let from = name.map_or(Bound::Unbounded, Bound::Excluded);
        self.0.range::<str, _>((from, Bound::Unbounded)).map(|(name, instance)| (name.as_str(), instance))
    }
}
