//! The switches: what the real service does on a bad day, each off unless a rule turns it on.
//!
//! Deciding is apart from doing. [`plan`] is a pure function of the rules, the seed, the call and its numbers; the other
//! modules of the emulator carry a [`Plan`] out. One file a family: what it is, which of AWS's answers it is, and the
//! part of it that can be computed without a connection.

mod connection;
mod listing;
mod portion;
mod reading;
mod refusal;
mod throttle;
mod trigger;

use serde::{Deserialize, Serialize};

pub use connection::ConnectionFlaw;
pub(crate) use connection::{Flow, Step};
pub use listing::ListingFlaw;
pub use portion::PortionFlaw;
pub use reading::ReadingFlaw;
pub use refusal::Refusal;
pub use throttle::RateLimit;
pub(crate) use throttle::Throttle;
pub(crate) use trigger::Numbers;
pub use trigger::{Chance, ChanceError, When};

use crate::seeded;

/// The calls that the emulator answers, by their names in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// The inventory.
    DescribeDBInstances,
    /// The list of an instance's log files.
    DescribeDBLogFiles,
    /// Part of a log file, as text.
    DownloadDBLogFilePortion,
    /// A whole log file, by the REST path.
    #[serde(rename = "downloadCompleteLogFile")]
    DownloadCompleteLogFile,
}

/// One switch, in its family.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// The call is refused.
    Refuse(Refusal),
    /// The listing is not what the instance has.
    Listing(ListingFlaw),
    /// The portion is not what follows the marker.
    Portion(PortionFlaw),
    /// The answer does not arrive as it should.
    Connection(ConnectionFlaw),
    /// The files change between calls or under a reader.
    Reading(ReadingFlaw),
}

/// When a switch acts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What happens.
    pub switch: Switch,
    /// To which operations; empty means all that the switch can happen to.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// To which instance: a name, or the beginning of names with a `*` at the end. Nothing means all.
    #[serde(default)]
    pub instances: Option<String>,
    /// For which file: a part of its name. Nothing means all, and calls for no file too.
    #[serde(default)]
    pub files: Option<String>,
    /// When; the default is always.
    #[serde(default)]
    pub when: When,
}

impl Rule {
    /// A rule that holds always and everywhere.
    pub fn always(switch: Switch) -> Self {
        Self { switch, operations: Vec::new(), instances: None, files: None, when: When::default() }
    }

    /// The same rule, under conditions.
    #[must_use]
    pub fn when(self, when: When) -> Self {
        Self { when, ..self }
    }

    /// The same rule, for some operations only.
    #[must_use]
    pub fn on(self, operations: impl Into<Vec<Operation>>) -> Self {
        Self { operations: operations.into(), ..self }
    }

    fn concerns(&self, call: &Call) -> bool {
        self.switch.can_happen_to(call.operation)
            && (self.operations.is_empty() || self.operations.contains(&call.operation))
            && self.instances.as_ref().is_none_or(|pattern| names(pattern, call.instance.as_deref()))
            && self
                .files
                .as_ref()
                .is_none_or(|part| call.file.as_ref().is_some_and(|file| file.contains(part)))
    }
}

fn names(pattern: &str, instance: Option<&str>) -> bool {
    let Some(instance) = instance.map(str::to_ascii_lowercase) else { return false };
    let pattern = pattern.to_ascii_lowercase();
    match pattern.strip_suffix('*') {
        Some(beginning) => instance.starts_with(beginning),
        None => instance == pattern,
    }
}

impl Switch {
    /// The name that the counters know it by.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refuse(refusal) => refusal.kind(),
            Self::Listing(flaw) => flaw.kind(),
            Self::Portion(flaw) => flaw.kind(),
            Self::Connection(flaw) => flaw.kind(),
            Self::Reading(flaw) => flaw.kind(),
        }
    }

    fn can_happen_to(&self, operation: Operation) -> bool {
        match self {
            Self::Refuse(refusal) => refusal.can_happen_to(operation),
            Self::Listing(_) => operation == Operation::DescribeDBLogFiles,
            Self::Portion(_) => operation == Operation::DownloadDBLogFilePortion,
            Self::Connection(_) => true,
            Self::Reading(flaw) => flaw.happens_to() == operation,
        }
    }
}

/// A call, as far as a rule looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    /// As the caller wrote it.
    pub(crate) instance: Option<String>,
    pub(crate) file: Option<String>,
}

/// What is going to happen to one call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) refusal: Option<Refusal>,
    pub(crate) listing: Vec<ListingFlaw>,
    pub(crate) portion: Vec<PortionFlaw>,
    pub(crate) connection: Vec<ConnectionFlaw>,
    pub(crate) reading: Vec<ReadingFlaw>,
}

/// Which switches act on a call. Nothing but the arguments decides.
pub(crate) fn plan(rules: &[Rule], seed: u64, call: &Call, numbers: Numbers) -> Plan {
    let mut plan = Plan::default();
    for (index, rule) in rules.iter().enumerate() {
        // The place in the list is part of the die: two rules with the same chance do not always strike together.
        let die = seeded::mix(&[
            seed,
            index as u64,
            call.operation as u64,
            seeded::text(&call.instance.as_deref().unwrap_or_default().to_ascii_lowercase()),
            numbers.of_instance,
        ]);
        if rule.concerns(call) && rule.when.holds(die, numbers) {
            plan.add(&rule.switch);
        }
    }
    plan
}

impl Plan {
    fn add(&mut self, switch: &Switch) {
        match switch {
            Switch::Refuse(refusal) => self.refusal = self.refusal.or(Some(*refusal)),
            Switch::Listing(flaw) => self.listing.push(*flaw),
            Switch::Portion(flaw) => self.portion.push(*flaw),
            Switch::Connection(flaw) => self.connection.push(*flaw),
            Switch::Reading(flaw) => self.reading.push(*flaw),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn call(operation: Operation, instance: &str) -> Call {
        Call { operation, instance: Some(instance.to_owned()), file: Some("error/a".to_owned()) }
    }

    fn nth(number: u64) -> Numbers {
        Numbers { of_instance: number, of_operation: number, elapsed: Duration::from_secs(number) }
    }

    #[test]
    fn the_same_seed_deals_the_same_faults() {
        let when = When { probability: Some(Chance::of(0.3).unwrap()), ..When::default() };
        let rules = [Rule::always(Switch::Refuse(Refusal::Throttle)).when(when)];
        let dealt = |seed: u64, instance: &str| -> Vec<bool> {
            let call = call(Operation::DescribeDBLogFiles, instance);
            (1..=1000).map(|n| plan(&rules, seed, &call, nth(n)).refusal.is_some()).collect()
        };
        assert_eq!(dealt(1, "a"), dealt(1, "A"));
        assert_ne!(dealt(1, "a"), dealt(2, "a"));
        assert_ne!(dealt(1, "a"), dealt(1, "b"));
        let hits = dealt(1, "a").into_iter().filter(|hit| *hit).count();
        assert!((250..350).contains(&hits), "{hits}");
    }

    #[test]
    fn a_switch_happens_only_where_it_can() {
        let rules = [
            Rule::always(Switch::Listing(ListingFlaw::Empty)),
            Rule::always(Switch::Refuse(Refusal::FileNotFound)),
        ];
        let of = |operation| plan(&rules, 0, &call(operation, "a"), nth(1));
        assert_eq!(of(Operation::DescribeDBInstances), Plan::default());
        assert_eq!(of(Operation::DescribeDBLogFiles).listing, [ListingFlaw::Empty]);
        assert_eq!(of(Operation::DescribeDBLogFiles).refusal, None);
        assert_eq!(of(Operation::DownloadCompleteLogFile).refusal, Some(Refusal::FileNotFound));
    }

    #[test]
    fn a_rule_can_name_files() {
        let hit = |part: &str| {
            let files = Some(part.to_owned());
            let rule = Rule { files, ..Rule::always(Switch::Refuse(Refusal::FileNotFound)) };
            let call = call(Operation::DownloadCompleteLogFile, "orders");
            plan(&[rule], 0, &call, nth(1)).refusal.is_some()
        };
        assert!(hit("error/") && !hit(".csv"));
    }

    #[test]
    fn a_rule_can_name_operations_and_instances() {
        let mut rule = Rule::always(Switch::Refuse(Refusal::Throttle)).on([Operation::DescribeDBLogFiles]);
        rule.instances = Some("orders-*".to_owned());
        let hit = |operation, instance: &str| {
            plan(std::slice::from_ref(&rule), 0, &call(operation, instance), nth(1)).refusal.is_some()
        };
        assert!(hit(Operation::DescribeDBLogFiles, "Orders-1"));
        assert!(!hit(Operation::DescribeDBLogFiles, "payments-1"));
        assert!(!hit(Operation::DownloadCompleteLogFile, "orders-1"));
        assert!(names("orders", Some("ORDERS")) && !names("orders", Some("orders-1")));
        assert!(!names("*", None));
    }
}
