//! The simulated databases of an account in the course of time: made, renamed, failed over, restored, deleted.
//!
//! What is planned happens at its time, as seen by whoever asks later. The truth of databases that are gone is kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, milliseconds};
use crate::emulator::{Fleet, LabInstance, Logs, is_instance_name};
use crate::seeded;
use crate::simulate::database::{Database, DatabaseOptions, Status};
use crate::simulate::disk::Failover;
use crate::simulate::layout::Layout;
use crate::simulate::truth::Truth;

/// A handle: clones are the same estate.
#[derive(Debug, Clone)]
pub struct Estate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    seed: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By the names in lower case.
    members: BTreeMap<String, Member>,
    gone: Vec<Arc<Database>>,
    planned: Vec<Planned>,
    made: u64,
    version: u64,
}

#[derive(Debug, Clone)]
struct Member {
    options: InstanceOptions,
    database: Arc<Database>,
}

#[derive(Debug)]
struct Planned {
    at_ms: i64,
    instance: String,
    event: Event,
}

/// An instance to make.
#[derive(Debug, Clone)]
pub struct InstanceOptions {
    /// `DBInstanceIdentifier`.
    pub name: String,
    /// The engine as RDS names it.
    pub engine: String,
    /// The engine's version as RDS names it.
    pub engine_version: String,
    /// `DBClusterIdentifier` of an Aurora instance.
    pub cluster: Option<String>,
    /// How its files are named and rotated.
    pub layout: Layout,
    /// Nothing for a database that writes only when it is told to.
    pub record_every: Option<Duration>,
    /// How long it has been writing when it is made.
    pub age: Duration,
}

/// What can happen to an instance.
#[derive(Debug, Clone)]
pub enum Event {
    /// It is made.
    Create(Box<InstanceOptions>),
    /// It gets another name. Its resource id and its files stay.
    Rename {
        /// The new name.
        to: String,
    },
    /// It is gone, and its files with it.
    Delete,
    /// Another instance takes its name and its engine: it has another resource id and files of its own.
    Restore,
    /// Another host takes over.
    FailOver(Failover),
    /// Its status changes; the log API answers only for an available instance.
    Status(Status),
}

/// Why something cannot happen.
#[derive(Debug, thiserror::Error)]
pub enum EstateError {
    /// There is no instance of this name.
    #[error("there is no simulated instance `{0}`")]
    Unknown(String),
    /// The name is in use.
    #[error("there is a simulated instance `{0}` already")]
    Taken(String),
    /// RDS would not accept the name.
    #[error("`{0}` is no instance name: up to 63 letters, digits and hyphens, a letter first")]
    Name(String),
}

impl Estate {
    /// An estate without instances.
    pub fn new(clock: Clock, seed: u64) -> Self {
        Self(Arc::new(Inner { clock, seed, state: Mutex::default() }))
    }

    /// The clock that its databases live by.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Makes an instance.
    pub fn create(&self, options: InstanceOptions) -> Result<Arc<Database>, EstateError> {
        let name = options.name.clone();
        self.happen(&name, Event::Create(Box::new(options)))?;
        self.database(&name).ok_or(EstateError::Unknown(name))
    }

    /// Lets something happen now.
    pub fn happen(&self, instance: &str, event: Event) -> Result<(), EstateError> {
        self.advance();
        self.apply(&mut self.state(), instance, event, self.0.clock.now_ms())
    }

    /// Lets something happen in so long.
    pub fn plan(&self, after: Duration, instance: &str, event: Event) {
        let at_ms = self.0.clock.now_ms().saturating_add(milliseconds(after));
        let mut state = self.state();
        state.planned.push(Planned { at_ms, instance: instance.to_owned(), event });
        state.planned.sort_by_key(|planned| planned.at_ms);
    }

    /// The database that has the name now.
    pub fn database(&self, name: &str) -> Option<Arc<Database>> {
        self.state().members.get(&name.to_ascii_lowercase()).map(|member| Arc::clone(&member.database))
    }

    /// What each database exposed until now, those included that are gone.
    pub fn truth(&self) -> Vec<Truth> {
        self.advance();
        let databases: Vec<Arc<Database>> = {
            let state = self.state();
            let members = state.members.values().map(|member| &member.database);
            state.gone.iter().chain(members).cloned().collect()
        };
        databases.iter().map(|database| database.truth()).collect()
    }

    /// Does what is due by now.
    pub(crate) fn advance(&self) {
        let now_ms = self.0.clock.now_ms();
        let mut state = self.state();
        while state.planned.first().is_some_and(|planned| planned.at_ms <= now_ms) {
            let Planned { at_ms, instance, event } = state.planned.remove(0);
            if let Err(error) = self.apply(&mut state, &instance, event, at_ms) {
                tracing::warn!(%error, "a planned event did not happen");
            }
        }
    }

    /// Another number after each change of [`Estate::fleet`].
    pub(crate) fn version(&self) -> u64 {
        self.state().version
    }

    /// The instances as they are now.
    pub fn fleet(&self) -> Fleet {
        let state = self.state();
        let instance = |member: &Member| LabInstance {
            name: member.options.name.clone(),
            resource_id: member.database.resource_id().to_owned(),
            engine: member.options.engine.clone(),
            engine_version: member.options.engine_version.clone(),
            cluster: member.options.cluster.clone(),
            logs: Logs::Simulated(Arc::clone(&member.database)),
        };
        Fleet { instances: state.members.values().map(instance).collect() }
    }

    fn apply(&self, state: &mut State, instance: &str, event: Event, at_ms: i64) -> Result<(), EstateError> {
        match event {
            Event::Create(options) => self.make(state, *options, at_ms)?,
            Event::Rename { to } => {
                state.check_free(&to)?;
                let mut member = state.take(instance)?;
                member.options.name.clone_from(&to);
                state.members.insert(to.to_ascii_lowercase(), member);
            }
            Event::Delete => {
                let member = state.take(instance)?;
                state.bury(member, at_ms);
            }
            Event::Restore => {
                let member = state.take(instance)?;
                let options = InstanceOptions { age: Duration::ZERO, ..member.options.clone() };
                state.bury(member, at_ms);
                self.make(state, options, at_ms)?;
            }
            Event::FailOver(failover) => state.member(instance)?.database.fail_over_at(failover, at_ms),
            Event::Status(status) => state.member(instance)?.database.set_status(status),
        }
        state.version += 1;
        Ok(())
    }

    fn make(&self, state: &mut State, options: InstanceOptions, at_ms: i64) -> Result<(), EstateError> {
        state.check_free(&options.name)?;
        state.made += 1;
        let database = DatabaseOptions {
            resource_id: resource_id(seeded::mix(&[self.0.seed, state.made])),
            layout: options.layout.clone(),
            record_every: options.record_every,
            age: options.age,
            seed: self.0.seed,
        };
        let database = Arc::new(Database::made_at(database, self.0.clock.clone(), at_ms));
        state.members.insert(options.name.to_ascii_lowercase(), Member { options, database });
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn member(&self, name: &str) -> Result<&Member, EstateError> {
        self.members.get(&name.to_ascii_lowercase()).ok_or_else(|| EstateError::Unknown(name.to_owned()))
    }

    fn take(&mut self, name: &str) -> Result<Member, EstateError> {
        let member = self.members.remove(&name.to_ascii_lowercase());
        member.ok_or_else(|| EstateError::Unknown(name.to_owned()))
    }

    fn check_free(&self, name: &str) -> Result<(), EstateError> {
        if !is_instance_name(name) {
            return Err(EstateError::Name(name.to_owned()));
        }
        match self.members.get(&name.to_ascii_lowercase()) {
            Some(_) => Err(EstateError::Taken(name.to_owned())),
            None => Ok(()),
        }
    }

    fn bury(&mut self, member: Member, at_ms: i64) {
        member.database.remove_at(at_ms);
        self.gone.push(member.database);
    }
}

/// In the form of `db-ABCDEFGHIJKLMNOPQRSTUVWXYZ`: 26 letters and digits.
fn resource_id(seed: u64) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letter = |place: u64| char::from(seeded::pick(seeded::mix(&[seed, place]), LETTERS));
    format!("db-{}", (0..26).map(letter).collect::<String>())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn options(name: &str) -> InstanceOptions {
        InstanceOptions {
            name: name.to_owned(),
            engine: "mariadb".to_owned(),
            engine_version: "10.11.8".to_owned(),
            cluster: None,
            layout: Layout::usual("mariadb").unwrap(),
            record_every: None,
            age: Duration::ZERO,
        }
    }

    #[test]
    fn a_restored_instance_has_the_name_and_nothing_else() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let estate = Estate::new(clock.clone(), 1);
        let old = estate.create(options("orders")).unwrap();
        old.write(5);
        estate.plan(Duration::from_mins(1), "ORDERS", Event::Restore);
        clock.advance(Duration::from_mins(2));
        estate.advance();
        let new = estate.database("orders").unwrap();
        assert_ne!(old.resource_id(), new.resource_id());
        new.write(1);
        old.write(1);
        let truth = estate.truth();
        assert_eq!(truth.len(), 2);
        assert_eq!(truth[0].files[0].deleted_ms(), Some(60_000));
        let lines =
            |index: usize| truth[index].files[0].bytes().split_inclusive(|byte| *byte == b'\n').count();
        assert_eq!((lines(0), lines(1)), (5, 1));
    }

    #[test]
    fn names_are_taken_and_given_free() {
        let estate = Estate::new(Clock::manual(Timestamp::UNIX_EPOCH), 1);
        let first = estate.create(options("a")).unwrap();
        estate.create(options("b")).unwrap();
        assert!(matches!(estate.create(options("A")), Err(EstateError::Taken(_))));
        assert!(matches!(
            estate.happen("a", Event::Rename { to: "B".to_owned() }),
            Err(EstateError::Taken(_))
        ));
        estate.happen("b", Event::Delete).unwrap();
        estate.happen("a", Event::Rename { to: "b".to_owned() }).unwrap();
        assert!(matches!(estate.happen("a", Event::Delete), Err(EstateError::Unknown(_))));
        let fleet = estate.fleet();
        assert_eq!((fleet.instances.len(), fleet.instances[0].name.as_str()), (1, "b"));
        assert_eq!(fleet.instances[0].resource_id, first.resource_id());
    }
}
