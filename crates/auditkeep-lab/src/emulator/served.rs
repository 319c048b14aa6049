//! A fleet that is ready to be asked: each instance is found at once, and they are in the order in which they are listed.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use crate::emulator::fleet::{Fleet, LabInstance};
use crate::simulate::Estate;

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

/// The fleet in force: what was given, and what an estate has by now.
#[derive(Debug)]
pub(crate) struct InForce {
    estate: Option<Estate>,
    current: RwLock<Current>,
}

#[derive(Debug)]
struct Current {
    given: Fleet,
    /// The estate's version that is served.
    version: Option<u64>,
    served: Arc<Served>,
}

impl InForce {
    pub(crate) fn new(given: Fleet, estate: Option<Estate>) -> Self {
        let current = Current { given, version: None, served: Arc::default() };
        let in_force = Self { estate, current: RwLock::new(current) };
        in_force.rebuild();
        in_force
    }

    /// Replaces what was given.
    pub(crate) fn give(&self, given: Fleet) {
        self.current.write().unwrap_or_else(PoisonError::into_inner).given = given;
        self.rebuild();
    }

    /// What is served at this moment. It costs nothing unless the estate has changed.
    pub(crate) fn now(&self) -> Arc<Served> {
        if let Some(estate) = &self.estate {
            estate.advance();
        }
        let version = self.estate.as_ref().map(Estate::version);
        {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            if current.version == version {
                return Arc::clone(&current.served);
            }
        }
        self.rebuild()
    }

    fn rebuild(&self) -> Arc<Served> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Asked before the fleet is: a change between the two is seen by the next call.
        current.version = self.estate.as_ref().map(Estate::version);
        let mut fleet = current.given.clone();
        fleet.instances.extend(self.estate.iter().flat_map(|estate| estate.fleet().instances));
        current.served = Arc::new(Served::new(fleet));
        Arc::clone(&current.served)
    }
}
